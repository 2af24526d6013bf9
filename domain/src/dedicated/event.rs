//! Events: transitions and actions, never "reconciled".
//!
//! Conditions carry every message; events only repeat them, because a terminating namespace accepts none.

use crate::status::{Condition, ConditionType, EventDraft, EventReason, Message, Reason, Reported, sentence};

use super::claim::ClaimTarget;
use super::decision::{ForgetReason, RetainReason, Step};
use super::life::{Entry, Life, Provenance, Sort};
use super::observed::{Listing, Observed, Shown};
use super::region;
use super::status::Report;

fn normal(reason: EventReason, message: String) -> EventDraft {
    EventDraft { reason, warning: false, message }
}

/// What has been announced about an object: the reasons of its conditions, and that it is ready.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Announced {
    is_ready: bool,
    reasons: Vec<Reason>,
}

impl Announced {
    /// Returns what this status announces. Anybody may have written it, so a process relies on it only until its own first report.
    #[must_use]
    pub fn by_status(status: &Reported) -> Self {
        Self {
            is_ready: status.get(ConditionType::Ready).is_some_and(|ready| ready.status),
            reasons: status.conditions.iter().filter_map(|condition| condition.reason).collect(),
        }
    }

    /// Returns what this process has announced once `report` is published.
    #[must_use]
    pub fn by(report: &Report) -> Self {
        Self {
            is_ready: report.get(ConditionType::Ready).is_some_and(|ready| ready.status),
            reasons: report.conditions.iter().map(|condition| condition.reason).collect(),
        }
    }
}

/// Returns the events for what is new in `report`.
#[must_use]
pub fn of_change(before: &Announced, o: &Observed, report: &Report) -> Vec<EventDraft> {
    let mut events = Vec::new();
    if report.unchanged {
        return events;
    }
    let ready = report.get(ConditionType::Ready).filter(|ready| ready.status && !before.is_ready);
    if let Some(ready) = ready.filter(|_| matches!(o.listing, Listing::Fetched(_))) {
        let reason = match o.sort() {
            Sort::Service => EventReason::ServiceAvailable,
            Sort::Endpoint => EventReason::EndpointAvailable,
        };
        events.push(normal(reason, ready.message.to_string()));
    }
    for (condition, reason) in warnings(report) {
        if !before.reasons.contains(&condition.reason) && events.iter().all(|event| event.reason != reason) {
            let message = sentence(&report.conditions, condition, None).to_string();
            events.push(EventDraft { reason, warning: true, message });
        }
    }
    events
}

/// Returns what a person should see, the most important first.
fn warnings(report: &Report) -> impl Iterator<Item = (&Condition, EventReason)> {
    [ConditionType::Ready, ConditionType::Synced]
        .into_iter()
        .filter_map(|kind| report.get(kind).filter(|condition| !condition.status))
        .filter_map(|condition| Some((condition, condition.reason.warning()?)))
}

/// Returns the failure in `report`, if any, for the log: its reason and its message.
#[must_use]
pub fn failure(report: &Report) -> Option<(Reason, Message)> {
    let (condition, _) = warnings(report).next()?;
    Some((condition.reason, sentence(&report.conditions, condition, None)))
}

/// Returns the event about a step that was performed.
#[must_use]
pub fn of_step(step: &Step, o: &Observed) -> Vec<EventDraft> {
    match step {
        Step::Record(entry, _) => of_record(entry, o),
        Step::Forget(life, ForgetReason::Gone) => vec![normal(
            match o.sort() {
                Sort::Service => EventReason::ServiceDeleted,
                Sort::Endpoint => EventReason::EndpointRemoved,
            },
            format!("{life} is gone from Atlas"),
        )],
        Step::Forget(life, ForgetReason::Retained(reason)) => vec![retained(o.sort(), life, reason)],
        Step::Update(service, regions) => {
            let regions = region::list(regions);
            let message = format!("set supportedRemoteRegions of endpoint service {service} to {regions}");
            vec![normal(EventReason::ServiceUpdated, message)]
        }
        Step::Release => o
            .object
            .entries
            .iter()
            .chain(&super::decide::left_behind(o))
            .filter_map(|entry| Some(retained(o.sort(), &entry.life, &super::decide::retained(o, entry)?)))
            .collect(),
        _ => Vec::new(),
    }
}

