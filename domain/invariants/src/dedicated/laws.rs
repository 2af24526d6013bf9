//! What `decide` and `report` must and must never do, whatever is observed: written from the protocol, calling no helper of the rules.
//!
//! Each law is a sentence; a check returns those that are broken. The laws of the protocol's W1 to W7 stand where a single decision can
//! break them; what several decisions add up to is checked by the world in `domain/tests/dedicated` and by the model.

use std::collections::BTreeSet;

use domain::access::CredentialsInUse;
use domain::claim::Nonce;
use domain::dedicated::claim::ClaimTarget;
use domain::dedicated::decision::{Creating, Decision, Deleting, ForgetReason, State, Step};
use domain::dedicated::endpoint::ConnectionStatus;
use domain::dedicated::life::{Entry, Life, Provenance, Sort};
use domain::dedicated::names::Rivalry;
use domain::dedicated::observed::{
    Adopt, AttemptOutcome, Deletion, Listing, Observed, ServiceRef, Spec, Subject,
};
use domain::dedicated::region::Region;
use domain::dedicated::service::{ServiceId, ServiceStatus, ServiceTarget};
use domain::dedicated::status::{Fields, Report};
use domain::reconcile::WriteOutcome;
use domain::requeue::Requeue;
use domain::status::{ConditionType, Reason};

/// The laws that are broken.
struct Broken(Vec<&'static str>);

impl Broken {
    fn law(&mut self, holds: bool, law: &'static str) {
        self.0.extend((!holds).then_some(law));
    }
}

/// Returns the laws that a decision breaks.
pub fn broken_by(o: &Observed, decision: &Decision) -> Vec<&'static str> {
    let mut broken = Broken(Vec::new());
    match &decision.step {
        Step::Claim(target) => {
            of_write(o, target, &mut broken);
            broken.law(!is_open(o), "one claim at a time");
        }
        Step::Send(nonce, target) => {
            of_write(o, target, &mut broken);
            let attempt = o.memory.attempts.iter().find(|attempt| attempt.nonce == *nonce);
            broken.law(o.object.claim.nonce() == Some(nonce), "what is sent is claimed");
            broken.law(o.object.claim.target() == Some(target), "what is sent is as claimed");
            let is_unsent = attempt.is_some_and(|a| a.outcome == AttemptOutcome::NotSent);
            broken.law(is_unsent, "a nonce is sent once");
            let is_in_time = attempt.is_some_and(|a| a.age < o.times.create_deadline);
            broken.law(is_in_time, "a request is sent in time");
            let is_shown = o.others.is_current && o.others.claim.as_ref() == Some(nonce);
            broken.law(is_shown, "the watch shows the claim");
            broken.law(o.others.is_deleting == o.object.is_deleting, "the object is deleted as it was");
        }
        Step::Record(new, of) => of_record(o, new, of.as_ref(), &mut broken),
        Step::Forget(life, reason) => of_forget(o, life, reason, &mut broken),
        Step::Hold => {
            let is_missing = !o.object.is_deleting && !o.object.finalizer;
            broken.law(is_missing, "a finalizer is written once");
        }
        Step::Release => of_release(o, &mut broken),
        Step::Update(service, regions) => of_update(o, service, regions, &mut broken),
        Step::List => {
            broken.law(o.listing == Listing::NotFetched, "what was listed is not listed again");
            let may_list = o.object.is_deleting || spec(o).is_some_and(|spec| !spec.suspend || is_open(o));
            broken.law(may_list, "what is suspended is not polled");
        }
        Step::Rest => of_rest(o, decision, &mut broken),
    }
    of_pause(decision, &mut broken);
    broken.0
}

fn spec(o: &Observed) -> Option<&Spec> {
    o.spec.as_ref().ok()
}

/// Returns `true` if a request may still take effect, or if listings may still omit what a DELETE without effect aimed at: the status
/// has lost it since.
fn is_open(o: &Observed) -> bool {
    let is_lost = |nonce: &Nonce, target: Option<&ClaimTarget>| match target {
        Some(ClaimTarget::Delete(life)) => {
            o.object.claim.nonce() == Some(nonce)
                && o.entry(life).is_none()
                && o.memory.deleted.as_ref().is_none_or(|(deleted, _)| deleted != life)
        }
        _ => false,
    };
    o.memory.attempts.iter().any(|attempt| {
        let may_land = match attempt.outcome {
            AttemptOutcome::Unknown | AttemptOutcome::Created(_) => true,
            AttemptOutcome::Settled => is_lost(&attempt.nonce, attempt.target.as_ref()),
            AttemptOutcome::NotSent => false,
        };
        may_land && attempt.age < o.times.uncertainty && o.object.settled.as_ref() != Some(&attempt.nonce)
    })
}

