//! Each action does what its name says to the exchanges it was planned for, and to no others.

use std::time::{Duration, Instant};

use testbed::{Action, FakeResponse, Proxy};
use tokio::time::timeout;

use crate::fixture::{BRIEFLY, PATIENCE, ProxyFixture, send};

#[tokio::test]
async fn a_dropped_request_does_not_reach_the_upstream() {
    let fixture = ProxyFixture::new().await;
    fixture.recording.at_effect(2, Action::DropRequest);
    fixture.send("POST", "/1").await.unwrap();
    fixture.send("POST", "/2").await.unwrap_err();
    fixture.send("POST", "/3").await.unwrap();
    assert_eq!(fixture.upstream.seen(), ["POST /1", "POST /3"]);
    assert!(!fixture.recording.effects()[1].forwarded);
}

#[tokio::test]
async fn a_dropped_response_leaves_its_effect() {
    let fixture = ProxyFixture::new().await;
    fixture.recording.at_request(1, Action::DropResponse);
    fixture.send("POST", "/1").await.unwrap_err();
    assert_eq!(fixture.upstream.seen(), ["POST /1"]);
    assert_eq!(fixture.recording.exchanges()[0].status, Some(200));
}

#[tokio::test]
async fn a_hanging_request_waits_before_the_upstream_and_a_hanging_response_behind_it() {
    let fixture = ProxyFixture::new().await;
    fixture.recording.next(|exchange| exchange.path == "/before", Action::HangRequest);
    fixture.recording.next(|exchange| exchange.path == "/behind", Action::HangResponse);
    assert!(timeout(BRIEFLY, fixture.send("POST", "/before")).await.is_err());
    assert!(timeout(BRIEFLY, fixture.send("POST", "/behind")).await.is_err());
    fixture.recording.wait_for(1, |exchange| exchange.status.is_some(), PATIENCE).await.unwrap();
    assert_eq!(fixture.upstream.seen(), ["POST /behind"]);
}

#[tokio::test]
async fn delays_come_before_or_behind_the_upstream() {
    let fixture = ProxyFixture::new().await;
    let delay = Duration::from_millis(200);
    fixture.recording.at_request(1, Action::DelayRequest(delay));
    fixture.recording.at_request(2, Action::DelayResponse(delay));
    let started = Instant::now();
    fixture.send("POST", "/before").await.unwrap();
    assert!(started.elapsed() >= delay);
    let started = Instant::now();
    let at_upstream = async {
        fixture.recording.wait_for(2, |exchange| exchange.status.is_some(), PATIENCE).await.unwrap();
        started.elapsed()
    };
    let responded = async {
        fixture.send("POST", "/behind").await.unwrap();
        started.elapsed()
    };
    let (at_upstream, responded) = tokio::join!(at_upstream, responded);
    assert!(responded >= delay && at_upstream < responded, "{at_upstream:?} {responded:?}");
}

#[tokio::test]
async fn a_delayed_request_arrives_after_its_client_has_given_up() {
    let fixture = ProxyFixture::new().await;
    fixture.recording.at_request(1, Action::DelayRequest(BRIEFLY * 2));
    assert!(timeout(BRIEFLY, fixture.send("POST", "/late")).await.is_err());
    assert!(fixture.upstream.seen().is_empty());
    fixture.recording.wait_for(1, |exchange| exchange.status.is_some(), PATIENCE).await.unwrap();
    assert_eq!(fixture.upstream.seen(), ["POST /late"]);
}

#[tokio::test]
async fn requests_are_counted_for_each_proxy_and_the_planned_one_is_marked() {
    let fixture = ProxyFixture::new().await;
    let other = Proxy::start("other", fixture.upstream_config(), &fixture.recording).unwrap();
    fixture.recording.at_proxy("other", 2, Action::DropRequest);
    send(&other, "POST", "/o1", "").await.unwrap();
    fixture.send("POST", "/t1").await.unwrap();
    fixture.send("POST", "/t2").await.unwrap();
    send(&other, "POST", "/o2", "").await.unwrap_err();
    send(&other, "POST", "/o3", "").await.unwrap();
    let noted: Vec<_> = fixture.recording.exchanges().iter().map(|e| (e.at_proxy, e.planned)).collect();
    assert_eq!(noted, [(1, false), (1, false), (2, false), (2, true), (3, false)]);
}

