//! The annotations that only this kind has. The finalizer and the other annotations are those of all kinds.
//!
//! They are part of the interface: the meaning of a released name never changes.

/// The annotation with which a user allows the operator to take over an endpoint with a foreign mark. Its value is
/// the token of the mark to replace.
pub const TAKE_OVER: &str = "atlas.spe-operator.io/take-over";

/// The annotation that holds the VPC endpoint id of a lost endpoint's service, which must not be sent again.
pub const STALE_VPC_ENDPOINT_ID: &str = "atlas.spe-operator.io/stale-vpc-endpoint-id";

#[cfg(test)]
mod tests {
    use kube::Resource;

    use super::*;
    use crate::schema::{CLAIM, FINALIZER, OUTPUT_CONFIG_MAP};
    use crate::serverless::crd::ServerlessPrivateEndpoint;

    #[test]
    fn every_name_starts_with_the_group_of_the_resource() {
        let group = ServerlessPrivateEndpoint::group(&());
        for name in [FINALIZER, CLAIM, TAKE_OVER, STALE_VPC_ENDPOINT_ID, OUTPUT_CONFIG_MAP] {
            assert_eq!(name.split_once('/').map(|(prefix, _)| prefix), Some(group.as_ref()), "{name}");
        }
    }
}
