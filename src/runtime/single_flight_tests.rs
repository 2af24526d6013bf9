//! One response for many callers, in any order, within the rate limit.

use std::cell::Cell;
use std::future::{pending, ready};

use atlas::Credentials;
use futures::FutureExt;
use futures::future::join_all;

use domain::endpoint::Instance;

use super::*;

const NEVER: Boottime = Boottime::from_boot(Duration::ZERO);

fn of() -> (Instance, Fingerprint) {
    let (project, name) = ("32b6e34b3d91647abb20e7b8".parse().unwrap(), "orders".parse().unwrap());
    (Instance { project, name }, Credentials::key("public", "private").unwrap().fingerprint())
}

/// Requests at once; the response is the number of requests so far.
async fn ask(shared: &SingleFlight<Instance, u32>, asked: &Cell<u32>, fresh_after: Boottime) -> u32 {
    let answer = |()| async {
        let sent = Boottime::now();
        asked.set(asked.get() + 1);
        tokio::task::yield_now().await;
        Ok((sent, asked.get()))
    };
    let told = shared.get(of(), fresh_after, || ready(Ok::<_, ()>(())), answer).await;
    told.unwrap().1
}

#[tokio::test]
async fn who_comes_while_one_asks_shares_its_answer_and_who_needs_a_fresher_one_asks_once_more() {
    let (shared, asked) = (SingleFlight::new(None, |_| false), Cell::new(0));
    let begun = Boottime::now();
    assert!(join_all((0..20).map(|_| ask(&shared, &asked, begun))).await.iter().all(|told| *told == 1));
    assert_eq!(ask(&shared, &asked, begun).await, 1, "fresh enough");
    let now = Boottime::now();
    assert!(join_all((0..20).map(|_| ask(&shared, &asked, now))).await.iter().all(|told| *told == 2));
}

#[tokio::test]
async fn who_has_no_right_to_ask_holds_up_nobody_and_gets_what_others_were_told() {
    let (shared, asked) = (SingleFlight::new(None, |_| false), Cell::new(0));
    let enter = || pending::<Result<(), ()>>();
    let mut stuck = Box::pin(shared.get(of(), NEVER, enter, |()| async { panic!("it may not ask") }));
    assert!(stuck.as_mut().now_or_never().is_none());
    assert_eq!(ask(&shared, &asked, NEVER).await, 1);
    assert_eq!(stuck.await.unwrap().1, 1);
}

#[tokio::test]
async fn who_gives_up_asking_leaves_it_to_the_next() {
    let (shared, asked) = (SingleFlight::new(None, |_| false), Cell::new(0));
    let enter = || ready(Ok::<_, ()>(()));
    let mut given_up = Box::pin(shared.get(of(), NEVER, enter, |()| pending()));
    assert!(given_up.as_mut().now_or_never().is_none());
    let mut next = Box::pin(ask(&shared, &asked, NEVER));
    assert!(next.as_mut().now_or_never().is_none(), "one is on its way");
    drop(given_up);
    assert_eq!(next.await, 1);
}

#[tokio::test]
async fn what_may_not_be_asked_is_said_to_who_wanted_to_and_not_kept() {
    let (shared, asked) = (SingleFlight::new(None, |_| false), Cell::new(0));
    let refused = shared.get(of(), NEVER, || ready(Err::<(), _>("paused")), |()| pending()).await;
    assert_eq!(refused.unwrap_err(), "paused");
    assert_eq!(ask(&shared, &asked, NEVER).await, 1);
}

#[tokio::test]
async fn however_often_a_fresh_answer_is_wished_it_is_asked_for_at_its_rate() {
    let rate = Rate { burst: 2, interval: Duration::from_millis(100) };
    let (shared, asked) = (SingleFlight::new(Some(rate), |_| false), Cell::new(0));
    let begun = Boottime::now();
    let mut told = 0;
    while begun.elapsed() < Duration::from_millis(450) {
        let wished = Boottime::now();
        told = ask(&shared, &asked, wished).await;
    }
    // Two at once, then one each 100 ms; the last started in time and ended after it.
    assert!(told <= 7, "asked {told} times");
    assert!(begun.elapsed() >= rate.interval * (told - 2));
}

#[tokio::test]
async fn a_failure_is_forgotten_after_a_minute_and_a_success_after_an_hour() {
    let shared = SingleFlight::new(None, Result::is_err);
    let sent = Boottime::now();
    for (name, result) in [("orders", Ok(())), ("invented", Err(()))] {
        let (instance, credentials) = of();
        let of = (Instance { name: name.parse().unwrap(), ..instance }, credentials);
        let request = |()| ready(Ok((sent, result)));
        let (_, kept) = shared.get(of, NEVER, || ready(Ok::<_, ()>(())), request).await.unwrap();
        assert_eq!(kept, result);
    }
    let mut slots = shared.slots.lock().unwrap();
    for (age, left) in [(59, 2), (60, 1), (3599, 1), (3600, 0)] {
        slots.sweep(sent + Duration::from_secs(age), Result::is_err);
        assert_eq!(slots.all.len(), left, "after {age} s");
    }
}
