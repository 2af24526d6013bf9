use std::time::Duration;

use domain::ownership::Token;

use super::{SecretName, Uses};
use crate::clock::Boottime;

type Table = Uses<u8, &'static str>;

fn at(hours: u64) -> Boottime {
    Boottime::from_boot(Duration::from_hours(hours))
}

fn token(name: &str) -> Token {
    Token::of(&"test".parse().unwrap(), "default", name)
}

fn secret(name: &str) -> SecretName {
    SecretName { namespace: "default".to_owned(), name: name.to_owned() }
}

#[test]
fn a_thousand_names_in_turn_leave_the_last() {
    let mut uses = Table::default();
    for n in 0..1000 {
        uses.slot(&token("orders"), "a", &secret(&format!("key-{n}")), at(0));
    }
    assert_eq!(uses.secrets.len(), 1);
    assert!(uses.used(&secret("key-999")).is_some());
}

#[test]
fn a_secret_is_kept_until_the_last_object_that_names_it_goes() {
    let mut uses = Table::default();
    for name in ["orders", "orders", "payments"] {
        uses.slot(&token(name), "a", &secret("key"), at(0));
    }
    uses.forget(&token("orders"));
    assert!(uses.used(&secret("key")).is_some());
    uses.forget(&token("payments"));
    assert!(uses.used(&secret("key")).is_none());
    assert!(uses.objects.is_empty());
}

#[test]
fn credentials_are_remembered_for_the_object_that_they_served_alone() {
    let mut uses = Table::default();
    uses.served(&token("orders"), "a", "credentials", at(0));
    assert_eq!(uses.remembered(&token("orders"), "a", at(1)), Some("credentials"));
    assert_eq!(uses.remembered(&token("orders"), "b", at(1)), None, "the next object of its name");
    assert_eq!(uses.remembered(&token("payments"), "a", at(1)), None, "its neighbor");
    uses.since(&token("orders"), "b", at(1));
    assert_eq!(uses.remembered(&token("orders"), "a", at(1)), None, "once another has its name");
}

#[test]
fn credentials_are_forgotten_with_their_object() {
    let mut uses = Table::default();
    uses.served(&token("orders"), "a", "credentials", at(0));
    uses.forget(&token("orders"));
    assert_eq!(uses.remembered(&token("orders"), "a", at(0)), None);
}

#[test]
fn credentials_are_remembered_for_a_day_after_they_served_last() {
    let mut uses = Table::default();
    uses.served(&token("orders"), "a", "credentials", at(0));
    uses.served(&token("orders"), "a", "credentials", at(5));
    assert_eq!(uses.remembered(&token("orders"), "a", at(28)), Some("credentials"));
    assert_eq!(uses.remembered(&token("orders"), "a", at(29)), None);
    // Expired credentials are removed even if they are never requested.
    uses.served(&token("payments"), "a", "others", at(29));
    assert!(uses.objects[&token("orders")].served.is_none());
}

#[test]
fn a_new_object_of_a_name_is_seen_from_then_on() {
    let mut uses = Table::default();
    uses.slot(&token("orders"), "a", &secret("key"), at(1));
    assert_eq!(uses.since(&token("orders"), "a", at(2)), at(1));
    assert_eq!(uses.since(&token("orders"), "b", at(3)), at(3));
    uses.forget(&token("orders"));
    assert!(uses.secrets.is_empty(), "the Secret was still counted once");
}
