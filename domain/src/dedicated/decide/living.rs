//! A living object: find what it declares in Atlas, or create it once, and keep it.
//!
//! This file never deletes the endpoint that the object declares, nor a service.

use std::time::Duration;

use crate::reconcile::WriteOutcome;
use crate::reference::DeclaredEndpoint;
use crate::requeue::Requeue;

use super::super::claim::ClaimTarget;
use super::super::decision::{
    Blocked, Creating, Decision, Deleting, Doubt, EndpointState, ForgetReason, RetainReason, State, Step,
};
use super::super::endpoint::{ConnectionStatus, RegisteredEndpoint};
use super::super::life::{Entry, Life, Provenance};
use super::super::observed::{
    Adopt, AttemptOutcome, ClusterStrings, Deletion, Observed, ServiceRef, Shown, Spec, Subject,
};
use super::super::service::{EndpointService, ServiceId, ServiceStatus};
use super::{
    act, confirmed, delete, doubted, is_as_claimed, is_being_removed, is_confirmed, is_endpoint, landed,
    listed, may_write, open_attempts, provenance, record_created, refused, remaining, remote_regions, rest,
    sendable,
};

/// The maximum number of former endpoints that an object still records. Each is an endpoint in Atlas, and an edit of the spec makes
/// another.
const MAX_FORMER: usize = 8;

/// What Atlas has of what the object declares.
enum Presence {
    /// This life.
    Present(Life),
    /// Nothing, so that it can be created: the service, or this endpoint at a service that accepts it.
    Absent(Option<Life>),
    /// Nothing, and it cannot be created now.
    Blocked(Blocked),
}

pub(super) fn decide(o: &Observed) -> Decision {
    if let Some(record) = record_created(o) {
        return record;
    }
    let spec = match &o.spec {
        Ok(spec) => spec,
        Err(why) => return rest(State::Invalid(why.clone()), Requeue::OnChange),
    };
    if let Some((older, _)) = o.others.declared.older.as_ref().filter(|_| !spec.observe) {
        return rest(State::Conflict(older.clone()), Requeue::Interval);
    }
    if !o.object.finalizer && !spec.observe && !o.object.entries.is_empty() {
        return act(Step::Hold, State::Doubted);
    }
    if spec.suspend && remaining(o).is_none() {
        return rest(State::Suspended, Requeue::OnChange);
    }
    if let Some(blocked) = unreachable(o) {
        return rest(State::Blocked(blocked), Requeue::Interval);
    }
    match listed(o, |fault| State::ListingFailed(fault.clone()), State::Doubted) {
        Ok(shown) => reconcile(o, spec, shown),
        Err(decision) => *decision,
    }
}

/// Returns why the service of an endpoint cannot be listed, or offers nothing yet.
fn unreachable(o: &Observed) -> Option<Blocked> {
    let Subject::Endpoint { service, .. } = &o.subject else { return None };
    match service {
        // What an open claim aimed at is looked for, whatever became of the service's object.
        ServiceRef::Missing { known: Some(_), .. } if open_attempts(o).next().is_some() => None,
        ServiceRef::Missing { object, .. } => Some(Blocked::ServiceNotFound(object.clone())),
        ServiceRef::NotAllowed(object) => Some(Blocked::ServiceNotAllowed(object.clone())),
        ServiceRef::Object { recorded: None, object, .. } if o.object.entries.is_empty() => {
            Some(Blocked::ServiceNotReady(format!("{object} has no endpoint service in Atlas yet")))
        }
        ServiceRef::Object { .. } | ServiceRef::Key(_) => None,
    }
}

fn reconcile(o: &Observed, spec: &Spec, shown: &Shown) -> Decision {
    let presence = presence(o, shown);
    if let Some(entry) = landed(o, shown, false).filter(|entry| !is_present(&presence, &entry.life)) {
        return act(Step::Record(entry, None), State::Doubted);
    }
    match presence {
        Presence::Present(life) => present(o, spec, shown, &life),
        Presence::Absent(life) => absent(o, spec, shown, Ok(life)),
        Presence::Blocked(blocked) => absent(o, spec, shown, Err(blocked)),
    }
}

fn is_present(presence: &Presence, life: &Life) -> bool {
    matches!(presence, Presence::Present(present) if present == life)
}

