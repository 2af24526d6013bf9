//! Properties that hold for any bytes that a server may send: checked on random input and on the seeds of the fuzzer
//! (`fuzz/corpus`), and by the targets in `fuzz/`, which are the only reason that this is more than a test. No program
//! contains it.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "these are tests, also where the fuzzer runs them: one that is violated panics"
)]

pub mod dedicated;

use std::time::{Duration, SystemTime};

use domain::fault::FaultKind;
use domain::ids::ProjectId;
use domain::serverless::ownership::{mark_of, same_comment};
use domain::text::{MAX_BYTES, is_unfit, kept};
use serde_json::Value;
use tokio::time::Instant;

use super::auth::credentials::Credentials;
use super::auth::digest::Challenge;
use super::auth::token;
use super::auth::www_authenticate::{ChallengeError, choose};
use super::error::{AtlasError, RequestContext};
use super::http::{RawResponse, retry_after};
use super::operation::Operation;
use super::redact::{self, SecretText};
use super::serverless::{json, parse_endpoint};
use super::write_result::{WriteResult, classify_write};
use super::{classify, response};

/// Stands for every secret that a server could echo. The base64 of the pair is hidden, too.
const SECRET: &str = "hunter2-hunter2";

fn key() -> Credentials {
    Credentials::key("abcdefgh", SECRET).unwrap()
}

/// Checks `WWW-Authenticate` lines, one header a line.
pub fn challenge(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.split('\n').collect();
    let chosen = choose(lines.iter().copied());
    // Every line counts by itself, and the first usable challenge is chosen.
    let alone = lines.iter().find_map(|line| choose([*line]).ok());
    assert_eq!(chosen.as_ref().ok().map(Challenge::prompt), alone.as_ref().map(Challenge::prompt));
    let mut challenge = match chosen {
        Ok(challenge) => challenge,
        Err(why) => {
            assert!(
                why != ChallengeError::None || !lines.iter().any(|line| is_a_scheme_alone(line)),
                "{text:?}"
            );
            is_fit_to_be_shown(&redact::clean(&why.to_string(), &key().secrets()));
            return;
        }
    };
    let offered = text.to_ascii_lowercase();
    assert!(offered.contains("digest") && offered.contains("realm") && offered.contains("nonce"), "{text:?}");
    let prompt = challenge.prompt().clone();
    assert!(!prompt.nonce.is_empty());
    for (nth, method) in [(1, "GET"), (2, "POST")] {
        let Some(header) = challenge.respond(&key(), method, "/api?pretty=true") else {
            assert!(text.chars().any(char::is_control), "the response to {text:?} cannot be sent");
            return;
        };
        assert!(header.is_sensitive());
        let header = std::str::from_utf8(header.as_bytes()).unwrap();
        assert!(text.contains(SECRET) || !header.contains(SECRET), "{header}");
        // The response repeats the parameters of the challenge, as the server wrote it.
        let read = choose([header]).unwrap();
        let read = read.prompt();
        assert_eq!((&read.realm, &read.nonce, &read.opaque), (&prompt.realm, &prompt.nonce, &prompt.opaque));
        assert_eq!(read.algorithm, prompt.algorithm);
        let counted = header.contains(&format!("nc={nth:08}"));
        assert_eq!(counted, prompt.qop.is_some(), "{header}");
    }
}

/// Returns the scheme, such as `Basic`.
fn is_a_scheme_alone(line: &str) -> bool {
    !line.is_empty() && line.len() < 100 && line.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Checks a status (two bytes) and a body, as every operation reads them.
pub fn response(bytes: &[u8]) {
    let (status, body) = status_and_body(bytes);
    let raw = || RawResponse { secrets: key().secrets(), ..RawResponse::of(status, body) };
    let (project, key) = ("5f7cac1adf5d6c6306f4b283".parse().unwrap(), key());
    let context = |operation| context(operation, &project, &key);
    let opened = response::open(raw());
    let json = serde_json::from_slice::<Value>(body).ok();
    assert_eq!(opened.json.is_some(), json.is_some(), "JSON is never lost, and nothing else is JSON");
    assert!(status / 100 == 2 || opened.status == status, "a failing status is never improved");
    assert!(opened.error.as_ref().is_none_or(|error| !error.code.is_empty()));

    let listing =
        context(Operation::List).success(&opened, |reply| json::endpoints(reply.json()?, &reply.secrets));
    match listing {
        Ok(listing) => {
            let json = opened.json.as_ref().unwrap();
            let shown = json.as_array().or_else(|| json.get("results")?.as_array()).unwrap();
            assert_eq!(listing.len(), shown.len(), "none is left out");
            for (endpoint, shown) in listing.iter().zip(shown) {
                assert_eq!(shown.get("_id").and_then(Value::as_str), Some(endpoint.id.as_str()));
                let status = shown.get("status").and_then(Value::as_str).unwrap_or_default();
                assert_eq!(
                    endpoint.status.as_str(),
                    kept(status),
                    "a status is kept as it came, but fit to be shown"
                );
                let comment = shown.get("comment").and_then(Value::as_str).unwrap_or_default();
                assert!(same_comment(&endpoint.comment, comment), "a comment is still the same");
                assert_eq!(mark_of(&endpoint.comment), mark_of(comment), "and carries the same mark");
                for text in [&endpoint.comment, &kept(status)] {
                    assert!(text.len() <= MAX_BYTES && !text.chars().any(is_unfit), "{text:?}");
                }
                is_fit_to_be_shown(endpoint.error_message.as_deref().unwrap_or_default());
            }
        }
        Err(error) => is_well_said(&error, opened.status),
    }
    let instance = context(Operation::Instance).success(&opened, |reply| json::instance(reply.json()?));
    if let Ok(instance) = instance {
        assert!(instance.private_connections.iter().all(|one| !one.srv_connection_string.is_empty()));
    }

    match classify_write(context(Operation::Create), Ok(raw()), parse_endpoint).1 {
        WriteResult::Executed(endpoint) => {
            let json = opened.json.as_ref().unwrap();
            assert_eq!(json.get("_id").and_then(Value::as_str), Some(endpoint.id.as_str()));
            assert!((200..300).contains(&status) && opened.is_success());
        }
        WriteResult::Refused(error) => {
            is_well_said(&error, opened.status);
            assert!(opened.status == 401 || opened.error.is_some(), "who is not Atlas proves nothing");
            assert!((400..500).contains(&opened.status), "{}", opened.status);
        }
        WriteResult::Uncertain(error) => is_well_said(&error, opened.status),
    }

    if let Some(json) = &opened.json {
        if let Some(error) = response::oauth_error(json) {
            assert!(!error.code.is_empty());
        }
        let now = Instant::now();
        if let Some(token) = token::read(json, now) {
            assert!(token.header().is_sensitive());
        }
    }
}

/// Returns the status that the first two bytes say, and the rest.
fn status_and_body(bytes: &[u8]) -> (u16, &[u8]) {
    let (status, body) = bytes.split_at(bytes.len().min(2));
    let status = u16::from(*status.first().unwrap_or(&0)) * 5 + u16::from(*status.get(1).unwrap_or(&0)) % 5;
    (status, body)
}

/// Returns the context of a request.
fn context<'a>(
    operation: Operation,
    project: &'a ProjectId,
    credentials: &'a Credentials,
) -> RequestContext<'a> {
    RequestContext { operation, attempt: "failed to list orders", subject: "orders", project, credentials }
}

