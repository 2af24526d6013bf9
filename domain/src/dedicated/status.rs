//! Maps the decided state to what the status shows: entries, fields and conditions.
//!
//! *Ready means that what the manifest declares is done*; a failed request is not a failing endpoint. This file never decides what is
//! done about a state.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::claim::Nonce;
use crate::deadline::Stage;
use crate::fault::{Fault, FaultKind};
use crate::status::{Condition, ConditionType, Message, Progress, Reason, Summary, is_late, suspended};

use super::claim::ClaimTarget;
use super::cluster::ClusterName;
use super::decide::{declared_otherwise, is_target_lost, is_usable, left_behind};
use super::decision::{Blocked, Creating, Decision, Deleting, EndpointState, State, Step, Updating};
use super::endpoint::{ConnectionStatus, RegisteredEndpoint};
use super::life::{Entry, Life, Sort};
use super::observed::{
    ClusterStrings, Listing, Observed, ServiceRef, Shown, Spec, StringsByCluster, Subject,
};
use super::region::{self, Region};
use super::service::{EndpointService, ServiceId, ServiceStatus, ServiceTarget};

/// What to do about a word that this version does not know.
const NEWER: &str = "look at it in Atlas, and use a newer version of the operator";

/// What the status shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What is recorded, the declared one first.
    pub entries: Vec<Entry>,
    /// The claim that has no further effect.
    pub settled: Option<Nonce>,
    /// The fields that describe the first entry.
    pub fields: Fields,
    /// It is not published: the status stays as it is.
    pub unchanged: bool,
    /// All conditions, `Ready` first. Those that are only there while True are left out while they are not.
    pub conditions: Vec<Condition>,
    /// The stage of work whose duration counts against `progressDeadline`, if any.
    pub working: Option<Stage>,
    /// Time until the event that `Ready` and `Reconciling` await; the publisher appends it to their messages.
    pub after: Option<Duration>,
}

/// The fields of the status that describe a life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fields {
    /// As they are.
    Kept,
    /// None: what they described must not be used any more.
    Withdrawn,
    /// Those of a service.
    Service(EndpointService),
    /// Those of an endpoint, and the private connection strings behind it, by cluster.
    Endpoint(Option<RegisteredEndpoint>, StringsByCluster),
}

impl Report {
    /// Returns the condition of type `kind`, if it is reported.
    #[must_use]
    pub fn get(&self, kind: ConditionType) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }
}

/// Returns what of a life Atlas shows.
pub(super) fn shown_state(o: &Observed, life: &Life) -> State {
    let Listing::Fetched(shown) = &o.listing else { return State::Doubted };
    match (&life.endpoint, shown.service(&life.service)) {
        (None, Some(service)) => State::Service(service.clone()),
        (None, None) => State::Doubted,
        (Some(_), _) => State::Endpoint(EndpointState {
            life: life.clone(),
            endpoint: shown.endpoints.get(life).and_then(|read| read.clone().ok().flatten()),
            unread: None,
        }),
    }
}

/// The report of `decision` about what was observed.
#[must_use]
pub fn report(o: &Observed, decision: &Decision) -> Report {
    let recording = match &decision.step {
        // A former endpoint that is found again says nothing about the declared one.
        Step::Record(entry, _) if !o.object.is_deleting && is_declared(o, &entry.life) => {
            Some(shown_state(o, &entry.life))
        }
        _ => None,
    };
    // Who waits until the object is ready finds its output ConfigMap.
    let recording = recording.filter(|state| !(o.has_output && summarize(o, state).ready));
    let state = recording.as_ref().unwrap_or(&decision.state);
    let summary = summarize(o, state);
    let spec = o.spec.as_ref().ok().filter(|spec| !o.object.is_deleting && !spec.suspend);
    let working = spec.and_then(|spec| summary.stage((spec, word(state))));
    let late = working.zip(spec).is_some_and(|(stage, spec)| {
        let is_same = o.object.reported.current;
        is_late(o.memory.working.as_ref(), stage, spec.progress_deadline, (&o.object.reported, is_same))
    });
    let summary = match (late, summary.reason) {
        (false, _) => summary,
        // Why it is rejected is still what has to be corrected.
        (true, Reason::Rejected) => Summary { progress: Progress::Stalled, ..summary },
        (true, _) => summary.overdue(),
    };
    let mut conditions = summary.ready_and_synced(match &o.listing {
        Listing::NotFetched => "no request to Atlas is needed now",
        Listing::Failed(_) => "Atlas responded to the last request",
        Listing::Fetched(_) => "the last request to Atlas succeeded",
    });
    conditions.extend(details(o, state, &summary));
    conditions.extend(summary.work_condition(late));
    if o.spec.as_ref().is_ok_and(|spec| spec.suspend) && !o.object.is_deleting {
        conditions.push(suspended());
    }
    let is_record = matches!(decision.step, Step::Record(..) | Step::Forget(..));
    Report {
        entries: entries(o, decision, state),
        settled: settled(o, decision),
        fields: fields(o, state),
        unchanged: *state == State::Doubted && !is_record && !o.object.reported.conditions.is_empty(),
        conditions,
        working,
        after: after(state),
    }
}

