//! The remote effects of a controller's steps, from its side: a listing, the read before a write, a write to the object, a
//! request to Atlas.
//!
//! `api_server` and `atlas` hold the other side's part. Nothing here decides whether there is an effect.

use std::sync::Arc;

use domain::decision::Origin;
use domain::fault::FaultKind;
use domain::ownership::Nonce;

use crate::api_server::bit;
use crate::atlas::listing;
use crate::convert::{self, mark_in, nonce, nonce_number};
use crate::in_flight::{Call, Late, Patch, Write};
use crate::mutations::Mutation;
use crate::responses::{acknowledge, gone, refused, take_in};
use crate::shell::StepOutcome;
use crate::state::{Annotation, CachedObject, Endpoint, Failure, Mark, Object, State, View, Wait};
use crate::time::{LAG, TRAVEL, ago, now, times};
use crate::transitions::spend;
use crate::{Invariant, Model};

impl Model {
    /// Reads the object past all caches before a write to Atlas: `false` if it is not the one of the decision.
    pub(crate) fn is_unchanged(&self, s: &mut State, i: usize) -> bool {
        if self.mutation == Mutation::NoGet {
            return true;
        }
        let Some(pass) = s.processes[i].pass.as_mut() else { return false };
        let read = pass.held.object;
        let Some(object) = s.object.filter(|object| object.life == read.life) else {
            gone(s, i);
            return false;
        };
        let same = object.deleting == read.deleting
            && object.manifest == read.manifest
            && object.recorded == read.recorded
            && object.claim == read.claim;
        pass.held = CachedObject { object, current: true };
        if !same {
            pass.view = View::Unread;
        }
        same
    }

    /// Writes to the object and handles the response.
    pub(crate) fn patch(
        &self,
        s: &mut State,
        i: usize,
        patch: Patch,
        origin: Origin,
        outcome: StepOutcome,
    ) -> Option<()> {
        let held = s.processes[i].pass.as_ref()?.held;
        match outcome {
            StepOutcome::Well => {}
            StepOutcome::Unreached if self.mutation == Mutation::ClaimAssumed => {
                let Patch::Claim { claim, .. } = patch else { return None };
                spend(&mut s.left.outages)?;
                let object = Object { finalizer: true, claim: Some(claim), ..held.object };
                s.processes[i].pass.as_mut()?.held = CachedObject { object, current: false };
                return Some(());
            }
            StepOutcome::AnswerLost | StepOutcome::Unreached | StepOutcome::Parked => {
                s.left.outages = s.left.outages.checked_sub(1)?;
                if let Some(n) = patch.fresh_nonce() {
                    s.nonces = s.nonces.max(n);
                    Arc::make_mut(&mut s.processes[i].memory).settle(&nonce(n));
                }
                if matches!(patch, Patch::Record { .. }) {
                    Arc::make_mut(&mut s.processes[i].memory).not_recorded();
                }
                match outcome {
                    StepOutcome::AnswerLost => {
                        self.apply(s, held, patch).ok()?;
                    }
                    StepOutcome::Parked => s.late.push(Late { held, patch }),
                    _ => {}
                }
                s.processes[i].pass = None;
                return Some(());
            }
            StepOutcome::Lagging | StepOutcome::NoAccess | StepOutcome::Gone => return None,
        }
        match self.apply(s, held, patch) {
            Ok(written) => self.applied(s, i, patch, origin, written),
            Err(refusal) => refused(s, i, patch, &refusal),
        }
        Some(())
    }

    fn applied(&self, s: &mut State, i: usize, patch: Patch, origin: Origin, written: Option<Object>) {
        let Some(object) = written else {
            gone(s, i);
            return;
        };
        let held = CachedObject { object, current: true };
        match patch {
            Patch::Claim { .. } => {
                if let Some(pass) = s.processes[i].pass.as_mut() {
                    pass.wait = Wait::Claim(held);
                }
                if !self.config.slow_answers {
                    acknowledge(s, i);
                }
            }
            Patch::Record { id, .. } => {
                take_in(s, i, held);
                let process = &mut s.processes[i];
                let seen = process.pass.as_ref().map_or(0, |pass| pass.seen);
                let at = if origin == Origin::Adopted { ago(seen) } else { now() };
                if let Some(id) = convert::id(id) {
                    Arc::make_mut(&mut process.memory).recorded(&id, origin, at);
                }
            }
            // No other finalizer than ours is ever on the object here.
            Patch::Release { retained } => {
                if !retained {
                    Arc::make_mut(&mut s.processes[i].memory).clear_recorded();
                }
                gone(s, i);
            }
        }
    }

