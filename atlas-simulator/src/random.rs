//! Random-looking ids, nonces and delays. Nothing here is a secret: a fixed fallback would be as good.

use std::time::{Duration, SystemTime};

/// Returns `length` random lower-case hexadecimal digits.
pub(crate) fn hex(length: usize) -> String {
    let mut text = data_encoding::HEXLOWER.encode(&bytes(length.div_ceil(2)));
    text.truncate(length);
    text
}

/// Returns 24 hexadecimal digits like an object id of `MongoDB`: the Unix second of now, then random ones.
pub(crate) fn object_id() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{:08x}{}", since.as_secs(), hex(16))
}

/// Returns a random UUID in its usual form.
pub(crate) fn uuid() -> String {
    [8, 4, 4, 4, 12].map(hex).join("-")
}

/// Returns 24 random bytes in base64: 32 characters, `/` and `+` among them, like the nonces of Atlas.
pub(crate) fn nonce() -> String {
    data_encoding::BASE64.encode(&bytes(24))
}

/// Returns a duration between the two, uniformly distributed.
pub(crate) fn between(min: Duration, max: Duration) -> Duration {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes(4));
    let fraction = f64::from(u32::from_le_bytes(word)) / f64::from(u32::MAX);
    min + max.saturating_sub(min).mul_f64(fraction)
}

fn bytes(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    // Without a source of randomness the ids are zeros: tests would notice at the second id.
    let _ = getrandom::fill(&mut bytes);
    bytes
}