#[tokio::test]
async fn a_planned_response_comes_without_the_upstream() {
    let fixture = ProxyFixture::new().await;
    let headers = vec![("retry-after".to_owned(), "2".to_owned())];
    fixture
        .recording
        .at_request(1, Action::Respond(FakeResponse { status: 429, headers, body: "slow down".into() }));
    fixture.recording.at_request(2, Action::kubernetes(409, "Conflict"));
    let response = fixture.send("POST", "/").await.unwrap();
    assert_eq!((response.status, response.body.as_str()), (429, "slow down"));
    assert!(response.head.contains("retry-after: 2"), "{}", response.head);
    let response = fixture.send("POST", "/").await.unwrap();
    let status: serde_json::Value = serde_json::from_str(&response.body).unwrap();
    assert_eq!((response.status, &status["code"], &status["reason"]), (409, &409.into(), &"Conflict".into()));
    assert!(fixture.upstream.seen().is_empty());
}

#[tokio::test]
async fn a_truncated_response_breaks_off_under_its_full_length() {
    let fixture = ProxyFixture::new().await;
    fixture.recording.at_request(1, Action::Truncate(4));
    let error = fixture.send("POST", "/").await.unwrap_err().to_string();
    assert!(error.contains("content-length: 9") && error.ends_with("\r\n\r\nwrit"), "{error:?}");
    assert_eq!(fixture.upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_stale_response_does_not_show_later_writes() {
    let fixture = ProxyFixture::new().await;
    let list = || fixture.send("GET", "/list");
    assert_eq!(list().await.unwrap().body, "writes: 0");
    fixture.send("POST", "/list").await.unwrap();
    fixture.recording.next(|exchange| exchange.path == "/list", Action::Stale);
    fixture.recording.next(|exchange| exchange.path == "/list", Action::Stale);
    assert_eq!(list().await.unwrap().body, "writes: 0");
    assert_eq!(list().await.unwrap().body, "writes: 0");
    assert_eq!(list().await.unwrap().body, "writes: 1");
}

#[tokio::test]
async fn a_first_response_cannot_be_stale() {
    let fixture = ProxyFixture::new().await;
    let list = || fixture.send("GET", "/list");
    fixture.recording.next(|exchange| exchange.path == "/list", Action::Stale);
    list().await.unwrap_err();
    assert_eq!(list().await.unwrap().body, "writes: 0");
    fixture.recording.next(|exchange| exchange.path == "/list", Action::Stale);
    list().await.unwrap_err();
    fixture.send("POST", "/list").await.unwrap();
    fixture.recording.next(|exchange| exchange.path == "/list", Action::Stale);
    assert_eq!(list().await.unwrap().body, "writes: 0");
}

#[tokio::test]
async fn a_standing_action_lasts_until_the_plan_is_forgotten() {
    let fixture = ProxyFixture::new().await;
    fixture.recording.always(|exchange| exchange.method == "POST", || Action::status(500));
    for _ in 0..3 {
        assert_eq!(fixture.send("POST", "/").await.unwrap().status, 500);
    }
    assert_eq!(fixture.send("GET", "/").await.unwrap().status, 200);
    fixture.recording.forget_plan();
    assert_eq!(fixture.send("POST", "/").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_closed_proxy_refuses_connections_and_opens_at_the_same_address() {
    let mut fixture = ProxyFixture::new().await;
    let address = fixture.proxy.url();
    fixture.recording.at_request(1, Action::HangRequest);
    {
        let hanging = fixture.send("GET", "/hanging");
        tokio::pin!(hanging);
        tokio::select! {
            response = &mut hanging => panic!("{response:?}"),
            reached = fixture.recording.wait_for(1, |_| true, PATIENCE) => reached.unwrap(),
        }
    }
    fixture.proxy.close().await;
    let refused = fixture.send("GET", "/").await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused, "{refused}");
    fixture.proxy.open().unwrap();
    assert_eq!(fixture.proxy.url(), address);
    assert_eq!(fixture.send("GET", "/").await.unwrap().status, 200);
}
