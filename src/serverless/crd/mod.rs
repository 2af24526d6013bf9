//! The custom resource: what users write, what the operator answers, and what the API server refuses.
//!
//! Data only. Nothing here talks to a cluster or to Atlas, and nothing here decides: every rule that stands in
//! this folder is one that the API server enforces before the operator sees the object:
//!
//! - In `spec` stand CEL rules with a message that says what is possible. They are only ever loosened: an object that
//!   breaks a rule of a later version could neither get a status nor lose its finalizer.
//! - In `status` stands none. A status that the API server refuses is an endpoint id that is never recorded.

#![allow(clippy::doc_markdown, reason = "`kubectl explain` shows these comments as plain text")]

mod definition;
mod duration;
mod names;
mod reference;
mod spec;
mod status;

pub use definition::{crd, crd_yaml};
pub use duration::parse_duration;
pub use names::{CLAIM, FINALIZER, OUTPUT_CONFIG_MAP, RECONCILE_REQUEST, STALE_VPC_ENDPOINT_ID, TAKE_OVER};
pub use reference::{CloudProviderEndpointRef, VpcEndpointSource};
pub use spec::{
    CredentialsRef, DeletionPolicy, ManagementPolicy, OutputConfigMap, ReadyWhen, ServerlessPrivateEndpoint,
    ServerlessPrivateEndpointSpec,
};
pub use status::{NEVER_OBSERVED, ServerlessPrivateEndpointStatus};
