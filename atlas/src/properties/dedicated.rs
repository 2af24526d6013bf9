//! Properties of the responses about services, endpoints and clusters: what is parsed is what was sent, in full, or it is an error.

use domain::dedicated::endpoint::RegisteredEndpoint;
use domain::dedicated::region::Region;
use domain::dedicated::service::{EndpointService, Provider, ServiceTarget};
use domain::text::{MAX_BYTES, is_unfit, kept};
use serde_json::{Value, json};

use super::{context, is_fit_to_be_shown, is_well_said, key, status_and_body};
use crate::cluster::json::{ClusterDescription, PrivateStrings, cluster};
use crate::endpoint::json::endpoint;
use crate::endpoint_service::json::{service, services};
use crate::http::RawResponse;
use crate::operation::Operation;
use crate::redact;
use crate::response::{self, Response};
use crate::write_result::{DeleteOutcome, WriteResult, classify_delete, classify_write};

/// The maximum number of bytes of a connection string.
const MAX_STRING_BYTES: usize = 16 * 1024;

/// Checks a status (two bytes) and a body, as the operations of dedicated clusters read them.
pub fn response(bytes: &[u8]) {
    let (status, body) = status_and_body(bytes);
    let raw = || RawResponse { secrets: key().secrets(), ..RawResponse::of(status, body) };
    let (project, key) = ("5f7cac1adf5d6c6306f4b283".parse().unwrap(), key());
    let context = |operation| context(operation, &project, &key);
    let opened = response::open(raw());
    match classify_delete(context(Operation::DeleteEndpoint), Ok(raw())).1 {
        WriteResult::Executed(DeleteOutcome::Accepted) => assert!(opened.is_success()),
        WriteResult::Executed(DeleteOutcome::NotFound) => {
            assert!(opened.status == 404 && opened.error.is_some(), "{}", opened.status);
        }
        WriteResult::Refused(error) => {
            is_well_said(&error, opened.status);
            assert!(opened.status == 401 || opened.error.is_some(), "who is not Atlas proves nothing");
        }
        WriteResult::Uncertain(error) => is_well_said(&error, opened.status),
    }
    for provider in Provider::ALL {
        let list = |reply: &Response| services(reply.json()?, provider, &reply.secrets);
        match context(Operation::ListServices).success(&opened, list) {
            Ok(listing) => is_complete(&listing, opened.json.as_ref().unwrap(), provider),
            Err(error) => is_well_said(&error, opened.status),
        }
        let one = |reply: &Response| service(reply.json()?, provider, &reply.secrets);
        match classify_write(context(Operation::CreateService), Ok(raw()), one).1 {
            WriteResult::Executed(service) => {
                assert!(opened.is_success());
                is_as_sent(&service, opened.json.as_ref().unwrap());
            }
            WriteResult::Refused(error) | WriteResult::Uncertain(error) => {
                is_well_said(&error, opened.status);
            }
        }
        let one = |reply: &Response| endpoint(reply.json()?, provider, &reply.secrets);
        match classify_write(context(Operation::CreateEndpoint), Ok(raw()), one).1 {
            WriteResult::Executed(endpoint) => {
                assert!(opened.is_success());
                is_the_endpoint_sent(&endpoint, opened.json.as_ref().unwrap(), provider);
            }
            WriteResult::Refused(error) | WriteResult::Uncertain(error) => {
                is_well_said(&error, opened.status);
            }
        }
    }
    match context(Operation::GetCluster).success(&opened, |reply| cluster(reply.json()?)) {
        Ok(cluster) => is_the_cluster_sent(&cluster, opened.json.as_ref().unwrap()),
        Err(error) => is_well_said(&error, opened.status),
    }
}

/// Returns a text of the response, if it has one there that is not empty.
fn sent<'a>(json: &'a Value, name: &str) -> Option<&'a str> {
    json.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// No text is longer than what is kept, and each can be printed.
fn is_kept(text: &str) {
    assert!(text.len() <= MAX_BYTES && !text.chars().any(is_unfit), "{text:?}");
}

/// A listing is what was sent, and means the same as a bare array and as a page.
fn is_complete(listing: &[EndpointService], json: &Value, provider: Provider) {
    let shown = json.as_array().or_else(|| json.get("results")?.as_array()).unwrap();
    assert_eq!(listing.len(), shown.len(), "none is left out");
    listing.iter().zip(shown).for_each(|(service, shown)| is_as_sent(service, shown));
    let number = shown.len();
    let secrets = key().secrets();
    for same in [json!(shown), json!({ "results": shown }), json!({ "results": shown, "totalCount": number })]
    {
        assert_eq!(services(&same, provider, &secrets).as_deref(), Ok(listing), "{same}");
    }
    for part in [
        json!({ "results": shown, "totalCount": number + 1 }),
        json!({ "results": shown, "links": [{"rel": "next", "href": "https://cloud.mongodb.com"}] }),
    ] {
        assert!(services(&part, provider, &secrets).is_err(), "a part is no listing: {part}");
    }
}

