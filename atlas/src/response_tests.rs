//! Responses as Atlas sends them, and as intermediaries do.

use serde_json::json;

use super::super::serverless::json::endpoints;
use super::*;

const ID: &str = "5f7cac1adf5d6c6306f4b283";

fn raw(status: u16, body: &str) -> RawResponse {
    RawResponse::of(status, body.as_bytes())
}

fn page_example() -> Value {
    json!({"_id": ID, "comment": "example comment", "status": "AVAILABLE"})
}

#[test]
fn an_envelope_is_opened_and_its_status_counts() {
    for key in ["envelope", "content"] {
        let response = open(raw(200, &json!({"status": 201, key: page_example()}).to_string()));
        assert_eq!(response.status, 201);
        assert_eq!(response.json, Some(page_example()));
    }
    let list = open(raw(200, &json!({"status": 200, "results": [page_example()]}).to_string()));
    assert_eq!(endpoints(&list.json.unwrap(), &[]).unwrap().len(), 1);
    let list = open(raw(200, &json!({"status": 200, "content": [page_example()]}).to_string()));
    assert_eq!(endpoints(&list.json.unwrap(), &[]).unwrap().len(), 1);
    let gone = open(raw(200, &json!({"status": 204}).to_string()));
    assert_eq!(gone.status, 204);
    let error = open(raw(
        200,
        r#"{"status":404,"envelope":{"error":404,"errorCode":"GROUP_NOT_FOUND","detail":"d"}}"#,
    ));
    assert_eq!((error.status, error.error.unwrap().code.as_str()), (404, "GROUP_NOT_FOUND"));
}

#[test]
fn an_endpoint_is_no_envelope() {
    let response = open(raw(201, &page_example().to_string()));
    assert_eq!((response.status, response.json), (201, Some(page_example())));
    let odd = json!({"_id": ID, "status": 7});
    let response = open(raw(201, &odd.to_string()));
    assert_eq!((response.status, response.json), (201, Some(odd)));
}

#[test]
fn a_failing_status_is_not_improved_by_an_envelope() {
    let response = open(raw(502, &json!({"status": 201, "envelope": page_example()}).to_string()));
    assert_eq!(response.status, 502);
    for odd in ["70000", "-1", "2.5", "7", "0"] {
        let response = open(raw(200, &format!(r#"{{"status":{odd},"envelope":{{"_id":"{ID}"}}}}"#)));
        assert!(!response.is_success(), "{odd}");
    }
}

#[test]
fn an_atlas_error_is_one_that_has_an_error_code() {
    let body = r#"{"detail":"IP address 203.0.113.7 is not allowed to access this resource.","error":403,
        "errorCode":"IP_ADDRESS_NOT_ON_ACCESS_LIST","parameters":["x","203.0.113.7"],"reason":"Forbidden"}"#;
    let error = open(raw(403, body)).error.unwrap();
    assert_eq!(error.code, "IP_ADDRESS_NOT_ON_ACCESS_LIST");
    assert_eq!(error.access_list_address(), Some("203.0.113.7".parse().unwrap()));
    let fields = r#"{"detail":"Validation error.","errorCode":"VALIDATION_ERROR","parameters":null,
        "badRequestDetail":{"fields":[{"field":"comment","description":"too long"}]}}"#;
    assert_eq!(open(raw(400, fields)).error.unwrap().detail, "Validation error. (comment: too long)");
    assert_eq!(
        open(raw(401, r#"{"errorCode":"X","reason":"Unauthorized"}"#)).error.unwrap().detail,
        "Unauthorized"
    );
    for body in [
        "",
        "<html>",
        "{}",
        "[]",
        "null",
        r#"{"errorCode":""}"#,
        r#"{"errorCode":null}"#,
        r#"{"errorCode":7}"#,
    ] {
        assert_eq!(open(raw(403, body)).error, None, "{body}");
    }
}

#[test]
fn json_that_is_nested_without_end_is_no_json() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(open(raw(200, &deep)).json, None);
}
