//! The services and endpoints of all projects: their natural keys, and the steps that Atlas takes by itself.
//!
//! Pure: time is a parameter, and steps are taken when somebody looks. Requests and their errors are in `calls`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    cloud::Cloud,
    course::Course,
    endpoint::AtlasEndpoint,
    others::{RhythmStep, begin_deletion},
    phase::{EndpointPhase, ServicePhase},
    service::AtlasService,
    settings::{DedicatedSettings, DedicatedVariants, LastEndpoint, LostVpcEndpoint, OthersRhythm},
};
use crate::{endpoint::Deviation, timeline::ChangeCause};

/// The life of a service, with those of all endpoints that were ever registered at it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceCourse {
    /// Its project.
    pub project: String,
    /// Its id.
    pub id: String,
    /// Its course.
    pub service: Course<AtlasService>,
    /// Its endpoints, in the order of their registration. An id that was registered again occurs again.
    pub endpoints: Vec<EndpointCourse>,
}

/// The life of an endpoint from one registration to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointCourse {
    /// Its id in Atlas.
    pub id: String,
    /// Its course.
    pub endpoint: Course<AtlasEndpoint>,
    /// It belongs to the rhythm of others.
    pub by_rhythm: bool,
}

/// A step that Atlas takes by itself: the object by its position, the deviation that it fulfils, and the state after it.
#[derive(Debug)]
enum CourseStep {
    Service(usize, Option<usize>, Option<AtlasService>),
    Endpoint(usize, usize, Option<usize>, Option<AtlasEndpoint>),
    Rhythm(usize, RhythmStep),
}

/// What a step leads to: when it is due, the deviation that it fulfils, and the state after it.
type DueStep<T> = (Duration, Option<usize>, Option<T>);

/// All lives of one project.
#[derive(Debug, Default)]
pub(crate) struct ProjectCourse {
    pub(crate) lives: Vec<ServiceCourse>,
    pub(crate) regional_mode: bool,
    /// When the rhythm of others was set.
    pub(crate) rhythm_from: Duration,
    /// The time until which all is final: nothing that a client may have seen changes afterwards.
    settled: Duration,
}

/// All projects, and the user's side.
#[derive(Debug, Default)]
pub(crate) struct DedicatedState {
    pub(crate) projects: BTreeMap<String, ProjectCourse>,
    pub(crate) cloud: Cloud,
}

impl ServiceCourse {
    /// Returns its endpoints as they were at `time`, in the order of registration.
    pub(crate) fn endpoints_at(&self, time: Duration) -> impl Iterator<Item = &AtlasEndpoint> {
        self.endpoints.iter().filter_map(move |life| life.endpoint.at(time))
    }

    /// Returns its present endpoints, in the order of registration.
    pub fn present(&self) -> impl Iterator<Item = &AtlasEndpoint> {
        self.endpoints.iter().filter_map(|life| life.endpoint.now())
    }

    /// Returns the present life of the endpoint with this id.
    pub(crate) fn endpoint_mut(&mut self, id: &str) -> Option<&mut EndpointCourse> {
        self.endpoints.iter_mut().find(|life| life.id == id && life.endpoint.now().is_some())
    }

    /// Records that an endpoint is as given from now on. The end of the last one may be that of the service.
    pub(crate) fn change_endpoint(
        &mut self,
        (at, cause): (Duration, ChangeCause),
        index: usize,
        state: Option<AtlasEndpoint>,
        variants: &DedicatedVariants,
    ) {
        let Some(life) = self.endpoints.get_mut(index) else { return };
        let is_end = state.is_none();
        life.endpoint.change(at, cause, state);
        let connected =
            life.endpoint.points.iter().any(|point| {
                point.state.as_ref().is_some_and(|state| state.status == EndpointPhase::Available)
            });
        let takes = |service: &AtlasService| match variants.last_endpoint_of(service.provider()) {
            LastEndpoint::TakesService => true,
            LastEndpoint::TakesServiceIfConnected => connected,
            LastEndpoint::LeavesService => false,
        };
        let is_last = is_end && self.present().next().is_none();
        if let Some(service) = self.service.now().filter(|service| is_last && takes(service)) {
            let deleting = AtlasService { status: ServicePhase::Deleting, ..service.clone() };
            self.service.change(at, ChangeCause::Progress, Some(deleting));
        }
    }

    /// Records that the service is as given from now on. With a service end its endpoints.
    pub(crate) fn change_service(&mut self, at: Duration, cause: ChangeCause, state: Option<AtlasService>) {
        if state.is_none() {
            for life in self.endpoints.iter_mut().filter(|life| life.endpoint.now().is_some()) {
                life.endpoint.change(at, cause, None);
            }
        }
        self.service.change(at, cause, state);
    }

