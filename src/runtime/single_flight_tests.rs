//! Tests that many callers share one response, in any order, within the rate limit.

use std::cell::Cell;
use std::future::{pending, ready};

use atlas::Credentials;
use futures::FutureExt;
use futures::future::join_all;

use domain::serverless::endpoint::Instance;

use super::*;

const NEVER: Boottime = Boottime::from_boot(Duration::ZERO);

fn key() -> (Instance, Fingerprint) {
    let (project, name) = ("32b6e34b3d91647abb20e7b8".parse().unwrap(), "orders".parse().unwrap());
    (Instance { project, name }, Credentials::key("public", "private").unwrap().fingerprint())
}

/// Requests at once; the response is the number of requests so far.
async fn request(
    single_flight: &SingleFlight<Instance, u32>,
    requests: &Cell<u32>,
    fresh_after: Boottime,
) -> u32 {
    let send = |()| async {
        let sent = Boottime::now();
        requests.set(requests.get() + 1);
        tokio::task::yield_now().await;
        Ok((sent, requests.get()))
    };
    let response = single_flight.get(key(), fresh_after, || ready(Ok::<_, ()>(())), send).await;
    response.unwrap().1
}

#[tokio::test]
async fn callers_share_a_response_that_is_fresh_enough() {
    let (single_flight, requests) = (SingleFlight::new(None, |_| false), Cell::new(0));
    let begun = Boottime::now();
    assert!(
        join_all((0..20).map(|_| request(&single_flight, &requests, begun)))
            .await
            .iter()
            .all(|response| *response == 1)
    );
    assert_eq!(request(&single_flight, &requests, begun).await, 1, "fresh enough");
    let now = Boottime::now();
    assert!(
        join_all((0..20).map(|_| request(&single_flight, &requests, now)))
            .await
            .iter()
            .all(|response| *response == 2)
    );
}

#[tokio::test]
async fn a_caller_without_permit_blocks_no_other_and_shares_the_response() {
    let (single_flight, requests) = (SingleFlight::new(None, |_| false), Cell::new(0));
    let enter = || pending::<Result<(), ()>>();
    let mut waiting =
        Box::pin(single_flight.get(key(), NEVER, enter, |()| async { panic!("it has no permit") }));
    assert!(waiting.as_mut().now_or_never().is_none());
    assert_eq!(request(&single_flight, &requests, NEVER).await, 1);
    assert_eq!(waiting.await.unwrap().1, 1);
}

#[tokio::test]
async fn the_next_caller_sends_the_request_of_a_dropped_one() {
    let (single_flight, requests) = (SingleFlight::new(None, |_| false), Cell::new(0));
    let enter = || ready(Ok::<_, ()>(()));
    let mut dropped = Box::pin(single_flight.get(key(), NEVER, enter, |()| pending()));
    assert!(dropped.as_mut().now_or_never().is_none());
    let mut next = Box::pin(request(&single_flight, &requests, NEVER));
    assert!(next.as_mut().now_or_never().is_none(), "a request is in flight");
    drop(dropped);
    assert_eq!(next.await, 1);
}

#[tokio::test]
async fn the_error_of_a_withheld_request_is_returned_and_not_kept() {
    let (single_flight, requests) = (SingleFlight::new(None, |_| false), Cell::new(0));
    let withheld = single_flight.get(key(), NEVER, || ready(Err::<(), _>("paused")), |()| pending()).await;
    assert_eq!(withheld.unwrap_err(), "paused");
    assert_eq!(request(&single_flight, &requests, NEVER).await, 1);
}

#[tokio::test]
async fn requests_keep_to_their_rate_however_fresh_the_response_must_be() {
    let rate = Rate { burst: 2, interval: Duration::from_millis(100) };
    let (single_flight, requests) = (SingleFlight::new(Some(rate), |_| false), Cell::new(0));
    let begun = Boottime::now();
    let mut response = 0;
    while begun.elapsed() < Duration::from_millis(450) {
        let now = Boottime::now();
        response = request(&single_flight, &requests, now).await;
    }
    // Two at once, then one each 100 ms; the last started in time and ended after it.
    assert!(response <= 7, "{response} requests");
    assert!(begun.elapsed() >= rate.interval * (response - 2));
}

#[tokio::test]
async fn a_failure_expires_after_a_minute_and_a_success_after_an_hour() {
    let single_flight = SingleFlight::new(None, Result::is_err);
    let sent = Boottime::now();
    for (name, result) in [("orders", Ok(())), ("invented", Err(()))] {
        let (instance, credentials) = key();
        let key = (Instance { name: name.parse().unwrap(), ..instance }, credentials);
        let request = |()| ready(Ok((sent, result)));
        let (_, stored) = single_flight.get(key, NEVER, || ready(Ok::<_, ()>(())), request).await.unwrap();
        assert_eq!(stored, result);
    }
    let mut slots = single_flight.slots.lock().unwrap();
    for (age, left) in [(59, 2), (60, 1), (3599, 1), (3600, 0)] {
        slots.sweep(sent + Duration::from_secs(age), Result::is_err);
        assert_eq!(slots.all.len(), left, "after {age} s");
    }
}
