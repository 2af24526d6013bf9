//! Observations of both dedicated kinds, drawn from bytes: also such that the API server, Atlas and memory cannot produce together.
//!
//! Nothing here knows a rule.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::access::CredentialsInUse;
use domain::deadline::Stage;
use domain::dedicated::claim::{ClaimReading, ClaimTarget};
use domain::dedicated::cluster::ClusterName;
use domain::dedicated::decision::Doubt;
use domain::dedicated::endpoint::{ConnectionStatus, RegisteredEndpoint};
use domain::dedicated::life::{Life, Provenance, Sort};
use domain::dedicated::names::{Others, Rivalry};
use domain::dedicated::observed::{
    Adopt, Attempt, AttemptOutcome, ConnectionStrings, Deletion, Listing, Object, Observed, SentRegions,
    ServiceRef, Shown, Spec, StringsByCluster, Subject,
};
use domain::dedicated::region::Region;
use domain::dedicated::service::{EndpointService, ServiceStatus, ServiceTarget};
use domain::fault::{Fault, FaultKind};
use domain::reconcile::WriteOutcome;
use domain::reference::DeclaredEndpoint;
use domain::status::{ConditionType, Reason, ReportedCondition};
use domain::times::Times;

use crate::dedicated::fixtures::{
    LONG, claim, declared, endpoint, entry, of_endpoint, rules, service, service_id, service_key,
    shown_endpoint, shown_service,
};
use crate::fixtures::{Draw, FAULTS, nonce};

fn age(draw: &mut Draw<'_>) -> Duration {
    let times = Times::default();
    let almost = |time: Duration| time.saturating_sub(Duration::from_millis(1));
    draw.one_of(&[
        Duration::ZERO,
        Duration::from_secs(1),
        almost(times.create_deadline),
        times.create_deadline,
        times.visibility,
        almost(times.uncertainty),
        times.uncertainty,
        LONG,
    ])
}

/// One of two services, or of two endpoints at each.
fn life(draw: &mut Draw<'_>, sort: Sort) -> Life {
    let service = service_id(draw.one_of(&[1, 1, 1, 2]));
    let number = draw.one_of(&[1, 2]);
    Life { service, endpoint: (sort == Sort::Endpoint).then(|| of_endpoint(number).endpoint.unwrap()) }
}

pub(super) fn target(draw: &mut Draw<'_>, sort: Sort) -> ClaimTarget {
    let life = life(draw, sort);
    match (draw.bool(), sort) {
        (true, _) => ClaimTarget::Delete(life),
        (false, Sort::Service) => ClaimTarget::Create(None),
        (false, Sort::Endpoint) => ClaimTarget::Create(Some(life)),
    }
}

/// None, or one remote region.
fn regions(draw: &mut Draw<'_>) -> BTreeSet<Region> {
    draw.bool().then(|| "US_EAST_1".parse().unwrap()).into_iter().collect()
}

pub(super) fn fault(draw: &mut Draw<'_>) -> Fault {
    let common = [FaultKind::Unavailable, FaultKind::Conflict, FaultKind::Refused, FaultKind::Forbidden];
    let kind = if draw.byte().is_multiple_of(4) { draw.one_of(&FAULTS) } else { draw.one_of(&common) };
    Fault { retry_after: draw.maybe(age), ..Fault::new(kind, "HTTP") }
}

/// Only credentials whose Secret no longer exists are remembered.
pub(super) fn missing(draw: &mut Draw<'_>) -> Fault {
    Fault { kind: FaultKind::CredentialsNotFound, ..fault(draw) }
}

fn rivalry(draw: &mut Draw<'_>) -> Rivalry {
    let named = |draw: &mut Draw<'_>| draw.byte().is_multiple_of(5);
    Rivalry {
        older: named(draw).then(|| ("older".to_owned(), draw.bool())),
        busy: named(draw).then_some(Duration::from_secs(1)),
        heir: named(draw).then(|| "heir".to_owned()),
    }
}

