//! The object is being deleted: remove what it may remove, make sure that it is gone, then release the object.
//!
//! This file never releases an object while a request of it may still take effect, and never deletes what the object did not record.

use crate::fault::FaultKind;
use crate::requeue::Requeue;

use super::super::decision::{Decision, Deleting, State, Step};
use super::super::life::{Entry, Provenance, Sort};
use super::super::observed::{Listing, Observed, ServiceRef, Shown, Subject};
use super::{act, delete, landed, record_created, remaining, rest, retained, unanswered};

pub(super) fn decide(o: &Observed) -> Decision {
    let removing = State::Deleting(Deleting::InProgress);
    if !o.object.finalizer {
        return rest(removing, Requeue::OnChange);
    }
    if let Some(record) = record_created(o) {
        return record;
    }
    let deletable = || o.object.entries.iter().filter(|entry| retained(o, entry).is_none());
    let deletable = deletable().find(|entry| !o.is_elsewhere(entry)).or_else(|| deletable().next());
    let open = remaining(o);
    if let (Some(remaining), None) = (open, &deletable) {
        // The clock suffices, but what has landed is looked for.
        let waiting = rest(State::Deleting(Deleting::AwaitingOutcome(remaining)), Requeue::After(remaining));
        return match (&o.listing, unreachable(o)) {
            (_, Some(_)) | (Listing::Failed(_), None) => waiting,
            (Listing::NotFetched, None) => act(Step::List, waiting.state),
            (Listing::Fetched(shown), None) => record_landed(o, shown).unwrap_or_else(|| {
                rest(State::Deleting(Deleting::AwaitingOutcome(remaining)), Requeue::Poll)
            }),
        };
    }
    let is_in_use = !o.others.users.is_empty();
    if is_in_use && open.is_none() {
        return rest(State::Deleting(Deleting::InUse(o.others.users.clone())), Requeue::Interval);
    }
    let Some(entry) = deletable else {
        return look_once_more(o).unwrap_or_else(|| act(Step::Release, removing));
    };
    if let Some(why) = unreachable(o).or_else(|| elsewhere(o, entry)) {
        return rest(State::Deleting(Deleting::Unreachable(why)), Requeue::Interval);
    }
    match &o.listing {
        Listing::NotFetched => act(Step::List, removing),
        Listing::Failed(fault) => {
            rest(State::Deleting(Deleting::Failed(fault.clone())), Requeue::after_fault(fault))
        }
        Listing::Fetched(shown) => remove(o, shown, entry),
    }
}

/// Returns why nothing can be requested about the services, if it is so.
fn unreachable(o: &Observed) -> Option<String> {
    match &o.subject {
        Subject::Endpoint { service: ServiceRef::NotAllowed(object), .. } => {
            Some(format!("{object} does not allow references from this namespace any more"))
        }
        Subject::Endpoint { service: ServiceRef::Missing { object, known: None }, .. } => {
            Some(format!("{object} does not exist, so that its project is not known"))
        }
        Subject::Nothing(_) => Some("the spec is invalid".to_owned()),
        Subject::Service(_) | Subject::Endpoint { .. } => None,
    }
}

/// Returns why an entry is out of reach, if it is in another project.
fn elsewhere(o: &Observed, entry: &Entry) -> Option<String> {
    let project = entry.project.as_ref().filter(|_| o.is_elsewhere(entry))?;
    let services = o.subject.services()?;
    Some(format!(
        "{} is in project {project}, and the object refers to a service of project {} now",
        entry.life, services.project
    ))
}

/// Records what an unanswered claim aimed at, if it is there and may be deleted.
fn record_landed(o: &Observed, shown: &Shown) -> Option<Decision> {
    let entry = landed(o, shown, true).filter(|entry| o.may_delete(entry))?;
    Some(act(Step::Record(entry, None), State::Deleting(Deleting::InProgress)))
}

/// Looks for what an unanswered claim aimed at, now that it can no longer land: the last listing may be from before it did. What must stay
/// is named in an event, for which nobody waits until Atlas responds. Nobody waits for credentials either.
fn look_once_more(o: &Observed) -> Option<Decision> {
    let mut targets = unanswered(o).filter_map(|attempt| attempt.target.as_ref());
    let is_unknown = targets.any(|target| target.life().is_none_or(|life| o.entry(life).is_none()));
    if !is_unknown || unreachable(o).is_some() {
        return None;
    }
    match &o.listing {
        Listing::NotFetched => Some(act(Step::List, State::Deleting(Deleting::InProgress))),
        Listing::Failed(fault)
            if o.may_delete_provenance(Provenance::Unproven)
                && matches!(fault.kind, FaultKind::Unavailable | FaultKind::RateLimited) =>
        {
            Some(rest(State::Deleting(Deleting::Failed(fault.clone())), Requeue::after_fault(fault)))
        }
        Listing::Failed(_) => None,
        Listing::Fetched(shown) => record_landed(o, shown),
    }
}

fn remove(o: &Observed, shown: &Shown, entry: &Entry) -> Decision {
    if let Some(record) = record_landed(o, shown) {
        return record;
    }
    let attached = shown.service(&entry.life.service).filter(|_| o.sort() == Sort::Service);
    if let Some(service) = attached.filter(|service| !service.endpoint_ids.is_empty()) {
        let attached = Deleting::EndpointsAttached(service.endpoint_ids.clone());
        return rest(State::Deleting(attached), Requeue::Await);
    }
    delete(o, shown, &entry.life, State::Deleting)
}
