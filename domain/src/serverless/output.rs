//! The output ConfigMap: what it holds, and when it is written, kept and removed.
//!
//! It exists only while it has content, because a tool that finds an empty value substitutes it. Its name is recorded on the object
//! before it is created, so that it is also removed when the spec names another one. A ConfigMap that the operator did not create
//! is never changed, whichever object names it. Kubernetes deletes it with the object, which owns it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::serverless::endpoint::is_service_name;
use crate::serverless::status::Report;
use crate::status::Message;

/// The delay before a failed write of the ConfigMap is retried.
pub const RETRY: Duration = Duration::from_mins(1);

/// The key of the private SRV address.
const SRV_ADDRESS: &str = "privateSrvAddress";

/// The key of the VPC endpoint id.
const VPC_ENDPOINT: &str = "cloudProviderEndpointId";

/// The entries of the ConfigMap.
pub type Content = BTreeMap<String, String>;

/// The ConfigMaps of an object that have to be written or deleted now, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names<'a> {
    /// The former output, which is removed first.
    pub remove: Option<&'a str>,
    /// The output, which is filled, or deleted if it has no content.
    pub keep: Option<&'a str>,
}

/// Returns the ConfigMaps to write or delete. `declared` is the name in the spec, `recorded` the name of the last one created.
///
/// `fetched`: the report rests on a listing. A single unconfirmed response that withdraws an endpoint changes nothing.
#[must_use]
pub fn names<'a>(
    declared: Option<&'a str>,
    recorded: Option<&'a str>,
    deleting: bool,
    (report, fetched): (&Report, bool),
) -> Names<'a> {
    let is_known = !report.unchanged && fetched || report.lost;
    if deleting || declared.is_some() && !is_known {
        return Names { remove: None, keep: None };
    }
    Names { remove: recorded.filter(|recorded| Some(*recorded) != declared), keep: declared }
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

/// Returns the message that the name of the ConfigMap is taken.
#[must_use]
pub fn taken(name: &str) -> Message {
    format!("ConfigMap {name} exists and was not made for this object; delete it or name another in spec.outputConfigMap").into()
}

/// A ConfigMap as it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing<'a> {
    /// There is none.
    Absent,
    /// It is not the object's own.
    Foreign,
    /// It is the object's own.
    Own(&'a Content),
}

/// What to do with a ConfigMap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Nothing,
    /// Create it.
    Create,
    /// Replace its content.
    Fill,
    /// Delete it.
    Delete,
    /// Report that the name is taken.
    Taken,
}

/// Returns how the ConfigMap gets this content, or is deleted if there is none.
#[must_use]
pub fn change(existing: Existing<'_>, content: &Content) -> Change {
    match existing {
        Existing::Absent | Existing::Foreign if content.is_empty() => Change::Nothing,
        Existing::Absent => Change::Create,
        Existing::Foreign => Change::Taken,
        Existing::Own(_) if content.is_empty() => Change::Delete,
        Existing::Own(found) if found == content => Change::Nothing,
        Existing::Own(_) => Change::Fill,
    }
}
