//! The operations on services, endpoints, regional mode and clusters, for a client that may call them.
//!
//! Pure: time is a parameter, results are returned. Authentication, faults and HTTP are elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    cluster,
    course::Course,
    errors,
    phase::{EndpointPhase, ServicePhase},
    project::{DedicatedState, EndpointCourse, ProjectCourse, ServiceCourse},
    provider::CloudProvider,
    region, registration,
    service::{AtlasService, ServicePlace},
    settings::{DedicatedSettings, DedicatedVariants},
};
use crate::{
    attributes::{FieldNames, attributes, text},
    endpoint::Deviation,
    errors::{self as common, ErrorResponse},
    faults::Operation,
    response::Success,
    routes::Route,
    settings::Settings,
    timeline::ChangeCause,
};

const OF_SERVICE: FieldNames = FieldNames { id: "id", status: "status" };
const OF_CLUSTER: FieldNames = FieldNames { id: "name", status: "stateName" };

/// A call that may be executed.
#[derive(Debug)]
pub(crate) struct DedicatedCall<'a> {
    pub(crate) operation: Operation,
    pub(crate) route: &'a Route,
    pub(crate) body: &'a [u8],
    /// How its object deviates.
    pub(crate) deviations: Vec<Deviation>,
    /// How old the state is that a read shows, if a fault says so.
    pub(crate) lag: Option<Duration>,
}

type CallResult = Result<Success, ErrorResponse>;

impl DedicatedState {
    /// Executes a call.
    pub(crate) fn call(&mut self, now: Duration, call: DedicatedCall<'_>, all: &Settings) -> CallResult {
        let settings = &all.dedicated;
        let DedicatedCall { operation, route, body, deviations, lag } = call;
        let project = self.project(now, &route.project, settings);
        let successes = settings.variants.successes;
        match operation {
            Operation::ListServices => {
                // The past before the start is empty, not the initial state.
                let seen = now.checked_sub(lag.unwrap_or(settings.pace.list_lag));
                Ok(project.list(seen, route))
            }
            Operation::GetService => project.get_service(now, lag, route, settings),
            Operation::CreateService => {
                project.create_service(now, &route.project, body, deviations, settings)
            }
            Operation::UpdateService => project.update_service(now, route, body, deviations, settings),
            Operation::DeleteService => project.delete_service(now, route, deviations, settings),
            Operation::GetEndpoint => project.get_endpoint(now, lag, route, settings),
            Operation::CreateEndpoint => project.create_endpoint(now, route, body, deviations, settings),
            Operation::DeleteEndpoint => project.delete_endpoint(now, route, deviations, settings),
            Operation::GetRegionalMode => Ok(Success::Json(json!({"enabled": project.regional_mode}))),
            Operation::UpdateRegionalMode => {
                project.regional_mode = project.wanted_mode(body)?;
                let shown = json!({"enabled": project.regional_mode});
                Ok(described(successes.regional_mode, shown, OF_SERVICE))
            }
            Operation::DeleteProject if project.present().next().is_some() => {
                Err(errors::project_has_services(&route.project))
            }
            Operation::DeleteProject => Ok(deleted(202, OF_SERVICE)),
            _ => {
                let (group, name) = (route.project.as_str(), route.instance.as_str());
                let known = settings.clusters.get(group).and_then(|clusters| clusters.get(name));
                let regions = match known {
                    Some(regions) => regions.as_slice(),
                    None if all.open => &[],
                    None => return Err(common::cluster_not_found(group, name)),
                };
                let body = cluster::body((group, name), regions, project, now, settings);
                Ok(described(200, body, OF_CLUSTER))
            }
        }
    }
}

impl ProjectCourse {
    fn list(&self, seen: Option<Duration>, route: &Route) -> Success {
        let shown = self.lives.iter().filter_map(|life| {
            let service = life.service.at(seen?)?;
            (service.provider().name() == route.provider).then_some(show(life, service, seen?))
        });
        described(200, Value::Array(shown.collect()), OF_SERVICE)
    }

