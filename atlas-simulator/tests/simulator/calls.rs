//! The five operations and the instance, as documented.

use std::time::Duration;

use atlas_simulator::{
    ChangeCause, DEFAULT_INSTANCE, DEFAULT_PROJECT, Endpoint, Operation, Pace, Settings, Simulator, Status,
};
use serde_json::{Value, json};

use crate::support::{TestClient, atlas, endpoints, instant, slow, tail, until};

const VPC: &str = r#"{"providerName": "AWS", "cloudProviderEndpointId": "vpce-0123456789abcdef0"}"#;

#[tokio::test]
async fn an_endpoint_goes_from_request_to_available_and_is_gone_after_its_deletion() {
    let atlas = atlas(Duration::from_millis(50)).await;
    let client = TestClient::new(&atlas);

    let created = client.post(&endpoints(), r#"{"comment": "example comment"}"#).await;
    assert_eq!(created.status, 201);
    let id = created.id();
    assert_eq!(
        created.json,
        json!({
            "_id": id, "cloudProviderEndpointId": null, "comment": "example comment",
            "endpointServiceName": null, "errorMessage": null, "status": "RESERVATION_REQUESTED",
        })
    );

    let status = |atlas: &Simulator, id: &str| atlas.endpoint(id).map(|endpoint| endpoint.status);
    until(&atlas, "RESERVED", |atlas| status(atlas, &id) == Some(Status::Reserved)).await;
    let one = format!("{}/{id}", endpoints());
    let reserved = client.get(&one).await;
    let service = reserved.json["endpointServiceName"].as_str().unwrap().to_owned();
    assert!(service.starts_with("com.amazonaws.vpce.us-east-1.vpce-svc-"), "{service}");

    let patched = client.patch(&one, VPC).await;
    assert_eq!((patched.status, &patched.json["status"]), (200, &json!("INITIATING")));
    until(&atlas, "AVAILABLE", |atlas| status(atlas, &id) == Some(Status::Available)).await;
    let available = client.get(&one).await.json;
    assert_eq!(available["cloudProviderEndpointId"], "vpce-0123456789abcdef0");
    assert_eq!(available["endpointServiceName"], service.as_str());

    let deleted = client.delete(&one).await;
    assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
    until(&atlas, "gone", |atlas| atlas.endpoint(&id).is_none()).await;
    assert_eq!(client.get(&one).await.code(), "TENANT_PRIVATE_ENDPOINT_NOT_FOUND");
    assert_eq!(client.get(&endpoints()).await.json, json!([]));

    let timeline = &atlas.timelines()[0];
    let words: Vec<_> =
        timeline.changes.iter().map(|c| c.endpoint.as_ref().map(|e| e.status.clone())).collect();
    assert_eq!(
        words,
        [
            Some(Status::ReservationRequested),
            Some(Status::Reserved),
            Some(Status::Initiating),
            Some(Status::Available),
            Some(Status::Deleting),
            None
        ]
    );
    assert!(timeline.gone_at() > Some(timeline.created_at()));
}

#[tokio::test]
async fn a_deleted_endpoint_is_shown_as_deleting_first() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let id = client.post(&endpoints(), "{}").await.id();
    let one = format!("{}/{id}", endpoints());
    assert_eq!(client.delete(&one).await.status, 204);
    assert_eq!(client.get(&one).await.json["status"], "DELETING");
    assert_eq!(client.delete(&one).await.status, 204, "a repeated DELETE is tolerated");
    atlas.set_pace(Pace::of(Duration::ZERO));
    assert_eq!(client.get(&one).await.status, 404);
}

#[tokio::test]
async fn a_listing_is_a_bare_array_in_the_order_of_creation() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let mut ids = Vec::new();
    for comment in ["c", "a", "b", "a"] {
        ids.push(client.post(&endpoints(), &json!({ "comment": comment }).to_string()).await.id());
    }
    let listed = client.get(&endpoints()).await.json;
    let listed: Vec<&str> = listed.as_array().unwrap().iter().map(|e| e["_id"].as_str().unwrap()).collect();
    assert_eq!(listed, ids);
    assert!(ids.iter().all(|id| id.len() == 24), "{ids:?}");
}

