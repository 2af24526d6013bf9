//! The parts of the custom resources that several kinds share: types of fields, rules, names, and the finished definition.
//!
//! | file | content |
//! |---|---|
//! | `definition` | takes a derived definition, finishes it and prints it |
//! | `names` | the finalizer and the annotations |
//! | `fields`, `reference`, `service` | types of fields: policies and references, a VPC endpoint, an endpoint service |
//! | `duration` | Go durations, with the rules and defaults of the fields that hold one |
//! | `rules` | CEL rules |
//! | `status` | the generation of an object that was never reconciled |
//!
//! Data only: it knows no kind, does no I/O and decides nothing.

#![allow(clippy::doc_markdown, reason = "`kubectl explain` shows these comments as plain text")]

mod definition;
mod duration;
mod fields;
mod names;
mod reference;
mod rules;
mod service;
mod status;

pub use definition::{definition, yaml};
pub use duration::parse_duration;
pub(crate) use duration::{
    default_interval, default_progress_deadline, interval_rule, progress_deadline_rule,
};
pub use fields::{AdoptionPolicy, CredentialsRef, DeletionOverride, ManagementPolicy, OutputConfigMap};
pub use names::{CLAIM, FINALIZER, OUTPUT_CONFIG_MAP, RECONCILE_REQUEST};
pub use reference::CloudProviderEndpointRef;
pub(crate) use reference::{AWS_KINDS, AZURE_KINDS, GCP_KINDS};
pub(crate) use rules::{IS_OBJECT_NAME, immutable, project_id_rule};
pub use service::{GcpServiceKey, ProviderName};
pub(crate) use service::{gcp_forbidden_rule, gcp_required_rule, region_rule};
pub use status::NEVER_OBSERVED;
pub(crate) use status::never_observed;
