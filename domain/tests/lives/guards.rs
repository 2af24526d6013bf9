//! The guards of the machine, one by one: what is read, acquired or kept before what.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::access::{CredentialsInUse, Purpose};
use domain::fault::FaultKind;
use domain::instant::Stamp;
use domain::rate_limits::Withheld;
use domain::reconcile::Started;
use domain::reconcile::output::RETRY;
use domain::reconcile::tracked::ReadResource;
use domain::reconcile::{
    ApiFailure, Done, Effect as E, End, Input as I, Interruption, Moment, Note, ObjectWrite, OutputMap,
    OutputRequest, PermitKind, Permits, Resolution,
};
use domain::reference::VpcEndpoint;
use domain::requeue::EarlyEnd;
use domain::serverless::endpoint::Endpoint;
use domain::serverless::kept::KeptState;
use domain::serverless::observed::{AttemptOutcome, Times, WriteOutcome};
use domain::serverless::reconcile::state::CustomResource;
use domain::serverless::reconcile::vocabulary::{
    CallResponse, EndpointWrite, Intent, Listed, Others, Serverless,
};
use domain::status::{EventReason, Reason};
use invariants::fixtures::{MINUTE, Mark, endpoint, fault, nonce, secs, vpce};

use crate::api_server::ObjectStore;
use crate::effects::{LifeEffect, LifeInput, LifeMachine, first_word, shown};
use crate::life_run::settings;
use crate::stored_object::{StoredObject, StoredSpec};

/// One process, step by step.
struct Driver {
    api_server: ObjectStore,
    machine: Option<Box<LifeMachine>>,
    kept: KeptState,
    now: Duration,
    /// What Atlas shows.
    listed: Result<Vec<Endpoint>, FaultKind>,
    /// What the ConfigMap holds, if it exists.
    output: Option<OutputMap>,
    notes: Vec<Note>,
}

type Finished = Done<Serverless<StoredObject>>;

impl Driver {
    fn new(change: impl FnOnce(&mut StoredObject)) -> Self {
        let mut api_server = ObjectStore::default();
        let mut spec = StoredSpec::default();
        spec.rules.progress_deadline = 60 * MINUTE;
        api_server.create(spec);
        api_server.edit(change);
        Self {
            api_server,
            machine: None,
            kept: KeptState::default(),
            now: Duration::from_hours(1),
            listed: Ok(Vec::new()),
            output: None,
            notes: Vec::new(),
        }
    }

    /// Endpoint 1 is recorded in this status, and has been for an hour.
    fn recorded(status: &str, change: impl FnOnce(&mut StoredObject)) -> Self {
        let mut driver = Self::new(|_| {});
        driver.listed = Ok(vec![endpoint(1, Mark::Ours, status)]);
        let done = driver.finish();
        assert_eq!(done.end, End::Finished);
        driver.now += 60 * MINUTE;
        driver.finish();
        driver.api_server.edit(change);
        driver
    }

    fn object(&self) -> StoredObject {
        self.api_server.object.clone().unwrap()
    }

    fn moment(&self) -> Moment {
        Moment { now: Stamp { boot: self.now, day: self.now }, jitter: 0.5 }
    }

    /// Begins a reconcile of the object as it is now. Returns the first effect; `None` if it is not due.
    fn start(&mut self) -> Option<LifeEffect> {
        self.start_with(self.object())
    }

    fn start_with(&mut self, cached: StoredObject) -> Option<LifeEffect> {
        let started = LifeMachine::start(cached, &mut self.kept, &settings(), self.now, self.now);
        let Started::Now(machine) = started else { return None };
        self.machine = Some(machine);
        Some(self.give(I::Start))
    }

    fn machine(&mut self) -> &mut LifeMachine {
        self.machine.as_mut().unwrap()
    }

    fn give(&mut self, input: LifeInput) -> LifeEffect {
        let moment = self.moment();
        let machine = self.machine.as_mut().unwrap();
        let effect = machine.resume(input, &mut self.kept, &moment);
        self.notes.extend(machine.take_notes());
        effect
    }

    /// Performs an effect.
    fn perform(&mut self, effect: &LifeEffect) -> LifeInput {
        match effect {
            E::LookUp => I::Others(Others::default()),
            E::Resolve if self.object().deleting => I::Resolved(Resolution::NotNeeded),
            E::Resolve => {
                let id = self.object().spec.vpc_endpoint;
                let found = id.map_or(VpcEndpoint::Undeclared, VpcEndpoint::Declared);
                I::Resolved(Resolution::Found(found))
            }
            E::Declare(_) | E::Acquire(_) | E::Publish(_) | E::Done(_) => I::Performed,
            E::CatchUp => I::CaughtUp(true),
            E::GetCredentials(_) => I::Credentials(Ok(CredentialsInUse::Own)),
            E::Begin(_) => I::Begun(Some([1; 16])),
            E::List(_) => {
                let result = self.listed.clone().map(Arc::from).map_err(fault);
                I::Listed(Ok(Listed { sent: self.now, result, was_requested: true, sunset: None }))
            }
            E::Read => I::Read(self.api_server.read()),
            E::Write(write) => {
                let read = self.machine().object().clone();
                I::Written(self.api_server.write(&read, write, self.now))
            }
            E::Call { call, .. } => {
                let response = match call {
                    EndpointWrite::Create { .. } => {
                        CallResponse::Created(endpoint(1, Mark::Ours, "RESERVATION_REQUESTED"))
                    }
                    EndpointWrite::Update { .. } => {
                        CallResponse::Updated(endpoint(1, Mark::Ours, "RESERVED"))
                    }
                    EndpointWrite::Delete { .. } => CallResponse::Deleted { not_found: false },
                };
                I::Called(response, self.now)
            }
            E::Output(OutputRequest::Read(_)) => I::Output(Ok(self.output.clone())),
            E::Output(_) => I::Output(Ok(None)),
            E::FindAddress { .. } => I::Address(Some("address".to_owned())),
        }
    }

