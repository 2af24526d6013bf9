//! Exchanges pass unchanged and are recorded in one numbering.

use std::sync::Arc;

use testbed::{Action, Exchange, Proxy, Recording};

use crate::bench::{BRIEFLY, Bench, PATIENCE, ask};

#[tokio::test]
async fn an_exchange_passes_unchanged_and_is_recorded_whole() {
    let bench = Bench::new().await;
    let answer = ask(&bench.proxy, "POST", "/things?pretty=true", "a body").await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "writes: 1"));
    assert!(answer.head.contains("x-upstream: yes"), "{}", answer.head);
    assert_eq!(bench.upstream.seen(), ["POST /things?pretty=true a body"]);
    let exchanges = bench.tape.exchanges();
    let [exchange] = exchanges.as_slice() else { panic!("{}", bench.tape.listing()) };
    assert_eq!((exchange.number, exchange.effect, exchange.proxy.as_str()), (1, Some(1), "tiny"));
    assert_eq!((exchange.method.as_str(), exchange.path.as_str()), ("POST", "/things?pretty=true"));
    assert_eq!((exchange.user_agent(), &exchange.body[..]), ("bench", b"a body".as_slice()));
    assert_eq!(exchange.headers["x-mine"], "yes");
    assert!(exchange.forwarded);
    assert_eq!((exchange.status, &exchange.response[..]), (Some(200), b"writes: 1".as_slice()));
}

#[tokio::test]
async fn only_writes_are_numbered_as_effects() {
    let bench = Bench::new().await;
    for method in ["GET", "POST", "GET", "PUT", "PATCH", "HEAD", "DELETE"] {
        bench.ask(method, "/").await.ok();
    }
    let numbers: Vec<_> = bench.tape.exchanges().iter().map(|exchange| exchange.effect).collect();
    assert_eq!(numbers, [None, Some(1), None, Some(2), Some(3), None, Some(4)]);
    assert_eq!(bench.tape.effects().len(), 4);
}

#[tokio::test]
async fn the_test_says_what_counts_as_an_effect() {
    let bench = Bench::new().await;
    let tape = Arc::new(Recording::counting(|exchange| exchange.is_write() && exchange.path != "/lease"));
    let proxy = Proxy::start("leased", bench.upstream_config(), &tape).unwrap();
    ask(&proxy, "PUT", "/lease", "").await.unwrap();
    ask(&proxy, "PUT", "/thing", "").await.unwrap();
    assert_eq!(tape.effects().len(), 1);
    assert_eq!(tape.effects()[0].path, "/thing");
}

#[tokio::test]
async fn two_proxies_share_one_numbering() {
    let bench = Bench::new().await;
    let second = Proxy::start("second", bench.upstream_config(), &bench.tape).unwrap();
    bench.ask("POST", "/a").await.unwrap();
    ask(&second, "POST", "/b", "").await.unwrap();
    bench.ask("POST", "/c").await.unwrap();
    let summary =
        |exchange: &Exchange| (exchange.effect.unwrap(), exchange.proxy.clone(), exchange.path.clone());
    let expected = [(1, "tiny", "/a"), (2, "second", "/b"), (3, "tiny", "/c")];
    let expected = expected.map(|(number, proxy, path)| (number, proxy.to_owned(), path.to_owned()));
    assert_eq!(bench.tape.effects().iter().map(summary).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_refusal_of_the_upstream_passes_once() {
    let bench = Bench::new().await;
    bench.tape.always(|_| true, || Action::status(503));
    let outer = Arc::new(Recording::default());
    let upstream = kube::Config::new(bench.proxy.url().parse().unwrap());
    let proxy = Proxy::start("outer", upstream, &outer).unwrap();
    assert_eq!(ask(&proxy, "GET", "/", "").await.unwrap().status, 503);
    assert_eq!(bench.tape.exchanges().len(), 1, "a proxy repeats nothing");
}

#[tokio::test]
async fn awaited_exchanges_are_seen_and_missing_ones_are_reported() {
    let bench = Bench::new().await;
    let (waited, asked) =
        tokio::join!(bench.tape.wait_for(1, Exchange::is_write, PATIENCE), bench.ask("POST", "/"));
    waited.unwrap();
    asked.unwrap();
    let error = bench.tape.wait_for(2, Exchange::is_write, BRIEFLY).await.unwrap_err().to_string();
    assert!(error.contains("1 of 2") && error.contains("POST / -> 200"), "{error}");
}
