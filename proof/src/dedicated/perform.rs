//! How the model performs the effects of a controller's machine: a listing, a read of the object, a write to it, a request to Atlas.
//!
//! `api_server` and `atlas` execute them. Nothing here decides whether there is an effect; the invariants of a request are checked when
//! it is sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::dedicated::claim::ClaimTarget;
use domain::dedicated::decision::Step;
use domain::dedicated::life::Sort;
use domain::dedicated::observed::{Deletion, ServiceRef, Subject};
use domain::dedicated::reconcile::vocabulary::{CallResponse, ClaimWrite, Dedicated, DedicatedWrite, Listed};
use domain::fault::FaultKind;
use domain::instant::Stamp;
use domain::reconcile::{ApiFailure, ObjectWrite};
use domain::reference::DeclaredEndpoint;

use super::atlas::{listing, read};
use super::controller::Turn;
use super::convert::{
    fault, from_entries, from_life, from_settled, from_target, key, new_endpoint, nonce_number,
};
use super::in_flight::{AtlasRequest, Late, ObjectPatch, StepOutcome};
use super::mutations::Mutation;
use super::object::{HeldObject, ModelClaim, ModelLife, ModelTarget, sibling, sort};
use super::state::Phase;
use super::times::{TRAVEL, moment, now};
use super::{Invariant, bit};
use crate::spend::spend;

/// More attempts than any run takes, for runs that do not count them.
const MAX_NONCES: u8 = 99;

