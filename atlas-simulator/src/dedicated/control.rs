//! The part of the control API for dedicated clusters: services and endpoints by the hand of others, and what the user has in the
//! cloud. JSON in, JSON out.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    cloud::Cloud,
    endpoint::AtlasEndpoint,
    others::OthersAction,
    project::{EndpointCourse, ServiceCourse},
    provider::CloudProvider,
    service::{AtlasService, ServicePlace},
};
use crate::{
    control_json::{ControlError, merged, read, show, typed},
    endpoint::Deviation,
    state::{IncomingRequest, SimulatorState},
    timeline::ChangeCause,
};

/// The routes.
pub(crate) const CALLS: [&str; 19] = [
    "GET    /control/services             ?project=<id>: with all that they ever were",
    "POST   /control/services             {\"project\", \"provider\" (AWS), \"region\", \"port_mapping\" (false)}: AVAILABLE at once",
    "PATCH  /control/services/<id>        a part of the service",
    "DELETE /control/services/<id>        at once",
    "POST   /control/services/<id>/deviations   one deviation",
    "POST   /control/services/<id>/endpoints    {\"id\"}, in Atlas",
    "PATCH  /control/services/<id>/endpoints/<id>   a part of the endpoint",
    "DELETE /control/services/<id>/endpoints/<id>   at once",
    "POST   /control/services/<id>/endpoints/<id>/deviations   one deviation",
    "GET    /control/vpc-endpoints        those that exist in AWS",
    "POST   /control/vpc-endpoints        {\"id\", \"service_name\", \"region\" of another one than the service}",
    "DELETE /control/vpc-endpoints/<id>",
    "GET    /control/private-endpoints    those that exist in Azure",
    "POST   /control/private-endpoints    {\"id\": the resource id, \"service_name\": that of the private link service}",
    "DELETE /control/private-endpoints/<id, URL-encoded>",
    "GET    /control/forwarding-rules     those that exist in Google Cloud",
    "POST   /control/forwarding-rules     {\"id\": projects/<id>/regions/<region>/forwardingRules/<name>, \"service_name\": the service attachment}",
    "DELETE /control/forwarding-rules/<id, URL-encoded>",
    "POST   /control/others               {\"project\", \"provider\" (AWS), \"region\", \"port_mapping\" (false), \"action\": create_service, delete_service, {register_endpoint: <id>} or {delete_endpoint: <id>}}",
];

/// The body that inserts a service.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InsertedService {
    project: String,
    #[serde(default)]
    provider: CloudProvider,
    region: String,
    #[serde(default)]
    port_mapping: bool,
}

/// The body that inserts an endpoint.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InsertedEndpoint {
    id: String,
}

/// The body that lets somebody else act.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestedAction {
    project: String,
    #[serde(default)]
    provider: CloudProvider,
    region: String,
    #[serde(default)]
    port_mapping: bool,
    action: OthersAction,
}

/// The body that makes something in the user's cloud.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MadeCloudEndpoint {
    id: String,
    service_name: String,
    region: Option<String>,
}