#[tokio::test]
async fn the_members_stand_in_alphabetical_order_and_v2_adds_the_provider() {
    let atlas = slow().await;
    let v1 = TestClient::new(&atlas).post(&endpoints(), "{}").await;
    let at = |text: &str, name: &str| {
        text.find(&format!("\"{name}\"")).unwrap_or_else(|| panic!("{name} in {text}"))
    };
    let names =
        ["_id", "cloudProviderEndpointId", "comment", "endpointServiceName", "errorMessage", "status"];
    assert!(names.map(|name| at(&v1.text, name)).is_sorted(), "{}", v1.text);
    assert!(!v1.text.contains("providerName"));

    let path = format!("/api/atlas/v2{}", tail(DEFAULT_PROJECT, DEFAULT_INSTANCE));
    let v2 = TestClient::new(&atlas).v2().post(&path, "{}").await;
    assert_eq!((v2.status, &v2.json["providerName"]), (201, &json!("AWS")));
    assert!(v2.header("content-type").starts_with("application/vnd.atlas.2023-01-01+json"));
    assert!(!v2.header("sunset").is_empty());
}

#[tokio::test]
async fn v2_without_its_version_is_not_acceptable() {
    let atlas = slow().await;
    let path = format!("/api/atlas/v2{}", tail(DEFAULT_PROJECT, DEFAULT_INSTANCE));
    assert_eq!(TestClient::new(&atlas).get(&path).await.status, 406);
}

#[tokio::test]
async fn pretty_and_envelope_change_the_form_only() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let pretty = client.post(&format!("{}?pretty=true", endpoints()), "{}").await;
    assert!(pretty.text.contains("\n  \"comment\": null"), "{}", pretty.text);
    let one = format!("{}/{}", endpoints(), pretty.id());
    let enveloped = client.get(&format!("{one}?envelope=true")).await.json;
    assert_eq!(enveloped, json!({"status": 200, "envelope": pretty.json}));
    let list = client.get(&format!("{}?envelope=true&pretty=false", endpoints())).await.json;
    assert_eq!((&list["status"], &list["results"][0]), (&json!(200), &pretty.json));
    let missing = format!("{}/{}?envelope=true", endpoints(), "0".repeat(24));
    assert_eq!(client.get(&missing).await.json["envelope"]["errorCode"], "TENANT_PRIVATE_ENDPOINT_NOT_FOUND");
}

