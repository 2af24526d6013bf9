//! What is left of an object that is gone, and for how long.

use std::time::Duration;

use domain::ownership::Nonce;

use super::*;

fn token(name: &str) -> Token {
    Token::of(&"cluster".parse().unwrap(), "shop", name)
}

/// Memories of an object whose POST was sent and not answered.
fn uncertain(name: &str) -> Memories {
    let (memories, nonce) = (Memories::default(), Nonce::from_random([7; 16]));
    memories.with(&token(name), |entry| {
        entry.exists = true;
        entry.memory.begin_claim(nonce.clone(), Boottime::now().since_boot());
        assert!(entry.memory.begin_send(&nonce));
    });
    memories
}

/// Everything is over at once.
fn over() -> Times {
    Times { uncertainty: Duration::ZERO, visibility: Duration::ZERO, ..Times::default() }
}

fn kept(memories: &Memories) -> (usize, usize) {
    let entries = memories.lock();
    (entries.all.len(), entries.left.len())
}

#[test]
fn nothing_is_left_of_an_object_that_had_no_create_call_under_way() {
    let memories = Memories::default();
    memories.with(&token("orders"), |entry| entry.exists = true);
    memories.gone(&token("orders"), &Times::default());
    assert_eq!(kept(&memories), (0, 0));
}

#[test]
fn what_may_still_land_is_remembered_until_it_cannot_and_others_go_meanwhile() {
    let memories = uncertain("orders");
    memories.gone(&token("orders"), &Times::default());
    memories.with(&token("other"), |entry| entry.exists = true);
    memories.gone(&token("other"), &Times::default());
    assert_eq!(kept(&memories), (1, 1));
    memories.gone(&token("other"), &over());
    assert_eq!(kept(&memories), (0, 0));
}

#[test]
fn an_object_that_came_back_keeps_what_its_predecessor_left() {
    let memories = uncertain("orders");
    memories.gone(&token("orders"), &Times::default());
    memories.with(&token("orders"), |entry| entry.exists = true);
    memories.gone(&token("other"), &over());
    assert_eq!(kept(&memories), (1, 0));
}

#[test]
fn an_object_that_cannot_be_read_keeps_what_is_remembered_and_may_be_leaving() {
    let (memories, orders) = (uncertain("orders"), token("orders"));
    assert!(!memories.knows_it_leaves(&orders));
    assert!(memories.hidden(&orders, "too deep"));
    assert!(memories.knows_it_leaves(&orders));
    assert!(!memories.hidden(&orders, "too deep"), "it is said once");
    assert!(memories.hidden(&orders, "too long"));
    memories.with(&token("other"), |entry| entry.exists = true);
    memories.gone(&token("other"), &Times::default());
    assert_eq!(kept(&memories), (1, 0));
    memories.gone(&orders, &Times::default());
    assert_eq!(kept(&memories), (1, 1), "what may still land is remembered");
}