/// Returns `true` unless it is the life of another endpoint than the declared one.
fn is_declared(o: &Observed, life: &Life) -> bool {
    life.endpoint.is_none() || life.endpoint == o.subject.endpoint_id()
}

/// Returns the entries after the step, the declared one first: the fields describe it.
fn entries(o: &Observed, decision: &Decision, state: &State) -> Vec<Entry> {
    let mut entries = o.object.entries.clone();
    match &decision.step {
        Step::Record(entry, _) => {
            // A service has one life at a time.
            entries.retain(|known| o.sort() == Sort::Endpoint && known.life != entry.life);
            let at = if is_declared(o, &entry.life) { 0 } else { entries.len() };
            entries.insert(at, entry.clone());
        }
        Step::Forget(life, _) => entries.retain(|entry| entry.life != *life),
        _ => {}
    }
    if let (Listing::Fetched(shown), Some(services)) = (&o.listing, o.subject.services()) {
        // Recorded by a version that did not say it.
        let unsaid =
            entries.iter_mut().filter(|entry| entry.project.is_none() && entry.life.endpoint.is_some());
        for entry in unsaid.filter(|entry| shown.is_listed(&entry.life)) {
            entry.project = Some(services.project.clone());
        }
    }
    if let State::Endpoint(EndpointState { life, .. }) = state {
        // It may have been recorded as a former one.
        entries.sort_by_key(|entry| entry.life != *life);
    }
    entries
}

/// Returns the claim that has no further effect, as far as this process knows: Atlas responded, or it was never sent, or its time is over.
/// Time alone does not settle a POST that nothing is recorded of: what is found later may still be its own.
fn settled(o: &Observed, decision: &Decision) -> Option<Nonce> {
    use super::observed::AttemptOutcome;
    if let Step::Record(_, Some(nonce)) = &decision.step {
        return Some(nonce.clone());
    }
    let is_settled = o.claimed().is_some_and(|attempt| match &attempt.outcome {
        AttemptOutcome::Settled => !is_target_lost(o, attempt),
        AttemptOutcome::Unknown => {
            let is_recorded = match &attempt.target {
                Some(ClaimTarget::Create(Some(life))) => o.entry(life).is_some(),
                // The entry may be of an earlier life.
                Some(ClaimTarget::Create(None)) => is_declared_recorded(o),
                Some(ClaimTarget::Delete(_)) | None => true,
            };
            is_recorded && attempt.age >= o.times.uncertainty
        }
        AttemptOutcome::Created(_) | AttemptOutcome::NotSent => false,
    });
    let nonce = o.object.claim.nonce().filter(|_| is_settled).cloned();
    nonce.or_else(|| o.object.settled.clone())
}

/// Returns `true` if what Atlas shows of the declared service is recorded.
fn is_declared_recorded(o: &Observed) -> bool {
    let Listing::Fetched(shown) = &o.listing else { return false };
    declared_service(o, shown)
        .is_some_and(|service| o.entry(&Life { service: service.id.clone(), endpoint: None }).is_some())
}

