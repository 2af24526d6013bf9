//! The remote effects of a controller's steps, from its side: a listing, the read before a write, a write to the object, a
//! request to Atlas.
//!
//! `api_server` and `atlas` hold the other side's part. Nothing here decides whether there is an effect.

use std::sync::Arc;

use domain::fault::FaultKind;
use domain::serverless::decision::Origin;
use domain::serverless::ownership::Nonce;

use crate::api_server::bit;
use crate::atlas::listing;
use crate::budget::spend;
use crate::convert::{self, mark_in, nonce, nonce_number};
use crate::in_flight::{AtlasRequest, AtlasWrite, Late, ObjectPatch};
use crate::mutations::Mutation;
use crate::object::{Annotation, CachedObject, MarkOwner, ModelObject};
use crate::outcomes::StepOutcome;
use crate::responses::{acknowledge, handle_rejection, object_gone, store_written};
use crate::state::{ListFailure, ModelEndpoint, ModelState, View, Wait};
use crate::time::{LAG, TRAVEL, ago, now, times};
use crate::{Invariant, Model};

impl Model {
    /// Reads the object past all caches before a write to Atlas: `false` if it is not the one of the decision.
    pub(crate) fn is_unchanged(&self, s: &mut ModelState, i: usize) -> bool {
        if self.mutation == Mutation::NoGet {
            return true;
        }
        let Some(running) = s.controllers[i].running.as_mut() else { return false };
        let read = running.held.object;
        let Some(object) = s.object.filter(|object| object.life == read.life) else {
            object_gone(s, i);
            return false;
        };
        let same = object.deleting == read.deleting
            && object.manifest == read.manifest
            && object.recorded == read.recorded
            && object.claim == read.claim;
        running.held = CachedObject { object, current: true };
        if !same {
            running.view = View::Unread;
        }
        same
    }

    /// Writes to the object and handles the response.
    pub(crate) fn patch(
        &self,
        s: &mut ModelState,
        i: usize,
        patch: ObjectPatch,
        origin: Origin,
        outcome: StepOutcome,
    ) -> Option<()> {
        let held = s.controllers[i].running.as_ref()?.held;
        match outcome {
            StepOutcome::Well => {}
            StepOutcome::Unreached if self.mutation == Mutation::ClaimAssumed => {
                let ObjectPatch::Claim { claim, .. } = patch else { return None };
                spend(&mut s.left.outages)?;
                let object = ModelObject { finalizer: true, claim: Some(claim), ..held.object };
                s.controllers[i].running.as_mut()?.held = CachedObject { object, current: false };
                return Some(());
            }
            StepOutcome::ResponseLost | StepOutcome::Unreached | StepOutcome::Parked => {
                s.left.outages = s.left.outages.checked_sub(1)?;
                if let Some(n) = patch.fresh_nonce() {
                    s.nonces = s.nonces.max(n);
                    Arc::make_mut(&mut s.controllers[i].memory).settle(&nonce(n));
                }
                if matches!(patch, ObjectPatch::Record { .. }) {
                    Arc::make_mut(&mut s.controllers[i].memory).not_recorded();
                }
                match outcome {
                    StepOutcome::ResponseLost => {
                        self.apply(s, held, patch).ok()?;
                    }
                    StepOutcome::Parked => s.late.push(Late { held, patch }),
                    _ => {}
                }
                s.controllers[i].running = None;
                return Some(());
            }
            StepOutcome::Lagging | StepOutcome::NoAccess | StepOutcome::Gone | StepOutcome::Empty => {
                return None;
            }
        }
        match self.apply(s, held, patch) {
            Ok(written) => self.applied(s, i, patch, origin, written),
            Err(rejection) => handle_rejection(s, i, patch, &rejection),
        }
        Some(())
    }

    fn applied(
        &self,
        s: &mut ModelState,
        i: usize,
        patch: ObjectPatch,
        origin: Origin,
        written: Option<ModelObject>,
    ) {
        let Some(object) = written else {
            object_gone(s, i);
            return;
        };
        let held = CachedObject { object, current: true };
        match patch {
            ObjectPatch::Claim { .. } => {
                if let Some(running) = s.controllers[i].running.as_mut() {
                    running.wait = Wait::Claim(held);
                }
                if !self.config.slow_responses {
                    acknowledge(s, i);
                }
            }
            ObjectPatch::Record { id, .. } => {
                store_written(s, i, held);
                let controller = &mut s.controllers[i];
                let seen = controller.running.as_ref().map_or(0, |running| running.seen);
                let at = if origin == Origin::Adopted { ago(seen) } else { now() };
                if let Some(id) = convert::id(id) {
                    Arc::make_mut(&mut controller.memory).recorded(&id, origin, at);
                }
            }
            // No other finalizer than ours is ever on the object here.
            ObjectPatch::Release { retained } => {
                if !retained {
                    Arc::make_mut(&mut s.controllers[i].memory).clear_recorded();
                }
                object_gone(s, i);
            }
        }
    }

