//! What the statuses of all kinds have in common. It never limits a value.

/// The `observedGeneration` of an object that has not been reconciled yet. Without it tools would report an object as healthy
/// before its first reconcile (they compare generations).
pub const NEVER_OBSERVED: i64 = -1;

/// Returns [`NEVER_OBSERVED`], for serde.
pub(crate) fn never_observed() -> i64 {
    NEVER_OBSERVED
}