fn presence(o: &Observed, shown: &Shown) -> Presence {
    let (service, endpoint) = match &o.subject {
        Subject::Service(key) => {
            // A recorded life is known by its id, whatever region Atlas names, or none.
            let recorded = || {
                let mut lives = o.object.entries.iter().map(|entry| &entry.life);
                lives.find_map(|life| shown.service(&life.service))
            };
            let is_same = |service: &&EndpointService| {
                service.status != ServiceStatus::Deleting
                    && service.region.as_ref().is_none_or(|region| *region == key.region)
            };
            let found = recorded().filter(is_same).or_else(|| shown.service_of(key)).or_else(recorded);
            return found.map_or(Presence::Absent(None), |service| {
                Presence::Present(Life { service: service.id.clone(), endpoint: None })
            });
        }
        Subject::Endpoint { service, endpoint } => (service, endpoint),
        Subject::Nothing(_) => return Presence::Absent(None),
    };
    let (found, described) = match service {
        ServiceRef::Key(key) => {
            let serving = || serving(o, shown).and_then(|id| shown.service(id));
            (shown.service_of(key).or_else(serving), format!("endpoint service {key}"))
        }
        ServiceRef::Object { recorded, object, .. } => {
            // An object that has lost its record takes nothing from the endpoint that serves at its service.
            let id = recorded.as_ref().or_else(|| serving(o, shown));
            match id.map(|id| (id, shown.service(id))) {
                Some((id, Some(service))) => (Some(service), format!("endpoint service {id} of {object}")),
                Some((id, None)) => {
                    let why = format!("Atlas does not show endpoint service {id} of {object}");
                    return Presence::Blocked(Blocked::ServiceNotReady(why));
                }
                None => {
                    let why = format!("{object} has no endpoint service in Atlas");
                    return Presence::Blocked(Blocked::ServiceNotReady(why));
                }
            }
        }
        ServiceRef::Missing { object, .. } | ServiceRef::NotAllowed(object) => (None, object.clone()),
    };
    let Some(service) = found else { return Presence::Blocked(Blocked::ServiceNotFound(described)) };
    let id = match endpoint {
        DeclaredEndpoint::Declared(endpoint) => endpoint.id(),
        DeclaredEndpoint::Awaited(why) => {
            return Presence::Blocked(Blocked::AwaitingVpcEndpoint(why.clone()));
        }
        DeclaredEndpoint::NotFound(why) => return Presence::Blocked(Blocked::ReferenceNotFound(why.clone())),
        DeclaredEndpoint::Undeclared => {
            return Presence::Blocked(Blocked::AwaitingVpcEndpoint("spec names no endpoint".to_owned()));
        }
    };
    let life = Life { service: service.id.clone(), endpoint: Some(id.clone()) };
    if let Some(life) = shown.as_listed(&life) {
        return Presence::Present(life);
    }
    let is_stale = |entry: &Entry| entry.life.endpoint == life.endpoint && entry.life.service != life.service;
    if o.object.entries.iter().any(is_stale) {
        return Presence::Blocked(Blocked::Stale(id));
    }
    match &service.status {
        ServiceStatus::Available | ServiceStatus::WaitingForUser => Presence::Absent(Some(life)),
        status => Presence::Blocked(Blocked::ServiceNotReady(format!("{described} is {status}"))),
    }
}

/// Returns the service at which the declared endpoint is recorded and shown.
fn serving<'a>(o: &'a Observed, shown: &Shown) -> Option<&'a ServiceId> {
    let declared = o.subject.endpoint_id();
    let mut lives = o.object.entries.iter().map(|entry| &entry.life);
    let serving = lives.find(|life| life.endpoint == declared && shown.is_listed(life));
    serving.map(|life| &life.service)
}

