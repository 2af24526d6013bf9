//! What is in flight: writes to Atlas and to the object, and which of them nobody waits for any more. Plain data.

use crate::state::{Annotation, CachedObject, Mark};

/// A write to Atlas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Write {
    /// POST for this attempt.
    Post(u8),
    /// PATCH of the mark and, unless 0, of the VPC endpoint.
    Patch {
        /// The endpoint.
        id: u8,
        /// The mark that the comment carries; none: no comment is sent.
        mark: Option<Mark>,
        /// The VPC endpoint.
        vpc: u8,
    },
    /// DELETE of this endpoint.
    Delete(u8),
}

/// A request in flight to Atlas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Call {
    /// What it asks for.
    pub write: Write,
    /// Ticks that it may stay in flight.
    pub left: u8,
    /// The controller that waits for the answer.
    pub from: Option<u8>,
}

/// A write to the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Patch {
    /// Finalizer and claim.
    Claim {
        /// The annotation.
        claim: Annotation,
        /// The annotation `stale-vpc-endpoint-id`; 0 leaves it.
        stale_vpc: u8,
        /// The attempt is a new one.
        fresh: bool,
    },
    /// Id and status.
    Record {
        /// The endpoint.
        id: u8,
        /// The mark in its comment.
        mark: Mark,
    },
    /// Finalizer off.
    Release {
        /// The endpoint was to stay in Atlas.
        retained: bool,
    },
}

impl Patch {
    /// The attempt that this claims for the first time.
    pub(crate) fn fresh_nonce(self) -> Option<u8> {
        match self {
            Self::Claim { claim: Annotation::Claim { nonce, .. }, fresh: true, .. } => Some(nonce),
            _ => None,
        }
    }
}

/// A write to the object whose sender has given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Late {
    /// What the sender had read.
    pub held: CachedObject,
    /// What it writes.
    pub patch: Patch,
}