    /// Continues from `effect` until one of which this is true.
    fn until(&mut self, effect: LifeEffect, is_it: impl Fn(&LifeEffect) -> bool) -> LifeEffect {
        let mut effect = effect;
        while !is_it(&effect) {
            assert!(!matches!(effect, E::Done(_)), "it ends: {}", shown(&effect));
            let input = self.perform(&effect);
            effect = self.give(input);
        }
        effect
    }

    /// Begins a reconcile, and continues until an effect of which this is true.
    fn run_until(&mut self, is_it: impl Fn(&LifeEffect) -> bool) -> LifeEffect {
        let first = self.start().unwrap();
        self.until(first, is_it)
    }

    /// Continues from `effect` until the end.
    fn end(&mut self, effect: LifeEffect) -> Finished {
        match self.until(effect, |effect| matches!(effect, E::Done(_))) {
            E::Done(done) => done,
            other => panic!("{}", shown(&other)),
        }
    }

    fn finish(&mut self) -> Finished {
        let first = self.start().unwrap();
        self.end(first)
    }

    /// Gives an input, and continues until the end.
    fn finish_with(&mut self, input: LifeInput) -> Finished {
        let next = self.give(input);
        self.end(next)
    }
}

fn is_read(effect: &LifeEffect) -> bool {
    matches!(effect, E::Read)
}

fn is_call(effect: &LifeEffect) -> bool {
    matches!(effect, E::Call { .. })
}

fn is_status(effect: &LifeEffect) -> bool {
    matches!(effect, E::Write(ObjectWrite::Status(_)))
}

fn is_begin(effect: &LifeEffect) -> bool {
    matches!(effect, E::Begin(_))
}

fn is_output(effect: &LifeEffect) -> bool {
    matches!(effect, E::Output(_))
}

fn edit(object: &mut StoredObject) {
    object.spec.rules.comment = Some("other".to_owned());
}

/// The generation of the object changes, and nothing else.
fn edit_nothing(object: &mut StoredObject) {
    object.generation += 1;
}

fn delete(object: &mut StoredObject) {
    object.deleting = true;
}

fn with_output(object: &mut StoredObject) {
    object.spec.output = Some("orders-endpoint".to_owned());
    object.spec.vpc_endpoint = Some(vpce(1));
}

#[test]
fn a_cached_object_from_before_the_last_write_is_read_before_anything_else() {
    for is_stale in [true, false] {
        let mut driver = Driver::new(|_| {});
        let cached = driver.object();
        driver
            .kept
            .schedule
            .object_written(cached.version().number.map(|number| number + u64::from(is_stale)));
        driver.api_server.edit(edit);
        let first = driver.start_with(cached).unwrap();
        assert_eq!(matches!(first, E::Acquire(PermitKind::ApiServer)), is_stale, "{}", shown(&first));
        if is_stale {
            let read = driver.give(I::Performed);
            assert!(is_read(&read), "{}", shown(&read));
            let input = driver.perform(&read);
            let next = driver.give(input);
            assert!(matches!(next, E::Resolve), "{}", shown(&next));
            let stored = driver.object();
            assert_eq!(*driver.machine().object(), stored);
        }
    }
}

#[test]
fn the_deadline_of_an_attempt_begins_when_its_permits_are_acquired() {
    let mut driver = Driver::new(|_| {});
    let begin = driver.run_until(is_begin);
    assert!(matches!(begin, E::Begin(Intent::Create)), "{}", shown(&begin));
    assert_eq!(driver.machine().permits(), Permits { atlas: true, api_server: true });
    driver.now += secs(5);
    let claimed = driver.now;
    let effect = driver.until(begin, |effect| matches!(effect, E::Write(_)));
    driver.now += secs(2);
    let call = driver.until(effect, is_call);
    let E::Call { call: EndpointWrite::Create { claimed: found, .. }, .. } = call else {
        panic!("{}", shown(&call))
    };
    assert_eq!(found.boot, claimed);
}

