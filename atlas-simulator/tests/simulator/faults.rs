//! Injected faults: terminations instead of responses, and malformed responses.

use std::time::{Duration, Instant};

use atlas_simulator::{
    DEFAULT_PROJECT, Delivery, InjectedFault, Malformed, Operation, Rule, Status, Termination,
    Unauthenticated, max_live,
};
use reqwest::Method;
use serde_json::json;

use crate::support::{TestClient, endpoints, instant, slow, until};

const MARKED: &str = r#"{"comment": "mine"}"#;

#[tokio::test]
async fn a_response_lost_after_execution_leaves_the_endpoint() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    atlas.inject(Rule::next_of(Operation::Create, InjectedFault::Executed(Termination::Cut)));
    let lost = client.attempt(Method::POST, &endpoints(), Some(MARKED)).await;
    assert!(lost.is_err(), "{lost:?}");
    assert_eq!(client.get(&endpoints()).await.json[0]["comment"], "mine");
    assert_eq!(atlas.executed(Operation::Create), 1);
    let entry =
        atlas.journal().into_iter().find(|entry| entry.is(Operation::Create) && entry.executed()).unwrap();
    assert_eq!((entry.delivery, entry.status()), (Some(Delivery::Cut), None));
    assert_eq!((entry.body.as_str(), entry.faults.len()), (MARKED, 1));
    assert_eq!(entry.endpoint, Some(atlas.timelines()[0].id.clone()));
}

#[tokio::test]
async fn gateway_errors_may_come_after_execution_too() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let endings = [
        (Termination::BadGateway, 502),
        (Termination::HtmlUnavailable, 503),
        (Termination::Unavailable { retry_after: Some("7".to_owned()) }, 503),
        (Termination::GatewayTimeout, 504),
    ];
    for (count, (ending, status)) in endings.into_iter().enumerate() {
        atlas.inject(Rule::next_of(Operation::Create, InjectedFault::Executed(ending)));
        assert_eq!(client.post(&endpoints(), "{}").await.status, status);
        assert_eq!(atlas.executed(Operation::Create), count + 1);
    }
}

#[tokio::test]
async fn a_late_execution_lands_after_the_client_gave_up() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let late =
        InjectedFault::ExecutedLate { after: Duration::from_secs(1), ending: Termination::GatewayTimeout };
    atlas.inject(Rule::next_of(Operation::Create, late));
    assert_eq!(client.post(&endpoints(), MARKED).await.status, 504);
    assert_eq!((atlas.executed(Operation::Create), client.get(&endpoints()).await.json), (0, json!([])));
    until(&atlas, "the late POST", |atlas| atlas.executed(Operation::Create) == 1).await;
    assert_eq!(client.get(&endpoints()).await.json[0]["comment"], "mine");
}

#[tokio::test]
async fn a_reset_forgets_late_executions() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let late = |after| InjectedFault::ExecutedLate {
        after: Duration::from_millis(after),
        ending: Termination::GatewayTimeout,
    };
    atlas.inject(Rule::next_of(Operation::Create, late(50)));
    client.post(&endpoints(), r#"{"comment": "before"}"#).await;
    atlas.reset();
    atlas.inject(Rule::next_of(Operation::Create, late(100)));
    client.post(&endpoints(), r#"{"comment": "after"}"#).await;
    until(&atlas, "the second late POST", |atlas| !atlas.timelines().is_empty()).await;
    let comments: Vec<_> =
        atlas.timelines().iter().map(|timeline| timeline.now().unwrap().comment.clone().unwrap()).collect();
    assert_eq!(comments, ["after"]);
}

#[tokio::test]
async fn a_request_survives_the_client_that_hangs_up() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    atlas.inject(Rule::next_of(Operation::Create, InjectedFault::delayed(Duration::from_millis(300))));
    let waiting = tokio::spawn(async move { client.attempt(Method::POST, &endpoints(), Some("{}")).await });
    until(&atlas, "its arrival", |atlas| atlas.count(|entry| entry.key.is_some()) == 1).await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    until(&atlas, "the POST", |atlas| atlas.executed(Operation::Create) == 1).await;
}

