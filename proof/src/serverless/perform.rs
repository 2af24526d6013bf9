//! How the model performs the effects of a controller's machine: a listing, a read of the object, a write to it, a request to
//! Atlas.
//!
//! `api_server` and `atlas` execute them. Nothing here decides whether there is an effect; the invariants of a request are checked
//! when it is sent.

use std::sync::Arc;

use domain::fault::FaultKind;
use domain::instant::Stamp;
use domain::reconcile::{ApiFailure, ObjectWrite};
use domain::serverless::decision::{Origin, Step};
use domain::serverless::reconcile::vocabulary::{
    CallResponse, ClaimWrite, EndpointWrite, Listed, Serverless,
};

use super::Invariant;
use super::api_server::bit;
use super::atlas::listing;
use super::controller::Turn;
use super::convert::{self, fault, id_number, mark_in, nonce_number, to_domain, vpc_number};
use super::in_flight::{AtlasRequest, AtlasWrite, Late, ObjectPatch};
use super::mutations::Mutation;
use super::object::{Annotation, CachedObject, MarkOwner, ModelObject};
use super::outcomes::StepOutcome;
use super::state::{Controller, ModelEndpoint, ModelState};
use super::times::{LAG, TRAVEL, moment, now, times};
use crate::spend::spend;

/// Stores the object that a write returned. The cache is never behind the controller's own last write.
pub(crate) fn receive(controller: &mut Controller, held: CachedObject) {
    controller.acknowledged = 0;
    controller.cache = controller.cache.filter(|cache| cache.current).or(Some(held));
}

