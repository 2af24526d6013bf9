//! What is said of each look, row by row: readiness, what is amiss, the endpoint's two conditions, how it goes on, and when
//! to look again. The table of docs/concepts/health.md in the words that users see.

use domain::conditions::{Condition, ConditionType, report};
use domain::decide::decide;
use domain::decision::Absence;
use domain::endpoint::Endpoint;
use domain::fault::FaultKind;
use domain::observed::{Atlas, Attempt, Deleted, Fate, Observed, ReadyWhen, Spec, Tried, VpcEndpoint};
use domain::ownership::ClaimReading;

use crate::support::{
    MINUTE, Mark, endpoint, fault, foreign_claim, id, nonce, observed, ours, secs, stranger, vpce,
};

/// Ready, Synced, `EndpointServiceAvailable`, `EndpointConnected` (`+` is True, and the reason), what else is there, and what
/// follows: the step and when to look again.
fn said(o: &Observed) -> String {
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
        decision.wake,
    )
}

/// Endpoint 1, recorded for an hour, and listed in this status.
fn shown(status: &str) -> Observed {
    let mut o = observed();
    o.object.recorded = Some(endpoint(1, Mark::Ours, status));
    o.memory.recorded = 60 * MINUTE;
    o.atlas = Atlas::Listed(vec![endpoint(1, Mark::Ours, status)]);
    o
}

fn spec(o: &mut Observed) -> &mut Spec {
    o.spec.as_mut().unwrap()
}

fn ready_before(o: &mut Observed) {
    let said = |kind: &str, yes, why: &str| (kind.to_owned(), yes, why.to_owned(), "as it was".to_owned());
    o.object.reported.conditions = vec![said("Ready", true, "Available")];
    o.object.reported.current = true;
}

fn with(mut o: Observed, change: impl FnOnce(&mut Observed)) -> Observed {
    change(&mut o);
    o
}

fn declaring(status: &str, declared: VpcEndpoint) -> Observed {
    with(shown(status), |o| spec(o).vpc_endpoint = declared)
}

fn listing(o: &mut Observed, endpoints: &[Endpoint]) {
    o.atlas = Atlas::Listed(endpoints.to_vec());
}

