//! Each action does what its name says to the exchanges it was planned for, and to no others.

use std::time::{Duration, Instant};

use testbed::{Action, FakeResponse, Proxy};
use tokio::time::timeout;

use crate::bench::{BRIEFLY, Bench, PATIENCE, ask};

#[tokio::test]
async fn a_dropped_request_does_not_reach_the_upstream() {
    let bench = Bench::new().await;
    bench.tape.at_effect(2, Action::DropRequest);
    bench.ask("POST", "/1").await.unwrap();
    bench.ask("POST", "/2").await.unwrap_err();
    bench.ask("POST", "/3").await.unwrap();
    assert_eq!(bench.upstream.seen(), ["POST /1", "POST /3"]);
    assert!(!bench.tape.effects()[1].forwarded);
}

#[tokio::test]
async fn a_dropped_answer_leaves_its_effect() {
    let bench = Bench::new().await;
    bench.tape.at_request(1, Action::DropResponse);
    bench.ask("POST", "/1").await.unwrap_err();
    assert_eq!(bench.upstream.seen(), ["POST /1"]);
    assert_eq!(bench.tape.exchanges()[0].status, Some(200));
}

#[tokio::test]
async fn a_hanging_request_waits_before_the_upstream_and_a_hanging_answer_behind_it() {
    let bench = Bench::new().await;
    bench.tape.next(|exchange| exchange.path == "/before", Action::HangRequest);
    bench.tape.next(|exchange| exchange.path == "/behind", Action::HangResponse);
    assert!(timeout(BRIEFLY, bench.ask("POST", "/before")).await.is_err());
    assert!(timeout(BRIEFLY, bench.ask("POST", "/behind")).await.is_err());
    bench.tape.wait_for(1, |exchange| exchange.status.is_some(), PATIENCE).await.unwrap();
    assert_eq!(bench.upstream.seen(), ["POST /behind"]);
}

#[tokio::test]
async fn delays_come_before_or_behind_the_upstream() {
    let bench = Bench::new().await;
    let delay = Duration::from_millis(200);
    bench.tape.at_request(1, Action::DelayRequest(delay));
    bench.tape.at_request(2, Action::DelayResponse(delay));
    let started = Instant::now();
    bench.ask("POST", "/before").await.unwrap();
    assert!(started.elapsed() >= delay);
    let started = Instant::now();
    let at_upstream = async {
        bench.tape.wait_for(2, |exchange| exchange.status.is_some(), PATIENCE).await.unwrap();
        started.elapsed()
    };
    let answered = async {
        bench.ask("POST", "/behind").await.unwrap();
        started.elapsed()
    };
    let (at_upstream, answered) = tokio::join!(at_upstream, answered);
    assert!(answered >= delay && at_upstream < answered, "{at_upstream:?} {answered:?}");
}

#[tokio::test]
async fn a_delayed_request_travels_on_when_its_client_has_given_up() {
    let bench = Bench::new().await;
    bench.tape.at_request(1, Action::DelayRequest(BRIEFLY * 2));
    assert!(timeout(BRIEFLY, bench.ask("POST", "/late")).await.is_err());
    assert!(bench.upstream.seen().is_empty());
    bench.tape.wait_for(1, |exchange| exchange.status.is_some(), PATIENCE).await.unwrap();
    assert_eq!(bench.upstream.seen(), ["POST /late"]);
}

#[tokio::test]
async fn requests_are_counted_for_each_proxy_and_the_planned_one_is_marked() {
    let bench = Bench::new().await;
    let other = Proxy::start("other", bench.upstream_config(), &bench.tape).unwrap();
    bench.tape.at_proxy("other", 2, Action::DropRequest);
    ask(&other, "POST", "/o1", "").await.unwrap();
    bench.ask("POST", "/t1").await.unwrap();
    bench.ask("POST", "/t2").await.unwrap();
    ask(&other, "POST", "/o2", "").await.unwrap_err();
    ask(&other, "POST", "/o3", "").await.unwrap();
    let noted: Vec<_> = bench.tape.exchanges().iter().map(|e| (e.at_proxy, e.planned)).collect();
    assert_eq!(noted, [(1, false), (1, false), (2, false), (2, true), (3, false)]);
}

