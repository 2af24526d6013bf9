//! The private endpoints of dedicated clusters, in a world in memory: the holes of the protocol, liveness, and the tables of `decide`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy takes only the test functions themselves for tests"
)]

mod atlas;
mod budgets;
mod fixtures;
mod holes;
mod liveness;
mod model_findings;
mod objects;
mod output_content;
mod outputs;
mod projects;
mod properties;
mod providers;
mod references;
mod regressions;
mod remote_regions;
#[allow(clippy::too_many_lines, reason = "a table is as long as it has rows")]
mod tables;
mod unwatched;
mod walks;
mod withdrawals;
mod world;
