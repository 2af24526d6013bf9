//! The text of a claim: the annotation that announces a write to Atlas before its request is sent.
//!
//! Every kind has the same six parts; what the last one means is the kind's own, and so is what follows from a claim.

use std::fmt;

use crate::ids::ParseError;
use crate::token::{ClusterId, Token, condensed, lower_base32};

/// The maximum length of the nonce and of the uid of a claim that can be read. Ours have 26 and 36 characters; whatever else the
/// annotation holds is kept as a hash.
pub(crate) const MAX_PART_LEN: usize = 64;

/// Names one attempt to write to Atlas. Random and fresh for each; that of an unreadable claim is a hash of its
/// whole text, which can stand in a claim whatever the text is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce(String);

impl Nonce {
    /// Returns the nonce of 16 random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(lower_base32(&bytes))
    }

    /// Returns the nonce of a claim that this version cannot read.
    pub(crate) fn of_unreadable(text: &str) -> Self {
        Self(condensed(text))
    }

    /// Returns the nonce for attempts that are no longer distinguished. It names none, so nothing is ever sent under it.
    #[must_use]
    pub fn of_others() -> Self {
        Self("others".to_owned())
    }

    /// Returns the nonce that a status records. Anybody may have written it.
    #[must_use]
    pub fn recorded(text: &str) -> Self {
        if text.len() <= MAX_PART_LEN { Self(text.to_owned()) } else { Self::of_unreadable(text) }
    }

    /// Returns the nonce's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The annotation in its six parts: `v1/<token>/<nonce>/<uid>/<cluster id>/<target>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClaimText {
    /// The object's token when the claim was written.
    pub token: Token,
    /// The attempt.
    pub nonce: Nonce,
    /// The object's uid when the claim was written.
    pub uid: String,
    /// The cluster that the claim was written in.
    pub cluster: ClusterId,
    /// What the attempt is for; it holds no `/`.
    pub target: String,
}

impl fmt::Display for ClaimText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v1/{}/{}/{}/{}/{}", self.token, self.nonce.0, self.uid, self.cluster, self.target)
    }
}

impl std::str::FromStr for ClaimText {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let malformed = || ParseError {
            expected: "a claim (v1/token/nonce/uid/cluster/target)",
            found: text.chars().take(64).collect(),
        };
        let parts: Vec<_> = text.split('/').collect();
        let ["v1", token, nonce, uid, cluster, target] = *parts else { return Err(malformed()) };
        let fits = |part: &str| (1..=MAX_PART_LEN).contains(&part.len());
        if !fits(nonce) || !fits(uid) {
            return Err(malformed());
        }
        Ok(Self {
            token: token.parse()?,
            nonce: Nonce(nonce.to_owned()),
            uid: uid.to_owned(),
            cluster: cluster.parse()?,
            target: target.to_owned(),
        })
    }
}