fn fields(o: &Observed, state: &State) -> Fields {
    match state {
        State::Service(service) | State::Updating(service, _) => Fields::Service(service.clone()),
        State::Endpoint(state) => Fields::Endpoint(state.endpoint.clone(), strings(o, state)),
        // What Atlas is removing is shown so.
        State::BeingRemoved => match o.object.entries.first().map(|entry| shown_state(o, &entry.life)) {
            Some(shown @ (State::Service(_) | State::Endpoint(_))) => fields(o, &shown),
            _ => Fields::Kept,
        },
        State::Lost(_)
        | State::NotFound
        | State::Creating(_)
        | State::Blocked(
            Blocked::Stale(_)
            | Blocked::ServiceNotReady(_)
            | Blocked::TooMany
            | Blocked::AwaitingVpcEndpoint(_)
            | Blocked::ReferenceNotFound(_),
        ) => kept_while_served(o),
        State::Blocked(Blocked::ServiceNotFound(_)) if matches!(o.listing, Listing::Fetched(_)) => {
            kept_while_served(o)
        }
        _ => Fields::Kept,
    }
}

/// A former endpoint serves on until the declared one does.
fn kept_while_served(o: &Observed) -> Fields {
    match o.object.entries.first() {
        Some(entry) if is_served(o, &entry.life) => Fields::Kept,
        _ => Fields::Withdrawn,
    }
}

fn is_served(o: &Observed, life: &Life) -> bool {
    matches!(&o.listing, Listing::Fetched(shown) if shown.is_listed(life))
}

/// Returns the private connection strings of each wanted cluster that has them. Those of a cluster that was not read now stay as they
/// are.
fn strings(o: &Observed, state: &EndpointState) -> StringsByCluster {
    let (Ok(Spec { clusters, .. }), Listing::Fetched(shown)) = (&o.spec, &o.listing) else {
        return StringsByCluster::new();
    };
    let is_available = |endpoint: &RegisteredEndpoint| endpoint.status == ConnectionStatus::Available;
    if !state.endpoint.as_ref().is_none_or(is_available) {
        return StringsByCluster::new();
    }
    let read = |name: &ClusterName| match shown.strings_of(name) {
        ClusterStrings::Present(strings) => strings.to_vec(),
        ClusterStrings::Absent | ClusterStrings::NoCluster => Vec::new(),
        ClusterStrings::Failed(_) | ClusterStrings::NotRead => {
            o.object.strings_behind(&state.life).get(name).cloned().unwrap_or_default()
        }
    };
    let all = clusters.iter().map(|name| {
        // Another order in Atlas is no change.
        let mut strings = read(name);
        strings.sort();
        (name.clone(), strings)
    });
    all.filter(|(_, strings)| !strings.is_empty()).collect()
}

/// Returns Atlas' word for the state, which makes a stage of work.
fn word(state: &State) -> &str {
    match state {
        State::Service(service) | State::Updating(service, _) => service.status.as_str(),
        State::Endpoint(EndpointState { endpoint: Some(endpoint), .. }) => endpoint.status.as_str(),
        State::Creating(_) => "creating",
        _ => "",
    }
}

/// Returns how long it takes until the awaited event.
fn after(state: &State) -> Option<Duration> {
    match state {
        State::Creating(Creating::AwaitingOutcome(remaining) | Creating::AwaitingRival(remaining))
        | State::Deleting(Deleting::AwaitingOutcome(remaining)) => Some(*remaining),
        State::Lost(remaining) => *remaining,
        _ => None,
    }
}

/// Returns the name of what the object declares.
fn thing(o: &Observed) -> String {
    match (o.sort(), o.subject.endpoint_id()) {
        (Sort::Service, _) => match o.subject.services() {
            Some(services) => format!("an endpoint service of {services}"),
            None => "the endpoint service".to_owned(),
        },
        (Sort::Endpoint, Some(id)) => format!("endpoint {id}"),
        (Sort::Endpoint, None) => "the endpoint".to_owned(),
    }
}

fn working(reason: Reason, message: impl Into<Message>) -> Summary {
    Summary::new(false, reason, message, Progress::Working)
}

fn waiting(reason: Reason, message: impl Into<Message>) -> Summary {
    Summary::new(false, reason, message, Progress::Waiting)
}

fn stalled(reason: Reason, message: impl Into<Message>) -> Summary {
    Summary::failing(reason, message, Progress::Stalled)
}

