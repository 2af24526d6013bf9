//! Scenarios: the life of one object over time, played to `decide` and `Memory`.

#![allow(clippy::unwrap_used, reason = "clippy takes only the test functions themselves for tests")]

mod bounds;
mod conditions;
mod contradictions;
mod deadline;
mod gone_responses;
mod harness;
mod known_races;
mod messages;
mod model_findings;
mod reconcile;
mod regressions;
mod rivals;
mod strings;
