//! What is left of an object that is gone, and for how long.

use std::time::Duration;

use domain::observed::{AttemptOutcome, WriteOutcome};
use domain::ownership::Nonce;

use super::*;
use crate::runtime::bounded_map::MOST;

const SHOP: &str = "shop";

fn token(name: &str) -> Token {
    Token::of(&"cluster".parse().unwrap(), SHOP, name)
}

/// An object was there, and its POST was sent and not answered.
fn send(memories: &Memories, name: &str) {
    let nonce = Nonce::from_random([7; 16]);
    memories.with(&token(name), |entry| {
        entry.exists = true;
        entry.memory.begin_claim(nonce.clone(), Boottime::now().since_boot());
        assert!(entry.memory.begin_send(&nonce));
    });
}

fn uncertain(name: &str) -> Memories {
    let memories = Memories::default();
    send(&memories, name);
    memories
}

/// Everything is over at once.
fn over() -> Times {
    Times { uncertainty: Duration::ZERO, visibility: Duration::ZERO, ..Times::default() }
}

/// The object goes; so long after the last that what is over is looked through.
fn gone(memories: &Memories, name: &str, times: &Times) {
    memories.lock().swept = Duration::ZERO;
    memories.gone(SHOP, &token(name), times);
}

fn kept(memories: &Memories) -> (usize, usize) {
    let entries = memories.lock();
    (entries.all.len(), entries.left.len())
}

/// The watch shows an object of that name.
fn appear(memories: &Memories, namespace: &str, name: &str) {
    memories.hidden(namespace, &token(name), "for a test");
}

/// The attempts that the object of that name has to wait for.
fn open(memories: &Memories, name: &str) -> Vec<Nonce> {
    let now = Boottime::now().since_boot();
    let snapshot =
        memories.with(&token(name), |entry| entry.memory.snapshot(now, now, WriteOutcome::Nothing));
    let open = snapshot.attempts.into_iter().filter(|attempt| attempt.fate == AttemptOutcome::Unknown);
    open.map(|attempt| attempt.nonce).collect()
}

#[test]
fn nothing_is_left_of_an_object_that_had_no_create_call_under_way() {
    let memories = Memories::default();
    memories.with(&token("orders"), |entry| entry.exists = true);
    gone(&memories, "orders", &Times::default());
    assert_eq!(kept(&memories), (0, 0));
}

#[test]
fn what_may_still_land_is_remembered_until_it_cannot_and_others_go_meanwhile() {
    let memories = uncertain("orders");
    gone(&memories, "orders", &Times::default());
    memories.with(&token("other"), |entry| entry.exists = true);
    gone(&memories, "other", &Times::default());
    assert_eq!(kept(&memories), (0, 1));
    gone(&memories, "other", &over());
    assert_eq!(kept(&memories), (0, 0));
}

#[test]
fn an_object_that_came_back_keeps_what_its_predecessor_left() {
    let memories = uncertain("orders");
    gone(&memories, "orders", &Times::default());
    appear(&memories, SHOP, "orders");
    gone(&memories, "other", &over());
    assert_eq!(kept(&memories), (1, 0));
    assert_eq!(open(&memories, "orders"), [Nonce::from_random([7; 16])]);
}

#[test]
fn objects_that_come_and_go_without_end_leave_little_and_nothing_that_may_land_is_forgotten() {
    let memories = Memories::default();
    for number in 0..3 * MOST {
        let name = format!("churn-{number}");
        send(&memories, &name);
        gone(&memories, &name, &Times::default());
    }
    assert_eq!(kept(&memories), (0, MOST));
    // One of the last is known by its name; of the first it is known that one of this namespace may land.
    for name in ["churn-0".to_owned(), format!("churn-{}", 3 * MOST - 1), "new".to_owned()] {
        appear(&memories, SHOP, &name);
        assert_eq!(open(&memories, &name).len(), 1, "{name}");
    }
    assert_eq!(open(&memories, "new"), [Nonce::of_others()]);
    appear(&memories, "another", "elsewhere");
    assert!(open(&memories, "elsewhere").is_empty(), "another namespace waits for nothing");
    // It ends.
    gone(&memories, "new", &over());
    appear(&memories, SHOP, "later");
    assert!(open(&memories, "later").is_empty());
    assert!(memories.lock().unnamed.is_empty());
}

#[test]
fn an_object_that_cannot_be_read_keeps_what_is_remembered_and_may_be_leaving() {
    let (memories, orders) = (uncertain("orders"), token("orders"));
    assert!(!memories.knows_it_leaves(&orders));
    assert!(memories.hidden(SHOP, &orders, "too deep"));
    assert!(memories.knows_it_leaves(&orders));
    assert!(!memories.hidden(SHOP, &orders, "too deep"), "it is said once");
    assert!(memories.hidden(SHOP, &orders, "too long"));
    memories.with(&token("other"), |entry| entry.exists = true);
    gone(&memories, "other", &Times::default());
    assert_eq!(kept(&memories), (1, 0));
    gone(&memories, "orders", &Times::default());
    assert_eq!(kept(&memories), (0, 1), "what may still land is remembered");
}
