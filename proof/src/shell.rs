//! One controller: what `src/serverless` does around the rules, step for step, with `domain::serverless::decide` and
//! `domain::serverless::memory::Memory` as they ship.
//!
//! A step leads from one remote effect to the next. This file never decides what the rules decide; ablations remove a
//! rule in `mutations`, before or after it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::requeue::Requeue;
use domain::serverless::decide::decide;
use domain::serverless::decision::{Decision, Origin, Step};
use domain::serverless::observed::{CredentialsInUse, Listing, Observed, WriteOutcome};
use domain::serverless::status::report;

use crate::convert::{fault, id_number, mark_in, nonce, nonce_number, to_domain, vpc_number};
use crate::effects::{require_ok, send};
use crate::in_flight::{AtlasWrite, ObjectPatch};
use crate::memory::observe;
use crate::object::{Annotation, CachedObject, Manifest, MarkOwner, ModelObject};
use crate::outcomes::StepOutcome;
use crate::state::{ModelState, RunningReconcile, View, Wait, WriteResult};
use crate::time::{ago, now, times};
use crate::{Event, Invariant, Model};

/// More attempts than any run takes, for runs that do not count them.
const MAX_NONCES: u8 = 99;

/// The result of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepResult {
    /// The decision that it followed.
    pub step: Step,
    /// When to reconcile again, if the reconcile has ended by itself.
    pub requeue: Option<Requeue>,
    /// Whether the object or Atlas was written to.
    pub wrote: bool,
}

impl Model {
    /// Runs controller `i`: begins a reconcile, or takes its next step. `None` if it has nothing to do, or not with
    /// that outcome.
    pub(crate) fn step(
        &self,
        before: &ModelState,
        i: usize,
        outcome: StepOutcome,
        free: bool,
    ) -> Option<(ModelState, StepResult)> {
        let mut s = before.clone();
        let controller = &mut s.controllers[i];
        let cache = controller.cache;
        let running = controller.running.get_or_insert_with(|| Box::new(begin(cache)));
        if running.wait != Wait::Nothing || cache.is_none() {
            return None;
        }
        let observed = self.observe(&mut s, i)?;
        let mut decision = decide(&observed);
        self.mutation.after(&mut decision, &observed);
        let running = s.controllers[i].running.as_mut()?;
        if matches!(running.view, View::Listed(_)) {
            let seen = ago(running.seen);
            let memory = &mut s.controllers[i].memory;
            // Most listings change nothing, and an unchanged memory is shared.
            if decision.absent.is_some()
                || memory.snapshot(now(), now(), WriteOutcome::Nothing).absent.is_some()
            {
                Arc::make_mut(memory).confirmed(&decision, seen, &times());
            }
        }
        let wrote = self.perform(&mut s, i, &observed, &decision, outcome, free)?;
        let rested = decision.step == Step::Rest;
        let done = StepResult { step: decision.step, requeue: rested.then_some(decision.requeue), wrote };
        Some((s, done))
    }

    fn observe(&self, s: &mut ModelState, i: usize) -> Option<Observed> {
        let controller = &mut s.controllers[i];
        let acknowledged = controller.acknowledged;
        let running = controller.running.as_ref()?;
        let object = running.held.object;
        observe(&mut controller.memory, &object);
        let listing = match &running.view {
            View::Unread => Listing::NotFetched,
            View::Failed(failure) => Listing::Failed(fault(failure.kind())),
            View::Listed(listing) => {
                Listing::Fetched(listing.iter().copied().filter_map(to_domain).collect())
            }
        };
        let at = if listing == Listing::NotFetched { now() } else { ago(running.seen) };
        let mut observed = Observed {
            object: object.to_domain(),
            spec: Ok(object.manifest.to_domain()),
            credentials: CredentialsInUse::Own,
            listing,
            owners: BTreeMap::new(),
            elsewhere: BTreeSet::new(),
            sunset: None,
            memory: controller.memory.snapshot(at, now(), running.last_write.to_domain()),
            times: times(),
        };
        self.mutation.before(&mut observed, acknowledged);
        Some(observed)
    }

