//! The operations as they are recorded or documented: paths, bodies, statuses, errors.

use std::time::SystemTime;

use atlas_simulator::{DEFAULT_PROJECT, DedicatedPace, Key, Operation, Role};
use serde_json::json;

use super::*;

#[tokio::test]
async fn a_service_is_created_and_read_as_recorded() {
    let (atlas, client) = with(DedicatedPace::of(HOUR), |_| {}).await;
    let got = client.post(&services(), &region("eu-west-1")).await;
    assert_eq!(got.status, 201);
    assert_eq!(got.header("content-type"), "application/vnd.atlas.2023-01-01+json;charset=utf-8");
    assert_eq!((got.header("sunset"), got.header("ratelimit-limit")), ("", "4000"));
    let id = got.json["id"].as_str().unwrap().to_owned();
    let recorded = format!(
        r#"{{"cloudProvider":"AWS","endpointServiceName":null,"errorMessage":null,"id":"{id}","interfaceEndpoints":[],"regionName":"EU_WEST_1","status":"INITIATING","supportedRemoteRegions":null}}"#
    );
    assert_eq!(got.text, recorded);
    let born = u64::from_str_radix(&id[..8], 16).unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    assert!(now.abs_diff(born) <= 2, "born {born}, now {now}");
    assert_eq!(client.get(&service(&id)).await.text, recorded);
    assert_eq!(client.get(&format!("{}/AWS/endpointService", base())).await.text, format!("[{recorded}]"));
    for provider in ["AZURE", "GCP"] {
        assert_eq!(client.get(&format!("{}/{provider}/endpointService", base())).await.text, "[]");
        assert_eq!(client.get(&service(&id).replace("AWS", provider)).await.status, 404);
    }
    let entry =
        atlas.journal().into_iter().find(|entry| entry.is(Operation::CreateService) && entry.executed());
    assert_eq!(entry.unwrap().service, Some(id.clone()));
    atlas.set_dedicated_pace(DedicatedPace::of(Duration::ZERO));
    let ready = client.get(&service(&id)).await.json;
    assert_eq!(ready["status"], "AVAILABLE");
    let name = ready["endpointServiceName"].as_str().unwrap();
    assert!(name.starts_with("com.amazonaws.vpce.eu-west-1.vpce-svc-"), "{name}");
}

#[tokio::test]
async fn a_service_exists_once_for_each_region_until_it_is_gone() {
    let (atlas, client) = with(DedicatedPace::of(HOUR), |_| {}).await;
    let id = client.post(&services(), &region("US_EAST_1")).await.json["id"].as_str().unwrap().to_owned();
    let again = client.post(&services(), &region("us-east-1")).await;
    assert_eq!((again.status, again.code()), (409, "PRIVATE_ENDPOINT_SERVICE_ALREADY_EXISTS_FOR_REGION"));
    assert_eq!(again.json["detail"], "A private endpoint service already exists for AWS region US_EAST_1.");
    assert_eq!(
        (&again.json["reason"], &again.json["parameters"]),
        (&json!("Conflict"), &json!(["AWS", "US_EAST_1"]))
    );
    assert_eq!(client.post(&services(), &region("US_EAST_2")).await.status, 201);
    let deleted = client.delete(&service(&id)).await;
    assert_eq!((deleted.status, deleted.text.as_str()), (202, "{}"));
    assert_eq!(client.get(&service(&id)).await.json["status"], "DELETING");
    assert_eq!(client.post(&services(), &region("us-east-1")).await.status, 409);
    assert_eq!(client.delete(&service(&id)).await.status, 202);
    atlas.set_dedicated_pace(DedicatedPace::of(Duration::ZERO));
    let gone = client.get(&service(&id)).await;
    assert_eq!((gone.status, gone.code()), (404, "PRIVATE_ENDPOINT_SERVICE_NOT_FOUND"));
    assert_eq!(client.delete(&service(&id)).await.status, 404);
    let next = client.post(&services(), &region("us-east-1")).await;
    assert!(next.status == 201 && next.json["id"] != id.as_str());
}

