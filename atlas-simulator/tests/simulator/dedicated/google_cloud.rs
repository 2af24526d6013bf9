//! Groups of forwarding rules of Google Cloud: two architectures of services, and a status for each rule.

use atlas_simulator::{CloudProvider::Gcp, DEFAULT_PROJECT, DedicatedPace, PortMappedKey};
use serde_json::{Value, json};

use super::*;

const USERS: &str = "users-project";
const SOON: DedicatedPace = DedicatedPace::of(Duration::from_millis(50));

/// The body that registers a group with these forwarding rules.
fn group(name: &str, rules: &[&str]) -> String {
    let rule = |(number, name): (usize, &&str)| json!({"endpointName": name, "ipAddress": format!("10.0.0.{}", number + 2)});
    let endpoints: Vec<Value> = rules.iter().enumerate().map(rule).collect();
    json!({"endpointGroupName": name, "endpoints": endpoints, "gcpProjectId": USERS}).to_string()
}

async fn with_port_mapped(
    pace: DedicatedPace,
    change: fn(&mut Settings),
) -> (Simulator, TestClient, String, String) {
    let (atlas, client, id, targets) =
        with_service_at(ServicePlace::port_mapped("US_EAST_4"), pace, change).await;
    (atlas, client, id, targets[0].clone())
}