/// The table: for each state its reason, its message, and who has to act.
fn summarize(o: &Observed, state: &State) -> Summary {
    let thing = || thing(o);
    match state {
        State::Suspended => kept(o).unwrap_or_else(|| {
            let message = "spec.suspend is true: nothing is created until it is removed";
            Summary::new(false, Reason::Suspended, message, Progress::Settled)
        }),
        State::Invalid(why) => stalled(Reason::InvalidSpec, why.clone()),
        State::ListingFailed(fault) => failed(o, fault),
        State::Conflict(older) => stalled(
            Reason::Conflict,
            format!(
                "{older} is older and declares the same, so this object changes nothing; delete one of the two"
            ),
        ),
        State::Exists(life) => stalled(
            match o.sort() {
                Sort::Service => Reason::ServiceExists,
                Sort::Endpoint => Reason::EndpointExists,
            },
            format!(
                "Atlas has {life} already, which this object did not create, and spec.adopt is 'Never'; set it to 'IfExists' to use it"
            ),
        ),
        State::NotFound => {
            let reason = match o.sort() {
                Sort::Service => Reason::ServiceNotFound,
                Sort::Endpoint => Reason::EndpointNotFound,
            };
            let message = format!(
                "Atlas does not have {}, and this object creates nothing (spec.adopt, spec.managementPolicy); create it, or change the spec",
                thing()
            );
            stalled(reason, message)
        }
        State::Blocked(blocked) => blocked_summary(o, blocked),
        State::Creating(creating) => creating_summary(o, creating),
        State::BeingRemoved => {
            let message = format!("Atlas is removing {}; nothing is created until it is gone", thing());
            working(Reason::BeingRemoved, message)
        }
        State::Doubted => Summary::unconfirmed(
            &o.object.reported,
            Reason::Creating,
            "one response of Atlas contradicts what is recorded; a second one has to confirm it",
        ),
        State::Lost(_) => {
            let reason = match o.sort() {
                Sort::Service => Reason::ServiceLost,
                Sort::Endpoint => Reason::EndpointLost,
            };
            let known = o.object.entries.first().map_or_else(thing, |entry| entry.life.to_string());
            working(reason, format!("{known} is gone from Atlas; it is created again"))
        }
        State::Service(service) => service_summary(o, service),
        State::Updating(service, updating) => updating_summary(o, service, updating),
        State::Endpoint(state) => endpoint_summary(o, state),
        State::Deleting(deleting) => deleting_summary(o, deleting),
    }
}

/// Returns `Ready` as it is reported, whether it is True or not, while something is recorded.
fn kept(o: &Observed) -> Option<Summary> {
    let ready = o.object.reported.get(ConditionType::Ready).filter(|_| !o.object.entries.is_empty())?;
    let reason = ready.reason.unwrap_or(Reason::Suspended);
    Some(Summary::new(ready.status, reason, ready.message.as_str(), Progress::Settled))
}

/// A failed request leaves a ready object ready.
fn failed(o: &Observed, fault: &Fault) -> Summary {
    let (reason, message) = (Reason::of(fault.kind), fault.message());
    let progress = Progress::after(fault);
    match Summary::of_ready_object(&o.object.reported).filter(|_| progress != Progress::Stalled) {
        Some(kept) => Summary { unsynced: Some((reason, message)), ..kept },
        None => Summary::failing(reason, message, progress),
    }
}

fn blocked_summary(o: &Observed, blocked: &Blocked) -> Summary {
    match blocked {
        Blocked::ServiceNotFound(what) => stalled(
            Reason::ServiceNotFound,
            format!("{what} does not exist; create it, or correct the reference in the spec"),
        ),
        Blocked::ServiceNotAllowed(object) => stalled(
            Reason::ServiceRefNotAllowed,
            format!(
                "{object} does not allow references from this namespace; add it to its spec.allowedNamespaces"
            ),
        ),
        Blocked::ServiceNotReady(why) => working(
            Reason::ServiceNotReady,
            format!("{why}; the endpoint is registered once it is AVAILABLE"),
        ),
        Blocked::AwaitingVpcEndpoint(why) => waiting(Reason::AwaitingVpcEndpoint, why.clone()),
        Blocked::ReferenceNotFound(why) => {
            Summary::failing(Reason::ReferenceNotFound, why.clone(), Progress::Waiting)
        }
        Blocked::Stale(id) => stalled(
            Reason::VpcEndpointStale,
            format!(
                "endpoint {id} was made for an endpoint service that is gone, and cannot serve another; make a {} for the new endpoint \
                 service, and name it in the spec",
                o.endpoint_noun()
            ),
        ),
        Blocked::TooMany => stalled(
            Reason::Replacing,
            "too many former endpoints are still registered, because none of those that replaced them became AVAILABLE; set spec.replace \
             to 'BreakBeforeMake', declare an endpoint that is registered already, or delete this object",
        ),
    }
}

