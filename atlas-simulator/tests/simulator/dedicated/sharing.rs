//! One Atlas for both kinds of endpoints and for many clients: serverless and dedicated at once, latency, capacity, lag.

use atlas_simulator::{
    AtlasService, DEFAULT_PROJECT, DedicatedPace, Deviation, InjectedFault, Key, Latency, Operation, Role,
    Rule, Settings, Span,
};
use serde_json::json;

use super::*;
use crate::support::endpoints;

/// Neither kind sees, counts, delays or breaks what belongs to the other.
#[tokio::test]
async fn serverless_and_dedicated_endpoints_share_a_project_without_mixing() {
    let (atlas, client) = with(DedicatedPace::of(Duration::ZERO), |settings| {
        settings.pace = atlas_simulator::Pace::of(Duration::ZERO);
        settings.dedicated.vpc_endpoints_exist = true;
    })
    .await;
    let serverless = TestClient::new(&atlas);
    let create = async || serverless.post(&endpoints(), r#"{"comment": "mine"}"#).await;
    let create_service = async || client.post(&services(), &region("us-east-1")).await;
    let (one, other) = tokio::join!(create(), create_service());
    assert_eq!((one.status, other.status), (201, 201), "{one:?} {other:?}");
    let (endpoint_id, id) = (one.id(), other.json["id"].as_str().unwrap().to_owned());
    assert_eq!(send(&client, Operation::CreateEndpoint, &id, VPC).await.unwrap().status, 201);
    let listed = serverless.get(&endpoints()).await.json;
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["_id"]), (1, &json!(endpoint_id)));
    let listed = send(&client, Operation::ListServices, "", "").await.unwrap().json;
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["interfaceEndpoints"]), (1, &json!([VPC])));
    // Faults and the end of the last endpoint stay on their side.
    let limited = atlas_simulator::Termination::RateLimited { retry_after: None };
    atlas.inject(Rule::always(InjectedFault::NotExecuted(limited)).of([Operation::ListServices]));
    assert_eq!(send(&client, Operation::ListServices, "", "").await.unwrap().status, 429);
    assert_eq!(serverless.get(&endpoints()).await.status, 200);
    atlas.clear_rules();
    assert_eq!(client.delete(&endpoint(&id, VPC)).await.status, 202);
    service_is(&atlas, &id, None).await;
    let kept = serverless.get(&format!("{}/{endpoint_id}", endpoints())).await.json;
    assert_eq!(kept["status"], "RESERVED");
    assert_eq!((atlas.executed(Operation::Create), atlas.executed(Operation::CreateService)), (1, 1));
    assert_eq!((atlas.timelines().len(), atlas.service_courses().len()), (1, 1));
}

#[tokio::test]
async fn latency_holds_for_dedicated_calls_too() {
    let slow = |settings: &mut Settings| {
        settings.latency = Latency { reads: Span::millis(60, 60), writes: Span::millis(240, 240) };
    };
    let (_atlas, client, id, _) = with_service(DedicatedPace::of(HOUR), slow).await;
    for (operation, least) in [
        (Operation::ListServices, 60),
        (Operation::GetService, 60),
        (Operation::GetCluster, 60),
        (Operation::CreateService, 240),
        (Operation::CreateEndpoint, 240),
        (Operation::GetEndpoint, 60),
        (Operation::DeleteEndpoint, 240),
    ] {
        let began = std::time::Instant::now();
        assert!(send(&client, operation, &id, VPC).await.unwrap().status < 300, "{operation:?}");
        // The challenge before it takes as long as a read.
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(60 + least), "{operation:?} took {took:?}");
    }
    let (atlas, client) =
        with(DedicatedPace::of(HOUR), |settings| settings.latency = Latency::recorded()).await;
    let began = std::time::Instant::now();
    assert_eq!(client.post(&services(), &region("us-east-1")).await.status, 201);
    assert!(began.elapsed() >= Duration::from_millis(56 + 150), "{:?}", atlas.journal());
}

#[tokio::test]
async fn of_two_services_at_once_in_a_project_one_finds_no_capacity() {
    let (atlas, client) = with(DedicatedPace::of(HOUR), |settings| {
        settings.dedicated.variants.no_capacity_within = Duration::from_millis(800);
    })
    .await;
    let post = async |name: &str| client.post(&services(), &region(name)).await;
    let (one, other) = tokio::join!(post("us-east-1"), post("us-east-2"));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400], "{one:?} {other:?}");
    let refused = if one.status == 400 { "us-east-1" } else { "us-east-2" };
    let since = atlas.now();
    until(&atlas, "the rush to end", |atlas| atlas.now() > since + Duration::from_millis(900)).await;
    assert_eq!(post(refused).await.status, 201);
}