#[tokio::test]
async fn services_of_both_architectures_are_created_side_by_side_as_recorded() {
    let (atlas, client) = with(DedicatedPace::of(HOUR), |_| {}).await;
    let post = async |mapping: &str| {
        let body = format!(r#"{{"providerName": "GCP", "region": "US_EAST_4"{mapping}}}"#);
        client.post(&services(), &body).await
    };
    let mut ids = Vec::new();
    for (mapping, shown) in [("", false), (r#", "portMappingEnabled": true"#, true)] {
        let got = post(mapping).await;
        let id = got.json["id"].as_str().unwrap().to_owned();
        let recorded = format!(
            r#"{{"cloudProvider":"GCP","endpointGroupNames":[],"errorMessage":null,"id":"{id}","portMappingEnabled":{shown},"regionName":"US_EAST_4","serviceAttachmentNames":[],"status":"INITIATING"}}"#
        );
        assert_eq!((got.status, got.text.as_str()), (201, recorded.as_str()));
        ids.push(id);
    }
    for mapping in [r#", "portMappingEnabled": false"#, r#", "portMappingEnabled": true"#] {
        let again = post(mapping).await;
        assert_eq!((again.status, again.code()), (409, "PRIVATE_ENDPOINT_SERVICE_ALREADY_EXISTS_FOR_REGION"));
        assert_eq!(again.json["parameters"], json!(["GCP", "US_EAST_4"]));
    }
    assert_eq!(post(r#", "portMappingEnabled": "yes""#).await.code(), "INVALID_ATTRIBUTE");
    assert_eq!(client.get(&service_of(Gcp, "")).await.json.as_array().unwrap().len(), 2);
    atlas.set_dedicated_pace(DedicatedPace::of(Duration::ZERO));
    let mut attachments = Vec::new();
    for id in &ids {
        let ready = client.get(&service_of(Gcp, id)).await.json;
        assert_eq!(ready["status"], "AVAILABLE");
        let names = ready["serviceAttachmentNames"].as_array().unwrap().clone();
        attachments.push(names.iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>());
    }
    assert_eq!((attachments[0].len(), attachments[1].len()), (6, 1));
    for (number, name) in attachments[0].iter().enumerate() {
        let ends = format!("/regions/us-east4/serviceAttachments/sa-us-east4-{DEFAULT_PROJECT}-{number}");
        assert!(name.starts_with("projects/p-") && name.ends_with(&ends), "{name}");
    }
    assert!(attachments[1][0].contains("/regions/us-east4/serviceAttachments/"), "{attachments:?}");
}

#[tokio::test]
async fn a_port_mapped_group_is_verified_before_it_is_available() {
    let slow = DedicatedPace { connecting: HOUR, ..DedicatedPace::of(HOUR) };
    let (atlas, client, id, attachment) = with_port_mapped(slow, |_| {}).await;
    let made = atlas.make_forwarding_rule(USERS, "rule", &attachment);
    assert_eq!(made, "projects/users-project/regions/us-east4/forwardingRules/rule");
    let got = client.post(&endpoint_of(Gcp, &id, ""), &group("orders", &["rule"])).await;
    let body = |status: &str, of_rule: &str| {
        format!(
            r#"{{"cloudProvider":"GCP","deleteRequested":false,"endpointGroupName":"orders","endpoints":[{{"endpointName":"rule","ipAddress":"10.0.0.2","status":"{of_rule}"}}],"errorMessage":null,"gcpProjectId":"users-project","portMappingEnabled":true,"status":"{status}"}}"#
        )
    };
    assert_eq!((got.status, got.text), (201, body("INITIATING", "INITIATING")));
    let again = client.post(&endpoint_of(Gcp, &id, ""), &group("orders", &["rule"])).await;
    assert_eq!((again.status, again.code()), (409, "PRIVATELINK_INTERFACE_ENDPOINT_ALREADY_EXISTS"));
    let at = endpoint_of(Gcp, &id, "orders");
    assert_eq!(client.get(&at).await.text, body("INITIATING", "INITIATING"));
    assert_eq!(client.get(&service_of(Gcp, &id)).await.json["endpointGroupNames"], json!(["orders"]));
    atlas.set_dedicated_pace(DedicatedPace { accepting: Duration::ZERO, ..slow });
    assert_eq!(client.get(&at).await.text, body("VERIFIED", "INITIATING"));
    atlas.set_dedicated_pace(DedicatedPace::of(Duration::ZERO));
    assert_eq!(client.get(&at).await.text, body("AVAILABLE", "AVAILABLE"));
    let got = client.get(&cluster()).await.json;
    let shown = &got["connectionStrings"]["privateEndpoint"][0];
    let behind = json!([{"endpointId": "orders", "providerName": "GCP", "region": "US_EAST_4"}]);
    assert_eq!(shown["endpoints"], behind);
    assert_eq!(shown["srvConnectionString"], "mongodb+srv://shop-psc-0.32b6e.mongodb.net");
    assert_eq!(shown["connectionString"], "mongodb://pl-0-us-east4-gcp.32b6e.mongodb.net:1024");
    atlas.set_dedicated_pace(DedicatedPace::of(HOUR));
    assert_eq!(client.delete(&at).await.status, 202);
    let leaving = client.get(&at).await.json;
    assert_eq!(
        (&leaving["status"], &leaving["endpoints"][0]["status"]),
        (&json!("DELETING"), &json!("DELETING"))
    );
    atlas.set_dedicated_pace(DedicatedPace::of(Duration::ZERO));
    assert_eq!(client.get(&at).await.status, 404);
    assert_eq!(client.get(&service_of(Gcp, &id)).await.status, 404);
}

#[tokio::test]
async fn a_port_mapped_group_may_be_keyed_by_its_forwarding_rule() {
    let (atlas, client, id, attachment) = with_port_mapped(SOON, |settings| {
        settings.dedicated.variants.gcp.port_mapped_key = PortMappedKey::EndpointName;
    })
    .await;
    atlas.make_forwarding_rule(USERS, "rule", &attachment);
    let got = client.post(&endpoint_of(Gcp, &id, ""), &group("orders", &["rule"])).await;
    assert_eq!((got.status, &got.json["endpointGroupName"]), (201, &json!("rule")));
    endpoint_is(&atlas, &id, "rule", Some("AVAILABLE")).await;
    assert_eq!(client.get(&endpoint_of(Gcp, &id, "orders")).await.status, 404);
    assert_eq!(client.get(&endpoint_of(Gcp, &id, "rule")).await.status, 200);
}

#[tokio::test]
async fn a_group_without_port_mapping_has_a_rule_for_each_attachment() {
    let place = ServicePlace::of(Gcp, "US_EAST_4");
    let (atlas, client, id, attachments) = with_service_at(place, SOON, |_| {}).await;
    let names: Vec<String> = (0..6).map(|number| format!("rule-{number}")).collect();
    let rules: Vec<&str> = names.iter().map(String::as_str).collect();
    for (name, attachment) in rules.iter().zip(&attachments).skip(1) {
        atlas.make_forwarding_rule(USERS, name, attachment);
    }
    let post =
        async |name: &str, rules: &[&str]| client.post(&endpoint_of(Gcp, &id, ""), &group(name, rules)).await;
    assert_eq!(post("orders", &rules).await.status, 201);
    endpoint_is(&atlas, &id, "orders", Some("FAILED")).await;
    let failed = client.get(&endpoint_of(Gcp, &id, "orders")).await.json;
    let message = failed["errorMessage"].as_str().unwrap();
    assert!(message.ends_with("forwardingRules/rule-0 was not found."), "{message}");
    let statuses: Vec<_> =
        failed["endpoints"].as_array().unwrap().iter().map(|rule| &rule["status"]).collect();
    assert_eq!(statuses, ["FAILED", "AVAILABLE", "AVAILABLE", "AVAILABLE", "AVAILABLE", "AVAILABLE"]);
    atlas.make_forwarding_rule(USERS, "rule-0", &attachments[0]);
    assert_eq!(post("next", &rules).await.status, 201);
    endpoint_is(&atlas, &id, "next", Some("AVAILABLE")).await;
    let got = client.get(&cluster()).await.json;
    let shown = &got["connectionStrings"]["privateEndpoint"][0];
    assert_eq!(shown["srvConnectionString"], "mongodb+srv://shop-pl-1.32b6e.mongodb.net");
    // Two rules for one attachment leave another one without any.
    atlas.make_forwarding_rule(USERS, "rule-5", &attachments[4]);
    assert_eq!(post("third", &rules).await.status, 201);
    endpoint_is(&atlas, &id, "third", Some("FAILED")).await;
}

#[tokio::test]
async fn a_body_needs_as_many_rules_as_its_architecture_has() {
    let (atlas, client, mapped, _) = with_port_mapped(DedicatedPace::of(HOUR), |_| {}).await;
    let legacy =
        atlas.insert_service(DEFAULT_PROJECT, AtlasService::available(ServicePlace::of(Gcp, "US_EAST_4")));
    let without = |name: &str| {
        let mut body: Value = serde_json::from_str(&group("orders", &["rule"])).unwrap();
        body.as_object_mut().unwrap().remove(name);
        body.to_string()
    };
    let address = r#"{"endpointGroupName": "a", "gcpProjectId": "p", "endpoints": [{"endpointName": "r", "ipAddress": "r"}]}"#;
    for (id, body, code) in [
        (&mapped, group("orders", &[]), "INVALID_ATTRIBUTE"),
        (&mapped, group("orders", &["a", "b"]), "INVALID_ATTRIBUTE"),
        (&mapped, group("", &["rule"]), "INVALID_ATTRIBUTE"),
        (&mapped, address.to_owned(), "INVALID_ATTRIBUTE"),
        (&mapped, address.replace("ipAddress", "address"), "INVALID_ATTRIBUTE"),
        (
            &mapped,
            address.replace(r#"{"endpointName": "r", "ipAddress": "r"}"#, r#"{"endpointName": "r"}"#),
            "MISSING_ATTRIBUTE",
        ),
        (&mapped, without("endpointGroupName"), "MISSING_ATTRIBUTE"),
        (&mapped, without("gcpProjectId"), "MISSING_ATTRIBUTE"),
        (&mapped, without("endpoints"), "MISSING_ATTRIBUTE"),
        (&mapped, r#"{"id": "vpce-0a1b"}"#.to_owned(), "INVALID_ATTRIBUTE"),
        (&legacy, group("orders", &["rule"]), "INVALID_ATTRIBUTE"),
        (&legacy, group("orders", &["a", "a", "c", "d", "e", "f"]), "INVALID_ATTRIBUTE"),
        (&legacy, group("orders", &["a", "b", "c", "d", "e", "f", "g"]), "INVALID_ATTRIBUTE"),
    ] {
        let got = client.post(&endpoint_of(Gcp, id, ""), &body).await;
        assert_eq!((got.status, got.code()), (400, code), "{body}");
    }
    assert!(atlas.registered_endpoints(&mapped).is_empty() && atlas.registered_endpoints(&legacy).is_empty());
}

#[tokio::test]
async fn a_forwarding_rule_of_another_project_or_deleted_fails() {
    let (atlas, client, id, attachment) = with_port_mapped(SOON, |_| {}).await;
    atlas.make_forwarding_rule("somebody-else", "rule", &attachment);
    assert_eq!(client.post(&endpoint_of(Gcp, &id, ""), &group("orders", &["rule"])).await.status, 201);
    endpoint_is(&atlas, &id, "orders", Some("FAILED")).await;
    let made = atlas.make_forwarding_rule(USERS, "other", &attachment);
    assert_eq!(client.post(&endpoint_of(Gcp, &id, ""), &group("stock", &["other"])).await.status, 201);
    endpoint_is(&atlas, &id, "stock", Some("AVAILABLE")).await;
    assert!(atlas.delete_cloud_endpoint(&made) && !atlas.delete_cloud_endpoint(&made));
    endpoint_is(&atlas, &id, "stock", Some("FAILED")).await;
}
