//! Infrastructure shared by all kinds of this operator.
//!
//! | file | what it holds |
//! |---|---|
//! | `work` | whether anything may start: only in a leader that is not shutting down |
//! | `work_queue` | a fair queue with lanes |
//! | `concurrency` | how many requests are in flight at once, by namespace and project |
//! | `token_bucket` | rate limits |
//! | `request_rate` | the rate of listings that users trigger |
//! | `single_flight` | one response for all waiting callers |
//! | `events` | publishes events, repeated warnings folded |
//! | `error_chain` | an error as one line, with its causes |
//! | `watch`, `watch_health` | a watch whose every request has a time limit, and when data last arrived on it |
//!
//! It knows no custom resource and no rule.

pub(crate) mod concurrency;
pub(crate) mod error_chain;
pub(crate) mod events;
pub(crate) mod request_rate;
pub(crate) mod single_flight;
pub(crate) mod token_bucket;
pub(crate) mod watch;
pub(crate) mod watch_health;
pub(crate) mod work;
pub(crate) mod work_queue;