#[tokio::test]
async fn two_posts_of_one_key_at_once_make_one_object() {
    let (atlas, client) = with(DedicatedPace::of(HOUR), |_| {}).await;
    let post = async |name: &str| client.post(&services(), &region(name)).await.status;
    let mut statuses = <[u16; 2]>::from(tokio::join!(post("us-east-1"), post("US_EAST_1")));
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    let id = atlas.services(DEFAULT_PROJECT)[0].id.clone();
    atlas.set_dedicated_pace(DedicatedPace::of(Duration::ZERO));
    service_is(&atlas, &id, Some("AVAILABLE")).await;
    atlas.set_dedicated_pace(DedicatedPace::of(HOUR));
    let post = async || send(&client, Operation::CreateEndpoint, &id, VPC).await.unwrap().status;
    let mut statuses = <[u16; 2]>::from(tokio::join!(post(), post()));
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    assert_eq!(atlas.registered_endpoints(&id).len(), 1);
}

#[tokio::test]
async fn a_failed_service_says_why_and_can_be_deleted() {
    let (atlas, client) = with(DedicatedPace::of(Duration::ZERO), |_| {}).await;
    let fails = Deviation::ReservationFails { message: "Internal error.".to_owned() };
    atlas.inject(Rule::next_of(Operation::CreateService, InjectedFault::Deviation(fails)));
    let id = client.post(&services(), &region("us-east-1")).await.json["id"].as_str().unwrap().to_owned();
    let got = client.get(&service(&id)).await.json;
    assert_eq!((&got["status"], &got["errorMessage"]), (&json!("FAILED"), &json!("Internal error.")));
    assert_eq!(got["endpointServiceName"], json!(null));
    assert_eq!(client.post(&services(), &region("us-east-1")).await.status, 409);
    assert_eq!(client.delete(&service(&id)).await.status, 202);
    service_is(&atlas, &id, None).await;
    assert_eq!(client.post(&services(), &region("us-east-1")).await.status, 201);
}

#[tokio::test]
async fn a_project_stays_until_its_services_are_really_gone() {
    let (atlas, client, id, _) = with_service(DedicatedPace::of(HOUR), |_| {}).await;
    let project = format!("/api/atlas/v2/groups/{DEFAULT_PROJECT}");
    assert_eq!(client.delete(&service(&id)).await.status, 202);
    assert_eq!(client.delete(&project).await.status, 409);
    atlas.set_dedicated_pace(DedicatedPace::of(Duration::ZERO));
    assert_eq!(client.delete(&project).await.status, 202);
}

#[tokio::test]
async fn a_lagging_listing_hides_a_new_endpoint_that_a_get_shows() {
    let lagging = DedicatedPace { list_lag: HOUR, ..DedicatedPace::of(Duration::ZERO) };
    let (atlas, client) = with(lagging, |settings| settings.dedicated.vpc_endpoints_exist = true).await;
    let id = atlas.insert_service(DEFAULT_PROJECT, AtlasService::available("US_EAST_1"));
    assert_eq!(send(&client, Operation::CreateEndpoint, &id, VPC).await.unwrap().status, 201);
    assert_eq!(send(&client, Operation::CreateEndpoint, &id, VPC).await.unwrap().status, 409);
    assert_eq!(send(&client, Operation::ListServices, &id, VPC).await.unwrap().json, json!([]));
    assert_eq!(client.get(&endpoint(&id, VPC)).await.json["connectionStatus"], "AVAILABLE");
}

/// The end of a phase is checked on the wire an hour later only by moving the end: a service may take that long.
#[tokio::test]
async fn an_initiating_service_of_an_hour_holds_its_key_and_accepts_its_deletion() {
    let (atlas, client) = with(DedicatedPace::of(2 * HOUR), |_| {}).await;
    let id = client.post(&services(), &region("us-east-1")).await.json["id"].as_str().unwrap().to_owned();
    let early = send(&client, Operation::CreateEndpoint, &id, VPC).await.unwrap();
    assert_eq!((early.status, early.code()), (409, "PRIVATELINK_CANNOT_ACCEPT_ENDPOINTS"));
    assert_eq!(client.post(&services(), &region("US_EAST_1")).await.status, 409);
    assert_eq!(client.delete(&service(&id)).await.status, 202);
    assert_eq!(client.get(&service(&id)).await.json["status"], "DELETING");
    assert_eq!(atlas.services(DEFAULT_PROJECT).len(), 1);
}

#[tokio::test]
async fn a_key_without_the_project_finds_neither_kind_and_the_rate_limit_counts_both() {
    let (atlas, client, id, _) = with_service(DedicatedPace::of(HOUR), |_| {}).await;
    atlas.add_key("stranger", Key::of_project("secret", &"c".repeat(24), Role::Owner));
    let stranger = TestClient::with_key(&atlas, "stranger", "secret").v2();
    for path in [service(&id), cluster(), endpoints().replace("v1.0", "v2")] {
        let got = stranger.get(&path).await;
        assert_eq!((got.status, got.code()), (404, "GROUP_NOT_FOUND"), "{path}");
    }
    let left = async || client.get(&service(&id)).await.header("ratelimit-remaining").parse::<u32>().unwrap();
    let (since, before) = (atlas.now(), left().await);
    assert!(before < 4000, "{before}");
    for _ in 0..7 {
        left().await;
    }
    let after = left().await;
    // On a slow machine the bucket refills meanwhile.
    let refilled = atlas.now().saturating_sub(since).as_secs_f64() * 2000.0 / 60.0;
    assert!(f64::from(after) <= f64::from(before) - 7.0 + refilled, "{before} {after} {refilled}");
}
