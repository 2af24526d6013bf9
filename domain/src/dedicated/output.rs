//! What the output ConfigMaps of a service and of an endpoint hold, and what may be taken out of them.
//!
//! When a ConfigMap is written, kept and removed is in [`reconcile::output`](crate::reconcile::output). There is no secret in it. Its keys
//! are names that Flux can substitute. Other tools put its values into commands and manifests, so a value that Atlas and the cloud
//! cannot have assigned is left out.

use crate::confirmation::Run;
use crate::instant::SinceBoot;
use crate::reconcile::output::Content;
use crate::text::is_service_name;
use crate::times::Times;

use super::cluster::ClusterName;
use super::decide::is_usable;
use super::endpoint::{ConnectionStatus, RegisteredEndpoint};
use super::life::{Entry, Life};
use super::observed::{ClusterStrings, ConnectionStrings, Listing, Observed, Shown, StringsByCluster};
use super::service::{EndpointService, ServiceStatus, ServiceTarget};
use super::status::{Fields, Report};

/// The key of the id of the service in Atlas.
const SERVICE: &str = "serviceId";

/// The key of the endpoint's id.
const ENDPOINT: &str = "endpointId";

/// The process that a client should reach first: if a cluster has several kinds, it is sharded, and its routers know where the data is.
const ROUTER: &str = "MONGOS";

/// Returns what the ConfigMap has to hold, nothing if it should not exist; `None` if that is not known now, so that it stays as it is.
#[must_use]
pub fn content(o: &Observed, report: &Report) -> Option<Content> {
    let Listing::Fetched(shown) = &o.listing else { return None };
    if report.unchanged {
        return None;
    }
    match &report.fields {
        Fields::Kept | Fields::Endpoint(None, _) => None,
        Fields::Withdrawn => Some(Content::new()),
        Fields::Service(service) => Some(of_service(service)),
        Fields::Endpoint(Some(endpoint), strings) => {
            let [declared, former @ ..] = &report.entries[..] else { return None };
            let is_served = |entry: &Entry| shown.is_listed(&entry.life);
            match is_connected(endpoint).then(|| of_endpoint(&declared.life, strings)) {
                // The former endpoint serves on until the strings behind the declared one can take the place of its strings.
                None if former.iter().any(is_served) => None,
                Some(_) if former.iter().any(is_served) && lacks_strings(o, shown, strings) => None,
                content => Some(content.unwrap_or_default()),
            }
        }
    }
}

/// Returns `true` if Atlas prepares a service again whose name the ConfigMap holds already: endpoints stay connected through it meanwhile.
#[must_use]
pub fn is_prepared_again(found: &Content, report: &Report) -> bool {
    let Fields::Service(service) = &report.fields else { return false };
    service.status == ServiceStatus::Initiating
        && found.get(SERVICE).is_some_and(|id| id == service.id.as_str())
}

fn is_connected(endpoint: &RegisteredEndpoint) -> bool {
    endpoint.status == ConnectionStatus::Available && !endpoint.is_delete_requested
}

/// Returns `true` if a cluster that exists has no strings yet.
fn lacks_strings(o: &Observed, shown: &Shown, strings: &StringsByCluster) -> bool {
    let exists = |cluster: &ClusterName| shown.strings_of(cluster) != ClusterStrings::NoCluster;
    let has = |cluster: &ClusterName| strings.get(cluster).is_some_and(|found| !found.is_empty());
    o.spec.iter().flat_map(|spec| &spec.clusters).any(|cluster| exists(cluster) && !has(cluster))
}

