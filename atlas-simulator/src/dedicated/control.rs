//! The part of the control API for dedicated clusters: services and endpoints by the hand of others, and the user's VPC
//! endpoints. JSON in, JSON out.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    endpoint::AtlasEndpoint,
    others::OthersAction,
    project::{EndpointCourse, ServiceCourse},
    region,
    service::AtlasService,
};
use crate::{
    control_json::{ControlError, merged, read, show, typed},
    endpoint::Deviation,
    state::{IncomingRequest, SimulatorState},
    timeline::ChangeCause,
};

/// The routes.
pub(crate) const CALLS: [&str; 13] = [
    "GET    /control/services             ?project=<id>: with all that they ever were",
    "POST   /control/services             {\"project\", \"region\"}: AVAILABLE at once",
    "PATCH  /control/services/<id>        a part of the service",
    "DELETE /control/services/<id>        at once",
    "POST   /control/services/<id>/deviations   one deviation",
    "POST   /control/services/<id>/endpoints    {\"id\"}",
    "PATCH  /control/services/<id>/endpoints/<id>   a part of the endpoint",
    "DELETE /control/services/<id>/endpoints/<id>   at once",
    "POST   /control/services/<id>/endpoints/<id>/deviations   one deviation",
    "GET    /control/vpc-endpoints        those that exist in AWS",
    "POST   /control/vpc-endpoints        {\"id\", \"service_name\", \"region\" of another one than the service}",
    "DELETE /control/vpc-endpoints/<id>",
    "POST   /control/others               {\"project\", \"region\", \"action\": create_service, delete_service, {register_endpoint: <id>} or {delete_endpoint: <id>}}",
];

/// The body that inserts a service.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InsertedService {
    project: String,
    region: String,
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
    region: String,
    action: OthersAction,
}

/// The body that makes a VPC endpoint.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MadeVpcEndpoint {
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
            let InsertedService { project, region } = typed(read(&request.body)?)?;
            let region = region::in_atlas_form(&region)
                .ok_or_else(|| (400, format!("{region} is no region of AWS")))?;
            let service = AtlasService::available(&region);
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
            life.insert_endpoint(now, &id).then(|| json!({"id": id})).ok_or((409, format!("{id} is there")))
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
        ("GET", ["vpc-endpoints"]) => show(&state.cloud.all().collect::<std::collections::BTreeMap<_, _>>()),
        ("POST", ["vpc-endpoints"]) => {
            let MadeVpcEndpoint { id, service_name, region } = typed(read(&request.body)?)?;
            state.cloud.make(now, &id, &service_name, region.as_deref());
            show(&state.cloud.get(&id))
        }
        ("DELETE", ["vpc-endpoints", id]) => {
            let is_done = state.cloud.delete(now, id);
            is_done.then_some(Value::Null).ok_or_else(|| {
                (404, format!("there is no VPC endpoint {id}: GET /control/vpc-endpoints lists them"))
            })
        }
        ("POST", ["others"]) => {
            let RequestedAction { project, region, action } = typed(read(&request.body)?)?;
            let service = state.act(now, (&project, &region), &action)?;
            Ok(json!({ "service": service }))
        }
        (method, _) => Err((404, format!("no call {method} {}: GET /control lists them", request.path))),
    }
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
