//! What the output ConfigMap of an endpoint holds. When it is written, kept and removed is in
//! [`reconcile::output`](crate::reconcile::output).

use crate::reconcile::output::Content;
use crate::serverless::status::Report;
use crate::text::is_service_name;

/// The key of the private SRV address.
const SRV_ADDRESS: &str = "privateSrvAddress";

/// The key of the VPC endpoint id.
const VPC_ENDPOINT: &str = "cloudProviderEndpointId";

/// Returns `true` if it is known what the ConfigMap has to hold. `fetched`: the report rests on a listing. A single unconfirmed response
/// that withdraws an endpoint changes nothing.
#[must_use]
pub fn is_known(report: &Report, fetched: bool) -> bool {
    !report.unchanged && fetched || report.lost
}

/// Returns the VPC endpoint whose private SRV address belongs into the ConfigMap, if one is connected.
#[must_use]
pub fn connected(report: &Report) -> Option<&str> {
    let connected = report.endpoint.as_ref().filter(|endpoint| endpoint.status.facts().is_connected);
    connected?.vpc_endpoint_id.as_deref()
}

/// Returns the entries of the ConfigMap; none if it should not exist. The keys are names that Flux can substitute.
#[must_use]
pub fn content(report: &Report, srv_address: Option<String>) -> Content {
    let Some(endpoint) = report.endpoint.as_ref().filter(|_| !report.lost) else { return Content::new() };
    // A name that AWS cannot have assigned is left out, because other tools put these values into commands and manifests.
    let service = endpoint.service_name.clone().filter(|name| is_service_name(name));
    let Some(service) = service.filter(|_| !endpoint.status.facts().is_deleting) else {
        return Content::new();
    };
    let entries = [
        ("id", Some(endpoint.id.to_string())),
        ("region", region(&service)),
        ("endpointServiceName", Some(service)),
        (VPC_ENDPOINT, endpoint.vpc_endpoint_id.clone()),
        (SRV_ADDRESS, srv_address),
    ];
    entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// Returns the AWS region in `com.amazonaws.vpce.<region>.vpce-svc-…`.
fn region(service: &str) -> Option<String> {
    let region = service.strip_prefix("com.amazonaws.vpce.")?.split('.').next()?;
    (!region.is_empty()).then(|| region.to_owned())
}

/// Returns the private SRV address that a ConfigMap already holds for this VPC endpoint. It is trusted only while Atlas does not show
/// the address: anybody may have written it.
#[must_use]
pub fn known_address(content: &Content, vpc_endpoint: &str) -> Option<String> {
    let same = content.get(VPC_ENDPOINT).is_some_and(|id| id == vpc_endpoint);
    content.get(SRV_ADDRESS).filter(|_| same).cloned()
}