pub(super) fn a_service(draw: &mut Draw<'_>, number: u32, ids: &[u32]) -> EndpointService {
    let status = draw.one_of(&[
        ServiceStatus::Available,
        ServiceStatus::Available,
        ServiceStatus::Available,
        ServiceStatus::WaitingForUser,
        ServiceStatus::Initiating,
        ServiceStatus::Deleting,
        ServiceStatus::Failed,
        ServiceStatus::from("PENDING"),
    ]);
    let mut service = shown_service(number, status, ids);
    if let ServiceTarget::Aws { supported_remote_regions, endpoint_service_name } = &mut service.target {
        *supported_remote_regions = regions(draw);
        endpoint_service_name.take_if(|_| draw.byte().is_multiple_of(8));
    }
    if draw.byte().is_multiple_of(8) {
        service.region = draw.one_of(&[None, Some("US_EAST_1".parse().unwrap())]);
    }
    service.error_message = draw.byte().is_multiple_of(8).then(|| "no capacity.".to_owned());
    service
}

pub(super) fn an_endpoint(draw: &mut Draw<'_>, number: u32) -> RegisteredEndpoint {
    let status = draw.one_of(&[
        ConnectionStatus::Available,
        ConnectionStatus::Available,
        ConnectionStatus::Pending,
        ConnectionStatus::Rejected,
        ConnectionStatus::Deleting,
        ConnectionStatus::Failed,
        ConnectionStatus::from(""),
        ConnectionStatus::from("NONE"),
    ]);
    let error_message = draw.byte().is_multiple_of(8).then(|| "not accepted.".to_owned());
    RegisteredEndpoint { error_message, ..shown_endpoint(number, status) }
}

fn cluster() -> ClusterName {
    "orders".parse().unwrap()
}

fn strings(draw: &mut Draw<'_>) -> Vec<ConnectionStrings> {
    let one = |draw: &mut Draw<'_>| ConnectionStrings {
        kind: draw.one_of(&["MONGOD", "MONGOS", ""]).to_owned(),
        standard: draw.maybe(|_| "mongodb://pl-0.example".to_owned()),
        srv: Some("mongodb+srv://pl-0.example".to_owned()),
        srv_shard_optimized: draw.maybe(|_| "mongodb+srv://pl-0-lb.example".to_owned()),
    };
    draw.some(2, one)
}

/// What Atlas shows, in full.
pub(super) fn shown(draw: &mut Draw<'_>, sort: Sort) -> Shown {
    let mut shown = Shown::default();
    for number in [1, 2] {
        if draw.byte().is_multiple_of(3) {
            continue;
        }
        let ids: Vec<_> = [1, 2].into_iter().filter(|_| draw.byte().is_multiple_of(3)).collect();
        for id in ids.iter().filter(|_| sort == Sort::Endpoint) {
            let life = Life { service: service_id(number), ..of_endpoint(*id) };
            let read = match draw.byte() % 8 {
                0 => None,
                1 => Some(Ok(None)),
                2 => Some(Err(fault(draw))),
                _ => Some(Ok(Some(an_endpoint(draw, *id)))),
            };
            shown.endpoints.extend(read.map(|read| (life, read)));
        }
        shown.services.push(a_service(draw, number, &ids));
    }
    let read = match draw.byte() % 8 {
        0 => None,
        1 => Some(Ok(None)),
        2 => Some(Err(fault(draw))),
        _ => Some(Ok(Some(strings(draw)))),
    };
    shown.clusters.extend(read.map(|read| (cluster(), read)));
    shown
}

fn listing(draw: &mut Draw<'_>, sort: Sort) -> Listing {
    match draw.byte() % 8 {
        0 => Listing::NotFetched,
        1 => Listing::Failed(fault(draw)),
        _ => Listing::Fetched(shown(draw, sort)),
    }
}

