//! The kind `ServerlessPrivateEndpoint`: watches its objects and keeps each as its manifest declares it.
//!
//! | file | what it holds |
//! |---|---|
//! | `crd/` | the custom resource |
//! | `controller` | the watch, and how all parts are tied together |
//! | `engine` | kube-runtime's controller, fed and bounded |
//! | `triggers`, `requests` | what causes a reconcile, from the watch and from inside |
//! | `admission` | which reconciles run now |
//! | `reconcile` | observe → decide → perform → publish, until nothing is left to do |
//! | `session` | one reconcile under way, and the guards of its writes |
//! | `observe` | what is known, what the rules say to it, and what has to be waited for first |
//! | `perform` | each step that can be decided |
//! | `publish`, `status_patch` | status and events, and when to reconcile again |
//! | `output` | the ConfigMap for other tools |
//! | `convert` | from the custom resource to what the rules know |
//! | `cached`, `decode` | what is cached of an object; decoding it never fails |
//! | `api_server` | calls to the API server |
//! | `credentials`, `credential_uses` | from a Secret to a client for Atlas, and for whom what it held is remembered |
//! | `vpc_endpoint_ref` | from a reference to the VPC endpoint id, and what is missing |
//! | `referenced`, `referenced_watch`, `referenced_poll` | what referenced objects show, read for all who refer to them |
//! | `listings`, `private_addresses` | what Atlas says of an instance, requested once for all of its objects |
//! | `rate_limits`, `request_rate` | who sends nothing for how long, and how often a listing may be requested |
//! | `directory` | the living objects: whose mark is whose, and who declares the same VPC endpoint |
//! | `state`, `context`, `object_metrics` | what reconciles share |
//! | `span` | what the log says of one reconcile |
//! | `unwatched`, `warnings` | what is said of objects that no watch shows, and of those that cannot be decoded |
//!
//! It never decides: the rules of the protocol are in the `domain` crate. `convert` and `status_patch` neither read nor write; they
//! are public so that `tests/health` can show other tools each state.

mod admission;
mod api_server;
mod cached;
mod context;
mod controller;
pub mod convert;
pub mod crd;
mod credential_uses;
mod credentials;
mod decode;
mod directory;
mod engine;
mod listings;
mod object_metrics;
mod observe;
mod output;
mod perform;
mod private_addresses;
mod publish;
mod rate_limits;
mod reconcile;
mod referenced;
mod referenced_poll;
mod referenced_watch;
mod request_rate;
mod requests;
mod session;
mod span;
mod state;
pub mod status_patch;
mod triggers;
mod unwatched;
mod vpc_endpoint_ref;
mod warnings;

pub use crate::runtime::watch_health::WatchHealth;
pub use crate::runtime::work::Work;
pub use context::{DefaultCredentials, Options};
pub use controller::{RunError, run};
