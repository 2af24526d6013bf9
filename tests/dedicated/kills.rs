//! The operator is killed at each of its requests, and a new process continues: the end is that of a life without a kill.

use crate::lives::requests::{LifeFault, LifeRequest};
use crate::lives::{all_end_as_without_a_fault, faulty_lives};

/// A read has no effect, so that it does not matter whether it is executed; and between the responses of two writes it does not matter
/// when a kill happens, except for what precedes a claim or a request to Atlas.
fn kills(request: &LifeRequest) -> Vec<LifeFault> {
    if request.is_write() && (request.is_to_atlas() || request.is_claim()) {
        vec![LifeFault::KillBefore, LifeFault::KillAfter]
    } else {
        vec![LifeFault::KillAfter]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_killed_at_any_request_leads_to_the_same_end() {
    all_end_as_without_a_fault(faulty_lives(kills).await).await;
}
