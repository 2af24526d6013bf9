//! The JSON of endpoint services (dedicated-domain §1.1).
//!
//! Every field is optional but the `id`, and unknown fields are ignored. A service that cannot be parsed is an error, never
//! skipped. A malformed id or region is an error, for a repaired one would name another thing; the ids of endpoints are kept
//! as text, because Atlas takes any text for one.

use std::collections::BTreeSet;

use domain::dedicated::region::Region;
use domain::dedicated::service::{
    EndpointService, Provider, ServiceId, ServiceKey, ServiceStatus, ServiceTarget,
};
use serde_json::{Map, Value, json};

use crate::redact::SecretText;
use crate::{fields, list};

/// Parses a service of this provider. The error is a message of ours.
pub(crate) fn service(
    json: &Value,
    provider: Provider,
    secrets: &[SecretText],
) -> Result<EndpointService, String> {
    let id: ServiceId = fields::raw_text(json, "id")
        .and_then(|id| id.parse().ok())
        .ok_or("the response holds an endpoint service without a valid id")?;
    if fields::raw_text(json, "cloudProvider").is_some_and(|found| found != provider.as_str()) {
        return Err("the response holds an endpoint service of another cloud provider".to_owned());
    }
    let region = fields::raw_text(json, "regionName").map(region).transpose()?;
    let endpoints = match provider {
        Provider::Aws => "interfaceEndpoints",
        Provider::Azure => "privateEndpoints",
        Provider::Gcp => "endpointGroupNames",
    };
    let target = match provider {
        Provider::Aws => ServiceTarget::Aws {
            endpoint_service_name: fields::text(json, "endpointServiceName"),
            supported_remote_regions: fields::raw_texts(json, "supportedRemoteRegions")?
                .into_iter()
                .map(self::region)
                .collect::<Result<_, _>>()?,
        },
        Provider::Azure => ServiceTarget::Azure {
            private_link_service_name: fields::text(json, "privateLinkServiceName"),
            private_link_service_resource_id: fields::text(json, "privateLinkServiceResourceId"),
        },
        Provider::Gcp => ServiceTarget::Gcp {
            service_attachment_names: fields::texts(json, "serviceAttachmentNames")?,
            is_port_mapped: json.get("portMappingEnabled").and_then(Value::as_bool).unwrap_or(false),
        },
    };
    Ok(EndpointService {
        id,
        region,
        status: ServiceStatus::from(fields::text(json, "status").unwrap_or_default().as_str()),
        error_message: fields::error_message(json, secrets),
        endpoint_ids: fields::texts(json, endpoints)?,
        target,
    })
}

fn region(text: &str) -> Result<Region, String> {
    text.parse().map_err(|_| "the response holds an endpoint service with an invalid region".to_owned())
}

/// Parses a listing: complete, or an error.
pub(crate) fn services(
    json: &Value,
    provider: Provider,
    secrets: &[SecretText],
) -> Result<Vec<EndpointService>, String> {
    list::complete(json, "endpoint services", |element| service(element, provider, secrets))
}

/// Returns the body of a POST.
pub(crate) fn creation(key: &ServiceKey, remote_regions: &BTreeSet<Region>) -> Vec<u8> {
    let mut body = Map::new();
    body.insert("providerName".to_owned(), json!(key.services.provider.as_str()));
    body.insert("region".to_owned(), json!(key.region.as_str()));
    if key.services.provider == Provider::Gcp {
        body.insert("portMappingEnabled".to_owned(), json!(key.is_port_mapped));
    }
    if !remote_regions.is_empty() {
        body.insert("supportedRemoteRegions".to_owned(), regions(remote_regions));
    }
    Value::Object(body).to_string().into_bytes()
}

/// Returns the body of a PATCH. An empty list clears the regions.
pub(crate) fn change(provider: Provider, remote_regions: &BTreeSet<Region>) -> Vec<u8> {
    json!({ "cloudProvider": provider.as_str(), "supportedRemoteRegions": regions(remote_regions) })
        .to_string()
        .into_bytes()
}

fn regions(regions: &BTreeSet<Region>) -> Value {
    regions.iter().map(Region::as_str).collect()
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