/// An error can be printed, and claims an absence only by Atlas' own code.
fn is_well_said(error: &AtlasError, status: u16) {
    let message = error.to_string();
    is_fit_to_be_shown(&message);
    assert!(message.starts_with("failed to "), "{message}");
    assert!(error.error_code().is_none_or(|code| code.chars().count() <= 64));
    let absence = matches!(
        error.kind(),
        FaultKind::InstanceNotFound
            | FaultKind::EndpointNotFound
            | FaultKind::ServiceNotFound
            | FaultKind::NotServerless
            | FaultKind::Retired
    );
    if absence {
        assert!([400, 404, 409, 410].contains(&status) && error.error_code().is_some(), "{message}");
    }
    if error.kind() == FaultKind::Conflict {
        assert!(status == 409 && error.error_code().is_some(), "{message}");
    }
    if (200..300).contains(&status) || status >= 500 {
        assert_eq!(error.kind(), FaultKind::Unavailable, "{message}");
    }
    assert!(!classify::is_definite_no(status, false) || status == 401);
}

/// Bounded, on one line, and without a secret.
fn is_fit_to_be_shown(text: &str) {
    assert!(text.chars().count() <= 3 * redact::MAX_CHARS, "{} characters", text.chars().count());
    assert!(!text.chars().any(char::is_control), "{text:?}");
    for secret in key().secrets() {
        assert!(!text.contains(secret.expose()), "{text:?}");
    }
}

/// Text of a server beside secrets: the first byte selects how they are joined.
pub fn shown(bytes: &[u8]) {
    let (how, rest) = bytes.split_at(bytes.len().min(1));
    let text = String::from_utf8_lossy(rest);
    let secret = match how.first().copied().unwrap_or(0) % 3 {
        0 => SECRET.to_owned(),
        1 => "two words".to_owned(),
        // The placeholders for a secret, and for the rest of a text, are no secrets.
        _ => text.chars().take(8).filter(|c| !"[hidden]…".contains(*c)).collect(),
    };
    let secrets = Credentials::key("abcdefgh", &secret).map(|key| key.secrets()).unwrap_or_default();
    let shown = redact::clean(&text, &secrets);
    assert!(shown.chars().count() <= redact::MAX_CHARS);
    assert_eq!(shown.trim(), shown);
    assert!(!shown.chars().any(char::is_control) && !shown.contains("  "), "{shown:?}");
    for secret in secrets.iter().map(SecretText::expose).filter(|secret| secret.len() >= 6) {
        assert!(!shown.contains(secret), "{secret:?} is shown: {shown:?}");
    }
    assert_eq!(redact::clean(&shown, &secrets), shown, "what was cleaned is clean");
}

/// Checks the time (eight bytes) and a `Retry-After`.
pub fn waiting(bytes: &[u8]) {
    let (time, value) = bytes.split_at(bytes.len().min(8));
    let seconds = time.iter().fold(0_u64, |seconds, byte| seconds << 8 | u64::from(*byte)) >> 20;
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let value = String::from_utf8_lossy(value);
    let wait = retry_after::parse(&value, now);
    assert!(wait.is_none_or(|wait| wait <= retry_after::MAX_RETRY_AFTER), "{value:?}");
    let trimmed = value.trim();
    if !trimmed.is_empty() && trimmed.bytes().all(|b| b.is_ascii_digit()) {
        let seconds = trimmed.parse().unwrap_or(u64::MAX).min(retry_after::MAX_RETRY_AFTER.as_secs());
        assert_eq!(wait, Some(Duration::from_secs(seconds)), "{value:?}");
    } else if let Some(wait) = wait {
        let date = httpdate::parse_http_date(trimmed).unwrap();
        assert_eq!(
            wait,
            date.duration_since(now).unwrap_or_default().min(retry_after::MAX_RETRY_AFTER),
            "{value:?}"
        );
    }
    assert_eq!(retry_after::parse(&format!(" {value}\t"), now), wait, "outer white space is ignored");
}

#[cfg(test)]
#[path = "properties_tests.rs"]
mod tests;