    /// Replaces an endpoint out of band, or removes it at once; `false` if there is none with this id.
    pub(crate) fn edit_endpoint(
        &mut self,
        now: Duration,
        id: &str,
        settings: &DedicatedSettings,
        edit: impl FnOnce(AtlasEndpoint) -> Option<AtlasEndpoint>,
    ) -> bool {
        let is_it = |life: &EndpointCourse| life.id == id && life.endpoint.now().is_some();
        let Some(index) = self.endpoints.iter().position(is_it) else { return false };
        let Some(present) = self.endpoints.get(index).and_then(|life| life.endpoint.now()) else {
            return false;
        };
        let next = edit(present.clone());
        self.change_endpoint((now, ChangeCause::OutOfBand), index, next, &settings.variants);
        true
    }

    /// Registers an endpoint out of band and returns it; `None` if it is there already, or the service is not.
    pub(crate) fn insert_endpoint(&mut self, now: Duration, id: &str) -> Option<AtlasEndpoint> {
        if self.endpoint_mut(id).is_some() {
            return None;
        }
        let inserted = AtlasEndpoint::of_others(id, self.service.now()?);
        let endpoint = Course::begin(inserted.clone(), ChangeCause::OutOfBand, now);
        self.endpoints.push(EndpointCourse { id: id.to_owned(), endpoint, by_rhythm: false });
        Some(inserted)
    }

    /// Takes a step of the rhythm of others.
    fn take_rhythm_step(&mut self, at: Duration, step: &RhythmStep, rhythm: OthersRhythm) {
        match step {
            RhythmStep::Register => {
                let Some(service) = self.service.now() else { return };
                let before = self.endpoints.iter().filter(|one| one.by_rhythm).count();
                let id = rhythm.next_id(service, before);
                let registered = AtlasEndpoint::of_others(&id, service);
                let endpoint = Course::begin(registered, ChangeCause::OutOfBand, at);
                self.endpoints.push(EndpointCourse { id, endpoint, by_rhythm: true });
            }
            RhythmStep::Delete(index) => {
                if let Some(found) = self.endpoints.get_mut(*index) {
                    begin_deletion(at, &mut found.endpoint);
                }
            }
        }
    }

    fn service_step(&self, settings: &DedicatedSettings) -> Option<DueStep<AtlasService>> {
        let (now, since, pace) = (self.service.now()?, self.service.since(), &settings.pace);
        if self.service.deviations.contains(&Deviation::Stalls) {
            return None;
        }
        let ready = || {
            let connected = self.present().any(|endpoint| endpoint.status == EndpointPhase::Available);
            let waits = settings.variants.waiting_for_user && !connected;
            if waits { ServicePhase::WaitingForUser } else { ServicePhase::Available }
        };
        let with = |change: &dyn Fn(&mut AtlasService)| {
            let mut next = now.clone();
            change(&mut next);
            Some(next)
        };
        let fated = self.service.deviations.iter().enumerate().find_map(|(index, deviation)| {
            let (due, next) = match (deviation, &now.status) {
                (Deviation::ReservationFails { message }, ServicePhase::Initiating) => {
                    (since + pace.creating, with(&|next| next.fail(message.clone())))
                }
                (Deviation::Breaks { after, message }, _) if now.is_ready() => {
                    (since + *after, with(&|next| next.fail(message.clone())))
                }
                (Deviation::Recovers { after }, ServicePhase::Failed) => {
                    (since + *after, with(&|next| next.provide(ready(), &self.project)))
                }
                (Deviation::DeletionFails { message }, ServicePhase::Deleting) => {
                    (since + pace.deleting_service, with(&|next| next.fail(message.clone())))
                }
                (Deviation::ComesBack, ServicePhase::Deleting) => {
                    (since + pace.deleting_service, with(&|next| next.provide(ready(), &self.project)))
                }
                _ => return None,
            };
            Some((due, Some(index), next))
        });
        let usual = || {
            let (due, next) = match now.status {
                ServicePhase::Initiating => {
                    let wait = if now.targets().is_empty() { pace.creating } else { pace.changing };
                    (since + wait, with(&|next| next.provide(ready(), &self.project)))
                }
                ServicePhase::Available | ServicePhase::WaitingForUser if now.status != ready() => {
                    (since, with(&|next| next.status = ready()))
                }
                ServicePhase::Deleting if !self.service.deviations.contains(&Deviation::DeletionSticks) => {
                    (since + pace.deleting_service, None)
                }
                _ => return None,
            };
            Some((due, None, next))
        };
        earlier(vanishing(&self.service), fated.or_else(usual))
    }

