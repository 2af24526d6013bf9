//! Requests in flight: writes to Atlas and to the object, also those whose sender has given up. Plain data.

use super::object::{Annotation, CachedObject, MarkOwner};

/// A write to Atlas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AtlasWrite {
    /// POST for this attempt.
    Post(u8),
    /// PATCH of the mark and, unless 0, of the VPC endpoint.
    Patch {
        /// The endpoint.
        id: u8,
        /// The mark in the comment; none: no comment is sent.
        mark: Option<MarkOwner>,
        /// The VPC endpoint.
        vpc: u8,
    },
    /// DELETE of this endpoint.
    Delete(u8),
}

/// A request in flight to Atlas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AtlasRequest {
    /// The write.
    pub write: AtlasWrite,
    /// The remaining ticks that it may stay in flight.
    pub left: u8,
    /// The controller that waits for the response.
    pub from: Option<u8>,
}

/// A write to the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectPatch {
    /// Finalizer and claim.
    Claim {
        /// The annotation.
        claim: Annotation,
        /// The annotation `stale-vpc-endpoint-id`; 0 leaves it.
        stale_vpc: u8,
        /// Whether the attempt is a new one.
        fresh: bool,
    },
    /// Id and status.
    Record {
        /// The endpoint.
        id: u8,
        /// The mark in its comment.
        mark: MarkOwner,
    },
    /// Removal of the finalizer.
    Release {
        /// Whether the endpoint was to stay in Atlas.
        retained: bool,
    },
}

impl ObjectPatch {
    /// Returns the attempt that this claims for the first time.
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
    /// The object as its sender had read it.
    pub held: CachedObject,
    /// The write.
    pub patch: ObjectPatch,
}
