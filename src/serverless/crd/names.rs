//! The finalizer and the annotations that the operator reads and writes in an object's metadata.
//!
//! They are part of the interface: the meaning of a released name never changes.

/// The finalizer: while it is set, an endpoint may be left in Atlas.
pub const FINALIZER: &str = "atlas.spe-operator.io/endpoint";

/// The annotation that holds the claim, written before an endpoint is created.
pub const CLAIM: &str = "atlas.spe-operator.io/claim";

/// The annotation with which a user allows the operator to take over an endpoint with a foreign mark. Its value is
/// the token of the mark to replace.
pub const TAKE_OVER: &str = "atlas.spe-operator.io/take-over";

/// The annotation that holds the VPC endpoint id of a lost endpoint's service, which must not be sent again.
pub const STALE_VPC_ENDPOINT_ID: &str = "atlas.spe-operator.io/stale-vpc-endpoint-id";

/// The annotation that holds the name of the output ConfigMap that the operator has created, or is about to create, so that
/// it is deleted when the spec names another one, or none.
pub const OUTPUT_CONFIG_MAP: &str = "atlas.spe-operator.io/output-config-map";

/// The annotation that requests a reconcile now. It is Flux's own, so that `flux reconcile` and every tool that
/// supports it works; its value is echoed in `status.lastHandledReconcileAt`.
pub const RECONCILE_REQUEST: &str = "reconcile.fluxcd.io/requestedAt";

#[cfg(test)]
mod tests {
    use kube::Resource;

    use super::*;
    use crate::serverless::crd::ServerlessPrivateEndpoint;

    #[test]
    fn every_name_starts_with_the_group_of_the_resource() {
        let group = ServerlessPrivateEndpoint::group(&());
        for name in [FINALIZER, CLAIM, TAKE_OVER, STALE_VPC_ENDPOINT_ID, OUTPUT_CONFIG_MAP] {
            assert_eq!(name.split_once('/').map(|(prefix, _)| prefix), Some(group.as_ref()), "{name}");
        }
    }
}
