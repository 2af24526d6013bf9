//! Atlas: how it executes a request, if the request arrives, and what a listing shows.
//!
//! This file never knows how a controller handles the response.

use domain::dedicated::endpoint::RegisteredEndpoint;
use domain::dedicated::reconcile::vocabulary::CallResponse;
use domain::dedicated::service::EndpointService;
use domain::fault::FaultKind;
use domain::reconcile::Input;

use super::convert::{fault, to_endpoint, to_service};
use super::in_flight::{AtlasRequest, RequestOutcome};
use super::object::{ModelLife, ModelTarget};
use super::state::{AtlasLife, ModelState, Phase};
use super::times::{LAG, TRAVEL, ago};
use super::{Event, Invariant, Model, bit, created_bit};
use crate::spend::spend;

impl Model {
    /// Delivers a request to Atlas, or loses it.
    pub(crate) fn deliver_request(
        &self,
        s: &mut ModelState,
        n: usize,
        outcome: RequestOutcome,
    ) -> Option<()> {
        let request = *s.requests.get(n)?;
        let sent = ago(TRAVEL - request.left);
        let no_response = || CallResponse::Uncertain(fault(FaultKind::Unavailable));
        if outcome == RequestOutcome::GivenUp {
            let from = request.from?;
            spend(&mut s.left.losses)?;
            s.requests[n].from = None;
            return self.respond(s, waiting(from), Input::Called(no_response(), sent));
        }
        s.requests.remove(n);
        let response = match outcome {
            RequestOutcome::Responded => self.execute(s, &request),
            RequestOutcome::ResponseLost => {
                spend(&mut s.left.losses)?;
                self.execute(s, &request);
                no_response()
            }
            RequestOutcome::Rejected => {
                spend(&mut s.left.refusals)?;
                refused(FaultKind::Refused)
            }
            RequestOutcome::Lost => {
                // A request whose response is not awaited may be lost at no cost: it surprises no controller.
                if request.from.is_some() {
                    spend(&mut s.left.losses)?;
                }
                no_response()
            }
            RequestOutcome::GivenUp => return None,
        };
        match request.from {
            Some(from) => self.respond(s, waiting(from), Input::Called(response, sent)),
            None => Some(()),
        }
    }

    /// Executes the request.
    fn execute(&self, s: &mut ModelState, request: &AtlasRequest) -> CallResponse {
        if request.from.is_none() {
            self.happened(Event::LandedLate);
        }
        match request.target {
            ModelTarget::CreateService => self.create_service(s, request.sender),
            ModelTarget::Create(life) => self.register(s, life, request.sender),
            ModelTarget::Delete(life) => self.delete(s, life, request),
        }
    }

    /// Creates the service; `creator`: the life of the object whose POST it is, or 0.
    pub(crate) fn create_service(&self, s: &mut ModelState, creator: u8) -> CallResponse {
        if s.service().is_some() {
            return refused(FaultKind::Conflict);
        }
        s.made += 1;
        let created = self.begin_life(s, ModelLife { service: s.made, endpoint: 0 }, creator);
        CallResponse::ServiceCreated(to_service(created, std::iter::empty()))
    }

    /// Registers an endpoint.
    pub(crate) fn register(&self, s: &mut ModelState, life: ModelLife, creator: u8) -> CallResponse {
        let service = s.get(ModelLife { endpoint: 0, ..life });
        match service.map(|service| service.phase) {
            None => return refused(FaultKind::ServiceNotFound),
            Some(Phase::Available) => {}
            Some(_) => return refused(FaultKind::Refused),
        }
        if s.get(life).is_some() {
            return refused(FaultKind::Conflict);
        }
        CallResponse::EndpointCreated(to_endpoint(self.begin_life(s, life, creator)))
    }

