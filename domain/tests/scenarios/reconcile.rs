//! What the results of requests change of a running reconcile.

use std::sync::Arc;
use std::time::Duration;

use domain::access::{CredentialsInUse, Purpose};
use domain::fault::{Fault, FaultKind};
use domain::instant::SinceBoot;
use domain::rate_limits::Withheld;
use domain::reconcile::Permits;
use domain::reconcile::WriteFailure;
use domain::reconcile::output::OutputNames;
use domain::reconcile::tracked::ReadResource;
use domain::reference::VpcEndpoint;
use domain::schedule::{Basis, Cause, Due, ObjectVersion, Schedule, Start};
use domain::serverless::decision::{ConfirmedAbsence, Origin, Step};
use domain::serverless::endpoint::Endpoint;
use domain::serverless::memory::Memory;
use domain::serverless::observed::{Object, Spec, Times, WriteOutcome};
use domain::serverless::ownership::ClaimReading;
use domain::serverless::reconcile::state::{CustomResource, NextAction, ReconcileState};
use domain::serverless::reconcile::vocabulary::{Listed, Others, Plan};
use domain::serverless::status::Report;

use invariants::fixtures::{Mark, endpoint, fault, id, nonce, observed, secs, shown};

/// An object of one version.
#[derive(Debug, Clone, PartialEq)]
struct TestObject {
    object: Object,
    spec: Spec,
    generation: i64,
    /// A request, and whether the status shows it as handled.
    request: Option<(String, bool)>,
    /// The status is outdated.
    differs: bool,
    /// The output ConfigMap that the spec names.
    output: Option<&'static str>,
}

impl TestObject {
    fn new() -> Self {
        let o = observed();
        Self {
            object: o.object,
            spec: o.spec.unwrap(),
            generation: 1,
            request: None,
            differs: true,
            output: None,
        }
    }

    fn recorded() -> Self {
        Self { object: shown("RESERVED").object, ..Self::new() }
    }

    fn edited(self) -> Self {
        Self { generation: self.generation + 1, ..self }
    }
}

impl ReadResource for TestObject {
    fn version(&self) -> ObjectVersion {
        ObjectVersion {
            content: u64::try_from(self.generation).unwrap(),
            request: None,
            number: Some(1),
            deleting: self.object.deleting,
            recorded: self.object.recorded.is_some(),
            current: !self.differs,
        }
    }

    fn generation(&self) -> Option<i64> {
        Some(self.generation)
    }

    fn reconcile_request(&self) -> Option<&str> {
        self.request.as_ref().map(|(request, _)| request.as_str())
    }

    fn open_request(&self) -> Option<&str> {
        self.request.as_ref().filter(|(_, handled)| !handled).map(|(request, _)| request.as_str())
    }

    fn is_same_object(&self, _: &Self) -> bool {
        true
    }

    fn is_deleting(&self) -> bool {
        self.object.deleting
    }

    fn is_overdue(&self) -> bool {
        false
    }

    fn interval(&self) -> Duration {
        Duration::from_mins(10)
    }

    fn output(&self) -> OutputNames<'_> {
        OutputNames { declared: self.output, recorded: None }
    }
}

impl CustomResource for TestObject {
    fn object(&self) -> Object {
        self.object.clone()
    }

    fn spec(&self, vpc_endpoint: VpcEndpoint) -> Result<Spec, String> {
        Ok(Spec { vpc_endpoint, ..self.spec.clone() })
    }

    fn is_unchanged_in(&self, read: &Self) -> bool {
        self == read
    }

    fn differs_from(&self, _: &Report, _: Option<&str>) -> bool {
        self.differs
    }

    fn is_recorded(&self) -> bool {
        self.object.recorded.is_some()
    }
}

const START: SinceBoot = SinceBoot::from_secs(1_000);

/// A reconcile, with what is kept of its object.
struct Running {
    run: ReconcileState<TestObject>,
    memory: Memory,
    schedule: Schedule,
    now: SinceBoot,
}

impl Running {
    fn of(object: TestObject) -> Self {
        let mut schedule = Schedule::default();
        let start = now(schedule.due(&object.version(), START, START));
        let mut run = ReconcileState::begin(object, &start, START);
        assert!(run.begin_resolving(START), "the first decision needs a resolved reference");
        Self { run, memory: Memory::default(), schedule, now: START }
    }

    fn next(&mut self, permits: Permits) -> NextAction {
        let observed = self.run.observe(Others::default(), &mut self.memory, &Times::default(), self.now);
        let next = self.run.next(self.run.plan(observed, None), permits);
        self.run.confirm(&next, &mut self.memory, &Times::default());
        next
    }

