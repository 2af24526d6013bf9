//! The budgets: how many faults may occur, and how often users may act. Plain data that only decreases.

/// The remaining faults and user actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Budget {
    /// Crashes of a controller; its memory is lost.
    pub crashes: u8,
    /// Responses of Atlas that are lost (to listings too), requests that are lost, requests that arrive after their
    /// sender gave up.
    pub losses: u8,
    /// Definite rejections by Atlas.
    pub refusals: u8,
    /// Listings and DELETEs served by a replica that lags.
    pub lags: u8,
    /// Listings with a 404 as if the project were unknown.
    pub no_access: u8,
    /// Listings with a 404 as if the instance were no more, while it exists. Two of them are never the only responses
    /// within the time in which they could confirm each other.
    pub passing_gone: u8,
    /// Listings that show nothing, while something is there. They keep the same distance.
    pub passing_empty: u8,
    /// Responses of the API server that are lost, with the write applied, not applied, or applied later.
    pub outages: u8,
    /// Deletions of the object.
    pub deletions: u8,
    /// Creations of the object under the same name, without annotations.
    pub creations: u8,
    /// The same, with the annotations of the deleted object (a restored backup).
    pub restores: u8,
    /// Wipes of the status.
    pub status_wipes: u8,
    /// Wipes of the claim.
    pub claim_wipes: u8,
    /// Claims replaced by an unreadable one.
    pub garbles: u8,
    /// Finalizers removed by force.
    pub forced: u8,
    /// Edits of the spec.
    pub edits: u8,
    /// Foreign writes of insignificant fields.
    pub touches: u8,
    /// Endpoints that are deleted in Atlas out of band.
    pub vanishings: u8,
    /// Marks that are removed in Atlas out of band.
    pub unmarkings: u8,
}