fn rivalry_of(o: &Observed, life: &Life) -> Rivalry {
    o.others.recorded.iter().find(|(known, _)| known == life).map(|(_, r)| r.clone()).unwrap_or_default()
}

fn may_go(o: &Observed, entry: &Entry) -> bool {
    let Some(spec) = spec(o) else { return false };
    let by_default = match (o.sort(), entry.provenance) {
        (_, Provenance::Created) | (Sort::Endpoint, Provenance::Unproven) => true,
        (_, Provenance::Adopted) | (Sort::Service, Provenance::Unproven) => false,
    };
    !spec.observe && spec.deletion.map_or(by_default, |deletion| deletion == Deletion::Delete)
}

fn entry_of<'a>(o: &'a Observed, life: &Life) -> Option<&'a Entry> {
    o.object.entries.iter().find(|entry| entry.life == *life)
}

/// The id of the service that the declared endpoint is at.
fn declared_service(o: &Observed) -> Option<ServiceId> {
    match &o.subject {
        Subject::Endpoint { service: ServiceRef::Object { recorded, .. }, .. } => recorded.clone(),
        _ => None,
    }
}

/// Returns `true` if Atlas shows an endpoint with the declared id that is available.
fn shows_declared(o: &Observed) -> bool {
    let Listing::Fetched(shown) = &o.listing else { return false };
    shown.endpoints.iter().any(|(life, read)| {
        life.endpoint == o.subject.endpoint_id()
            && matches!(read, Ok(Some(endpoint)) if endpoint.status == ConnectionStatus::Available)
    })
}

/// The laws of a claim and of the request that it announces.
fn of_write(o: &Observed, target: &ClaimTarget, broken: &mut Broken) {
    let deleting = o.object.is_deleting;
    broken.law(spec(o).is_some(), "an invalid spec writes nothing");
    broken.law(spec(o).is_some_and(|spec| !spec.observe), "what only observes writes nothing");
    broken.law(spec(o).is_some_and(|spec| !spec.suspend) || deleting, "what is suspended writes nothing");
    broken.law(o.memory.last_write == WriteOutcome::Nothing, "a reconcile writes to Atlas once");
    broken.law(deleting || o.others.declared.older.is_none(), "an older rival comes first");
    broken.law(matches!(o.listing, Listing::Fetched(_)), "a write follows a listing");
    broken.law(o.object.finalizer || !deleting, "what holds nothing writes nothing");
    let is_remembered = matches!(o.credentials, CredentialsInUse::Remembered(_));
    let creates = matches!(target, ClaimTarget::Create(_));
    broken.law(!is_remembered || !creates, "a key that is only remembered creates nothing");
    match target {
        ClaimTarget::Create(life) => {
            broken.law(!deleting, "what is deleted creates nothing");
            broken.law(spec(o).is_some_and(|spec| spec.adopt != Adopt::Only), "Only creates nothing");
            let shown = match &o.listing {
                Listing::Fetched(shown) => life.as_ref().is_some_and(|life| shown.is_listed(life)),
                _ => false,
            };
            broken.law(!shown, "what is there is not created");
            let is_endpoint = life.as_ref().is_some_and(|life| life.endpoint.is_some());
            broken.law(is_endpoint == (o.sort() == Sort::Endpoint), "an object creates its own kind");
            let is_declared = life.as_ref().and_then(|life| life.endpoint.clone()) == o.subject.endpoint_id();
            broken.law(is_declared, "what is declared is created");
        }
        ClaimTarget::Delete(life) => of_delete(o, life, broken),
    }
}

