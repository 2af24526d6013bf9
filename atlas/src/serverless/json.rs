//! The JSON of the API: endpoints and instances, and the bodies of requests.
//!
//! Every field is optional but an endpoint's `_id`, and unknown fields are ignored. An entry that cannot be parsed is
//! an error, never skipped: a listing that misses one endpoint would lead to a second one. Text is cleaned here, where
//! it comes in; a malformed id is an error, for a repaired one would name another thing.

use domain::ids::VpcEndpointId;
use domain::serverless::endpoint::{Endpoint, EndpointId, EndpointStatus};
use serde_json::{Map, Value, json};

use crate::redact::SecretText;
use crate::{fields, list};

/// Parses one endpoint. The error is a message of ours.
pub(crate) fn endpoint(json: &Value, secrets: &[SecretText]) -> Result<Endpoint, String> {
    let id: EndpointId = fields::raw_text(json, "_id")
        .and_then(|id| id.parse().ok())
        .ok_or("the response holds an endpoint without a valid _id")?;
    Ok(Endpoint {
        id,
        status: EndpointStatus::from(fields::text(json, "status").unwrap_or_default().as_str()),
        comment: fields::text(json, "comment").unwrap_or_default(),
        service_name: fields::text(json, "endpointServiceName"),
        vpc_endpoint_id: fields::text(json, "cloudProviderEndpointId"),
        error_message: fields::error_message(json, secrets),
    })
}

/// Parses a listing: complete, or an error.
pub(crate) fn endpoints(json: &Value, secrets: &[SecretText]) -> Result<Vec<Endpoint>, String> {
    list::complete(json, "endpoints", |element| endpoint(element, secrets))
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
    let connections = json.pointer("/connectionStrings/privateEndpoint").and_then(Value::as_array);
    let private_connections = connections
        .into_iter()
        .flatten()
        .filter_map(|connection| {
            let behind = connection.get("endpoints").and_then(Value::as_array);
            Some(PrivateConnection {
                srv_connection_string: fields::text(connection, "srvConnectionString")?,
                vpc_endpoint_ids: behind
                    .into_iter()
                    .flatten()
                    .filter_map(|one| fields::text(one, "endpointId"))
                    .collect(),
            })
        })
        .collect();
    Ok(InstanceDescription {
        state_name: fields::text(json, "stateName").unwrap_or_default(),
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