    /// Sends the POST of an attempt, unless it was sent before or the watch has shown that the object is being deleted:
    /// `false`.
    pub(crate) fn post(&self, s: &mut State, i: usize, attempt: &Nonce, comment: &str) -> bool {
        let leaves = s.processes[i].knows_it_leaves() && self.mutation != Mutation::NoLastLook;
        let memory = Arc::make_mut(&mut s.processes[i].memory);
        if leaves {
            memory.settle(attempt);
        }
        if leaves || (!memory.begin_send(attempt) && self.mutation != Mutation::PostAgain) {
            s.processes[i].pass = None;
            return false;
        }
        if mark_in(comment) != Mark::Ours {
            s.history.broken |= Invariant::MarkKept.bit();
        }
        check_post_invariants(s, i, nonce_number(attempt));
        send(s, i, Write::Post(nonce_number(attempt)));
        true
    }

    /// Requests the listing of the instance.
    pub(crate) fn list(&self, s: &mut State, i: usize, outcome: StepOutcome) -> Option<()> {
        let view = match outcome {
            StepOutcome::Well => View::Listed(listing(s, false)),
            StepOutcome::Lagging => {
                let mut lagging = listing(s, true);
                if self.mutation == Mutation::OldListing {
                    lagging = stale_listing(s);
                }
                if lagging == listing(s, false) {
                    return None;
                }
                spend(&mut s.left.lags)?;
                View::Listed(lagging)
            }
            StepOutcome::NoAccess => {
                spend(&mut s.left.no_access)?;
                View::Failed(Failure::NoAccess)
            }
            StepOutcome::AnswerLost => {
                spend(&mut s.left.losses)?;
                View::Failed(Failure::Silence)
            }
            StepOutcome::Gone if s.history.gone > 0 => return None,
            StepOutcome::Gone => {
                spend(&mut s.left.passing_gone)?;
                View::Failed(Failure::Gone)
            }
            StepOutcome::Unreached | StepOutcome::Parked => return None,
        };
        let failed = match view {
            // Without the rule that distinguishes them, any 404 counts as such.
            View::Failed(Failure::NoAccess) if self.mutation == Mutation::AnyNotFoundIsGone => {
                Some(FaultKind::InstanceNotFound)
            }
            View::Failed(failure) => Some(failure.kind()),
            _ => None,
        };
        // Compared only while there may be another.
        let gone = outcome == StepOutcome::Gone && s.left.passing_gone > 0;
        s.history.gone = u8::from(gone);
        self.mutation.responded(&mut s.processes[i].memory, failed);
        let pass = s.processes[i].pass.as_mut()?;
        pass.view = view;
        pass.seen = 0;
        Some(())
    }
}

/// Returns a listing of long ago, in which everything that was ever created exists.
fn stale_listing(s: &State) -> Vec<Endpoint> {
    let there = |id| s.endpoints.iter().find(|e| e.id == id && e.is_live()).copied();
    (1..=s.made).map(|id| there(id).unwrap_or(Endpoint::reserved(id, Mark::Ours, LAG)).shown()).collect()
}

/// Requires that a step without other outcomes succeeds.
pub(crate) fn require_ok(outcome: StepOutcome) -> Option<()> {
    (outcome == StepOutcome::Well).then_some(())
}

pub(crate) fn send(s: &mut State, i: usize, write: Write) {
    let from = u8::try_from(i).ok();
    s.calls.push(Call { write, left: TRAVEL, from });
    if let Some(pass) = &mut s.processes[i].pass {
        pass.wait = Wait::Atlas;
    }
}

/// Checks the invariants of a POST.
fn check_post_invariants(s: &mut State, i: usize, nonce: u8) {
    let Some(pass) = &s.processes[i].pass else { return };
    let object = pass.held.object;
    let mut broken = 0;
    let since = s.processes[i].memory.since(&convert::nonce(nonce));
    let in_time = since.is_some_and(|since| now().saturating_sub(since) < times().create_deadline);
    if s.history.claimed & bit(nonce) == 0 || !in_time {
        broken |= Invariant::PostUnclaimed.bit();
    }
    if s.history.posted & bit(nonce) != 0 {
        broken |= Invariant::PostTwice.bit();
    }
    if object.deleting || s.processes[i].knows_it_leaves() {
        broken |= Invariant::PostAfterDeletion.bit();
    }
    let manifest = object.manifest;
    let foreign = object.claim == Some(Annotation::Foreign);
    if manifest.endpoint != 0 || manifest.observe || manifest.suspend || foreign {
        broken |= Invariant::PostUnwanted.bit();
    }
    s.history.posted |= bit(nonce);
    s.history.broken |= broken;
}
