//! Atlas: how it executes a request, if the request arrives, and what a listing shows.
//!
//! This file never knows how a controller handles the response.

use crate::budget::spend;
use crate::in_flight::AtlasWrite;
use crate::object::MarkOwner;
use crate::outcomes::AtlasResponse;
use crate::outcomes::RequestOutcome;
use crate::responses::deliver_response;
use crate::state::{ModelEndpoint, ModelState, Phase};
use crate::time::LAG;
use crate::{Invariant, Model};

impl Model {
    /// Delivers a request to Atlas, or loses it.
    pub(crate) fn deliver_request(
        &self,
        s: &mut ModelState,
        n: usize,
        outcome: RequestOutcome,
    ) -> Option<()> {
        let request = *s.requests.get(n)?;
        if outcome == RequestOutcome::GivenUp {
            let from = request.from?;
            spend(&mut s.left.losses)?;
            s.requests[n].from = None;
            deliver_response(s, usize::from(from), request.write, &AtlasResponse::Nothing);
            return Some(());
        }
        s.requests.remove(n);
        let response = match outcome {
            RequestOutcome::Responded => self.execute(s, request.write),
            RequestOutcome::ResponseLost => {
                spend(&mut s.left.losses)?;
                self.execute(s, request.write);
                AtlasResponse::Nothing
            }
            RequestOutcome::Rejected => {
                spend(&mut s.left.refusals)?;
                AtlasResponse::Rejected
            }
            RequestOutcome::Lost => {
                // A request whose response is not awaited may be lost at no cost: it surprises no controller.
                if request.from.is_some() {
                    spend(&mut s.left.losses)?;
                }
                AtlasResponse::Nothing
            }
            RequestOutcome::Overlooked => {
                let AtlasWrite::Delete(id) = request.write else { return None };
                s.endpoint(id).filter(|e| e.born < LAG)?;
                spend(&mut s.left.lags)?;
                AtlasResponse::Deleted { found: false }
            }
            RequestOutcome::GivenUp => return None,
        };
        if let Some(from) = request.from {
            deliver_response(s, usize::from(from), request.write, &response);
        }
        Some(())
    }

    /// Executes the request.
    fn execute(&self, s: &mut ModelState, write: AtlasWrite) -> AtlasResponse {
        match write {
            AtlasWrite::Post(_) => {
                s.made += 1;
                s.endpoints.push(ModelEndpoint::reserved(s.made, MarkOwner::Ours, 0));
                AtlasResponse::Created(s.made)
            }
            AtlasWrite::Patch { id, mark, vpc } => {
                let Some(endpoint) = s.endpoint(id).filter(|e| e.is_live()) else {
                    return AtlasResponse::Rejected;
                };
                if let Some(mark) = mark {
                    endpoint.mark = mark;
                }
                if vpc != 0 {
                    endpoint.vpc = vpc;
                    endpoint.phase = Phase::Available;
                }
                AtlasResponse::Updated(id)
            }
            AtlasWrite::Delete(id) => {
                let slow = self.config.slow_removal;
                let recorded = s.object.is_some_and(|object| !object.deleting && object.recorded == id);
                let Some(endpoint) = s.endpoint(id) else { return AtlasResponse::Deleted { found: false } };
                if endpoint.phase == Phase::Deleting {
                    return AtlasResponse::Deleted { found: true };
                }
                endpoint.leave(if slow { Phase::Deleting } else { Phase::Gone });
                if recorded {
                    s.past.broken |= Invariant::Destroyed.bit();
                }
                AtlasResponse::Deleted { found: true }
            }
        }
    }
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
