//! A pair that Atlas knows: an API key, or a service account.
//!
//! The secret half leaves this type in two places only, the Digest answer and the token request. Nothing here
//! implements `Debug`, `Display` or `Serialize` over it.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Which kind of credentials, and so which scheme: Digest or a bearer token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Scheme {
    Digest,
    Bearer,
}

/// A programmatic API key or a service account. Two are equal if both halves are.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Credentials {
    scheme: Scheme,
    id: String,
    secret: Secret,
}

/// Text that is never shown: it has neither `Debug` nor `Display`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Secret(String);

impl Secret {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the one header that carries it.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

/// Credentials that cannot be sent. The values themselves are not repeated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnusableCredentials {
    /// One half is empty, or only white space.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// One half contains a line break or another control character.
    #[error("{0} contains a line break or another control character; store it without one")]
    ControlCharacter(&'static str),
}

impl Credentials {
    /// An API key: HTTP Digest. White space around the values is trimmed.
    ///
    /// # Errors
    /// A half that is empty or cannot stand in a header.
    pub fn key(public: &str, private: &str) -> Result<Self, UnusableCredentials> {
        Ok(Self {
            scheme: Scheme::Digest,
            id: usable("the public API key", public)?,
            secret: Secret(usable("the private API key", private)?),
        })
    }

    /// A service account: OAuth 2.0 client credentials. White space around the values is trimmed.
    ///
    /// # Errors
    /// A half that is empty or cannot stand in a header.
    pub fn service_account(client_id: &str, client_secret: &str) -> Result<Self, UnusableCredentials> {
        Ok(Self {
            scheme: Scheme::Bearer,
            id: usable("the client id", client_id)?,
            secret: Secret(usable("the client secret", client_secret)?),
        })
    }

    /// Names these credentials without giving them away: the same for equal pairs, another for each change.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hash = Sha256::new();
        hash.update([self.scheme as u8]);
        // Control characters cannot occur in either half, so this one keeps the halves apart.
        hash.update(self.id.as_bytes());
        hash.update([0]);
        hash.update(self.secret.0.as_bytes());
        Fingerprint(hash.finalize().into())
    }

    /// Eight characters that tell keys apart in metrics, made from the public half alone.
    #[must_use]
    pub fn short_name(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(self.id.as_bytes())[..4])
    }

    /// The public half: the public key, or the client id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub(super) fn secret(&self) -> &str {
        self.secret.expose()
    }

    /// The forms in which a server could send the secret back to us.
    pub(super) fn hidden(&self) -> Vec<Secret> {
        let basic = BASE64.encode(format!("{}:{}", self.id, self.secret.0).as_bytes());
        vec![self.secret.clone(), Secret(basic)]
    }
}

fn usable(what: &'static str, value: &str) -> Result<String, UnusableCredentials> {
    let value = value.trim();
    if value.is_empty() {
        Err(UnusableCredentials::Empty(what))
    } else if value.chars().any(char::is_control) {
        Err(UnusableCredentials::ControlCharacter(what))
    } else {
        Ok(value.to_owned())
    }
}

/// "API key abcdefgh", "service account `mdb_sa_id_…`": the public half, as messages name it.
impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Scheme::Digest => write!(f, "API key {}", self.id),
            Scheme::Bearer => write!(f, "service account {}", self.id),
        }
    }
}

/// The same as `Display`: the secret is left out.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({self})")
    }
}

/// SHA-256 over credentials. Shown as its first twelve hexadecimal digits, compared as a whole.
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
