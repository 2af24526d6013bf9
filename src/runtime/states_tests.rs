//! Tests which state of a deleted object is kept, and for how long.

use domain::bounded_map::MAX_ENTRIES;

use super::*;

const SHOP: &str = "shop";

/// The number of each create that is open; 0 is one of an unknown object.
#[derive(Debug, Default)]
struct OpenCreates(Vec<u32>, Schedule);

impl Kept for OpenCreates {
    type Remains = Vec<u32>;

    fn schedule(&mut self) -> &mut Schedule {
        &mut self.1
    }

    fn remains(self, _: &bool, _: SinceBoot) -> Option<Vec<u32>> {
        Some(self.0).filter(|open| !open.is_empty())
    }

    fn inherit(&mut self, remains: Vec<u32>) {
        self.0.extend(remains);
    }
}

/// Whether all creates are over.
const OPEN: bool = false;
const OVER: bool = true;

impl Inheritance for Vec<u32> {
    type Times = bool;

    fn is_over(&self, are_over: &bool, _: SinceBoot) -> bool {
        *are_over
    }

    fn unnamed(&self, _: Option<&Self>) -> Self {
        vec![0]
    }
}

type States = ObjectStates<OpenCreates>;

fn token(name: &str) -> Token {
    Token::of(&"cluster".parse().unwrap(), SHOP, name)
}

/// An object existed, and its POST was sent without a response.
fn send(states: &States, name: &str) {
    states.with(&token(name), |entry| {
        entry.exists = true;
        entry.kept.0.push(7);
    });
}

fn uncertain(name: &str) -> States {
    let states = States::default();
    send(&states, name);
    states
}

/// Deletes the object, long enough after the last sweep to trigger another.
fn gone(states: &States, name: &str, is_over: bool) {
    states.lock().swept = Duration::ZERO;
    states.remove(SHOP, &token(name), &is_over);
}

fn kept(states: &States) -> (usize, usize) {
    let states = states.lock();
    (states.all.len(), states.remains_of.len())
}

/// The watch shows an object of that name.
fn appear(states: &States, namespace: &str, name: &str) {
    states.record_unreadable(namespace, &token(name), "for a test");
}

/// The attempts that the object of that name has to wait for.
fn open(states: &States, name: &str) -> Vec<u32> {
    states.with(&token(name), |entry| entry.kept.0.clone())
}

#[test]
fn no_state_is_kept_without_an_open_create() {
    let states = States::default();
    states.with(&token("orders"), |entry| entry.exists = true);
    gone(&states, "orders", OPEN);
    assert_eq!(kept(&states), (0, 0));
}

#[test]
fn an_open_create_is_kept_until_it_can_no_longer_take_effect() {
    let states = uncertain("orders");
    gone(&states, "orders", OPEN);
    states.with(&token("other"), |entry| entry.exists = true);
    gone(&states, "other", OPEN);
    assert_eq!(kept(&states), (0, 1));
    gone(&states, "other", OVER);
    assert_eq!(kept(&states), (0, 0));
}

#[test]
fn a_recreated_object_inherits_the_open_creates() {
    let states = uncertain("orders");
    gone(&states, "orders", OPEN);
    appear(&states, SHOP, "orders");
    gone(&states, "other", OVER);
    assert_eq!(kept(&states), (1, 0));
    assert_eq!(open(&states, "orders"), [7]);
}

#[test]
fn kept_state_is_bounded_and_no_open_create_is_lost() {
    let states = States::default();
    for number in 0..3 * MAX_ENTRIES {
        let name = format!("churn-{number}");
        send(&states, &name);
        gone(&states, &name, OPEN);
    }
    assert_eq!(kept(&states), (0, MAX_ENTRIES));
    // One of the last is known by its name; of the first only that an attempt of this namespace may land.
    for name in ["churn-0".to_owned(), format!("churn-{}", 3 * MAX_ENTRIES - 1), "new".to_owned()] {
        appear(&states, SHOP, &name);
        assert_eq!(open(&states, &name).len(), 1, "{name}");
    }
    assert_eq!(open(&states, "new"), [0]);
    appear(&states, "another", "elsewhere");
    assert!(open(&states, "elsewhere").is_empty(), "another namespace waits for nothing");
    // The wait ends.
    gone(&states, "new", OVER);
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
    gone(&states, "other", OPEN);
    assert_eq!(kept(&states), (1, 0));
    gone(&states, "orders", OPEN);
    assert_eq!(kept(&states), (0, 1), "what may still land is remembered");
}
