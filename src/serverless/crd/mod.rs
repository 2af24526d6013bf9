//! The custom resource: its spec, its status, and the rules that the API server enforces.
//!
//! Data only: it does no I/O and decides nothing. The API server enforces every rule in this folder before
//! the operator sees the object.
//!
//! - `spec` has CEL rules with a message that says what is possible. They are only ever loosened: an object that
//!   violates a rule of a later version could neither get a status nor lose its finalizer.
//! - `status` has no rules. If the API server rejected a status, an endpoint id would never be recorded.

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
pub use reference::CloudProviderEndpointRef;
pub use spec::{
    CredentialsRef, DeletionPolicy, ManagementPolicy, OutputConfigMap, ReadyWhen, ServerlessPrivateEndpoint,
    ServerlessPrivateEndpointSpec,
};
pub use status::{NEVER_OBSERVED, ServerlessPrivateEndpointStatus};
