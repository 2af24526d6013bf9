//! The finalizer and the annotations that all kinds share.
//!
//! They are part of the interface: the meaning of a released name never changes.

/// The finalizer: while it is set, the object may have left something in Atlas.
pub const FINALIZER: &str = "atlas.spe-operator.io/endpoint";

/// The annotation that holds the claim, written before something is created in Atlas; by the kinds of dedicated clusters also
/// before something is deleted there.
pub const CLAIM: &str = "atlas.spe-operator.io/claim";

/// The annotation that holds the name of the output ConfigMap that the operator has created, or is about to create, so that
/// it is deleted when the spec names another one, or none.
pub const OUTPUT_CONFIG_MAP: &str = "atlas.spe-operator.io/output-config-map";

/// The annotation that requests a reconcile now. It is Flux's own, so that `flux reconcile` and every tool that
/// supports it works; its value is echoed in `status.lastHandledReconcileAt`.
pub const RECONCILE_REQUEST: &str = "reconcile.fluxcd.io/requestedAt";