fn of_record(entry: &Entry, o: &Observed) -> Vec<EventDraft> {
    let Entry { life, provenance, .. } = entry;
    let mut events = Vec::new();
    let former = o.object.entries.first().filter(|former| former.life != *life);
    if let Some(former) = former.filter(|_| o.sort() == Sort::Service) {
        let noun = o.endpoint_noun();
        let message = format!(
            "{} is gone from Atlas and replaced by {life}, which has another name: make {noun}s for that, and name them in their objects",
            former.life
        );
        events.push(EventDraft { reason: EventReason::ServiceReplaced, warning: true, message });
    }
    let reason = match (o.sort(), provenance) {
        (Sort::Service, Provenance::Created) => EventReason::ServiceCreated,
        (Sort::Endpoint, Provenance::Created) => EventReason::EndpointRegistered,
        (Sort::Service, _) => EventReason::ServiceAdopted,
        (Sort::Endpoint, _) => EventReason::EndpointAdopted,
    };
    let message = match provenance {
        Provenance::Created => format!("created {life}"),
        Provenance::Adopted => format!("found {life} in Atlas, and uses it"),
        Provenance::Unproven => {
            format!(
                "found {life} in Atlas; a request of this object, whose response was lost, may have created it"
            )
        }
    };
    events.push(normal(reason, message));
    events
}

fn retained(sort: Sort, life: &Life, why: &RetainReason) -> EventDraft {
    let reason = match sort {
        Sort::Service => EventReason::ServiceRetained,
        Sort::Endpoint => EventReason::EndpointRetained,
    };
    let why = match why {
        RetainReason::Declared => {
            "because spec.deletionPolicy is 'Retain' or spec.managementPolicy is 'Observe'".to_owned()
        }
        RetainReason::NotOurs(entry) => format!(
            "because its provenance is {} and spec.deletionPolicy is not 'Delete'",
            entry.provenance.as_str()
        ),
        RetainReason::FormerlyAdopted => {
            "because this object did not register it, and only declared it before, whatever spec.deletionPolicy is".to_owned()
        }
        RetainReason::Heir(heir) => format!("because {heir} declares it"),
        RetainReason::Invalid(why) => {
            format!("because the spec is invalid ({why}); delete it in Atlas, if nothing uses it")
        }
    };
    normal(reason, format!("{life} stays in Atlas, {why}"))
}

/// Returns the event before the request of a claim: what is recorded is gone, and is created again; or the only endpoint of a service
/// is removed, which may take the service with it.
#[must_use]
pub fn before_claim(target: &ClaimTarget, o: &Observed) -> Option<EventDraft> {
    let Listing::Fetched(shown) = &o.listing else { return None };
    let ClaimTarget::Delete(life) = target else { return lost(target, shown, o) };
    let endpoint = life.endpoint.as_ref()?;
    let service = shown.service(&life.service)?;
    let is_last = service.endpoint_ids.len() == 1 && endpoint.listed_in(service).is_some();
    is_last.then(|| EventDraft {
        reason: EventReason::LastEndpointRemoved,
        warning: true,
        message: format!(
            "endpoint {endpoint} is the only one of endpoint service {} and is about to be removed: Atlas may delete the service with it",
            life.service
        ),
    })
}

/// Returns the event about a recorded life that is gone, unless the status has shown that, or a create request, already.
fn lost(target: &ClaimTarget, shown: &Shown, o: &Observed) -> Option<EventDraft> {
    let declared = target.life().and_then(|life| life.endpoint.as_ref());
    let mut lives = o.object.entries.iter().map(|entry| &entry.life);
    let life = lives.find(|life| life.endpoint.as_ref() == declared && !shown.is_listed(life))?;
    let ready = o.object.reported.get(ConditionType::Ready).and_then(|ready| ready.reason);
    let (reason, known) = match o.sort() {
        Sort::Service => (EventReason::ServiceLost, Reason::ServiceLost),
        Sort::Endpoint => (EventReason::EndpointLost, Reason::EndpointLost),
    };
    let is_known = ready == Some(known) || ready == Some(Reason::Creating);
    (!is_known).then(|| EventDraft {
        reason,
        warning: true,
        message: format!("{life} is gone from Atlas; it is created again"),
    })
}
