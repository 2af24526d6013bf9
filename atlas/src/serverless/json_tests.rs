//! Bodies as Atlas sends them, and malformed ones.

use super::*;

const ID: &str = "5f7cac1adf5d6c6306f4b283";

fn page_example() -> Value {
    json!({
        "_id": ID, "cloudProviderEndpointId": "vpce-fcac938279cd98dc894", "comment": "example comment",
        "endpointServiceName": "com.amazonaws.vpce.us-east-1.vpce-svc-0afd34ee97e30d43f", "errorMessage": null,
        "status": "AVAILABLE"
    })
}

#[test]
fn the_example_of_the_api_page_is_an_endpoint() {
    let endpoint = endpoint(&page_example(), &[]).unwrap();
    assert_eq!(endpoint.id.as_str(), ID);
    assert_eq!(endpoint.status, EndpointStatus::Available);
    assert_eq!(endpoint.comment, "example comment");
    assert_eq!(
        endpoint.service_name.as_deref(),
        Some("com.amazonaws.vpce.us-east-1.vpce-svc-0afd34ee97e30d43f")
    );
    assert_eq!(endpoint.vpc_endpoint_id.as_deref(), Some("vpce-fcac938279cd98dc894"));
    assert_eq!(endpoint.error_message, None);
}

#[test]
fn every_field_but_the_id_may_be_absent_null_or_of_another_type() {
    let bare = endpoint(&json!({"_id": ID}), &[]).unwrap();
    let odd = json!({
        "_id": ID, "status": null, "comment": 7, "endpointServiceName": "", "errorMessage": [], "cloudProviderEndpointId": {},
        "providerName": "AWS", "later": {"added": true}
    });
    assert_eq!(endpoint(&odd, &[]).unwrap(), bare);
    assert_eq!(bare.status, EndpointStatus::Other(String::new()));
    let unknown = endpoint(&json!({"_id": ID, "status": "PENDING_ACCEPTANCE"}), &[]).unwrap();
    assert_eq!(unknown.status.as_str(), "PENDING_ACCEPTANCE");
}

#[test]
fn an_endpoint_without_a_valid_id_is_an_error_and_so_is_a_list_that_holds_one() {
    for bad in [
        json!({}),
        json!({"_id": null}),
        json!({"_id": 5}),
        json!({"_id": "../groups"}),
        json!("x"),
        json!(null),
    ] {
        assert!(endpoint(&bad, &[]).is_err(), "{bad}");
        assert!(endpoints(&json!([page_example(), bad]), &[]).is_err());
    }
}

#[test]
fn a_list_is_a_bare_array_or_has_results_and_is_never_a_part() {
    assert_eq!(endpoints(&json!([]), &[]).unwrap(), []);
    assert_eq!(endpoints(&json!([page_example()]), &[]).unwrap().len(), 1);
    let paged = json!({"results": [page_example()], "links": [], "totalCount": 1});
    assert_eq!(endpoints(&paged, &[]).unwrap().len(), 1);
    let part = json!({"results": [page_example()], "links": [], "totalCount": 2});
    assert_eq!(endpoints(&part, &[]).unwrap_err(), "the response holds only 1 of 2 endpoints");
    let next =
        json!({"results": [page_example()], "links": [{"rel": "next", "href": "https://x/?pageNum=2"}]});
    assert_eq!(endpoints(&next, &[]).unwrap_err(), "the response holds only the first page of the endpoints");
    for bad in [json!({}), json!(null), json!("[]"), json!({"results": null}), page_example()] {
        assert!(endpoints(&bad, &[]).is_err(), "{bad}");
    }
}

#[test]
fn an_error_message_of_atlas_is_cleaned_and_the_spaces_of_a_comment_stay() {
    let raw =
        json!({"_id": ID, "errorMessage": "No dns\r\nentries \u{1b}[31mfound", "comment": " two  spaces "});
    let endpoint = endpoint(&raw, &[]).unwrap();
    assert_eq!(endpoint.error_message.as_deref(), Some("No dns entries [31mfound"));
    assert_eq!(endpoint.comment, " two  spaces ");
}

