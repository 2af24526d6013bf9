//! Atlas: how it executes a request, if the request arrives, and what a listing shows.
//!
//! This file never knows how a controller handles the response.

use crate::actions::RequestFate;
use crate::in_flight::Write;
use crate::responses::answered;
use crate::state::{Endpoint, Mark, Phase, State};
use crate::time::LAG;
use crate::transitions::spend;
use crate::{Invariant, Model};

/// Atlas' response to a write of controller `i`.
pub(crate) enum Answer {
    Made(u8),
    Refused,
    Nothing,
    Updated(u8),
    Removed { found: bool },
}

impl Model {
    /// Delivers a request to Atlas, or loses it.
    pub(crate) fn land(&self, s: &mut State, n: usize, fate: RequestFate) -> Option<()> {
        let call = *s.calls.get(n)?;
        if fate == RequestFate::GivenUp {
            let from = call.from?;
            spend(&mut s.left.losses)?;
            s.calls[n].from = None;
            answered(s, usize::from(from), call.write, &Answer::Nothing);
            return Some(());
        }
        s.calls.remove(n);
        let answer = match fate {
            RequestFate::Answered => self.carry_out(s, call.write),
            RequestFate::AnswerLost => {
                spend(&mut s.left.losses)?;
                self.carry_out(s, call.write);
                Answer::Nothing
            }
            RequestFate::Refused => {
                spend(&mut s.left.refusals)?;
                Answer::Refused
            }
            RequestFate::Lost => {
                // A request whose response nobody awaits may be lost at no cost: it surprises no controller.
                if call.from.is_some() {
                    spend(&mut s.left.losses)?;
                }
                Answer::Nothing
            }
            RequestFate::Overlooked => {
                let Write::Delete(id) = call.write else { return None };
                s.endpoint(id).filter(|e| e.born < LAG)?;
                spend(&mut s.left.lags)?;
                Answer::Removed { found: false }
            }
            RequestFate::GivenUp => return None,
        };
        if let Some(from) = call.from {
            answered(s, usize::from(from), call.write, &answer);
        }
        Some(())
    }

    /// Executes the request.
    fn carry_out(&self, s: &mut State, write: Write) -> Answer {
        match write {
            Write::Post(_) => {
                s.made += 1;
                s.endpoints.push(Endpoint::reserved(s.made, Mark::Ours, 0));
                Answer::Made(s.made)
            }
            Write::Patch { id, mark, vpc } => {
                let Some(endpoint) = s.endpoint(id).filter(|e| e.is_live()) else { return Answer::Refused };
                if let Some(mark) = mark {
                    endpoint.mark = mark;
                }
                if vpc != 0 {
                    endpoint.vpc = vpc;
                    endpoint.phase = Phase::Available;
                }
                Answer::Updated(id)
            }
            Write::Delete(id) => {
                let slow = self.config.slow_removal;
                let recorded = s.object.is_some_and(|object| !object.deleting && object.recorded == id);
                let Some(endpoint) = s.endpoint(id) else { return Answer::Removed { found: false } };
                if endpoint.phase == Phase::Deleting {
                    return Answer::Removed { found: true };
                }
                endpoint.leave(if slow { Phase::Deleting } else { Phase::Gone });
                if recorded {
                    s.history.broken |= Invariant::Destroyed.bit();
                }
                Answer::Removed { found: true }
            }
        }
    }
}

/// Returns all endpoints as a listing shows them, from a replica that lags or not.
pub(crate) fn listing(s: &State, lagging: bool) -> Vec<Endpoint> {
    let as_shown = |e: &Endpoint| match e.phase {
        Phase::Gone | Phase::Deleting if lagging && e.left < LAG => {
            let phase = if e.vpc == 0 { Phase::Reserved } else { Phase::Available };
            Some(Endpoint { phase, ..*e })
        }
        Phase::Gone => None,
        _ => Some(*e),
    };
    let shown = s.endpoints.iter().filter(|e| !lagging || e.born >= LAG).filter_map(as_shown);
    shown.map(Endpoint::shown).collect()
}
