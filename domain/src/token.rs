//! Names that are made of hashes: the token of an object, in a cluster that has a name among all others.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};

use crate::ids::ParseError;

const TOKEN_LENGTH: usize = 16;

/// The name of a cluster among all clusters that share Atlas projects: `[A-Za-z0-9._-]{1,63}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(String);

impl ClusterId {
    /// Returns the text that was parsed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for ClusterId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let fits = (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseError {
                expected: "a cluster id (1 to 63 letters, digits, dots, underscores or hyphens)",
                found: text.chars().take(64).collect(),
            })
        }
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names one object for ever: the first 16 lower-case base32 characters of the SHA-256 of
/// `<cluster id>/<namespace>/<name>`. Made from names, not from the uid, so that an object restored or
/// re-created under its name finds its endpoint again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(String);

impl Token {
    /// Returns the token of the object `namespace/name` in `cluster`.
    #[must_use]
    pub fn of(cluster: &ClusterId, namespace: &str, name: &str) -> Self {
        let hash = Sha256::digest(format!("{cluster}/{namespace}/{name}"));
        let mut text = lower_base32(&hash);
        text.truncate(TOKEN_LENGTH);
        Self(text)
    }

    /// Returns the sixteen characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Token {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.len() == TOKEN_LENGTH && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7')) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseError {
                expected: "an ownership token (16 characters of a-z and 2-7)",
                found: text.chars().take(64).collect(),
            })
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the bytes in base32 without padding, in lower case.
pub(crate) fn lower_base32(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

/// Replaces a claim that is too long to be one: a text of its own, as short as a nonce, which is no claim either.
#[must_use]
pub fn condensed(claim: &str) -> String {
    lower_base32(&Sha256::digest(claim))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn cluster() -> ClusterId {
        "c1".parse().unwrap()
    }

    pub(crate) fn token() -> Token {
        Token::of(&cluster(), "team-a", "orders")
    }

    #[test]
    fn a_token_is_16_characters_of_the_hash_of_the_name() {
        // printf 'c1/team-a/orders' | sha256sum | xxd -r -p | base32 | cut -c-16 | tr A-Z a-z
        assert_eq!(token().as_str(), "u5clcvmh4prwcdlq");
        assert_ne!(token(), Token::of(&cluster(), "team-b", "orders"));
    }
}