#[tokio::test]
async fn an_endpoint_is_registered_once_and_keeps_its_service() {
    let (atlas, client, id, name) = with_service(DedicatedPace::of(HOUR), |_| {}).await;
    atlas.make_vpc_endpoint(VPC, &name);
    let path = format!("{}/endpoint", service(&id));
    let got = client.post(&path, &vpc(VPC)).await;
    let body = format!(
        r#"{{"cloudProvider":"AWS","connectionStatus":"PENDING_ACCEPTANCE","deleteRequested":false,"errorMessage":null,"interfaceEndpointId":"{VPC}"}}"#
    );
    assert_eq!((got.status, got.text.as_str()), (201, body.as_str()));
    assert_eq!(client.get(&endpoint(&id, VPC)).await.text, body);
    assert_eq!(client.get(&service(&id)).await.json["interfaceEndpoints"], json!([VPC]));
    let again = client.post(&path, &vpc(VPC)).await;
    assert_eq!((again.status, again.code()), (409, "PRIVATELINK_INTERFACE_ENDPOINT_ALREADY_EXISTS"));
    let kept = client.delete(&service(&id)).await;
    assert_eq!((kept.status, kept.code()), (409, "CANNOT_DELETE_PRIVATELINK_WITH_ENDPOINTS"));
    let deleted = client.delete(&endpoint(&id, VPC)).await;
    assert_eq!((deleted.status, deleted.text.as_str()), (202, "{}"));
    let deleting = client.get(&endpoint(&id, VPC)).await.json;
    assert_eq!(
        (&deleting["connectionStatus"], &deleting["deleteRequested"]),
        (&json!("DELETING"), &json!(true))
    );
    assert_eq!(client.delete(&service(&id)).await.status, 409);
    assert_eq!(client.post(&path, &vpc(VPC)).await.status, 409);
    let missing = client.get(&endpoint(&id, OTHER)).await;
    assert_eq!((missing.status, missing.code()), (404, "PRIVATELINK_INTERFACE_ENDPOINT_NOT_FOUND"));
}

