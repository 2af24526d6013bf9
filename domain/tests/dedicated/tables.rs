//! The two decision tables of the protocol, row by row: what is observed, the step, and the reason that is reported.

use std::time::Duration;

use domain::claim::Nonce;
use domain::dedicated::claim::ClaimTarget;
use domain::dedicated::decide::decide;
use domain::dedicated::decision::{Doubt, ForgetReason, Step};
use domain::dedicated::endpoint::ConnectionStatus;
use domain::dedicated::life::Provenance::{Adopted, Created, Unproven};
use domain::dedicated::names::Rivalry;
use domain::dedicated::observed::{Adopt, AttemptOutcome, Deletion, Listing, Observed, ServiceRef, Subject};
use domain::dedicated::service::ServiceStatus;
use domain::dedicated::status::report;
use domain::fault::{Fault, FaultKind};
use domain::reconcile::WriteOutcome;
use domain::reference::DeclaredEndpoint;
use domain::status::{ConditionType, Reason, ReportedCondition};

use crate::fixtures::*;

const SOON: Duration = Duration::from_secs(1);

struct TableRow {
    name: &'static str,
    observed: Observed,
    step: Step,
    reason: Reason,
    is_ready: bool,
}

fn row(name: &'static str, observed: Observed, step: Step, reason: Reason) -> TableRow {
    TableRow { name, observed, step, reason, is_ready: false }
}

fn ready(name: &'static str, observed: Observed, step: Step) -> TableRow {
    TableRow { name, observed, step, reason: Reason::Available, is_ready: true }
}

fn check(rows: Vec<TableRow>) {
    for TableRow { name, observed, step, reason, is_ready } in rows {
        let decision = decide(&observed);
        assert_eq!(decision.step, step, "{name}: {decision:?}");
        let report = report(&observed, &decision);
        let ready = report.get(ConditionType::Ready).unwrap();
        assert_eq!((ready.status, ready.reason), (is_ready, reason), "{name}: {ready:?}");
    }
}

fn with(mut observed: Observed, change: impl FnOnce(&mut Observed)) -> Observed {
    change(&mut observed);
    observed
}

fn spec(o: &mut Observed) -> &mut domain::dedicated::observed::Spec {
    o.spec.as_mut().unwrap()
}

fn older(is_deleting: bool) -> Rivalry {
    Rivalry { older: Some(("PrivateEndpoint team-a/older".to_owned(), is_deleting)), ..Rivalry::default() }
}

fn heir() -> Rivalry {
    Rivalry { heir: Some("PrivateEndpoint team-a/heir".to_owned()), ..Rivalry::default() }
}

fn busy() -> Rivalry {
    Rivalry { busy: Some(SOON), ..Rivalry::default() }
}

fn post() -> ClaimTarget {
    ClaimTarget::Create(Some(of_endpoint(1)))
}

fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, "HTTP 4xx")
}

/// Endpoint 1, recorded and shown in this state.
fn recorded(status: ConnectionStatus) -> Observed {
    with(endpoint(), |o| {
        show(o, &[(1, status)]);
        record(o, of_endpoint(1), Created);
    })
}

/// Endpoint 1, recorded and not shown by the second listing.
fn lost() -> Observed {
    with(endpoint(), |o| {
        record(o, of_endpoint(1), Created);
        o.memory.doubt = Some((Doubt::Absent(of_endpoint(1)), LONG));
    })
}

/// Endpoint 2 is declared and shown in this state; endpoint 1 was.
fn replaced(status: ConnectionStatus) -> Observed {
    with(endpoint(), |o| {
        show(o, &[(1, ConnectionStatus::Available), (2, status)]);
        if let Subject::Endpoint { endpoint, .. } = &mut o.subject {
            *endpoint = declared(2);
        }
        record(o, of_endpoint(2), Created);
        record(o, of_endpoint(1), Created);
    })
}

fn retained(reason: domain::dedicated::decision::RetainReason) -> Step {
    Step::Forget(of_endpoint(1), ForgetReason::Retained(reason))
}

