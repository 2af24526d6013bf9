//! Tests which state of a deleted object is kept, and for how long.

use std::time::Duration;

use domain::bounded_map::MAX_ENTRIES;
use domain::serverless::observed::{AttemptOutcome, WriteOutcome};
use domain::serverless::ownership::Nonce;

use super::*;

const SHOP: &str = "shop";

fn token(name: &str) -> Token {
    Token::of(&"cluster".parse().unwrap(), SHOP, name)
}

/// An object existed, and its POST was sent without a response.
fn send(states: &ObjectStates, name: &str) {
    let nonce = Nonce::from_random([7; 16]);
    states.with(&token(name), |entry| {
        entry.exists = true;
        entry.kept.memory.begin_claim(nonce.clone(), Boottime::now().since_boot());
        assert!(entry.kept.memory.begin_send(&nonce));
    });
}

fn uncertain(name: &str) -> ObjectStates {
    let states = ObjectStates::default();
    send(&states, name);
    states
}

/// Everything expires at once.
fn over() -> Times {
    Times { uncertainty: Duration::ZERO, visibility: Duration::ZERO, ..Times::default() }
}

/// Deletes the object, long enough after the last sweep to trigger another.
fn gone(states: &ObjectStates, name: &str, times: &Times) {
    states.lock().swept = Duration::ZERO;
    states.remove(SHOP, &token(name), times);
}

fn kept(states: &ObjectStates) -> (usize, usize) {
    let states = states.lock();
    (states.all.len(), states.remains_of.len())
}

/// The watch shows an object of that name.
fn appear(states: &ObjectStates, namespace: &str, name: &str) {
    states.record_unreadable(namespace, &token(name), "for a test");
}

/// The attempts that the object of that name has to wait for.
fn open(states: &ObjectStates, name: &str) -> Vec<Nonce> {
    let now = Boottime::now().since_boot();
    let snapshot =
        states.with(&token(name), |entry| entry.kept.memory.snapshot(now, now, WriteOutcome::Nothing));
    let open = snapshot.attempts.into_iter().filter(|attempt| attempt.outcome == AttemptOutcome::Unknown);
    open.map(|attempt| attempt.nonce).collect()
}

#[test]
fn no_state_is_kept_without_an_open_create() {
    let states = ObjectStates::default();
    states.with(&token("orders"), |entry| entry.exists = true);
    gone(&states, "orders", &Times::default());
    assert_eq!(kept(&states), (0, 0));
}

#[test]
fn an_open_create_is_kept_until_it_can_no_longer_take_effect() {
    let states = uncertain("orders");
    gone(&states, "orders", &Times::default());
    states.with(&token("other"), |entry| entry.exists = true);
    gone(&states, "other", &Times::default());
    assert_eq!(kept(&states), (0, 1));
    gone(&states, "other", &over());
    assert_eq!(kept(&states), (0, 0));
}

#[test]
fn a_recreated_object_inherits_the_open_creates() {
    let states = uncertain("orders");
    gone(&states, "orders", &Times::default());
    appear(&states, SHOP, "orders");
    gone(&states, "other", &over());
    assert_eq!(kept(&states), (1, 0));
    assert_eq!(open(&states, "orders"), [Nonce::from_random([7; 16])]);
}

#[test]
fn kept_state_is_bounded_and_no_open_create_is_lost() {
    let states = ObjectStates::default();
    for number in 0..3 * MAX_ENTRIES {
        let name = format!("churn-{number}");
        send(&states, &name);
        gone(&states, &name, &Times::default());
    }
    assert_eq!(kept(&states), (0, MAX_ENTRIES));
    // One of the last is known by its name; of the first only that an attempt of this namespace may land.
    for name in ["churn-0".to_owned(), format!("churn-{}", 3 * MAX_ENTRIES - 1), "new".to_owned()] {
        appear(&states, SHOP, &name);
        assert_eq!(open(&states, &name).len(), 1, "{name}");
    }
    assert_eq!(open(&states, "new"), [Nonce::of_others()]);
    appear(&states, "another", "elsewhere");
    assert!(open(&states, "elsewhere").is_empty(), "another namespace waits for nothing");
    // The wait ends.
    gone(&states, "new", &over());
    appear(&states, SHOP, "later");
    assert!(open(&states, "later").is_empty());
    assert!(states.lock().unnamed.is_empty());
}

#[test]
fn an_unreadable_object_keeps_its_state_and_may_be_in_deletion() {
    let (states, orders) = (uncertain("orders"), token("orders"));
    assert!(!states.deletion_seen(&orders));
    assert!(states.record_unreadable(SHOP, &orders, "too deep"));
    assert!(states.deletion_seen(&orders));
    assert!(!states.record_unreadable(SHOP, &orders, "too deep"), "it is reported once");
    assert!(!states.set_unreadable_reported(&orders, true));
    states.record_unreadable(SHOP, &orders, "too deep");
    assert!(states.set_unreadable_reported(&orders, true), "one event reports it");
    assert!(states.record_unreadable(SHOP, &orders, "too long"));
    assert!(!states.set_unreadable_reported(&orders, true), "and one for each reason");
    states.with(&token("other"), |entry| entry.exists = true);
    gone(&states, "other", &Times::default());
    assert_eq!(kept(&states), (1, 0));
    gone(&states, "orders", &Times::default());
    assert_eq!(kept(&states), (0, 1), "what may still land is remembered");
}
