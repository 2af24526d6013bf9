//! What a client may register at an endpoint service: the bodies of each provider, and what is wrong with them. Knows no state.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde_json::{Map, Value};

use super::{
    endpoint::{AtlasEndpoint, EndpointLink, EndpointRule},
    phase::EndpointPhase,
    provider::CloudProvider,
    service::AtlasService,
    settings::{DedicatedVariants, PortMappedKey},
};
use crate::{
    attributes::{attributes, text},
    errors::{self, ErrorResponse},
};

const IP_ADDRESS: &str = "privateEndpointIPAddress";

/// Returns the endpoint that the body of a POST requests at a service.
pub(crate) fn requested(
    body: &[u8],
    service: &AtlasService,
    variants: &DedicatedVariants,
) -> Result<AtlasEndpoint, ErrorResponse> {
    let provider = service.provider();
    let names: &[&str] = match provider {
        CloudProvider::Aws => &["id"],
        CloudProvider::Azure => &["id", IP_ADDRESS],
        CloudProvider::Gcp => &["endpointGroupName", "endpoints", "gcpProjectId"],
    };
    let attributes = attributes(body, names)?;
    let (id_name, link) = match provider {
        CloudProvider::Aws => ("id", EndpointLink::Aws),
        CloudProvider::Azure => (
            "id",
            EndpointLink::Azure { ip_address: address(&attributes, IP_ADDRESS)?, connection_name: None },
        ),
        CloudProvider::Gcp => {
            let is_port_mapped = service.place().is_port_mapped;
            let project_id = required(&attributes, "gcpProjectId")?;
            (
                "endpointGroupName",
                EndpointLink::Gcp { project_id, rules: rules(&attributes, service)?, is_port_mapped },
            )
        }
    };
    let mut id = required(&attributes, id_name)?;
    if !provider.is_endpoint_id(&id) {
        return Err(errors::invalid_attribute(id_name));
    }
    if let EndpointLink::Gcp { rules, is_port_mapped: true, .. } = &link
        && variants.gcp.port_mapped_key == PortMappedKey::EndpointName
        && let [rule] = rules.as_slice()
    {
        id.clone_from(&rule.name);
    }
    Ok(AtlasEndpoint::requested(&id, link))
}

/// Returns the forwarding rules: exactly one at a port-mapped service, otherwise one for each service attachment.
fn rules(
    attributes: &Map<String, Value>,
    service: &AtlasService,
) -> Result<Vec<EndpointRule>, ErrorResponse> {
    const NAME: &str = "endpoints";
    let given = match attributes.get(NAME) {
        None | Some(Value::Null) => return Err(errors::missing_attribute(NAME)),
        Some(Value::Array(given)) => given,
        Some(_) => return Err(errors::invalid_attribute(NAME)),
    };
    let rule = |given: &Value| {
        let Value::Object(attributes) = given else { return Err(errors::invalid_attribute(NAME)) };
        if let Some(unknown) =
            attributes.keys().find(|name| !["endpointName", "ipAddress"].contains(&name.as_str()))
        {
            return Err(errors::invalid_attribute(unknown));
        }
        Ok(EndpointRule {
            name: required(attributes, "endpointName")?,
            ip_address: address(attributes, "ipAddress")?,
            status: EndpointPhase::Initiating,
        })
    };
    let rules: Vec<EndpointRule> = given.iter().map(rule).collect::<Result<_, _>>()?;
    let names: BTreeSet<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    let fits = match service.targets().len() {
        _ if service.place().is_port_mapped => rules.len() == 1,
        // A service that is not made yet accepts nothing anyway.
        0 => !rules.is_empty(),
        attachments => rules.len() == attachments,
    };
    if fits && names.len() == rules.len() { Ok(rules) } else { Err(errors::invalid_attribute(NAME)) }
}

fn required(attributes: &Map<String, Value>, name: &'static str) -> Result<String, ErrorResponse> {
    let given = text(attributes, name)?.ok_or_else(|| errors::missing_attribute(name))?;
    if given.is_empty() { Err(errors::invalid_attribute(name)) } else { Ok(given) }
}

fn address(attributes: &Map<String, Value>, name: &'static str) -> Result<String, ErrorResponse> {
    let given = required(attributes, name)?;
    if given.parse::<Ipv4Addr>().is_ok() { Ok(given) } else { Err(errors::invalid_attribute(name)) }
}
