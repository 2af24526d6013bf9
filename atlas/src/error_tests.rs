//! What messages contain: the operation, the server's response, and one next step.

use serde_json::{Value, json};

use super::super::http::RawResponse;
use super::super::response::open;
use super::*;

fn context(operation: Operation, credentials: &Credentials, check: impl FnOnce(&RequestContext<'_>)) {
    let project = "5f7cac1adf5d6c6306f4b200".parse().unwrap();
    let (attempt, subject) = ("failed to list orders", "orders");
    check(&RequestContext { operation, attempt, subject, project: &project, credentials });
}

fn key() -> Credentials {
    Credentials::key("abcdefgh", "hunter2").unwrap()
}

/// Returns the end of the message for a response to `operation`: the next step.
fn next_step(operation: Operation, status: u16, body: &Value, retry_after: Option<u64>) -> String {
    let mut next = String::new();
    context(operation, &key(), |context| {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let retry_after = retry_after.map(Duration::from_secs);
        let response = open(RawResponse { retry_after, ..RawResponse::of(status, text.as_bytes()) });
        let error = context.rejected(&response);
        assert_eq!((error.operation(), error.outcome()), (operation, Outcome::Status(status)));
        next = error.to_string().rsplit("; ").next().unwrap().to_owned();
    });
    next
}

#[test]
fn every_class_of_refusal_has_a_next_step_of_its_own() {
    use Operation::{List, Token};
    let code = |code: &str| json!({ "errorCode": code });
    let address = json!({"errorCode": "IP_ADDRESS_NOT_ON_ACCESS_LIST", "parameters": ["203.0.113.7"]});
    for (operation, status, body, retry_after, expected) in [
        (
            Token,
            401,
            Value::Null,
            None,
            "check the Secret entry of API key abcdefgh: its secret may be wrong, expired or revoked",
        ),
        (
            List,
            401,
            Value::Null,
            None,
            "check the Secret entry of API key abcdefgh, and that it has the Project Owner role in this project",
        ),
        (
            List,
            403,
            Value::Null,
            None,
            "a proxy or firewall between the operator and Atlas may have refused the call",
        ),
        (
            List,
            403,
            address,
            None,
            "add 203.0.113.7 to the API access list of API key abcdefgh (not to the project's IP access list)",
        ),
        (
            List,
            403,
            code("ACCESS_FORBIDDEN"),
            None,
            "API key abcdefgh needs the Project Owner role in this project, and this operator's address on its API access list",
        ),
        (List, 404, Value::Null, None, "check that the base URL leads to Atlas"),
        (
            List,
            404,
            code("GROUP_NOT_FOUND"),
            None,
            "check the project id, and that API key abcdefgh belongs to the organisation of this project",
        ),
        (List, 404, code("CLUSTER_NOT_FOUND"), None, "no such instance in this project"),
        (
            List,
            404,
            code("TENANT_PRIVATE_ENDPOINT_NOT_FOUND"),
            None,
            "it may have been deleted; the next listing shows whether it was",
        ),
        (
            List,
            400,
            code("NOT_SERVERLESS_TENANT_CLUSTER"),
            None,
            "the instance is no longer serverless: it is a Flex cluster, which has no private endpoints, or a dedicated one",
        ),
        (
            List,
            410,
            code("VERSION_GONE"),
            None,
            "Atlas has switched this API off, and nothing can be managed through it any more",
        ),
        (List, 429, code("RATE_LIMITED"), Some(7), "retrying in 7 s"),
        (List, 429, code("RATE_LIMITED"), None, "retrying later, and less often"),
        (List, 402, code("NO_PAYMENT_INFORMATION_FOUND"), None, "pay or fix the billing of the organisation"),
        (List, 406, code("INVALID_VERSION_DATE"), None, "check the API version (--atlas-api)"),
        (List, 400, code("INVALID_ATTRIBUTE"), None, "fix what Atlas reports"),
        (List, 307, Value::Null, None, "redirects are not followed: check the base URL"),
        (List, 399, Value::Null, None, "redirects are not followed: check the base URL"),
        (List, 500, Value::Null, None, "retrying"),
    ] {
        let next = next_step(operation, status, &body, retry_after);
        // A next step may itself have two halves.
        assert!(expected.split("; ").last() == Some(next.as_str()), "{status} {body}: {next}");
    }
}

#[test]
fn every_failure_without_a_response_has_a_next_step_of_its_own() {
    for (outcome, detail, expected) in [
        (Outcome::DeadlinePassed, "the time was over", "the operator decides again"),
        (Outcome::Unreachable, "Connection refused", "retrying"),
        (
            Outcome::NoChallenge,
            "no challenge",
            "check that the base URL leads to Atlas and that nothing in between asks for credentials; retrying",
        ),
        (
            Outcome::Malformed,
            "not JSON",
            "check that the base URL and the API version lead to Atlas; retrying",
        ),
        (Outcome::TimedOut, "no response within 30 s", "within 30 s; retrying"),
    ] {
        context(Operation::List, &key(), |context| {
            let error = context.failed(outcome, "", detail);
            assert_eq!((error.outcome(), error.kind()), (outcome, FaultKind::Unavailable));
            assert!(error.to_string().ends_with(expected), "{error}");
        });
    }
}

#[test]
fn an_outage_is_the_same_problem_however_it_shows_itself() {
    for operation in [Operation::List, Operation::Token] {
        context(operation, &key(), |context| {
            let rejected = |status: u16, code: &str| {
                let body = json!({ "errorCode": code, "detail": "d" }).to_string();
                context.rejected(&open(RawResponse::of(status, body.as_bytes())))
            };
            let all = [
                rejected(500, "UNEXPECTED_ERROR_8f21"),
                rejected(500, "UNEXPECTED_ERROR_93aa"),
                rejected(405, "WRITES_NOT_ALLOWED"),
                context.rejected(&open(RawResponse::of(502, b"<html>"))),
                context.rejected(&open(RawResponse {
                    retry_after: Some(Duration::from_secs(7)),
                    ..RawResponse::of(503, b"")
                })),
                context.rejected(&open(RawResponse::of(504, b""))),
                context.rejected(&open(RawResponse::of(307, b""))),
                context.failed(Outcome::Unreachable, "no connection to atlas", "Connection refused"),
                context.failed(Outcome::TimedOut, "no response within 30 s", ""),
                context.failed(Outcome::NoChallenge, "", "HTTP 401: Digest is not offered, only Basic"),
            ];
            for one in &all {
                for other in &all {
                    assert!(one.fault().message().is_shown_by(&other.to_string()), "{one} / {other}");
                }
                let refused = rejected(403, "ACCESS_FORBIDDEN").fault().message();
                assert!(!refused.is_shown_by(&one.to_string()), "{one}");
            }
        });
    }
}

#[test]
fn a_call_that_an_outage_holds_up_names_the_outage() {
    context(Operation::Create, &key(), |context| {
        let fault = context.rejected(&open(RawResponse::of(503, b""))).fault();
        let held = fault.met_by("failed to list orders").to_string();
        assert_eq!(held, "failed to list orders: no usable response; retrying");
    });
}

#[test]
fn a_message_begins_with_what_was_attempted() {
    for (operation, expected) in [
        (Operation::List, "failed to list orders: "),
        (Operation::Token, "failed to get a token for API key abcdefgh: "),
    ] {
        context(operation, &key(), |context| {
            let error = context.failed(Outcome::TimedOut, "no response", "");
            assert!(error.to_string().starts_with(expected), "{error}");
        });
    }
}
