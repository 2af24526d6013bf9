//! The kind `ServerlessPrivateEndpoint`: watches its objects and reconciles each with its manifest.
//!
//! | file | content |
//! |---|---|
//! | `crd/` | the custom resource |
//! | `kind` | the constants and functions of the kind: finalizer, annotations, trigger, lane |
//! | `wiring` | the watch, and the wiring of all parts |
//! | `reconcile` | connects the machine of a reconcile to the executor |
//! | `observe`, `perform` | what other objects contribute to a decision; the writes to Atlas |
//! | `status_patch` | the patch of the status |
//! | `convert`, `read_object` | converts the custom resource to the types of the rules; the object as it was read |
//! | `private_addresses` | the private addresses of an instance, requested once for all of its objects |
//! | `directory` | index of the existing objects: the owner of a mark, the objects that declare one VPC endpoint |
//! | `state`, `context`, `object_metrics` | state that reconciles share |
//! | `unwatched` | reports objects outside every watch |
//!
//! This module never decides: the rules of the protocol are in the `domain` crate. `convert` and `status_patch` do no I/O; they
//! are public so that `tests/health` can present each state to other tools.

mod context;
pub mod convert;
pub mod crd;
mod directory;
mod kind;
mod object_metrics;
mod observe;
mod perform;
mod private_addresses;
mod read_object;
mod reconcile;
mod state;
pub mod status_patch;
mod unwatched;
mod wiring;

pub use crate::runtime::atlas_access::DefaultCredentials;
pub use crate::runtime::identity::Identity;
pub use crate::runtime::watch_health::WatchHealth;
pub use crate::runtime::work::Work;
pub use context::Options;
pub use wiring::{RunError, run};
