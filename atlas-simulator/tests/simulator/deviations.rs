//! Endpoints that take another course, and reads that show the past.

use std::time::Duration;

use atlas_simulator::{
    ChangeCause, DEFAULT_INSTANCE, DEFAULT_PROJECT, Deviation, Endpoint, InjectedFault, Operation, Pace,
    Rule, Simulator, Status,
};
use serde_json::json;

use crate::support::{TestClient, endpoints, instant, slow, until};

const SOON: Duration = Duration::from_millis(60);
const VPC: &str = r#"{"providerName": "AWS", "cloudProviderEndpointId": "vpce-0123456789abcdef0"}"#;

fn message() -> String {
    "No dns entries found for endpoint vpce-0, your endpoint must be provisioned in at least one subnet"
        .to_owned()
}

/// An endpoint whose creation meets this deviation.
async fn fated(atlas: &Simulator, deviation: Deviation) -> (TestClient, String) {
    let client = TestClient::new(atlas);
    atlas.inject(Rule::next_of(Operation::Create, InjectedFault::Deviation(deviation)));
    let id = client.post(&endpoints(), "{}").await.id();
    (client, format!("{}/{id}", endpoints()))
}

#[tokio::test]
async fn a_reservation_fails_without_an_endpoint_service() {
    let atlas = instant().await;
    let (client, one) = fated(&atlas, Deviation::ReservationFails { message: message() }).await;
    let failed = client.get(&one).await.json;
    assert_eq!((&failed["status"], &failed["errorMessage"]), (&json!("FAILED"), &json!(message())));
    assert!(failed["endpointServiceName"].is_null());
}

#[tokio::test]
async fn a_connection_fails_once_and_a_new_patch_repairs_it() {
    let atlas = instant().await;
    let (client, one) = fated(&atlas, Deviation::ConnectionFails { message: message() }).await;
    client.patch(&one, VPC).await;
    let failed = client.get(&one).await.json;
    assert_eq!((&failed["status"], &failed["errorMessage"]), (&json!("FAILED"), &json!(message())));
    client.patch(&one, VPC).await;
    let repaired = client.get(&one).await.json;
    assert_eq!((&repaired["status"], &repaired["errorMessage"]), (&json!("AVAILABLE"), &json!(null)));
}

#[tokio::test]
async fn an_available_endpoint_breaks_and_recovers_by_itself() {
    let atlas = instant().await;
    let (client, one) = fated(&atlas, Deviation::Breaks { after: SOON, message: message() }).await;
    let id = one.rsplit('/').next().unwrap();
    assert!(atlas.add_deviation(id, Deviation::Recovers { after: SOON }));
    client.patch(&one, VPC).await;
    let seen = |atlas: &Simulator, status: &Status| {
        atlas.timelines()[0]
            .changes
            .iter()
            .filter(|c| c.endpoint.as_ref().is_some_and(|e| e.status == *status))
            .count()
    };
    until(&atlas, "recovery", |atlas| seen(atlas, &Status::Available) == 2).await;
    assert_eq!(seen(&atlas, &Status::Failed), 1);
    assert_eq!(client.get(&one).await.json["status"], "AVAILABLE");
}

#[tokio::test]
async fn a_reservation_that_nobody_uses_expires() {
    let atlas = instant().await;
    let (client, one) = fated(&atlas, Deviation::Expires { after: SOON }).await;
    until(&atlas, "the end", |atlas| atlas.timelines()[0].gone_at().is_some()).await;
    let last = atlas.timelines()[0].changes.iter().rev().find_map(|change| change.endpoint.clone());
    assert_eq!(last.unwrap().status, Status::Reserved);
    assert_eq!(client.get(&one).await.status, 404);
    let (client, one) = fated(&atlas, Deviation::Expires { after: Duration::from_hours(1) }).await;
    client.patch(&one, VPC).await;
    assert_eq!(client.get(&one).await.json["status"], "AVAILABLE");
}

