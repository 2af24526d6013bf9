//! What every kind of this operator shares.
//!
//! | file | what it holds |
//! |---|---|
//! | `work` | whether anything may begin: only a leader that is not ending |
//! | `work_queue` | a fair queue with lanes |
//! | `concurrency` | how many requests are in flight at once, by namespace and project |
//! | `token_bucket`, `bounded_map` | how often something may happen, and how much is kept for a namespace |
//! | `single_flight` | one response for all who wait for it |
//! | `error_chain` | an error as one line, with its causes |
//! | `watch`, `watch_health` | a watch whose every request has a time limit, and whether it is heard |
//!
//! It knows no custom resource and no rule.

pub(crate) mod bounded_map;
pub(crate) mod concurrency;
pub(crate) mod error_chain;
pub(crate) mod single_flight;
pub(crate) mod token_bucket;
pub(crate) mod watch;
pub(crate) mod watch_health;
pub(crate) mod work;
pub(crate) mod work_queue;
