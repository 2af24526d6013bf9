//! What the way from nothing to AVAILABLE costs in requests, 401s included. The least that the protocol allows is
//! `1 + 3·instances + 2·endpoints`; the budget is 1.3 times that.

use std::time::Duration;

use atlas_simulator::{DEFAULT_PROJECT, Pace};
use futures::future::join_all;
use serde_json::json;

use crate::bench::{Bench, VPC_ENDPOINT};

async fn requests(instances: usize, endpoints: usize) -> usize {
    let bench = Bench::at_pace(Pace::of(Duration::from_secs(2))).await;
    let _operator = bench.operator_with(&["--poll-min=5s", "--poll-max=60s", "--log-level=info"]);
    for instance in 0..instances {
        bench.atlas.add_instance(DEFAULT_PROJECT, &format!("instance-{instance}"));
    }
    let names: Vec<_> =
        (0..instances).flat_map(|i| (0..endpoints).map(move |e| (i, format!("spe-{i}-{e}")))).collect();
    let create = names.iter().map(|(instance, name)| {
        let fields =
            json!({"instanceName": format!("instance-{instance}"), "cloudProviderEndpointId": VPC_ENDPOINT});
        bench.create(name, fields)
    });
    join_all(create).await;
    for (_, name) in &names {
        bench.until_reason(name, "Available").await;
    }
    bench.atlas.journal().len()
}

#[tokio::test]
async fn one_endpoint_costs_no_more_than_seven_requests() {
    let spent = requests(1, 1).await;
    assert!(spent <= 7, "{spent} requests, where 6 are the least");
}

#[tokio::test]
async fn the_endpoints_of_an_instance_share_its_listings() {
    let spent = requests(10, 10).await;
    assert!(spent <= 300, "{spent} requests, where 231 are the least");
}
