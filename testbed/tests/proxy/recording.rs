//! Exchanges pass unchanged and are recorded in one numbering.

use std::sync::Arc;

use testbed::{Action, Exchange, Proxy, Recording};

use crate::fixture::{BRIEFLY, PATIENCE, ProxyFixture, send};

#[tokio::test]
async fn an_exchange_passes_unchanged_and_is_recorded_whole() {
    let fixture = ProxyFixture::new().await;
    let response = send(&fixture.proxy, "POST", "/things?pretty=true", "a body").await.unwrap();
    assert_eq!((response.status, response.body.as_str()), (200, "writes: 1"));
    assert!(response.head.contains("x-upstream: yes"), "{}", response.head);
    assert_eq!(fixture.upstream.seen(), ["POST /things?pretty=true a body"]);
    let exchanges = fixture.recording.exchanges();
    let [exchange] = exchanges.as_slice() else { panic!("{}", fixture.recording.listing()) };
    assert_eq!((exchange.number, exchange.effect, exchange.proxy.as_str()), (1, Some(1), "tiny"));
    assert_eq!((exchange.method.as_str(), exchange.path.as_str()), ("POST", "/things?pretty=true"));
    assert_eq!((exchange.user_agent(), &exchange.body[..]), ("fixture", b"a body".as_slice()));
    assert_eq!(exchange.headers["x-mine"], "yes");
    assert!(exchange.forwarded);
    assert_eq!((exchange.status, &exchange.response[..]), (Some(200), b"writes: 1".as_slice()));
}

#[tokio::test]
async fn only_writes_are_numbered_as_effects() {
    let fixture = ProxyFixture::new().await;
    for method in ["GET", "POST", "GET", "PUT", "PATCH", "HEAD", "DELETE"] {
        fixture.send(method, "/").await.ok();
    }
    let numbers: Vec<_> = fixture.recording.exchanges().iter().map(|exchange| exchange.effect).collect();
    assert_eq!(numbers, [None, Some(1), None, Some(2), Some(3), None, Some(4)]);
    assert_eq!(fixture.recording.effects().len(), 4);
}

#[tokio::test]
async fn the_test_says_what_counts_as_an_effect() {
    let fixture = ProxyFixture::new().await;
    let recording =
        Arc::new(Recording::counting(|exchange| exchange.is_write() && exchange.path != "/lease"));
    let proxy = Proxy::start("leased", fixture.upstream_config(), &recording).unwrap();
    send(&proxy, "PUT", "/lease", "").await.unwrap();
    send(&proxy, "PUT", "/thing", "").await.unwrap();
    assert_eq!(recording.effects().len(), 1);
    assert_eq!(recording.effects()[0].path, "/thing");
}

#[tokio::test]
async fn two_proxies_share_one_numbering() {
    let fixture = ProxyFixture::new().await;
    let second = Proxy::start("second", fixture.upstream_config(), &fixture.recording).unwrap();
    fixture.send("POST", "/a").await.unwrap();
    send(&second, "POST", "/b", "").await.unwrap();
    fixture.send("POST", "/c").await.unwrap();
    let summary =
        |exchange: &Exchange| (exchange.effect.unwrap(), exchange.proxy.clone(), exchange.path.clone());
    let expected = [(1, "tiny", "/a"), (2, "second", "/b"), (3, "tiny", "/c")];
    let expected = expected.map(|(number, proxy, path)| (number, proxy.to_owned(), path.to_owned()));
    assert_eq!(fixture.recording.effects().iter().map(summary).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_refusal_of_the_upstream_passes_once() {
    let fixture = ProxyFixture::new().await;
    fixture.recording.always(|_| true, || Action::status(503));
    let outer = Arc::new(Recording::default());
    let upstream = kube::Config::new(fixture.proxy.url().parse().unwrap());
    let proxy = Proxy::start("outer", upstream, &outer).unwrap();
    assert_eq!(send(&proxy, "GET", "/", "").await.unwrap().status, 503);
    assert_eq!(fixture.recording.exchanges().len(), 1, "a proxy repeats nothing");
}

#[tokio::test]
async fn awaited_exchanges_are_seen_and_missing_ones_are_reported() {
    let fixture = ProxyFixture::new().await;
    let (waited, sent) =
        tokio::join!(fixture.recording.wait_for(1, Exchange::is_write, PATIENCE), fixture.send("POST", "/"));
    waited.unwrap();
    sent.unwrap();
    let error = fixture.recording.wait_for(2, Exchange::is_write, BRIEFLY).await.unwrap_err().to_string();
    assert!(error.contains("1 of 2") && error.contains("POST / -> 200"), "{error}");
}