    fn endpoint_step(
        &self,
        life: &EndpointCourse,
        cloud: &Cloud,
        settings: &DedicatedSettings,
    ) -> Option<DueStep<AtlasEndpoint>> {
        let course = &life.endpoint;
        let (now, since, pace) = (course.now()?, course.since(), &settings.pace);
        let service = self.service.now()?;
        if course.deviations.contains(&Deviation::Stalls) {
            return None;
        }
        let with = |change: &dyn Fn(&mut AtlasEndpoint)| {
            let mut next = now.clone();
            change(&mut next);
            Some(next)
        };
        // How many statuses of waiting it has behind it, and the next one of them.
        let waiting = now.provider().dialect().waiting;
        let behind = waiting.iter().position(|status| *status == now.status);
        let next_wait =
            behind.and_then(|behind| waiting.get(behind + 1)).filter(|_| !pace.connecting.is_zero());
        let wait = if behind == Some(0) { pace.accepting } else { pace.connecting };
        let refused = &now.provider().dialect().refused;
        let fated = course.deviations.iter().enumerate().find_map(|(index, deviation)| {
            let (due, next) = match (deviation, &now.status) {
                (Deviation::ConnectionFails { message }, _) if behind.is_some() && next_wait.is_none() => {
                    (since + wait, with(&|next| next.refuse(message.clone())))
                }
                (Deviation::Breaks { after, message }, EndpointPhase::Available) => {
                    (since + *after, with(&|next| next.refuse(message.clone())))
                }
                (Deviation::Recovers { after }, status) if status == refused => {
                    (since + *after, with(&AtlasEndpoint::connect))
                }
                (Deviation::DeletionFails { message }, EndpointPhase::Deleting) => {
                    (since + pace.deleting_endpoint, with(&|next| next.refuse(message.clone())))
                }
                (Deviation::ComesBack, EndpointPhase::Deleting) => {
                    (since + pace.deleting_endpoint, with(&AtlasEndpoint::connect))
                }
                _ => return None,
            };
            Some((due, Some(index), next))
        });
        let variants = &settings.variants;
        let is_made = settings.vpc_endpoints_exist || life.by_rhythm;
        let obstacles = || if is_made { Vec::new() } else { cloud.obstacles(now, service) };
        let ids = || now.cloud_ids(&service.region_name);
        let usual = || {
            let (due, next) = match &now.status {
                _ if behind.is_some() => match next_wait {
                    Some(status) => (since + wait, with(&|next| next.enter(status.clone()))),
                    None => (since + wait, with(&|next| next.settle(&obstacles()))),
                },
                status if status == refused && variants.heals(now.provider()) => {
                    // What was there when it was refused was refused for another reason.
                    let made = cloud.made_at(&ids()).filter(|made| *made >= since)?;
                    let is_free = obstacles().iter().all(Option::is_none);
                    is_free.then(|| (made + pace.healing, with(&AtlasEndpoint::connect)))?
                }
                EndpointPhase::Available if variants.lost_vpc_endpoint == LostVpcEndpoint::Rejected => {
                    let deleted = cloud.deleted_at(&ids())?;
                    let is_lost = obstacles().iter().any(Option::is_some);
                    is_lost.then(|| (deleted + pace.noticing, with(&|next| next.settle(&obstacles()))))?
                }
                EndpointPhase::Deleting if !course.deviations.contains(&Deviation::DeletionSticks) => {
                    (since + pace.deleting_endpoint, None)
                }
                _ => return None,
            };
            Some((due, None, next))
        };
        earlier(vanishing(course), fated.or_else(usual))
    }
}

/// Returns the end of an object that vanishes whatever its status.
fn vanishing<T>(course: &Course<T>) -> Option<DueStep<T>> {
    course.deviations.iter().enumerate().find_map(|(index, deviation)| match deviation {
        Deviation::Vanishes { after } => Some((course.created_at() + *after, Some(index), None)),
        _ => None,
    })
}

fn earlier<T>(one: Option<DueStep<T>>, other: Option<DueStep<T>>) -> Option<DueStep<T>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if one.0 <= other.0 { one } else { other }),
        (one, other) => one.or(other),
    }
}