fn creating_summary(o: &Observed, creating: &Creating) -> Summary {
    match creating {
        Creating::Pending => {
            working(Reason::Creating, format!("the create request for {} comes next", thing(o)))
        }
        Creating::AwaitingOutcome(_) => waiting(
            Reason::Creating,
            "the outcome of an earlier request is unknown. No action needed: if nothing appears in Atlas, a new request is sent",
        ),
        Creating::AwaitingRival(_) => waiting(
            Reason::Creating,
            "another object has requested a change of the same thing. No action needed: a request is sent",
        ),
        Creating::Refused(fault) => {
            let served = o.object.entries.iter().map(|entry| &entry.life).find(|life| is_served(o, life));
            let served = served.and_then(|life| life.endpoint.as_ref());
            let message = match (fault.kind, served) {
                (FaultKind::MultipleRegions, Some(former)) => fault.message().then(&format!(
                    ". Endpoint {former} stays registered; if it may be removed before {} is registered, set spec.replace to \
                     'BreakBeforeMake'",
                    thing(o)
                )),
                _ => fault.message(),
            };
            let progress = match fault.kind {
                // Nothing helps before a user has changed the project, or this object.
                FaultKind::MultipleRegions => Progress::Stalled,
                _ => Progress::after(fault),
            };
            Summary::failing(Reason::of(fault.kind), message, progress)
        }
    }
}

/// Returns the remote regions that Atlas has, and those that are declared, as lists.
fn regions(declared: &BTreeSet<Region>, service: &EndpointService) -> [String; 2] {
    let none = BTreeSet::new();
    let actual = match &service.target {
        ServiceTarget::Aws { supported_remote_regions, .. } => supported_remote_regions,
        ServiceTarget::Azure { .. } | ServiceTarget::Gcp { .. } => &none,
    };
    [actual, declared].map(region::list)
}

/// Returns the rest of a sentence about remote regions that are declared otherwise than Atlas has them, and only observed.
fn unlike_declared(o: &Observed, service: &EndpointService) -> String {
    let spec = o.spec.as_ref().ok();
    let Some(declared) = spec.and_then(|spec| declared_otherwise(spec, service)) else {
        return String::new();
    };
    let [actual, declared] = regions(declared, service);
    format!(
        ", but its supportedRemoteRegions in Atlas are {actual}, and not {declared}: spec.managementPolicy is 'Observe', so that they stay"
    )
}

/// Atlas has other remote regions of the service than the declared ones.
fn updating_summary(o: &Observed, service: &EndpointService, updating: &Updating) -> Summary {
    let none = BTreeSet::new();
    let declared = o.spec.as_ref().ok().and_then(|spec| spec.remote_regions.as_ref());
    let [actual, declared] = regions(declared.unwrap_or(&none), service);
    let id = &service.id;
    match updating {
        Updating::InProgress => working(
            Reason::Updating,
            format!(
                "supportedRemoteRegions of endpoint service {id} in Atlas are {actual}, and are set to {declared}"
            ),
        ),
        Updating::Refused(fault) => {
            Summary::failing(Reason::of(fault.kind), fault.message(), Progress::after(fault))
        }
        Updating::Contested => stalled(
            Reason::Contested,
            format!(
                "others keep setting supportedRemoteRegions of endpoint service {id} to {actual}, so this object no longer sets them to \
                 {declared}; let only one of you set them: remove `aws.supportedRemoteRegions` here, or stop the other and request a \
                 reconcile"
            ),
        ),
    }
}