#[test]
fn a_claim_that_no_post_follows_begins_no_write_to_atlas() {
    let mut driver = Driver::new(|_| {});
    driver.listed = Ok(vec![endpoint(1, Mark::Ours, "RESERVED")]);
    let begin = driver.run_until(is_begin);
    assert!(matches!(begin, E::Begin(Intent::ClaimOnly)), "{}", shown(&begin));
}

#[test]
fn an_attempt_that_is_announced_again_is_not_sent() {
    let mut driver = Driver::new(|_| {});
    let claim = StoredObject {
        claim: Some(format!(
            "v1/{}/{}/uid-1/this-cluster/-",
            &*crate::stored_object::TOKEN,
            nonce(7).as_str()
        )),
        ..driver.object()
    };
    driver.kept.memory.observe(&claim.claim_reading(), None, driver.now);
    let effect = driver.run_until(|effect| matches!(effect, E::Write(_)));
    let E::Write(ObjectWrite::Claim(claim)) = &effect else { panic!("{}", shown(&effect)) };
    assert_eq!((&claim.nonce, claim.is_fresh), (&nonce(7), false));
    let effect = driver.until(effect, |effect| is_call(effect) || matches!(effect, E::Done(_)));
    assert!(matches!(effect, E::Done(_)), "{}", shown(&effect));
}

#[test]
fn a_status_that_the_api_server_rejects_does_not_block_a_deletion() {
    let rejected = || ApiFailure::Rejected("too large".to_owned());
    let unknown = || ApiFailure::Unknown("timeout".to_owned());
    for (deleting, failure, end) in [
        (true, rejected(), End::Finished),
        (true, unknown(), End::ApiServer(unknown())),
        (false, rejected(), End::ApiServer(rejected())),
    ] {
        let mut driver = Driver::recorded("RESERVED", if deleting { delete } else { edit_nothing });
        driver.run_until(is_status);
        assert_eq!(driver.finish_with(I::Written(Err(failure))).end, end);
    }
}

#[test]
fn nothing_is_sent_for_an_object_that_has_changed() {
    for change in [edit, delete] {
        let mut driver = Driver::recorded("RESERVED", change);
        driver.run_until(is_read);
        driver.now += secs(3);
        driver.api_server.edit(|object| {
            (object.spec.rules.retain, object.spec.rules.comment) = (true, Some("third".to_owned()));
        });
        let read = driver.api_server.read();
        let next = driver.give(I::Read(read));
        assert!(matches!(next, E::Resolve), "{}", shown(&next));
        let next = driver.until(next, |effect| matches!(effect, E::List(_) | E::Write(_) | E::Call { .. }));
        match next {
            E::List(request) => assert_eq!(request.fresh_after, driver.now),
            next => assert!(matches!(next, E::Write(ObjectWrite::Release(false))), "{}", shown(&next)),
        }
    }
}

#[test]
fn nothing_is_sent_for_another_object_of_the_name() {
    let another = |driver: &Driver| StoredObject { uid: "uid-9".to_owned(), ..driver.object() };
    let mut driver = Driver::recorded("RESERVED", edit);
    driver.run_until(is_read);
    let read = another(&driver);
    assert_eq!(driver.finish_with(I::Read(Ok(read))).end, End::NotFound);
    for failure in [ApiFailure::NotFound, ApiFailure::KindNotInstalled] {
        driver.run_until(is_read);
        assert_eq!(driver.finish_with(I::Read(Err(failure))).end, End::NotFound);
    }
}

#[test]
fn an_excess_endpoint_is_counted_before_its_delete_is_sent() {
    let mut driver = Driver::recorded("RESERVED", |_| {});
    driver.listed = Ok([1, 2].map(|number| endpoint(number, Mark::Ours, "RESERVED")).into());
    driver.now += 60 * MINUTE;
    driver.run_until(is_call);
    let memory = |driver: &Driver| driver.kept.memory.snapshot(driver.now, driver.now, WriteOutcome::Nothing);
    assert_eq!(memory(&driver).excess_deleted, Some(Duration::ZERO));
    let mut driver = Driver::recorded("RESERVED", delete);
    driver.run_until(is_call);
    assert_eq!(memory(&driver).excess_deleted, None);
}

#[test]
fn only_an_object_without_a_claim_is_read_before_a_record() {
    let observe = |object: &mut StoredObject| {
        object.spec.rules.observe = true;
        object.spec.rules.endpoint_id = Some(endpoint(1, Mark::None, "AVAILABLE").id);
    };
    let is_record =
        |effect: &LifeEffect| is_read(effect) || matches!(effect, E::Write(ObjectWrite::Record(_)));
    for (change, mark, reads) in
        [(observe as fn(&mut StoredObject), Mark::None, true), (|_: &mut StoredObject| {}, Mark::Ours, false)]
    {
        let mut driver = Driver::new(change);
        driver.listed = Ok(vec![endpoint(1, mark, "AVAILABLE")]);
        let effect = driver.run_until(is_record);
        assert_eq!(is_read(&effect), reads, "{}", shown(&effect));
        driver.end(effect);
        assert!(driver.object().is_recorded());
    }
}