fn of_delete(o: &Observed, life: &Life, broken: &mut Broken) {
    let deleting = o.object.is_deleting;
    let entry = entry_of(o, life);
    broken.law(entry.is_some(), "what has no entry is not deleted");
    let is_adopted = entry.is_some_and(|entry| entry.provenance == Provenance::Adopted);
    broken.law(!deleting || entry.is_some_and(|entry| may_go(o, entry)), "nobody permits the DELETE");
    broken.law(deleting || !is_adopted, "a living object deletes nothing that it adopted");
    let retains = spec(o).is_some_and(|spec| spec.deletion == Some(Deletion::Retain));
    broken.law(!retains, "Retain deletes nothing");
    let rivalry = rivalry_of(o, life);
    broken.law(rivalry.heir.is_none(), "an heir keeps it");
    broken.law(rivalry.older.is_none(), "an older rival deletes it");
    broken.law(rivalry.busy.is_none(), "a DELETE waits for a rival's request");
    broken.law(deleting || o.sort() == Sort::Endpoint, "a living object deletes no service");
    broken.law(o.others.users.is_empty(), "a service in use is not deleted");
    let is_declared = life.endpoint.is_some()
        && life.endpoint == o.subject.endpoint_id()
        && Some(&life.service) == declared_service(o).as_ref();
    broken.law(deleting || !is_declared, "a living object does not delete what it declares");
    let breaks = spec(o).is_some_and(|spec| spec.break_before_make);
    let is_replaced = deleting || breaks || shows_declared(o);
    broken.law(is_replaced, "the replacement is there before the DELETE");
    let services = o.subject.services().map(|services| &services.project);
    let project = entry.and_then(|entry| entry.project.as_ref());
    broken.law(project.is_none() || project == services, "what is in another project is not deleted");
    let Listing::Fetched(shown) = &o.listing else { return };
    let attached = shown.service(&life.service).filter(|_| life.endpoint.is_none());
    let is_bare = attached.is_none_or(|service| service.endpoint_ids.is_empty());
    broken.law(is_bare, "a service with endpoints is not deleted");
}

fn of_record(o: &Observed, new: &Entry, of: Option<&Nonce>, broken: &mut Broken) {
    let is_created = o.memory.attempts.iter().any(|attempt| {
        Some(&attempt.nonce) == of && attempt.outcome == AttemptOutcome::Created(new.life.clone())
    });
    broken.law(is_created == (new.provenance == Provenance::Created), "only a 2xx proves a creation");
    broken.law(is_created || entry_of(o, &new.life).is_none(), "what is recorded is not recorded again");
    let may_record = !o.object.is_deleting || is_created || may_go(o, new);
    broken.law(may_record, "what is deleted records only what it may delete");
    let is_shown = match &o.listing {
        Listing::Fetched(shown) => shown.is_listed(&new.life),
        _ => false,
    };
    broken.law(is_created || is_shown, "what is found is shown");
    let never = spec(o).is_some_and(|spec| spec.adopt == Adopt::Never);
    let is_adopted = new.provenance == Provenance::Adopted;
    broken.law(!never || !is_adopted, "Never adopts nothing");
    broken.law(is_created || !new_is_claimed_and_unanswered(o, new) || !is_adopted, "it may be its own");
}

/// The claim on the object is a POST of this, and nothing is known of its outcome.
fn new_is_claimed_and_unanswered(o: &Observed, new: &Entry) -> bool {
    let Some(ClaimTarget::Create(target)) = o.object.claim.target() else { return false };
    let nonce = o.object.claim.nonce();
    let mut known = o.memory.attempts.iter().filter(|attempt| Some(&attempt.nonce) == nonce);
    target.as_ref().is_none_or(|life| *life == new.life)
        && o.object.settled.as_ref() != nonce
        && known.all(|attempt| attempt.outcome == AttemptOutcome::Unknown)
}

fn of_forget(o: &Observed, life: &Life, reason: &ForgetReason, broken: &mut Broken) {
    broken.law(entry_of(o, life).is_some(), "what is forgotten was recorded");
    let answered = o.memory.deleted.as_ref().is_some_and(|(of, ago)| of == life && !ago.is_zero());
    let settled = o.memory.attempts.iter().any(|attempt| {
        attempt.target == Some(ClaimTarget::Delete(life.clone()))
            && attempt.outcome == AttemptOutcome::Unknown
            && attempt.age >= o.times.uncertainty
    });
    let is_gone = *reason == ForgetReason::Gone;
    broken.law(!is_gone || answered || settled, "absence alone ends no entry");
    broken.law(is_gone || !o.object.is_deleting, "what is deleted drops nothing that stays");
    let is_own = entry_of(o, life).is_some_and(|entry| may_go(o, entry));
    let has_heir = rivalry_of(o, life).heir.is_some();
    let is_adopted = entry_of(o, life).is_some_and(|entry| entry.provenance == Provenance::Adopted);
    broken.law(is_gone || !is_own || has_heir || is_adopted, "what may be deleted is not dropped");
}

fn of_release(o: &Observed, broken: &mut Broken) {
    broken.law(o.object.is_deleting && o.object.finalizer, "what is deleted is released");
    broken.law(!is_open(o), "nothing travels after release");
    let left = |entry: &Entry| may_go(o, entry) && rivalry_of(o, &entry.life).heir.is_none();
    broken.law(!o.object.entries.iter().any(left), "nothing that may be deleted is left");
    broken.law(o.others.users.is_empty(), "a service in use is not released");
}

