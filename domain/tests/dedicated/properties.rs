//! What `decide` must and must never do, whatever is observed: the laws are written from the protocol and call no helper of the rules.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::access::CredentialsInUse;
use domain::dedicated::claim::{ClaimReading, ClaimTarget};
use domain::dedicated::decide::decide;
use domain::dedicated::decision::{Decision, Doubt, ForgetReason, Step};
use domain::dedicated::endpoint::ConnectionStatus;
use domain::dedicated::life::{Entry, Life, Provenance, Sort};
use domain::dedicated::names::Rivalry;
use domain::dedicated::observed::{
    Adopt, Attempt, AttemptOutcome, Deletion, Listing, Observed, SentRegions, ServiceRef, Shown, Subject,
};
use domain::dedicated::region::Region;
use domain::dedicated::service::{ServiceId, ServiceStatus, ServiceTarget};
use domain::dedicated::status::report;
use domain::fault::{Fault, FaultKind};
use domain::reconcile::WriteOutcome;
use domain::reference::DeclaredEndpoint;
use domain::status::{ConditionType, Reason, ReportedCondition};
use domain::times::Times;
use invariants::fixtures::Draw;

use crate::fixtures::*;
use crate::world::service_key;

const CASES: u64 = 60_000;

/// Bytes that are the same each time.
pub(crate) fn bytes(seed: u64, number: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..number).map(|_| next()).collect()
}

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