#[test]
fn a_reconcile_whose_credentials_never_stay_the_same_ends() {
    let mut driver = Driver::new(|_| {});
    let mut effect = driver.start().unwrap();
    let mut is_shared = false;
    let end = loop {
        let input = match &effect {
            E::Done(done) => break done.end.clone(),
            E::GetCredentials(Purpose::Write) => {
                is_shared = !is_shared;
                let credentials = if is_shared { CredentialsInUse::Default } else { CredentialsInUse::Own };
                I::Credentials(Ok(credentials))
            }
            effect => driver.perform(effect),
        };
        effect = driver.give(input);
    };
    assert_eq!(end, End::Changed("too many steps at once"));
}

#[test]
fn what_triggered_a_reconcile_triggers_another_if_it_ends_early() {
    for triggers in [true, false] {
        let mut driver = Driver::recorded("RESERVED", |_| {});
        driver.now += MINUTE;
        assert!(driver.start().is_none(), "it is not due");
        if triggers {
            driver.kept.schedule.reference_changed(driver.now);
        } else {
            driver.kept.schedule.status_outdated();
        }
        assert!(driver.start().is_some());
        assert!(matches!(driver.give(I::Stopped), E::Done(_)));
        driver.now += secs(1);
        driver.finish();
        assert!(driver.start().is_none(), "it was reconciled");
    }
}

#[test]
fn only_a_released_object_whose_endpoint_is_gone_leaves_nothing_to_wait_for() {
    for retain in [true, false] {
        let mut driver = Driver::recorded("RESERVED", |object| {
            object.deleting = true;
            object.spec.rules.retain = retain;
        });
        let mut done = driver.finish();
        driver.listed = Ok(Vec::new());
        for _ in 0..4 {
            if done.end == End::Released {
                break;
            }
            driver.now += MINUTE;
            done = driver.finish();
        }
        assert_eq!((done.end, done.requeue), (End::Released, Some(EarlyEnd::Released.delay())));
        let remains = |now| driver.kept.memory.clone().remains(&Times::default(), now);
        // The endpoint was recorded long ago; an object of that name that was recorded just now would be waited for.
        assert_eq!(remains(Duration::from_hours(1)).is_some(), retain);
    }
}

#[test]
fn an_output_that_is_not_complete_is_retried_soon() {
    for (address, problem, latest) in [
        (Some("address"), None, None),
        (None, None, Some(settings().poll_max)),
        (Some("address"), Some("timeout"), Some(RETRY)),
    ] {
        let mut driver = Driver::recorded("AVAILABLE", with_output);
        let mut effect = driver.start().unwrap();
        let done = loop {
            let input = match (&effect, problem) {
                (E::Done(_), _) => break driver.end(effect),
                (E::FindAddress { .. }, _) => I::Address(address.map(str::to_owned)),
                (E::Output(OutputRequest::Create(..)), Some(problem)) => I::Output(Err(problem.into())),
                _ => driver.perform(&effect),
            };
            effect = driver.give(input);
        };
        assert_eq!(done.end, End::Finished);
        let expected = latest.unwrap_or(8 * MINUTE);
        let requeue = done.requeue.unwrap();
        assert!(requeue >= expected && requeue <= expected * 3 / 2, "{requeue:?}, {expected:?}");
        let synced =
            driver.object().status.conditions.iter().any(|c| c.reason == Some(Reason::OutputNotWritten));
        assert_eq!(synced, problem.is_some());
    }
}

#[test]
fn an_address_is_requested_once_and_a_known_one_is_kept() {
    let is_find = |effect: &LifeEffect| matches!(effect, E::FindAddress { .. });
    let mut driver = Driver::recorded("AVAILABLE", with_output);
    let find = driver.run_until(is_find);
    assert!(matches!(find, E::FindAddress { fresh_after, .. } if fresh_after == driver.now));
    let create = driver.until(find, |effect| matches!(effect, E::Output(OutputRequest::Create(..))));
    let E::Output(OutputRequest::Create(_, content)) = &create else { panic!("{}", shown(&create)) };
    driver.output = Some(OutputMap { is_own: true, content: content.clone() });
    driver.end(create);
    // This process knows the address.
    driver.now += 60 * MINUTE;
    let effect = driver.run_until(|effect| is_find(effect) || matches!(effect, E::Done(_)));
    assert!(matches!(effect, E::Done(_)), "{}", shown(&effect));
    // Another process does not, and Atlas does not show it: what the ConfigMap holds stays.
    driver.kept = KeptState::default();
    driver.run_until(is_find);
    let done = driver.give(I::Address(None));
    assert!(matches!(done, E::Done(_)), "{}", shown(&done));
}

