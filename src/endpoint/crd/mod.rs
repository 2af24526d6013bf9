//! The custom resource `PrivateEndpoint`: its spec, its status, and the rules that the API server enforces.
//!
//! Data only: it does no I/O and decides nothing. The API server enforces every rule in this folder before
//! the operator sees the object.
//!
//! - `spec` has CEL rules with a message that says what is possible. They are only ever loosened: an object that
//!   violates a rule of a later version could neither get a status nor lose its finalizer.
//! - `status` has no rules. If the API server rejected a status, what the object created would never be recorded.

#![allow(clippy::doc_markdown, reason = "`kubectl explain` shows these comments as plain text")]
#![allow(
    clippy::duplicated_attributes,
    reason = "the columns of `kubectl get` have the same type and priority"
)]

mod spec;
mod status;

pub use spec::{
    AwsVpcEndpoint, AzurePrivateEndpoint, GcpEndpointGroup, GcpForwardingRule, PrivateEndpoint,
    PrivateEndpointSpec, ReplacementOrder, ServiceLookup, ServiceRef,
};
pub use status::{ClusterConnectionStrings, PrivateEndpointStatus, SupersededEndpoint, SupersededEndpoints};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

/// Returns the definition of the resource, as it is installed into a cluster.
#[must_use]
pub fn crd() -> CustomResourceDefinition {
    crate::schema::definition::<PrivateEndpoint>()
}
