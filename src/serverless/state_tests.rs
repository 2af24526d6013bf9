//! What is kept of a deleted object, and for how long.

use std::time::Duration;

use domain::bounded_map::MOST;
use domain::observed::{AttemptOutcome, WriteOutcome};
use domain::ownership::Nonce;

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
        entry.memory.begin_claim(nonce.clone(), Boottime::now().since_boot());
        assert!(entry.memory.begin_send(&nonce));
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
    states.gone(SHOP, &token(name), times);
}

fn kept(states: &ObjectStates) -> (usize, usize) {
    let entries = states.lock();
    (entries.all.len(), entries.left.len())
}

/// The watch shows an object of that name.
fn appear(states: &ObjectStates, namespace: &str, name: &str) {
    states.hidden(namespace, &token(name), "for a test");
}

/// The attempts that the object of that name has to wait for.
fn open(states: &ObjectStates, name: &str) -> Vec<Nonce> {
    let now = Boottime::now().since_boot();
    let snapshot = states.with(&token(name), |entry| entry.memory.snapshot(now, now, WriteOutcome::Nothing));
    let open = snapshot.attempts.into_iter().filter(|attempt| attempt.outcome == AttemptOutcome::Unknown);
    open.map(|attempt| attempt.nonce).collect()
}

#[test]
fn nothing_is_left_of_an_object_that_had_no_create_call_under_way() {
    let states = ObjectStates::default();
    states.with(&token("orders"), |entry| entry.exists = true);
    gone(&states, "orders", &Times::default());
    assert_eq!(kept(&states), (0, 0));
}

#[test]
fn what_may_still_land_is_remembered_until_it_cannot_and_others_go_meanwhile() {
    let states = uncertain("orders");
    gone(&states, "orders", &Times::default());
    states.with(&token("other"), |entry| entry.exists = true);
    gone(&states, "other", &Times::default());
    assert_eq!(kept(&states), (0, 1));
    gone(&states, "other", &over());
    assert_eq!(kept(&states), (0, 0));
}

#[test]
fn an_object_that_came_back_keeps_what_its_predecessor_left() {
    let states = uncertain("orders");
    gone(&states, "orders", &Times::default());
    appear(&states, SHOP, "orders");
    gone(&states, "other", &over());
    assert_eq!(kept(&states), (1, 0));
    assert_eq!(open(&states, "orders"), [Nonce::from_random([7; 16])]);
}

#[test]
fn objects_that_come_and_go_without_end_leave_little_and_nothing_that_may_land_is_forgotten() {
    let states = ObjectStates::default();
    for number in 0..3 * MOST {
        let name = format!("churn-{number}");
        send(&states, &name);
        gone(&states, &name, &Times::default());
    }
    assert_eq!(kept(&states), (0, MOST));
    // One of the last is known by its name; of the first only that an attempt of this namespace may land.
    for name in ["churn-0".to_owned(), format!("churn-{}", 3 * MOST - 1), "new".to_owned()] {
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
fn an_object_that_cannot_be_read_keeps_what_is_remembered_and_may_be_leaving() {
    let (states, orders) = (uncertain("orders"), token("orders"));
    assert!(!states.deletion_seen(&orders));
    assert!(states.hidden(SHOP, &orders, "too deep"));
    assert!(states.deletion_seen(&orders));
    assert!(!states.hidden(SHOP, &orders, "too deep"), "it is said once");
    assert!(!states.unreadable_told(&orders, true));
    states.hidden(SHOP, &orders, "too deep");
    assert!(states.unreadable_told(&orders, true), "an event says it once");
    assert!(states.hidden(SHOP, &orders, "too long"));
    assert!(!states.unreadable_told(&orders, true), "and each reason");
    states.with(&token("other"), |entry| entry.exists = true);
    gone(&states, "other", &Times::default());
    assert_eq!(kept(&states), (1, 0));
    gone(&states, "orders", &Times::default());
    assert_eq!(kept(&states), (0, 1), "what may still land is remembered");
}