/// The laws of an update of the remote regions of a service.
fn of_update(o: &Observed, service: &ServiceId, regions: &BTreeSet<Region>, broken: &mut Broken) {
    let may_write = spec(o).is_some_and(|s| !s.observe && !s.suspend) && !o.object.is_deleting;
    broken.law(may_write, "what may not write sets nothing");
    broken.law(o.others.declared.older.is_none(), "an older rival sets the regions");
    let declared = spec(o).and_then(|spec| spec.remote_regions.as_ref());
    broken.law(declared == Some(regions), "what is declared is set");
    let is_recorded = o.object.entries.iter().any(|entry| entry.life.service == *service);
    broken.law(is_recorded && o.sort() == Sort::Service, "only the recorded service is changed");
    broken.law(o.memory.last_write == WriteOutcome::Nothing, "a reconcile writes to Atlas once");
    let is_remembered = matches!(o.credentials, CredentialsInUse::Remembered(_));
    broken.law(!is_remembered, "a key that is only remembered sets nothing");
    let Listing::Fetched(shown) = &o.listing else { panic!("a write follows a listing") };
    let shown = shown.service(service).unwrap();
    let is_ready = matches!(shown.status, ServiceStatus::Available | ServiceStatus::WaitingForUser);
    broken.law(is_ready, "what Atlas prepares is left alone");
    let ServiceTarget::Aws { supported_remote_regions: actual, .. } = &shown.target else { panic!() };
    broken.law(actual != regions, "what is there is not set again");
    let foreign = o.memory.regions.as_ref().filter(|(sent, _)| sent.declared == *regions);
    let foreign = foreign.map_or(0, |(sent, _)| sent.foreign_changes);
    broken.law(foreign < 3 || o.is_requested, "a contest is left to people");
}

fn of_rest(o: &Observed, decision: &Decision, broken: &mut Broken) {
    if let State::Deleting(Deleting::AwaitingOutcome(remaining)) = &decision.state {
        broken.law(is_open(o) && !remaining.is_zero(), "nobody waits for what cannot land any more");
    }
    if let State::Creating(Creating::AwaitingOutcome(remaining)) = &decision.state {
        broken.law(is_open(o) && !remaining.is_zero(), "nobody waits for what cannot land any more");
    }
    if decision.requeue == Requeue::OnChange {
        let by_user = match &decision.state {
            State::Suspended | State::Invalid(_) => true,
            State::Deleting(Deleting::InProgress) => !o.object.finalizer,
            _ => false,
        };
        broken.law(by_user, "only what a user can end waits for a change alone");
    }
    if let State::Doubted = &decision.state {
        let is_new = o.memory.last_write == WriteOutcome::Done;
        let goes_on = decision.doubt.is_some() || is_new;
        broken.law(goes_on, "what is doubted is remembered, or older than a write");
    }
}

fn of_pause(decision: &Decision, broken: &mut Broken) {
    let Requeue::After(pause) = decision.requeue else { return };
    broken.law(!pause.is_zero(), "no pause is empty");
}

/// Returns the laws that the report of a decision breaks.
pub fn broken_by_report(o: &Observed, decision: &Decision, report: &Report) -> Vec<&'static str> {
    let mut broken = Broken(Vec::new());
    let kinds: Vec<_> = report.conditions.iter().map(|condition| condition.kind).collect();
    broken.law(kinds.first() == Some(&ConditionType::Ready), "Ready comes first");
    broken.law(kinds.get(1) == Some(&ConditionType::Synced), "Synced comes second");
    let unique: BTreeSet<_> = kinds.iter().collect();
    broken.law(unique.len() == kinds.len(), "each condition is there once");
    let wanted: &[ConditionType] = match o.sort() {
        Sort::Service => &[ConditionType::ServiceAvailable],
        Sort::Endpoint => &[ConditionType::ServiceReady, ConditionType::EndpointConnected],
    };
    broken.law(wanted.iter().all(|kind| unique.contains(kind)), "each kind has its conditions");
    let is_true = |kind| report.get(kind).is_some_and(|condition| condition.status);
    let (reconciling, stalled) = (is_true(ConditionType::Reconciling), is_true(ConditionType::Stalled));
    for kind in [ConditionType::Reconciling, ConditionType::Stalled, ConditionType::Suspended] {
        broken.law(report.get(kind).is_none_or(|condition| condition.status), "it is there only while True");
    }
    broken.law(!(reconciling && stalled), "nothing is both reconciling and stalled");
    let is_ready = is_true(ConditionType::Ready);
    broken.law(!is_ready || !reconciling && !stalled, "what is ready is at rest");
    let suspends = spec(o).is_some_and(|spec| spec.suspend) && !o.object.is_deleting;
    broken.law(is_ready || suspends || reconciling || stalled, "what is not ready says who acts");
    broken.law(is_true(ConditionType::Suspended) == suspends, "Suspended is as declared");
    of_readiness(o, decision, report, &mut broken);
    of_entries(o, decision, report, &mut broken);
    broken.0
}

