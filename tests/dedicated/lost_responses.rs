//! Each write of the operator fails once in each way: the end is that of a life without a fault.

use crate::lives::requests::{LifeFault, LifeRequest};
use crate::lives::{all_end_as_without_a_fault, faulty_lives};

fn faults_of_atlas(request: &LifeRequest) -> Vec<LifeFault> {
    if !request.is_write() || !request.is_to_atlas() {
        return Vec::new();
    }
    vec![
        LifeFault::LoseResponse,
        LifeFault::LoseRequest,
        LifeFault::Late,
        LifeFault::Status(500),
        LifeFault::Status(503),
    ]
}

fn faults_of_the_api_server(request: &LifeRequest) -> Vec<LifeFault> {
    if !request.is_write() || request.is_to_atlas() || request.is_event() || request.is_output() {
        return Vec::new();
    }
    vec![LifeFault::LoseResponse, LifeFault::Status(409)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_to_atlas_that_fails_in_any_way_leads_to_the_same_end() {
    all_end_as_without_a_fault(faulty_lives(faults_of_atlas).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_to_the_api_server_that_fails_in_any_way_leads_to_the_same_end() {
    all_end_as_without_a_fault(faulty_lives(faults_of_the_api_server).await).await;
}
