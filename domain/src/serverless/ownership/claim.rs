//! The claim on an object: the annotation that announces an attempt to create before its request is sent
//! (docs/concepts/ownership.md).
//!
//! Reads and writes the text, and never decides what follows from it.

use std::fmt;

use crate::claim::{ClaimText, Nonce};
use crate::ids::ParseError;
use crate::serverless::endpoint::EndpointId;
use crate::token::{ClusterId, Token};

/// The write-ahead annotation: `v1/<token>/<nonce>/<uid>/<cluster id>/<replaced id or ->`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The object's token when the claim was written.
    pub token: Token,
    /// The attempt.
    pub nonce: Nonce,
    /// The object's uid when the claim was written.
    pub uid: String,
    /// The cluster that the claim was written in.
    pub cluster: ClusterId,
    /// The lost endpoint that this attempt replaces.
    pub replaced: Option<EndpointId>,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.replaced.as_ref().map_or("-", EndpointId::as_str).to_owned();
        let Self { token, nonce, uid, cluster, .. } = self.clone();
        ClaimText { token, nonce, uid, cluster, target }.fmt(f)
    }
}

impl std::str::FromStr for Claim {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let ClaimText { token, nonce, uid, cluster, target } = text.parse()?;
        let replaced = if target == "-" { None } else { Some(target.parse()?) };
        Ok(Self { token, nonce, uid, cluster, replaced })
    }
}

/// What the claim found on an object means for that object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ClaimReading {
    /// There is none.
    Absent,
    /// Our token, our uid: written in this life of the object.
    Ours {
        /// The attempt it announces.
        nonce: Nonce,
        /// The lost endpoint that the attempt replaces.
        replaced: Option<EndpointId>,
    },
    /// Our token, another uid: an earlier life of this name, whose attempt counts as open.
    EarlierLife {
        /// The attempt it announces.
        nonce: Nonce,
        /// The lost endpoint that the attempt replaces.
        replaced: Option<EndpointId>,
    },
    /// Another token of this cluster: the manifest was copied together with its annotations.
    Copied,
    /// Another cluster's: counts only while no endpoint is recorded.
    Foreign(Claim),
    /// Not a claim that this version can read: open, and its whole text names the attempt.
    Unreadable(Nonce),
}

impl ClaimReading {
    /// Reads the annotation `text` of the object that `token`, `uid` and `cluster` name.
    #[must_use]
    pub fn of(text: Option<&str>, token: &Token, uid: &str, cluster: &ClusterId) -> Self {
        let Some(text) = text else { return Self::Absent };
        match text.parse::<Claim>() {
            Err(_) => Self::Unreadable(Nonce::of_unreadable(text)),
            Ok(claim) if claim.cluster != *cluster => Self::Foreign(claim),
            Ok(claim) if claim.token != *token => Self::Copied,
            Ok(Claim { nonce, replaced, uid: claimed, .. }) if claimed == uid => {
                Self::Ours { nonce, replaced }
            }
            Ok(Claim { nonce, replaced, .. }) => Self::EarlierLife { nonce, replaced },
        }
    }

    /// Returns the attempt that the claim announces for this name, open or not.
    #[must_use]
    pub fn nonce(&self) -> Option<&Nonce> {
        match self {
            Self::Absent | Self::Copied | Self::Foreign(_) => None,
            Self::Ours { nonce, .. } | Self::EarlierLife { nonce, .. } | Self::Unreadable(nonce) => {
                Some(nonce)
            }
        }
    }