#[tokio::test]
async fn invalid_requests_are_rejected_and_change_nothing() {
    let (atlas, client, id, _) = with_service(DedicatedPace::of(HOUR), |_| {}).await;
    let one = format!("{}/endpoint", service(&id));
    for (path, body, status, code) in [
        (&services(), "{", 400, "MALFORMED_JSON"),
        (&services(), r#"{"region": "EU_WEST_1"}"#, 400, "MISSING_ATTRIBUTE"),
        (&services(), r#"{"providerName": "AWS"}"#, 400, "MISSING_ATTRIBUTE"),
        (&services(), r#"{"providerName": "OVH", "region": "EU_WEST_1"}"#, 400, "INVALID_ENUM_VALUE"),
        (&services(), r#"{"providerName": "GCP", "region": "EU_WEST_1"}"#, 400, "INVALID_ATTRIBUTE"),
        (&services(), r#"{"providerName": "AWS", "region": "EU_WEST_9"}"#, 400, "INVALID_ATTRIBUTE"),
        (&services(), r#"{"providerName": "AWS", "region": "EU_WEST_1", "x": 1}"#, 400, "INVALID_ATTRIBUTE"),
        (&one, "{}", 400, "MISSING_ATTRIBUTE"),
        (&one, r#"{"id": "eni-1"}"#, 400, "INVALID_ATTRIBUTE"),
        (
            &one.replace(&id, &"0".repeat(24)),
            r#"{"id": "vpce-1"}"#,
            404,
            "PRIVATE_ENDPOINT_SERVICE_NOT_FOUND",
        ),
        (&one.replace(&id, "nowhere"), r#"{"id": "vpce-1"}"#, 400, "PATH_PARAM_PARSE_ERROR"),
        (&one.replace("AWS", "aws"), r#"{"id": "vpce-1"}"#, 400, "PATH_PARAM_PARSE_ERROR"),
        (&one.replace(DEFAULT_PROJECT, &"0".repeat(24)), r#"{"id": "vpce-1"}"#, 404, "GROUP_NOT_FOUND"),
    ] {
        let got = client.post(path, body).await;
        assert_eq!((got.status, got.code()), (status, code), "{path} {body}");
    }
    assert_eq!(client.patch(&service(&id), "{}").await.status, 405);
    assert_eq!(client.get(&format!("{}/AWS", base())).await.code(), "RESOURCE_NOT_FOUND");
    assert_eq!((atlas.services(DEFAULT_PROJECT).len(), atlas.registered_endpoints(&id).len()), (1, 0));
}

#[tokio::test]
async fn both_versions_have_the_paths_and_v2_demands_a_version() {
    let (atlas, client, id, _) = with_service(DedicatedPace::of(HOUR), |_| {}).await;
    let plain = TestClient::new(&atlas);
    assert_eq!(plain.get(&service(&id)).await.status, 406);
    assert_eq!(plain.get(&service(&id).replace("v2", "v1.0")).await.status, 200);
    let dated =
        |date: &str| plain.clone().with_header("Accept", format!("application/vnd.atlas.{date}+json"));
    assert_eq!(dated("2025-01-01").get(&service(&id)).await.status, 200);
    assert_eq!(dated("2022-01-01").get(&service(&id)).await.status, 406);
    assert_eq!(client.get(&service(&id)).await.status, 200);
}

#[tokio::test]
async fn a_reader_reads_and_a_stranger_finds_no_project() {
    let (atlas, _, id, _) = with_service(DedicatedPace::of(HOUR), |_| {}).await;
    atlas.add_key("reader", Key::of_project("secret", DEFAULT_PROJECT, Role::ReadOnly));
    atlas.add_key("stranger", Key::of_project("secret", &"c".repeat(24), Role::Owner));
    let reader = TestClient::with_key(&atlas, "reader", "secret").v2();
    assert_eq!(reader.get(&service(&id)).await.status, 200);
    for operation in Operation::DEDICATED_WRITES {
        let got = send(&reader, operation, &id, VPC).await.unwrap();
        assert_eq!(got.code(), "USER_UNAUTHORIZED", "{operation:?}");
    }
    let stranger = TestClient::with_key(&atlas, "stranger", "secret").v2();
    assert_eq!(stranger.get(&service(&id)).await.code(), "GROUP_NOT_FOUND");
}

#[tokio::test]
async fn remote_regions_are_checked_set_and_cleared() {
    let (atlas, client, id, _) = with_service(DedicatedPace::of(HOUR), |_| {}).await;
    let path = format!("{}/{id}", services());
    let change = async |provider: &str, regions: &str| {
        let body = format!(r#"{{"cloudProvider": "{provider}", "supportedRemoteRegions": {regions}}}"#);
        client.patch(&path, &body).await
    };
    for (provider, regions, code) in [
        ("AWS", r#"["us-west-2"]"#, "INVALID_ATTRIBUTE"),
        ("AWS", r#"["US_EAST_1"]"#, "CROSS_REGION_PRIVATE_LINK_SELF_REGION"),
        ("AZURE", r#"["US_WEST_2"]"#, "PROVIDER_UNSUPPORTED"),
        ("AWS", "null", "MISSING_ATTRIBUTE"),
    ] {
        let got = change(provider, regions).await;
        assert_eq!((got.status, got.code()), (400, code), "{provider} {regions}");
    }
    let set = change("AWS", r#"["US_WEST_2"]"#).await;
    assert_eq!((set.status, &set.json["status"]), (200, &json!("INITIATING")));
    assert_eq!(set.json["supportedRemoteRegions"], json!(["US_WEST_2"]));
    assert!(set.json["endpointServiceName"].is_string(), "{set:?}");
    assert_eq!(change("AWS", "[]").await.status, 409);
    atlas.set_dedicated_pace(DedicatedPace::of(Duration::ZERO));
    assert_eq!(change("AWS", "[]").await.json["supportedRemoteRegions"], json!(null));
    assert_eq!(client.get(&service(&id)).await.json["status"], "AVAILABLE");
    let body = r#"{"providerName": "AWS", "region": "EU_WEST_1", "supportedRemoteRegions": ["EU_WEST_2"]}"#;
    assert_eq!(client.post(&services(), body).await.json["supportedRemoteRegions"], json!(["EU_WEST_2"]));
}

#[tokio::test]
async fn without_regional_mode_several_endpoints_stay_in_one_region() {
    let (atlas, client, id, _) = with_service(DedicatedPace::of(HOUR), |_| {}).await;
    let elsewhere = atlas.insert_service(DEFAULT_PROJECT, AtlasService::available("EU_WEST_1"));
    let mode = format!("{}/regionalMode", base());
    let add =
        async |id: &str, vpc_id: &str| client.post(&format!("{}/endpoint", service(id)), &vpc(vpc_id)).await;
    assert_eq!(client.get(&mode).await.json, json!({"enabled": false}));
    assert_eq!((add(&id, VPC).await.status, add(&elsewhere, VPC).await.status), (201, 201));
    let got = add(&id, OTHER).await;
    assert_eq!((got.status, got.code()), (409, "MULTIPLE_PRIVATE_ENDPOINTS_RESTRICTED_TO_SINGLE_REGION"));
    assert_eq!(client.patch(&mode, r#"{"enabled": true}"#).await.status, 202);
    assert_eq!(add(&id, OTHER).await.status, 201);
    assert_eq!(client.patch(&mode, r#"{"enabled": false}"#).await.status, 409);
    assert_eq!(client.get(&mode).await.json, json!({"enabled": true}));
}

#[tokio::test]
async fn a_project_is_deleted_only_without_services() {
    let (atlas, client, id, _) = with_service(DedicatedPace::of(Duration::ZERO), |_| {}).await;
    let project = format!("/api/atlas/v2/groups/{DEFAULT_PROJECT}");
    assert_eq!(client.delete(&project).await.status, 409);
    assert!(atlas.remove_service(&id));
    assert_eq!(client.delete(&project).await.status, 202);
    assert_eq!(client.get(&project).await.code(), "GROUP_NOT_FOUND");
}