    /// Performs one decision. `None` if this outcome is impossible; else whether anything was written.
    fn perform(
        &self,
        s: &mut ModelState,
        i: usize,
        observed: &Observed,
        decision: &Decision,
        outcome: StepOutcome,
        free: bool,
    ) -> Option<bool> {
        match &decision.step {
            Step::Rest => {
                require_ok(outcome)?;
                publish(s, i, observed, decision);
                Some(false)
            }
            Step::List => {
                self.list(s, i, outcome)?;
                Some(false)
            }
            Step::Claim { nonce: announced, replaced, stale_vpc_endpoint } => {
                let fresh = announced.is_none();
                let number = match announced {
                    Some(nonce) => nonce_number(nonce),
                    None if free || s.nonces < self.config.attempts => {
                        s.nonces.saturating_add(1).min(MAX_NONCES)
                    }
                    None => return None,
                };
                if fresh {
                    Arc::make_mut(&mut s.controllers[i].memory).begin_claim(nonce(number), now());
                }
                let life = s.controllers[i].running.as_ref()?.held.object.life;
                let claim = Annotation::Claim {
                    life,
                    nonce: number,
                    replaced: replaced.as_ref().map_or(0, id_number),
                };
                let stale_vpc = stale_vpc_endpoint.as_deref().map_or(0, vpc_number);
                self.patch(s, i, ObjectPatch::Claim { claim, stale_vpc, fresh }, Origin::Adopted, outcome)?;
                Some(true)
            }
            Step::Create { nonce: attempt, comment } => {
                require_ok(outcome)?;
                Some(self.post(s, i, attempt, comment))
            }
            Step::Record { endpoint, origin } => {
                let id = id_number(&endpoint.id);
                // A record of an old listing may come too late; an endpoint that was just shown or created exists.
                let just_seen = s.controllers[i].running.as_ref()?.seen == 0 && *origin != Origin::Created;
                let forgotten = s.endpoints.iter().all(|e| e.id != id);
                let suspect = forgotten && (just_seen || *origin == Origin::Created);
                let before = s.object.map(|object| object.recorded);
                let patch = ObjectPatch::Record { id, mark: mark_in(&endpoint.comment) };
                self.patch(s, i, patch, *origin, outcome)?;
                let after = s.object.map(|object| object.recorded);
                if suspect && before != after && self.config.budget.vanishings == 0 {
                    s.past.broken |= Invariant::DeadRecorded.bit();
                }
                Some(true)
            }
            Step::Update { id, comment, vpc_endpoint } => {
                require_ok(outcome)?;
                if !self.is_unchanged(s, i) {
                    return Some(false);
                }
                let vpc = vpc_endpoint.as_ref().map_or(0, |vpc| vpc_number(vpc.as_str()));
                if vpc != 0 && s.object.is_none_or(|object| object.manifest.vpc != vpc) {
                    s.past.broken |= Invariant::StalePatch.bit();
                }
                let mark = comment.as_deref().map(mark_in);
                if mark.is_some_and(|mark| mark != MarkOwner::Ours) {
                    s.past.broken |= Invariant::MarkKept.bit();
                }
                send(s, i, AtlasWrite::Patch { id: id_number(id), mark, vpc });
                Some(true)
            }
            Step::Delete { id, excess } => {
                require_ok(outcome)?;
                if !self.is_unchanged(s, i) {
                    return Some(false);
                }
                let id = id_number(id);
                if let Some(View::Listed(listing)) =
                    s.controllers[i].running.as_ref().map(|running| &running.view)
                    && listing.iter().any(|e| e.id == id && e.mark != MarkOwner::Ours)
                {
                    s.past.broken |= Invariant::ForeignDeleted.bit();
                }
                if *excess {
                    Arc::make_mut(&mut s.controllers[i].memory).deleting_excess(now());
                }
                send(s, i, AtlasWrite::Delete(id));
                Some(true)
            }
            Step::Release(reason) => {
                let retained = *reason == domain::serverless::decision::ReleaseReason::Retained;
                self.patch(s, i, ObjectPatch::Release { retained }, Origin::Adopted, outcome)?;
                Some(true)
            }
        }
    }
}

fn begin(cache: Option<CachedObject>) -> RunningReconcile {
    let nothing = ModelObject {
        life: 0,
        deleting: false,
        finalizer: false,
        claim: None,
        recorded: 0,
        shown: MarkOwner::Ours,
        shown_vpc: 0,
        stale_vpc: 0,
        take_over: false,
        manifest: Manifest::default(),
    };
    let held = cache.unwrap_or(CachedObject { object: nothing, current: false });
    RunningReconcile {
        held,
        view: View::Unread,
        seen: 0,
        last_write: WriteResult::Nothing,
        wait: Wait::Nothing,
    }
}

/// Handles a decision without a step: the status reports the state.
fn publish(s: &mut ModelState, i: usize, observed: &Observed, decision: &Decision) {
    let Some(running) = s.controllers[i].running.take() else { return };
    if running.seen == 0 && matches!(running.view, View::Listed(_)) && !running.held.object.deleting {
        let ready = report(observed, decision).conditions.first().is_some_and(|ready| ready.status);
        if ready {
            s.past.events |= Event::Ready.bit();
            let same = s.object.is_some_and(|object| {
                object.life == running.held.object.life && object.recorded == running.held.object.recorded
            });
            if s.past.dead && same {
                s.past.broken |= Invariant::ReadyLies.bit();
            }
        }
    }
}
