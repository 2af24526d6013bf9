//! The types of the fields that name an endpoint service of dedicated clusters: by a `PrivateEndpointService`, or by the look-up
//! of a `PrivateEndpoint`. They never say whether the service exists.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct, with its `pub`, into a function")]

use kube::KubeSchema;
use kube::core::{Reason, Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::immutable;

/// A cloud provider, as users and Atlas write it.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderName {
    /// Amazon Web Services: PrivateLink.
    #[serde(rename = "AWS")]
    Aws,
    /// Microsoft Azure: Private Link.
    #[serde(rename = "AZURE")]
    Azure,
    /// Google Cloud: Private Service Connect.
    #[serde(rename = "GCP")]
    Gcp,
}

/// The part of an endpoint service's key that only Google Cloud has.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct GcpServiceKey {
    /// Whether an endpoint is one forwarding rule for the whole service (true), or one for each service attachment (false, the
    /// legacy form, which Atlas ends on 2027-04-30 and which is only observed). Required. Immutable. In Atlas: portMappingEnabled.
    #[x_kube(validation = immutable("`portMapping` is immutable, because the two forms are two services in Atlas; create another object for the other one"))]
    pub port_mapping: bool,
}

/// Returns the rule of the fields `provider` and `region` of the same object.
pub(crate) fn region_rule() -> Rule {
    Rule::new("self.region.matches('^[A-Z][A-Z0-9_]*$') || (self.provider == 'AWS' && self.region.matches('^[a-z][a-z0-9-]*$'))")
        .message("`region` must be a region as Atlas spells it, such as 'EU_WEST_1': upper-case letters, digits and '_'; for AWS also as AWS spells it, such as 'eu-west-1'")
        .field_path(".region")
}

/// Returns the rule that `gcp` is set if the `provider` of the same object is Google Cloud.
pub(crate) fn gcp_required_rule() -> Rule {
    Rule::new("self.provider != 'GCP' || has(self.gcp)")
        .message("`gcp` must be set when `provider` is 'GCP'; set `gcp.portMapping` to true, or to false to observe a service of the legacy form, with one forwarding rule for each service attachment")
        .field_path(".gcp")
        .reason(Reason::FieldValueRequired)
}

/// Returns the rule that `gcp` is set only if the `provider` of the same object is Google Cloud.
pub(crate) fn gcp_forbidden_rule() -> Rule {
    Rule::new("self.provider == 'GCP' || !has(self.gcp)")
        .message("`gcp` may only be set when `provider` is 'GCP'; remove it")
        .field_path(".gcp")
        .reason(Reason::FieldValueForbidden)
}
