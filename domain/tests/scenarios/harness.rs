//! The harness of the scenarios: one controller, one object and Atlas' responses, step by step.

use std::time::Duration;

use domain::fault::FaultKind;
use domain::serverless::decide::decide;
use domain::serverless::decision::{Creating, Decision, Deleting, State, Step};
use domain::serverless::endpoint::{Endpoint, EndpointId};
use domain::serverless::memory::Memory;
use domain::serverless::observed::{Listing, Observed, Spec, WriteOutcome};
use domain::serverless::ownership::ClaimReading;

use invariants::fixtures::{MINUTE, Mark, endpoint, fault, observed, ours};

/// Long after boot, so that any event may have happened before.
pub(crate) const START: Duration = Duration::from_hours(1);

/// One controller and its object.
pub(crate) struct Harness {
    pub(crate) o: Observed,
    pub(crate) memory: Memory,
    pub(crate) now: Duration,
}

impl Harness {
    /// An object that was just created: without finalizer, claim or endpoint.
    pub(crate) fn new() -> Self {
        let mut o = observed();
        o.object.claim = ClaimReading::Absent;
        o.object.finalizer = false;
        Self { o, memory: Memory::default(), now: START }
    }

    /// The object carries the open claim of attempt 1, and this process has seen it.
    pub(crate) fn claimed() -> Self {
        let mut harness = Self::new();
        harness.o.object.claim = ours(None);
        harness.o.object.finalizer = true;
        harness.observe();
        harness
    }

    /// Endpoint 1 is recorded, and has been for long.
    pub(crate) fn recorded() -> Self {
        let mut harness = Self::claimed();
        harness.o.object.recorded = Some(endpoint(1, Mark::Ours, "AVAILABLE"));
        harness.observe();
        harness.wait(60 * MINUTE);
        harness
    }

    pub(crate) fn spec(&mut self, change: impl FnOnce(&mut Spec)) {
        change(self.o.spec.as_mut().unwrap());
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    fn recorded_id(&self) -> Option<EndpointId> {
        self.o.recorded().cloned()
    }

    /// A watch event or a read shows the object.
    pub(crate) fn observe(&mut self) {
        self.memory.observe(&self.o.object.claim, self.recorded_id().as_ref(), self.now);
    }

    /// Decides on this listing.
    pub(crate) fn reconcile(&mut self, listing: Listing) -> Decision {
        self.observe();
        let failed = match &listing {
            Listing::NotFetched => None,
            Listing::Fetched(_) => Some(None),
            Listing::Failed(fault) => Some(Some(fault.kind)),
        };
        if let Some(failed) = failed {
            self.memory.responded(failed, self.now, &self.o.times);
        }
        self.o.listing = listing;
        self.o.memory = self.memory.snapshot(self.now, self.now, WriteOutcome::Nothing);
        let decision = decide(&self.o);
        if matches!(self.o.listing, Listing::Fetched(_)) {
            self.memory.confirmed(&decision, self.now, &self.o.times);
        }
        decision
    }

    /// Atlas responds so twice, G apart; decides on the second response.
    pub(crate) fn reconcile_twice(&mut self, kind: FaultKind) -> Decision {
        self.reconcile(Listing::Failed(fault(kind)));
        self.wait(self.o.times.confirm_gap);
        self.reconcile(Listing::Failed(fault(kind)))
    }

    /// Decides on a listing that shows these.
    pub(crate) fn list(&mut self, shown: &[Endpoint]) -> Decision {
        self.reconcile(Listing::Fetched(shown.to_vec()))
    }
}

pub(crate) fn is_settling(decision: &Decision) -> bool {
    decision.step == Step::Rest
        && matches!(
            decision.state,
            State::Creating(Creating::AwaitingOutcome(_)) | State::Deleting(Deleting::AwaitingOutcome(_))
        )
}