#[test]
fn a_living_object_takes_the_step_of_its_row() {
    use domain::dedicated::decision::RetainReason as R;
    let one: Nonce = nonce(1);
    let unknown = AttemptOutcome::Unknown;
    check(vec![
        ready(
            "own 2xx not recorded",
            with(endpoint(), |o| {
                show(o, &[(1, ConnectionStatus::Available)]);
                claim(o, &post(), SOON, AttemptOutcome::Created(of_endpoint(1)));
            }),
            Step::Record(entry(of_endpoint(1), Created), Some(one.clone())),
        ),
        row(
            "an older rival",
            with(endpoint(), |o| o.others.declared = older(false)),
            Step::Rest,
            Reason::Conflict,
        ),
        row("suspend", with(endpoint(), |o| spec(o).suspend = true), Step::Rest, Reason::Suspended),
        row(
            "suspend, and a claim is open",
            with(endpoint(), |o| {
                spec(o).suspend = true;
                claim(o, &post(), SOON, unknown.clone());
            }),
            Step::Rest,
            Reason::Creating,
        ),
        row(
            "nothing was listed",
            with(endpoint(), |o| o.listing = Listing::NotFetched),
            Step::List,
            Reason::Creating,
        ),
        row(
            "Atlas cannot be read",
            with(endpoint(), |o| o.listing = Listing::Failed(fault(FaultKind::Unavailable))),
            Step::Rest,
            Reason::AtlasUnavailable,
        ),
        row(
            "the service exists, and must not",
            with(service(), |o| {
                show_service(o, ServiceStatus::Available);
                spec(o).adopt = Adopt::Never;
            }),
            Step::Rest,
            Reason::ServiceExists,
        ),
        row(
            "the endpoint exists, and must not",
            with(endpoint(), |o| {
                show(o, &[(1, ConnectionStatus::Available)]);
                spec(o).adopt = Adopt::Never;
            }),
            Step::Rest,
            Reason::EndpointExists,
        ),
        ready(
            "it exists, and may be our own",
            with(endpoint(), |o| {
                show(o, &[(1, ConnectionStatus::Available)]);
                spec(o).adopt = Adopt::Never;
                claim(o, &post(), SOON, unknown.clone());
            }),
            Step::Record(entry(of_endpoint(1), Unproven), None),
        ),
        ready(
            "it exists",
            with(service(), |o| show_service(o, ServiceStatus::Available)),
            Step::Record(entry(of_service(1), Adopted), None),
        ),
        row(
            "it exists, and there is no finalizer",
            with(service(), |o| {
                show_service(o, ServiceStatus::Available);
                o.object.finalizer = false;
            }),
            Step::Hold,
            Reason::Creating,
        ),
        row(
            "it is being removed",
            with(service(), |o| show_service(o, ServiceStatus::Deleting)),
            Step::Rest,
            Reason::BeingRemoved,
        ),
        ready(
            "a former endpoint is there",
            replaced(ConnectionStatus::Available),
            Step::Claim(ClaimTarget::Delete(of_endpoint(1))),
        ),
        ready(
            "a former endpoint was adopted",
            with(replaced(ConnectionStatus::Available), |o| o.object.entries[1].provenance = Adopted),
            retained(R::FormerlyAdopted),
        ),
        ready(
            "a former endpoint has an heir",
            with(replaced(ConnectionStatus::Available), |o| rival(o, of_endpoint(1), heir())),
            retained(R::Heir("PrivateEndpoint team-a/heir".to_owned())),
        ),
        ready(
            "a former endpoint is to stay",
            with(replaced(ConnectionStatus::Available), |o| spec(o).deletion = Some(Deletion::Retain)),
            retained(R::Declared),
        ),
        row(
            "a former endpoint, and the declared one is not available",
            replaced(ConnectionStatus::PendingAcceptance),
            Step::Rest,
            Reason::Replacing,
        ),
        ready("it is as declared", recorded(ConnectionStatus::Available), Step::Rest),
        row("it connects", recorded(ConnectionStatus::Pending), Step::Rest, Reason::Connecting),
        row("it is rejected", recorded(ConnectionStatus::Rejected), Step::Rest, Reason::Rejected),
        row("it has failed", recorded(ConnectionStatus::Failed), Step::Rest, Reason::AtlasFailed),
        row(
            "it has another word",
            recorded(ConnectionStatus::Other("NEW".to_owned())),
            Step::Rest,
            Reason::UnknownStatus,
        ),
        row(
            "nothing may be created: a service",
            with(service(), |o| spec(o).adopt = Adopt::Only),
            Step::Rest,
            Reason::ServiceNotFound,
        ),
        row(
            "nothing may be created: an endpoint",
            with(endpoint(), |o| spec(o).adopt = Adopt::Only),
            Step::Rest,
            Reason::EndpointNotFound,
        ),
        row(
            "it only observes",
            with(endpoint(), |o| spec(o).observe = true),
            Step::Rest,
            Reason::EndpointNotFound,
        ),
        row(
            "its service has no object",
            with(endpoint(), |o| {
                if let Subject::Endpoint { service, .. } = &mut o.subject {
                    *service = ServiceRef::Missing { object: "team-a/s".to_owned(), known: None };
                }
            }),
            Step::Rest,
            Reason::ServiceNotFound,
        ),
        row(
            "its service has no life",
            with(endpoint(), |o| {
                if let Subject::Endpoint { service: ServiceRef::Object { recorded, .. }, .. } = &mut o.subject
                {
                    *recorded = None;
                }
            }),
            Step::Rest,
            Reason::ServiceNotReady,
        ),
        row(
            "its service is not available",
            with(endpoint(), |o| show_service(o, ServiceStatus::Initiating)),
            Step::Rest,
            Reason::ServiceNotReady,
        ),
        row(
            "its id is awaited",
            with(endpoint(), |o| {
                if let Subject::Endpoint { endpoint, .. } = &mut o.subject {
                    *endpoint = DeclaredEndpoint::Awaited("no id yet".to_owned());
                }
            }),
            Step::Rest,
            Reason::AwaitingVpcEndpoint,
        ),
        row(
            "its id belonged to another service",
            with(endpoint(), |o| {
                let life = domain::dedicated::life::Life { service: service_id(2), ..of_endpoint(1) };
                record(o, life, Created);
            }),
            Step::Rest,
            Reason::VpcEndpointStale,
        ),
        row(
            "a claim is open",
            with(endpoint(), |o| claim(o, &post(), SOON, unknown.clone())),
            Step::Rest,
            Reason::Creating,
        ),
        row(
            "an endpoint that is omitted once",
            with(lost(), |o| o.memory.doubt = None),
            Step::Rest,
            Reason::Creating,
        ),
        ready(
            "an endpoint that is omitted once, and was ready",
            with(lost(), |o| {
                o.memory.doubt = None;
                let message = "endpoint vpce-1 is connected".to_owned();
                let (kind, reason) = (ConditionType::Ready, Some(Reason::Available));
                o.object.reported.conditions =
                    vec![ReportedCondition { kind, status: true, reason, message }];
                o.object.reported.current = true;
            }),
            Step::Rest,
        ),
        row(
            "an endpoint that is omitted twice, and is new",
            with(lost(), |o| o.memory.recorded = SOON),
            Step::Rest,
            Reason::EndpointLost,
        ),
        row("an endpoint that is lost", lost(), Step::Claim(post()), Reason::Creating),
        row("nothing is there: an endpoint", endpoint(), Step::Claim(post()), Reason::Creating),
        row(
            "nothing is there: a service",
            service(),
            Step::Claim(ClaimTarget::Create(None)),
            Reason::Creating,
        ),
        row(
            "it is claimed, and as it was",
            with(endpoint(), |o| claim(o, &post(), SOON, AttemptOutcome::NotSent)),
            Step::Send(one.clone(), post()),
            Reason::Creating,
        ),
        row(
            "it is claimed, and too late",
            with(endpoint(), |o| claim(o, &post(), LONG, AttemptOutcome::NotSent)),
            Step::Rest,
            Reason::Creating,
        ),
        row(
            "it is claimed, and a rival is at work",
            with(endpoint(), |o| {
                claim(o, &post(), SOON, AttemptOutcome::NotSent);
                o.others.declared = busy();
            }),
            Step::Rest,
            Reason::Creating,
        ),
        row(
            "it is claimed, and is being deleted",
            with(endpoint(), |o| {
                claim(o, &post(), SOON, AttemptOutcome::NotSent);
                o.others.is_deleting = true;
            }),
            Step::Rest,
            Reason::Creating,
        ),
        row(
            "Atlas refused the POST",
            with(endpoint(), |o| {
                claim(o, &post(), SOON, AttemptOutcome::Settled);
                o.memory.last_write = WriteOutcome::Refused(fault(FaultKind::Refused));
            }),
            Step::Rest,
            Reason::AtlasRefused,
        ),
    ]);
}