    /// Sends the POST of an attempt, unless it was sent before or the watch has shown that the object is being deleted:
    /// `false`.
    pub(crate) fn post(&self, s: &mut ModelState, i: usize, attempt: &Nonce, comment: &str) -> bool {
        let leaves = s.controllers[i].deletion_seen() && self.mutation != Mutation::NoDeletionCheck;
        let memory = Arc::make_mut(&mut s.controllers[i].memory);
        if leaves {
            memory.settle(attempt);
        }
        if leaves || (!memory.begin_send(attempt) && self.mutation != Mutation::PostAgain) {
            s.controllers[i].running = None;
            return false;
        }
        if mark_in(comment) != MarkOwner::Ours {
            s.past.broken |= Invariant::MarkKept.bit();
        }
        check_post_invariants(s, i, nonce_number(attempt));
        send(s, i, AtlasWrite::Post(nonce_number(attempt)));
        true
    }

    /// Requests the listing of the instance.
    pub(crate) fn list(&self, s: &mut ModelState, i: usize, outcome: StepOutcome) -> Option<()> {
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
                View::Failed(ListFailure::NoAccess)
            }
            StepOutcome::ResponseLost => {
                spend(&mut s.left.losses)?;
                View::Failed(ListFailure::Silence)
            }
            StepOutcome::Gone | StepOutcome::Empty if s.past.gone > 0 => return None,
            StepOutcome::Gone => {
                spend(&mut s.left.passing_gone)?;
                View::Failed(ListFailure::Gone)
            }
            StepOutcome::Empty if listing(s, false).is_empty() => return None,
            StepOutcome::Empty => {
                spend(&mut s.left.passing_empty)?;
                View::Listed(Vec::new())
            }
            StepOutcome::Unreached | StepOutcome::Parked => return None,
        };
        let failed = match view {
            // Without the rule that distinguishes them, any 404 counts as such.
            View::Failed(ListFailure::NoAccess) if self.mutation == Mutation::AnyNotFoundIsGone => {
                Some(FaultKind::InstanceNotFound)
            }
            View::Failed(failure) => Some(failure.kind()),
            _ => None,
        };
        // Compared only while there may be another.
        let gone = match outcome {
            StepOutcome::Gone => s.left.passing_gone > 0,
            StepOutcome::Empty => s.left.passing_empty > 0,
            _ => false,
        };
        s.past.gone = u8::from(gone);
        self.mutation.responded(&mut s.controllers[i].memory, failed);
        let running = s.controllers[i].running.as_mut()?;
        running.view = view;
        running.seen = 0;
        Some(())
    }
}

/// Returns a listing of long ago, in which everything that was ever created exists.
fn stale_listing(s: &ModelState) -> Vec<ModelEndpoint> {
    let there = |id| s.endpoints.iter().find(|e| e.id == id && e.is_live()).copied();
    (1..=s.made)
        .map(|id| there(id).unwrap_or(ModelEndpoint::reserved(id, MarkOwner::Ours, LAG)).shown())
        .collect()
}

/// Requires that a step without other outcomes succeeds.
pub(crate) fn require_ok(outcome: StepOutcome) -> Option<()> {
    (outcome == StepOutcome::Well).then_some(())
}

pub(crate) fn send(s: &mut ModelState, i: usize, write: AtlasWrite) {
    let from = u8::try_from(i).ok();
    s.requests.push(AtlasRequest { write, left: TRAVEL, from });
    if let Some(running) = &mut s.controllers[i].running {
        running.wait = Wait::Atlas;
    }
}

/// Checks the invariants of a POST.
fn check_post_invariants(s: &mut ModelState, i: usize, nonce: u8) {
    let Some(running) = &s.controllers[i].running else { return };
    let object = running.held.object;
    let mut broken = 0;
    let since = s.controllers[i].memory.since(&convert::nonce(nonce));
    let in_time = since.is_some_and(|since| now().saturating_sub(since) < times().create_deadline);
    if s.past.claimed & bit(nonce) == 0 || !in_time {
        broken |= Invariant::PostUnclaimed.bit();
    }
    if s.past.posted & bit(nonce) != 0 {
        broken |= Invariant::PostTwice.bit();
    }
    if object.deleting || s.controllers[i].deletion_seen() {
        broken |= Invariant::PostAfterDeletion.bit();
    }
    let manifest = object.manifest;
    let foreign = object.claim == Some(Annotation::Foreign);
    if manifest.endpoint != 0 || manifest.observe || manifest.suspend || foreign {
        broken |= Invariant::PostUnwanted.bit();
    }
    s.past.posted |= bit(nonce);
    s.past.broken |= broken;
}