impl ProjectCourse {
    /// Takes every step that Atlas has taken by itself until `now`, in the order in which they were due.
    pub(crate) fn advance(&mut self, now: Duration, cloud: &Cloud, settings: &DedicatedSettings) {
        while let Some((due, step)) = self.next_step(cloud, settings).filter(|(due, _)| *due <= now) {
            let at = due.max(self.settled);
            match step {
                CourseStep::Service(index, deviation, state) => {
                    let Some(life) = self.lives.get_mut(index) else { return };
                    spend(&mut life.service.deviations, deviation);
                    life.change_service(at, ChangeCause::Progress, state);
                }
                CourseStep::Endpoint(index, endpoint, deviation, state) => {
                    let Some(life) = self.lives.get_mut(index) else { return };
                    if let Some(found) = life.endpoints.get_mut(endpoint) {
                        spend(&mut found.endpoint.deviations, deviation);
                    }
                    let variants = &settings.variants;
                    life.change_endpoint((at, ChangeCause::Progress), endpoint, state, variants);
                }
                CourseStep::Rhythm(index, step) => {
                    let Some(life) = self.lives.get_mut(index) else { return };
                    life.take_rhythm_step(at, &step, settings.others);
                }
            }
        }
        self.settled = self.settled.max(now);
    }

    fn next_step(&self, cloud: &Cloud, settings: &DedicatedSettings) -> Option<(Duration, CourseStep)> {
        let present = self.lives.iter().enumerate().filter(|(_, life)| life.service.now().is_some());
        present
            .flat_map(|(index, life)| {
                let of_service = life
                    .service_step(settings)
                    .map(|(due, deviation, state)| (due, CourseStep::Service(index, deviation, state)));
                let of_endpoints = life.endpoints.iter().enumerate().filter_map(move |(number, found)| {
                    let (due, deviation, state) = life.endpoint_step(found, cloud, settings)?;
                    Some((due, CourseStep::Endpoint(index, number, deviation, state)))
                });
                let lives = life.endpoints.iter().enumerate().filter(|(_, one)| one.by_rhythm);
                let lives = lives.map(|(number, one)| (number, &one.endpoint));
                let of_others = settings
                    .others
                    .step(self.rhythm_from, &life.service, lives)
                    .map(|(due, step)| (due, CourseStep::Rhythm(index, step)));
                of_service.into_iter().chain(of_endpoints).chain(of_others)
            })
            .min_by_key(|(due, _)| *due)
    }

    /// Returns the present services.
    pub(crate) fn present(&self) -> impl Iterator<Item = (&ServiceCourse, &AtlasService)> {
        self.lives.iter().filter_map(|life| Some((life, life.service.now()?)))
    }

    /// Returns the life of the present service with this id.
    pub(crate) fn life_mut(&mut self, id: &str) -> Option<&mut ServiceCourse> {
        self.lives.iter_mut().find(|life| life.id == id && life.service.now().is_some())
    }

    /// Adds a service.
    pub(crate) fn add(
        &mut self,
        project: &str,
        service: AtlasService,
        (at, cause): (Duration, ChangeCause),
        deviations: Vec<Deviation>,
    ) {
        let (project, id) = (project.to_owned(), service.id.clone());
        let mut course = Course::begin(service, cause, at);
        course.deviations = deviations;
        self.lives.push(ServiceCourse { project, id, service: course, endpoints: Vec::new() });
    }
}

impl DedicatedState {
    /// Takes every step that Atlas has taken by itself, everywhere.
    pub(crate) fn advance(&mut self, now: Duration, settings: &DedicatedSettings) {
        for project in self.projects.values_mut() {
            project.advance(now, &self.cloud, settings);
        }
    }

    /// Returns a project, up to date.
    pub(crate) fn project(
        &mut self,
        now: Duration,
        name: &str,
        settings: &DedicatedSettings,
    ) -> &mut ProjectCourse {
        let project = self.projects.entry(name.to_owned()).or_default();
        project.advance(now, &self.cloud, settings);
        project
    }

    /// Returns the life of the present service with this id, whatever its project.
    pub(crate) fn life_mut(&mut self, id: &str) -> Option<&mut ServiceCourse> {
        self.projects.values_mut().find_map(|project| project.life_mut(id))
    }

    /// Inserts a service out of band.
    pub(crate) fn insert(&mut self, now: Duration, project: &str, service: AtlasService) {
        let course = self.projects.entry(project.to_owned()).or_default();
        course.add(project, service, (now, ChangeCause::OutOfBand), Vec::new());
    }

    /// Deletes the services of all projects that do not exist any more.
    pub(crate) fn retain_projects(&mut self, now: Duration, exists: impl Fn(&str) -> bool) {
        for (_, project) in self.projects.iter_mut().filter(|(name, _)| !exists(name)) {
            for life in project.lives.iter_mut().filter(|life| life.service.now().is_some()) {
                life.change_service(now, ChangeCause::OutOfBand, None);
            }
        }
    }
}

fn spend(deviations: &mut Vec<Deviation>, index: Option<usize>) {
    if let Some(index) = index {
        deviations.remove(index);
    }
}
