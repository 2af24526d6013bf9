//! Responses of the other operations, and the messages of their errors.

use atlas::{ApiVersion, DeleteOutcome, Outcome, Update, WriteResult};
use domain::fault::FaultKind;
use domain::serverless::endpoint::EndpointId;

use super::script::*;

fn id() -> EndpointId {
    ID.parse().unwrap()
}

#[tokio::test]
async fn each_operation_sends_what_the_api_asks_for() {
    let server = authenticated(|request| match (request.method.as_str(), request.target.as_str()) {
        ("DELETE", _) => Reaction::Send(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        ("GET", PATH) => json(200, &format!("[{}]", endpoint())),
        ("GET", target) if target.ends_with("/serverless/orders") => json(200, r#"{"stateName":"IDLE"}"#),
        _ => json(200, &endpoint()),
    });
    let (client, records) = server.client();
    let at = instance();
    assert_eq!(client.list(&at).await.unwrap().endpoints[0].id, id());
    let update = Update { comment: None, cloud_provider_endpoint_id: Some("vpce-0a1b".parse().unwrap()) };
    client.update(&at, &id(), &update).await.unwrap();
    assert_eq!(client.delete(&at, &id()).await.unwrap(), DeleteOutcome::Accepted);
    assert_eq!(client.instance(&at).await.unwrap().state_name, "IDLE");

    let seen: Vec<_> = server.seen()[1..]
        .iter()
        .map(|request| format!("{} {} {}", request.method, request.target, request.body))
        .collect();
    assert_eq!(
        seen,
        [
            format!("GET {PATH} "),
            format!(r#"PATCH {PATH}/{ID} {{"cloudProviderEndpointId":"vpce-0a1b","providerName":"AWS"}}"#),
            format!("DELETE {PATH}/{ID} "),
            "GET /api/atlas/v1.0/groups/5f7cac1adf5d6c6306f4b200/serverless/orders ".to_owned(),
        ]
    );
    assert_eq!(records.lines(), ["list 200 2", "update 200 1", "delete 204 1", "instance 200 1"]);
    for request in server.seen() {
        assert_eq!(request.header("accept"), Some("application/json"));
        assert_eq!(
            request.header("accept-encoding"),
            Some("identity"),
            "nothing here can decompress a response"
        );
        assert!(request.header("user-agent").unwrap().starts_with("spe-operator/"));
        let expected = (!request.body.is_empty()).then_some("application/json");
        assert_eq!(request.header("content-type"), expected);
    }
}

#[tokio::test]
async fn the_second_dialect_differs_in_prefix_and_media_type() {
    let server = authenticated(|_| json(200, &endpoint()));
    let (client, _) = server.client_with(|settings| settings.api_version = ApiVersion::V2);
    client.update(&instance(), &id(), &Update::default()).await.unwrap();
    for request in server.seen() {
        assert_eq!(request.target, format!("{}/{ID}", PATH.replace("v1.0", "v2")));
        assert_eq!(request.header("accept"), Some("application/vnd.atlas.2023-01-01+json"));
    }
    assert_eq!(server.seen()[1].header("content-type"), Some("application/vnd.atlas.2023-01-01+json"));
}

#[tokio::test]
async fn a_base_url_may_have_a_path_of_its_own() {
    for suffix in ["/prefix", "/prefix/"] {
        let server = authenticated(|_| json(200, "[]"));
        let (client, _) = client_of(&format!("{}{suffix}", server.url()), |_| {});
        client.list(&instance()).await.unwrap();
        assert_eq!(server.seen()[1].target, format!("/prefix{PATH}"));
    }
}

#[tokio::test]
async fn an_enveloped_list_is_understood() {
    for body in [
        r#"{"status":200,"results":[E],"totalCount":1}"#,
        r#"{"status":200,"content":[E]}"#,
        r#"{"status":200,"envelope":{"results":[E]}}"#,
    ] {
        let body = body.replace('E', &endpoint());
        let server = authenticated(move |_| json(200, &body));
        let (client, _) = server.client_with(|settings| settings.envelope = true);
        assert_eq!(client.list(&instance()).await.unwrap().endpoints.len(), 1);
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_trusted_whole_is_an_error() {
    for body in [
        "",
        "null",
        "{}",
        "[{}]",
        r#"[{"_id":"x"}]"#,
        "[",
        "[[]]",
        r#"{"results":[],"totalCount":3}"#,
        r#"{"results":[],"links":[{"rel":"next"}]}"#,
    ] {
        let server = authenticated(move |_| json(200, body));
        let (client, records) = server.client();
        let error = client.list(&instance()).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (FaultKind::Unavailable, Outcome::Malformed), "{body}");
        assert_eq!(records.lines(), ["list malformed 2"]);
    }
}

#[tokio::test]
async fn a_response_about_another_endpoint_is_an_error() {
    let other = endpoint().replace(ID, "5f7cac1adf5d6c6306f4b284");
    let server = authenticated(move |_| json(200, &other));
    let (client, _) = server.client();
    assert_eq!(
        client.update(&instance(), &id(), &Update::default()).await.unwrap_err().outcome(),
        Outcome::Malformed
    );
}

#[tokio::test]
async fn only_atlas_own_word_for_a_missing_endpoint_is_not_found() {
    for (status, body, expected) in [
        (200, String::new(), Ok(DeleteOutcome::Accepted)),
        (202, "{}".to_owned(), Ok(DeleteOutcome::Accepted)),
        (404, atlas_error(404, "TENANT_PRIVATE_ENDPOINT_NOT_FOUND", "d"), Ok(DeleteOutcome::NotFound)),
        (400, atlas_error(400, "TENANT_PRIVATE_ENDPOINT_NOT_FOUND", "d"), Ok(DeleteOutcome::NotFound)),
        (404, atlas_error(404, "GROUP_NOT_FOUND", "d"), Err(FaultKind::NoAccess)),
        (404, "<html>404</html>".to_owned(), Err(FaultKind::Unavailable)),
        (404, atlas_error(404, "CLUSTER_NOT_FOUND", "d"), Err(FaultKind::InstanceNotFound)),
        (
            400,
            atlas_error(400, "INVALID_ATTRIBUTE", "TENANT_PRIVATE_ENDPOINT_NOT_FOUND 404"),
            Err(FaultKind::Refused),
        ),
        (400, atlas_error(400, "NOT_SERVERLESS_TENANT_CLUSTER", "d"), Err(FaultKind::NotServerless)),
        (410, atlas_error(410, "VERSION_GONE", "d"), Err(FaultKind::Retired)),
        (410, String::new(), Err(FaultKind::Unavailable)),
        (500, atlas_error(500, "UNEXPECTED_ERROR", "d"), Err(FaultKind::Unavailable)),
    ] {
        let server = authenticated(move |_| json(status, &body));
        let (client, _) = server.client();
        let result = client.delete(&instance(), &id()).await.map_err(|error| error.kind());
        assert_eq!(result, expected, "{status}");
    }
}

#[tokio::test]
async fn a_message_names_operation_instance_response_and_next_step() {
    for (status, body, headers, expected) in [
        (
            403,
            r#"{"detail":"This organization requires access through an access list of ip ranges.","error":403,"errorCode":"ORG_REQUIRES_ACCESS_LIST","parameters":["203.0.113.7"],"reason":"Forbidden"}"#.to_owned(),
            "X: y",
            "failed to list the endpoints of 5f7cac1adf5d6c6306f4b200/orders: HTTP 403 ORG_REQUIRES_ACCESS_LIST: This organization requires access through an access list of ip ranges; add 203.0.113.7 to the API access list of API key abcdefgh (not to the project's IP access list)",
        ),
        (
            404,
            atlas_error(404, "GROUP_NOT_FOUND", "No group with ID 5f7cac1adf5d6c6306f4b200 exists."),
            "X: y",
            "failed to list the endpoints of 5f7cac1adf5d6c6306f4b200/orders: HTTP 404 GROUP_NOT_FOUND: No group with ID 5f7cac1adf5d6c6306f4b200 exists; check the project id, and that API key abcdefgh belongs to the organisation of this project",
        ),
        (
            401,
            atlas_error(401, "USER_UNAUTHORIZED", "Current user is not authorized to perform this action."),
            "X: y",
            "failed to list the endpoints of 5f7cac1adf5d6c6306f4b200/orders: HTTP 401 USER_UNAUTHORIZED: Current user is not authorized to perform this action; check the Secret entry of API key abcdefgh, and that it has the Project Owner role in this project",
        ),
        (
            429,
            atlas_error(429, "RATE_LIMITED_TOKEN_BUCKET", "Rate limit exceeded."),
            "Retry-After: 55",
            "failed to list the endpoints of 5f7cac1adf5d6c6306f4b200/orders: HTTP 429 RATE_LIMITED_TOKEN_BUCKET: Rate limit exceeded; retrying in 55 s",
        ),
        (
            503,
            "<html>MongoDB Cloud Manager Unavailable</html>".to_owned(),
            "X: y",
            "failed to list the endpoints of 5f7cac1adf5d6c6306f4b200/orders: no usable response: HTTP 503 without an error message of Atlas; retrying",
        ),
        (
            307,
            String::new(),
            "Location: https://elsewhere.example/",
            "failed to list the endpoints of 5f7cac1adf5d6c6306f4b200/orders: no usable response: HTTP 307 without an error message of Atlas; redirects are not followed: check the base URL",
        ),
    ] {
        let server = authenticated(move |_| Reaction::Send(bytes(status, &[headers], &body)));
        let (client, _) = server.client();
        let error = client.list(&instance()).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.fault().to_string(), expected);
        assert_eq!(error.outcome(), Outcome::Status(status));
        assert_eq!(server.seen().len(), 2, "nothing but the challenge and the call");
    }
}

#[tokio::test]
async fn retry_after_is_handed_on_with_every_status() {
    for (status, header, expected) in [
        (429, "Retry-After: 55", Some(55)),
        (503, "Retry-After: 7", Some(7)),
        (429, "Retry-After: 999999999", Some(3600)),
        (429, "Retry-After: soon", None),
    ] {
        let server = authenticated(move |_| Reaction::Send(bytes(status, &[header], "")));
        let (client, _) = server.client();
        let fault = client.list(&instance()).await.unwrap_err().fault();
        assert_eq!(fault.retry_after.map(|wait| wait.as_secs()), expected, "{header}");
    }
}

#[tokio::test]
async fn headers_that_others_on_the_way_spell_badly_are_passed_over() {
    const FOLDED: &str = "WWW-Authenticate: Digest realm=\"MMS Public API\",\r\n\tdomain=\"\",\r\n \tnonce=\"n\", \
                          algorithm=MD5,\r\n  qop=\"auth\", stale=false";
    for header in [
        "X-Cache : MISS",
        "Set-Cookie: ___utmv=a\x01b",
        "X-Trace: a\r\n\tb",
        "X Y: z",
        "no colon at all",
        ": no name",
        "X-Empty:",
        "X-\x07: bell",
        FOLDED,
    ] {
        let lines = if header == FOLDED { vec![header] } else { vec![header, CHALLENGE, header] };
        let server = Script::start(move |request| {
            let (status, body) = match (request.header("authorization"), request.method.as_str()) {
                (None, _) => (401, String::new()),
                (_, "GET") => (200, "[]".to_owned()),
                _ => (201, endpoint()),
            };
            Reaction::Send(bytes(status, &lines, &body))
        });
        let (client, records) = server.client();
        client.list(&instance()).await.expect(header);
        let creation = client.create(&instance(), "c", || true).await;
        assert!(matches!(creation, WriteResult::Executed(_)), "{header:?} {creation:?}");
        assert_eq!(records.lines(), ["list 200 2", "create 201 1"], "{header:?}");
    }
    let many: Vec<String> = (0..200).map(|n| format!("X-Hop-{n}: 1")).collect();
    let server = authenticated(move |_| {
        let lines: Vec<&str> = many.iter().map(String::as_str).collect();
        Reaction::Send(bytes(200, &lines, "[]"))
    });
    server.client().0.list(&instance()).await.unwrap();
}

#[tokio::test]
async fn a_refusal_that_atlas_did_not_write_is_an_outage() {
    for (status, body, next) in [
        (
            403,
            "<html>WAF</html>",
            "a proxy or firewall between the operator and Atlas may have refused the call",
        ),
        (403, "", "a proxy or firewall between the operator and Atlas may have refused the call"),
        (404, "default backend - 404", "check that the base URL leads to Atlas"),
        (404, r#"{"message":"no Route matched"}"#, "check that the base URL leads to Atlas"),
    ] {
        let server = authenticated(move |_| Reaction::Send(bytes(status, &[], body)));
        let (client, _) = server.client();
        let listed = client.list(&instance()).await.unwrap_err();
        let updated = client.update(&instance(), &id(), &Update::default()).await.unwrap_err();
        let deleted = client.delete(&instance(), &id()).await.unwrap_err();
        for error in [listed, updated, deleted] {
            assert_eq!((error.kind(), error.outcome()), (FaultKind::Unavailable, Outcome::Status(status)));
            assert!(error.to_string().ends_with(next), "{error}");
        }
    }
}

#[tokio::test]
async fn a_compressed_response_is_named_and_leaves_the_outcome_uncertain() {
    let packed = |status, body: &str| Reaction::Send(bytes(status, &["Content-Encoding: gzip"], body));
    let server = authenticated(move |request| match request.method.as_str() {
        "GET" => packed(200, "\u{1f}\u{8b}"),
        "POST" => packed(201, "\u{1f}\u{8b}"),
        _ => packed(404, "\u{1f}\u{8b}"),
    });
    let (client, _) = server.client();
    let error = client.list(&instance()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (FaultKind::Unavailable, Outcome::Malformed));
    assert!(error.to_string().contains("packed (gzip) although it was not requested packed"), "{error}");
    assert!(matches!(client.create(&instance(), "c", || true).await, WriteResult::Uncertain(_)));
    let error = client.delete(&instance(), &id()).await.unwrap_err();
    assert_eq!(error.kind(), FaultKind::Unavailable, "what stood in it may have named an instance");
    let plain = authenticated(|_| Reaction::Send(bytes(200, &["Content-Encoding: identity"], "[]")));
    plain.client().0.list(&instance()).await.unwrap();
}

/// Responds to the first two requests of a connection, and closes it instead of responding to the third.
fn forgetful() -> Script {
    authenticated(|request| if request.number == 2 { Reaction::Reset } else { json(200, "[]") })
}

#[tokio::test]
async fn a_get_on_a_connection_that_was_closed_while_idle_is_sent_once_more() {
    let server = forgetful();
    let (client, records) = server.client();
    client.list(&instance()).await.unwrap();
    client.list(&instance()).await.unwrap();
    assert_eq!(records.lines(), ["list 200 2", "list 200 2"]);
    let counts: Vec<_> = server.seen()[1..].iter().map(|request| request.digest("nc").unwrap()).collect();
    assert_eq!(counts, ["00000001", "00000002", "00000003"], "its proof is a new one");
}

#[tokio::test]
async fn only_a_get_is_and_only_once_and_never_on_a_new_connection() {
    let (at, id) = (instance(), id());
    for method in ["PATCH", "DELETE", "POST"] {
        let server = forgetful();
        let (client, _) = server.client();
        client.list(&at).await.unwrap();
        let outcome = match method {
            "PATCH" => client.update(&at, &id, &Update::default()).await.unwrap_err().outcome(),
            "DELETE" => client.delete(&at, &id).await.unwrap_err().outcome(),
            _ => match client.create(&at, "c", || true).await {
                WriteResult::Uncertain(error) => error.outcome(),
                other => panic!("{other:?}"),
            },
        };
        assert_eq!(outcome, Outcome::Interrupted, "{method}");
        assert_eq!(server.methods(), ["GET", "GET+", &format!("{method}+")]);
    }
    let server = authenticated(|request| if request.number >= 2 { Reaction::Reset } else { json(200, "[]") });
    let (client, _) = server.client();
    client.list(&at).await.unwrap();
    assert_eq!(client.list(&at).await.unwrap_err().outcome(), Outcome::Interrupted);
    assert_eq!(server.seen().len(), 4, "once more, and no third time");
    let server = Script::start(|_| Reaction::Reset);
    assert_eq!(server.client().0.list(&at).await.unwrap_err().outcome(), Outcome::Interrupted);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (client, records) = client_of(&format!("http://{closed}"), |_| {});
    let error = client.list(&instance()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (FaultKind::Unavailable, Outcome::Unreachable));
    assert!(error.to_string().contains(&format!("no connection to {closed}: Connection refused")), "{error}");
    assert_eq!(records.lines(), ["list unreachable 1"]);
}