    /// Returns the life of the present service that a path names.
    fn named(
        &mut self,
        route: &Route,
        settings: &DedicatedSettings,
    ) -> Result<&mut ServiceCourse, ErrorResponse> {
        let is_there = |life: &&mut ServiceCourse| {
            let provider = life.service.now().map(|service| service.provider().name());
            route.provider.is_empty() || provider == Some(&route.provider)
        };
        self.life_mut(&route.service)
            .filter(is_there)
            .ok_or_else(|| errors::service_not_found(settings.variants.codes, &route.service))
    }

    /// Returns the life of the service that a path names, and its state at a time.
    fn read(
        &self,
        now: Duration,
        lag: Option<Duration>,
        route: &Route,
        settings: &DedicatedSettings,
    ) -> Result<(&ServiceCourse, &AtlasService, Duration), ErrorResponse> {
        let seen = now.checked_sub(lag.unwrap_or_default());
        let found = self.lives.iter().find(|life| life.id == route.service);
        found
            .and_then(|life| Some((life, life.service.at(seen?)?, seen?)))
            .filter(|(_, service, _)| service.provider().name() == route.provider)
            .ok_or_else(|| errors::service_not_found(settings.variants.codes, &route.service))
    }

    fn get_service(
        &self,
        now: Duration,
        lag: Option<Duration>,
        route: &Route,
        settings: &DedicatedSettings,
    ) -> CallResult {
        let (life, service, seen) = self.read(now, lag, route, settings)?;
        Ok(described(200, show(life, service, seen), OF_SERVICE))
    }

    fn get_endpoint(
        &self,
        now: Duration,
        lag: Option<Duration>,
        route: &Route,
        settings: &DedicatedSettings,
    ) -> CallResult {
        let (life, _, seen) = self.read(now, lag, route, settings)?;
        let found = life.endpoints_at(seen).find(|endpoint| endpoint.id == route.endpoint);
        found
            .map(|endpoint| described(200, endpoint.body(), endpoint.provider().dialect().of_endpoint))
            .ok_or_else(|| errors::endpoint_not_found(settings.variants.codes, &route.endpoint))
    }

    fn create_service(
        &mut self,
        now: Duration,
        project: &str,
        body: &[u8],
        deviations: Vec<Deviation>,
        settings: &DedicatedSettings,
    ) -> CallResult {
        let variants = &settings.variants;
        let names = ["portMappingEnabled", "providerName", "region", "supportedRemoteRegions"];
        let attributes = attributes(body, &names)?;
        let provider = provider(&attributes, "providerName")?;
        let region = text(&attributes, "region")?.ok_or_else(|| common::missing_attribute("region"))?;
        let is_port_mapped = match attributes.get("portMappingEnabled") {
            None | Some(Value::Null) => false,
            Some(value) => value.as_bool().ok_or_else(|| common::invalid_attribute("portMappingEnabled"))?,
        };
        let place = ServicePlace { provider, region, is_port_mapped };
        let place = place.known().ok_or_else(|| common::invalid_attribute("region"))?;
        let remote = remote_regions(&attributes, &place, variants)?;
        if self.present().any(|(_, one)| one.place() == place) {
            return Err(errors::service_exists(provider, &place.region));
        }
        let is_created = |life: &ServiceCourse| {
            life.service.points.first().is_some_and(|point| point.cause == ChangeCause::Created)
        };
        let last =
            self.lives.iter().filter(|life| is_created(life)).map(|life| life.service.created_at()).max();
        if last.is_some_and(|last| last + variants.no_capacity_within > now) {
            return Err(errors::no_capacity());
        }
        let mut service = AtlasService::requested(place);
        service.set_remote_regions(remote.unwrap_or_default());
        let shown = service.body(&[]);
        self.add(project, service, (now, ChangeCause::Created), deviations);
        Ok(described(variants.successes.create_service, shown, OF_SERVICE))
    }