#[tokio::test]
async fn an_endpoint_vanishes_in_any_status() {
    let atlas = slow().await;
    let (client, one) = fated(&atlas, Deviation::Vanishes { after: SOON }).await;
    until(&atlas, "the end", |atlas| atlas.timelines()[0].gone_at().is_some()).await;
    assert_eq!(client.get(&one).await.status, 404);
    let last = &atlas.timelines()[0].changes[1];
    assert_eq!((last.cause, last.at), (ChangeCause::Progress, atlas.timelines()[0].created_at() + SOON));
}

#[tokio::test]
async fn an_endpoint_stalls_until_it_is_edited() {
    let atlas = instant().await;
    let (client, one) = fated(&atlas, Deviation::Stalls).await;
    assert_eq!(client.get(&one).await.json["status"], "RESERVATION_REQUESTED");
    assert!(atlas.edit_endpoint(one.rsplit('/').next().unwrap(), |e| e.status = Status::Available));
    assert_eq!(client.get(&one).await.json["status"], "AVAILABLE");
}

#[tokio::test]
async fn a_deletion_sticks_fails_or_is_undone() {
    let atlas = instant().await;
    for (deviation, status) in [
        (Deviation::DeletionSticks, "DELETING"),
        (Deviation::DeletionFails { message: message() }, "FAILED"),
        (Deviation::ComesBack, "RESERVED"),
    ] {
        let (client, one) = fated(&atlas, Deviation::Expires { after: Duration::from_hours(1) }).await;
        atlas.inject(Rule::next_of(Operation::Delete, InjectedFault::Deviation(deviation.clone())));
        assert_eq!(client.delete(&one).await.status, 204);
        assert_eq!(client.get(&one).await.json["status"], status);
        client.delete(&one).await;
        let gone = client.get(&one).await.status == 404;
        assert_eq!(gone, deviation != Deviation::DeletionSticks, "{deviation:?}");
    }
}

#[tokio::test]
async fn a_lagging_listing_shows_the_past_and_a_get_does_not() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let lag = Duration::from_secs(1);
    atlas.configure(|settings| settings.pace.list_lag = lag);
    let id = client.post(&endpoints(), "{}").await.id();
    let one = format!("{}/{id}", endpoints());
    assert_eq!(client.get(&endpoints()).await.json, json!([]));
    assert_eq!(client.get(&one).await.status, 200);
    until(&atlas, "visibility", |atlas| atlas.now() > atlas.timelines()[0].created_at() + lag).await;
    assert_eq!(client.get(&endpoints()).await.json[0]["_id"], id.as_str());

    assert!(atlas.remove_endpoint(&id));
    assert_eq!(client.get(&one).await.status, 404);
    assert_eq!(client.get(&endpoints()).await.json[0]["_id"], id.as_str(), "still listed");
    let gone = atlas.timelines()[0].gone_at().unwrap();
    until(&atlas, "invisibility", |atlas| atlas.now() > gone + lag).await;
    assert_eq!(client.get(&endpoints()).await.json, json!([]));
}

#[tokio::test]
async fn one_read_may_be_stale_among_fresh_ones() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let id = client.post(&endpoints(), "{}").await.id();
    let stale = InjectedFault::StaleRead { by: Duration::from_hours(1) };
    atlas.inject(Rule::next(stale).of([Operation::List, Operation::Get]).times(2));
    assert_eq!(client.get(&endpoints()).await.json, json!([]));
    assert_eq!(client.get(&format!("{}/{id}", endpoints())).await.status, 404);
    assert_eq!(client.get(&endpoints()).await.json[0]["_id"], id.as_str());
}

#[tokio::test]
async fn a_new_pace_does_not_rewrite_what_was_seen() {
    let atlas = slow().await;
    let endpoint = Endpoint::requested(None);
    let id = atlas.insert_endpoint(DEFAULT_PROJECT, DEFAULT_INSTANCE, endpoint);
    let before = atlas.now();
    atlas.set_pace(Pace::of(Duration::ZERO));
    assert_eq!(atlas.endpoint(&id).unwrap().status, Status::Reserved);
    assert!(atlas.timelines()[0].changes[1].at >= before);
}