#[tokio::test]
async fn a_hanging_connection_hangs_and_a_cut_one_ends() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    atlas.inject(Rule::next_of(Operation::List, InjectedFault::NotExecuted(Termination::Hang)));
    let path = endpoints();
    let attempt = client.attempt(Method::GET, &path, None);
    assert!(tokio::time::timeout(Duration::from_millis(200), attempt).await.is_err());
    assert_eq!(atlas.journal().last().unwrap().delivery, Some(Delivery::Hung));

    for ending in [Termination::Cut, Termination::CutInBody] {
        atlas.inject(Rule::next(InjectedFault::NotExecuted(ending)).unauthenticated_too());
        let cut = client.attempt(Method::GET, &endpoints(), None).await;
        assert!(cut.is_err(), "{cut:?}");
        assert_eq!(atlas.journal().last().unwrap().delivery, Some(Delivery::Cut));
    }
    assert_eq!(client.get(&endpoints()).await.status, 200);
}

#[tokio::test]
async fn a_body_cut_in_the_middle_has_begun() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    client.post(&endpoints(), "{}").await;
    atlas.inject(Rule::next_of(Operation::List, InjectedFault::Executed(Termination::CutInBody)));
    let (_, nonce) = client.challenge(&endpoints()).await;
    let header = client.digest("GET", &endpoints(), &nonce, 1);
    let mut response = client.raw(Method::GET, &endpoints(), Some(&header), None).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.chunk().await.unwrap().unwrap().starts_with(b"[{\"_id\""));
    assert!(response.chunk().await.is_err());
}

#[tokio::test]
async fn every_refusal_has_its_status_and_code_and_executes_nothing() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let refusals = [
        (Termination::NotServerless, 400, "NOT_SERVERLESS_TENANT_CLUSTER"),
        (Termination::InvalidAttribute, 400, "INVALID_ATTRIBUTE"),
        (Termination::UserUnauthorized, 401, "USER_UNAUTHORIZED"),
        (Termination::NotInGroup, 401, "NOT_IN_GROUP"),
        (Termination::PaymentRequired, 402, "NO_PAYMENT_INFORMATION_FOUND"),
        (Termination::AccessForbidden, 403, "ACCESS_FORBIDDEN"),
        (Termination::IpNotOnAccessList, 403, "IP_ADDRESS_NOT_ON_ACCESS_LIST"),
        (Termination::OrgRequiresAccessList, 403, "ORG_REQUIRES_ACCESS_LIST"),
        (Termination::GroupNotFound, 404, "GROUP_NOT_FOUND"),
        (Termination::InvalidGroupId, 404, "INVALID_GROUP_ID"),
        (Termination::ClusterNotFound, 404, "CLUSTER_NOT_FOUND"),
        (Termination::ServerlessInstanceNotFound, 404, "SERVERLESS_INSTANCE_NOT_FOUND"),
        (Termination::EndpointNotFound(404), 404, "TENANT_PRIVATE_ENDPOINT_NOT_FOUND"),
        (Termination::EndpointNotFound(400), 400, "TENANT_PRIVATE_ENDPOINT_NOT_FOUND"),
        (Termination::UnexpectedNotFound, 404, "UNEXPECTED_ERROR"),
        (Termination::Maintenance, 405, "WRITES_NOT_ALLOWED_DURING_APP_UPGRADES"),
        (Termination::Conflict, 409, "PRIVATELINK_CANNOT_ACCEPT_ENDPOINTS"),
        (Termination::VersionGone, 410, "VERSION_GONE"),
        (Termination::RateLimited { retry_after: None }, 429, "RATE_LIMITED"),
        (Termination::ServerError, 500, "UNEXPECTED_ERROR"),
        (Termination::Unavailable { retry_after: None }, 503, "SERVICE_UNAVAILABLE"),
        (
            Termination::Error { status: 418, code: "TEAPOT".to_owned(), detail: "Short.".to_owned() },
            418,
            "TEAPOT",
        ),
    ];
    for (ending, status, code) in refusals {
        atlas.inject(Rule::next_of(Operation::Create, InjectedFault::NotExecuted(ending)));
        let got = client.post(&endpoints(), "{}").await;
        assert_eq!((got.status, got.code(), got.header("x-error-code")), (status, code, code));
        assert_eq!(got.json["error"], status);
        assert!(!got.json["detail"].as_str().unwrap().is_empty());
        assert!(got.json["parameters"].is_array());
    }
    assert!(atlas.timelines().is_empty() && atlas.rules().is_empty());
}

#[tokio::test]
async fn maintenance_stops_writes_while_reads_go_on() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    atlas.inject(Rule::always(InjectedFault::NotExecuted(Termination::Maintenance)).of(Operation::WRITES));
    for _ in 0..3 {
        assert_eq!(client.post(&endpoints(), "{}").await.status, 405);
        assert_eq!(client.get(&endpoints()).await.status, 200);
    }
    atlas.clear_rules();
    assert_eq!(client.post(&endpoints(), "{}").await.status, 201);
}

