//! Takes a response out of its envelope: a success with its JSON, or an error of Atlas.
//!
//! Only a body with an `errorCode` counts as an error of Atlas, so the response of a proxy is never mistaken for one.

use std::net::IpAddr;
use std::time::Duration;

use domain::sunset::Sunset;
use serde_json::Value;

use super::http::RawResponse;
use super::outcome::Outcome;
use super::redact::{self, SecretText};

/// A response without its envelope.
pub(super) struct Response {
    /// The effective status: the enveloped one if a successful response has an envelope.
    pub(super) status: u16,
    /// The body, if it is JSON.
    pub(super) json: Option<Value>,
    /// The body as an Atlas error, if it is one.
    pub(super) error: Option<ErrorBody>,
    /// Why the body was not read to its end, if so.
    pub(super) broken: Option<Outcome>,
    /// The body is compressed, and so was not read.
    pub(super) packed: Option<String>,
    /// As in [`RawResponse`].
    pub(super) is_unknown_nonce_likely: bool,
    /// `Retry-After`.
    pub(super) retry_after: Option<Duration>,
    /// The announced end of the API.
    pub(super) sunset: Option<Sunset>,
    /// Secrets that the body may hold.
    pub(super) secrets: Vec<SecretText>,
}

impl Response {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether it is an error of Atlas with this code.
    pub(super) fn has_code(&self, code: &str) -> bool {
        self.error.as_ref().is_some_and(|error| error.code == code)
    }

    /// The body, if it is JSON.
    pub(super) fn json(&self) -> Result<&Value, String> {
        self.json.as_ref().ok_or_else(|| "the response is not JSON".to_owned())
    }
}

/// An error of Atlas.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ErrorBody {
    /// `errorCode`, never empty.
    pub(super) code: String,
    /// `detail` and the fields of `badRequestDetail`, else `reason`. As sent: clean it before it is shown.
    pub(super) detail: String,
    /// The first parameter that is an address.
    address: Option<IpAddr>,
}

impl ErrorBody {
    /// The caller's address, where Atlas reports that it is not on the access list.
    pub(super) fn access_list_address(&self) -> Option<IpAddr> {
        self.address
    }

    fn from_json(json: &Value) -> Option<Self> {
        let code = json.get("errorCode")?.as_str().filter(|code| !code.is_empty())?;
        let mut detail = [json.get("detail"), json.get("reason")]
            .into_iter()
            .flatten()
            .find_map(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let fields = json.pointer("/badRequestDetail/fields").and_then(Value::as_array);
        for field in fields.into_iter().flatten() {
            let [name, description] = ["field", "description"]
                .map(|key| field.get(key).and_then(Value::as_str).unwrap_or_default());
            detail = format!("{detail} ({name}: {description})");
        }
        let parameters = json.get("parameters").and_then(Value::as_array);
        let address =
            parameters.into_iter().flatten().filter_map(Value::as_str).find_map(|text| text.parse().ok());
        Some(Self { code: code.to_owned(), detail, address })
    }
}

/// The error codes of a token endpoint (RFC 6749 §5.2). The error pages of many servers have an `error` with other words.
const OAUTH_ERRORS: [&str; 6] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
];

/// An OAuth error (RFC 6749 §5.2), as the token endpoint sends it.
pub(super) fn oauth_error(json: &Value) -> Option<ErrorBody> {
    let code = json.get("error")?.as_str().filter(|code| OAUTH_ERRORS.contains(code))?;
    let detail = json.get("error_description").and_then(Value::as_str).unwrap_or_default();
    Some(ErrorBody { code: code.to_owned(), detail: detail.to_owned(), address: None })
}

/// Returns the error code of a response, if its body is an error of Atlas.
pub(super) fn error_code(raw: &RawResponse) -> Option<String> {
    let json: Value = serde_json::from_slice(raw.body.as_ref().ok()?).ok()?;
    ErrorBody::from_json(&unwrap_envelope(json).1?).map(|error| error.code)
}

/// Takes a response out of its envelope, error or not.
pub(super) fn open(raw: RawResponse) -> Response {
    let json = raw.body.as_ref().ok().and_then(|body| serde_json::from_slice(body).ok());
    let (status, json) = match json.map(unwrap_envelope) {
        // The enveloped status does not override an HTTP error: a proxy may have sent it around Atlas' response.
        Some((Some(inner), json)) if (200..300).contains(&raw.status) => (inner, json),
        Some((_, json)) => (raw.status, json),
        None => (raw.status, None),
    };
    let error = json.as_ref().and_then(ErrorBody::from_json);
    let packed = raw.coding.map(|coding| {
        let coding = redact::clean(&coding, &raw.secrets);
        format!("the response is packed ({coding}) although it was not requested packed; let the proxy before Atlas send it unchanged")
    });
    Response {
        status,
        json,
        error,
        broken: raw.body.err(),
        packed,
        is_unknown_nonce_likely: raw.is_unknown_nonce_likely,
        retry_after: raw.retry_after,
        sunset: raw.sunset,
        secrets: raw.secrets,
    }
}

/// Opens `{"status": 201, "envelope" | "content": {…}}`, and for lists `{"status": 200, "results": […]}`. An object
/// with an `_id` is an endpoint, whatever its `status`.
fn unwrap_envelope(json: Value) -> (Option<u16>, Option<Value>) {
    let status = match (json.get("status"), json.get("_id")) {
        // An invalid status code must not pass for success.
        (Some(Value::Number(status)), None) => {
            status.as_u64().and_then(|status| status.try_into().ok()).unwrap_or(0)
        }
        _ => return (None, Some(json)),
    };
    let inner = ["envelope", "content"].into_iter().find_map(|key| json.get(key)).cloned();
    (Some(status), inner.or(Some(json)))
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