impl Turn<'_> {
    /// Requests the listing of the instance. `None` if it cannot end so.
    pub(crate) fn list(&mut self) -> Option<Listed> {
        let outcome = self.take_outcome();
        let Self { model, s, .. } = self;
        let shown = match outcome {
            StepOutcome::Well => Ok(listing(s, false)),
            StepOutcome::Lagging => {
                let is_old = model.mutation == Mutation::OldListing;
                let lagging = if is_old { stale_listing(s) } else { listing(s, true) };
                if lagging == listing(s, false) {
                    return None;
                }
                spend(&mut s.left.lags)?;
                Ok(lagging)
            }
            StepOutcome::NoAccess => {
                spend(&mut s.left.no_access)?;
                Err(model.mutation.no_access())
            }
            StepOutcome::ResponseLost => {
                spend(&mut s.left.losses)?;
                Err(FaultKind::Unavailable)
            }
            StepOutcome::Gone | StepOutcome::Empty if s.past.gone > 0 => return None,
            StepOutcome::Gone => {
                spend(&mut s.left.passing_gone)?;
                Err(FaultKind::InstanceNotFound)
            }
            StepOutcome::Empty if listing(s, false).is_empty() => return None,
            StepOutcome::Empty => {
                spend(&mut s.left.passing_empty)?;
                Ok(Vec::new())
            }
            StepOutcome::Unreached | StepOutcome::Parked => return None,
        };
        // Compared only while there may be another.
        let gone = match outcome {
            StepOutcome::Gone => s.left.passing_gone > 0,
            StepOutcome::Empty => s.left.passing_empty > 0,
            _ => false,
        };
        s.past.gone = u8::from(gone);
        let endpoints = |shown: Vec<_>| shown.into_iter().filter_map(to_domain).collect::<Arc<[_]>>();
        let result = shown.map(endpoints).map_err(fault);
        Some(Listed { sent: now(), result, was_requested: true, sunset: None })
    }

    /// Reads the object past all caches.
    pub(crate) fn read(&mut self) -> Result<CachedObject, ApiFailure> {
        self.requested = true;
        if self.model.mutation == Mutation::NoGet && !self.conflict {
            return Ok(*self.machine.object());
        }
        self.s.object.map(|object| CachedObject { object, current: true }).ok_or(ApiFailure::NotFound)
    }

    /// Writes to the object. `None` if it cannot end so.
    pub(crate) fn write(
        &mut self,
        write: &ObjectWrite<Serverless<CachedObject>>,
    ) -> Option<Result<CachedObject, ApiFailure>> {
        let patch = self.patch(write)?;
        let outcome = self.take_outcome();
        self.result.wrote = true;
        let held = *self.machine.object();
        if outcome == StepOutcome::Well {
            let written = self.apply(held, patch);
            self.conflict = written == Err(ApiFailure::Conflict);
            let is_received = match patch {
                ObjectPatch::Claim { .. } => !self.model.config.slow_responses,
                ObjectPatch::Record { .. } => true,
                ObjectPatch::Release { .. } => false,
            };
            if let Some(object) = written.as_ref().ok().filter(|_| is_received) {
                receive(&mut self.s.controllers[self.i], *object);
            }
            return Some(written);
        }
        spend(&mut self.s.left.outages)?;
        match (outcome, patch) {
            (StepOutcome::Unreached, _) if self.model.mutation == Mutation::ClaimAssumed => {
                let ObjectPatch::Claim { claim, .. } = patch else { return None };
                let object = ModelObject { finalizer: true, claim: Some(claim), ..held.object };
                return Some(Ok(CachedObject { object, current: false }));
            }
            (StepOutcome::ResponseLost, _) => drop(self.apply(held, patch).ok()?),
            (StepOutcome::Parked, _) => self.s.late.push(Late { held, patch }),
            (StepOutcome::Unreached, _) => {}
            _ => return None,
        }
        self.s.nonces = self.s.nonces.max(patch.fresh_nonce().unwrap_or_default());
        Some(Err(ApiFailure::Unknown(String::new())))
    }

    /// Returns a write to the object as it travels. `None` if all attempts are used up.
    fn patch(&self, write: &ObjectWrite<Serverless<CachedObject>>) -> Option<ObjectPatch> {
        match write {
            ObjectWrite::Claim(ClaimWrite { nonce, is_fresh, replaced, stale_vpc_endpoint }) => {
                if *is_fresh && !self.free && self.s.nonces >= self.model.config.attempts {
                    return None;
                }
                let claim = Annotation::Claim {
                    life: self.machine.object().object.life,
                    nonce: nonce_number(nonce),
                    replaced: replaced.as_ref().map_or(0, id_number),
                };
                let stale_vpc = stale_vpc_endpoint.as_deref().map_or(0, vpc_number);
                Some(ObjectPatch::Claim { claim, stale_vpc, fresh: *is_fresh })
            }
            ObjectWrite::Record(status) => {
                let endpoint = status.plan.report.endpoint.as_ref()?;
                Some(ObjectPatch::Record { id: id_number(&endpoint.id), mark: mark_in(&endpoint.comment) })
            }
            ObjectWrite::Release(is_deleted) => Some(ObjectPatch::Release { retained: !is_deleted }),
            // No object here has an output, and a status that holds the recorded endpoint needs nothing else.
            ObjectWrite::OutputName(_) | ObjectWrite::Status(_) => None,
        }
    }

    fn apply(&mut self, held: CachedObject, patch: ObjectPatch) -> Result<CachedObject, ApiFailure> {
        let Self { model, s, .. } = self;
        let before = s.object.map(|object| object.recorded);
        let written = model.apply(s, held, patch)?;
        if let (ObjectPatch::Record { id, .. }, Step::Record { origin, .. }) = (patch, &self.result.step) {
            // A record of an old listing may come too late; an endpoint that was just shown or created exists.
            let is_new = *origin == Origin::Created || self.machine.state().tracked().listed_at() == now();
            let is_gone = s.endpoints.iter().all(|e| e.id != id);
            if is_new && is_gone && before != Some(id) && model.config.budget.vanishings == 0 {
                s.past.broken |= Invariant::DeadRecorded.bit();
            }
        }
        Ok(written)
    }

    /// Sends a request to Atlas, or returns that it may not be sent any more.
    ///
    /// A GET and the request that rests on it happen at once.
    pub(crate) fn call(&mut self, call: &EndpointWrite) -> Option<CallResponse> {
        self.requested = true;
        let write = match (call, &self.result.step) {
            (EndpointWrite::Create { comment, claimed }, Step::Create { nonce, .. }) => {
                if !self.may_post(*claimed) {
                    return Some(CallResponse::Refused(fault(FaultKind::Unavailable)));
                }
                if mark_in(comment) != MarkOwner::Ours {
                    self.s.past.broken |= Invariant::MarkKept.bit();
                }
                let nonce = nonce_number(nonce);
                self.check_post(nonce);
                AtlasWrite::Post(nonce)
            }
            (EndpointWrite::Update { id, comment, vpc_endpoint }, _) => {
                let vpc = vpc_endpoint.as_ref().map_or(0, |vpc| vpc_number(vpc.as_str()));
                if vpc != 0 && self.s.object.is_none_or(|object| object.manifest.vpc != vpc) {
                    self.s.past.broken |= Invariant::StalePatch.bit();
                }
                let mark = comment.as_deref().map(mark_in);
                if mark.is_some_and(|mark| mark != MarkOwner::Ours) {
                    self.s.past.broken |= Invariant::MarkKept.bit();
                }
                AtlasWrite::Patch { id: id_number(id), mark, vpc }
            }
            (EndpointWrite::Delete { id, .. }, _) => {
                let mut listed = self.machine.state().listed().iter();
                if listed.any(|e| e.id == *id && mark_in(&e.comment) != MarkOwner::Ours) {
                    self.s.past.broken |= Invariant::ForeignDeleted.bit();
                }
                AtlasWrite::Delete(id_number(id))
            }
            (EndpointWrite::Create { .. }, _) => {
                return Some(CallResponse::Uncertain(fault(FaultKind::Unavailable)));
            }
        };
        self.result.wrote = true;
        self.s.requests.push(AtlasRequest { write, left: TRAVEL, from: u8::try_from(self.i).ok() });
        None
    }

    /// Returns `true` if a POST may be sent at the last moment.
    fn may_post(&self, claimed: Stamp) -> bool {
        let mutation = self.model.mutation;
        let in_time = claimed.until(moment().now) < mutation.times().create_deadline;
        (in_time || mutation == Mutation::DeadlineFromResponse)
            && (!self.deletion_seen() || mutation == Mutation::NoDeletionCheck)
    }

    /// The watch has shown that the object of this reconcile is being deleted, or was deleted.
    fn deletion_seen(&self) -> bool {
        let life = self.machine.object().object.life;
        let cache = self.s.controllers[self.i].cache;
        cache.is_none_or(|cache| cache.object.deleting || cache.object.life != life)
    }

    /// Checks the invariants of a POST.
    fn check_post(&mut self, nonce: u8) {
        let object = self.machine.object().object;
        let mut broken = 0;
        let since = self.kept.memory.since(&convert::nonce(nonce));
        let in_time = since.is_some_and(|since| now().saturating_sub(since) < times().create_deadline);
        if self.s.past.claimed & bit(nonce) == 0 || !in_time {
            broken |= Invariant::PostUnclaimed.bit();
        }
        if self.s.past.posted & bit(nonce) != 0 {
            broken |= Invariant::PostTwice.bit();
        }
        if object.deleting || self.deletion_seen() {
            broken |= Invariant::PostAfterDeletion.bit();
        }
        let manifest = object.manifest;
        let foreign = object.claim == Some(Annotation::Foreign);
        if manifest.endpoint != 0 || manifest.observe || manifest.suspend || foreign {
            broken |= Invariant::PostUnwanted.bit();
        }
        self.s.past.posted |= bit(nonce);
        self.s.past.broken |= broken;
    }

    /// Returns how the request ends. No other of this step may end like that.
    fn take_outcome(&mut self) -> StepOutcome {
        self.requested = true;
        std::mem::take(&mut self.outcome)
    }
}

/// Returns a listing of long ago, in which everything that was ever created exists.
fn stale_listing(s: &ModelState) -> Vec<ModelEndpoint> {
    let there = |id| s.endpoints.iter().find(|e| e.id == id && e.is_live()).copied();
    (1..=s.made)
        .map(|id| there(id).unwrap_or(ModelEndpoint::reserved(id, MarkOwner::Ours, LAG)).shown())
        .collect()
}