/// Ready is what Atlas shows, or what the status has shown already.
fn of_readiness(o: &Observed, decision: &Decision, report: &Report, broken: &mut Broken) {
    let was_ready = o.object.reported.get(ConditionType::Ready).is_some_and(|ready| ready.status);
    let is_ready = report.get(ConditionType::Ready).is_some_and(|ready| ready.status);
    let stays = o.object.reported.current_ready().is_some();
    broken.law(!is_ready || !o.object.is_deleting || stays, "what is deleted does not become ready");
    let shown = match &o.listing {
        Listing::Fetched(shown) if o.sort() == Sort::Service => shown.services.iter().any(|service| {
            matches!(service.status, ServiceStatus::Available | ServiceStatus::WaitingForUser)
        }),
        Listing::Fetched(_) => shows_declared(o),
        _ => false,
    };
    broken.law(!is_ready || was_ready || shown, "Ready is what Atlas shows, or has shown");
    let conflicts = matches!(decision.state, State::Conflict(_) | State::Invalid(_) | State::Exists(_));
    broken.law(!is_ready || !conflicts, "what is not done is not ready");
    let ready = report.get(ConditionType::Ready).map(|ready| ready.reason);
    let terminal = matches!(ready, Some(Reason::Conflict | Reason::InvalidSpec));
    broken.law(!is_ready || was_ready || !terminal, "the reason of Ready says that it is done");
    let Fields::Endpoint(_, strings) = &report.fields else { return };
    let wanted = spec(o).map(|spec| &spec.clusters[..]).unwrap_or_default();
    let are_wanted = strings.iter().all(|(name, all)| wanted.contains(name) && !all.is_empty());
    broken.law(are_wanted, "the strings are those of the wanted clusters");
}

/// The status records what the step changes, and nothing else.
fn of_entries(o: &Observed, decision: &Decision, report: &Report, broken: &mut Broken) {
    let lives =
        |entries: &[Entry]| -> BTreeSet<_> { entries.iter().map(|entry| entry.life.clone()).collect() };
    let (before, after) = (lives(&o.object.entries), lives(&report.entries));
    broken.law(after.len() == report.entries.len(), "a life is recorded once");
    let expected = match &decision.step {
        Step::Record(entry, _) if o.sort() == Sort::Service => [entry.life.clone()].into(),
        Step::Record(entry, _) => before.into_iter().chain([entry.life.clone()]).collect(),
        Step::Forget(life, _) => before.into_iter().filter(|known| known != life).collect(),
        _ => before,
    };
    broken.law(after == expected, "the entries are those of the step");
    let recorded = match &decision.step {
        Step::Record(entry, _) => Some(entry),
        _ => None,
    };
    let is_kept = |entry: &&Entry| {
        let known = entry_of(o, &entry.life).or(recorded);
        recorded == Some(*entry) || known.is_some_and(|known| known.provenance == entry.provenance)
    };
    broken
        .law(report.entries.iter().all(|entry| is_kept(&entry)), "a provenance changes with its record only");
    let is_settled = report.settled.is_none()
        || report.settled == o.object.settled
        || report.settled.as_ref() == o.object.claim.nonce();
    broken.law(is_settled, "only the claim on the object is settled");
    let open =
        o.memory.attempts.iter().filter(|attempt| {
            attempt.outcome == AttemptOutcome::Unknown && attempt.age < o.times.uncertainty
        });
    let mut open = open.filter(|attempt| o.object.settled.as_ref() != Some(&attempt.nonce));
    let is_recorded = |nonce| matches!(&decision.step, Step::Record(_, Some(of)) if of == nonce);
    let closes =
        open.any(|attempt| report.settled.as_ref() == Some(&attempt.nonce) && !is_recorded(&attempt.nonce));
    broken.law(!closes, "what may still land is not settled");
}