#[test]
fn no_text_of_an_endpoint_or_an_instance_is_unfit_or_longer_than_a_kibibyte() {
    let text = format!("x\u{1b}]0;owned\u{7}\r\n\u{202e}{}", "y".repeat(100_000));
    let raw = json!({
        "_id": ID, "status": text, "comment": text, "endpointServiceName": text, "cloudProviderEndpointId": text,
        "errorMessage": text,
    });
    let endpoint = endpoint(&raw, &[]).unwrap();
    let described = instance(&json!({"stateName": text, "connectionStrings": {"privateEndpoint": [
        {"srvConnectionString": text, "endpoints": [{"endpointId": text}]}]}}))
    .unwrap();
    let connection = &described.private_connections[0];
    for shown in [
        endpoint.status.as_str(),
        &endpoint.comment,
        endpoint.service_name.as_deref().unwrap(),
        endpoint.vpc_endpoint_id.as_deref().unwrap(),
        endpoint.error_message.as_deref().unwrap(),
        &described.state_name,
        &connection.srv_connection_string,
        &connection.vpc_endpoint_ids[0],
    ] {
        assert!(shown.starts_with('x') && shown.len() <= domain::text::MAX_BYTES, "{shown}");
        assert!(!shown.chars().any(domain::text::is_unfit), "{shown:?}");
    }
}

#[test]
fn a_repaired_word_never_passes_for_a_known_one() {
    let raw = json!({"_id": ID, "status": "AVAILABLE\u{200b}", "cloudProviderEndpointId": "vpce-0a\u{200b}"});
    let repaired = endpoint(&raw, &[]).unwrap();
    assert_eq!(repaired.status.as_str(), "AVAILABLE\u{fffd}");
    assert!(repaired.vpc_endpoint_id.unwrap().parse::<VpcEndpointId>().is_err());
    assert!(endpoint(&json!({"_id": format!("{ID}\u{200b}")}), &[]).is_err());
}

#[test]
fn an_instance_is_described_by_its_state_and_private_connections() {
    let described = instance(&json!({
        "stateName": "IDLE",
        "connectionStrings": {
            "standardSrv": "mongodb+srv://main.xxxx.mongodb.net",
            "privateEndpoint": [
                {"endpoints": [{"endpointId": "vpce-1", "providerName": "AWS", "region": "US_EAST_1"}],
                 "srvConnectionString": "mongodb+srv://main-pe-0.xxxx.mongodb.net", "type": "MONGOS"},
                {"endpoints": [{"endpointId": "vpce-2"}], "srvConnectionString": null}
            ]
        }
    }));
    let connection = PrivateConnection {
        vpc_endpoint_ids: vec!["vpce-1".to_owned()],
        srv_connection_string: "mongodb+srv://main-pe-0.xxxx.mongodb.net".to_owned(),
    };
    let expected =
        InstanceDescription { state_name: "IDLE".to_owned(), private_connections: vec![connection] };
    assert_eq!(described.unwrap(), expected);
    let bare = InstanceDescription { state_name: String::new(), private_connections: Vec::new() };
    assert_eq!(instance(&json!({"connectionStrings": {"privateEndpoint": null}})).unwrap(), bare);
    assert!(instance(&json!([])).is_err());
}

#[test]
fn a_change_always_names_the_provider() {
    let id: VpcEndpointId = "vpce-0a".parse().unwrap();
    for (comment, id, expected) in [
        (None, None, r#"{"providerName":"AWS"}"#),
        (Some("a\"b"), None, r#"{"comment":"a\"b","providerName":"AWS"}"#),
        (None, Some(&id), r#"{"cloudProviderEndpointId":"vpce-0a","providerName":"AWS"}"#),
    ] {
        let body: Value = serde_json::from_slice(&change(comment, id)).unwrap();
        assert_eq!(body, serde_json::from_str::<Value>(expected).unwrap());
    }
    assert_eq!(creation("c"), br#"{"comment":"c"}"#);
}