    /// The next step, with all permits.
    fn step(&mut self) -> Plan {
        let next = self.next(Permits { atlas: true, api_server: true });
        next.plan().unwrap().clone()
    }

    /// A response shows these endpoints.
    fn list(&mut self, endpoints: &[Endpoint]) {
        self.respond(Ok(endpoints), true);
    }

    fn respond(&mut self, result: Result<&[Endpoint], Fault>, was_requested: bool) {
        let listed = Listed { sent: self.now, result: result.map(Arc::from), was_requested, sunset: None };
        self.run.list(listed, (&mut self.memory, &mut self.schedule), &Times::default());
    }
}

/// Returns how a due object starts.
fn now(due: Due) -> Start {
    match due {
        Due::Now(start) => Some(start),
        Due::Later(_) => None,
    }
    .unwrap()
}

fn requested(object: TestObject) -> TestObject {
    TestObject { request: Some(("now".to_owned(), false)), ..object }
}

#[test]
fn a_change_while_it_runs_needs_a_listing_sent_after_it() {
    for (changed, cause) in [
        (TestObject::new().edited(), Cause::Edit),
        (requested(TestObject::new()), Cause::Also),
        (requested(TestObject::new().edited()), Cause::Also),
    ] {
        let mut running = Running::of(TestObject::new());
        running.list(&[]);
        assert!(!running.run.begin_resolving(START), "nothing has changed");
        running.run.own_write(changed, &mut running.schedule);
        let later = START + secs(3);
        assert!(running.run.begin_resolving(later));
        assert_eq!(running.run.tracked().wanted_listing().0, later);
        let edited = matches!(cause, Cause::Edit);
        assert_eq!(matches!(running.run.tracked().wanted_listing().1, Cause::Edit), edited);
        let next = running.next(Permits::default());
        assert!(matches!(next, NextAction::List(_)), "the listing is of before: {next:?}");
        assert!(!running.run.begin_resolving(later), "once");
    }
}

#[test]
fn a_decision_that_waits_for_a_permit_leaves_the_memory_as_it_was() {
    let mut object = TestObject::new();
    object.object.claim = ClaimReading::Absent;
    let mut running = Running::of(object);
    running.list(&[]);
    running.next(Permits::default());
    let before = running.memory.clone();
    assert_eq!(running.next(Permits::default()), NextAction::AtlasPermit);
    assert_eq!(running.memory, before);
    assert!(matches!(running.step().decision.step, Step::Claim { nonce: None, .. }));
}

#[test]
fn a_lost_endpoint_is_reported_before_it_is_replaced() {
    let mut running = Running::of(TestObject::recorded());
    running.list(&[endpoint(1, Mark::Ours, "RESERVED")]);
    running.step();
    for _ in 0..2 {
        running.now += Times::default().visibility + Times::default().confirm_gap;
        running.list(&[]);
        running.step();
    }
    assert!(matches!(running.next(Permits::default()), NextAction::PublishLoss(plan) if plan.report.lost));
    running.run.loss_published();
    assert_eq!(running.next(Permits::default()), NextAction::AtlasPermit);
    let absent = running.step().decision.absent;
    assert_eq!(absent, Some(ConfirmedAbsence::Everything));
}

#[test]
fn a_write_that_finds_the_object_changed_starts_over() {
    let mut running = Running::of(TestObject::recorded());
    running.list(&[endpoint(1, Mark::Ours, "RESERVED")]);
    let now = START + secs(2);
    assert!(running.run.verify(TestObject::recorded(), &running.schedule, now));
    assert!(running.run.is_listed());
    assert!(!running.run.verify(TestObject::recorded().edited(), &running.schedule, now));
    assert_eq!(running.run.tracked().wanted_listing(), (now, Cause::Edit));
    assert!(!running.run.is_listed());
}

#[test]
fn only_a_listing_that_was_requested_handles_a_reconcile_request() {
    let mut running = Running::of(requested(TestObject::recorded()));
    assert_eq!(running.run.tracked().read_purpose(), Purpose::OnRequest { edited: true });
    running.respond(Err(fault(FaultKind::RateLimited)), false);
    assert_eq!(
        (running.run.tracked().handled_request(), running.run.tracked().wanted_listing().1),
        (None, Cause::Also)
    );
    running.list(&[]);
    assert_eq!(
        (running.run.tracked().handled_request(), running.run.tracked().wanted_listing().1),
        (Some("now"), Cause::Own)
    );
}

#[test]
fn a_request_is_handled_where_nothing_can_be_requested() {
    let mut running = Running::of(requested(TestObject::recorded()));
    running.run.not_listed(fault(FaultKind::Unavailable));
    assert_eq!(running.run.tracked().handled_request(), None, "the API server is unavailable");
    running.run.not_listed(fault(FaultKind::CredentialsNotFound));
    assert_eq!(running.run.tracked().handled_request(), Some("now"));
}

