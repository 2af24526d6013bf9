//! Infrastructure shared by all kinds of this operator.
//!
//! | file | content |
//! |---|---|
//! | `kind`, `identity` | the constants and functions of a kind; the names of an object |
//! | `shared` | the parts that exist once in a process, for all kinds |
//! | `kind_controller` | watches and reconciles the objects of one kind, in every scope |
//! | `objects`, `states`, `directory` | the objects of one kind: how they are recorded; the state kept of each; which of them exist |
//! | `object_fields` | reads the fields that the objects of every kind have |
//! | `object_metrics` | what each object contributes to the metrics |
//! | `unwatched` | reports objects outside every watch |
//! | `controller` | kube-runtime's controller, with bounded concurrency |
//! | `executor` | performs the effects of reconciles: the only I/O of a reconcile |
//! | `triggers` | the watch events that cause a reconcile |
//! | `admission` | the gate for reconciles, and the requests for them from inside the process |
//! | `cached`, `decode` | the cached object; decoding it never fails |
//! | `api_server` | calls to the API server |
//! | `atlas_access` | access to Atlas: credentials, permits, and the calls that its refusals withhold |
//! | `credentials`, `credential_uses` | reads Secrets, returns Atlas clients, and keeps credentials for deletions |
//! | `references/` | the objects that specs refer to, read once for all referrers |
//! | `output` | reads and writes output ConfigMaps |
//! | `events` | publishes events, repeated warnings folded |
//! | `work` | the right to start something: only in a leader that is not shutting down |
//! | `work_queue` | a fair queue with lanes |
//! | `concurrency` | the bounds on requests in flight, by namespace and project |
//! | `single_flight` | one response for all waiting callers |
//! | `listings` | one listing per subject for all objects that need it |
//! | `status_patch` | the patch of a status: conditions, and the fields that every kind has |
//! | `error_chain` | an error as one line, with its causes |
//! | `watch`, `watch_health` | a watch whose every request has a time limit, and the time of its last data |
//!
//! It knows no kind that the operator reconciles, and no rule of one.

pub(crate) mod admission;
pub(crate) mod api_server;
pub(crate) mod atlas_access;
pub(crate) mod cached;
pub(crate) mod concurrency;
pub(crate) mod controller;
pub(crate) mod credential_uses;
pub(crate) mod credentials;
pub(crate) mod decode;
pub(crate) mod directory;
pub(crate) mod error_chain;
pub(crate) mod events;
#[cfg(test)]
pub(crate) mod example;
pub(crate) mod executor;
pub(crate) mod identity;
pub(crate) mod kind;
pub(crate) mod kind_controller;
pub(crate) mod listings;
pub(crate) mod object_fields;
pub(crate) mod object_metrics;
pub(crate) mod objects;
pub(crate) mod output;
pub(crate) mod references;
pub(crate) mod shared;
pub(crate) mod single_flight;
pub(crate) mod states;
pub(crate) mod status_patch;
pub(crate) mod triggers;
mod unwatched;
pub(crate) mod watch;
pub(crate) mod watch_health;
pub(crate) mod work;
pub(crate) mod work_queue;