/// Endpoint 1, recorded and shown; its object is being deleted.
fn leaving() -> Observed {
    with(recorded(ConnectionStatus::Available), |o| {
        o.object.is_deleting = true;
        o.others.is_deleting = true;
    })
}

/// Service 1, recorded and shown; its object is being deleted.
fn service_leaving() -> Observed {
    with(service(), |o| {
        show_service(o, ServiceStatus::Available);
        record(o, of_service(1), Created);
        o.object.is_deleting = true;
        o.others.is_deleting = true;
    })
}

#[test]
fn a_deleted_object_takes_the_step_of_its_row() {
    let delete = ClaimTarget::Delete(of_endpoint(1));
    let unknown = AttemptOutcome::Unknown;
    let gone = Step::Forget(of_endpoint(1), ForgetReason::Gone);
    let leaving_with = |change: &dyn Fn(&mut Observed)| with(leaving(), |o| change(o));
    check(vec![
        row("no finalizer", leaving_with(&|o| o.object.finalizer = false), Step::Rest, Reason::Deleting),
        row(
            "the target of an open POST is there",
            leaving_with(&|o| {
                o.object.entries.clear();
                claim(o, &post(), SOON, unknown.clone());
            }),
            Step::Record(entry(of_endpoint(1), Unproven), None),
            Reason::Deleting,
        ),
        row(
            "the target of an open DELETE is there",
            leaving_with(&|o| {
                o.object.entries.clear();
                claim(o, &delete, SOON, unknown.clone());
            }),
            Step::Record(entry(of_endpoint(1), Unproven), None),
            Reason::Deleting,
        ),
        row(
            "the target of an open POST is there, and must stay",
            leaving_with(&|o| {
                o.object.entries.clear();
                spec(o).deletion = Some(Deletion::Retain);
                claim(o, &post(), SOON, unknown.clone());
            }),
            Step::Rest,
            Reason::Deleting,
        ),
        row(
            "a claim is open",
            leaving_with(&|o| claim(o, &delete, SOON, unknown.clone())),
            Step::Rest,
            Reason::Deleting,
        ),
        row(
            "an endpoint uses the service",
            with(service_leaving(), |o| o.others.users = vec!["PrivateEndpoint team-a/e".to_owned()]),
            Step::Rest,
            Reason::InUse,
        ),
        row(
            "endpoints are attached",
            with(service_leaving(), |o| {
                show(o, &[(1, ConnectionStatus::Available)]);
            }),
            Step::Rest,
            Reason::EndpointsAttached,
        ),
        row(
            "a rival is older",
            leaving_with(&|o| rival(o, of_endpoint(1), older(true))),
            Step::Rest,
            Reason::Conflict,
        ),
        row(
            "a rival is at work",
            leaving_with(&|o| rival(o, of_endpoint(1), busy())),
            Step::Rest,
            Reason::Deleting,
        ),
        row("it is there", leaving(), Step::Claim(delete.clone()), Reason::Deleting),
        row(
            "it is there: a service",
            service_leaving(),
            Step::Claim(ClaimTarget::Delete(of_service(1))),
            Reason::Deleting,
        ),
        row(
            "it is claimed",
            leaving_with(&|o| claim(o, &delete, SOON, AttemptOutcome::NotSent)),
            Step::Send(nonce(1), delete.clone()),
            Reason::Deleting,
        ),
        row(
            "it is omitted, and no DELETE was answered",
            leaving_with(&|o| show(o, &[])),
            Step::Claim(delete.clone()),
            Reason::Deleting,
        ),
        row(
            "it is omitted by a listing from before the answer",
            leaving_with(&|o| {
                show(o, &[]);
                o.memory.deleted = Some((of_endpoint(1), Duration::ZERO));
            }),
            Step::Rest,
            Reason::Deleting,
        ),
        row(
            "it is omitted after the answer",
            leaving_with(&|o| {
                show(o, &[]);
                o.memory.deleted = Some((of_endpoint(1), SOON));
            }),
            gone.clone(),
            Reason::Deleting,
        ),
        row(
            "it is omitted once an uncertain DELETE has settled",
            leaving_with(&|o| {
                show(o, &[]);
                claim(o, &delete, LONG, unknown.clone());
            }),
            gone.clone(),
            Reason::Deleting,
        ),
        row(
            "another life is there after the answer",
            leaving_with(&|o| o.memory.deleted = Some((of_endpoint(1), SOON))),
            gone,
            Reason::Deleting,
        ),
        row(
            "there are no credentials",
            leaving_with(&|o| o.listing = Listing::Failed(fault(FaultKind::CredentialsNotFound))),
            Step::Rest,
            Reason::CredentialsNotFound,
        ),
        row("nothing is left", leaving_with(&|o| o.object.entries.clear()), Step::Release, Reason::Deleting),
        row(
            "nothing is left that may be deleted, and there are no credentials",
            leaving_with(&|o| {
                spec(o).deletion = Some(Deletion::Retain);
                o.listing = Listing::Failed(fault(FaultKind::CredentialsNotFound));
            }),
            Step::Release,
            Reason::Deleting,
        ),
        row(
            "what is left was adopted",
            leaving_with(&|o| o.object.entries[0].provenance = Adopted),
            Step::Release,
            Reason::Deleting,
        ),
        row(
            "what is left is an unproven service",
            with(service_leaving(), |o| o.object.entries[0].provenance = Unproven),
            Step::Release,
            Reason::Deleting,
        ),
        row(
            "what is left has an heir",
            leaving_with(&|o| rival(o, of_endpoint(1), heir())),
            Step::Release,
            Reason::Deleting,
        ),
        row(
            "what was adopted is to go",
            leaving_with(&|o| {
                o.object.entries[0].provenance = Adopted;
                spec(o).deletion = Some(Deletion::Delete);
            }),
            Step::Claim(delete.clone()),
            Reason::Deleting,
        ),
    ]);
}
