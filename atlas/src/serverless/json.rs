//! The JSON of the API: endpoints and instances, and the bodies of requests.
//!
//! Every field is optional but an endpoint's `_id`, and unknown fields are ignored. An entry that cannot be parsed is
//! an error, never skipped: a listing that misses one endpoint would lead to a second one. Text is cleaned here, where
//! it comes in; a malformed id is an error, for a repaired one would name another thing.

use domain::ids::VpcEndpointId;
use domain::serverless::endpoint::{Endpoint, EndpointId, EndpointStatus};
use domain::text::kept;
use serde_json::{Map, Value, json};

use crate::redact::{self, SecretText};

/// Parses one endpoint. The error is a message of ours.
pub(crate) fn endpoint(json: &Value, secrets: &[SecretText]) -> Result<Endpoint, String> {
    let id: EndpointId = json
        .get("_id")
        .and_then(Value::as_str)
        .and_then(|id| id.parse().ok())
        .ok_or("the response holds an endpoint without a valid _id")?;
    let field = |name: &str| json.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    Ok(Endpoint {
        id,
        status: EndpointStatus::from(field("status").map(kept).unwrap_or_default().as_str()),
        comment: field("comment").map(kept).unwrap_or_default(),
        service_name: field("endpointServiceName").map(kept),
        vpc_endpoint_id: field("cloudProviderEndpointId").map(kept),
        error_message: field("errorMessage").map(|message| redact::clean(message, secrets)),
    })
}

/// Parses a listing: a bare array, or `{results}`. Complete, or an error.
pub(crate) fn endpoints(json: &Value, secrets: &[SecretText]) -> Result<Vec<Endpoint>, String> {
    let results = json
        .as_array()
        .or_else(|| json.get("results")?.as_array())
        .ok_or("the response is no list of endpoints")?;
    let total = json.get("totalCount").and_then(Value::as_u64).and_then(|total| usize::try_from(total).ok());
    if let Some(total) = total.filter(|total| *total > results.len()) {
        return Err(format!("the response holds only {} of {total} endpoints", results.len()));
    }
    let links = json.get("links").and_then(Value::as_array);
    if links.into_iter().flatten().any(|link| link.get("rel").and_then(Value::as_str) == Some("next")) {
        return Err("the response holds only the first page of the endpoints".to_owned());
    }
    results.iter().map(|element| endpoint(element, secrets)).collect()
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
    /// `endpoints[].endpointId`: ids of VPC endpoints, as Atlas reports them.
    pub vpc_endpoint_ids: Vec<String>,
    /// `srvConnectionString`: `mongodb+srv://…`.
    pub srv_connection_string: String,
}

/// Parses an instance. Connection strings without an address are skipped: there is nothing to connect to.
pub(crate) fn instance(json: &Value) -> Result<InstanceDescription, String> {
    if !json.is_object() {
        return Err("the response is no description of an instance".to_owned());
    }
    let text =
        |value: Option<&Value>| value.and_then(Value::as_str).filter(|text| !text.is_empty()).map(kept);
    let connections = json.pointer("/connectionStrings/privateEndpoint").and_then(Value::as_array);
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

/// Returns the body of a POST.
pub(crate) fn creation(comment: &str) -> Vec<u8> {
    json!({ "comment": comment }).to_string().into_bytes()
}

/// Returns the body of a PATCH. `providerName` is required even where it changes nothing.
pub(crate) fn change(comment: Option<&str>, vpc_endpoint_id: Option<&VpcEndpointId>) -> Vec<u8> {
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
#[path = "json_tests.rs"]
mod tests;