    fn update_service(
        &mut self,
        now: Duration,
        route: &Route,
        body: &[u8],
        deviations: Vec<Deviation>,
        settings: &DedicatedSettings,
    ) -> CallResult {
        let variants = &settings.variants;
        let life = self.named(route, settings)?;
        let attributes = attributes(body, &["cloudProvider", "supportedRemoteRegions"])?;
        let provider = provider(&attributes, "cloudProvider")?;
        let Some(present) = life.service.now().cloned() else {
            return Err(errors::service_not_found(variants.codes, &life.id));
        };
        // The body names a provider, and so does the service.
        let place = present.place();
        let unsupported = [provider, place.provider].into_iter().find(|one| *one != CloudProvider::Aws);
        if let Some(unsupported) = unsupported {
            let status = variants.remote_region_status;
            return Err(ErrorResponse { status, ..errors::provider_unsupported(unsupported) });
        }
        if !present.is_ready() {
            let not_ready = errors::not_ready(variants.codes, &life.id);
            variants.patch_early.apply(
                "id",
                errors::service_not_found(variants.codes, &life.id),
                not_ready,
            )?;
        }
        let remote = remote_regions(&attributes, &place, variants)?
            .ok_or_else(|| common::missing_attribute("supportedRemoteRegions"))?;
        let mut next = present.clone();
        next.set_remote_regions(remote);
        if next != present {
            if variants.change_is_visible {
                next.status = ServicePhase::Initiating;
            }
            life.service.deviations.extend(deviations);
            life.change_service(now, ChangeCause::Updated, Some(next.clone()));
        }
        Ok(described(variants.successes.update_service, show(life, &next, now), OF_SERVICE))
    }

    fn delete_service(
        &mut self,
        now: Duration,
        route: &Route,
        deviations: Vec<Deviation>,
        settings: &DedicatedSettings,
    ) -> CallResult {
        let variants = &settings.variants;
        let life = self.named(route, settings)?;
        let done = || deleted(variants.successes.delete_service, OF_SERVICE);
        let not_found = errors::service_not_found(variants.codes, &life.id);
        let Some(present) = life.service.now().cloned() else { return Err(not_found) };
        if present.status == ServicePhase::Deleting {
            variants.delete_service_again.apply(
                "id",
                not_found,
                errors::not_ready(variants.codes, &life.id),
            )?;
            return Ok(done());
        }
        if life.present().next().is_some() {
            return Err(errors::has_endpoints(variants.codes, &life.id));
        }
        life.service.deviations.extend(deviations);
        let next = AtlasService { status: ServicePhase::Deleting, ..present };
        life.change_service(now, ChangeCause::Deleted, Some(next));
        Ok(done())
    }

    fn create_endpoint(
        &mut self,
        now: Duration,
        route: &Route,
        body: &[u8],
        deviations: Vec<Deviation>,
        settings: &DedicatedSettings,
    ) -> CallResult {
        let variants = &settings.variants;
        let is_single = self.may_add_endpoint(&route.service);
        let life = self.named(route, settings)?;
        let Some(service) = life.service.now() else {
            return Err(errors::service_not_found(variants.codes, &life.id));
        };
        let is_ready = service.is_ready();
        let endpoint = registration::requested(body, service, variants)?;
        let id = endpoint.id.clone();
        if settings.without_payment.contains(&route.project) {
            return Err(common::payment_required());
        }
        let is_rejected = match life.endpoint_mut(&id).and_then(|found| found.endpoint.now()) {
            None => false,
            Some(present) if present.is_refused() => {
                let exists = errors::endpoint_exists(variants.codes, &id);
                variants.post_rejected.apply(
                    "id",
                    errors::endpoint_not_found(variants.codes, &id),
                    exists,
                )?;
                true
            }
            Some(_) => return Err(errors::endpoint_exists(variants.codes, &id)),
        };
        if !is_ready {
            return Err(errors::not_ready(variants.codes, &life.id));
        }
        let names = endpoint.provider().dialect().of_endpoint;
        let mut shown = endpoint.body();
        if let Value::Object(members) = &mut shown
            && !variants.creation_shows_status(endpoint.provider())
        {
            members.remove(names.status);
        }
        if is_rejected {
            if let Some(found) = life.endpoint_mut(&id) {
                found.endpoint.deviations.extend(deviations);
                found.endpoint.change(now, ChangeCause::Updated, Some(endpoint));
            }
        } else if is_single {
            let mut course = Course::begin(endpoint, ChangeCause::Created, now);
            course.deviations = deviations;
            life.endpoints.push(EndpointCourse { id, endpoint: course, by_rhythm: false });
        } else {
            return Err(errors::multiple_regions());
        }
        Ok(described(variants.successes.create_endpoint, shown, names))
    }

