//! Builds status patches: only for changes, times ignored.
//!
//! A patch never replaces the status as a whole and never removes `_id`: it names each path, after tests that make
//! the patch fail if the object is not the one that was read.

use std::time::Duration;

use domain::serverless::status::Report;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use crate::serverless::crd::{self, ServerlessPrivateEndpoint, ServerlessPrivateEndpointStatus};

use super::convert::{ERROR_MESSAGE, EndpointFields, ID};

/// Two times of the same event closer than this are one: a reconcile a little later must not change the status.
const SAME_TIME: Duration = Duration::from_mins(1);

/// Returns `true` if the status does not hold `report` yet, or not the reconcile request `handled`.
pub(super) fn differs(object: &ServerlessPrivateEndpoint, report: &Report, handled: Option<&str>) -> bool {
    !report.unchanged && !changes(object, report, handled).is_empty()
}

/// Returns the operations that make the status hold `report` and the reconcile request `handled`; none if it
/// does already.
///
/// A server text that differs each time is no change. It is written with the next one: each write takes 13 KiB in
/// etcd, and the problem has not changed.
#[must_use]
pub fn changes(object: &ServerlessPrivateEndpoint, report: &Report, handled: Option<&str>) -> Vec<Value> {
    let status = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation;
    let (mut operations, mut is_new) = fields(&status, report);
    let mut set = |path: &str, value: Value| {
        operations.push(json!({"op": "add", "path": format!("/status/{path}"), "value": value}));
    };
    if Some(status.observed_generation) != generation {
        set("observedGeneration", json!(generation));
        is_new = true;
    }
    if handled.is_some() && handled != status.last_handled_reconcile_at.as_deref() {
        set("lastHandledReconcileAt", json!(handled));
        is_new = true;
    }
    let now = Timestamp::now();
    if !is_new && conditions(&status.conditions, report, generation, now, Wording::Kept) == status.conditions
    {
        return Vec::new();
    }
    let wanted = conditions(&status.conditions, report, generation, now, Wording::New);
    if wanted != status.conditions {
        set("conditions", json!(wanted));
    }
    operations
}

/// Returns the operations on the endpoint's fields, and whether one of them is a change that must be written.
///
/// The fields of one endpoint never stand beside the id of another: with the id, all of them are written or removed.
fn fields(status: &ServerlessPrivateEndpointStatus, report: &Report) -> (Vec<Value>, bool) {
    let mut operations = Vec::new();
    let mut is_new = false;
    let is_another = report.endpoint.as_ref().is_some_and(|e| status.id.as_deref() != Some(e.id.as_str()));
    let current = EndpointFields::shown(status.clone()).named();
    for ((name, wanted), (_, current)) in EndpointFields::wanted(report).named().into_iter().zip(current) {
        let path = format!("/status/{name}");
        match (wanted, current) {
            (Some(wanted), current) if current.as_ref() != Some(&wanted) => {
                operations.push(json!({"op": "add", "path": path, "value": wanted}));
                is_new |= name != ERROR_MESSAGE || current.is_none();
            }
            (None, current) if name != ID && (is_another || current.is_some()) => {
                // Removing an absent field fails, and another writer may have removed it.
                operations.push(json!({"op": "add", "path": path, "value": ""}));
                operations.push(json!({"op": "remove", "path": path}));
                is_new = true;
            }
            _ => {}
        }
    }
    (operations, is_new)
}

/// Returns the tests that make a status patch fail unless the object is exactly the version that was read.
pub(super) fn version_guards(object: &ServerlessPrivateEndpoint) -> Vec<Value> {
    vec![
        json!({"op": "test", "path": "/metadata/uid", "value": object.metadata.uid}),
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": object.metadata.resource_version}),
    ]
}

/// Returns the tests that make a record fail unless uid, claim and recorded id are unchanged since the read.
///
/// Anything else about the object may change meanwhile: a label edit must not lose an id.
pub(super) fn record_guards(object: &ServerlessPrivateEndpoint) -> Vec<Value> {
    let annotations = object.metadata.annotations.as_ref();
    let claim = match annotations {
        // A test below an absent map fails, whatever it expects.
        None => json!({"op": "test", "path": "/metadata/annotations", "value": null}),
        Some(annotations) => {
            let path = format!("/metadata/annotations/{}", crd::CLAIM.replace('~', "~0").replace('/', "~1"));
            json!({"op": "test", "path": path, "value": annotations.get(crd::CLAIM)})
        }
    };
    let recorded = object.status.as_ref().and_then(|status| status.id.as_ref());
    vec![
        json!({"op": "test", "path": "/metadata/uid", "value": object.metadata.uid}),
        claim,
        json!({"op": "test", "path": "/status/_id", "value": recorded}),
    ]
}

/// The wording of a message that differs from the current one only in its variable part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wording {
    /// The wording in the current status.
    Kept,
    /// The new wording.
    New,
}

/// Returns the reported conditions, with the times of those whose status did not change, followed by those of other
/// writers.
fn conditions(
    current: &[Condition],
    report: &Report,
    generation: Option<i64>,
    now: Timestamp,
    wording: Wording,
) -> Vec<Condition> {
    let ours = report.conditions.iter().map(|reported| {
        let status = if reported.status { "True" } else { "False" };
        let previous = current.iter().find(|c| c.type_ == reported.kind.as_str() && c.status == status);
        let current_message = previous.map(|previous| previous.message.as_str());
        let sentence = |time: Option<&str>| report.sentence(reported, time);
        Condition {
            type_: reported.kind.to_string(),
            status: status.to_owned(),
            reason: reported.reason.to_string(),
            message: match (report.after.filter(|_| report.is_dated(reported.kind)), current_message) {
                (Some(after), current_message) => {
                    dated(|time| sentence(Some(time)).to_string(), current_message, now, after)
                }
                (None, Some(current_message))
                    if wording == Wording::Kept && sentence(None).is_shown_by(current_message) =>
                {
                    current_message.to_owned()
                }
                (None, _) => sentence(None).to_string(),
            },
            observed_generation: generation,
            last_transition_time: previous
                .map_or_else(|| Time(whole_seconds(now)), |previous| previous.last_transition_time.clone()),
        }
    });
    let foreign = current.iter().filter(|c| domain::status::ConditionType::parse(&c.type_).is_none());
    ours.chain(foreign.cloned()).collect()
}

/// Returns the sentence with the time that it mentions. The current time stays as long as it is still true.
fn dated(
    sentence: impl Fn(&str) -> String,
    current_message: Option<&str>,
    now: Timestamp,
    after: Duration,
) -> String {
    let end = now.saturating_add(after).map_or(now, whole_seconds);
    let known = current_message.and_then(|current_message| time_in(current_message, &sentence(TIME)));
    let end = known.filter(|known| known.duration_since(end).unsigned_abs() <= SAME_TIME).unwrap_or(end);
    sentence(&end.to_string())
}

/// The placeholder for the time; occurs in no message.
const TIME: &str = "\u{0}";

/// Returns the time in `current_message`, if that differs from `sentence` in nothing else.
fn time_in(current_message: &str, sentence: &str) -> Option<Timestamp> {
    let (head, tail) = sentence.split_once(TIME)?;
    current_message.strip_prefix(head)?.strip_suffix(tail)?.parse().ok()
}

/// The API server keeps whole seconds only, and a value that it changes would always differ.
fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or_default()
}

#[cfg(test)]
#[path = "status_patch_tests.rs"]
mod tests;