    /// Begins a life.
    fn begin_life(&self, s: &mut ModelState, life: ModelLife, creator: u8) -> AtlasLife {
        let is_slow = self.config.slow && creator != 0;
        let phase = if is_slow { Phase::Preparing } else { Phase::Available };
        let created = AtlasLife { life, phase, creator, born: 0, left: 0 };
        s.atlas.push(created);
        if creator == 0 {
            return created;
        }
        if s.past.released & bit(creator) != 0 {
            s.past.broken |= Invariant::AfterRelease.bit();
        }
        s.past.created |= created_bit(creator, life);
        // What aims at an earlier life under this URL is too late.
        let aims = |target: &ModelTarget| *target == ModelTarget::Delete(life);
        for request in s.requests.iter_mut().filter(|request| aims(&request.target)) {
            request.outlived = true;
        }
        let running = s.controllers.iter_mut().flat_map(|controller| controller.running.iter_mut().flatten());
        for running in running.filter(|running| running.claimed.as_ref().is_some_and(aims)) {
            running.outlived = true;
        }
        created
    }

    fn delete(&self, s: &mut ModelState, life: ModelLife, request: &AtlasRequest) -> CallResponse {
        let is_attached = life.endpoint == 0 && s.endpoints_of(life.service).next().is_some();
        let Some(thing) = s.get(life).copied() else { return CallResponse::Deleted { not_found: true } };
        if is_attached {
            return refused(FaultKind::Conflict);
        }
        if thing.phase == Phase::Removing {
            return CallResponse::Deleted { not_found: false };
        }
        let mut broken = 0;
        if s.past.released & bit(request.sender) != 0 {
            broken |= Invariant::AfterRelease.bit();
        }
        if life.endpoint == 0 && thing.creator != request.sender && !request.permitted {
            broken |= Invariant::OthersServiceDeleted.bit();
        }
        // What others have created meanwhile under the same URL cannot be told apart.
        if request.outlived && thing.creator != 0 {
            broken |= Invariant::LaterLifeDeleted.bit();
        }
        s.past.broken |= broken;
        self.remove(s, life, if self.config.slow { Phase::Removing } else { Phase::Gone });
        CallResponse::Deleted { not_found: false }
    }

    /// Ends a life, or begins to.
    pub(crate) fn remove(&self, s: &mut ModelState, life: ModelLife, phase: Phase) {
        if let Some(thing) = s.get_mut(life) {
            thing.leave(phase);
        }
        let is_last = life.endpoint != 0 && s.endpoints_of(life.service).next().is_none();
        if is_last && self.config.last_takes_service {
            let service = s.get_mut(ModelLife { endpoint: 0, ..life });
            if let Some(service) = service {
                service.leave(Phase::Gone);
            }
        }
    }
}

fn waiting((i, slot): (u8, u8)) -> (usize, usize) {
    (usize::from(i), usize::from(slot))
}

fn refused(kind: FaultKind) -> CallResponse {
    CallResponse::Refused(fault(kind))
}

/// Returns what a replica shows that lags or not.
fn shown(s: &ModelState, is_lagging: bool) -> impl Iterator<Item = AtlasLife> {
    let as_shown = move |thing: &AtlasLife| match thing.phase {
        _ if is_lagging && thing.born < LAG => None,
        Phase::Gone | Phase::Removing if is_lagging && thing.left < LAG => {
            Some(AtlasLife { phase: Phase::Available, ..*thing })
        }
        Phase::Gone => None,
        _ => Some(*thing),
    };
    s.atlas.iter().filter_map(as_shown)
}

/// Returns the services as a listing shows them, from a replica that lags or not.
pub(crate) fn listing(s: &ModelState, is_lagging: bool) -> Vec<EndpointService> {
    let services = shown(s, is_lagging).filter(|thing| thing.life.endpoint == 0);
    let service = |service: AtlasLife| {
        let is_at =
            move |thing: &AtlasLife| thing.life.service == service.life.service && thing.life.endpoint != 0;
        let mut endpoints: Vec<_> =
            shown(s, is_lagging).filter(is_at).map(|thing| thing.life.endpoint).collect();
        endpoints.sort_unstable();
        endpoints.dedup();
        to_service(service, endpoints.into_iter())
    };
    services.map(service).collect()
}

/// Returns an endpoint as a replica shows it.
pub(crate) fn read(s: &ModelState, life: ModelLife, is_lagging: bool) -> Option<RegisteredEndpoint> {
    shown(s, is_lagging).find(|thing| thing.life == life).map(to_endpoint)
}
