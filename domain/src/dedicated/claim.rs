//! The claim on an object of the two kinds: it announces a POST or a DELETE before its request is sent.
//!
//! Reads and writes the text, and never decides what follows from it.

use std::fmt;
use std::str::FromStr;

use crate::claim::{ClaimText, Nonce};
use crate::ids::ParseError;
use crate::token::{ClusterId, Token};

use super::life::Life;

/// What a claimed request is to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimTarget {
    /// POST: a service (`+`), whose id nobody knows yet, or this endpoint (`+<service id>:<endpoint id>`).
    Create(Option<Life>),
    /// DELETE: this service (`-<service id>`) or this endpoint.
    Delete(Life),
}

impl ClaimTarget {
    /// Returns the life that it names.
    #[must_use]
    pub fn life(&self) -> Option<&Life> {
        match self {
            Self::Create(life) => life.as_ref(),
            Self::Delete(life) => Some(life),
        }
    }
}

impl fmt::Display for ClaimTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Create(_)) { "+" } else { "-" })?;
        let Some(Life { service, endpoint }) = self.life() else { return Ok(()) };
        f.write_str(service.as_str())?;
        let Some(endpoint) = endpoint else { return Ok(()) };
        f.write_str(":")?;
        for byte in endpoint.as_str().bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') {
                write!(f, "{}", char::from(byte))?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for ClaimTarget {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let malformed = || ParseError {
            expected: "the target of a claim (+ or -, and an id)",
            found: text.chars().take(64).collect(),
        };
        let (is_create, rest) = match text.split_at_checked(1) {
            Some(("+", "")) => return Ok(Self::Create(None)),
            Some(("+", rest)) => (true, rest),
            Some(("-", rest)) => (false, rest),
            _ => return Err(malformed()),
        };
        let (service, endpoint) = match rest.split_once(':') {
            None => (rest, None),
            Some((service, endpoint)) => (service, Some(decoded(endpoint).ok_or_else(malformed)?.parse()?)),
        };
        let life = Life { service: service.parse()?, endpoint };
        match (is_create, life.endpoint.is_some()) {
            (true, true) => Ok(Self::Create(Some(life))),
            (false, _) => Ok(Self::Delete(life)),
            // The id of a service is known only after its POST.
            (true, false) => Err(malformed()),
        }
    }
}

/// Decodes percent-encoded text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// What the claim found on an object means for that object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ClaimReading {
    /// There is none, or one of another object or cluster: it announces nothing of this object, and is replaced.
    Absent,
    /// One of this name, written in this life of the object or in an earlier one.
    Ours {
        /// The attempt that it announces.
        nonce: Nonce,
        /// What the attempt is to do.
        target: ClaimTarget,
    },
    /// Not a claim that this version can read: its whole text names the attempt, which may be anything.
    Unreadable(Nonce),
}

impl ClaimReading {
    /// Reads the annotation `text` of the object that `token` names in `cluster`.
    #[must_use]
    pub fn of(text: Option<&str>, token: &Token, cluster: &ClusterId) -> Self {
        let Some(text) = text else { return Self::Absent };
        match text.parse::<ClaimText>() {
            Ok(claim) if claim.token != *token || claim.cluster != *cluster => Self::Absent,
            Ok(ClaimText { nonce, target, .. }) => match target.parse() {
                Ok(target) => Self::Ours { nonce, target },
                Err(_) => Self::Unreadable(nonce),
            },
            Err(_) => Self::Unreadable(Nonce::of_unreadable(text)),
        }
    }

    /// Returns the attempt that it announces.
    #[must_use]
    pub fn nonce(&self) -> Option<&Nonce> {
        match self {
            Self::Absent => None,
            Self::Ours { nonce, .. } | Self::Unreadable(nonce) => Some(nonce),
        }
    }

    /// Returns what the attempt is to do, if that can be read.
    #[must_use]
    pub fn target(&self) -> Option<&ClaimTarget> {
        match self {
            Self::Ours { target, .. } => Some(target),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::tests::{cluster, token};

    fn service() -> String {
        "5f7cac1adf5d6c6306f4b283".to_owned()
    }

    #[test]
    fn a_target_survives_the_round_trip() {
        let endpoints = ["vpce-0a1b", "/subscriptions/1/resourceGroups/\u{e4}(b)/c:d", "group.1_2", "a%2Fb"];
        let mut targets = vec![
            ClaimTarget::Create(None),
            ClaimTarget::Delete(Life { service: service().parse().unwrap(), endpoint: None }),
        ];
        for endpoint in endpoints {
            let endpoint = Some(endpoint.parse().unwrap());
            let life = Life { service: service().parse().unwrap(), endpoint };
            targets.extend([ClaimTarget::Create(Some(life.clone())), ClaimTarget::Delete(life)]);
        }
        for target in targets {
            let text = target.to_string();
            assert_eq!(text.parse::<ClaimTarget>(), Ok(target), "{text}");
            let fits = |b: u8| b.is_ascii_alphanumeric() || b"+-._:%".contains(&b);
            assert!(text.bytes().all(fits), "{text}");
        }
        for bad in ["", "-", "*", "+5f7cac1adf5d6c6306f4b283", "-x", "+5f7cac1adf5d6c6306f4b283:%2", "\u{e4}"]
        {
            assert!(bad.parse::<ClaimTarget>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_claim_of_another_object_or_cluster_announces_nothing() {
        let text =
            |token: &Token, cluster: &str, target: &str| format!("v1/{token}/nonce/u-1/{cluster}/{target}");
        let read = |text: &str| ClaimReading::of(Some(text), &token(), &cluster());
        let other = Token::of(&cluster(), "team-b", "orders");
        assert_eq!(read(&text(&other, cluster().as_str(), "+")), ClaimReading::Absent);
        assert_eq!(read(&text(&token(), "c2", "+")), ClaimReading::Absent);
        let own = read(&text(&token(), cluster().as_str(), "+"));
        assert_eq!(own.target(), Some(&ClaimTarget::Create(None)));
        for odd in ["", "v1", &text(&token(), cluster().as_str(), "5f7cac1adf5d6c6306f4b283")] {
            assert!(matches!(read(odd), ClaimReading::Unreadable(_)), "{odd}");
        }
    }
}
