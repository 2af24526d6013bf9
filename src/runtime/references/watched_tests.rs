//! Tests the content of a watched kind after each event and failure.

use serde_json::{Value, json};

use super::*;

const ID: &str = "vpce-0a1b2c3d";

fn target(name: &str) -> ReferenceTarget {
    ReferenceTarget { source: VpcEndpointSource::Ack, namespace: "shop".to_owned(), name: name.to_owned() }
}

fn at(seconds: u64) -> Boottime {
    Boottime::from_boot(Duration::from_secs(seconds))
}

fn other(name: &str, status: &Value) -> ForeignObject {
    let object = json!({"metadata": {"name": name, "namespace": "shop"}, "status": status});
    serde_json::from_str(&object.to_string()).unwrap()
}

fn with_id(name: &str) -> ForeignObject {
    other(name, &json!({"vpcEndpointID": ID}))
}

/// A kind after one listing of these objects.
fn listed(objects: &[&str]) -> WatchedKind {
    let mut kind = WatchedKind::default();
    relist(&mut kind, objects);
    kind
}

fn relist(kind: &mut WatchedKind, objects: &[&str]) -> (Affected, bool) {
    kind.on_event(Event::Init, VpcEndpointSource::Ack);
    for name in objects {
        kind.on_event(Event::InitApply(with_id(name)), VpcEndpointSource::Ack);
    }
    kind.on_event(Event::InitDone, VpcEndpointSource::Ack)
}

#[test]
fn an_object_is_known_or_missing_once_its_kind_is_listed() {
    assert_eq!(WatchedKind::default().find(&target("orders"), at(0)), None);
    let kind = listed(&["orders"]);
    assert_eq!(kind.find(&target("orders"), at(0)), Some(Found::parse(ID)));
    assert_eq!(kind.find(&target("payments"), at(0)), Some(Found::NoObject));
}

#[test]
fn each_event_is_applied_and_affects_the_referrers_of_its_object() {
    let mut kind = listed(&["orders"]);
    let changed = Event::Apply(other("orders", &json!({})));
    let orders = || Affected::One("shop".to_owned(), "orders".to_owned());
    assert_eq!(kind.on_event(changed, VpcEndpointSource::Ack), (orders(), false));
    assert_eq!(kind.find(&target("orders"), at(0)), Some(Found::Nothing));
    assert_eq!(kind.on_event(Event::Delete(with_id("orders")), VpcEndpointSource::Ack), (orders(), false));
    assert_eq!(kind.find(&target("orders"), at(0)), Some(Found::NoObject));
    assert_eq!(relist(&mut kind, &["payments"]), (Affected::All, false));
    assert_eq!(kind.find(&target("payments"), at(0)), Some(Found::parse(ID)));
}

#[test]
fn an_unlisted_kind_fails_at_once_and_recovers_when_listed() {
    let mut kind = WatchedKind::default();
    assert!(kind.failed(Found::NoKind, at(0)));
    assert!(!kind.failed(Found::NoKind, at(1)), "the reason is not new");
    assert_eq!(kind.find(&target("orders"), at(1)), Some(Found::NoKind));
    assert!(kind.failed(Found::Forbidden, at(2)));
    assert_eq!(kind.find(&target("orders"), at(2)), Some(Found::Forbidden));
    assert_eq!(relist(&mut kind, &["orders"]), (Affected::All, true));
    assert_eq!(kind.find(&target("orders"), at(3)), Some(Found::parse(ID)));
}

#[test]
fn the_shown_content_outlives_a_short_refusal() {
    let mut kind = listed(&["orders"]);
    kind.failed(Found::NoKind, at(100));
    kind.failed(Found::NoKind, at(109));
    assert_eq!(kind.find(&target("orders"), at(109)), Some(Found::parse(ID)));
    assert_eq!(kind.find(&target("orders"), at(110)), Some(Found::NoKind));
    relist(&mut kind, &["orders"]);
    assert_eq!(kind.find(&target("orders"), at(110)), Some(Found::parse(ID)));
}

#[test]
fn only_the_name_and_the_id_of_an_object_are_decoded() {
    let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let poisoned = format!(
        "{{\"metadata\": {{\"name\": \"orders\", \"namespace\": \"shop\", \"labels\": 7, \"managedFields\": [\
         {{\"time\": \"9999-12-31T23:59:59Z\", \"fieldsV1\": {deep}}}]}}, \"spec\": {deep}, \
         \"status\": {{\"conditions\": {deep}, \"vpcEndpointID\": \"{ID}\", \"atProvider\": {{\"id\": \"vpce-2\"}}}}}}"
    );
    let read: ForeignObject = serde_json::from_str(&poisoned).unwrap();
    let [ack, upbound] =
        [VpcEndpointSource::Ack, VpcEndpointSource::Upbound].map(|source| read.content(source));
    assert_eq!(ack, ("shop".to_owned(), "orders".to_owned(), Found::parse(ID)));
    assert_eq!(upbound.2, Found::parse("vpce-2"));
}

#[test]
fn an_invalid_id_does_not_make_decoding_fail() {
    for (status, content) in [
        (json!(null), Found::Nothing),
        (json!(7), Found::Nothing),
        (json!({"vpcEndpointID": 7}), Found::Nothing),
        (json!({"vpcEndpointID": ""}), Found::Nothing),
        (json!({"vpcEndpointID": "eni-1"}), Found::Other(5)),
    ] {
        assert_eq!(other("orders", &status).content(VpcEndpointSource::Ack).2, content, "{status}");
    }
}
