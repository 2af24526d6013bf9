//! The conditions of each observation, row by row: Ready, Synced, the endpoint's two conditions, progress, and the
//! requeue. What tools make of them is in `tests/health`.

use domain::fault::FaultKind;
use domain::reference::VpcEndpoint;
use domain::serverless::decide::decide;
use domain::serverless::decision::ConfirmedAbsence;
use domain::serverless::endpoint::Endpoint;
use domain::serverless::observed::{
    Attempt, AttemptOutcome, Deleted, Listing, Observed, ReadyWhen, Spec, WriteOutcome,
};
use domain::serverless::ownership::ClaimReading;
use domain::serverless::status::report;
use domain::status::{Condition, ConditionType, Reason};

use invariants::fixtures::{
    Mark, endpoint, fault, foreign_claim, id, nonce, observed, ours, secs, shown, shown_condition, stranger,
    token, vpce,
};

/// Ready, Synced, `EndpointServiceAvailable`, `EndpointConnected` (`+` is True, and the reason), other conditions, and
/// what follows: the step and the requeue.
fn reported(o: &Observed) -> String {
    let decision = decide(o);
    let report = report(o, &decision);
    let find = |kind| report.get(kind);
    let word = |condition: Option<&Condition>| {
        condition.map_or_else(String::new, |c| format!("{}{}", if c.status { "+" } else { "-" }, c.reason))
    };
    let phases = [ConditionType::Reconciling, ConditionType::Stalled, ConditionType::Suspended];
    let phase: Vec<_> =
        phases.into_iter().filter_map(|kind| find(kind).map(|c| format!("{kind}:{}", c.reason))).collect();
    let step = format!("{:?}", decision.step);
    let step = step.split([' ', '(']).next().unwrap();
    format!(
        "{} {} {} {} [{}] {step} {:?}",
        word(find(ConditionType::Ready)),
        word(find(ConditionType::Synced)),
        word(find(ConditionType::EndpointServiceAvailable)),
        word(find(ConditionType::EndpointConnected)),
        phase.join(" "),
        decision.requeue,
    )
}

pub(crate) fn spec(o: &mut Observed) -> &mut Spec {
    o.spec.as_mut().unwrap()
}

pub(crate) fn ready_before(o: &mut Observed) {
    o.object.reported.conditions = vec![shown_condition(ConditionType::Ready, true, Reason::Available)];
    o.object.reported.current = true;
}

/// Atlas reports it for the second time.
fn twice(o: &mut Observed, kind: FaultKind) {
    o.listing = Listing::Failed(fault(kind));
    o.memory.gone = vec![(kind, secs(10))];
}

pub(crate) fn with(mut o: Observed, change: impl FnOnce(&mut Observed)) -> Observed {
    change(&mut o);
    o
}

fn declaring(status: &str, declared: VpcEndpoint) -> Observed {
    with(shown(status), |o| spec(o).vpc_endpoint = declared)
}

fn listing(o: &mut Observed, endpoints: &[Endpoint]) {
    o.listing = Listing::Fetched(endpoints.to_vec());
}

/// A listing ten seconds before this one showed the same.
fn confirmed(mut o: Observed) -> Observed {
    o.memory.absent = decide(&o).absent.map(|absence| (absence, secs(10)));
    o
}

fn gone() -> Observed {
    with(shown("AVAILABLE"), |o| listing(o, &[]))
}

fn strangers(o: &mut Observed) {
    listing(o, &[endpoint(1, Mark::Strangers, "AVAILABLE")]);
}

