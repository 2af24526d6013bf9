//! The controller: watches objects and keeps each as its manifest declares it.
//!
//! | file | what it holds |
//! |---|---|
//! | `wiring` | the watch, and how all parts are tied together |
//! | `engine` | kube-runtime's controller, fed and bounded |
//! | `triggers`, `requests` | what causes a reconcile, from the watch and from inside |
//! | `admission`, `queue` | which reconciles run now, and in which order the others wait |
//! | `reconcile` | observe → decide → perform → publish |
//! | `next` | what a reconcile does next, and what it waits for first |
//! | `pass` | one reconcile on its way, and the guards of its writes |
//! | `steps` | each step that can be decided, carried out |
//! | `object` | from the custom resource to what the rules know |
//! | `output` | the ConfigMap for other tools |
//! | `conclude`, `publish` | status patches and events, and when to look again |
//! | `watching`, `heard` | a watch that never waits without end, and whether it is heard |
//! | `cached`, `lean` | what is kept of an object, and that decoding it never fails |
//! | `cluster` | calls to the API server |
//! | `credentials`, `uses` | from a Secret to a client that may ask Atlas, and for whom what it held is remembered |
//! | `references` | from a reference to the VPC endpoint id, and in words what is missing |
//! | `targets`, `watched`, `polled` | what referenced objects say, read for all who refer to them |
//! | `listings`, `addresses` | what Atlas says of an instance, asked for once for all of its objects |
//! | `shared` | answers that many wait for |
//! | `pauses` | who is left alone, and for how long |
//! | `limits`, `bucket`, `words` | how many calls run at once, and how often |
//! | `bounded` | a map of which no namespace takes more than its part |
//! | `directory` | the living objects: whose mark is whose, and who declares the same VPC endpoint |
//! | `memories`, `context`, `counting` | what reconciles share |
//! | `warnings` | which warnings are folded into one event |
//! | `trace` | what the log says of one reconcile |
//! | `unwatched` | what is said of an object that waits for us and is not watched |
//! | `work` | whether anything may be begun |
//!
//! It never decides: every rule stands in the `domain` crate. `object` and `publish` neither read nor write; they are public so
//! that `tests/health` can ask other tools what they make of each state.

mod addresses;
mod admission;
mod bounded;
mod bucket;
mod cached;
mod cluster;
mod conclude;
mod context;
mod counting;
mod credentials;
mod directory;
mod engine;
mod heard;
mod lean;
mod limits;
mod listings;
mod memories;
mod next;
pub mod object;
mod output;
mod pass;
mod pauses;
mod polled;
pub mod publish;
mod queue;
mod reconcile;
mod references;
mod requests;
mod shared;
mod steps;
mod targets;
mod trace;
mod triggers;
mod unwatched;
mod uses;

mod warnings;
mod watched;
mod watching;
mod wiring;
mod words;
mod work;

pub use context::{DefaultCredentials, Options};
pub use heard::Heard;
pub use wiring::{RunError, run};
pub use work::Work;