#[test]
fn a_failure_is_logged_once() {
    let mut driver = Driver::recorded("RESERVED", |_| {});
    let warnings = |driver: &mut Driver| {
        driver.now += 15 * MINUTE;
        driver.finish();
        let notes = std::mem::take(&mut driver.notes);
        notes.iter().filter(|note| matches!(note, Note::Warning(..))).count()
    };
    for (shown, logged) in [
        (Err(FaultKind::Unauthorized), 1),
        (Err(FaultKind::Unauthorized), 0),
        (Ok(vec![endpoint(1, Mark::Ours, "RESERVED")]), 0),
        (Err(FaultKind::Unauthorized), 1),
    ] {
        driver.listed = shown;
        assert_eq!(warnings(&mut driver), logged, "{:?}", driver.listed);
    }
}

#[test]
fn each_decision_that_is_followed_is_logged() {
    let mut driver = Driver::new(|_| {});
    let done = driver.finish();
    assert_eq!(done.plan.map(|plan| plan.decision.step.name()), Some("rest"));
    let steps = driver.notes.iter().filter_map(|note| match note {
        Note::Decided { step, writes, .. } => Some((*step, *writes)),
        Note::StatusNotWritten(_) | Note::Warning(..) => None,
    });
    assert_eq!(
        steps.collect::<Vec<_>>(),
        [("list", false), ("claim", true), ("create", true), ("record", true), ("rest", false)]
    );
}

#[test]
fn an_endpoint_that_makes_no_progress_is_reported_late_by_every_process() {
    let mut driver = Driver::recorded("RESERVATION_REQUESTED", |object| {
        object.spec.rules.progress_deadline = 3 * MINUTE;
    });
    let is_late = |driver: &mut Driver| {
        driver.now += MINUTE;
        if driver.start().is_some() {
            driver.api_server.edit(|object| object.touched += 1);
            driver.finish();
        }
        driver.object().is_overdue()
    };
    let late: Vec<_> = (0..6).map(|_| is_late(&mut driver)).collect();
    assert_eq!((late[0], late[5]), (false, true), "{late:?}");
    driver.kept = KeptState::default();
    assert_eq!([is_late(&mut driver), is_late(&mut driver)], [true, true], "another process");
}

#[test]
fn a_reconcile_that_fails_again_waits_longer() {
    let mut driver = Driver::new(|_| {});
    let mut delays = Vec::new();
    for _ in 0..3 {
        driver.run_until(|effect| matches!(effect, E::Write(_)));
        let done = driver.finish_with(I::Written(Err(ApiFailure::Rejected("500".to_owned()))));
        delays.push(done.requeue.unwrap());
    }
    assert!(delays.is_sorted() && delays[0] < delays[2], "{delays:?}");
}

#[test]
fn an_early_end_says_when_to_repeat() {
    let mut driver = Driver::new(|_| {});
    let resolve = driver.start().unwrap();
    assert!(matches!(resolve, E::Resolve));
    let E::Done(done) = driver.give(I::Resolved(Resolution::NotRead)) else { panic!() };
    assert_eq!((done.end, done.requeue), (End::ReferenceNotRead, Some(EarlyEnd::ReferenceNotRead.delay())));
    driver.run_until(|effect| matches!(effect, E::List(_)));
    let E::Done(done) = driver.give(I::Listed(Err(secs(42)))) else { panic!() };
    assert_eq!((done.end, done.requeue), (End::RateLimited(secs(42)), Some(secs(42))));
    driver.run_until(is_begin);
    let E::Done(done) = driver.give(I::Begun(None)) else { panic!() };
    assert_eq!(done.requeue, Some(EarlyEnd::Changed.delay()));
    driver.run_until(is_begin);
    let E::Done(done) = driver.give(I::Stopped) else { panic!() };
    assert_eq!((done.end, done.requeue), (End::Stopped, Some(EarlyEnd::Stopped.delay())));
}

#[test]
fn a_request_whose_response_is_lost_needs_a_listing_sent_after_it() {
    for input in
        [|| I::Stopped, || I::Start, || I::Called(CallResponse::Deleted { not_found: false }, Duration::ZERO)]
    {
        let mut driver = Driver::recorded("RESERVED", edit);
        let enqueued = driver.now;
        driver.run_until(is_call);
        driver.now += secs(30);
        let written = driver.now;
        assert!(matches!(driver.give(input()), E::Done(_)));
        let cached = driver.object();
        let now = driver.now;
        let started = LifeMachine::start(cached, &mut driver.kept, &settings(), enqueued, now);
        let Started::Now(machine) = started else { panic!() };
        driver.machine = Some(machine);
        let first = driver.give(I::Start);
        let list = driver.until(first, |effect| matches!(effect, E::List(_)));
        let E::List(request) = list else { panic!() };
        assert!(request.fresh_after >= written, "{:?} < {written:?}", request.fresh_after);
    }
}

