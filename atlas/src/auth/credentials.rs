//! Credentials for Atlas: an API key, or a service account.
//!
//! The secret half leaves this type in two places only, the Digest response and the token request. Nothing here
//! implements `Debug`, `Display` or `Serialize` over it.

use std::fmt;

use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER};
use domain::text::is_unfit;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::redact::SecretText;

/// The kind of credentials, and thus the scheme: Digest or a bearer token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    Digest,
    Bearer,
}

/// A programmatic API key or a service account. Two are equal if both halves are.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Credentials {
    scheme: Scheme,
    id: String,
    secret: SecretText,
}

/// Why credentials cannot be sent. The values themselves are not repeated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnusableCredentials {
    /// One half is empty, or only white space.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// One half contains a line break or another control character.
    #[error("{0} contains a line break or another control character; store it without one")]
    ControlCharacter(&'static str),
    /// One half contains an invisible character, such as a byte order mark or a zero-width space.
    #[error("{0} contains an invisible character (U+{1:04X}); store it without one")]
    Invisible(&'static str, u32),
    /// One half has a quotation mark at one of its ends.
    #[error("{0} begins or ends with a quotation mark; store it without one")]
    Quoted(&'static str),
    /// One half is longer than any that Atlas issues.
    #[error("{0} is longer than {MAX_BYTES} bytes; store nothing else in its entry")]
    TooLong(&'static str),
    /// One half is base64-encoded once too often.
    #[error(
        "{0} is encoded in base64 once too often: a value under `data` of a Secret is encoded once, one under \
         `stringData` not at all"
    )]
    EncodedTwice(&'static str),
}

/// The maximum length of one half in bytes; a secret of Atlas has some 60.
const MAX_BYTES: usize = 256;

impl Credentials {
    /// Returns an API key, for HTTP Digest. Meaningless text around the values is trimmed: white space, invisible
    /// characters, a pair of quotation marks.
    ///
    /// # Errors
    /// One half is empty or cannot be part of a header.
    pub fn key(public: &str, private: &str) -> Result<Self, UnusableCredentials> {
        Ok(Self {
            scheme: Scheme::Digest,
            id: usable("the public API key", public)?,
            secret: SecretText::new(usable("the private API key", private)?),
        })
    }

    /// Returns a service account, for OAuth 2.0 client credentials. Trimmed as in [`Credentials::key`].
    ///
    /// # Errors
    /// One half is empty or cannot be part of a header.
    pub fn service_account(client_id: &str, client_secret: &str) -> Result<Self, UnusableCredentials> {
        Ok(Self {
            scheme: Scheme::Bearer,
            id: usable("the client id", client_id)?,
            secret: SecretText::new(usable("the client secret", client_secret)?),
        })
    }

    /// Identifies these credentials without revealing them: the same for equal pairs, another after each change.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hash = Sha256::new();
        hash.update([self.scheme as u8]);
        // Neither half contains a control character, so this one separates them.
        hash.update(self.id.as_bytes());
        hash.update([0]);
        hash.update(self.secret.expose().as_bytes());
        Fingerprint(hash.finalize().into())
    }

    /// Returns eight characters that distinguish credentials in metrics, derived from the public half alone.
    #[must_use]
    pub fn short_name(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(self.id.as_bytes())[..4])
    }

    /// Returns the public half: the public key, or the client id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub(crate) fn secret(&self) -> &str {
        self.secret.expose()
    }

    /// Returns the forms in which a server could echo the secret.
    pub(crate) fn secrets(&self) -> Vec<SecretText> {
        let basic = BASE64.encode(format!("{}:{}", self.id, self.secret.expose()).as_bytes());
        vec![self.secret.clone(), SecretText::new(basic)]
    }
}