    fn delete_endpoint(
        &mut self,
        now: Duration,
        route: &Route,
        deviations: Vec<Deviation>,
        settings: &DedicatedSettings,
    ) -> CallResult {
        let variants = &settings.variants;
        let life = self.named(route, settings)?;
        let id = &route.endpoint;
        let not_found = || errors::endpoint_not_found(variants.codes, id);
        let done = || deleted(variants.successes.delete_endpoint, OF_SERVICE);
        let Some(found) = life.endpoint_mut(id) else { return Err(not_found()) };
        let Some(present) = found.endpoint.now().cloned() else { return Err(not_found()) };
        if present.status == EndpointPhase::Deleting {
            variants.delete_endpoint_again.apply("id", not_found(), errors::not_ready(variants.codes, id))?;
            return Ok(done());
        }
        found.endpoint.deviations.extend(deviations);
        let mut next = present;
        next.enter(EndpointPhase::Deleting);
        found.endpoint.change(now, ChangeCause::Deleted, Some(next));
        Ok(done())
    }

    /// Returns whether a service may get one more endpoint.
    fn may_add_endpoint(&self, service: &str) -> bool {
        self.regional_mode || self.is_single_region(Some(service))
    }

    /// Returns whether the endpoints are allowed without regional mode, with one more at this service: one in each of several regions,
    /// or several in one region. Regions of all providers count alike.
    fn is_single_region(&self, with_one_at: Option<&str>) -> bool {
        let mut counts = BTreeMap::new();
        for (life, service) in self.present() {
            let one_more = usize::from(with_one_at == Some(life.id.as_str()));
            let count: &mut usize = counts.entry((service.provider(), &service.region_name)).or_default();
            *count += life.present().count() + one_more;
        }
        counts.retain(|_, count| *count > 0);
        counts.len() <= 1 || counts.values().all(|count| *count == 1)
    }

    /// Returns the regional mode that a body requests, if the endpoints permit it.
    fn wanted_mode(&self, body: &[u8]) -> Result<bool, ErrorResponse> {
        let attributes = attributes(body, &["enabled"])?;
        let wanted = match attributes.get("enabled") {
            None => return Err(common::missing_attribute("enabled")),
            Some(value) => value.as_bool().ok_or_else(|| common::invalid_attribute("enabled"))?,
        };
        if wanted || self.is_single_region(None) { Ok(wanted) } else { Err(errors::multiple_regions()) }
    }
}

/// Returns the body of a service as it was at a time.
fn show(life: &ServiceCourse, service: &AtlasService, time: Duration) -> Value {
    let endpoints: Vec<&str> = life.endpoints_at(time).map(|endpoint| endpoint.id.as_str()).collect();
    service.body(&endpoints)
}

fn described(status: u16, body: Value, names: FieldNames) -> Success {
    Success::Described { status, body, names }
}

/// Returns the response to a DELETE that was accepted.
fn deleted(status: u16, names: FieldNames) -> Success {
    described(status, if status == 204 { Value::Null } else { json!({}) }, names)
}

fn provider(attributes: &Map<String, Value>, name: &'static str) -> Result<CloudProvider, ErrorResponse> {
    let given = text(attributes, name)?.ok_or_else(|| common::missing_attribute(name))?;
    CloudProvider::named(&given).ok_or_else(|| common::invalid_enum_value(name))
}

/// Returns the remote regions of a body, which only AWS has, and which have to be in the spelling of Atlas.
fn remote_regions(
    attributes: &Map<String, Value>,
    own: &ServicePlace,
    variants: &DedicatedVariants,
) -> Result<Option<Vec<String>>, ErrorResponse> {
    const NAME: &str = "supportedRemoteRegions";
    let status = variants.remote_region_status;
    let regions = match attributes.get(NAME) {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => serde_json::from_value::<Vec<String>>(value.clone())
            .map_err(|_| common::invalid_attribute(NAME))?,
    };
    if own.provider != CloudProvider::Aws {
        return Err(ErrorResponse { status, ..errors::provider_unsupported(own.provider) });
    }
    for one in &regions {
        if region::in_atlas_form(own.provider, one).as_ref() != Some(one) {
            return Err(ErrorResponse { status, ..common::invalid_attribute(NAME) });
        }
        if *one == own.region {
            return Err(ErrorResponse { status, ..errors::remote_is_own_region(one) });
        }
    }
    Ok(Some(regions))
}