fn service_summary(o: &Observed, service: &EndpointService) -> Summary {
    let EndpointService { id, status, error_message, .. } = service;
    let why = error_message.as_deref().filter(|why| !why.is_empty());
    match status {
        ServiceStatus::Available | ServiceStatus::WaitingForUser if is_usable(service) => {
            let name = name(service).unwrap_or_else(|| id.to_string());
            let message = format!("endpoint service {name} can be used{}", unlike_declared(o, service));
            Summary::new(true, Reason::Available, message, Progress::Settled)
        }
        ServiceStatus::Initiating | ServiceStatus::Available | ServiceStatus::WaitingForUser => {
            working(Reason::Initiating, format!("Atlas prepares endpoint service {id} ({status})"))
        }
        ServiceStatus::Failed => stalled(
            Reason::AtlasFailed,
            format!(
                "Atlas failed to prepare endpoint service {id}: {}; {}",
                why.unwrap_or("no reason given"),
                if may_delete(o, id) {
                    "delete this object, and create it again"
                } else {
                    "delete the service in Atlas, because deleting this object would leave it there"
                }
            ),
        ),
        ServiceStatus::Deleting => {
            working(Reason::BeingRemoved, format!("Atlas is removing endpoint service {id}"))
        }
        ServiceStatus::Other(word) => working(
            Reason::UnknownStatus,
            format!(
                "Atlas reports the status {word:?} for endpoint service {id}, which this version does not know; if it stays so, {NEWER}"
            ),
        ),
    }
}

/// Returns `true` if the service goes with the object.
fn may_delete(o: &Observed, id: &ServiceId) -> bool {
    let mut entries = o.object.entries.iter().filter(|entry| entry.life.service == *id);
    entries.any(|entry| o.may_delete(entry))
}

/// Returns the name that users connect to. A service of Google Cloud that is not port-mapped has many: of those, the first and their
/// number.
fn name(service: &EndpointService) -> Option<String> {
    match &service.target {
        ServiceTarget::Aws { endpoint_service_name: name, .. }
        | ServiceTarget::Azure { private_link_service_resource_id: name, .. } => name.clone(),
        ServiceTarget::Gcp { service_attachment_names: names, .. } => match names.as_slice() {
            [] => None,
            [name] => Some(name.clone()),
            [first, rest @ ..] => Some(format!("{first} and {} more", rest.len())),
        },
    }
}

fn endpoint_summary(o: &Observed, state: &EndpointState) -> Summary {
    let id = state.life.endpoint.as_ref().map_or("", |id| id.as_str());
    let Some(endpoint) = &state.endpoint else {
        return match &state.unread {
            Some(fault) => failed(o, fault),
            None => {
                working(Reason::Connecting, format!("Atlas does not show the status of endpoint {id} yet"))
            }
        };
    };
    let why = endpoint.error_message.as_deref().filter(|why| !why.is_empty()).unwrap_or("no reason given");
    let why = why.trim_end_matches('.');
    let former = o.object.entries.iter().find(|entry| entry.life != state.life);
    match &endpoint.status {
        ConnectionStatus::Available => available(o, id),
        ConnectionStatus::Rejected => {
            let message = Message::from(format!("Atlas rejects endpoint {id}: ")).varying(why);
            let message = message.then(&format!(
                "; check that the {} exists and was made for this endpoint service. The operator looks again until it is accepted",
                o.endpoint_noun()
            ));
            Summary::failing(Reason::Rejected, message, Progress::Working)
        }
        ConnectionStatus::Failed => stalled(
            Reason::AtlasFailed,
            Message::from(format!("Atlas failed to connect endpoint {id}: ")).varying(why).then(&format!(
                "; make another {} for this endpoint service, and name it in the spec",
                o.endpoint_noun()
            )),
        ),
        ConnectionStatus::Deleting => {
            working(Reason::BeingRemoved, format!("Atlas is removing endpoint {id}"))
        }
        ConnectionStatus::Other(word) if !word.is_empty() => working(
            Reason::UnknownStatus,
            format!(
                "Atlas reports the status {word:?} for endpoint {id}, which this version does not know; if it stays so, {NEWER}"
            ),
        ),
        status => {
            // Azure's response to a POST has no status.
            let word = if status.as_str().is_empty() { String::new() } else { format!(" ({status})") };
            match former.and_then(|former| former.life.endpoint.as_ref()) {
                Some(former) => working(
                    Reason::Replacing,
                    format!(
                        "Atlas connects endpoint {id}{word}; endpoint {former} stays until it is AVAILABLE"
                    ),
                ),
                None => working(Reason::Connecting, format!("Atlas connects endpoint {id}{word}")),
            }
        }
    }
}