/// Atlas has what the object declares.
fn present(o: &Observed, spec: &Spec, shown: &Shown, life: &Life) -> Decision {
    // A service has one entry: another life takes its place once the recorded one is known to be over.
    let former = o.object.entries.first().filter(|entry| !is_endpoint(o) && entry.life != *life);
    if let Some(former) = former {
        let doubt = Doubt::Absent(former.life.clone());
        if !is_confirmed(o, &doubt) {
            return doubted(o, doubt);
        }
        if let Some(wait) = until_lost(o) {
            return confirmed(doubt, rest(State::Lost(Some(wait)), Requeue::After(wait)));
        }
    }
    let is_removed = is_being_removed(shown, life);
    if o.entry(life).is_none() && !is_removed {
        let decision = adopt(o, spec, life);
        // While the former one stays recorded, its loss stays confirmed.
        return match former {
            Some(former) => confirmed(Doubt::Absent(former.life.clone()), decision),
            None => decision,
        };
    }
    let decision = match (shown.service(&life.service), &life.endpoint) {
        _ if is_removed => rest(State::BeingRemoved, Requeue::Poll),
        (Some(service), None) => {
            remote_regions::decide(o, spec, service).unwrap_or_else(|| keep_service(service))
        }
        _ => keep_endpoint(o, spec, shown, life),
    };
    let was_ready = o.object.reported.current_ready().is_some() || withdraws_strings(o, shown, life);
    let is_ready = match &decision.state {
        State::Service(service) => is_usable(service),
        State::Updating(..) | State::BeingRemoved => false,
        State::Endpoint(state) => match (&state.endpoint, &state.unread) {
            (Some(endpoint), _) => {
                endpoint.status == ConnectionStatus::Available && !lacks_strings(spec, shown)
            }
            // A fault says nothing about the endpoint.
            (None, unread) => unread.is_some(),
        },
        _ => true,
    };
    // One response that may be wrong changes nothing; a write of our own is no such response.
    let is_harmless = matches!(decision.step, Step::Rest | Step::Update(..));
    if was_ready && !is_ready && is_harmless && o.memory.last_write == WriteOutcome::Nothing {
        return if is_confirmed(o, &Doubt::NotReady) {
            confirmed(Doubt::NotReady, decision)
        } else {
            doubted(o, Doubt::NotReady)
        };
    }
    // What another object's request may still remove is polled: only a listing shows that it did.
    match decision.requeue {
        Requeue::Interval if o.others.declared.busy.is_some() => {
            Decision { requeue: Requeue::Poll, ..decision }
        }
        _ => decision,
    }
}

/// Returns `true` if VPC endpoints can be made for the service.
pub(in super::super) fn is_usable(service: &EndpointService) -> bool {
    use super::super::service::ServiceTarget;
    let has_name = match &service.target {
        ServiceTarget::Aws { endpoint_service_name: name, .. }
        | ServiceTarget::Azure { private_link_service_resource_id: name, .. } => name.is_some(),
        ServiceTarget::Gcp { service_attachment_names, .. } => !service_attachment_names.is_empty(),
    };
    has_name && matches!(service.status, ServiceStatus::Available | ServiceStatus::WaitingForUser)
}

/// What the status does not record is adopted, unless `adopt` forbids it and it cannot be our own.
fn adopt(o: &Observed, spec: &Spec, life: &Life) -> Decision {
    let provenance = provenance(o, life);
    if spec.adopt == Adopt::Never && provenance == Provenance::Adopted {
        return rest(State::Exists(life.clone()), Requeue::Interval);
    }
    if !o.object.finalizer && !spec.observe {
        return act(Step::Hold, State::Doubted);
    }
    act(Step::Record(o.new_entry(life.clone(), provenance), None), State::Doubted)
}

fn keep_service(service: &EndpointService) -> Decision {
    let requeue = match &service.status {
        // Until a user has made an endpoint for it: a service that is lost meanwhile is noticed within a minute.
        ServiceStatus::Available | ServiceStatus::WaitingForUser if service.endpoint_ids.is_empty() => {
            Requeue::Await
        }
        ServiceStatus::Available | ServiceStatus::WaitingForUser if is_usable(service) => Requeue::Interval,
        ServiceStatus::Failed => Requeue::Await,
        _ => Requeue::Poll,
    };
    rest(State::Service(service.clone()), requeue)
}

fn keep_endpoint(o: &Observed, spec: &Spec, shown: &Shown, life: &Life) -> Decision {
    let read = shown.endpoints.get(life);
    let (endpoint, unread) = match read {
        Some(Ok(endpoint)) => (endpoint.clone(), None),
        Some(Err(fault)) => (None, Some(fault.clone())),
        None => (None, None),
    };
    let status = endpoint.as_ref().map(|endpoint| endpoint.status.clone());
    let requeue = match (&status, &unread) {
        (_, Some(fault)) => Requeue::after_fault(fault),
        (Some(ConnectionStatus::Available), _) if !awaits_strings(spec, shown) => Requeue::Interval,
        (Some(ConnectionStatus::Failed), _) => Requeue::Await,
        _ => Requeue::Poll,
    };
    let state = State::Endpoint(EndpointState { life: life.clone(), endpoint, unread });
    // What is in another project stays recorded until the object refers to that again, or is deleted.
    let former = o.object.entries.iter().find(|entry| entry.life != *life && !o.is_elsewhere(entry));
    match (former, status) {
        // Who reads the strings finds those of the declared endpoint before the former one goes.
        (Some(former), Some(ConnectionStatus::Available))
            if !spec.observe && !awaits_cluster(spec, shown) =>
        {
            leave(o, spec, shown, former, &state, requeue)
        }
        _ => rest(state, requeue),
    }
}