#[tokio::test]
async fn a_rate_limit_says_when_to_come_back_in_any_way() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    for retry_after in ["3", "0", "99999999999999999999", "soon", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        let fault = InjectedFault::NotExecuted(Termination::RateLimited {
            retry_after: Some(retry_after.to_owned()),
        });
        atlas.inject(Rule::next_of(Operation::List, fault));
        let got = client.get(&endpoints()).await;
        assert_eq!((got.status, got.header("retry-after")), (429, retry_after));
    }
    atlas.inject(Rule::next_of(
        Operation::List,
        InjectedFault::NotExecuted(Termination::RateLimitedUntil { seconds: 60 }),
    ));
    let got = client.get(&endpoints()).await;
    let until = httpdate::parse_http_date(got.header("retry-after")).unwrap();
    assert!(until > std::time::SystemTime::now() + Duration::from_secs(50));

    let path = endpoints().replace("v1.0", "v2");
    let limited = InjectedFault::NotExecuted(Termination::RateLimited { retry_after: Some("55".to_owned()) });
    atlas.inject(Rule::next_of(Operation::List, limited));
    let got = client.v2().get(&path).await;
    assert_eq!(
        (got.code(), &got.json["parameters"]),
        ("RATE_LIMITED_TOKEN_BUCKET", &json!([path, 55, 10, 5, 60]))
    );
}

#[tokio::test]
async fn pages_of_html_and_redirects_are_no_atlas_responses() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    atlas.inject(Rule::next_of(Operation::List, InjectedFault::NotExecuted(Termination::HtmlUnavailable)));
    let got = client.get(&endpoints()).await;
    assert!(got.status == 503 && got.text.contains("<title>MongoDB Cloud Manager Unavailable</title>"));
    assert_eq!(got.header("x-error-code"), "");
    atlas.inject(Rule::next_of(Operation::List, InjectedFault::NotExecuted(Termination::HtmlNotFound)));
    assert_eq!(client.get(&endpoints()).await.status, 404);
    let redirect = Termination::Redirect { status: 307, location: "https://example.com/".to_owned() };
    atlas.inject(Rule::next_of(Operation::List, InjectedFault::NotExecuted(redirect)));
    let got = client.get(&endpoints()).await;
    assert_eq!((got.status, got.header("location")), (307, "https://example.com/"));
}

#[tokio::test]
async fn a_nonce_can_turn_stale_in_mid_flight() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    atlas.inject(Rule::next_of(Operation::Create, InjectedFault::NotExecuted(Termination::StaleNonce)));
    let got = client.post(&endpoints(), "{}").await;
    assert!(got.status == 401 && got.header("www-authenticate").contains("stale=true"));
    assert_eq!(atlas.executed(Operation::Create), 0);
    assert_eq!(atlas.journal().last().unwrap().challenged, Some(Unauthenticated::Stale));
    let header =
        client.digest("POST", &endpoints(), &crate::support::nonce(got.header("www-authenticate")), 1);
    let again = client.raw(Method::POST, &endpoints(), Some(&header), Some("{}")).await.unwrap();
    assert_eq!(again.status(), 201);
}