impl Turn<'_> {
    /// Returns what the object declares, as the views show it.
    pub(crate) fn resolve(&self) -> Option<Subject> {
        let object = &self.machine.object().object;
        let key = key()?;
        if sort(self.slot) == Sort::Service {
            return Some(Subject::Service(key));
        }
        let endpoint = new_endpoint(object.manifest.endpoint);
        let endpoint = endpoint.map_or(DeclaredEndpoint::Undeclared, DeclaredEndpoint::Declared);
        if object.manifest.direct {
            return Some(Subject::Endpoint { service: ServiceRef::Key(key), endpoint });
        }
        let service = self.s.controllers[self.i].view.objects[0];
        let described = "PrivateEndpointService team/s".to_owned();
        let service = match service.and_then(|service| service.as_named(0).offer) {
            Some(offer) => ServiceRef::Object { object: described, key: offer.key, recorded: offer.recorded },
            None => ServiceRef::Missing {
                object: described,
                known: (!object.entries.is_empty()).then_some(key.services),
            },
        };
        Some(Subject::Endpoint { service, endpoint })
    }

    /// Returns the number of the next attempt. `None` if all are used up.
    pub(crate) fn next_nonce(&self) -> Option<u8> {
        let next = self.s.nonces + 1;
        let most = if self.free { MAX_NONCES } else { self.model.config.attempts };
        (next <= most).then_some(next)
    }

    /// Requests the listing of the services, and reads the object's endpoints. `None` if it cannot end so.
    pub(crate) fn list(&mut self) -> Option<Listed> {
        let outcome = self.take_outcome();
        let s = &mut *self.s;
        let is_lagging = match outcome {
            StepOutcome::Well => false,
            StepOutcome::Lagging if listing(s, true) == listing(s, false) => return None,
            StepOutcome::Lagging => {
                spend(&mut s.left.lags)?;
                true
            }
            StepOutcome::ResponseLost => {
                spend(&mut s.left.losses)?;
                let result = Err(fault(FaultKind::Unavailable));
                return Some(Listed {
                    sent: now(),
                    result,
                    was_requested: true,
                    endpoints: BTreeMap::new(),
                    clusters: BTreeMap::new(),
                });
            }
            StepOutcome::Unreached | StepOutcome::Parked => return None,
        };
        let services = listing(s, is_lagging);
        let to_read = self.machine.state().endpoints_to_read(&services);
        let endpoints = to_read.into_iter().map(|life| {
            let found = read(s, from_life(&life), is_lagging);
            (life, Ok(found))
        });
        Some(Listed {
            sent: now(),
            endpoints: endpoints.collect(),
            result: Ok(Arc::from(services)),
            was_requested: true,
            clusters: BTreeMap::new(),
        })
    }

    /// Reads the object past all caches.
    pub(crate) fn read(&mut self) -> Result<HeldObject, ApiFailure> {
        self.requested = true;
        let object = self.s.objects[self.slot].ok_or(ApiFailure::NotFound)?;
        Ok(self.model.held(self.slot, object))
    }

    /// Writes to the object. `None` if it cannot end so.
    pub(crate) fn write(
        &mut self,
        write: &ObjectWrite<Dedicated<HeldObject>>,
    ) -> Option<Result<HeldObject, ApiFailure>> {
        let patch = self.patch(write)?;
        let outcome = self.take_outcome();
        self.result.wrote = true;
        let held = self.machine.object().object;
        let (model, slot, i) = (self.model, self.slot, self.i);
        let s = &mut *self.s;
        if let ObjectPatch::Claim(Some(claim)) = patch {
            s.nonces = s.nonces.max(claim.nonce);
        }
        if outcome == StepOutcome::Well {
            let written = model.apply(s, slot, &held, patch);
            if written.is_ok() {
                s.controllers[i].behind |= 1 << slot;
                if let (Mutation::LandedIsSettled, Step::Record(_, Some(nonce))) =
                    (model.mutation, &self.result.step)
                {
                    s.controllers[i].answered |= bit(nonce_number(nonce));
                }
            }
            let claim = match patch {
                ObjectPatch::Claim(Some(claim)) if written.is_ok() => Some(claim),
                _ => None,
            };
            if let Some(claim) = claim {
                self.claimed(claim);
            }
            return Some(written.map(|object| model.held(slot, object)));
        }
        spend(&mut s.left.outages)?;
        match outcome {
            StepOutcome::ResponseLost => drop(model.apply(s, slot, &held, patch).ok()?),
            StepOutcome::Parked => {
                s.late.push(Late { slot: u8::try_from(slot).unwrap_or_default(), held, patch });
            }
            StepOutcome::Unreached => {}
            StepOutcome::Well | StepOutcome::Lagging => return None,
        }
        Some(Err(ApiFailure::Unknown(String::new())))
    }

    /// What the watches show is as new as the claim that was just written: the watch of the object's kind, and for the DELETE of a
    /// service a list of the endpoints.
    fn claimed(&mut self, claim: ModelClaim) {
        let Self { model, s, i, slot, .. } = self;
        let of = sort(*slot);
        if model.mutation != Mutation::NoLookAgain {
            let is_delete = matches!(claim.target, ModelTarget::Delete(_));
            let view = &s.controllers[*i].view;
            let mut view = model.views.watched(view, &s.objects, of, &model.times);
            if of == Sort::Service && is_delete && model.mutation != Mutation::UsersNotListed {
                view = model.views.watched(&view, &s.objects, Sort::Endpoint, &model.times);
            }
            let controller = &mut s.controllers[*i];
            controller.view = view;
            for shown in (0..controller.memory.len()).filter(|shown| sort(*shown) == of) {
                model.shown(controller, shown);
            }
        }
        self.running.claimed = Some(claim.target);
        self.running.outlived = false;
        self.running.namers = match claim.target {
            ModelTarget::Delete(life) => s.namers(&s.objects, *slot, life),
            _ => 0,
        };
    }

    /// Returns a write to the object as it travels. `None` if it is none, or an object cannot hold it.
    fn patch(&self, write: &ObjectWrite<Dedicated<HeldObject>>) -> Option<ObjectPatch> {
        let held = &self.machine.object().object;
        match write {
            ObjectWrite::Claim(None) => Some(ObjectPatch::Claim(None)),
            ObjectWrite::Claim(Some(ClaimWrite { nonce, target })) => {
                let (nonce, target) = (nonce_number(nonce), from_target(target));
                Some(ObjectPatch::Claim(Some(ModelClaim { nonce, life: held.life, target })))
            }
            ObjectWrite::Record(status) | ObjectWrite::Status(status) => {
                let entries = from_entries(held, &status.plan.report)?;
                let settled = from_settled(&status.plan.report);
                Some(ObjectPatch::Status {
                    entries: (entries != held.entries).then_some(entries),
                    settled: (settled != held.settled).then_some(settled),
                    record: matches!(write, ObjectWrite::Record(_)),
                })
            }
            ObjectWrite::Release(_) => {
                let view = &self.s.controllers[self.i].view;
                let is_named =
                    |life| self.s.namers(&view.objects, self.slot, life) & 1 << sibling(self.slot) != 0;
                let entries = (0_u8..).zip(held.entries.iter());
                let handed_over =
                    entries.fold(0, |all, (n, entry)| all | u8::from(is_named(entry.life)) << n);
                Some(ObjectPatch::Release { handed_over })
            }
            ObjectWrite::OutputName(_) => None,
        }
    }

    /// Sends a request to Atlas, or returns that it may not be sent any more.
    pub(crate) fn call(&mut self, call: &DedicatedWrite) -> Option<CallResponse> {
        self.requested = true;
        let DedicatedWrite::Claimed(call) = call else {
            return Some(CallResponse::Refused(fault(FaultKind::Unavailable)));
        };
        let held = self.machine.object().object;
        let target = from_target(&call.target);
        let is_delete = matches!(call.target, ClaimTarget::Delete(_));
        let declared = match target {
            ModelTarget::Create(life) => life.endpoint == held.manifest.endpoint,
            _ => true,
        };
        if !self.in_time(call.claimed) || !declared || !is_delete && self.deletion_seen() {
            return Some(CallResponse::Refused(fault(FaultKind::Unavailable)));
        }
        self.check_sent(target);
        self.result.wrote = true;
        let from = u8::try_from(self.i).ok().zip(u8::try_from(self.slot).ok());
        let nonce = held.claim.map_or(0, |claim| claim.nonce);
        self.s.requests.push(AtlasRequest {
            nonce,
            target,
            sender: held.life,
            permitted: held.manifest.deletion == Some(Deletion::Delete),
            outlived: self.running.outlived,
            left: TRAVEL,
            from,
        });
        None
    }

    fn in_time(&self, claimed: Stamp) -> bool {
        claimed.until(moment().now) < self.model.times.create_deadline
    }

    /// The watch has shown that the object of this reconcile is being deleted, or was deleted.
    fn deletion_seen(&self) -> bool {
        let life = self.machine.object().object.life;
        let shown = self.s.controllers[self.i].view.objects[self.slot];
        shown.is_none_or(|shown| shown.deleting || shown.life != life)
    }

    /// Checks the invariants of a request.
    fn check_sent(&mut self, target: ModelTarget) {
        let held = self.machine.object().object;
        let s = &mut *self.s;
        let mut broken = 0;
        if s.requests.iter().any(|request| request.target.has_key_of(target)) {
            broken |= Invariant::TwoWriters.bit();
        }
        match target {
            ModelTarget::CreateService => {}
            ModelTarget::Create(life) => {
                let is_former =
                    |entry: ModelLife| entry.endpoint == life.endpoint && entry.service != life.service;
                if held.entries.iter().any(|entry| is_former(entry.life)) {
                    broken |= Invariant::StaleRegistered.bit();
                }
            }
            ModelTarget::Delete(life) => {
                if life.endpoint != 0 && held.named & 1 << life.endpoint == 0 {
                    broken |= Invariant::NeverNamed.bit();
                }
                // What was there at the claim, or is known by now, and is there still.
                let view = &s.controllers[self.i].view;
                let known = self.running.namers | s.namers(&view.objects, self.slot, life);
                let own = s.objects[self.slot].filter(|own| view.objects[self.slot] == Some(*own));
                let is_own = own.is_some_and(|own| {
                    own.life != held.life && !own.deleting && own.manifest.endpoint == life.endpoint
                });
                if known & s.namers(&s.objects, self.slot, life) != 0 || is_own {
                    broken |= Invariant::NamedDeleted.bit();
                }
                let declared = ModelLife { endpoint: held.manifest.endpoint, ..life };
                let is_replaced = s.get(declared).is_some_and(|thing| thing.phase == Phase::Available);
                let budget = &self.model.config.budget;
                if !held.deleting
                    && life.endpoint != 0
                    && !held.manifest.break_before_make
                    && !is_replaced
                    && budget.vanishings == 0
                {
                    broken |= Invariant::BrokenBeforeMade.bit();
                }
            }
        }
        s.past.broken |= broken;
    }

    /// Returns how the remote effect ends. No other of this step may end like that.
    fn take_outcome(&mut self) -> StepOutcome {
        self.requested = true;
        std::mem::take(&mut self.outcome)
    }
}
