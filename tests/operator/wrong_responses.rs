//! One wrong response of Atlas, that the instance, or its API, is no more while it exists, has no effect but a prompt
//! retry.

use std::time::Duration;

use atlas_simulator::{InjectedFault, JournalEntry, Operation, Rule, Termination};
use futures::future::join_all;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde_json::json;
use test_support::{Fixture, PATIENCE, VPC_ENDPOINT, condition};

use crate::faults::versions::Versions;

const GONE: [Termination; 4] = [
    Termination::ClusterNotFound,
    Termination::ServerlessInstanceNotFound,
    Termination::NotServerless,
    Termination::VersionGone,
];

/// Requests of this kind that met the fault, and those that did not, in their order.
fn requests(fixture: &Fixture, operation: Operation) -> Vec<JournalEntry> {
    let all = fixture.atlas.journal();
    all.into_iter().filter(|entry| entry.is(operation) && entry.challenged.is_none()).collect()
}

fn is_struck(entry: &JournalEntry) -> bool {
    !entry.faults.is_empty()
}

#[tokio::test]
async fn a_deletion_survives_one_false_not_found() {
    let on = [Operation::List, Operation::Delete];
    join_all(GONE.iter().flat_map(|ending| on.map(|on| (ending.clone(), on))).map(async |(ending, on)| {
        let fixture = Fixture::new().await;
        let _operator = fixture.operator();
        fixture.create("orders", json!({})).await;
        fixture.until_reason("orders", "Reserved").await;
        fixture.atlas.inject(Rule::next_of(on, InjectedFault::NotExecuted(ending.clone())));
        fixture.delete("orders").await;
        fixture.until_gone("orders").await;
        assert!(requests(&fixture, on).iter().any(is_struck), "{ending:?}: no {on:?} got that response");
        assert_eq!(fixture.atlas.executed(Operation::Delete), 1, "{ending:?} on {on:?}");
        assert!(fixture.endpoints().is_empty(), "{ending:?} on {on:?}: {:?}", fixture.endpoints());
    }))
    .await;
}

#[tokio::test]
async fn a_ready_object_and_its_output_survive_one_false_not_found() {
    join_all(GONE.map(async |ending| {
        let fixture = Fixture::new().await;
        let _operator = fixture.operator();
        let output = json!({"name": "orders-privatelink"});
        let fields = json!({"cloudProviderEndpointId": VPC_ENDPOINT, "outputConfigMap": output});
        fixture.create("orders", fields).await;
        let ready = fixture.until_reason("orders", "Available").await;
        let maps: Api<ConfigMap> =
            Api::namespaced(fixture.control_plane.client().await.unwrap(), &fixture.namespace);
        let uid = async || maps.get_opt("orders-privatelink").await.unwrap().and_then(|map| map.metadata.uid);
        let made = async {
            while uid().await.is_none() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, made).await.unwrap();
        let before_it = uid().await;
        let versions = Versions::record(&fixture.objects);
        versions.until("orders", "seen", |versions| !versions.is_empty()).await.unwrap();
        let before = requests(&fixture, Operation::List).len();
        fixture.atlas.inject(Rule::next_of(Operation::List, InjectedFault::NotExecuted(ending.clone())));
        fixture.request_reconcile("orders", "1").await;
        fixture.until_reconciled("orders", "1").await;
        let listings = requests(&fixture, Operation::List).split_off(before);
        assert!(is_struck(&listings[0]), "{ending:?}: {listings:?}");
        assert!(listings.iter().any(|entry| !is_struck(entry)), "{ending:?}: no request followed");
        for object in versions.of("orders") {
            let same = ["Ready", "Synced", "EndpointServiceAvailable", "EndpointConnected", "Stalled"]
                .map(|kind| condition(&object, kind) == condition(&ready, kind));
            assert_eq!(same, [true; 5], "{ending:?}: {:?}", object.status);
        }
        // An object that was deleted and created again would have another uid.
        assert_eq!(uid().await, before_it, "{ending:?}");
    }))
    .await;
}

#[tokio::test]
async fn a_write_is_repeated_after_one_false_not_found() {
    let on = [Operation::Create, Operation::Update];
    join_all(GONE.iter().flat_map(|ending| on.map(|on| (ending.clone(), on))).map(async |(ending, on)| {
        let fixture = Fixture::new().await;
        fixture.atlas.inject(Rule::next_of(on, InjectedFault::NotExecuted(ending.clone())));
        let _operator = fixture.operator();
        let versions = Versions::record(&fixture.objects);
        fixture.create("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
        fixture.until_reason("orders", "Available").await;
        assert!(requests(&fixture, on).iter().any(is_struck), "{ending:?}: no {on:?} got that response");
        assert_eq!(fixture.atlas.executed(Operation::Create), 1, "{ending:?} on {on:?}");
        for object in versions.of("orders") {
            assert_eq!(condition(&object, "Stalled"), None, "{ending:?} on {on:?}");
            let messages = object.status.iter().flat_map(|status| &status.conditions);
            assert!(messages.into_iter().all(|c| !c.message.contains("delete this object")), "{object:?}");
        }
    }))
    .await;
}
