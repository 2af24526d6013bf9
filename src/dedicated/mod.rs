//! What connects the machine of `PrivateEndpointService` and `PrivateEndpoint` to the runtime: both kinds have the same.
//!
//! | file | content |
//! |---|---|
//! | `kind` | the trait of the two kinds: what their resources declare, record and show |
//! | `wiring` | the watches, and the wiring of both kinds |
//! | `reconcile`, `running` | connects the machine of a reconcile to the executor; one running reconcile |
//! | `observe`, `perform` | what Atlas and other objects contribute to a decision; the writes to Atlas |
//! | `status_patch`, `read_object` | the patch of the status; the object as it was read |
//! | `unwatched` | the objects that no watch shows: reads which of them are gone |
//! | `context` | what reconciles share: the index of names, the listings |
//!
//! This module never decides: the rules are in `domain::dedicated`. It knows neither of the two kinds.

mod context;
pub(crate) mod kind;
mod observe;
mod perform;
mod read_object;
mod reconcile;
mod running;
mod status_patch;
mod unwatched;
mod wiring;

pub(crate) use wiring::run;