fn target(draw: &mut Draw<'_>, sort: Sort) -> ClaimTarget {
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

fn fault(draw: &mut Draw<'_>) -> Fault {
    let kinds = [FaultKind::Unavailable, FaultKind::Conflict, FaultKind::Refused, FaultKind::Forbidden];
    Fault::new(draw.one_of(&kinds), "HTTP")
}

fn rivalry(draw: &mut Draw<'_>) -> Rivalry {
    let named = |draw: &mut Draw<'_>| draw.byte().is_multiple_of(5);
    Rivalry {
        older: named(draw).then(|| ("older".to_owned(), draw.bool())),
        busy: named(draw).then_some(Duration::from_secs(1)),
        heir: named(draw).then(|| "heir".to_owned()),
    }
}

fn listing(draw: &mut Draw<'_>, sort: Sort) -> Listing {
    match draw.byte() % 8 {
        0 => return Listing::NotFetched,
        1 => return Listing::Failed(fault(draw)),
        _ => {}
    }
    let mut shown = Shown::default();
    for number in [1, 2] {
        if draw.byte().is_multiple_of(3) {
            continue;
        }
        let status = draw.one_of(&[
            ServiceStatus::Available,
            ServiceStatus::Available,
            ServiceStatus::Initiating,
            ServiceStatus::Deleting,
            ServiceStatus::Failed,
        ]);
        let ids: Vec<_> = [1, 2].into_iter().filter(|_| draw.byte().is_multiple_of(3)).collect();
        for id in ids.iter().filter(|_| sort == Sort::Endpoint) {
            let life = Life { service: service_id(number), ..of_endpoint(*id) };
            let read = match draw.byte() % 8 {
                0 => None,
                1 => Some(Ok(None)),
                2 => Some(Err(fault(draw))),
                _ => {
                    let status = draw.one_of(&[
                        ConnectionStatus::Available,
                        ConnectionStatus::Available,
                        ConnectionStatus::Pending,
                        ConnectionStatus::Rejected,
                        ConnectionStatus::Deleting,
                    ]);
                    Some(Ok(Some(shown_endpoint(*id, status))))
                }
            };
            shown.endpoints.extend(read.map(|read| (life, read)));
        }
        let mut service = shown_service(number, status, &ids);
        if let ServiceTarget::Aws { supported_remote_regions, .. } = &mut service.target {
            *supported_remote_regions = regions(draw);
        }
        shown.services.push(service);
    }
    Listing::Fetched(shown)
}

fn subject(draw: &mut Draw<'_>, sort: Sort) -> Subject {
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

fn observation(draw: &mut Draw<'_>) -> Observed {
    let sort = draw.one_of(&[Sort::Service, Sort::Endpoint]);
    let mut o = if sort == Sort::Service { service() } else { endpoint() };
    o.subject = subject(draw, sort);
    o.listing = listing(draw, sort);
    o.object.is_deleting = draw.bool();
    o.object.finalizer = !draw.byte().is_multiple_of(4);
    for _ in 0..draw.one_of(&[0, 1, 1, 2, 3]) {
        let life = life(draw, sort);
        let is_new = o.object.entries.iter().all(|known| known.life != life);
        if is_new && (sort == Sort::Endpoint || o.object.entries.is_empty()) {
            o.object.entries.push(entry(life, draw.one_of(&Provenance::ALL)));
        }
    }
    if let Ok(spec) = &mut o.spec {
        spec.adopt = draw.one_of(&[Adopt::IfExists, Adopt::IfExists, Adopt::Never, Adopt::Only]);
        spec.deletion = draw.one_of(&[None, None, Some(Deletion::Delete), Some(Deletion::Retain)]);
        spec.observe = draw.byte().is_multiple_of(8);
        spec.suspend = draw.byte().is_multiple_of(8);
        spec.break_before_make = draw.bool();
        spec.remote_regions = (sort == Sort::Service && draw.bool()).then(|| regions(draw));
    }
    if draw.byte().is_multiple_of(32) {
        o.spec = Err("invalid".to_owned());
    }
    let claimed = target(draw, sort);
    match draw.byte() % 4 {
        0 => {}
        1 if draw.bool() => {
            o.object.claim = ClaimReading::Unreadable(nonce(1));
            let outcome = AttemptOutcome::Unknown;
            o.memory.attempts.push(Attempt {
                nonce: nonce(1),
                target: None,
                age: age(draw),
                is_own: true,
                outcome,
            });
        }
        _ => {
            let (age, outcome) = (age(draw), outcome(draw, &claimed, sort));
            claim(&mut o, &claimed, age, outcome);
        }
    }
    if draw.byte().is_multiple_of(4) {
        let (target, age) = (target(draw, sort), age(draw));
        let outcome = outcome(draw, &target, sort);
        o.memory.attempts.push(Attempt {
            nonce: nonce(2),
            target: Some(target),
            age,
            is_own: draw.bool(),
            outcome,
        });
    }
    o.object.settled = draw.one_of(&[None, None, Some(1), Some(2)]).map(nonce);
    o.others.is_current = !draw.byte().is_multiple_of(8);
    o.others.is_deleting = o.object.is_deleting != draw.byte().is_multiple_of(8);
    o.others.claim =
        if draw.byte().is_multiple_of(8) { Some(nonce(3)) } else { o.object.claim.nonce().cloned() };
    o.others.declared = rivalry(draw);
    let lives: Vec<_> = o.object.entries.iter().map(|entry| entry.life.clone()).collect();
    o.others.recorded = lives.into_iter().map(|life| (life, rivalry(draw))).collect();
    if sort == Sort::Service && draw.byte().is_multiple_of(4) {
        o.others.users = vec!["team-a/e".to_owned()];
    }
    o.memory.recorded = age(draw);
    let absent = Doubt::Absent(life(draw, sort));
    let doubted = draw.one_of(&[Doubt::NotReady, absent]);
    o.memory.doubt = draw.maybe(|draw| (doubted, age(draw)));
    o.memory.deleted = draw.maybe(|draw| (life(draw, sort), age(draw)));
    o.memory.regions = draw.maybe(|draw| {
        let sent = SentRegions {
            declared: regions(draw),
            foreign_changes: draw.byte() % 4,
            sent: 1 + draw.byte() % 3,
        };
        (sent, age(draw))
    });
    o.is_requested = draw.byte().is_multiple_of(8);
    o.memory.last_write = match draw.byte() % 6 {
        0 => WriteOutcome::Done,
        1 => WriteOutcome::Refused(fault(draw)),
        _ => WriteOutcome::Nothing,
    };
    if draw.bool() {
        let (kind, reason) = (ConditionType::Ready, Some(Reason::Available));
        let message = "as it was".to_owned();
        o.object.reported.conditions = vec![ReportedCondition { kind, status: draw.bool(), reason, message }];
        o.object.reported.current = draw.bool();
    }
    if draw.byte().is_multiple_of(16) && o.object.is_deleting {
        o.credentials = CredentialsInUse::Remembered(fault(draw));
    }
    o
}

fn is_open(o: &Observed) -> bool {
    o.memory.attempts.iter().any(|attempt| {
        let may_land = matches!(attempt.outcome, AttemptOutcome::Unknown | AttemptOutcome::Created(_));
        may_land && attempt.age < o.times.uncertainty && o.object.settled.as_ref() != Some(&attempt.nonce)
    })
}

fn rivalry_of(o: &Observed, life: &Life) -> Rivalry {
    o.others.recorded.iter().find(|(known, _)| known == life).map(|(_, r)| r.clone()).unwrap_or_default()
}

fn may_go(o: &Observed, entry: &Entry) -> bool {
    let Ok(spec) = &o.spec else { return false };
    let by_default = match (o.sort(), entry.provenance) {
        (_, Provenance::Created) | (Sort::Endpoint, Provenance::Unproven) => true,
        (_, Provenance::Adopted) | (Sort::Service, Provenance::Unproven) => false,
    };
    !spec.observe && spec.deletion.map_or(by_default, |deletion| deletion == Deletion::Delete)
}

/// The id of the service that the declared endpoint is at.
fn declared_service(o: &Observed) -> Option<ServiceId> {
    match &o.subject {
        Subject::Endpoint { service: ServiceRef::Object { recorded, .. }, .. } => recorded.clone(),
        _ => None,
    }
}

/// Checks an update of the remote regions of a service.
fn problems_of_update(
    o: &Observed,
    (service, regions): (&ServiceId, &BTreeSet<Region>),
    law: &mut impl FnMut(bool, &'static str),
) {
    let (spec, deleting) = (o.spec.as_ref().ok(), o.object.is_deleting);
    law(!deleting && spec.is_some_and(|s| !s.observe && !s.suspend), "what may not write sets nothing");
    law(o.others.declared.older.is_none(), "an older rival sets the regions");
    law(spec.is_some_and(|s| s.remote_regions.as_ref() == Some(regions)), "what is declared is set");
    let is_recorded = o.object.entries.iter().any(|entry| entry.life.service == *service);
    law(is_recorded && o.sort() == Sort::Service, "only the recorded service is changed");
    law(o.memory.last_write == WriteOutcome::Nothing, "a reconcile writes to Atlas once");
    let Listing::Fetched(shown) = &o.listing else { panic!("a write follows a listing") };
    let shown = shown.service(service).unwrap();
    law(shown.status == ServiceStatus::Available, "what Atlas prepares is left alone");
    let ServiceTarget::Aws { supported_remote_regions: actual, .. } = &shown.target else { panic!() };
    law(actual != regions, "what is there is not set again");
    let foreign = o.memory.regions.as_ref().filter(|(sent, _)| sent.declared == *regions);
    let foreign = foreign.map_or(0, |(sent, _)| sent.foreign_changes);
    law(foreign < 3 || o.is_requested, "a contest is left to people");
}

/// Returns what is wrong with a decision.
fn problems(o: &Observed, decision: &Decision) -> Vec<&'static str> {
    let mut wrong = Vec::new();
    let mut law = |holds: bool, law: &'static str| wrong.extend((!holds).then_some(law));
    let (spec, deleting) = (o.spec.as_ref().ok(), o.object.is_deleting);
    let step = &decision.step;
    if let Step::Claim(target) | Step::Send(_, target) = step {
        law(spec.is_some(), "an invalid spec writes nothing");
        law(spec.is_some_and(|spec| !spec.observe), "what only observes writes nothing");
        law(spec.is_some_and(|spec| !spec.suspend) || deleting, "what is suspended writes nothing");
        law(o.memory.last_write == WriteOutcome::Nothing, "a reconcile writes to Atlas once");
        law(deleting || o.others.declared.older.is_none(), "an older rival comes first");
        law(matches!(o.listing, Listing::Fetched(_)), "a write follows a listing");
        match target {
            ClaimTarget::Create(_) => {
                law(!deleting, "what is deleted creates nothing");
                law(spec.is_some_and(|spec| spec.adopt != Adopt::Only), "Only creates nothing");
                law(o.others.declared.busy.is_none(), "a POST waits for a rival's request");
            }
            ClaimTarget::Delete(life) => {
                let entry = o.object.entries.iter().find(|entry| entry.life == *life);
                law(entry.is_some(), "what has no entry is not deleted");
                let is_adopted = entry.is_some_and(|entry| entry.provenance == Provenance::Adopted);
                law(!deleting || entry.is_some_and(|entry| may_go(o, entry)), "nobody permits the DELETE");
                law(deleting || !is_adopted, "a living object deletes nothing that it adopted");
                let retains = spec.is_some_and(|spec| spec.deletion == Some(Deletion::Retain));
                law(!retains, "Retain deletes nothing");
                let rivalry = rivalry_of(o, life);
                law(rivalry.heir.is_none(), "an heir keeps it");
                law(rivalry.older.is_none(), "an older rival deletes it");
                law(rivalry.busy.is_none(), "a DELETE waits for a rival's request");
                law(deleting || o.sort() == Sort::Endpoint, "a living object deletes no service");
                law(o.others.users.is_empty(), "a service in use is not deleted");
                let is_declared = life.endpoint.is_some()
                    && life.endpoint == o.subject.endpoint_id()
                    && Some(&life.service) == declared_service(o).as_ref();
                law(deleting || !is_declared, "a living object does not delete what it declares");
                let breaks = spec.is_some_and(|spec| spec.break_before_make);
                law(deleting || breaks || shows_declared(o), "the replacement is there before the DELETE");
            }
        }
    }
    match step {
        Step::Claim(_) => {
            law(!is_open(o), "one claim at a time");
        }
        Step::Send(nonce, target) => {
            let attempt = o.memory.attempts.iter().find(|attempt| attempt.nonce == *nonce);
            law(o.object.claim.nonce() == Some(nonce), "what is sent is claimed");
            law(o.object.claim.target() == Some(target), "what is sent is as claimed");
            law(attempt.is_some_and(|a| a.outcome == AttemptOutcome::NotSent), "a nonce is sent once");
            law(attempt.is_some_and(|a| a.age < o.times.create_deadline), "a request is sent in time");
            law(o.others.is_current && o.others.claim.as_ref() == Some(nonce), "the watch shows the claim");
            law(o.others.is_deleting == deleting, "the object is deleted as it was");
        }
        Step::Record(new, of) => {
            let is_created = o.memory.attempts.iter().any(|attempt| {
                Some(&attempt.nonce) == of.as_ref()
                    && attempt.outcome == AttemptOutcome::Created(new.life.clone())
            });
            law(is_created == (new.provenance == Provenance::Created), "only a 2xx proves a creation");
            let known = o.object.entries.iter().any(|entry| entry.life == new.life);
            law(is_created || !known, "what is recorded is not recorded again");
            law(!deleting || is_created || may_go(o, new), "what is deleted records only what it may delete");
        }
        Step::Forget(life, reason) => {
            law(o.object.entries.iter().any(|entry| entry.life == *life), "what is forgotten was recorded");
            let answered = o.memory.deleted.as_ref().is_some_and(|(of, ago)| of == life && !ago.is_zero());
            let settled = o.memory.attempts.iter().any(|attempt| {
                attempt.target == Some(ClaimTarget::Delete(life.clone()))
                    && attempt.outcome == AttemptOutcome::Unknown
                    && attempt.age >= o.times.uncertainty
            });
            let is_gone = *reason == ForgetReason::Gone;
            law(!is_gone || answered || settled, "absence alone ends no entry");
            law(is_gone || !deleting, "what is deleted drops nothing that stays");
        }
        Step::Hold => law(!deleting && !o.object.finalizer, "a finalizer is written once"),
        Step::Release => {
            law(deleting && o.object.finalizer, "what is deleted is released");
            law(!is_open(o), "nothing travels after release");
            let left = |entry: &Entry| may_go(o, entry) && rivalry_of(o, &entry.life).heir.is_none();
            law(!o.object.entries.iter().any(left), "nothing that may be deleted is left");
            law(o.others.users.is_empty(), "a service in use is not released");
        }
        Step::Update(service, regions) => problems_of_update(o, (service, regions), &mut law),
        Step::Rest | Step::List => {}
    }
    wrong
}

/// Returns `true` if Atlas shows an endpoint with the declared id that is available.
fn shows_declared(o: &Observed) -> bool {
    let Listing::Fetched(shown) = &o.listing else { return false };
    shown.endpoints.iter().any(|(life, read)| {
        life.endpoint == o.subject.endpoint_id()
            && matches!(read, Ok(Some(endpoint)) if endpoint.status == ConnectionStatus::Available)
    })
}

#[test]
fn decide_obeys_the_protocol_whatever_is_observed() {
    let mut steps = BTreeSet::new();
    for seed in 1..=CASES {
        let drawn = bytes(seed, 160);
        let o = observation(&mut Draw::from(&drawn));
        let decision = decide(&o);
        let wrong = problems(&o, &decision);
        assert!(wrong.is_empty(), "case {seed}: {wrong:?}\n{decision:#?}\n{o:#?}");
        let report = report(&o, &decision);
        assert_eq!(report.conditions[0].kind, ConditionType::Ready);
        steps.insert(decision.step.name());
    }
    // Each step is taken at all.
    assert_eq!(steps.len(), 11, "{steps:?}");
}