#[tokio::test]
async fn true_responses_are_disfigured() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let id = client.post(&endpoints(), MARKED).await.id();
    let show = async |malformed| {
        atlas.inject(Rule::next_of(Operation::List, InjectedFault::Shown(malformed)));
        client.get(&endpoints()).await
    };
    let whole = client.get(&endpoints()).await;
    let truncated = show(Malformed::Truncated).await;
    assert!(
        truncated.status == 200 && truncated.text.len() == whole.text.len() / 2 && truncated.json.is_null()
    );
    assert_eq!(show(Malformed::Empty).await.text, "");
    let oversized = show(Malformed::Oversized).await;
    assert!(oversized.text.len() > 1 << 20 && oversized.json == whole.json);
    assert!(show(Malformed::Binary).await.json.is_null());
    let plain = show(Malformed::PlainText).await;
    assert_eq!((plain.header("content-type"), &plain.json), ("text/plain", &whole.json));
    assert!(show(Malformed::Html).await.text.starts_with("<!DOCTYPE html>"));
    assert_eq!(
        show(Malformed::Status("PENDING_ACCEPTANCE".to_owned())).await.json[0]["status"],
        "PENDING_ACCEPTANCE"
    );
    assert!(show(Malformed::NoStatus).await.json[0].get("status").is_none());
    assert!(show(Malformed::NoId).await.json[0].get("_id").is_none());
    assert!(show(Malformed::ExtraFields).await.json[0]["createdBy"].is_object());
    assert!(show(Malformed::NoNulls).await.json[0].get("errorMessage").is_none());
    assert!(show(Malformed::JunkVpcEndpoint).await.json[0]["cloudProviderEndpointId"].is_string());
    let paged = show(Malformed::PagedList).await.json;
    assert_eq!(
        (&paged["results"], &paged["totalCount"], &paged["links"]),
        (&whole.json, &json!(1), &json!([]))
    );
    assert!(!show(Malformed::Deprecated).await.header("sunset").is_empty());

    let one = format!("{}/{id}", endpoints());
    atlas.inject(Rule::next_of(Operation::Delete, InjectedFault::Shown(Malformed::Accepted)));
    let accepted = client.delete(&one).await;
    assert_eq!((accepted.status, accepted.json), (202, json!({})));
    atlas.inject(Rule::next_of(Operation::Get, InjectedFault::Shown(Malformed::NullParameters)));
    let missing = client.get(&format!("{}/{}", endpoints(), "0".repeat(24))).await.json;
    assert!(missing.get("parameters").is_some_and(serde_json::Value::is_null));
}

#[tokio::test]
async fn a_rule_counts_only_what_it_is_for() {
    let atlas = slow().await;
    let other = "c".repeat(24);
    atlas.add_instance(&other, "orders");
    let client = TestClient::new(&atlas);
    let rule = Rule::next_of(Operation::List, InjectedFault::NotExecuted(Termination::ServerError))
        .in_project(DEFAULT_PROJECT);
    atlas.inject(rule.after(1).times(2));
    let elsewhere = endpoints().replace(DEFAULT_PROJECT, &other);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        assert_eq!(client.get(&elsewhere).await.status, 200);
        statuses.push(client.get(&endpoints()).await.status);
    }
    assert_eq!(statuses, [200, 500, 500, 200]);
}

#[tokio::test]
async fn two_rules_for_one_request_each_mean_two_requests_in_a_row() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    atlas.inject(Rule::next_of(Operation::List, InjectedFault::NotExecuted(Termination::ServerError)));
    atlas.inject(Rule::next_of(Operation::List, InjectedFault::NotExecuted(Termination::Conflict)));
    atlas.inject(Rule::next_of(Operation::List, InjectedFault::delayed(Duration::from_millis(1))));
    let statuses = [client.get(&endpoints()).await.status, client.get(&endpoints()).await.status];
    assert_eq!(statuses, [500, 409]);
    assert_eq!(atlas.rules().len(), 1, "the delay was not used up by requests that were settled before it");
}

#[tokio::test]
async fn latency_is_set_apart_for_reads_and_writes() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let each = Duration::from_millis(60);
    atlas.configure(|settings| settings.latency.writes = atlas_simulator::Span { min: each, max: each });
    let begin = Instant::now();
    client.post(&endpoints(), "{}").await;
    assert!(begin.elapsed() >= each);
    let slow_read = InjectedFault::Delayed { min: each, max: 2 * each };
    atlas.inject(Rule::next_of(Operation::List, slow_read));
    let begin = Instant::now();
    assert_eq!(client.get(&endpoints()).await.status, 200);
    assert!(begin.elapsed() >= each);
}

#[tokio::test]
async fn the_largest_number_alive_at_once_is_known_afterwards() {
    let atlas = instant().await;
    let client = TestClient::new(&atlas);
    for _ in 0..2 {
        let id = client.post(&endpoints(), MARKED).await.id();
        client.delete(&format!("{}/{id}", endpoints())).await;
    }
    let mine = |endpoint: &atlas_simulator::Endpoint| endpoint.comment.as_deref() == Some("mine");
    assert_eq!(max_live(&atlas.timelines(), mine), 1);
    client.post(&endpoints(), MARKED).await;
    client.post(&endpoints(), MARKED).await;
    client.post(&endpoints(), r#"{"comment": "other"}"#).await;
    assert_eq!(max_live(&atlas.timelines(), mine), 2);
    let reserved = |endpoint: &atlas_simulator::Endpoint| endpoint.status == Status::Reserved;
    assert_eq!(max_live(&atlas.timelines(), reserved), 3);
}