#[test]
#[rustfmt::skip]
#[allow(clippy::large_stack_arrays, reason = "a table is a table")]
fn each_look_is_said_in_the_words_of_the_table() {
    let gone = || with(shown("AVAILABLE"), |o| listing(o, &[]));
    let lost = || with(gone(), |o| o.memory.absent = Some((Absence::Everything, secs(10))));
    let missing = || VpcEndpoint::NotFound("there is no VPCEndpoint orders".to_owned());
    let awaited = || VpcEndpoint::Awaited("VPCEndpoint orders has no id yet".to_owned());
    let unnamed = |o: &mut Observed| {
        listing(o, &[Endpoint { service_name: None, ..endpoint(1, Mark::Ours, "RESERVED") }]);
    };
    let dying = |o: &mut Observed| o.object.deleting = true;
    let mut broken = Vec::new();
    for (name, o, expected) in [
        ("nothing yet, not listed", observed(), "-Creating +ReconcileSucceeded -ServiceProvisioning -ServiceProvisioning [Reconciling:Progressing] List Poll"),
        ("listed and empty, claim open", with(observed(), |o| listing(o, &[])), "-Creating +ReconcileSucceeded -ServiceProvisioning -ServiceProvisioning [Reconciling:Progressing] Rest Poll"),
        ("attempt long over", with(observed(), |o| { listing(o, &[]); o.memory.attempts = vec![Attempt { nonce: nonce(1), age: secs(200), fate: Fate::Unknown }]; }), "-Creating +ReconcileSucceeded -ServiceProvisioning -ServiceProvisioning [Reconciling:Progressing] Rest After(10s)"),
        ("claim absent", with(observed(), |o| { listing(o, &[]); o.object.claim = ClaimReading::Absent; o.object.finalizer = false; }), "-Creating +ReconcileSucceeded -ServiceProvisioning -ServiceProvisioning [Reconciling:Progressing] Claim Poll"),
        ("predecessor", with(observed(), |o| listing(o, &[endpoint(2, Mark::Ours, "DELETING")])), "-Creating +ReconcileSucceeded -ServiceProvisioning -ServiceProvisioning [Reconciling:Progressing] Rest Poll"),
        ("create refused", with(observed(), |o| { listing(o, &[]); o.memory.tried = Tried::Refused(fault(FaultKind::Refused)); }), "-AtlasRefused -AtlasRefused -ServiceProvisioning -ServiceProvisioning [Reconciling:ProgressingWithRetry] Rest Retry(0ns)"),
        ("create refused for good", with(observed(), |o| { listing(o, &[]); o.memory.tried = Tried::Refused(fault(FaultKind::Retired)); }), "-ApiRetired -ApiRetired -ServiceProvisioning -ServiceProvisioning [Stalled:ApiRetired] Rest Interval"),
        ("another cluster's claim", with(observed(), |o| { listing(o, &[]); o.object.claim = foreign_claim(); }), "-AdoptionRequired -AdoptionRequired -ServiceProvisioning -ServiceProvisioning [Stalled:AdoptionRequired] Rest OnChange"),
        ("another cluster's claim, taken over without a name", with(observed(), |o| { listing(o, &[]); o.object.claim = foreign_claim(); o.object.take_over = Some(stranger()); }), "-AdoptionRequired -AdoptionRequired -ServiceProvisioning -ServiceProvisioning [Stalled:AdoptionRequired] Rest OnChange"),
        ("another cluster's claim, named without a word", with(observed(), |o| { listing(o, &[]); o.object.claim = foreign_claim(); spec(o).endpoint_id = Some(id(1)); }), "-AdoptionRequired -AdoptionRequired -ServiceProvisioning -ServiceProvisioning [Stalled:AdoptionRequired] Rest OnChange"),
        ("named and not there", with(observed(), |o| { listing(o, &[]); o.object.claim = ClaimReading::Absent; spec(o).endpoint_id = Some(id(1)); }), "-EndpointLost -EndpointLost -ServiceProvisioning -ServiceProvisioning [Stalled:EndpointLost] Rest Interval"),
        ("named and a stranger's", with(observed(), |o| { listing(o, &[endpoint(1, Mark::Strangers, "RESERVED")]); o.object.claim = ClaimReading::Absent; spec(o).endpoint_id = Some(id(1)); }), "-OwnershipConflict -OwnershipConflict -ServiceProvisioning -ServiceProvisioning [Stalled:OwnershipConflict] Rest Interval"),
        ("suspended first", with(observed(), |o| { o.object.claim = ClaimReading::Absent; spec(o).suspend = true; }), "-Suspended +ReconcileSucceeded -ServiceProvisioning -ServiceProvisioning [Suspended:SuspendRequested] Rest OnChange"),
        ("suspended later", with(shown("AVAILABLE"), |o| { spec(o).suspend = true; ready_before(o); }), "+Available +ReconcileSucceeded +ServiceReserved +Available [Suspended:SuspendRequested] Rest OnChange"),
        ("invalid", with(shown("AVAILABLE"), |o| o.spec = Err("why".to_owned())), "-InvalidSpec -InvalidSpec +ServiceReserved +Available [Stalled:InvalidSpec] Rest OnChange"),
        ("another id named", with(shown("AVAILABLE"), |o| spec(o).endpoint_id = Some(id(2))), "-InvalidSpec -InvalidSpec +ServiceReserved +Available [Stalled:InvalidSpec] Rest OnChange"),
        ("requested", shown("RESERVATION_REQUESTED"), "-ReservationRequested +ReconcileSucceeded -ServiceProvisioning -ServiceProvisioning [Reconciling:Progressing] Rest Poll"),
        ("reserved", shown("RESERVED"), "+Reserved +ReconcileSucceeded +ServiceReserved -AwaitingVpcEndpoint [] Rest Interval"),
        ("reserved, not named", with(shown("RESERVED"), unnamed), "-ReservationRequested +ReconcileSucceeded -ServiceProvisioning -AwaitingVpcEndpoint [Reconciling:Progressing] Rest Poll"),
        ("reserved, not named, available wanted", with(shown("RESERVED"), |o| { unnamed(o); spec(o).ready_when = Some(ReadyWhen::Available); }), "-ReservationRequested +ReconcileSucceeded -ServiceProvisioning -AwaitingVpcEndpoint [Reconciling:Progressing] Rest Poll"),
        ("reserved, not named, declared, Reserved suffices", with(declaring("RESERVED", VpcEndpoint::Declared(vpce(2))), |o| { unnamed(o); spec(o).ready_when = Some(ReadyWhen::Reserved); }), "-ReservationRequested +ReconcileSucceeded -ServiceProvisioning -AwaitingVpcEndpoint [Reconciling:Progressing] Update Poll"),
        ("initiating", shown("INITIATING"), "+Reserved +ReconcileSucceeded +ServiceReserved -Connecting [] Rest Poll"),
        ("available", shown("AVAILABLE"), "+Available +ReconcileSucceeded +ServiceReserved +Available [] Rest Interval"),
        ("failed", shown("FAILED"), "-AtlasFailed +ReconcileSucceeded +ServiceReserved -AtlasFailed [Stalled:AtlasFailed] Rest Interval"),
        ("failed without a service", with(shown("FAILED"), |o| { let mut e = endpoint(1, Mark::Ours, "FAILED"); e.service_name = None; listing(o, &[e]); spec(o).vpc_endpoint = VpcEndpoint::Declared(vpce(2)); }), "-AtlasFailed +ReconcileSucceeded -ServiceProvisioning -AtlasFailed [Stalled:AtlasFailed] Rest Interval"),
        ("deleting in Atlas", shown("DELETING"), "-EndpointLost +ReconcileSucceeded -ServiceProvisioning -Deleting [Reconciling:Progressing] Rest Poll"),
        ("unknown", shown("PENDING_ACCEPTANCE"), "-UnknownStatus +ReconcileSucceeded +ServiceReserved -UnknownStatus [Reconciling:Progressing] Rest Poll"),
        ("reserved, available wanted", with(shown("RESERVED"), |o| spec(o).ready_when = Some(ReadyWhen::Available)), "-AwaitingVpcEndpoint +ReconcileSucceeded +ServiceReserved -AwaitingVpcEndpoint [Reconciling:Progressing] Rest Await"),
        ("reserved, declared", declaring("RESERVED", VpcEndpoint::Declared(vpce(2))), "-Connecting +ReconcileSucceeded +ServiceReserved -AwaitingVpcEndpoint [Reconciling:Progressing] Update Poll"),
        ("reserved, declared, just written", with(declaring("RESERVED", VpcEndpoint::Declared(vpce(2))), |o| o.memory.tried = Tried::Done), "-Connecting +ReconcileSucceeded +ServiceReserved -AwaitingVpcEndpoint [Reconciling:Progressing] Rest Poll"),
        ("reserved, declared, Reserved suffices", with(declaring("RESERVED", VpcEndpoint::Declared(vpce(2))), |o| { spec(o).ready_when = Some(ReadyWhen::Reserved) }), "+Reserved +ReconcileSucceeded +ServiceReserved -AwaitingVpcEndpoint [] Update Poll"),
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
        ("available, another comment refused", with(shown("AVAILABLE"), |o| { spec(o).comment = Some("orders".to_owned()); o.memory.tried = Tried::Refused(fault(FaultKind::Refused)); }), "-AtlasRefused -AtlasRefused +ServiceReserved +Available [Reconciling:ProgressingWithRetry] Rest Retry(0ns)"),
        ("available, another comment refused, observed", with(shown("AVAILABLE"), |o| { spec(o).observe = true; spec(o).endpoint_id = Some(id(1)); spec(o).comment = Some("orders".to_owned()); }), "+Available +ReconcileSucceeded +ServiceReserved +Available [] Rest Interval"),
        ("available, another id refused", with(declaring("AVAILABLE", VpcEndpoint::Declared(vpce(2))), |o| { o.memory.tried = Tried::Refused(fault(FaultKind::Refused)) }), "-AtlasRefused -AtlasRefused +ServiceReserved +Available [Reconciling:ProgressingWithRetry] Rest Retry(0ns)"),
        ("available, a removal refused", with(declaring("AVAILABLE", VpcEndpoint::Declared(vpce(1))), |o| { o.memory.tried = Tried::Refused(fault(FaultKind::Refused)) }), "+Available -AtlasRefused +ServiceReserved +Available [] Rest Retry(0ns)"),
        ("available, refused for good", with(shown("AVAILABLE"), |o| o.memory.tried = Tried::Refused(fault(FaultKind::Retired))), "-ApiRetired -ApiRetired +ServiceReserved +Available [Stalled:ApiRetired] Rest Interval"),
        ("adopted just now", with(shown("AVAILABLE"), |o| o.memory.adopted = Some(secs(9))), "-Adopting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Rest Poll"),
        ("adopted just now, Reserved suffices", with(shown("RESERVED"), |o| { o.memory.adopted = Some(secs(9)); spec(o).ready_when = Some(ReadyWhen::Reserved); }), "-Adopting +ReconcileSucceeded +ServiceReserved -AwaitingVpcEndpoint [Reconciling:Progressing] Rest Poll"),
        ("adopted and confirmed", with(shown("AVAILABLE"), |o| o.memory.adopted = Some(secs(10))), "+Available +ReconcileSucceeded +ServiceReserved +Available [] Rest Interval"),
        ("a stranger's mark", with(shown("AVAILABLE"), |o| listing(o, &[endpoint(1, Mark::Strangers, "AVAILABLE")])), "-OwnershipConflict -OwnershipConflict +ServiceReserved +Available [Stalled:OwnershipConflict] Rest Interval"),
        ("not shown yet", with(gone(), |o| o.memory.recorded = secs(119)), "-EndpointLost +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Rest Poll"),
        ("not shown, not reserved either", with(gone(), |o| { o.memory.recorded = secs(119); o.object.recorded = Some(endpoint(1, Mark::Ours, "RESERVATION_REQUESTED")); }), "-ReservationRequested +ReconcileSucceeded -ServiceProvisioning -ServiceProvisioning [Reconciling:Progressing] Rest Poll"),
        ("not shown once", gone(), "-EndpointLost +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Rest After(10s)"),
        ("lost", lost(), "-EndpointLost +ReconcileSucceeded -EndpointLost -EndpointLost [Reconciling:Progressing] Claim Poll"),
        ("lost and named", with(lost(), |o| spec(o).endpoint_id = Some(id(1))), "-EndpointLost -EndpointLost -EndpointLost -EndpointLost [Stalled:EndpointLost] Rest Interval"),
        ("lost and claimed anew", with(gone(), |o| o.object.claim = ours(Some(id(1)))), "-EndpointLost +ReconcileSucceeded -EndpointLost -EndpointLost [Reconciling:Progressing] Rest Poll"),
        ("unreachable", with(shown("AVAILABLE"), |o| o.atlas = Atlas::Failed(fault(FaultKind::Unavailable))), "-AtlasUnavailable -AtlasUnavailable +ServiceReserved +Available [Reconciling:ProgressingWithRetry] Rest Retry(0ns)"),
        ("unreachable, ready before", with(shown("AVAILABLE"), |o| { ready_before(o); o.atlas = Atlas::Failed(fault(FaultKind::Unavailable)); }), "+Available -AtlasUnavailable +ServiceReserved +Available [] Rest Retry(0ns)"),
        ("unreachable, ready before another generation", with(shown("AVAILABLE"), |o| { ready_before(o); o.object.reported.current = false; o.atlas = Atlas::Failed(fault(FaultKind::Unavailable)); }), "-AtlasUnavailable -AtlasUnavailable +ServiceReserved +Available [Reconciling:ProgressingWithRetry] Rest Retry(0ns)"),
        ("retired, ready before", with(shown("AVAILABLE"), |o| { ready_before(o); o.atlas = Atlas::Failed(fault(FaultKind::Retired)); }), "-ApiRetired -ApiRetired +ServiceReserved +Available [Stalled:ApiRetired] Rest Interval"),
        ("dying, not listed", with(shown("AVAILABLE"), |o| { dying(o); o.atlas = Atlas::Unread; }), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] List Poll"),
        ("dying", with(shown("AVAILABLE"), dying), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Delete Poll"),
        ("dying, deleted", with(shown("DELETING"), dying), "-Deleting +ReconcileSucceeded -ServiceProvisioning -Deleting [Reconciling:Progressing] Rest Poll"),
        ("dying, gone", with(gone(), dying), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Delete Poll"),
        ("dying, gone and answered", with(gone(), |o| { dying(o); o.memory.deleted = vec![Deleted { id: id(1), ago: secs(5), not_found: false }]; }), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Rest After(10s)"),
        ("dying, no access", with(shown("AVAILABLE"), |o| { dying(o); o.atlas = Atlas::Failed(fault(FaultKind::NoAccess)); }), "-ProjectNotFound -ProjectNotFound +ServiceReserved +Available [Reconciling:ProgressingWithRetry] Rest After(15s)"),
        ("dying, instance gone", with(shown("AVAILABLE"), |o| { dying(o); o.atlas = Atlas::Failed(fault(FaultKind::InstanceNotFound)); }), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Release Poll"),
        ("dying, attempt open", with(observed(), |o| { dying(o); listing(o, &[]); }), "-Deleting +ReconcileSucceeded -ServiceProvisioning -ServiceProvisioning [Reconciling:Progressing] Rest Poll"),
        ("dying, suspended", with(shown("AVAILABLE"), |o| { dying(o); spec(o).suspend = true; }), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Delete Poll"),
        ("dying without our finalizer", with(shown("AVAILABLE"), |o| { dying(o); o.object.finalizer = false; }), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Rest OnChange"),
        ("dying, retained", with(shown("AVAILABLE"), |o| { dying(o); spec(o).retain = true; }), "-Deleting +ReconcileSucceeded +ServiceReserved +Available [Reconciling:Progressing] Release Poll"),
    ] {
        let found = said(&o);
        if found != expected {
            broken.push(format!("(\"{name}\", \"{found}\", \"{expected}\")"));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}
