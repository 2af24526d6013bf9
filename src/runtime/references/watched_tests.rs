//! Tests the content of a watched kind after each event and failure.

use serde_json::{Value, json};

use super::*;

const ID: &str = "vpce-0a1b2c3d";

fn target(name: &str) -> ReferenceTarget {
    ReferenceTarget { source: EndpointSource::Ack, namespace: "shop".to_owned(), name: name.to_owned() }
}

fn at(seconds: u64) -> Boottime {
    Boottime::from_boot(Duration::from_secs(seconds))
}

fn id() -> Found {
    Found::parse(ID, None)
}

/// An object of this kind with these fields.
fn object_of(source: EndpointSource, fields: &Value) -> ForeignObject {
    let (api_version, kind) = source.api_version_and_kind();
    let mut object = json!({
        "apiVersion": api_version, "kind": kind, "metadata": {"name": "orders", "namespace": "shop"},
    });
    for (name, value) in fields.as_object().unwrap() {
        object[name] = value.clone();
    }
    serde_json::from_str(&object.to_string()).unwrap()
}

fn other(name: &str, status: &Value) -> ForeignObject {
    let metadata = json!({"name": name, "namespace": "shop"});
    object_of(EndpointSource::Ack, &json!({"metadata": metadata, "status": status}))
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
    kind.on_event(Event::Init);
    for name in objects {
        kind.on_event(Event::InitApply(with_id(name)));
    }
    kind.on_event(Event::InitDone)
}

#[test]
fn an_object_is_known_or_missing_once_its_kind_is_listed() {
    assert_eq!(WatchedKind::default().find(&target("orders"), at(0)), None);
    let kind = listed(&["orders"]);
    assert_eq!(kind.find(&target("orders"), at(0)), Some(id()));
    assert_eq!(kind.find(&target("payments"), at(0)), Some(Found::NoObject));
}

#[test]
fn each_event_is_applied_and_affects_the_referrers_of_its_object() {
    let mut kind = listed(&["orders"]);
    let changed = Event::Apply(other("orders", &json!({})));
    let orders = || Affected::One("shop".to_owned(), "orders".to_owned());
    assert_eq!(kind.on_event(changed), (orders(), false));
    assert_eq!(kind.find(&target("orders"), at(0)), Some(Found::Nothing));
    assert_eq!(kind.on_event(Event::Delete(with_id("orders"))), (orders(), false));
    assert_eq!(kind.find(&target("orders"), at(0)), Some(Found::NoObject));
    assert_eq!(relist(&mut kind, &["payments"]), (Affected::All, false));
    assert_eq!(kind.find(&target("payments"), at(0)), Some(id()));
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
    assert_eq!(kind.find(&target("orders"), at(3)), Some(id()));
}

#[test]
fn the_shown_content_outlives_a_short_refusal() {
    let mut kind = listed(&["orders"]);
    kind.failed(Found::NoKind, at(100));
    kind.failed(Found::NoKind, at(109));
    assert_eq!(kind.find(&target("orders"), at(109)), Some(id()));
    assert_eq!(kind.find(&target("orders"), at(110)), Some(Found::NoKind));
    relist(&mut kind, &["orders"]);
    assert_eq!(kind.find(&target("orders"), at(110)), Some(id()));
}

#[test]
fn only_the_fields_of_its_kind_are_decoded() {
    let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let read = |source: EndpointSource| {
        let (api_version, kind) = source.api_version_and_kind();
        let poisoned = format!(
            "{{\"apiVersion\": \"{api_version}\", \"kind\": \"{kind}\", \
             \"metadata\": {{\"name\": \"orders\", \"namespace\": \"shop\", \"labels\": 7, \"managedFields\": [\
             {{\"time\": \"9999-12-31T23:59:59Z\", \"fieldsV1\": {deep}}}]}}, \"spec\": {deep}, \
             \"status\": {{\"conditions\": {deep}, \"vpcEndpointID\": \"{ID}\", \"atProvider\": {{\"id\": \"vpce-2\"}}}}}}"
        );
        serde_json::from_str::<ForeignObject>(&poisoned).unwrap().into_parts()
    };
    assert_eq!(read(EndpointSource::Ack), ("shop".to_owned(), "orders".to_owned(), id()));
    assert_eq!(read(EndpointSource::UpboundAws).2, Found::parse("vpce-2", None));
    assert_eq!(read(EndpointSource::AzureServiceOperator).2, Found::Nothing);
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
        assert_eq!(other("orders", &status).into_parts().2, content, "{status}");
    }
}

#[test]
fn the_address_is_found_with_the_id_and_never_without() {
    let id = "/subscriptions/1f/resourceGroups/g/providers/Microsoft.Network/privateEndpoints/orders";
    let link =
        "https://www.googleapis.com/compute/v1/projects/orders-1/regions/europe-west1/forwardingRules/orders";
    let address = Some("10.0.0.4");
    let ip = |text: &str| json!([{"name": "a", "privateIPAddress": text}, {"privateIPAddress": "10.0.0.9"}]);
    let rows = [
        (
            EndpointSource::AzureServiceOperator2025,
            json!({"status": {"id": id, "ipConfigurations": ip("10.0.0.4")}}),
            Found::parse(id, address),
        ),
        (
            EndpointSource::AzureServiceOperator,
            json!({"status": {"id": id, "ipConfigurations": []}}),
            Found::parse(id, None),
        ),
        (
            EndpointSource::AzureServiceOperator,
            json!({"status": {"id": id, "ipConfigurations": {"0": {"privateIPAddress": "10.0.0.4"}}}}),
            Found::parse(id, None),
        ),
        (
            EndpointSource::AzureServiceOperator,
            json!({"status": {"ipConfigurations": ip("10.0.0.4")}}),
            Found::Nothing,
        ),
        (
            EndpointSource::UpboundAzure,
            json!({"status": {"atProvider": {"id": id, "privateServiceConnection": {"privateIpAddress": "10.0.0.4"}}}}),
            Found::parse(id, address),
        ),
        (
            EndpointSource::ConfigConnector,
            json!({"spec": {"ipAddress": {"ip": "10.0.0.4"}}, "status": {"selfLink": link}}),
            Found::parse(link, address),
        ),
        (
            EndpointSource::ConfigConnector,
            json!({"spec": {"ipAddress": {"addressRef": {"name": "orders"}}}, "status": {"selfLink": link}}),
            Found::parse(link, None),
        ),
        (
            EndpointSource::UpboundGcp,
            json!({"status": {"atProvider": {"id": &link[38..], "ipAddress": "10.0.0.4"}}}),
            Found::parse(&link[38..], address),
        ),
    ];
    for (source, fields, content) in rows {
        assert_eq!(object_of(source, &fields).into_parts().2, content, "{fields}");
    }
}
