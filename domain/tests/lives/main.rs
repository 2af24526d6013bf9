//! Lives of one object, in memory: the machine drives a process against an API server and an Atlas, and each effect of each life has
//! each fault that it can have. All has to end as it does without faults.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy takes only the test functions themselves for tests"
)]

mod api_server;
mod atlas;
mod effect_table;
mod effects;
mod faults;
mod guards;
mod life_run;
mod other_inputs;
mod page;
mod stored_object;
mod sweep;
mod table;
