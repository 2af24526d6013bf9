//! The budgets: how many faults may occur, and how often users and others may act. Plain data that only decreases.

/// The remaining faults and actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Budget {
    /// Crashes of a controller; its memory is lost.
    pub crashes: u8,
    /// Responses of Atlas that are lost (to listings too), requests that are lost, requests that arrive after their
    /// sender gave up.
    pub losses: u8,
    /// Definite rejections by Atlas.
    pub refusals: u8,
    /// Listings, and the reads after them, served by a replica that lags.
    pub lags: u8,
    /// Responses of the API server that are lost, with the write applied, not applied, or applied later.
    pub outages: u8,
    /// Deletions of objects.
    pub deletions: u8,
    /// Creations of objects.
    pub creations: u8,
    /// Creations of a deleted object from a backup, with its annotations and its status.
    pub restores: u8,
    /// Creations of a copy of an object under the other name, with its status.
    pub copies: u8,
    /// Wipes of a status.
    pub status_wipes: u8,
    /// Wipes of a claim.
    pub claim_wipes: u8,
    /// Finalizers removed by force.
    pub forced: u8,
    /// Edits of a spec.
    pub edits: u8,
    /// Services and endpoints that others create in Atlas: by hand, or from another cluster.
    pub strangers: u8,
    /// Services and endpoints that others remove in Atlas.
    pub vanishings: u8,
}