/// The endpoint is connected: what is missing are at most the connection strings.
fn available(o: &Observed, id: &str) -> Summary {
    let missing = match (&o.spec, &o.listing) {
        (Ok(spec), Listing::Fetched(shown)) => {
            let all = spec.clusters.iter().map(|cluster| (cluster, shown.strings_of(cluster)));
            let missing = all.filter(|(_, strings)| !matches!(strings, ClusterStrings::Present(_)));
            // A fault says nothing about the strings, so another cluster that lacks them is named first.
            missing.min_by_key(|(_, strings)| matches!(strings, ClusterStrings::Failed(_)))
        }
        _ => None,
    };
    match missing {
        None | Some((_, ClusterStrings::Present(_))) => {
            Summary::new(true, Reason::Available, format!("endpoint {id} is connected"), Progress::Settled)
        }
        Some((cluster, ClusterStrings::Absent | ClusterStrings::NotRead)) => working(
            Reason::AwaitingConnectionString,
            format!(
                "endpoint {id} is connected, and cluster {cluster} has no private connection string for it yet"
            ),
        ),
        Some((cluster, ClusterStrings::NoCluster)) => Summary::failing(
            Reason::AwaitingConnectionString,
            format!(
                "endpoint {id} is connected, and the project has no cluster {cluster}; create it, or correct spec.clusters"
            ),
            Progress::Working,
        ),
        Some((_, ClusterStrings::Failed(fault))) => failed(o, fault),
    }
}

fn deleting_summary(o: &Observed, deleting: &Deleting) -> Summary {
    const RETAIN: &str = "to leave it in Atlas, set spec.deletionPolicy to 'Retain'";
    match deleting {
        Deleting::InProgress => {
            working(Reason::Deleting, format!("{} is being removed from Atlas", thing(o)))
        }
        Deleting::AwaitingOutcome(_) => {
            const WAITING: &str = "the outcome of an earlier request is unknown. No action needed: the object goes once that request can \
                                   no longer take effect";
            let message = match left_behind(o) {
                None => WAITING.to_owned(),
                Some(entry) => format!(
                    "{WAITING}. {}, which it may have created, stays in Atlas, unless spec.deletionPolicy is 'Delete'",
                    entry.life
                ),
            };
            waiting(Reason::Deleting, message)
        }
        Deleting::Failed(fault) => {
            let message = fault.message().then("; ").then(RETAIN);
            Summary::failing(Reason::of(fault.kind), message, Progress::Working)
        }
        Deleting::InUse(users) => waiting(
            Reason::InUse,
            format!("the endpoint service is used by {}; it is deleted once they are gone", users.join(", ")),
        ),
        Deleting::EndpointsAttached(ids) => {
            let shown: Vec<_> = ids.iter().take(5).map(String::as_str).collect();
            let more = if ids.len() > 5 { format!(" and {} more", ids.len() - 5) } else { String::new() };
            waiting(
                Reason::EndpointsAttached,
                format!(
                    "the endpoint service still has {}{more}, which no object here declares; remove them in Atlas, or, {RETAIN}",
                    shown.join(", ")
                ),
            )
        }
        Deleting::Rival(Some(older)) => waiting(
            Reason::Conflict,
            format!(
                "{older} is older, is being deleted too, and removes it; this object waits for that, or, {RETAIN}"
            ),
        ),
        Deleting::Rival(None) => waiting(
            Reason::Deleting,
            "another object has requested a change of the same thing. No action needed: the object waits for its outcome",
        ),
        Deleting::Unreachable(why) => {
            let reason = match &o.subject {
                Subject::Endpoint { service: ServiceRef::NotAllowed(_), .. } => Reason::ServiceRefNotAllowed,
                _ => Reason::ServiceNotFound,
            };
            stalled(reason, format!("{why}; correct that, or, {RETAIN}"))
        }
    }
}