#[test]
fn only_an_unlisted_endpoint_after_a_delete_is_listed_again_at_once() {
    for (not_found, listed) in [(false, true), (true, false)] {
        let mut running = Running::of(TestObject::recorded());
        running.list(&[endpoint(1, Mark::Ours, "RESERVED")]);
        running.run.deleted(&id(1), not_found, &mut running.memory, START);
        assert_eq!(running.run.is_listed(), listed);
        assert!(running.run.listed().iter().all(|shown| shown.status.as_str() == "DELETING"));
    }
}

#[test]
fn a_decision_is_made_again_when_the_credentials_are_others() {
    let mut running = Running::of(TestObject::recorded());
    assert!(!running.run.use_credentials(CredentialsInUse::Own));
    assert!(running.run.use_credentials(CredentialsInUse::Default));
    assert!(!running.run.use_credentials(CredentialsInUse::Default));
}

#[test]
fn what_withholds_all_calls_is_no_listing_and_what_withholds_writes_is_a_refused_write() {
    let mut running = Running::of(TestObject::recorded());
    running.list(&[endpoint(1, Mark::Ours, "RESERVED")]);
    running.run.withhold(Withheld::Writes(fault(FaultKind::Forbidden)));
    assert!(running.run.is_listed());
    assert_eq!(running.run.basis(), Basis::Write);
    running.run.withhold(Withheld::All(fault(FaultKind::RateLimited)));
    assert!(!running.run.is_listed());
}

#[test]
fn a_write_to_atlas_is_shown_by_a_later_listing_only() {
    for outcome in [WriteOutcome::Done, WriteOutcome::Refused(fault(FaultKind::Unavailable))] {
        let mut running = Running::of(TestObject::recorded());
        assert_eq!(running.run.basis(), Basis::Nothing);
        running.list(&[endpoint(1, Mark::Ours, "RESERVED")]);
        assert_eq!(running.run.basis(), Basis::Listing(START));
        let times = (START, START + secs(5));
        let kept = (&mut running.memory, &mut running.schedule);
        running.run.wrote_atlas(outcome, kept, times, &Times::default());
        assert_eq!(running.run.basis(), Basis::Write);
        let version = TestObject::recorded().version();
        let start = now(running.schedule.due(&version, START, START + secs(6)));
        assert_eq!(start.fresh_after, START + secs(5));
    }
}

#[test]
fn an_adopted_endpoint_counts_from_the_listing_that_showed_it() {
    let mut running = Running::of(TestObject::recorded());
    running.now = START + secs(1);
    running.list(&[]);
    let now = START + secs(9);
    assert_eq!(running.run.recorded_at(Origin::Adopted, now), START + secs(1));
    assert_eq!(running.run.recorded_at(Origin::Created, now), now);
    assert_eq!(running.run.recorded_at(Origin::Named, now), now);
}

#[test]
fn a_listing_is_narrowed_to_what_concerns_the_object() {
    let mut running = Running::of(TestObject::recorded());
    let all = [endpoint(1, Mark::Ours, "RESERVED"), endpoint(2, Mark::Strangers, "RESERVED")];
    running.list(&all);
    assert_eq!(running.run.listed(), &all[..1]);
}

#[test]
fn a_claim_whose_fate_is_unknown_is_never_sent() {
    for (failed, sent) in
        [(None, true), (Some(WriteFailure::Unknown), false), (Some(WriteFailure::NotApplied), false)]
    {
        let mut memory = Memory::default();
        memory.begin_claim(nonce(1), START);
        memory.claimed(&nonce(1), failed);
        assert_eq!(memory.begin_send(&nonce(1)), sent, "{failed:?}");
        assert_eq!(memory.since(&nonce(1)).is_some(), failed != Some(WriteFailure::NotApplied), "{failed:?}");
    }
}

#[test]
fn only_a_status_that_is_all_there_is_to_write_waits_without_a_plan() {
    for (differs, output, waits) in
        [(true, None, true), (false, None, false), (true, Some("orders-endpoint"), false)]
    {
        let mut running = Running::of(TestObject { differs, output, ..TestObject::recorded() });
        running.list(&[endpoint(1, Mark::Ours, "RESERVED")]);
        let next = running.next(Permits { atlas: true, api_server: false });
        assert_eq!(matches!(next, NextAction::ApiPermit), waits, "{next:?}");
        let next = running.next(Permits { atlas: true, api_server: true });
        assert!(matches!(next, NextAction::Rest(_)), "{next:?}");
    }
}
