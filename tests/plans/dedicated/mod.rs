//! What has to hold of services and endpoints of dedicated clusters.

mod claims;
pub(crate) mod judge;
mod judge_self_test;
mod kills;
mod objects;
pub(crate) mod picture;
mod two_operators;
mod writes;

use serde_json::Value;

/// The annotation in which an object announces a write.
const CLAIM: &str = "atlas.spe-operator.io/claim";

fn conditions(status: &Value) -> impl Iterator<Item = &Value> {
    status["conditions"].as_array().into_iter().flatten()
}