#[tokio::test]
async fn what_is_not_allowed_is_refused_and_not_executed() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let long = json!({ "comment": "x".repeat(80) }).to_string();
    for (body, code) in [
        ("{", "MALFORMED_JSON"),
        ("[]", "MALFORMED_JSON"),
        ("", "MALFORMED_JSON"),
        (r#"{"comment": 1}"#, "INVALID_ATTRIBUTE"),
        (r#"{"name": "x"}"#, "INVALID_ATTRIBUTE"),
        (&long, "VALIDATION_ERROR"),
    ] {
        let got = client.post(&endpoints(), body).await;
        assert_eq!((got.status, got.code(), got.header("x-error-code")), (400, code, code), "{body}");
        assert_eq!(got.json["reason"], "Bad Request");
    }
    assert_eq!(atlas.executed(Operation::Create), 0);
    assert!(atlas.timelines().is_empty());
    assert_eq!(
        client.post(&endpoints(), &json!({ "comment": "ä".repeat(79) }).to_string()).await.status,
        201
    );
}

#[tokio::test]
async fn a_comment_may_be_limited_in_bytes() {
    let atlas = slow().await;
    atlas.configure(|settings| settings.variants.comment_in_bytes = true);
    let client = TestClient::new(&atlas);
    let body = |comment: &str| json!({ "comment": comment }).to_string();
    assert_eq!(client.post(&endpoints(), &body(&"ä".repeat(40))).await.status, 400);
    assert_eq!(client.post(&endpoints(), &body(&"ä".repeat(39))).await.status, 201);
}

#[tokio::test]
async fn a_patch_needs_the_provider_and_a_vpc_endpoint_id() {
    let atlas = instant().await;
    let client = TestClient::new(&atlas);
    let one = format!("{}/{}", endpoints(), client.post(&endpoints(), "{}").await.id());
    for (body, code) in [
        (r#"{"cloudProviderEndpointId": "vpce-1"}"#, "MISSING_ATTRIBUTE"),
        (r#"{"providerName": "GCP"}"#, "INVALID_ENUM_VALUE"),
        (r#"{"providerName": "AWS", "cloudProviderEndpointId": "x"}"#, "INVALID_ATTRIBUTE"),
        (r#"{"providerName": "AWS", "status": "AVAILABLE"}"#, "INVALID_ATTRIBUTE"),
    ] {
        let got = client.patch(&one, body).await;
        assert_eq!((got.status, got.code()), (400, code), "{body}");
    }
    let commented = client.patch(&one, r#"{"providerName": "AWS", "comment": "new"}"#).await.json;
    assert_eq!((&commented["comment"], &commented["status"]), (&json!("new"), &json!("RESERVED")));
    let changes: Vec<_> = atlas.timelines()[0].changes.iter().map(|change| change.cause).collect();
    assert_eq!(changes, [ChangeCause::Created, ChangeCause::Progress, ChangeCause::Updated]);
}

#[tokio::test]
async fn a_patch_before_reserved_is_refused_unless_chosen_otherwise() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let one = format!("{}/{}", endpoints(), client.post(&endpoints(), "{}").await.id());
    assert_eq!(client.patch(&one, VPC).await.status, 400);
    atlas.configure(|settings| settings.variants.patch_early = atlas_simulator::RequestPolicy::Conflict);
    assert_eq!(client.patch(&one, VPC).await.status, 409);
    atlas.configure(|settings| settings.variants.patch_early = atlas_simulator::RequestPolicy::Accept);
    assert_eq!(client.patch(&one, VPC).await.json["status"], "INITIATING");
}

#[tokio::test]
async fn unknown_things_are_named_in_the_refusal() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let zeros = "0".repeat(24);
    for (path, status, code) in [
        (tail(&zeros, "orders"), 404, "GROUP_NOT_FOUND"),
        (tail("nonsense", "orders"), 404, "INVALID_GROUP_ID"),
        (tail(DEFAULT_PROJECT, "other"), 404, "CLUSTER_NOT_FOUND"),
        (
            format!("{}/{zeros}", tail(DEFAULT_PROJECT, DEFAULT_INSTANCE)),
            404,
            "TENANT_PRIVATE_ENDPOINT_NOT_FOUND",
        ),
        (format!("/groups/{DEFAULT_PROJECT}/nothing"), 404, "RESOURCE_NOT_FOUND"),
    ] {
        let got = client.get(&format!("/api/atlas/v1.0{path}")).await;
        assert_eq!((got.status, got.code(), &got.json["error"]), (status, code, &json!(status)), "{path}");
    }
    let v2 = client.v2().get(&format!("/api/atlas/v2{}", tail("nonsense", "orders"))).await;
    assert_eq!((v2.status, v2.code()), (400, "PATH_PARAM_PARSE_ERROR"));
}

#[tokio::test]
async fn an_open_simulator_has_every_project_and_instance() {
    let atlas = Simulator::start(Settings { open: true, ..Settings::default() }).await.unwrap();
    let path = format!("/api/atlas/v1.0{}", tail(&"a".repeat(24), "new"));
    let client = TestClient::new(&atlas);
    assert_eq!(client.get(&path).await.json, json!([]));
    assert_eq!(client.post(&path, "{}").await.status, 201);
}

#[tokio::test]
async fn the_private_connection_string_appears_with_the_available_endpoint() {
    let atlas = instant().await;
    let client = TestClient::new(&atlas);
    let instance = format!("/api/atlas/v1.0/groups/{DEFAULT_PROJECT}/serverless/{DEFAULT_INSTANCE}");
    let one = format!("{}/{}", endpoints(), client.post(&endpoints(), "{}").await.id());
    let private = |got: &Value| got["connectionStrings"]["privateEndpoint"].clone();

    let before = client.get(&instance).await.json;
    assert_eq!((&before["stateName"], private(&before)), (&json!("IDLE"), json!([])));
    atlas.configure(|settings| settings.pace.updating = Duration::from_hours(1));
    client.patch(&one, VPC).await;
    let after = client.get(&instance).await.json;
    assert_eq!(after["stateName"], "UPDATING");
    let private = private(&after);
    assert_eq!(private[0]["endpoints"][0]["endpointId"], "vpce-0123456789abcdef0");
    assert!(private[0]["srvConnectionString"].as_str().unwrap().starts_with("mongodb+srv://orders-pe-0."));
}

#[tokio::test]
async fn a_migrated_instance_says_so_and_a_removed_one_takes_its_endpoints_along() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    client.post(&endpoints(), "{}").await;
    atlas.configure(|settings| {
        let instances = settings.projects.get_mut(DEFAULT_PROJECT).unwrap();
        instances.insert(DEFAULT_INSTANCE.to_owned(), atlas_simulator::InstanceKind::Flex);
    });
    let got = client.get(&endpoints()).await;
    assert_eq!((got.status, got.code()), (400, "NOT_SERVERLESS_TENANT_CLUSTER"));
    atlas.configure(|settings| settings.projects.get_mut(DEFAULT_PROJECT).unwrap().clear());
    assert_eq!(client.get(&endpoints()).await.status, 404);
    assert!(atlas.timelines()[0].gone_at().is_some());
}

#[tokio::test]
async fn endpoints_are_inserted_edited_and_removed_out_of_band() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let foreign = Endpoint::reserved(Some("by hand".to_owned()));
    let id = atlas.insert_endpoint(DEFAULT_PROJECT, DEFAULT_INSTANCE, foreign);
    assert!(atlas.edit_endpoint(&id, |endpoint| endpoint.status = Status::Other("ODD".to_owned())));
    let listed = client.get(&endpoints()).await.json;
    assert_eq!((&listed[0]["comment"], &listed[0]["status"]), (&json!("by hand"), &json!("ODD")));
    assert!(atlas.remove_endpoint(&id));
    assert_eq!(client.get(&endpoints()).await.json, json!([]));
    assert!(!atlas.remove_endpoint(&id) && !atlas.edit_endpoint(&id, |_| ()));
}

#[tokio::test]
async fn the_project_and_its_instances_are_shown_as_other_operators_read_them() {
    let atlas = slow().await;
    atlas.configure(|settings| settings.add_instance(DEFAULT_PROJECT, "stock"));
    let client = TestClient::new(&atlas);
    let groups = "/api/atlas/v1.0/groups";
    let project = client.get(&format!("{groups}/{DEFAULT_PROJECT}")).await;
    assert_eq!((project.status, &project.json["id"]), (200, &json!(DEFAULT_PROJECT)));
    assert_eq!(client.get(&format!("{groups}/0123456789abcdef01234567")).await.code(), "GROUP_NOT_FOUND");
    let listed = client.get(&format!("{groups}/{DEFAULT_PROJECT}/serverless")).await.json;
    let names: Vec<_> = listed["results"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, [DEFAULT_INSTANCE, "stock"]);
    let backup = &listed["results"][0]["serverlessBackupOptions"];
    assert_eq!(backup["serverlessContinuousBackupEnabled"], true);
}

#[tokio::test]
async fn a_slash_at_the_end_of_a_path_is_overlooked() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let (with, without) = (client.get(&format!("{}/", endpoints())).await, client.get(&endpoints()).await);
    assert_eq!((with.status, with.json), (200, without.json));
}