/// Returns `true` while a cluster does not show its private connection strings.
fn awaits_strings(spec: &Spec, shown: &Shown) -> bool {
    let mut all = spec.clusters.iter().map(|cluster| shown.strings_of(cluster));
    all.any(|strings| !matches!(strings, ClusterStrings::Present(_)))
}

/// Returns `true` while a cluster that exists does not show its private connection strings.
fn awaits_cluster(spec: &Spec, shown: &Shown) -> bool {
    let mut all = spec.clusters.iter().map(|cluster| shown.strings_of(cluster));
    all.any(|strings| !matches!(strings, ClusterStrings::Present(_) | ClusterStrings::NoCluster))
}

/// Returns `true` if a cluster has no private connection strings, as far as it was read. A fault says nothing about them.
fn lacks_strings(spec: &Spec, shown: &Shown) -> bool {
    let mut all = spec.clusters.iter().map(|cluster| shown.strings_of(cluster));
    all.any(|strings| !matches!(strings, ClusterStrings::Present(_) | ClusterStrings::Failed(_)))
}

/// Returns `true` if Atlas shows no strings, any more, of a cluster whose strings the status shows, or that the endpoint is not connected.
fn withdraws_strings(o: &Observed, shown: &Shown, life: &Life) -> bool {
    let known = o.object.strings_behind(life);
    let is_connected = |endpoint: &RegisteredEndpoint| endpoint.status == ConnectionStatus::Available;
    let is_lost = matches!(shown.endpoints.get(life), Some(Ok(Some(endpoint))) if !is_connected(endpoint));
    let mut all = known.keys().map(|cluster| shown.strings_of(cluster));
    all.any(|strings| is_lost || matches!(strings, ClusterStrings::Absent | ClusterStrings::NoCluster))
}

/// Removes a former endpoint, or forgets it: a typing error must not delete what it hit.
fn leave(
    o: &Observed,
    spec: &Spec,
    shown: &Shown,
    former: &Entry,
    state: &State,
    requeue: Requeue,
) -> Decision {
    let reason = match (former.provenance, o.rivalry(&former.life).heir) {
        (_, Some(heir)) => Some(RetainReason::Heir(heir)),
        (Provenance::Adopted, None) => Some(RetainReason::FormerlyAdopted),
        (Provenance::Created | Provenance::Unproven, None) => {
            (spec.deletion == Some(Deletion::Retain)).then_some(RetainReason::Declared)
        }
    };
    match reason {
        // What an open claim aimed at would be found, and recorded, again.
        Some(_) if is_aimed_at(o, &former.life) => rest(state.clone(), requeue),
        Some(reason) => act(Step::Forget(former.life.clone(), ForgetReason::Retained(reason)), state.clone()),
        None => {
            let decision = delete(o, shown, &former.life, |_| state.clone());
            let requeue = if decision.step == Step::Rest { decision.requeue } else { requeue };
            Decision { requeue, ..decision }
        }
    }
}

/// Returns `true` if an attempt that may still take effect is about this life.
fn is_aimed_at(o: &Observed, life: &Life) -> bool {
    open_attempts(o).any(|attempt| attempt.target.as_ref().and_then(ClaimTarget::life) == Some(life))
}

/// Atlas does not have what the object declares.
fn absent(o: &Observed, spec: &Spec, shown: &Shown, life: Result<Option<Life>, Blocked>) -> Decision {
    // The life that is recorded for what is declared; while that is not known, the one that the status shows.
    let declared = o.subject.endpoint_id();
    let is_declared = |entry: &&Entry| declared.is_none() || entry.life.endpoint == declared;
    let entry = o.object.entries.iter().find(is_declared);
    let is_stale = matches!(life, Err(Blocked::Stale(_)));
    if let Some(entry) = entry.filter(|entry| !shown.is_listed(&entry.life)) {
        if o.memory.last_write == WriteOutcome::Done {
            // The listing is older than what was just created.
            return rest(State::Doubted, Requeue::Poll);
        }
        let doubt = Doubt::Absent(entry.life.clone());
        if !is_confirmed(o, &doubt) && !is_stale {
            return doubted(o, doubt);
        }
        return confirmed(doubt, lost(o, spec, shown, life));
    }
    create(o, spec, shown, life)
}

