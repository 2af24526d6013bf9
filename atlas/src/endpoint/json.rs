//! The JSON of registered endpoints (dedicated-domain §1.2).
//!
//! Every field is optional but the id, which has a name of its own for each provider, and unknown fields are ignored.

use domain::dedicated::endpoint::{
    CloudEndpointId, ConnectionStatus, ForwardingRule, NewEndpoint, RegisteredEndpoint,
};
use domain::dedicated::service::Provider;
use serde_json::{Value, json};

use crate::fields;
use crate::redact::SecretText;

/// Parses an endpoint of this provider. The error is a message of ours.
pub(crate) fn endpoint(
    json: &Value,
    provider: Provider,
    secrets: &[SecretText],
) -> Result<RegisteredEndpoint, String> {
    let (id, status) = match provider {
        Provider::Aws => ("interfaceEndpointId", "connectionStatus"),
        Provider::Azure => ("privateEndpointResourceId", "status"),
        Provider::Gcp => ("endpointGroupName", "status"),
    };
    let parsed: CloudEndpointId = fields::raw_text(json, id)
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| format!("the response holds an endpoint without a valid {id}"))?;
    if fields::raw_text(json, "cloudProvider").is_some_and(|found| found != provider.as_str()) {
        return Err("the response holds an endpoint of another cloud provider".to_owned());
    }
    Ok(RegisteredEndpoint {
        id: parsed,
        status: ConnectionStatus::from(fields::text(json, status).unwrap_or_default().as_str()),
        is_delete_requested: json.get("deleteRequested").and_then(Value::as_bool).unwrap_or(false),
        error_message: fields::error_message(json, secrets),
    })
}

/// Returns the body of a POST.
pub(crate) fn creation(endpoint: &NewEndpoint) -> Vec<u8> {
    let body = match endpoint {
        NewEndpoint::Aws { id } => json!({ "id": id.as_str() }),
        NewEndpoint::Azure { id, ip_address } => {
            json!({ "id": id.as_str(), "privateEndpointIPAddress": ip_address })
        }
        NewEndpoint::Gcp { group_name, project_id, endpoints } => {
            let rule =
                |rule: &ForwardingRule| json!({ "endpointName": rule.name, "ipAddress": rule.ip_address });
            json!({
                "endpointGroupName": group_name.as_str(),
                "gcpProjectId": project_id,
                "endpoints": endpoints.iter().map(rule).collect::<Vec<_>>(),
            })
        }
    };
    body.to_string().into_bytes()
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
