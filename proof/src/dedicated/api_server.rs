//! The API server's part of a write to an object: its guards, and its effect.
//!
//! This file never knows how a controller handles the response.

use domain::dedicated::life::{Provenance, Sort};
use domain::dedicated::observed::Deletion;
use domain::reconcile::ApiFailure;

use super::in_flight::ObjectPatch;
use super::mutations::Mutation;
use super::object::{ModelClaim, ModelEntry, ModelObject, RecordedLives, sort};
use super::state::{AtlasLife, ModelState};
use super::{Event, Invariant, Model, bit, created_bit};

impl Model {
    /// Executes or rejects it.
    pub(crate) fn apply(
        &self,
        s: &mut ModelState,
        slot: usize,
        read: &ModelObject,
        patch: ObjectPatch,
    ) -> Result<ModelObject, ApiFailure> {
        let now = s.objects[slot].ok_or(ApiFailure::NotFound)?;
        if now.life != read.life {
            return Err(ApiFailure::Conflict);
        }
        let is_unchanged = now == *read;
        let mut object = now;
        match patch {
            ObjectPatch::Claim(claim) => {
                let is_guarded = self.mutation != Mutation::NoResourceVersion || claim.is_none();
                // No writer can add a finalizer to an object that is being deleted.
                let addable = object.finalizer || !object.deleting;
                if (is_guarded && !is_unchanged) || !addable {
                    return Err(ApiFailure::Conflict);
                }
                object.finalizer = true;
                if let Some(claim) = claim {
                    return Ok(self.claim(s, slot, object, claim));
                }
            }
            ObjectPatch::Status { entries, settled, record } => {
                let is_tested = self.mutation != Mutation::RecordIgnoresClaim;
                let is_guarded = !is_tested || (now.claim == read.claim && now.entries == read.entries);
                let holds = if record { is_guarded } else { is_unchanged };
                if !holds {
                    return Err(ApiFailure::Conflict);
                }
                self.record(s, &now, entries);
                object.entries = entries.unwrap_or(object.entries);
                object.settled = settled.unwrap_or(object.settled);
                object = object.naming();
            }
            ObjectPatch::Release { handed_over } => {
                if !is_unchanged {
                    return Err(ApiFailure::Conflict);
                }
                self.release(s, slot, &now, handed_over);
                object.finalizer = false;
                return Ok(object);
            }
        }
        s.objects[slot] = Some(object);
        Ok(object)
    }

    /// Writes a claim. Where none is written, only its writer believes that there is one.
    fn claim(&self, s: &mut ModelState, slot: usize, object: ModelObject, claim: ModelClaim) -> ModelObject {
        let claimed = ModelObject { claim: Some(claim), ..object };
        let is_written = !self.mutation.is_unclaimed(claim.target);
        s.objects[slot] = Some(if is_written { claimed } else { object });
        claimed
    }

    /// Checks what is recorded.
    fn record(&self, s: &mut ModelState, before: &ModelObject, entries: Option<RecordedLives>) {
        let Some(entries) = entries else { return };
        for entry in entries.iter().filter(|entry| before.entries.get(entry.life) != Some(entry)) {
            self.happened(match entry.provenance {
                Provenance::Created => Event::RecordedCreated,
                Provenance::Unproven => Event::RecordedUnproven,
                Provenance::Adopted => Event::RecordedAdopted,
            });
            let is_own = s.past.created & created_bit(before.life, entry.life) != 0;
            if entry.provenance == Provenance::Created && !is_own {
                s.past.broken |= Invariant::OthersRecordedCreated.bit();
            }
        }
        let is_replaced = |known: &ModelEntry| {
            let is_same = |entry: &&ModelEntry| entry.life.endpoint == known.life.endpoint;
            entries.iter().find(is_same).is_some_and(|entry| entry.life.service != known.life.service)
        };
        if before.entries.iter().any(is_replaced) {
            self.happened(Event::Replaced);
        }
    }

    /// Removes the object, and checks that nothing stays in Atlas that it had to remove.
    fn release(&self, s: &mut ModelState, slot: usize, object: &ModelObject, handed_over: u8) {
        let left = s.atlas.iter().filter(|thing| thing.is_live() && thing.creator == object.life);
        let may_stay = |thing: &AtlasLife| {
            let manifest = object.manifest;
            let entries = (0_u8..).zip(object.entries.iter());
            let entry = entries.clone().find(|(_, entry)| entry.life == thing.life);
            let is_handed_over = entry.is_some_and(|(n, _)| handed_over & 1 << n != 0);
            // What it did not see to be its own creation, and may be others'.
            let is_unproven = manifest.deletion.is_none()
                && match (sort(slot), entry.map(|(_, entry)| entry)) {
                    (Sort::Service, entry) => entry.is_none_or(|entry| {
                        entry.provenance != Provenance::Created || entry.by != object.life
                    }),
                    (Sort::Endpoint, Some(entry)) => {
                        entry.provenance == Provenance::Adopted || entry.by != object.life
                    }
                    (Sort::Endpoint, None) => false,
                };
            manifest.observe
                || manifest.deletion == Some(Deletion::Retain)
                || is_handed_over
                || is_unproven
                || s.namers(&s.objects, slot, thing.life) != 0
        };
        let is_leaked = left.clone().any(|thing| !may_stay(thing));
        if left.clone().next().is_some() {
            self.happened(Event::Retained);
        } else if s.past.created & super::created_by(object.life) != 0 {
            self.happened(Event::Deleted);
        }
        if is_leaked {
            s.past.broken |= Invariant::Leaked.bit();
        }
        s.past.released |= bit(object.life);
        remove(s, slot, object);
    }

    /// Delivers a write whose sender has given up.
    pub(crate) fn apply_late(&self, before: &ModelState, n: usize) -> ModelState {
        let mut s = before.clone();
        let late = s.late.remove(n);
        // No controller gets its response, success or not.
        let _ = self.apply(&mut s, usize::from(late.slot), &late.held, late.patch);
        s
    }
}

/// Removes an object whose last finalizer is gone.
pub(crate) fn remove(s: &mut ModelState, slot: usize, object: &ModelObject) {
    if s.left.restores > 0 {
        s.past.backups[slot] = Some(*object);
    }
    s.objects[slot] = None;
}