/// The recorded life is gone, as two listings show.
fn lost(o: &Observed, spec: &Spec, shown: &Shown, life: Result<Option<Life>, Blocked>) -> Decision {
    match (until_lost(o), &life) {
        (Some(wait), Ok(_)) if !spec.observe && spec.adopt != Adopt::Only => {
            rest(State::Lost(Some(wait)), Requeue::After(wait))
        }
        _ => create(o, spec, shown, life),
    }
}

/// Returns how long a listing may still omit what was recorded; `None` if it would show it.
fn until_lost(o: &Observed) -> Option<Duration> {
    Some(o.times.visibility.saturating_sub(o.memory.recorded)).filter(|remaining| !remaining.is_zero())
}

fn create(o: &Observed, spec: &Spec, shown: &Shown, life: Result<Option<Life>, Blocked>) -> Decision {
    let life = match life {
        Ok(life) => life,
        Err(blocked) => return blocked_state(o, blocked),
    };
    if spec.observe || spec.adopt == Adopt::Only {
        return rest(State::NotFound, Requeue::Interval);
    }
    let formers = || o.object.entries.iter().filter(|entry| life.as_ref() != Some(&entry.life));
    if is_endpoint(o) && spec.break_before_make {
        let removable =
            formers().find(|entry| entry.provenance != Provenance::Adopted && !o.is_elsewhere(entry));
        if let Some(former) = removable.filter(|former| {
            o.rivalry(&former.life).heir.is_none() && spec.deletion != Some(Deletion::Retain)
        }) {
            return delete(o, shown, &former.life, |deleting| match deleting {
                Deleting::Failed(fault) => State::Creating(Creating::Refused(fault)),
                Deleting::AwaitingOutcome(remaining) => State::Creating(Creating::AwaitingOutcome(remaining)),
                _ => State::Creating(Creating::Pending),
            });
        }
    }
    if is_endpoint(o) && formers().count() > MAX_FORMER {
        return rest(State::Blocked(Blocked::TooMany), Requeue::Interval);
    }
    if let Some(fault) = refused(o) {
        return rest(State::Creating(Creating::Refused(fault.clone())), Requeue::after_refusal(fault));
    }
    let target = ClaimTarget::Create(life);
    if let Some(send) = sendable(o, &target) {
        let rivalry = &o.others.declared;
        return match rivalry.busy {
            Some(remaining) => rest(State::Creating(Creating::AwaitingRival(remaining)), Requeue::Await),
            None if is_as_claimed(o) => act(send, State::Creating(Creating::Pending)),
            None => rest(State::Creating(Creating::Pending), Requeue::Poll),
        };
    }
    if let Some(remaining) = remaining(o) {
        return rest(State::Creating(Creating::AwaitingOutcome(remaining)), Requeue::Poll);
    }
    if let Some(remaining) = o.others.declared.busy {
        return rest(State::Creating(Creating::AwaitingRival(remaining)), Requeue::Await);
    }
    let is_too_late = o.claimed().is_some_and(|attempt| attempt.outcome == AttemptOutcome::NotSent);
    if !may_write(o) || is_too_late {
        return rest(State::Creating(Creating::Pending), Requeue::Poll);
    }
    act(Step::Claim(target), State::Creating(Creating::Pending))
}

fn blocked_state(o: &Observed, blocked: Blocked) -> Decision {
    let requeue = match &blocked {
        _ if open_attempts(o).next().is_some() => Requeue::Poll,
        // The object that declares the service triggers a reconcile once it is ready.
        Blocked::ServiceNotReady(_) if refers_to_object(o) => Requeue::Await,
        Blocked::ServiceNotReady(_) => Requeue::Poll,
        Blocked::AwaitingVpcEndpoint(_)
        | Blocked::ReferenceNotFound(_)
        | Blocked::ServiceNotFound(_)
        | Blocked::Stale(_) => Requeue::Await,
        Blocked::ServiceNotAllowed(_) | Blocked::TooMany => Requeue::Interval,
    };
    rest(State::Blocked(blocked), requeue)
}

fn refers_to_object(o: &Observed) -> bool {
    matches!(&o.subject, Subject::Endpoint { service: ServiceRef::Object { .. }, .. })
}