/// A service is what Atlas sent, with all of its endpoints, and can be printed.
fn is_as_sent(service: &EndpointService, shown: &Value) {
    assert_eq!(sent(shown, "id"), Some(service.id.as_str()), "no id is invented");
    let provider = service.target.provider();
    assert!(sent(shown, "cloudProvider").is_none_or(|found| found == provider.as_str()), "{shown}");
    let word = sent(shown, "status").unwrap_or_default();
    assert_eq!(service.status.as_str(), kept(word), "a status is kept as it came, but fit to be shown");
    let region = sent(shown, "regionName").map(str::parse::<Region>);
    assert_eq!(service.region.clone().map(Ok), region, "no region is repaired");
    let texts = |name: &str| -> Vec<String> {
        let all = shown.get(name).and_then(Value::as_array).into_iter().flatten();
        all.map(|text| kept(text.as_str().unwrap())).collect()
    };
    let text = |name: &str| sent(shown, name).map(kept);
    let endpoints = match &service.target {
        ServiceTarget::Aws { endpoint_service_name, supported_remote_regions } => {
            assert_eq!(*endpoint_service_name, text("endpointServiceName"));
            let regions = texts("supportedRemoteRegions");
            assert!(regions.iter().all(|text| supported_remote_regions.contains(&text.parse().unwrap())));
            assert!(supported_remote_regions.len() <= regions.len());
            "interfaceEndpoints"
        }
        ServiceTarget::Azure { private_link_service_name, private_link_service_resource_id } => {
            assert_eq!(*private_link_service_name, text("privateLinkServiceName"));
            assert_eq!(*private_link_service_resource_id, text("privateLinkServiceResourceId"));
            "privateEndpoints"
        }
        ServiceTarget::Gcp { service_attachment_names, is_port_mapped } => {
            assert_eq!(*service_attachment_names, texts("serviceAttachmentNames"));
            assert_eq!(*is_port_mapped, shown.get("portMappingEnabled") == Some(&json!(true)));
            "endpointGroupNames"
        }
    };
    assert_eq!(service.endpoint_ids, texts(endpoints), "no endpoint is left out");
    service.endpoint_ids.iter().for_each(|id| is_kept(id));
    is_the_error_sent(service.error_message.as_deref(), shown);
}

/// An error message is the one that was sent, cleaned.
fn is_the_error_sent(message: Option<&str>, shown: &Value) {
    let cleaned = sent(shown, "errorMessage").map(|text| redact::clean(text, &key().secrets()));
    assert_eq!(message, cleaned.as_deref());
    is_fit_to_be_shown(message.unwrap_or_default());
}

fn is_the_endpoint_sent(endpoint: &RegisteredEndpoint, shown: &Value, provider: Provider) {
    let (id, status) = match provider {
        Provider::Aws => ("interfaceEndpointId", "connectionStatus"),
        Provider::Azure => ("privateEndpointResourceId", "status"),
        Provider::Gcp => ("endpointGroupName", "status"),
    };
    assert_eq!(sent(shown, id), Some(endpoint.id.as_str()), "no id is invented");
    is_kept(endpoint.id.as_str());
    assert_eq!(endpoint.status.as_str(), kept(sent(shown, status).unwrap_or_default()), "{shown}");
    is_kept(endpoint.status.as_str());
    assert_eq!(endpoint.is_delete_requested, shown.get("deleteRequested") == Some(&json!(true)));
    is_the_error_sent(endpoint.error_message.as_deref(), shown);
}

/// Each connection string is one that was sent, whole, and stands behind the endpoints that stand beside it.
fn is_the_cluster_sent(cluster: &ClusterDescription, shown: &Value) {
    assert_eq!(cluster.state_name, kept(sent(shown, "stateName").unwrap_or_default()));
    let entries = shown.pointer("/connectionStrings/privateEndpoint").and_then(Value::as_array);
    let names = ["connectionString", "srvConnectionString", "srvShardOptimizedConnectionString"];
    let has_string = |entry: &&Value| names.iter().any(|name| sent(entry, name).is_some());
    let entries: Vec<_> = entries.into_iter().flatten().filter(has_string).collect();
    assert_eq!(cluster.private_strings.len(), entries.len(), "none is left out");
    for (strings, entry) in cluster.private_strings.iter().zip(entries) {
        let PrivateStrings { endpoint_ids, kind, standard, srv, srv_shard_optimized } = strings;
        for (name, found) in names.iter().zip([standard, srv, srv_shard_optimized]) {
            assert_eq!(found.as_deref(), sent(entry, name), "a shorter string would lead elsewhere");
            let is_fit = |text: &str| text.len() <= MAX_STRING_BYTES && !text.chars().any(is_unfit);
            assert!(found.as_deref().is_none_or(is_fit), "{found:?}");
        }
        assert_eq!(*kind, kept(sent(entry, "type").unwrap_or_default()));
        let behind = entry.get("endpoints").and_then(Value::as_array).into_iter().flatten();
        let behind: Vec<_> = behind.filter_map(|one| sent(one, "endpointId").map(kept)).collect();
        assert_eq!(*endpoint_ids, behind, "{entry}");
    }
}