#[tokio::test]
async fn a_planned_answer_is_given_without_the_upstream() {
    let bench = Bench::new().await;
    let headers = vec![("retry-after".to_owned(), "2".to_owned())];
    bench
        .tape
        .at_request(1, Action::Respond(FakeResponse { status: 429, headers, body: "slow down".into() }));
    bench.tape.at_request(2, Action::kubernetes(409, "Conflict"));
    let answer = bench.ask("POST", "/").await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (429, "slow down"));
    assert!(answer.head.contains("retry-after: 2"), "{}", answer.head);
    let answer = bench.ask("POST", "/").await.unwrap();
    let status: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, &status["code"], &status["reason"]), (409, &409.into(), &"Conflict".into()));
    assert!(bench.upstream.seen().is_empty());
}

#[tokio::test]
async fn a_truncated_answer_breaks_off_under_its_full_length() {
    let bench = Bench::new().await;
    bench.tape.at_request(1, Action::Truncate(4));
    let error = bench.ask("POST", "/").await.unwrap_err().to_string();
    assert!(error.contains("content-length: 9") && error.ends_with("\r\n\r\nwrit"), "{error:?}");
    assert_eq!(bench.upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_stale_answer_does_not_show_later_writes() {
    let bench = Bench::new().await;
    let list = || bench.ask("GET", "/list");
    assert_eq!(list().await.unwrap().body, "writes: 0");
    bench.ask("POST", "/list").await.unwrap();
    bench.tape.next(|exchange| exchange.path == "/list", Action::Stale);
    bench.tape.next(|exchange| exchange.path == "/list", Action::Stale);
    assert_eq!(list().await.unwrap().body, "writes: 0");
    assert_eq!(list().await.unwrap().body, "writes: 0");
    assert_eq!(list().await.unwrap().body, "writes: 1");
}

#[tokio::test]
async fn what_was_never_answered_otherwise_cannot_be_stale() {
    let bench = Bench::new().await;
    let list = || bench.ask("GET", "/list");
    bench.tape.next(|exchange| exchange.path == "/list", Action::Stale);
    list().await.unwrap_err();
    assert_eq!(list().await.unwrap().body, "writes: 0");
    bench.tape.next(|exchange| exchange.path == "/list", Action::Stale);
    list().await.unwrap_err();
    bench.ask("POST", "/list").await.unwrap();
    bench.tape.next(|exchange| exchange.path == "/list", Action::Stale);
    assert_eq!(list().await.unwrap().body, "writes: 0");
}

#[tokio::test]
async fn a_standing_action_lasts_until_the_plan_is_forgotten() {
    let bench = Bench::new().await;
    bench.tape.always(|exchange| exchange.method == "POST", || Action::status(500));
    for _ in 0..3 {
        assert_eq!(bench.ask("POST", "/").await.unwrap().status, 500);
    }
    assert_eq!(bench.ask("GET", "/").await.unwrap().status, 200);
    bench.tape.forget_plan();
    assert_eq!(bench.ask("POST", "/").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_closed_proxy_refuses_connections_and_opens_at_the_same_address() {
    let mut bench = Bench::new().await;
    let address = bench.proxy.url();
    bench.tape.at_request(1, Action::HangRequest);
    {
        let hanging = bench.ask("GET", "/hanging");
        tokio::pin!(hanging);
        tokio::select! {
            answer = &mut hanging => panic!("{answer:?}"),
            reached = bench.tape.wait_for(1, |_| true, PATIENCE) => reached.unwrap(),
        }
    }
    bench.proxy.close().await;
    let refused = bench.ask("GET", "/").await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused, "{refused}");
    bench.proxy.open().unwrap();
    assert_eq!(bench.proxy.url(), address);
    assert_eq!(bench.ask("GET", "/").await.unwrap().status, 200);
}
