//! Tests how long the table keeps a Secret and the credentials of an object.

use std::time::Duration;

use domain::token::Token;

use super::{CredentialUses, ObjectKey, SecretName};
use crate::clock::Boottime;

type Table = CredentialUses<u8, &'static str>;

fn at(hours: u64) -> Boottime {
    Boottime::from_boot(Duration::from_hours(hours))
}

fn object(name: &str) -> ObjectKey {
    ("Example".into(), Token::of(&"test".parse().unwrap(), "default", name))
}

fn secret(name: &str) -> SecretName {
    SecretName { namespace: "default".to_owned(), name: name.to_owned() }
}

#[test]
fn only_the_last_named_secret_of_an_object_is_kept() {
    let mut uses = Table::default();
    for n in 0..1000 {
        uses.slot(&object("orders"), "a", &secret(&format!("key-{n}")), at(0));
    }
    assert_eq!(uses.secrets.len(), 1);
    assert!(uses.used(&secret("key-999")).is_some());
}

#[test]
fn a_secret_is_kept_until_its_last_object_is_removed() {
    let mut uses = Table::default();
    for name in ["orders", "orders", "payments"] {
        uses.slot(&object(name), "a", &secret("key"), at(0));
    }
    uses.remove(&object("orders"));
    assert!(uses.used(&secret("key")).is_some());
    uses.remove(&object("payments"));
    assert!(uses.used(&secret("key")).is_none());
    assert!(uses.objects.is_empty());
}

#[test]
fn credentials_are_remembered_for_one_object_only() {
    let mut uses = Table::default();
    uses.record_accepted(&object("orders"), "a", "credentials", at(0));
    assert_eq!(uses.remembered(&object("orders"), "a", at(1)), Some("credentials"));
    assert_eq!(uses.remembered(&object("orders"), "b", at(1)), None, "the next object of its name");
    assert_eq!(uses.remembered(&object("payments"), "a", at(1)), None, "its neighbor");
    let namesake = ("Other".into(), object("orders").1);
    uses.since(&namesake, "c", at(1));
    assert_eq!(uses.remembered(&object("orders"), "a", at(1)), Some("credentials"), "not of its kind");
    uses.since(&object("orders"), "b", at(1));
    assert_eq!(uses.remembered(&object("orders"), "a", at(1)), None, "once another has its name");
}

#[test]
fn credentials_are_removed_with_their_object() {
    let mut uses = Table::default();
    uses.record_accepted(&object("orders"), "a", "credentials", at(0));
    uses.remove(&object("orders"));
    assert_eq!(uses.remembered(&object("orders"), "a", at(0)), None);
}

#[test]
fn credentials_are_remembered_for_a_day_after_their_last_use() {
    let mut uses = Table::default();
    uses.record_accepted(&object("orders"), "a", "credentials", at(0));
    uses.record_accepted(&object("orders"), "a", "credentials", at(5));
    assert_eq!(uses.remembered(&object("orders"), "a", at(28)), Some("credentials"));
    assert_eq!(uses.remembered(&object("orders"), "a", at(29)), None);
    // Expired credentials are removed even if they are never requested.
    uses.record_accepted(&object("payments"), "a", "others", at(29));
    assert!(uses.objects[&object("orders")].accepted.is_none());
}

#[test]
fn a_recreated_object_starts_a_new_entry() {
    let mut uses = Table::default();
    uses.slot(&object("orders"), "a", &secret("key"), at(1));
    assert_eq!(uses.since(&object("orders"), "a", at(2)), at(1));
    assert_eq!(uses.since(&object("orders"), "b", at(3)), at(3));
    uses.remove(&object("orders"));
    assert!(uses.secrets.is_empty(), "the Secret was still counted once");
}
