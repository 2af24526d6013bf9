//! Atlas: how it executes a request, if the request arrives, and what a listing shows.
//!
//! This file never knows how a controller handles the response.

use domain::fault::FaultKind;
use domain::reconcile::Input;
use domain::serverless::reconcile::vocabulary::CallResponse;

use super::convert::{fault, to_domain};
use super::in_flight::AtlasWrite;
use super::object::MarkOwner;
use super::outcomes::RequestOutcome;
use super::state::{ModelEndpoint, ModelState, Phase};
use super::times::{LAG, TRAVEL, ago};
use super::{Invariant, Model};
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
            return self.respond(s, usize::from(from), Input::Called(no_response(), sent));
        }
        s.requests.remove(n);
        let response = match outcome {
            RequestOutcome::Responded => self.execute(s, request.write),
            RequestOutcome::ResponseLost => {
                spend(&mut s.left.losses)?;
                self.execute(s, request.write);
                no_response()
            }
            RequestOutcome::Rejected => {
                spend(&mut s.left.refusals)?;
                rejected()
            }
            RequestOutcome::Lost => {
                // A request whose response is not awaited may be lost at no cost: it surprises no controller.
                if request.from.is_some() {
                    spend(&mut s.left.losses)?;
                }
                no_response()
            }
            RequestOutcome::Overlooked => {
                let AtlasWrite::Delete(id) = request.write else { return None };
                s.endpoint(id).filter(|e| e.born < LAG)?;
                spend(&mut s.left.lags)?;
                CallResponse::Deleted { not_found: true }
            }
            RequestOutcome::GivenUp => return None,
        };
        match request.from {
            Some(from) => self.respond(s, usize::from(from), Input::Called(response, sent)),
            None => Some(()),
        }
    }

    /// Executes the request.
    fn execute(&self, s: &mut ModelState, write: AtlasWrite) -> CallResponse {
        match write {
            AtlasWrite::Post(_) => {
                s.made += 1;
                let created = ModelEndpoint::reserved(s.made, MarkOwner::Ours, 0);
                s.endpoints.push(created);
                to_domain(created).map_or_else(rejected, CallResponse::Created)
            }
            AtlasWrite::Patch { id, mark, vpc } => {
                let Some(endpoint) = s.endpoint(id).filter(|e| e.is_live()) else {
                    return rejected();
                };
                if let Some(mark) = mark {
                    endpoint.mark = mark;
                }
                if vpc != 0 {
                    endpoint.vpc = vpc;
                    endpoint.phase = Phase::Available;
                }
                to_domain(*endpoint).map_or_else(rejected, CallResponse::Updated)
            }
            AtlasWrite::Delete(id) => {
                let slow = self.config.slow_removal;
                let recorded = s.object.is_some_and(|object| !object.deleting && object.recorded == id);
                let Some(endpoint) = s.endpoint(id) else { return CallResponse::Deleted { not_found: true } };
                if endpoint.phase == Phase::Deleting {
                    return CallResponse::Deleted { not_found: false };
                }
                endpoint.leave(if slow { Phase::Deleting } else { Phase::Gone });
                if recorded {
                    s.past.broken |= Invariant::Destroyed.bit();
                }
                CallResponse::Deleted { not_found: false }
            }
        }
    }
}

/// Returns a rejection: of all, the one that is most easily mistaken for the end.
fn rejected() -> CallResponse {
    CallResponse::Refused(fault(FaultKind::InstanceNotFound))
}

/// Returns all endpoints as a listing shows them, from a replica that lags or not.
pub(crate) fn listing(s: &ModelState, lagging: bool) -> Vec<ModelEndpoint> {
    let as_shown = |e: &ModelEndpoint| match e.phase {
        Phase::Gone | Phase::Deleting if lagging && e.left < LAG => {
            let phase = if e.vpc == 0 { Phase::Reserved } else { Phase::Available };
            Some(ModelEndpoint { phase, ..*e })
        }
        Phase::Gone => None,
        _ => Some(*e),
    };
    let shown = s.endpoints.iter().filter(|e| !lagging || e.born >= LAG).filter_map(as_shown);
    shown.map(ModelEndpoint::shown).collect()
}
