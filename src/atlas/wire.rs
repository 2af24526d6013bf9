//! The JSON of the API: endpoints, instances, error bodies, envelopes.
//!
//! Everything is optional but an endpoint's `_id`, and unknown fields are ignored. What cannot be understood is an
//! error, never left out: a listing that misses one endpoint would lead to a second one.

use std::net::IpAddr;
use std::time::Duration;

use domain::endpoint::{Endpoint, EndpointId, EndpointStatus, VpcEndpointId};
use serde_json::{Map, Value, json};

use super::credentials::Secret;
use super::error::Outcome;
use super::http::Answer;
use super::text;

/// An answer, taken out of its envelope.
pub(super) struct Reply {
    /// The status that counts: the enveloped one of a successful answer that has an envelope.
    pub(super) status: u16,
    /// The body, if it is JSON.
    pub(super) json: Option<Value>,
    /// The body as an Atlas error, if it is one.
    pub(super) error: Option<ErrorBody>,
    /// Why the body was not read to its end, if so.
    pub(super) broken: Option<Outcome>,
    /// `Retry-After`.
    pub(super) retry_after: Option<Duration>,
    /// What may not be shown of it.
    pub(super) hidden: Vec<Secret>,
}

impl Reply {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// An error as Atlas words it.
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
    /// The caller's address, where Atlas says that it is not on the access list.
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
        let address = parameters
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .find_map(|text| text.parse().ok());
        Some(Self {
            code: code.to_owned(),
            detail,
            address,
        })
    }
}

/// An error in the words of OAuth (RFC 6749 §5.2), as the token endpoint sends it.
pub(super) fn oauth_error(json: &Value) -> Option<ErrorBody> {
    let code = json.get("error")?.as_str().filter(|code| !code.is_empty())?;
    let detail = json
        .get("error_description")
        .and_then(Value::as_str)
        .unwrap_or_default();
    Some(ErrorBody {
        code: code.to_owned(),
        detail: detail.to_owned(),
        address: None,
    })
}

/// Reads an answer: out of the envelope, error or not.
pub(super) fn open(answer: Answer) -> Reply {
    let json = answer
        .body
        .as_ref()
        .ok()
        .and_then(|body| serde_json::from_slice(body).ok());
    let (status, json) = match json.map(unwrap_envelope) {
        // A failing HTTP status is not improved by what stands inside: who sent it may not be who wrote it.
        Some((Some(inner), json)) if (200..300).contains(&answer.status) => (inner, json),
        Some((_, json)) => (answer.status, json),
        None => (answer.status, None),
    };
    let error = json.as_ref().and_then(ErrorBody::from_json);
    Reply {
        status,
        json,
        error,
        broken: answer.body.err(),
        retry_after: answer.retry_after,
        hidden: answer.hidden,
    }
}

/// `{"status": 201, "envelope" | "content": {…}}`, and for lists `{"status": 200, "results": […]}`. An endpoint also has a
/// `status`, but never a number.
fn unwrap_envelope(json: Value) -> (Option<u16>, Option<Value>) {
    let status = json
        .get("status")
        .and_then(Value::as_u64)
        .and_then(|status| u16::try_from(status).ok());
    match (status, json) {
        (Some(status), Value::Object(mut outer)) => {
            let inner = ["envelope", "content"]
                .into_iter()
                .find_map(|key| outer.remove(key));
            (Some(status), inner.or(Some(Value::Object(outer))))
        }
        (_, json) => (None, Some(json)),
    }
}

/// One endpoint. The text says what is wrong, in our words.
pub(super) fn endpoint(json: &Value, hidden: &[Secret]) -> Result<Endpoint, String> {
    let id: EndpointId = json
        .get("_id")
        .and_then(Value::as_str)
        .and_then(|id| id.parse().ok())
        .ok_or("the answer holds an endpoint without a valid _id")?;
    let field = |name: &str| {
        json.get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    Ok(Endpoint {
        id,
        status: EndpointStatus::from(field("status").unwrap_or_default().as_str()),
        comment: field("comment").unwrap_or_default(),
        service_name: field("endpointServiceName"),
        vpc_endpoint_id: field("cloudProviderEndpointId"),
        error_message: field("errorMessage").map(|message| text::clean(&message, hidden)),
    })
}

/// A listing: a bare array, or `{results}`. Whole, or an error.
pub(super) fn endpoints(json: &Value, hidden: &[Secret]) -> Result<Vec<Endpoint>, String> {
    let results = json
        .as_array()
        .or_else(|| json.get("results")?.as_array())
        .ok_or("the answer is no list of endpoints")?;
    let total = json
        .get("totalCount")
        .and_then(Value::as_u64)
        .and_then(|total| usize::try_from(total).ok());
    if let Some(total) = total.filter(|total| *total > results.len()) {
        return Err(format!(
            "the answer holds only {} of {total} endpoints",
            results.len()
        ));
    }
    results.iter().map(|element| endpoint(element, hidden)).collect()
}

/// A serverless instance, as far as endpoints need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceDescription {
    /// `stateName`: `IDLE`, `UPDATING`, …; empty where Atlas sent none.
    pub state_name: String,
    /// `connectionStrings.privateEndpoint`: empty until an endpoint is AVAILABLE, and for some time after.
    pub private_connections: Vec<PrivateConnection>,
}

/// The private address of an instance, and the VPC endpoints behind which it is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateConnection {
    /// `endpoints[].endpointId`: ids of VPC endpoints, as Atlas shows them.
    pub vpc_endpoint_ids: Vec<String>,
    /// `srvConnectionString`: `mongodb+srv://…`.
    pub srv_connection_string: String,
}

/// An instance's description. Connections without an address are left out: there is nothing to connect to.
pub(super) fn instance(json: &Value) -> Result<InstanceDescription, String> {
    if !json.is_object() {
        return Err("the answer is no description of an instance".to_owned());
    }
    let text = |value: Option<&Value>| {
        value
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let connections = json
        .pointer("/connectionStrings/privateEndpoint")
        .and_then(Value::as_array);
    let private_connections = connections
        .into_iter()
        .flatten()
        .filter_map(|connection| {
            let behind = connection.get("endpoints").and_then(Value::as_array);
            Some(PrivateConnection {
                srv_connection_string: text(connection.get("srvConnectionString"))?,
                vpc_endpoint_ids: behind
                    .into_iter()
                    .flatten()
                    .filter_map(|one| text(one.get("endpointId")))
                    .collect(),
            })
        })
        .collect();
    Ok(InstanceDescription {
        state_name: text(json.get("stateName")).unwrap_or_default(),
        private_connections,
    })
}

/// The body of a POST.
pub(super) fn creation(comment: &str) -> Vec<u8> {
    json!({ "comment": comment }).to_string().into_bytes()
}

/// The body of a PATCH. `providerName` is required even where it says nothing new.
pub(super) fn change(comment: Option<&str>, vpc_endpoint_id: Option<&VpcEndpointId>) -> Vec<u8> {
    let mut body = Map::new();
    body.insert("providerName".to_owned(), json!("AWS"));
    if let Some(comment) = comment {
        body.insert("comment".to_owned(), json!(comment));
    }
    if let Some(id) = vpc_endpoint_id {
        body.insert("cloudProviderEndpointId".to_owned(), json!(id.as_str()));
    }
    Value::Object(body).to_string().into_bytes()
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
