//! The kind `ServerlessPrivateEndpoint`: watches its objects and reconciles each with its manifest.
//!
//! | file | content |
//! |---|---|
//! | `crd/` | the custom resource |
//! | `kind`, `kept` | the types, constants and functions of the kind: finalizer, annotations, trigger, lane; what is kept of an object |
//! | `wiring` | runs the kind |
//! | `reconcile` | connects the machine of a reconcile to the executor |
//! | `observe`, `perform` | what other objects contribute to a decision; the writes to Atlas |
//! | `status_patch` | the patch of the status |
//! | `convert`, `read_object` | converts the custom resource to the types of the rules; the object as it was read |
//! | `private_addresses` | the private addresses of an instance, requested once for all of its objects |
//! | `directory` | what the existing objects declare and use: the owner of a mark, the objects that declare one VPC endpoint |
//! | `context` | what reconciles share |
//! | `object_metrics` | what the metrics count of a reconcile |
//!
//! This module never decides: the rules of the protocol are in the `domain` crate. `convert` and `status_patch` do no I/O; they
//! are public so that `tests/health` can present each state to other tools.

mod context;
pub mod convert;
pub mod crd;
mod directory;
mod kept;
mod kind;
mod object_metrics;
mod observe;
mod perform;
mod private_addresses;
mod read_object;
mod reconcile;
pub mod status_patch;
mod wiring;

pub use crate::runtime::identity::Identity;
pub(crate) use wiring::run;