pub(super) fn subject(draw: &mut Draw<'_>, sort: Sort) -> Subject {
    if draw.byte() == 255 {
        return Subject::Nothing(sort);
    }
    if sort == Sort::Service {
        return Subject::Service(service_key());
    }
    let object = "team-a/s".to_owned();
    let service = match draw.byte() % 8 {
        0 => ServiceRef::Missing { object, known: draw.maybe(|_| service_key().services) },
        1 => ServiceRef::NotAllowed(object),
        2 | 3 => ServiceRef::Key(service_key()),
        _ => {
            let recorded = draw.one_of(&[None, Some(1), Some(1), Some(2)]).map(service_id);
            ServiceRef::Object { object, key: service_key(), recorded }
        }
    };
    let endpoint = match draw.byte() % 8 {
        0 => DeclaredEndpoint::Awaited("no id yet".to_owned()),
        1 => DeclaredEndpoint::Undeclared,
        2 => declared(2),
        3 => DeclaredEndpoint::NotFound("no such object".to_owned()),
        _ => declared(1),
    };
    Subject::Endpoint { service, endpoint }
}

fn outcome(draw: &mut Draw<'_>, target: &ClaimTarget, sort: Sort) -> AttemptOutcome {
    match (draw.byte() % 5, target) {
        (0, _) => AttemptOutcome::Settled,
        (1, ClaimTarget::Create(known)) => {
            AttemptOutcome::Created(known.clone().unwrap_or_else(|| life(draw, sort)))
        }
        (2 | 3, _) => AttemptOutcome::NotSent,
        _ => AttemptOutcome::Unknown,
    }
}

pub(super) fn spec(draw: &mut Draw<'_>, sort: Sort) -> Spec {
    Spec {
        adopt: draw.one_of(&[Adopt::IfExists, Adopt::IfExists, Adopt::Never, Adopt::Only]),
        deletion: draw.one_of(&[None, None, Some(Deletion::Delete), Some(Deletion::Retain)]),
        observe: draw.byte().is_multiple_of(8),
        suspend: draw.byte().is_multiple_of(8),
        break_before_make: draw.bool(),
        clusters: (sort == Sort::Endpoint && draw.bool()).then(cluster).into_iter().collect(),
        remote_regions: (sort == Sort::Service && draw.bool()).then(|| regions(draw)),
        ..rules()
    }
}

fn condition(draw: &mut Draw<'_>, kind: ConditionType) -> ReportedCondition {
    let status = draw.bool();
    let reason = match draw.byte() % 4 {
        0 => None,
        1 => Some(draw.one_of(Reason::ALL)),
        _ if status => Some(Reason::Available),
        _ => Some(draw.one_of(&[Reason::Creating, Reason::Contested, Reason::ProgressDeadlineExceeded])),
    };
    ReportedCondition { kind, status, reason, message: "as it was".to_owned() }
}

/// What the object records and reports, without a claim.
pub(super) fn recorded(draw: &mut Draw<'_>, o: &mut Object, sort: Sort) {
    o.is_deleting = draw.bool();
    o.finalizer = !draw.byte().is_multiple_of(4);
    for _ in 0..draw.one_of(&[0, 1, 1, 2, 3]) {
        let life = life(draw, sort);
        let is_new = o.entries.iter().all(|known| known.life != life);
        if is_new && (sort == Sort::Endpoint || o.entries.is_empty()) {
            let mut entry = entry(life, draw.one_of(&Provenance::ALL));
            if draw.byte().is_multiple_of(8) && sort == Sort::Endpoint {
                entry.project = draw.maybe(|_| "b".repeat(24).parse().unwrap());
            }
            o.entries.push(entry);
        }
    }
    if draw.byte().is_multiple_of(4) {
        o.strings = StringsByCluster::from([(cluster(), strings(draw))]);
    }
    let kinds = [
        ConditionType::Ready,
        ConditionType::Synced,
        ConditionType::ServiceReady,
        ConditionType::EndpointConnected,
        ConditionType::Stalled,
    ];
    for kind in kinds {
        o.reported.conditions.extend(draw.maybe(|draw| condition(draw, kind)));
    }
    o.reported.current = draw.bool();
    o.settled = draw.one_of(&[None, None, Some(1), Some(2)]).map(nonce);
}