fn usable(what: &'static str, value: &str) -> Result<String, UnusableCredentials> {
    let value = without_quotes(trimmed(value));
    if value.is_empty() {
        return Err(UnusableCredentials::Empty(what));
    }
    if value.len() > MAX_BYTES {
        return Err(UnusableCredentials::TooLong(what));
    }
    if value.chars().any(char::is_control) {
        return Err(UnusableCredentials::ControlCharacter(what));
    }
    let invisible = |c: &char| is_unfit(*c) || (c.is_whitespace() && *c != ' ');
    if let Some(c) = value.chars().find(invisible) {
        return Err(UnusableCredentials::Invisible(what, c.into()));
    }
    if value.starts_with(is_quote) || value.ends_with(is_quote) {
        return Err(UnusableCredentials::Quoted(what));
    }
    if is_encoded_twice(value) {
        return Err(UnusableCredentials::EncodedTwice(what));
    }
    Ok(value.to_owned())
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_unfit(c))
}

/// Returns the text between a pair of quotation marks, if there is one.
fn without_quotes(text: &str) -> &str {
    let inner = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’'), ('„', '“'), ('«', '»')]
        .into_iter()
        .find_map(|(left, right)| text.strip_prefix(left)?.strip_suffix(right));
    inner.map_or(text, trimmed)
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '“' | '”' | '‘' | '’' | '„' | '«' | '»')
}

/// Returns whether the value is base64 of a credential. What Atlas issues is never mistaken for one: eight lower-case
/// letters, a UUID, or a word with underscores; none of them decodes to letters and digits alone, as a whole word of
/// six and more does not by chance.
fn is_encoded_twice(value: &str) -> bool {
    let is_public_key = value.len() == 8 && value.bytes().all(|b| b.is_ascii_lowercase());
    let decoded = BASE64.decode(value.as_bytes()).or_else(|_| BASE64_NOPAD.decode(value.as_bytes()));
    let Some(decoded) = decoded.ok().filter(|_| !is_public_key) else { return false };
    let inner = decoded.trim_ascii();
    inner.len() >= 6 && inner.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// Writes "API key abcdefgh", "service account `mdb_sa_id_…`": the public half, as messages name it.
impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Scheme::Digest => write!(f, "API key {}", self.id),
            Scheme::Bearer => write!(f, "service account {}", self.id),
        }
    }
}

/// Writes the same as `Display`: the secret is left out.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({self})")
    }
}