/// Rows of the table: an observation, and its conditions.
fn check_rows<const N: usize>(rows: [(&str, Observed, &str); N]) {
    let mut broken = Vec::new();
    for (name, o, expected) in rows {
        let found = reported(&o);
        if found != expected {
            broken.push(format!("(\"{name}\", \"{found}\", \"{expected}\")"));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
#[rustfmt::skip]
#[allow(clippy::large_stack_arrays, reason = "a table is a table")]
fn conditions_before_there_is_an_endpoint_are_those_of_the_table() {
    check_rows([
        ("nothing yet, not listed", observed(), "-Creating +ReconcileSucceeded -NoEndpoint -NoEndpoint [Reconciling:Progressing] List Poll"),
        ("listed and empty, claim open", with(observed(), |o| listing(o, &[])), "-Creating +ReconcileSucceeded -NoEndpoint -NoEndpoint [Reconciling:Progressing] Rest Poll"),
        ("attempt long over", with(observed(), |o| { listing(o, &[]); o.memory.attempts = vec![Attempt { nonce: nonce(1), age: secs(200), outcome: AttemptOutcome::Unknown }]; }), "-Creating +ReconcileSucceeded -NoEndpoint -NoEndpoint [Reconciling:Progressing] Rest After(10s)"),
        ("claim absent", with(observed(), |o| { listing(o, &[]); o.object.claim = ClaimReading::Absent; o.object.finalizer = false; }), "-Creating +ReconcileSucceeded -NoEndpoint -NoEndpoint [Reconciling:Progressing] Claim Poll"),
        ("predecessor", with(observed(), |o| listing(o, &[endpoint(2, Mark::Ours, "DELETING")])), "-Creating +ReconcileSucceeded -NoEndpoint -NoEndpoint [Reconciling:Progressing] Rest Poll"),
        ("found, not claimed", with(observed(), |o| { listing(o, &[endpoint(1, Mark::Ours, "AVAILABLE")]); o.object.claim = ClaimReading::Absent; }), "-Adopting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Claim Poll"),
        ("found and named, not claimed", with(observed(), |o| { listing(o, &[endpoint(1, Mark::Ours, "AVAILABLE")]); o.object.claim = ClaimReading::Absent; spec(o).endpoint_id = Some(id(1)); }), "+Available +ReconcileSucceeded +ServiceReserved +Available [] Claim Poll"),
        ("create refused", with(observed(), |o| { listing(o, &[]); o.memory.last_write = WriteOutcome::Refused(fault(FaultKind::Refused)); }), "-AtlasRefused -AtlasRefused -NoEndpoint -NoEndpoint [Reconciling:ProgressingWithRetry] Rest Retry(0ns)"),
        ("create refused, as if all were gone", with(observed(), |o| { listing(o, &[]); o.memory.last_write = WriteOutcome::Refused(fault(FaultKind::Retired)); }), "-AtlasRefused -AtlasRefused -NoEndpoint -NoEndpoint [Reconciling:ProgressingWithRetry] Rest Retry(0ns)"),
        ("another cluster's claim", with(observed(), |o| { listing(o, &[]); o.object.claim = foreign_claim(); }), "-AdoptionRequired -AdoptionRequired -NoEndpoint -NoEndpoint [Stalled:AdoptionRequired] Rest OnChange"),
        ("another cluster's claim, taken over without a name", with(observed(), |o| { listing(o, &[]); o.object.claim = foreign_claim(); o.object.take_over = Some(stranger()); }), "-AdoptionRequired -AdoptionRequired -NoEndpoint -NoEndpoint [Stalled:AdoptionRequired] Rest OnChange"),
        ("another cluster's claim, named without a word", with(observed(), |o| { listing(o, &[]); o.object.claim = foreign_claim(); spec(o).endpoint_id = Some(id(1)); }), "-AdoptionRequired -AdoptionRequired -NoEndpoint -NoEndpoint [Stalled:AdoptionRequired] Rest OnChange"),
        ("named and not there, seen once", with(observed(), |o| { listing(o, &[endpoint(2, Mark::None, "AVAILABLE")]); o.object.claim = ClaimReading::Absent; spec(o).endpoint_id = Some(id(1)); }), "-Adopting +ReconcileSucceeded -NoEndpoint -NoEndpoint [Reconciling:Progressing] Rest After(10s)"),
        ("named and not there", with(observed(), |o| { o.memory.absent = Some((ConfirmedAbsence::Everything, secs(10))); listing(o, &[endpoint(2, Mark::None, "AVAILABLE")]); o.object.claim = ClaimReading::Absent; spec(o).endpoint_id = Some(id(1)); }), "-EndpointNotFound -EndpointNotFound -NoEndpoint -NoEndpoint [Stalled:EndpointNotFound] Rest Interval"),
        ("named and a stranger's", with(observed(), |o| { listing(o, &[endpoint(1, Mark::Strangers, "RESERVED")]); o.object.claim = ClaimReading::Absent; spec(o).endpoint_id = Some(id(1)); }), "-OwnershipConflict -OwnershipConflict -NoEndpoint -NoEndpoint [Stalled:OwnershipConflict] Rest Interval"),
        ("named and nobody's, not claimed", with(observed(), |o| { listing(o, &[endpoint(1, Mark::None, "RESERVED")]); o.object.claim = ClaimReading::Absent; spec(o).endpoint_id = Some(id(1)); }), "+Reserved +ReconcileSucceeded +ServiceReserved -AwaitingVpcEndpoint [] Claim Poll"),
        ("named and nobody's, claimed", with(observed(), |o| { listing(o, &[endpoint(1, Mark::None, "RESERVED")]); o.memory.attempts = vec![Attempt { nonce: nonce(1), age: secs(0), outcome: AttemptOutcome::Settled }]; spec(o).endpoint_id = Some(id(1)); }), "+Reserved +ReconcileSucceeded +ServiceReserved -AwaitingVpcEndpoint [] Update Poll"),
        ("suspended first", with(observed(), |o| { o.object.claim = ClaimReading::Absent; spec(o).suspend = true; }), "-Suspended +ReconcileSucceeded -NoEndpoint -NoEndpoint [Suspended:SuspendRequested] Rest OnChange"),
        ("suspended, ready before, nothing recorded", with(observed(), |o| { ready_before(o); o.object.claim = ClaimReading::Absent; spec(o).suspend = true; }), "-Suspended +ReconcileSucceeded -NoEndpoint -NoEndpoint [Suspended:SuspendRequested] Rest OnChange"),
    ]);
}

#[test]
#[rustfmt::skip]
#[allow(clippy::large_stack_arrays, reason = "a table is a table")]
fn conditions_of_an_endpoint_are_those_of_the_table() {
    let lost = || with(gone(), |o| o.memory.absent = Some((ConfirmedAbsence::Everything, secs(10))));
    let missing = || VpcEndpoint::NotFound("there is no VPCEndpoint orders".to_owned());
    let awaited = || VpcEndpoint::Awaited("VPCEndpoint orders has no id yet".to_owned());
    let unnamed = |o: &mut Observed| {
        listing(o, &[Endpoint { service_name: None, ..endpoint(1, Mark::Ours, "RESERVED") }]);
    };
    check_rows([
        ("suspended later", with(shown("AVAILABLE"), |o| { spec(o).suspend = true; ready_before(o); }), "+Available +ReconcileSucceeded +ServiceReserved +Available [Suspended:SuspendRequested] Rest OnChange"),
        ("suspended later, an attempt open", with(shown("AVAILABLE"), |o| { spec(o).suspend = true; ready_before(o); o.object.claim = ours(Some(id(1))); }), "+Available +ReconcileSucceeded +ServiceReserved +Available [Suspended:SuspendRequested] Rest After(200s)"),
        ("invalid", with(shown("AVAILABLE"), |o| o.spec = Err("why".to_owned())), "-InvalidSpec -InvalidSpec +ServiceReserved +Available [Stalled:InvalidSpec] Rest OnChange"),
        ("another id named", with(shown("AVAILABLE"), |o| spec(o).endpoint_id = Some(id(2))), "-InvalidSpec -InvalidSpec +ServiceReserved +Available [Stalled:InvalidSpec] Rest OnChange"),
        ("requested", shown("RESERVATION_REQUESTED"), "-ReservationRequested +ReconcileSucceeded -ServiceProvisioning -ServiceProvisioning [Reconciling:Progressing] Rest Poll"),
        ("reserved", shown("RESERVED"), "+Reserved +ReconcileSucceeded +ServiceReserved -AwaitingVpcEndpoint [] Rest Interval"),
        ("reserved, not named", confirmed(with(shown("RESERVED"), unnamed)), "-ReservationRequested +ReconcileSucceeded -ServiceProvisioning -AwaitingVpcEndpoint [Reconciling:Progressing] Rest Poll"),
        ("reserved, not named, available wanted", confirmed(with(shown("RESERVED"), |o| { unnamed(o); spec(o).ready_when = Some(ReadyWhen::Available); })), "-ReservationRequested +ReconcileSucceeded -ServiceProvisioning -AwaitingVpcEndpoint [Reconciling:Progressing] Rest Poll"),
        ("reserved, not named, declared, Reserved suffices", confirmed(with(declaring("RESERVED", VpcEndpoint::Declared(vpce(2))), |o| { unnamed(o); spec(o).ready_when = Some(ReadyWhen::Reserved); })), "-ReservationRequested +ReconcileSucceeded -ServiceProvisioning -AwaitingVpcEndpoint [Reconciling:Progressing] Update Poll"),
        ("initiating", shown("INITIATING"), "+Reserved +ReconcileSucceeded +ServiceReserved -Connecting [] Rest Poll"),
        ("available", shown("AVAILABLE"), "+Available +ReconcileSucceeded +ServiceReserved +Available [] Rest Interval"),
        ("failed", shown("FAILED"), "-AtlasFailed +ReconcileSucceeded +ServiceReserved -AtlasFailed [Stalled:AtlasFailed] Rest Interval"),
        ("failed without a service", confirmed(with(shown("FAILED"), |o| { let mut e = endpoint(1, Mark::Ours, "FAILED"); e.service_name = None; listing(o, &[e]); spec(o).vpc_endpoint = VpcEndpoint::Declared(vpce(2)); })), "-AtlasFailed +ReconcileSucceeded -AtlasFailed -AtlasFailed [Stalled:AtlasFailed] Rest Interval"),
        ("failed, another declared", declaring("FAILED", VpcEndpoint::Declared(vpce(2))), "-AtlasFailed +ReconcileSucceeded +ServiceReserved -AtlasFailed [Stalled:AtlasFailed] Update Poll"),
        ("deleting in Atlas", shown("DELETING"), "-EndpointLost +ReconcileSucceeded -Deleting -Deleting [Reconciling:Progressing] Rest Poll"),
        ("unknown", shown("PENDING_ACCEPTANCE"), "-UnknownStatus +ReconcileSucceeded +ServiceReserved -UnknownStatus [Reconciling:Progressing] Rest Poll"),
        ("reserved, available wanted", with(shown("RESERVED"), |o| spec(o).ready_when = Some(ReadyWhen::Available)), "-AwaitingVpcEndpoint +ReconcileSucceeded +ServiceReserved -AwaitingVpcEndpoint [Reconciling:Progressing] Rest Await"),
        ("reserved, declared", declaring("RESERVED", VpcEndpoint::Declared(vpce(2))), "-Connecting +ReconcileSucceeded +ServiceReserved -AwaitingVpcEndpoint [Reconciling:Progressing] Update Poll"),
        ("reserved, declared, just written", with(declaring("RESERVED", VpcEndpoint::Declared(vpce(2))), |o| o.memory.last_write = WriteOutcome::Done), "-Connecting +ReconcileSucceeded +ServiceReserved -AwaitingVpcEndpoint [Reconciling:Progressing] Rest Poll"),
        ("reserved, declared, Reserved suffices", with(declaring("RESERVED", VpcEndpoint::Declared(vpce(2))), |o| { spec(o).ready_when = Some(ReadyWhen::Reserved) }), "+Reserved +ReconcileSucceeded +ServiceReserved -AwaitingVpcEndpoint [] Update Poll"),
        ("reserved, declared, Reserved suffices, refused", with(declaring("RESERVED", VpcEndpoint::Declared(vpce(2))), |o| { spec(o).ready_when = Some(ReadyWhen::Reserved); o.memory.last_write = WriteOutcome::Refused(fault(FaultKind::Refused)); }), "-AtlasRefused -AtlasRefused +ServiceReserved -AwaitingVpcEndpoint [Reconciling:ProgressingWithRetry] Rest Retry(0ns)"),
        ("reserved, declared and accepted", with(declaring("RESERVED", VpcEndpoint::Declared(vpce(2))), |o| listing(o, &[Endpoint { vpc_endpoint_id: Some(vpce(2).to_string()), ..endpoint(1, Mark::Ours, "RESERVED") }])), "-Connecting +ReconcileSucceeded +ServiceReserved -AwaitingVpcEndpoint [Reconciling:Progressing] Rest Poll"),
        ("reserved, declared, stale", with(declaring("RESERVED", VpcEndpoint::Declared(vpce(2))), |o| { o.object.stale_vpc_endpoint = Some(vpce(2)) }), "-VpcEndpointStale -VpcEndpointStale +ServiceReserved -AwaitingVpcEndpoint [Stalled:VpcEndpointStale] Rest Await"),
        ("reserved, declared, another stale", with(declaring("RESERVED", VpcEndpoint::Declared(vpce(2))), |o| { o.object.stale_vpc_endpoint = Some(vpce(1)) }), "-Connecting +ReconcileSucceeded +ServiceReserved -AwaitingVpcEndpoint [Reconciling:Progressing] Update Poll"),
        ("reserved, declared, observed", with(declaring("RESERVED", VpcEndpoint::Declared(vpce(2))), |o| { spec(o).observe = true; spec(o).endpoint_id = Some(id(1)); }), "-AwaitingVpcEndpoint +ReconcileSucceeded +ServiceReserved -AwaitingVpcEndpoint [Reconciling:Progressing] Rest Await"),
        ("reserved, awaited", declaring("RESERVED", awaited()), "-AwaitingVpcEndpoint +ReconcileSucceeded +ServiceReserved -AwaitingVpcEndpoint [Reconciling:Progressing] Rest Await"),
        ("reserved, missing", declaring("RESERVED", missing()), "-ReferenceNotFound -ReferenceNotFound +ServiceReserved -AwaitingVpcEndpoint [Reconciling:ProgressingWithRetry] Rest Await"),
        ("initiating, another declared", declaring("INITIATING", VpcEndpoint::Declared(vpce(2))), "-Connecting +ReconcileSucceeded +ServiceReserved -Connecting [Reconciling:Progressing] Update Poll"),
        ("initiating, Reserved suffices", with(declaring("INITIATING", VpcEndpoint::Declared(vpce(1))), |o| { spec(o).ready_when = Some(ReadyWhen::Reserved) }), "+Reserved +ReconcileSucceeded +ServiceReserved -Connecting [] Rest Poll"),
        ("available, declared", declaring("AVAILABLE", VpcEndpoint::Declared(vpce(1))), "+Available +ReconcileSucceeded +ServiceReserved +Available [] Rest Interval"),
        ("available, another declared", declaring("AVAILABLE", VpcEndpoint::Declared(vpce(2))), "-Connecting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Update Poll"),
        ("available, another declared, observed", with(declaring("AVAILABLE", VpcEndpoint::Declared(vpce(2))), |o| { spec(o).observe = true; spec(o).endpoint_id = Some(id(1)); }), "-AwaitingVpcEndpoint +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Rest Interval"),
        ("available, another declared, stale", with(declaring("AVAILABLE", VpcEndpoint::Declared(vpce(2))), |o| { o.object.stale_vpc_endpoint = Some(vpce(2)) }), "-VpcEndpointStale -VpcEndpointStale +ServiceReserved +Available [Stalled:VpcEndpointStale] Rest Interval"),
        ("available, missing", declaring("AVAILABLE", missing()), "-ReferenceNotFound -ReferenceNotFound +ServiceReserved +Available [Reconciling:ProgressingWithRetry] Rest Interval"),
        ("available, missing, ready before", with(declaring("AVAILABLE", missing()), ready_before), "+Available -ReferenceNotFound +ServiceReserved +Available [] Rest Interval"),
        ("available, missing, ready before another generation", with(declaring("AVAILABLE", missing()), |o| { ready_before(o); o.object.reported.current = false; }), "-ReferenceNotFound -ReferenceNotFound +ServiceReserved +Available [Reconciling:ProgressingWithRetry] Rest Interval"),
        ("available, missing, ready before, a duplicate", with(declaring("AVAILABLE", missing()), |o| { ready_before(o); listing(o, &[endpoint(1, Mark::Ours, "AVAILABLE"), endpoint(2, Mark::Ours, "AVAILABLE")]); }), "+Available -ReferenceNotFound +ServiceReserved +Available [] Rest Interval"),
        ("available, a duplicate in use", with(shown("AVAILABLE"), |o| { listing(o, &[endpoint(1, Mark::Ours, "AVAILABLE"), endpoint(2, Mark::Ours, "AVAILABLE")]) }), "+Available -Duplicate +ServiceReserved +Available [] Rest Interval"),
        ("available, a duplicate unused", with(shown("AVAILABLE"), |o| { listing(o, &[endpoint(1, Mark::Ours, "AVAILABLE"), endpoint(2, Mark::Ours, "RESERVED")]) }), "+Available -Duplicate +ServiceReserved +Available [] Delete Poll"),
        ("available, another comment", with(shown("AVAILABLE"), |o| spec(o).comment = Some("orders".to_owned())), "+Available +ReconcileSucceeded +ServiceReserved +Available [] Update Poll"),
        ("available, another comment refused", with(shown("AVAILABLE"), |o| { spec(o).comment = Some("orders".to_owned()); o.memory.last_write = WriteOutcome::Refused(fault(FaultKind::Refused)); }), "-AtlasRefused -AtlasRefused +ServiceReserved +Available [Reconciling:ProgressingWithRetry] Rest Retry(0ns)"),
        ("available, another comment refused, observed", with(shown("AVAILABLE"), |o| { spec(o).observe = true; spec(o).endpoint_id = Some(id(1)); spec(o).comment = Some("orders".to_owned()); }), "+Available +ReconcileSucceeded +ServiceReserved +Available [] Rest Interval"),
        ("available, another id refused", with(declaring("AVAILABLE", VpcEndpoint::Declared(vpce(2))), |o| { o.memory.last_write = WriteOutcome::Refused(fault(FaultKind::Refused)) }), "-AtlasRefused -AtlasRefused +ServiceReserved +Available [Reconciling:ProgressingWithRetry] Rest Retry(0ns)"),
        ("available, a removal refused", with(declaring("AVAILABLE", VpcEndpoint::Declared(vpce(1))), |o| { o.memory.last_write = WriteOutcome::Refused(fault(FaultKind::Refused)) }), "+Available -AtlasRefused +ServiceReserved +Available [] Rest Retry(0ns)"),
        ("available, refused as if all were gone", with(shown("AVAILABLE"), |o| o.memory.last_write = WriteOutcome::Refused(fault(FaultKind::Retired))), "+Available -AtlasRefused +ServiceReserved +Available [] Rest Retry(0ns)"),
        ("adopted just now", with(shown("AVAILABLE"), |o| o.memory.adopted = Some(secs(9))), "-Adopting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Rest Poll"),
        ("adopted just now, Reserved suffices", with(shown("RESERVED"), |o| { o.memory.adopted = Some(secs(9)); spec(o).ready_when = Some(ReadyWhen::Reserved); }), "-Adopting +ReconcileSucceeded +ServiceReserved -AwaitingVpcEndpoint [Reconciling:Progressing] Rest Poll"),
        ("adopted and confirmed", with(shown("AVAILABLE"), |o| o.memory.adopted = Some(secs(10))), "+Available +ReconcileSucceeded +ServiceReserved +Available [] Rest Interval"),
        ("a stranger's mark once, ready before", with(shown("AVAILABLE"), |o| { strangers(o); ready_before(o); }), "+Available +ReconcileSucceeded +ServiceReserved +Available [] Rest After(10s)"),
        ("deleting in Atlas once, ready before", with(shown("AVAILABLE"), |o| { listing(o, &[endpoint(1, Mark::Ours, "DELETING")]); ready_before(o); }), "+Available +ReconcileSucceeded +ServiceReserved +Available [] Rest After(10s)"),
        ("deleting in Atlas once, nothing reported before", with(shown("AVAILABLE"), |o| listing(o, &[endpoint(1, Mark::Ours, "DELETING")])), "-Adopting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Rest After(10s)"),
        ("deleting in Atlas, confirmed", confirmed(with(shown("AVAILABLE"), |o| listing(o, &[endpoint(1, Mark::Ours, "DELETING")]))), "-EndpointLost +ReconcileSucceeded -Deleting -Deleting [Reconciling:Progressing] Rest Poll"),
        ("available, never named", with(shown("AVAILABLE"), |o| { let e = Endpoint { service_name: None, ..endpoint(1, Mark::Ours, "AVAILABLE") }; listing(o, std::slice::from_ref(&e)); o.object.recorded = Some(e); }), "+Available +ReconcileSucceeded -ServiceProvisioning +Available [] Rest Poll"),
        ("a stranger's mark", confirmed(with(shown("AVAILABLE"), strangers)), "-OwnershipConflict -OwnershipConflict +ServiceReserved +Available [Stalled:OwnershipConflict] Rest Interval"),
        ("a stranger's mark, named without a word", confirmed(with(shown("AVAILABLE"), |o| { strangers(o); spec(o).endpoint_id = Some(id(1)); })), "-OwnershipConflict -OwnershipConflict +ServiceReserved +Available [Stalled:OwnershipConflict] Rest Interval"),
        ("a stranger's mark, taken over without a name", confirmed(with(shown("AVAILABLE"), |o| { strangers(o); o.object.take_over = Some(stranger()); })), "-OwnershipConflict -OwnershipConflict +ServiceReserved +Available [Stalled:OwnershipConflict] Rest Interval"),
        ("a stranger's mark, taken over from another", confirmed(with(shown("AVAILABLE"), |o| { strangers(o); spec(o).endpoint_id = Some(id(1)); o.object.take_over = Some(token()); })), "-OwnershipConflict -OwnershipConflict +ServiceReserved +Available [Stalled:OwnershipConflict] Rest Interval"),
        ("a stranger's mark, taken over", with(shown("AVAILABLE"), |o| { strangers(o); spec(o).endpoint_id = Some(id(1)); o.object.take_over = Some(stranger()); }), "+Available +ReconcileSucceeded +ServiceReserved +Available [] Update Poll"),
        ("not shown yet", with(gone(), |o| o.memory.recorded = secs(119)), "-Adopting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Rest Poll"),
        ("not shown, not reserved either", with(gone(), |o| { o.memory.recorded = secs(119); o.object.recorded = Some(endpoint(1, Mark::Ours, "RESERVATION_REQUESTED")); }), "-ReservationRequested +ReconcileSucceeded -ServiceProvisioning -ServiceProvisioning [Reconciling:Progressing] Rest Poll"),
        ("not shown once", gone(), "-Adopting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Rest After(10s)"),
        ("not shown once, known just long enough", with(gone(), |o| o.memory.recorded = secs(120)), "-Adopting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Rest After(10s)"),
        ("lost", lost(), "-EndpointLost +ReconcileSucceeded -EndpointLost -EndpointLost [Reconciling:Progressing] Claim Poll"),
        ("lost and named", with(lost(), |o| spec(o).endpoint_id = Some(id(1))), "-EndpointLost -EndpointLost -EndpointLost -EndpointLost [Stalled:EndpointLost] Rest Interval"),
        ("lost and named, another with our mark", with(lost(), |o| { spec(o).endpoint_id = Some(id(1)); listing(o, &[endpoint(2, Mark::Ours, "RESERVED")]); o.memory.absent = Some((ConfirmedAbsence::Recorded, secs(10))); }), "-EndpointLost -EndpointLost -EndpointLost -EndpointLost [Stalled:EndpointLost] Rest Interval"),
        ("lost, another cluster's claim", with(lost(), |o| o.object.claim = foreign_claim()), "-EndpointLost +ReconcileSucceeded -EndpointLost -EndpointLost [Reconciling:Progressing] Claim Poll"),
        ("lost and claimed again", with(gone(), |o| o.object.claim = ours(Some(id(1)))), "-EndpointLost +ReconcileSucceeded -EndpointLost -EndpointLost [Reconciling:Progressing] Rest Poll"),
        ("unreachable", with(shown("AVAILABLE"), |o| o.listing = Listing::Failed(fault(FaultKind::Unavailable))), "-AtlasUnavailable -AtlasUnavailable +ServiceReserved +Available [Reconciling:ProgressingWithRetry] Rest Retry(0ns)"),
        ("unreachable, ready before", with(shown("AVAILABLE"), |o| { ready_before(o); o.listing = Listing::Failed(fault(FaultKind::Unavailable)); }), "+Available -AtlasUnavailable +ServiceReserved +Available [] Rest Retry(0ns)"),
        ("unreachable, ready before another generation", with(shown("AVAILABLE"), |o| { ready_before(o); o.object.reported.current = false; o.listing = Listing::Failed(fault(FaultKind::Unavailable)); }), "-AtlasUnavailable -AtlasUnavailable +ServiceReserved +Available [Reconciling:ProgressingWithRetry] Rest Retry(0ns)"),
        ("retired, ready before", with(shown("AVAILABLE"), |o| { ready_before(o); twice(o, FaultKind::Retired); }), "-ApiRetired -ApiRetired +ServiceReserved +Available [Stalled:ApiRetired] Rest Interval"),
        ("retired, reported once, ready before", with(shown("AVAILABLE"), |o| { ready_before(o); o.listing = Listing::Failed(fault(FaultKind::Retired)); }), "+Available +ReconcileSucceeded +ServiceReserved +Available [] Rest After(10s)"),
        ("instance gone", with(shown("AVAILABLE"), |o| twice(o, FaultKind::InstanceNotFound)), "-InstanceNotFound -InstanceNotFound -EndpointLost -EndpointLost [Stalled:InstanceNotFound] Rest Interval"),
        ("instance gone, reported once", with(observed(), |o| o.listing = Listing::Failed(fault(FaultKind::InstanceNotFound))), "-Creating +ReconcileSucceeded -NoEndpoint -NoEndpoint [Reconciling:Progressing] Rest After(10s)"),
        ("instance migrated", with(shown("AVAILABLE"), |o| twice(o, FaultKind::NotServerless)), "-InstanceMigrated -InstanceMigrated -EndpointLost -EndpointLost [Stalled:InstanceMigrated] Rest Interval"),
    ]);
}

#[test]
#[rustfmt::skip]
#[allow(clippy::large_stack_arrays, reason = "a table is a table")]
fn conditions_of_a_deleted_object_are_those_of_the_table() {
    let delete = |o: &mut Observed| o.object.deleting = true;
    let responded = |o: &mut Observed, ago, not_found| o.memory.deleted = vec![Deleted { id: id(1), ago: secs(ago), not_found }];
    check_rows([
        ("deleted, not listed", with(shown("AVAILABLE"), |o| { delete(o); o.listing = Listing::NotFetched; }), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] List Poll"),
        ("deleted", with(shown("AVAILABLE"), delete), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Delete Poll"),
        ("deleted, just deleted", with(shown("AVAILABLE"), |o| { delete(o); o.memory.last_write = WriteOutcome::Done; }), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Rest Poll"),
        ("deleted, DELETE sent and not shown yet", with(shown("AVAILABLE"), |o| { delete(o); responded(o, 9, false); }), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Rest Poll"),
        ("deleted, DELETE sent and still not shown", with(shown("AVAILABLE"), |o| { delete(o); responded(o, 10, false); }), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Delete Poll"),
        ("deleted, DELETING by now", with(shown("AVAILABLE"), |o| { delete(o); listing(o, &[endpoint(1, Mark::Ours, "DELETING")]); }), "-Deleting +ReconcileSucceeded -Deleting -Deleting [Reconciling:Progressing] Rest Poll"),
        ("deleted, DELETE sent", with(shown("DELETING"), delete), "-Deleting +ReconcileSucceeded -Deleting -Deleting [Reconciling:Progressing] Rest Poll"),
        ("deleted, gone", with(gone(), delete), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Delete Poll"),
        ("deleted, gone and responded to", with(gone(), |o| { delete(o); responded(o, 5, false); }), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Rest After(10s)"),
        ("deleted, gone and responded to after this listing", with(gone(), |o| { delete(o); responded(o, 0, false); }), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Rest Poll"),
        ("deleted, new, gone and responded to", with(gone(), |o| { delete(o); responded(o, 5, false); o.memory.recorded = secs(30); }), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Rest After(10s)"),
        ("deleted, new, unknown to Atlas", with(gone(), |o| { delete(o); responded(o, 5, true); o.memory.recorded = secs(30); }), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Rest After(90s)"),
        ("deleted, unknown to Atlas when known just long enough", with(gone(), |o| { delete(o); responded(o, 5, true); o.memory.recorded = secs(125); }), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Rest After(10s)"),
        ("deleted, no access", with(shown("AVAILABLE"), |o| { delete(o); o.listing = Listing::Failed(fault(FaultKind::NoAccess)); }), "-ProjectNotFound -ProjectNotFound +ServiceReserved +Available [Reconciling:ProgressingWithRetry] Rest After(15s)"),
        ("deleted, instance gone", with(shown("AVAILABLE"), |o| { delete(o); twice(o, FaultKind::InstanceNotFound); }), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Release Poll"),
        ("deleted, instance gone, reported once", with(shown("AVAILABLE"), |o| { delete(o); o.listing = Listing::Failed(fault(FaultKind::InstanceNotFound)); }), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Rest After(10s)"),
        ("deleted, deletion refused as if all were gone", with(shown("AVAILABLE"), |o| { delete(o); o.memory.last_write = WriteOutcome::Refused(fault(FaultKind::InstanceNotFound)); }), "-AtlasRefused -AtlasRefused +ServiceReserved +Available [Reconciling:ProgressingWithRetry] Rest Retry(0ns)"),
        ("deleted, attempt open", with(observed(), |o| { delete(o); listing(o, &[]); }), "-Deleting +ReconcileSucceeded -Deleting -Deleting [Reconciling:Progressing] Rest Poll"),
        ("deleted, attempt open, no access", with(observed(), |o| { delete(o); o.listing = Listing::Failed(fault(FaultKind::NoAccess)); }), "-ProjectNotFound -ProjectNotFound -Deleting -Deleting [Reconciling:ProgressingWithRetry] Rest After(15s)"),
        ("deleted, attempt open, instance gone", with(observed(), |o| { delete(o); twice(o, FaultKind::InstanceNotFound); }), "-Deleting +ReconcileSucceeded -Deleting -Deleting [Reconciling:Progressing] Rest After(200s)"),
        ("deleted, attempt open, instance gone, reported once", with(observed(), |o| { delete(o); o.listing = Listing::Failed(fault(FaultKind::InstanceNotFound)); }), "-Deleting +ReconcileSucceeded -Deleting -Deleting [Reconciling:Progressing] Rest After(10s)"),
        ("deleted, what an attempt made is DELETING", with(observed(), |o| { delete(o); o.object.claim = ClaimReading::Absent; listing(o, &[endpoint(2, Mark::Ours, "DELETING")]); }), "-Deleting +ReconcileSucceeded -Deleting -Deleting [Reconciling:Progressing] Rest Poll"),
        ("deleted, another cluster's claim", with(observed(), |o| { delete(o); o.object.claim = foreign_claim(); }), "-Deleting +ReconcileSucceeded -Deleting -Deleting [Reconciling:Progressing] Release Poll"),
        ("deleted, another cluster's claim, attempt open, invalid", with(observed(), |o| { delete(o); o.object.claim = foreign_claim(); o.spec = Err("why".to_owned()); o.memory.attempts = vec![Attempt { nonce: nonce(1), age: secs(0), outcome: AttemptOutcome::Unknown }]; }), "-Deleting +ReconcileSucceeded -Deleting -Deleting [Reconciling:Progressing] Rest After(200s)"),
        ("deleted, suspended", with(shown("AVAILABLE"), |o| { delete(o); spec(o).suspend = true; }), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Delete Poll"),
        ("deleted without our finalizer", with(shown("AVAILABLE"), |o| { delete(o); o.object.finalizer = false; }), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Rest OnChange"),
        ("deleted, retained", with(shown("AVAILABLE"), |o| { delete(o); spec(o).retain = true; }), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Release Poll"),
        ("deleted, retained, attempt open, not listed", with(observed(), |o| { delete(o); spec(o).retain = true; }), "-Deleting +ReconcileSucceeded -Deleting -Deleting [Reconciling:Progressing] List Poll"),
        ("deleted, a stranger's mark", with(shown("AVAILABLE"), |o| { delete(o); strangers(o); }), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Rest After(10s)"),
        ("deleted, a stranger's mark, DELETING", with(shown("AVAILABLE"), |o| { delete(o); listing(o, &[endpoint(1, Mark::Strangers, "DELETING")]); }), "-Deleting +ReconcileSucceeded -Deleting -Deleting [Reconciling:Progressing] Rest Poll"),
    ]);
}