#[test]
fn an_output_is_read_before_it_is_changed_and_after_the_former_one_is_removed() {
    let mut driver = Driver::recorded("RESERVED", |object| {
        with_output(object);
        object.output = Some("former".to_owned());
    });
    let mut requests = Vec::new();
    let mut effect = driver.start().unwrap();
    while !matches!(effect, E::Done(_)) {
        if is_output(&effect) || matches!(effect, E::Write(ObjectWrite::OutputName(_))) {
            requests.push(shown(&effect));
        }
        let input = driver.perform(&effect);
        effect = driver.give(input);
    }
    assert_eq!(requests.len(), 4, "{requests:?}");
    let expected =
        ["Output(Remove former)", "Write(OutputName", "Output(Read orders", "Output(Create orders"];
    for (found, expected) in requests.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn a_loss_is_reported_again_if_the_status_shows_the_endpoint_again() {
    let mut driver = Driver::recorded("RESERVED", |_| {});
    driver.listed = Ok(Vec::new());
    driver.now += 60 * MINUTE;
    driver.finish();
    driver.now += MINUTE;
    let is_claim_or_status =
        |effect: &LifeEffect| is_status(effect) || matches!(effect, E::Write(ObjectWrite::Claim(_)));
    let status = driver.run_until(is_claim_or_status);
    assert!(is_status(&status), "{}", shown(&status));
    let claim = driver.until(status, |effect| matches!(effect, E::Write(ObjectWrite::Claim(_))));
    let name = endpoint(1, Mark::Ours, "RESERVED").service_name;
    driver.api_server.edit(|object| object.status.fields.endpoint_service_name = name);
    let input = driver.perform(&claim);
    let next = driver.give(input);
    let next = driver.until(next, is_claim_or_status);
    assert!(is_status(&next), "{}", shown(&next));
}

#[test]
fn a_record_and_a_release_say_what_they_are_for() {
    let mut driver = Driver::new(|object| object.request = Some("now".to_owned()));
    let effect = driver.run_until(|effect| matches!(effect, E::Write(ObjectWrite::Record(_))));
    let E::Write(ObjectWrite::Record(write)) = effect else { panic!("{}", shown(&effect)) };
    assert_eq!(write.handled_request.as_deref(), Some("now"));
    for retain in [true, false] {
        let mut driver = Driver::recorded("RESERVED", |object| {
            object.deleting = true;
            object.spec.rules.retain = retain;
        });
        if !retain {
            for _ in 0..2 {
                driver.finish();
                driver.now += MINUTE;
                driver.listed = Ok(Vec::new());
            }
        }
        let effect = driver.run_until(|effect| matches!(effect, E::Write(ObjectWrite::Release(_))));
        assert!(matches!(effect, E::Write(ObjectWrite::Release(nothing)) if nothing != retain), "{retain}");
    }
}

#[test]
fn what_withholds_a_write_is_reported_instead() {
    for (withheld, reason) in [
        (Withheld::All(fault(FaultKind::RateLimited)), Reason::RateLimited),
        (Withheld::Writes(fault(FaultKind::Forbidden)), Reason::Forbidden),
    ] {
        for mut driver in [Driver::new(|_| {}), Driver::recorded("RESERVED", edit)] {
            driver.run_until(is_begin);
            assert_eq!(driver.finish_with(I::Withheld(withheld.clone())).end, End::Finished);
            let object = driver.object();
            assert!(object.status.conditions.iter().any(|c| c.reason == Some(reason)), "{object:#?}");
        }
    }
}

#[test]
fn an_object_that_was_released_is_read_before_anything_else() {
    let mut driver = Driver::recorded("RESERVED", |object| {
        object.deleting = true;
        object.spec.rules.retain = true;
    });
    let cached = driver.object();
    assert_eq!(driver.finish().end, End::Released);
    driver.now += 60 * MINUTE;
    let first = driver.start_with(cached).unwrap();
    assert!(matches!(first, E::Acquire(PermitKind::ApiServer)), "{}", shown(&first));
}

#[test]
fn an_adopted_endpoint_has_to_be_seen_once_more() {
    for adopted in [true, false] {
        let mut driver = Driver::new(|_| {});
        driver.listed = Ok([endpoint(1, Mark::Ours, "RESERVED")].into_iter().filter(|_| adopted).collect());
        let mut published = Vec::new();
        let mut effect = driver.start().unwrap();
        while !matches!(effect, E::Done(_)) {
            if let E::Publish(events) = &effect {
                published.extend(events.iter().map(|event| event.reason));
            }
            let input = driver.perform(&effect);
            effect = driver.give(input);
        }
        let memory = driver.kept.memory.snapshot(driver.now, driver.now, WriteOutcome::Nothing);
        assert_eq!(memory.adopted.is_some(), adopted);
        let expected: &[_] = if adopted {
            &[EventReason::EndpointAdopted, EventReason::EndpointServiceReserved]
        } else {
            &[EventReason::EndpointCreated]
        };
        assert_eq!(published, expected);
    }
}

#[test]
fn an_endpoint_that_cannot_be_recorded_is_deleted_by_its_mark() {
    let mut driver = Driver::new(|_| {});
    driver.run_until(is_call);
    driver.give(I::Stopped);
    driver.api_server.edit(delete);
    driver.listed = Ok(vec![endpoint(1, Mark::Ours, "RESERVED")]);
    let is_record = |effect: &LifeEffect| matches!(effect, E::Write(ObjectWrite::Record(_)));
    driver.now += MINUTE;
    driver.run_until(is_record);
    let done = driver.finish_with(I::Written(Err(ApiFailure::Rejected("too large".to_owned()))));
    assert!(matches!(done.end, End::ApiServer(_)));
    driver.now += MINUTE;
    let effect = driver.run_until(|effect| is_record(effect) || is_call(effect));
    assert!(is_call(&effect), "{}", shown(&effect));
}

#[test]
fn only_an_attempt_that_cannot_land_any_more_is_not_waited_for() {
    let refused = || I::Called(CallResponse::Refused(fault(FaultKind::Refused)), Duration::ZERO);
    let uncertain = || I::Called(CallResponse::Uncertain(fault(FaultKind::Unavailable)), Duration::ZERO);
    for (input, settled) in [(refused as fn() -> LifeInput, true), (uncertain, false)] {
        let mut driver = Driver::new(|_| {});
        driver.run_until(is_call);
        driver.finish_with(input());
        let memory = driver.kept.memory.snapshot(driver.now, driver.now, WriteOutcome::Nothing);
        let expected = if settled { AttemptOutcome::Settled } else { AttemptOutcome::Unknown };
        assert_eq!(memory.attempts[0].outcome, expected);
    }
    let is_claim = |effect: &LifeEffect| matches!(effect, E::Write(ObjectWrite::Claim(_)));
    for (failure, settled) in [
        (ApiFailure::Rejected("500".to_owned()), true),
        (ApiFailure::Unknown("timeout".to_owned()), true),
        (ApiFailure::KindNotInstalled, true),
        (ApiFailure::NotFound, false),
    ] {
        let mut driver = Driver::new(|_| {});
        driver.run_until(is_claim);
        driver.finish_with(I::Written(Err(failure)));
        let memory = driver.kept.memory.snapshot(driver.now, driver.now, WriteOutcome::Nothing);
        let outcomes: Vec<_> = memory.attempts.iter().map(|attempt| attempt.outcome.clone()).collect();
        assert_eq!(outcomes, if settled { vec![AttemptOutcome::Settled] } else { Vec::new() });
    }
}

#[test]
fn the_response_to_an_update_is_reported_at_once_and_a_refusal_is_no_event() {
    let connecting = endpoint(1, Mark::Ours, "INITIATING");
    let accepted = I::Called(CallResponse::Updated(connecting), Duration::ZERO);
    let refused = I::Called(CallResponse::Refused(fault(FaultKind::Refused)), Duration::ZERO);
    for (input, is_accepted) in [(accepted, true), (refused, false)] {
        let mut driver = Driver::recorded("RESERVED", |object| object.spec.vpc_endpoint = Some(vpce(1)));
        driver.run_until(is_call);
        assert!(driver.machine().permits().atlas);
        let effect = driver.give(input);
        assert!(!driver.machine().permits().atlas, "nothing else is sent to Atlas");
        let is_next = |effect: &LifeEffect| is_status(effect) || matches!(effect, E::Publish(_));
        let next = driver.until(effect, is_next);
        assert_eq!(matches!(next, E::Publish(_)), is_accepted, "{}", shown(&next));
        driver.end(next);
        let expected = if is_accepted { "INITIATING" } else { "RESERVED" };
        assert_eq!(driver.object().status.fields.status.as_deref(), Some(expected));
    }
}

#[test]
fn what_was_announced_is_not_announced_again() {
    for is_another in [true, false] {
        let mut driver = Driver::recorded("RESERVED", |_| {});
        if is_another {
            // It finds the status that another process has written.
            driver.kept = KeptState::default();
            driver.now += 60 * MINUTE;
            driver.finish();
        }
        driver.api_server.edit(|object| object.status.conditions.clear());
        driver.now += 60 * MINUTE;
        let status = driver.run_until(is_status);
        let input = driver.perform(&status);
        let next = driver.give(input);
        assert!(matches!(next, E::Done(_)), "{}", shown(&next));
    }
}

#[test]
fn a_request_is_handled_where_nothing_is_listed() {
    let mut driver = Driver::new(|object| {
        object.spec.rules.suspend = true;
        object.request = Some("now".to_owned());
    });
    driver.finish();
    assert_eq!(driver.object().open_request(), None);
}

#[test]
fn an_object_that_changed_before_its_status_or_output_was_written_is_reconciled_again() {
    let is_name = |effect: &LifeEffect| matches!(effect, E::Write(ObjectWrite::OutputName(_)));
    for is_it in [is_status as fn(&LifeEffect) -> bool, is_name] {
        let mut driver = Driver::recorded("AVAILABLE", with_output);
        driver.run_until(is_it);
        let done = driver.finish_with(I::Written(Err(ApiFailure::Conflict)));
        assert_eq!(
            (done.requeue, matches!(done.end, End::Changed(_))),
            (Some(EarlyEnd::Changed.delay()), true)
        );
    }
}

#[test]
fn a_lost_endpoint_is_replaced_unless_its_output_remains() {
    for (recorded, is_replaced) in [(true, false), (false, true)] {
        let mut driver = Driver::recorded("RESERVED", |object| {
            object.spec.output = Some("orders-endpoint".to_owned());
            object.output = object.spec.output.clone().filter(|_| recorded);
        });
        driver.listed = Ok(Vec::new());
        driver.now += 60 * MINUTE;
        driver.finish();
        driver.now += MINUTE;
        driver.run_until(is_output);
        let mut effect = driver.give(I::Output(Err("timeout".into())));
        effect = driver.until(effect, |effect| is_call(effect) || matches!(effect, E::Done(_)));
        assert_eq!(is_call(&effect), is_replaced, "{}", shown(&effect));
    }
}

#[test]
fn the_name_of_an_output_is_recorded_before_it_is_created() {
    let mut driver = Driver::recorded("RESERVED", with_output);
    let mut effects = Vec::new();
    let mut effect = driver.start().unwrap();
    while !is_status(&effect) && !matches!(effect, E::Done(_)) {
        if is_output(&effect) || matches!(effect, E::Write(_)) {
            effects.push(shown(&effect));
        }
        let input = driver.perform(&effect);
        effect = driver.give(input);
    }
    let expected = [
        "Output(Read orders-endpoint)",
        "Write(OutputName orders-endpoint)",
        "Output(Create orders-endpoint)",
    ];
    assert_eq!(effects, expected);
}

#[test]
fn an_output_whose_name_is_taken_is_reported_and_stays_as_it_is() {
    let mut driver = Driver::recorded("RESERVED", |object| {
        with_output(object);
        object.output.clone_from(&object.spec.output);
    });
    driver.output = Some(OutputMap { is_own: false, content: BTreeMap::new() });
    let effect = driver.run_until(is_output);
    let input = driver.perform(&effect);
    let next = driver.give(input);
    let next = driver.until(next, |effect| is_output(effect) || is_status(effect));
    assert!(is_status(&next), "{}", shown(&next));
    let done = driver.end(next);
    assert!(done.requeue.unwrap() <= RETRY);
    let conditions = driver.object().status.conditions;
    assert!(conditions.iter().any(|condition| condition.reason == Some(Reason::OutputNotWritten)));
}

#[test]
fn an_attempt_is_sent_once() {
    let mut driver = Driver::new(|_| {});
    let claim = driver.run_until(|effect| matches!(effect, E::Write(_)));
    let credentials = driver.until(claim, |effect| matches!(effect, E::GetCredentials(_)));
    let again = driver.machine().clone();
    let call = driver.until(credentials, is_call);
    assert!(matches!(call, E::Call { call: EndpointWrite::Create { .. }, .. }), "{}", shown(&call));
    driver.machine = Some(Box::new(again));
    let done = driver.finish_with(I::Credentials(Ok(CredentialsInUse::Own)));
    assert_eq!(done.end, End::Changed("the attempt was sent before"));
}

#[test]
fn missing_credentials_are_reported_without_a_listing() {
    let mut driver = Driver::recorded("RESERVED", edit);
    driver.run_until(|effect| matches!(effect, E::GetCredentials(_)));
    let done = driver.finish_with(I::Credentials(Err(fault(FaultKind::CredentialsNotFound))));
    assert_eq!(done.end, End::Finished);
    let conditions = driver.object().status.conditions;
    assert!(conditions.iter().any(|condition| condition.reason == Some(Reason::CredentialsNotFound)));
}

#[test]
fn a_created_endpoint_is_recorded_although_the_process_ends_and_the_object_changes() {
    let mut driver = Driver::new(|_| {});
    driver.run_until(is_call);
    let record = |effect: &LifeEffect| matches!(effect, E::Write(ObjectWrite::Record(_)));
    let response = CallResponse::Created(endpoint(1, Mark::Ours, "RESERVED"));
    let mut effect = driver.give(I::Called(response, driver.now));
    for conflict in [true, false] {
        // From the response on, nothing may be dropped.
        while !record(&effect) {
            assert_eq!(driver.machine().interruption(), Interruption::Finish, "{}", shown(&effect));
            let input = driver.perform(&effect);
            effect = driver.give(input);
        }
        assert_eq!(driver.machine().interruption(), Interruption::Finish);
        if conflict {
            effect = driver.give(I::Written(Err(ApiFailure::Conflict)));
        }
    }
}

#[test]
fn a_loss_is_published_with_its_event_although_the_process_ends() {
    let mut driver = Driver::recorded("RESERVED", |_| {});
    driver.listed = Ok(Vec::new());
    driver.now += 60 * MINUTE;
    driver.finish();
    driver.now += MINUTE;
    let mut effect = driver.run_until(|effect| matches!(effect, E::Acquire(PermitKind::ApiServer)));
    for expected in ["Acquire", "Write", "Publish"] {
        assert_eq!(first_word(&shown(&effect)), expected);
        assert_eq!(driver.machine().interruption(), Interruption::Finish, "{}", shown(&effect));
        let input = driver.perform(&effect);
        effect = driver.give(input);
    }
    assert!(matches!(effect, E::LookUp), "the replacement follows: {}", shown(&effect));
}