/// A SHA-256 hash over credentials. Printed as its first twelve hexadecimal digits, compared as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0[..6]))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_around_the_values_is_trimmed() {
        assert_eq!(Credentials::key(" abc\n", "\tdef \r\n"), Credentials::key("abc", "def"));
    }

    #[test]
    fn a_value_that_cannot_stand_in_a_header_is_refused_without_repeating_it() {
        let error = Credentials::key("abc", "hunter\n2").unwrap_err();
        assert_eq!(error, UnusableCredentials::ControlCharacter("the private API key"));
        assert!(!error.to_string().contains("hunter"));
        assert_eq!(
            Credentials::service_account(" ", "x").unwrap_err(),
            UnusableCredentials::Empty("the client id")
        );
    }

    #[test]
    fn what_nobody_sees_around_a_value_is_trimmed_and_so_is_a_pair_of_quotes() {
        let plain = Credentials::key("abcdefgh", "1b2c3d4e-0000-4000-8000-000000000000");
        for around in [
            "\u{feff}", "\u{200b}", "\u{2060}", "\u{200e}", "\u{200f}", "\u{a0}", "\u{ad}", "\u{3000}",
            "\r\n", "\u{2028}", "\u{fe0f}", "\u{0}",
        ] {
            let [public, private] = ["abcdefgh", "1b2c3d4e-0000-4000-8000-000000000000"]
                .map(|value| format!("{around}{value}{around}{around}"));
            assert_eq!(Credentials::key(&public, &private), plain, "{around:?}");
        }
        for (left, right) in [("\"", "\""), ("'", "'"), ("“", "”"), ("\u{feff}\" ", " \"\n")] {
            let public = format!("{left}abcdefgh{right}");
            assert_eq!(
                Credentials::key(&public, "1b2c3d4e-0000-4000-8000-000000000000"),
                plain,
                "{public:?}"
            );
        }
    }

    #[test]
    fn what_nobody_sees_inside_a_value_is_refused_by_its_number() {
        for c in ['\u{feff}', '\u{200b}', '\u{2060}', '\u{200e}', '\u{a0}', '\u{ad}', '\u{2028}'] {
            let error = Credentials::key("abcd", &format!("hunter{c}2")).unwrap_err();
            assert_eq!(error, UnusableCredentials::Invisible("the private API key", c.into()));
            assert!(!error.to_string().contains("hunter"), "{error}");
        }
        assert!(Credentials::key("\u{feff}abcd", "x").unwrap().to_string().is_ascii());
        for half in ["\"abcd", "abcd'", "\"", "“abcd\""] {
            let error = Credentials::key(half, "x").unwrap_err();
            assert_eq!(error, UnusableCredentials::Quoted("the public API key"), "{half}");
        }
    }

    #[test]
    fn a_value_that_was_encoded_twice_is_refused_and_what_atlas_issues_is_not() {
        let uuid = "1b2c3d4e-0000-4000-8000-000000000000";
        let encoded = |text: &str| BASE64.encode(text.as_bytes());
        for (public, private, what) in [
            (encoded("abcdefgh"), uuid.to_owned(), "the public API key"),
            (encoded("abcdefgh\n"), uuid.to_owned(), "the public API key"),
            ("abcdefgh".to_owned(), encoded(uuid), "the private API key"),
            ("abcdefgh".to_owned(), encoded("private"), "the private API key"),
            ("abcdefgh".to_owned(), encoded(uuid).trim_end_matches('=').to_owned(), "the private API key"),
        ] {
            assert_eq!(
                Credentials::key(&public, &private).unwrap_err(),
                UnusableCredentials::EncodedTwice(what)
            );
        }
        let account = Credentials::service_account(&encoded("mdb_sa_id_1"), "mdb_sa_sk_x");
        assert_eq!(account.unwrap_err(), UnusableCredentials::EncodedTwice("the client id"));
        for public in ["abcdefgh", "public", "aaaaaaaa", "zyxwvuts"] {
            assert!(Credentials::key(public, uuid).is_ok(), "{public}");
        }
    }

    #[test]
    fn a_half_has_at_most_256_bytes() {
        assert!(Credentials::key("a", &"-".repeat(MAX_BYTES)).is_ok());
        let error = Credentials::key("a", &"-".repeat(MAX_BYTES + 1)).unwrap_err();
        assert_eq!(error, UnusableCredentials::TooLong("the private API key"));
    }

    #[test]
    fn the_fingerprint_follows_every_part_and_shows_none() {
        let key = Credentials::key("abc", "def").unwrap();
        let others = [
            Credentials::key("abc", "deg").unwrap(),
            Credentials::key("abd", "def").unwrap(),
            Credentials::key("abcd", "ef").unwrap(),
            Credentials::service_account("abc", "def").unwrap(),
        ];
        assert!(others.iter().all(|other| other.fingerprint() != key.fingerprint() && other != &key));
        assert_eq!(key.fingerprint(), Credentials::key("abc", "def").unwrap().fingerprint());
        assert_eq!(key.fingerprint().to_string().len(), 12);
        assert_eq!(format!("{:?}", key.fingerprint()), format!("Fingerprint({})", key.fingerprint()));
    }

    #[test]
    fn the_short_name_follows_the_public_half_alone() {
        let short = |public, private| Credentials::key(public, private).unwrap().short_name();
        assert_eq!(short("abc", "def").len(), 8);
        assert_eq!(short("abc", "def"), short("abc", "other"));
        assert_ne!(short("abc", "def"), short("abd", "def"));
    }

    #[test]
    fn no_output_shows_the_secret() {
        let key = Credentials::key("abcdefgh", "hunter2").unwrap();
        assert_eq!(format!("{key} {key:?}"), "API key abcdefgh Credentials(API key abcdefgh)");
    }
}