/// Returns the conditions of one kind.
fn details(o: &Observed, state: &State, summary: &Summary) -> Vec<Condition> {
    let condition = |kind, status, reason, message: Message| Condition { kind, status, reason, message };
    let of_ready = |kind| condition(kind, false, summary.reason, summary.message.clone());
    // What was not looked at stays as it was, unless something else is declared since.
    let as_reported = |kind| {
        let known = o.object.reported.get(kind);
        let known = known.filter(|known| !known.status || summary.ready || is_recorded(o, kind));
        let known = known.and_then(|known| {
            Some(condition(kind, known.status, known.reason?, known.message.as_str().into()))
        });
        known.unwrap_or_else(|| of_ready(kind))
    };
    let is_unseen = matches!(state, State::Doubted | State::ListingFailed(_) | State::Suspended);
    // Nothing is listed while the object that declares the service is missing: the endpoint may serve on.
    let is_unlisted = is_unseen || !matches!(o.listing, Listing::Fetched(_));
    if o.sort() == Sort::Service {
        let kind = ConditionType::ServiceAvailable;
        return vec![match state {
            State::Service(service) | State::Updating(service, _) if is_usable(service) => {
                condition(kind, true, Reason::Available, name(service).unwrap_or_default().into())
            }
            _ if is_unseen => as_reported(kind),
            _ => of_ready(kind),
        }];
    }
    let kind = ConditionType::ServiceReady;
    let service = match (state, &o.listing) {
        (
            State::Blocked(
                Blocked::ServiceNotFound(_) | Blocked::ServiceNotAllowed(_) | Blocked::ServiceNotReady(_),
            ),
            _,
        ) => of_ready(kind),
        (_, Listing::Fetched(shown)) if !is_unseen => match declared_service(o, shown) {
            Some(service) if is_usable(service) => {
                condition(kind, true, Reason::Available, name(service).unwrap_or_default().into())
            }
            Some(service) => condition(
                kind,
                false,
                Reason::ServiceNotReady,
                format!("endpoint service {} is {}", service.id, service.status).into(),
            ),
            None => as_reported(kind),
        },
        _ => as_reported(kind),
    };
    let kind = ConditionType::EndpointConnected;
    let connected = match state {
        State::Endpoint(EndpointState { endpoint: Some(endpoint), .. }) => {
            let is_connected = endpoint.status == ConnectionStatus::Available;
            if is_connected {
                condition(kind, true, Reason::Available, format!("Atlas reports {}", endpoint.status).into())
            } else {
                of_ready(kind)
            }
        }
        State::Endpoint(_) => as_reported(kind),
        _ if is_unlisted => as_reported(kind),
        _ => of_ready(kind),
    };
    let mut all = vec![service, connected];
    if let Ok(spec) = o.spec.as_ref().as_ref().map(|spec| &spec.clusters)
        && !spec.is_empty()
    {
        let kind = ConditionType::ConnectionStringsReady;
        all.push(match (state, &o.listing) {
            (State::Endpoint(EndpointState { endpoint: Some(_), .. }), Listing::Fetched(_))
                if summary.ready =>
            {
                condition(
                    kind,
                    true,
                    Reason::Available,
                    "each cluster has its private connection strings".into(),
                )
            }
            (State::Endpoint(EndpointState { endpoint: None, .. }), _) => as_reported(kind),
            _ if is_unlisted => as_reported(kind),
            _ => of_ready(kind),
        });
    }
    all
}

/// Returns `true` if the status records, of what is declared now, what a condition of this type says of an endpoint.
fn is_recorded(o: &Observed, kind: ConditionType) -> bool {
    let recorded = o.object.entries.first().and_then(|entry| entry.life.endpoint.as_ref());
    let is_same = o.subject.endpoint_id().is_none_or(|declared| recorded == Some(&declared));
    let has_strings = |cluster: &ClusterName| o.object.strings.contains_key(cluster);
    match kind {
        ConditionType::EndpointConnected => is_same,
        ConditionType::ConnectionStringsReady => {
            is_same && o.spec.as_ref().is_ok_and(|spec| spec.clusters.iter().all(has_strings))
        }
        _ => true,
    }
}

/// Returns the service that the object declares or refers to, if the listing shows it.
fn declared_service<'a>(o: &Observed, shown: &'a Shown) -> Option<&'a EndpointService> {
    match &o.subject {
        Subject::Service(key) | Subject::Endpoint { service: ServiceRef::Key(key), .. } => {
            shown.service_of(key)
        }
        Subject::Endpoint { service: ServiceRef::Object { recorded: Some(id), .. }, .. } => shown.service(id),
        _ => None,
    }
}
