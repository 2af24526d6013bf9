//! `progressDeadline`: what counts against it, and what is reported once it is over.

use std::time::Duration;

use domain::fault::FaultKind;
use domain::serverless::endpoint::Endpoint;
use domain::serverless::memory::Memory;
use domain::serverless::observed::{Listing, Observed, ReadyWhen, Stage, WriteOutcome};
use domain::status::{ConditionType, Reason};

use crate::conditions::{ready_before, spec, with};
use crate::strings::reported;
use invariants::fixtures::{MINUTE, Mark, endpoint, fault, observed, secs, shown, shown_condition};

const DEADLINE: Duration = Duration::from_mins(15);

/// A ready object whose Atlas is unreachable.
fn unread(kind: FaultKind) -> Observed {
    with(shown("AVAILABLE"), |o| {
        ready_before(o);
        o.listing = Listing::Failed(fault(kind));
    })
}

/// Returns the same observation when its work has lasted for `time`.
fn working_for(time: Duration, o: Observed) -> Observed {
    let stage = reported(&o).working.unwrap();
    with(o, |o| o.memory.working = Some((stage, time)))
}

/// Returns the reason of Ready, and that of Stalled if it is there.
fn ready_and_stalled(o: &Observed) -> (Reason, Option<Reason>) {
    let report = reported(o);
    (report.conditions[0].reason, report.get(ConditionType::Stalled).map(|stalled| stalled.reason))
}

#[test]
fn only_work_and_missing_access_count_against_the_deadline() {
    let suspended = with(observed(), |o| spec(o).suspend = true);
    let deleted = with(shown("AVAILABLE"), |o| o.object.deleting = true);
    let awaiting = with(shown("RESERVED"), |o| spec(o).ready_when = Some(ReadyWhen::Available));
    for (name, o, counts) in [
        ("Atlas prepares the service", shown("RESERVATION_REQUESTED"), true),
        ("access is missing", unread(FaultKind::Unauthorized), true),
        ("Atlas is away, and the object stays ready", unread(FaultKind::Unavailable), false),
        ("all is done", shown("AVAILABLE"), false),
        ("a VPC endpoint is awaited", awaiting, false),
        ("suspended while an attempt is open", suspended, false),
        ("being deleted", deleted, false),
    ] {
        assert_eq!(reported(&o).working.is_some(), counts, "{name}");
    }
}

/// Endpoint 1 in this status, recorded without a service.
fn unnamed(status: &str) -> Observed {
    with(shown(status), |o| {
        let unnamed = Endpoint { service_name: None, ..endpoint(1, Mark::Ours, status) };
        o.object.recorded = Some(unnamed);
    })
}

#[test]
fn the_deadline_is_over_once_one_stage_has_taken_that_long() {
    let requested = || shown("RESERVATION_REQUESTED");
    let late = (Reason::ProgressDeadlineExceeded, Some(Reason::ProgressDeadlineExceeded));
    let in_time = (Reason::ReservationRequested, None);
    assert_eq!(ready_and_stalled(&working_for(secs(899), requested())), in_time);
    assert_eq!(ready_and_stalled(&working_for(DEADLINE, requested())), late);
    // Another status in Atlas, or another spec, restarts the deadline.
    let changed =
        with(working_for(DEADLINE, unnamed("PENDING_ACCEPTANCE")), |o| o.listing = requested().listing);
    assert_eq!(ready_and_stalled(&changed), in_time);
    let changed = with(working_for(DEADLINE, requested()), |o| spec(o).comment = Some("orders".to_owned()));
    assert_eq!(ready_and_stalled(&changed), in_time);
}

#[test]
fn a_process_that_has_just_started_believes_the_status_about_the_same_work() {
    let published = || {
        with(shown("RESERVATION_REQUESTED"), |o| {
            let why = Reason::ProgressDeadlineExceeded;
            o.object.reported.conditions = vec![shown_condition(ConditionType::Stalled, true, why)];
            o.object.reported.current = true;
        })
    };
    let in_time = (Reason::ReservationRequested, None);
    assert_eq!(ready_and_stalled(&published()).1, Some(Reason::ProgressDeadlineExceeded));
    assert_eq!(ready_and_stalled(&with(published(), |o| o.object.reported.current = false)), in_time);
    let other_status = unnamed("PENDING_ACCEPTANCE").object.recorded;
    assert_eq!(ready_and_stalled(&with(published(), |o| o.object.recorded = other_status)), in_time);
    let other_reason = |o: &mut Observed| o.object.reported.conditions[0].reason = Some(Reason::AtlasFailed);
    assert_eq!(ready_and_stalled(&with(published(), other_reason)), in_time);
}

#[test]
fn what_stands_in_the_way_of_access_is_named_even_after_the_deadline() {
    let stalled = Some(Reason::ProgressDeadlineExceeded);
    let no_access = working_for(DEADLINE, unread(FaultKind::Unauthorized));
    assert_eq!(ready_and_stalled(&no_access), (Reason::Unauthorized, stalled));
    let refused = with(observed(), |o| {
        o.listing = Listing::Fetched(Vec::new());
        o.memory.last_write = WriteOutcome::Refused(fault(FaultKind::Refused));
    });
    assert_eq!(
        ready_and_stalled(&working_for(DEADLINE, refused)),
        (Reason::ProgressDeadlineExceeded, stalled)
    );
}

#[test]
fn a_stage_of_work_keeps_its_clock() {
    let mut memory = Memory::default();
    let late = Some(DEADLINE);
    let stage = |hash| Stage { access: false, hash };
    let since = |memory: &Memory, now| memory.snapshot(now, now, WriteOutcome::Nothing).working.unwrap().1;
    memory.working(Some(stage(1)), late, 60 * MINUTE);
    assert_eq!(since(&memory, 60 * MINUTE), DEADLINE);
    memory.working(Some(stage(2)), late, 60 * MINUTE);
    assert_eq!(since(&memory, 60 * MINUTE), secs(0));
    memory.working(Some(stage(2)), late, 61 * MINUTE);
    assert_eq!(since(&memory, 61 * MINUTE), MINUTE);
}
