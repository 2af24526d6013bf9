//! What a reconcile has observed, made by hand: shared with the properties.

pub(crate) use invariants::dedicated::fixtures::*;
