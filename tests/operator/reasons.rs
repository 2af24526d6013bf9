//! The real operator reaches every reason and every event, and every message names the problem and the next step.
//!
//! The rows are tables: reasons that no fault of `faults::requests` reaches are reached here.

use std::collections::BTreeSet;

use domain::status::ConditionType::{
    ApiSunset, EndpointConnected, EndpointServiceAvailable, Ready, Reconciling, Suspended as Held, Synced,
};
use domain::status::Reason::*;
use domain::status::{ConditionType, EventReason, Reason};

use crate::faults::row::{FaultEnd, FaultRow, FaultStart, ROW, Recovery, Says, SecretContents};
use crate::faults::tables;

/// Actions of users, and missing objects in the cluster.
#[rustfmt::skip]
pub(crate) const ROWS: &[FaultRow] = &[
    FaultRow { says: &[Says(Ready, true, Reserved, &["aws ec2 create-vpc-endpoint"]), Says(EndpointConnected, false, AwaitingVpcEndpoint, &[])], ..ROW },
    FaultRow {
        key: SecretContents::Nothing,
        says: &[Says(Ready, false, CredentialsNotFound, &["Secret row-", "create it"]), Says(Reconciling, true, ProgressingWithRetry, &[])],
        events: &[EventReason::CredentialsNotFound],
        ..ROW
    },
    FaultRow { spec: r#"{"readyWhen": "Available"}"#, says: &[Says(Ready, false, AwaitingVpcEndpoint, &["com.amazonaws.vpce"])], end: FaultEnd::Stays(AwaitingVpcEndpoint), ..ROW },
    FaultRow { spec: r#"{"suspend": true}"#, says: &[Says(Ready, false, Suspended, &["spec.suspend"]), Says(Held, true, SuspendRequested, &[]), Says(EndpointServiceAvailable, false, NoEndpoint, &[])], recovery: Recovery::Edit(r#"{"suspend": false}"#), ..ROW },
    FaultRow {
        spec: r#"{"cloudProviderEndpointRef": {"apiVersion": "v1", "kind": "ConfigMap", "name": "network", "key": "vpce"}}"#,
        says: &[Says(Ready, false, ReferenceNotFound, &["ConfigMap network", "does not exist"])],
        end: FaultEnd::Stays(ReferenceNotFound),
        events: &[EventReason::ReferenceNotFound],
        ..ROW
    },
    FaultRow {
        spec: r#"{"endpointId": "5f0000000000000000000003"}"#,
        says: &[Says(Ready, false, EndpointNotFound, &["5f0000000000000000000003", "Fix spec.endpointId"])],
        recovery: Recovery::ByItself,
        end: FaultEnd::Stays(EndpointNotFound),
        posts: 0,
        endpoints: 0,
        events: &[EventReason::EndpointNotFound],
        ..ROW
    },
    FaultRow {
        maps: &[r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "taken"}, "data": {"id": "mine"}}"#],
        spec: r#"{"outputConfigMap": {"name": "taken"}}"#,
        says: &[Says(Synced, false, OutputNotWritten, &["ConfigMap taken"]), Says(Ready, true, Reserved, &[])],
        recovery: Recovery::Edit(r#"{"outputConfigMap": null}"#),
        events: &[EventReason::OutputNotWritten],
        ..ROW
    },
    // The user names an endpoint while another is being created, and that one comes after all.
    FaultRow {
        fault: "executed long after its response",
        on: &[atlas_simulator::Operation::Create],
        says: &[Says(Ready, false, Creating, &["outcome of an earlier create request is unknown"])],
        recovery: Recovery::Edit(r#"{"endpointId": "5f0000000000000000000001"}"#),
        then: &[Says(Ready, false, InvalidSpec, &["5f0000000000000000000001", "remove it"])],
        end: FaultEnd::Stays(InvalidSpec),
        events: &[EventReason::InvalidSpec],
        ..ROW
    },
    FaultRow {
        annotations: r#"{"atlas.spe-operator.io/claim": "v1/aaaaaaaaaaaaaaaa/aaaaaaaaaaaaaaaaaaaaaaaaaa/6d9a3c9e-0000-0000-0000-000000000000/elsewhere/-"}"#,
        says: &[Says(Ready, false, AdoptionRequired, &["elsewhere", "aaaaaaaaaaaaaaaa"])],
        recovery: Recovery::ByItself,
        end: FaultEnd::Stays(AdoptionRequired),
        posts: 0,
        endpoints: 0,
        events: &[EventReason::AdoptionRequired],
        ..ROW
    },
    FaultRow {
        fault: "deleted out of band",
        also: &["executed, then 502"],
        when: FaultStart::Ready,
        says: &[Says(EndpointServiceAvailable, false, EndpointLost, &[]), Says(EndpointConnected, false, EndpointLost, &[])],
        recovery: Recovery::ByItself,
        posts: 2,
        ..ROW
    },
];

/// The reasons that only the kinds of dedicated clusters have: `tests/dedicated` reaches them.
const OF_DEDICATED_CLUSTERS: [Reason; 16] = [
    Updating,
    Contested,
    Initiating,
    Rejected,
    Replacing,
    AwaitingConnectionString,
    ServiceNotFound,
    ServiceNotReady,
    ServiceRefNotAllowed,
    ServiceLost,
    ServiceExists,
    EndpointExists,
    BeingRemoved,
    Conflict,
    InUse,
    EndpointsAttached,
];

/// Returns `true` for the events that only those kinds have.
fn is_of_dedicated_clusters(event: EventReason) -> bool {
    use EventReason as E;
    let of_actions = [
        E::ServiceCreated,
        E::ServiceAdopted,
        E::ServiceAvailable,
        E::ServiceDeleted,
        E::ServiceRetained,
        E::ServiceReplaced,
        E::ServiceUpdated,
        E::EndpointRegistered,
        E::EndpointRemoved,
        E::LastEndpointRemoved,
    ];
    of_actions.contains(&event) || OF_DEDICATED_CLUSTERS.iter().any(|reason| reason.warning() == Some(event))
}

/// What a message of this reason must contain (all of them; see [`check`] for the placeholders in braces), and the next
/// steps of which it must contain at least one.
#[rustfmt::skip]
fn requirements(reason: Reason) -> (&'static [&'static str], &'static [&'static str]) {
    match reason {
        // Healthy, or in progress in Atlas.
        Available | Reserved | ReservationRequested | Connecting | ReconcileSucceeded | ServiceReserved
        | ServiceProvisioning | NoEndpoint | Progressing
        // Those of dedicated clusters: `tests/dedicated`.
        | Initiating | Rejected | Replacing | AwaitingConnectionString | ServiceNotFound | ServiceNotReady
        | ServiceRefNotAllowed | ServiceLost | ServiceExists | EndpointExists | BeingRemoved | Conflict | InUse
        | EndpointsAttached | Updating | Contested => (&[], &[]),
        Creating => (&[], &["No action needed", "comes next", "waiting until Atlas has removed", "has to confirm it"]),
        Adopting => (&["{id}"], &["a second listing has to confirm", "a second one has to confirm"]),
        AwaitingVpcEndpoint => (&[], &["create one with", "If it is applied in a later wave", "nothing is sent"]),
        AtlasFailed => (&["{id}"], &["Fix the VPC endpoint", "delete this object", "nothing is sent"]),
        UnknownStatus => (&["{id}"], &["waiting for another"]),
        Deleting => (&["endpoint"], &["being removed from Atlas", "making sure", "No action needed"]),
        CredentialsNotFound => (&["{object}"], &["create it", "add it", "add one pair", "grant", "store the key", "correct", "name a Secret"]),
        Unauthorized => (&["{object}"], &["check "]),
        Forbidden => (&["{object}"], &["add ", "needs the Project Owner role"]),
        ProjectNotFound => (&["{project}"], &["check "]),
        InstanceNotFound | InstanceMigrated | ApiRetired => (&["{instance}"], &["delete this object"]),
        SunsetAnnounced => (&[], &["delete this object", "Check what Atlas has announced"]),
        RateLimited => (&[], &["retrying"]),
        AtlasUnavailable => (&[], &["retrying", "the operator decides again", "check ", "a proxy or firewall"]),
        AtlasRefused => (&["{instance}"], &["fix what Atlas reports", "fix the billing", "check the API version", "the next listing", "the operator retries", "retrying"]),
        ReferenceNotFound => (&[], &["create it", "add it", "correct it", "install it", "grant"]),
        VpcEndpointStale => (&["vpce-"], &["create one with"]),
        OutputNotWritten => (&["ConfigMap"], &["delete it or name another", "grant it", "tried again"]),
        InvalidSpec => (&["`"], &["remove it", "must be set", "expected"]),
        EndpointLost => (&["{id}"], &["a new one is created", "has to confirm", "Remove spec.endpointId", "create another object", "no other is created"]),
        EndpointNotFound => (&["{id}"], &["Fix spec.endpointId"]),
        OwnershipConflict => (&["{id}"], &["To take it over", "Fix spec.endpointId"]),
        AdoptionRequired => (&["spec.endpointId"], &["To take that endpoint over"]),
        Duplicate => (&["{id}"], &["delete those that you do not need"]),
        Suspended => (&["spec.suspend"], &["until it is removed"]),
        SuspendRequested => (&["spec.suspend"], &[]),
        ProgressDeadlineExceeded => (&["spec.progressDeadline"], &[]),
        ProgressingWithRetry => (&[], &["retrying", "the operator decides again", "check ", "create it", "add ", "correct", "fix what Atlas reports", "fix the billing", "delete", "grant", "needs", "the next listing", "the operator retries", "Retain"]),
    }
}

/// Returns whether a message meets the requirements. `places` maps the placeholders in braces; `{id}` is any endpoint's
/// id. Atlas' response is quoted with its code.
pub(crate) fn check(
    kind: ConditionType,
    reason: Reason,
    message: &str,
    places: &[(&str, &str)],
) -> Result<(), String> {
    let fails = |why: &str| Err(format!("the message of {kind}/{reason} {why}: {message:?}"));
    if message.is_empty() || message.contains("()") || message.ends_with([' ', ':', ';']) {
        return fails("is incomplete");
    }
    if matches!(kind, EndpointServiceAvailable | EndpointConnected) {
        return Ok(());
    }
    if let Some((_, response)) = message.split_once("HTTP ") {
        let mut words = response.splitn(3, ' ');
        let (_, code) = (words.next(), words.next().unwrap_or_default());
        if code != "without" && !code.chars().all(|c| c.is_ascii_alphanumeric() || "_:;".contains(c)) {
            return fails("has no errorCode");
        }
    }
    let (names, steps) = requirements(reason);
    for name in names {
        let has_message = match places.iter().find(|(place, _)| place == name) {
            Some((_, value)) => message.contains(value),
            None if *name == "{id}" => names_an_id(message),
            None => message.contains(name),
        };
        if !has_message {
            return fails(&format!("does not name {name}"));
        }
    }
    if !steps.is_empty() && !steps.iter().any(|step| message.contains(step)) {
        return fails("says no next step");
    }
    let place = reason.page().filter(|_| matches!(kind, Ready | Synced | ApiSunset));
    if place.is_some_and(|place| !message.ends_with(&format!(" ({place})"))) {
        return fails("does not end with its place in troubleshooting");
    }
    Ok(())
}

/// 24 hexadecimal digits in a row.
fn names_an_id(message: &str) -> bool {
    message.split(|c: char| !c.is_ascii_hexdigit()).any(|word| word.len() == 24)
}

#[test]
fn every_reason_is_reached_by_a_row() {
    let reached: BTreeSet<_> = tables()
        .iter()
        .flat_map(|table| table.rows())
        .flat_map(|row| row.says.iter().chain(row.then))
        .map(|Says(_, _, reason, _)| *reason)
        .collect();
    let of_first_kind = Reason::ALL.iter().filter(|reason| !OF_DEDICATED_CLUSTERS.contains(reason));
    let missing: Vec<_> = of_first_kind.filter(|reason| !reached.contains(reason)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_event_is_published_in_a_row() {
    let published: BTreeSet<_> =
        tables().iter().flat_map(|table| table.rows()).flat_map(|row| row.events).copied().collect();
    // Not of a row: one needs an operator with a selector (`scope.rs`), and of the other the object has no conditions
    // (`unreadable.rs`).
    let elsewhere = [EventReason::NotWatched, EventReason::ObjectUnreadable];
    let published: BTreeSet<_> = published.into_iter().chain(elsewhere).collect();
    let of_first_kind = EventReason::ALL.iter().filter(|reason| !is_of_dedicated_clusters(**reason));
    let missing: Vec<_> = of_first_kind
        .filter(|reason| !published.contains(reason) && !crate::reports::EVENTS.contains(reason))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