/// The claims on the object and beside it, and what became of them.
fn attempts(draw: &mut Draw<'_>, o: &mut Observed, sort: Sort) {
    let claimed = target(draw, sort);
    match draw.byte() % 4 {
        0 => {}
        1 if draw.bool() => {
            o.object.claim = ClaimReading::Unreadable(nonce(1));
            let outcome = AttemptOutcome::Unknown;
            let (nonce, age) = (nonce(1), age(draw));
            o.memory.attempts.push(Attempt { nonce, target: None, age, is_own: true, outcome });
        }
        _ => {
            let (age, outcome) = (age(draw), outcome(draw, &claimed, sort));
            claim(o, &claimed, age, outcome);
        }
    }
    if draw.byte().is_multiple_of(4) {
        let (target, age) = (target(draw, sort), age(draw));
        let outcome = outcome(draw, &target, sort);
        let (nonce, is_own) = (nonce(2), draw.bool());
        o.memory.attempts.push(Attempt { nonce, target: Some(target), age, is_own, outcome });
    }
}

/// What other objects contribute to a decision about this one.
pub(super) fn others(draw: &mut Draw<'_>, o: &Object, sort: Sort) -> Others {
    let is_used = sort == Sort::Service && draw.byte().is_multiple_of(4);
    Others {
        is_current: !draw.byte().is_multiple_of(8),
        is_deleting: o.is_deleting != draw.byte().is_multiple_of(8),
        claim: if draw.byte().is_multiple_of(8) { Some(nonce(3)) } else { o.claim.nonce().cloned() },
        declared: rivalry(draw),
        recorded: o.entries.iter().map(|entry| (entry.life.clone(), rivalry(draw))).collect(),
        users: is_used.then(|| "team-a/e".to_owned()).into_iter().collect(),
        attempts: Vec::new(),
        version: None,
    }
}

/// What this process remembers, without attempts.
fn memory(draw: &mut Draw<'_>, o: &mut Observed, sort: Sort) {
    o.memory.recorded = age(draw);
    let absent = Doubt::Absent(life(draw, sort));
    let doubted = draw.one_of(&[Doubt::NotReady, absent]);
    o.memory.doubt = draw.maybe(|draw| (doubted, age(draw)));
    o.memory.deleted = draw.maybe(|draw| (life(draw, sort), age(draw)));
    o.memory.regions = draw.maybe(|draw| {
        let (foreign_changes, sent) = (draw.byte() % 4, 1 + draw.byte() % 3);
        (SentRegions { declared: regions(draw), foreign_changes, sent }, age(draw))
    });
    o.memory.working = draw.maybe(|draw| (Stage { access: draw.bool(), hash: 0 }, age(draw)));
    o.memory.last_write = match draw.byte() % 6 {
        0 => WriteOutcome::Done,
        1 => WriteOutcome::Refused(fault(draw)),
        _ => WriteOutcome::Nothing,
    };
}

/// Returns an observation of an object of either kind.
pub fn observation(draw: &mut Draw<'_>) -> Observed {
    let sort = draw.one_of(&[Sort::Service, Sort::Endpoint]);
    let mut o = if sort == Sort::Service { service() } else { endpoint() };
    o.subject = subject(draw, sort);
    o.listing = listing(draw, sort);
    recorded(draw, &mut o.object, sort);
    o.spec = Ok(spec(draw, sort));
    if draw.byte().is_multiple_of(32) || matches!(o.subject, Subject::Nothing(_)) {
        o.spec = Err("invalid".to_owned());
    }
    attempts(draw, &mut o, sort);
    o.others = others(draw, &o.object, sort);
    memory(draw, &mut o, sort);
    o.is_requested = draw.byte().is_multiple_of(8);
    o.has_output = draw.bool();
    o.credentials = match draw.byte() % 16 {
        0 => CredentialsInUse::Default,
        1 => CredentialsInUse::Remembered(missing(draw)),
        _ => CredentialsInUse::Own,
    };
    o
}
