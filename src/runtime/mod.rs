//! Infrastructure shared by all kinds of this operator.
//!
//! | file | what it holds |
//! |---|---|
//! | `kind`, `identity` | what a kind tells the runtime about itself; the names of an object |
//! | `controller` | kube-runtime's controller, with bounded concurrency |
//! | `triggers` | which watch events cause a reconcile |
//! | `admission` | which reconciles run now, and which are requested from inside the process |
//! | `cached`, `decode` | the cached object; decoding it never fails |
//! | `api_server` | calls to the API server |
//! | `atlas_access` | access to Atlas: credentials, permits, and the calls that its refusals withhold |
//! | `credentials`, `credential_uses` | reads Secrets, returns Atlas clients, and keeps credentials for deletions |
//! | `references/` | the objects that specs refer to, read once for all referrers |
//! | `events` | publishes events, repeated warnings folded |
//! | `work` | whether anything may start: only in a leader that is not shutting down |
//! | `work_queue` | a fair queue with lanes |
//! | `concurrency` | how many requests are in flight at once, by namespace and project |
//! | `token_bucket` | rate limits |
//! | `request_rate` | the rate of listings that users trigger |
//! | `single_flight` | one response for all waiting callers |
//! | `error_chain` | an error as one line, with its causes |
//! | `watch`, `watch_health` | a watch whose every request has a time limit, and when data last arrived on it |
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
pub(crate) mod error_chain;
pub(crate) mod events;
#[cfg(test)]
pub(crate) mod example;
pub(crate) mod identity;
pub(crate) mod kind;
pub(crate) mod references;
pub(crate) mod request_rate;
pub(crate) mod single_flight;
pub(crate) mod token_bucket;
pub(crate) mod triggers;
pub(crate) mod watch;
pub(crate) mod watch_health;
pub(crate) mod work;
pub(crate) mod work_queue;