    /// Returns the attempt that the claim leaves open, given the recorded endpoint: a claim is open while no
    /// endpoint is recorded, or while the recorded one is the one to be replaced.
    #[must_use]
    pub fn open_nonce(&self, recorded: Option<&EndpointId>) -> Option<&Nonce> {
        match self {
            Self::Absent | Self::Copied | Self::Foreign(_) => None,
            Self::Ours { nonce, replaced } | Self::EarlierLife { nonce, replaced } => {
                (recorded.is_none() || recorded == replaced.as_ref()).then_some(nonce)
            }
            Self::Unreadable(nonce) => recorded.is_none().then_some(nonce),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::MAX_PART_LEN;
    use crate::token::tests::{cluster, token};

    #[test]
    fn a_claim_survives_the_round_trip() {
        for replaced in [None, Some("5f7cac1adf5d6c6306f4b283".parse().unwrap())] {
            let claim = Claim {
                token: token(),
                nonce: Nonce::from_random([7; 16]),
                uid: "u-1".into(),
                cluster: cluster(),
                replaced,
            };
            assert_eq!(claim.to_string().parse::<Claim>().unwrap(), claim);
        }
    }

    #[test]
    fn each_kind_of_claim_is_distinguished() {
        let claim = |token: &Token, uid: &str, cluster: &str| {
            let cluster: ClusterId = cluster.parse().unwrap();
            Claim {
                token: token.clone(),
                nonce: Nonce::from_random([1; 16]),
                uid: uid.into(),
                cluster,
                replaced: None,
            }
            .to_string()
        };
        let read = |text: Option<&str>| ClaimReading::of(text, &token(), "u-1", &cluster());
        let other = Token::of(&cluster(), "team-a", "copy");
        assert_eq!(read(None), ClaimReading::Absent);
        assert!(matches!(read(Some(&claim(&token(), "u-1", "c1"))), ClaimReading::Ours { .. }));
        assert!(matches!(read(Some(&claim(&token(), "u-0", "c1"))), ClaimReading::EarlierLife { .. }));
        assert_eq!(read(Some(&claim(&other, "u-1", "c1"))), ClaimReading::Copied);
        assert!(matches!(read(Some(&claim(&token(), "u-1", "c2"))), ClaimReading::Foreign(_)));
        let (no_nonce, no_uid) = (format!("v1/{}//u-1/c1/-", token()), format!("v1/{}/n//c1/-", token()));
        let more = format!("{}/more", claim(&token(), "u-1", "c1"));
        let long = "n".repeat(65);
        let long_nonce = format!("v1/{}/{long}/u-1/c1/-", token());
        let long_uid = format!("v1/{}/n/{long}/c1/-", token());
        for garbage in ["", "v2/x", "v1/a/b", "v1/////", &no_nonce, &no_uid, &more, &long_nonce, &long_uid] {
            let reading = read(Some(garbage));
            assert!(matches!(reading, ClaimReading::Unreadable(_)), "{garbage:?}");
            assert!(reading.nonce().unwrap().as_str().len() <= MAX_PART_LEN, "{garbage:?}");
            assert_eq!(read(Some(garbage)), read(Some(garbage)));
        }
        assert_ne!(read(Some("v2/x")), read(Some("v2/y")));
    }

    #[test]
    fn the_attempt_of_an_unreadable_claim_can_be_announced_in_a_claim_that_can_be_read() {
        for garbage in ["", "v2/x", "v1/a/b", "///", &"x/".repeat(1000)] {
            let ClaimReading::Unreadable(nonce) =
                ClaimReading::of(Some(garbage), &token(), "u-1", &cluster())
            else {
                panic!("{garbage:?} was read");
            };
            let announced = Claim {
                token: token(),
                nonce: nonce.clone(),
                uid: "u-1".into(),
                cluster: cluster(),
                replaced: None,
            };
            let again = ClaimReading::of(Some(&announced.to_string()), &token(), "u-1", &cluster());
            assert_eq!(again.nonce(), Some(&nonce), "{garbage:?}");
            assert!(matches!(again, ClaimReading::Ours { .. }), "{garbage:?}");
        }
    }

    #[test]
    fn a_claim_is_open_until_an_id_is_recorded_that_it_does_not_replace() {
        let old: EndpointId = "5f7cac1adf5d6c6306f4b283".parse().unwrap();
        let new: EndpointId = "5f7cac1adf5d6c6306f4b284".parse().unwrap();
        let nonce = Nonce::from_random([1; 16]);
        let first = ClaimReading::Ours { nonce: nonce.clone(), replaced: None };
        assert_eq!(first.open_nonce(None), Some(&nonce));
        assert_eq!(first.open_nonce(Some(&old)), None);
        let second = ClaimReading::Ours { nonce: nonce.clone(), replaced: Some(old.clone()) };
        assert_eq!(second.open_nonce(Some(&old)), Some(&nonce));
        assert_eq!(second.open_nonce(Some(&new)), None);
    }
}
