//! The custom resource in the model: its spec, claim and status, and a copy of it that was read earlier. Plain data.

/// The spec that the user declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Manifest {
    /// `deletionPolicy: Retain`.
    pub retain: bool,
    /// `managementPolicy: Observe`.
    pub observe: bool,
    /// `suspend`.
    pub suspend: bool,
    /// `endpointId`; 0 is none.
    pub endpoint: u8,
    /// `cloudProviderEndpointId`; 0 is none.
    pub vpc: u8,
}

/// The claim annotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Annotation {
    /// Written by this operator for the object of that life.
    Claim {
        /// The life whose uid it names.
        life: u8,
        /// The attempt; above 100 stands for the attempt of an unreadable claim, announced again.
        nonce: u8,
        /// The endpoint to be replaced; 0 is none.
        replaced: u8,
    },
    /// Written by another version of this operator.
    Unreadable,
    /// Written by another cluster's operator.
    Foreign,
}

/// The owner of the mark in a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MarkOwner {
    /// The object's.
    #[default]
    Ours,
    /// None.
    None,
    /// Another owner's.
    Foreign,
}

/// The custom resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModelObject {
    /// Which object of this name it is: its uid.
    pub life: u8,
    /// `metadata.deletionTimestamp` is set.
    pub deleting: bool,
    /// Our finalizer is on it.
    pub finalizer: bool,
    /// The claim annotation.
    pub claim: Option<Annotation>,
    /// `status._id`; 0 is none.
    pub recorded: u8,
    /// The mark in the comment that the status shows.
    pub shown: MarkOwner,
    /// The VPC endpoint id that the status shows.
    pub shown_vpc: u8,
    /// The VPC endpoint id that belonged to a lost service.
    pub stale_vpc: u8,
    /// The annotation `take-over` names the foreign owner.
    pub take_over: bool,
    /// The spec.
    pub manifest: Manifest,
}

/// A copy of the object as it was read, and whether it is still the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CachedObject {
    /// The object.
    pub object: ModelObject,
    /// Its resourceVersion is the current one.
    pub current: bool,
}