fn of_service(service: &EndpointService) -> Content {
    let mut content = Content::new();
    if !is_usable(service) {
        return content;
    }
    let mut add = |key: &str, value: String| drop(content.insert(key.to_owned(), value));
    let path = |text: &Option<String>| text.clone().filter(|text| is_path(text));
    match &service.target {
        ServiceTarget::Aws { endpoint_service_name, .. } => {
            let Some(name) = endpoint_service_name.clone().filter(|name| is_service_name(name)) else {
                return content;
            };
            add("endpointServiceName", name);
        }
        ServiceTarget::Azure { private_link_service_name: name, private_link_service_resource_id: id } => {
            let Some(id) = path(id) else { return content };
            add("privateLinkServiceResourceId", id);
            if let Some(name) = path(name) {
                add("privateLinkServiceName", name);
            }
        }
        ServiceTarget::Gcp { service_attachment_names: names, .. } => {
            // Some of them are not enough.
            if !names.iter().all(|name| is_path(name)) {
                return content;
            }
            add("serviceAttachmentNames", names.join(","));
        }
    }
    add(SERVICE, service.id.to_string());
    if let Some(region) = &service.region {
        add("regionName", region.to_string());
    }
    content
}

fn of_endpoint(life: &Life, strings: &StringsByCluster) -> Content {
    let mut content = Content::new();
    let mut add = |key: String, value: Option<String>| content.extend(value.map(|value| (key, value)));
    add(SERVICE.to_owned(), Some(life.service.to_string()));
    add(ENDPOINT.to_owned(), life.endpoint.as_ref().map(ToString::to_string));
    for (cluster, strings) in strings {
        let Some(best) = best(strings) else { continue };
        let name = variable(cluster);
        let checked = |text: &Option<String>, scheme| text.clone().filter(|text| leads_to(text, scheme));
        add(format!("srv_{name}"), checked(&best.srv, "mongodb+srv://"));
        add(format!("srvShardOptimized_{name}"), checked(&best.srv_shard_optimized, "mongodb+srv://"));
        add(format!("standard_{name}"), checked(&best.standard, "mongodb://"));
    }
    content
}

/// Returns the strings to use of those of one cluster behind one endpoint. All values come from the same ones.
fn best(strings: &[ConnectionStrings]) -> Option<&ConnectionStrings> {
    strings.iter().min_by_key(|strings| (strings.kind != ROUTER, *strings))
}

/// Returns the name of a cluster as a part of a variable's name. No two clusters have the same: the name of a cluster has no `_`.
fn variable(cluster: &ClusterName) -> String {
    cluster.as_str().replace('-', "_")
}

/// Returns `true` for a name or path that Azure and Google Cloud may have assigned, and that may stand in a command which people paste.
fn is_path(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'/' | b':'))
        && !text.starts_with('-')
}

/// Returns `true` for a connection string without credentials, whose characters are those of hosts and options.
fn leads_to(text: &str, scheme: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:,/?&=%".contains(&b);
    text.strip_prefix(scheme).is_some_and(|rest| {
        rest.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric()) && rest.bytes().all(is_plain)
    })
}

/// Returns `true` if `content` lacks something that the ConfigMap holds of what one of these entries records. What it holds of anything
/// else is over, as the record shows, and so are the strings of clusters that are not wanted any more.
#[must_use]
pub fn takes_out(found: &Content, content: &Content, entries: &[Entry], wanted: &[ClusterName]) -> bool {
    let id = |key: &str| found.get(key).map(String::as_str);
    let is_found = |Entry { life, .. }: &Entry| {
        let is_endpoint = match (&life.endpoint, id(ENDPOINT)) {
            (Some(endpoint), Some(found)) => endpoint.is(found),
            (None, None) => true,
            _ => false,
        };
        id(SERVICE) == Some(life.service.as_str()) && is_endpoint
    };
    let is_wanted = |key: &str| {
        key.split_once('_').is_none_or(|(_, name)| wanted.iter().any(|cluster| variable(cluster) == name))
    };
    let is_taken = |key: &String| !content.contains_key(key) && is_wanted(key);
    entries.iter().any(is_found) && found.keys().any(is_taken)
}

/// The listings that take something out of the ConfigMap: one that may be wrong for a moment takes out nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TakingOut(Option<Run>);

impl TakingOut {
    /// Continues or begins the run of such listings, with the one sent at `seen`. Returns `true` if it confirms an earlier one.
    pub fn is_confirmed(&mut self, seen: SinceBoot, times: &Times) -> bool {
        self.0.insert(Run::continued(self.0, seen, times)).lasting
    }

    /// Ends the run: a listing takes out nothing.
    pub fn end(&mut self) {
        self.0 = None;
    }
}