/// Handles a control request.
pub(crate) fn call(
    state: &mut SimulatorState,
    now: Duration,
    request: &IncomingRequest,
    segments: &[&str],
) -> Result<Value, ControlError> {
    state.advance(now);
    let SimulatorState { dedicated: state, settings, .. } = state;
    let settings = &settings.dedicated;
    match (request.method.as_str(), segments) {
        ("GET", ["services"]) => {
            let wanted = request.parameter("project");
            let all = state.projects.values().flat_map(|project| &project.lives);
            let picked = all.filter(|life| wanted.as_ref().is_none_or(|project| *project == life.project));
            show(&picked.collect::<Vec<_>>())
        }
        ("POST", ["services"]) => {
            let InsertedService { project, provider, region, port_mapping } = typed(read(&request.body)?)?;
            let place = ServicePlace { provider, region, is_port_mapped: port_mapping };
            let service = AtlasService::available(known(&place)?);
            let shown = show(&service);
            state.insert(now, &project, service);
            shown
        }
        ("PATCH", ["services", id]) => {
            let life = state.life_mut(id).ok_or_else(|| no_service(id))?;
            let present = life.service.now().ok_or_else(|| no_service(id))?;
            let next: AtlasService = merged(present, &request.body)?;
            life.change_service(now, ChangeCause::OutOfBand, Some(next.clone()));
            show(&next)
        }
        ("DELETE", ["services", id]) => {
            let life = state.life_mut(id).ok_or_else(|| no_service(id))?;
            life.change_service(now, ChangeCause::OutOfBand, None);
            Ok(Value::Null)
        }
        ("POST", ["services", id, "deviations"]) => {
            let life = state.life_mut(id).ok_or_else(|| no_service(id))?;
            let deviation: Deviation = typed(read(&request.body)?)?;
            life.service.deviations.push(deviation);
            show(&life.service.deviations)
        }
        ("POST", ["services", id, "endpoints"]) => {
            let life = state.life_mut(id).ok_or_else(|| no_service(id))?;
            let InsertedEndpoint { id } = typed(read(&request.body)?)?;
            let inserted = life.insert_endpoint(now, &id);
            inserted.map(|_| json!({"id": id})).ok_or((409, format!("{id} is there")))
        }
        ("PATCH", ["services", service, "endpoints", id]) => {
            let life = state.life_mut(service).ok_or_else(|| no_service(service))?;
            let present = found(life, id)?.endpoint.now().ok_or_else(|| no_endpoint(id))?;
            let next: AtlasEndpoint = merged(present, &request.body)?;
            life.edit_endpoint(now, id, settings, |_| Some(next.clone()));
            show(&next)
        }
        ("DELETE", ["services", service, "endpoints", id]) => {
            let life = state.life_mut(service).ok_or_else(|| no_service(service))?;
            let is_done = life.edit_endpoint(now, id, settings, |_| None);
            is_done.then_some(Value::Null).ok_or_else(|| no_endpoint(id))
        }
        ("POST", ["services", service, "endpoints", id, "deviations"]) => {
            let life = state.life_mut(service).ok_or_else(|| no_service(service))?;
            let deviation: Deviation = typed(read(&request.body)?)?;
            let found = found(life, id)?;
            found.endpoint.deviations.push(deviation);
            show(&found.endpoint.deviations)
        }
        ("POST", ["others"]) => {
            let RequestedAction { project, provider, region, port_mapping, action } =
                typed(read(&request.body)?)?;
            let place = ServicePlace { provider, region, is_port_mapped: port_mapping };
            let service = state.act(now, (&project, known(&place)?), &action)?;
            Ok(json!({ "service": service }))
        }
        (_, [collection, rest @ ..]) => match CloudProvider::of_collection(collection) {
            Some(provider) => call_cloud(&mut state.cloud, now, request, provider, rest),
            None => Err(no_call(request)),
        },
        _ => Err(no_call(request)),
    }
}

/// Handles a control request for what the user has at a provider.
fn call_cloud(
    cloud: &mut Cloud,
    now: Duration,
    request: &IncomingRequest,
    provider: CloudProvider,
    rest: &[&str],
) -> Result<Value, ControlError> {
    match (request.method.as_str(), rest) {
        ("GET", []) => show(&cloud.all(provider).collect::<BTreeMap<_, _>>()),
        ("POST", []) => {
            let MadeCloudEndpoint { id, service_name, region } = typed(read(&request.body)?)?;
            if !provider.is_cloud_id(&id) {
                return Err((
                    400,
                    format!("{id} is no id at {}: GET /control shows its form", provider.name()),
                ));
            }
            cloud.make(now, (provider, &id), &service_name, region.as_deref());
            show(&cloud.existing(&id))
        }
        ("DELETE", [id]) => {
            let collection = provider.dialect().collection;
            let is_done = cloud.delete(now, id);
            is_done
                .then_some(Value::Null)
                .ok_or_else(|| (404, format!("{id} does not exist: GET /control/{collection} lists them")))
        }
        _ => Err(no_call(request)),
    }
}

fn no_call(request: &IncomingRequest) -> ControlError {
    (404, format!("no call {} {}: GET /control lists them", request.method, request.path))
}

/// Returns the place with its region in the spelling of Atlas.
fn known(place: &ServicePlace) -> Result<ServicePlace, ControlError> {
    let unknown = || (400, format!("{} is no region of {}", place.region, place.provider.name()));
    place.known().ok_or_else(unknown)
}

fn found<'a>(life: &'a mut ServiceCourse, id: &str) -> Result<&'a mut EndpointCourse, ControlError> {
    life.endpoint_mut(id).ok_or_else(|| no_endpoint(id))
}

fn no_service(id: &str) -> ControlError {
    (404, format!("there is no service {id}: GET /control/services lists them"))
}

fn no_endpoint(id: &str) -> ControlError {
    (404, format!("there is no endpoint {id}: GET /control/services lists them"))
}
