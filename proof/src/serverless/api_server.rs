//! The API server's part of a write to the object: its guards, and its effect.
//!
//! This file never knows how a controller handles the response.

use domain::reconcile::ApiFailure;

use super::in_flight::ObjectPatch;
use super::mutations::Mutation;
use super::object::{Annotation, CachedObject};
use super::state::{ModelState, Phase};
use super::{Event, Invariant, Model};

impl Model {
    /// Executes or rejects it.
    pub(crate) fn apply(
        &self,
        s: &mut ModelState,
        held: CachedObject,
        patch: ObjectPatch,
    ) -> Result<CachedObject, ApiFailure> {
        let read = held.object;
        let now = s.object.ok_or(ApiFailure::NotFound)?;
        let same_life = now.life == read.life;
        let mut object = now;
        match patch {
            ObjectPatch::Claim { claim, stale_vpc, .. } => {
                let guarded = self.mutation != Mutation::NoResourceVersion;
                // No writer can add a finalizer to an object that is being deleted.
                let addable = object.finalizer || !object.deleting;
                if (guarded && !held.current) || !same_life || !addable {
                    return Err(ApiFailure::Conflict);
                }
                if now.claim == Some(Annotation::Foreign) && now.recorded == 0 && !now.take_over {
                    s.past.broken |= Invariant::PostUnwanted.bit();
                }
                object.finalizer = true;
                s.past.forced = false;
                object.claim = Some(self.mutation.claim(claim));
                if stale_vpc != 0 {
                    object.stale_vpc = stale_vpc;
                }
                if let Some(nonce) = patch.fresh_nonce() {
                    s.nonces = s.nonces.max(nonce);
                    if !now.deleting {
                        s.past.claimed |= bit(nonce);
                    }
                }
            }
            ObjectPatch::Record { id, mark } => {
                let untested = |mutation| [mutation, Mutation::RecordUntested].contains(&self.mutation);
                let claim = object.claim == read.claim || untested(Mutation::RecordIgnoresClaim);
                let recorded = object.recorded == read.recorded || untested(Mutation::RecordIgnoresId);
                if !same_life || !claim || !recorded {
                    return Err(ApiFailure::Conflict);
                }
                if object.recorded != 0 && object.recorded != id && s.is_live(object.recorded) {
                    s.past.broken |= Invariant::RecordedReplacedAlive.bit();
                }
                object.recorded = id;
                object.shown = mark;
                object.shown_vpc = s.endpoints.iter().find(|e| e.id == id).map_or(0, |e| e.vpc);
                // An endpoint that vanishes between a listing and the record violates no invariant.
                s.past.dead = self.config.budget.vanishings == 0
                    && !s.endpoints.iter().any(|e| e.id == id && e.phase != Phase::Gone);
                s.past.events |= Event::Recorded.bit();
                if read.recorded != 0 && id != read.recorded {
                    s.past.events |= Event::Recreated.bit();
                }
            }
            ObjectPatch::Release { retained } => {
                if !held.current || !same_life {
                    return Err(ApiFailure::Conflict);
                }
                self.outdate(s);
                s.past.may_stay = retained;
                s.past.forced = false;
                s.past.backup = object.claim;
                s.object = None;
                s.past.events |= if retained { Event::Retained.bit() } else { Event::Deleted.bit() };
                object.finalizer = false;
                return Ok(CachedObject { object, current: false });
            }
        }
        if object != now {
            self.outdate(s);
        }
        s.object = Some(object);
        Ok(CachedObject { object, current: true })
    }

    /// Delivers a write whose sender has given up.
    pub(crate) fn apply_late(&self, before: &ModelState, n: usize) -> ModelState {
        let mut s = before.clone();
        let late = s.late.remove(n);
        // No controller gets its response, success or not.
        let _ = self.apply(&mut s, late.held, late.patch);
        s
    }
}

pub(crate) fn bit(nonce: u8) -> u16 {
    1_u16.checked_shl(u32::from(nonce)).unwrap_or_default()
}
