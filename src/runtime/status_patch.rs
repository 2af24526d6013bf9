//! Builds the patch of a status: only for changes, times ignored. It knows the fields that every kind has.
//!
//! A patch never replaces the status as a whole: it names each path, after tests that make the patch fail if the object is not the
//! one that was read.

use std::time::Duration;

use domain::status::{self, ConditionType, sentence};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

/// Two times of the same event closer than this are one: a reconcile a little later must not change the status.
const SAME_TIME: Duration = Duration::from_mins(1);

/// The fields that the status of every kind has.
pub(crate) struct Current<'a> {
    pub(crate) observed_generation: i64,
    pub(crate) last_handled_reconcile_at: Option<&'a str>,
    pub(crate) conditions: &'a [Condition],
}

/// What these fields have to hold.
pub(crate) struct Wanted<'a> {
    /// The generation that was reconciled.
    pub(crate) generation: Option<i64>,
    /// The reconcile request that was handled, if there was one.
    pub(crate) handled: Option<&'a str>,
    pub(crate) conditions: &'a [status::Condition],
    /// Time until the event that the dated conditions await ([`ConditionType::is_dated`]).
    pub(crate) after: Option<Duration>,
}

/// Operations on a status.
#[derive(Default)]
pub(crate) struct StatusPatch {
    operations: Vec<Value>,
    /// One of them is a change that must be written.
    is_new: bool,
}

impl StatusPatch {
    /// Sets the field. A text that `varies` is no change beside another text: it is written with the next one.
    pub(crate) fn set(&mut self, field: &str, value: impl Into<Value>, varies: bool) {
        self.operations.push(json!({"op": "add", "path": format!("/status/{field}"), "value": value.into()}));
        self.is_new |= !varies;
    }

    /// Removes the field, whether or not it is there: removing an absent field fails, and another writer may have removed it.
    pub(crate) fn remove(&mut self, field: &str) {
        self.set(field, "", false);
        self.operations.push(json!({"op": "remove", "path": format!("/status/{field}")}));
    }

    /// Adds the operations on the fields that every kind has. Returns all operations, or none if nothing must be written.
    ///
    /// A server text that differs each time is no change. It is written with the next one: each write takes 13 KiB in etcd, and the
    /// problem has not changed.
    pub(crate) fn complete(mut self, current: &Current<'_>, wanted: &Wanted<'_>) -> Vec<Value> {
        if Some(current.observed_generation) != wanted.generation {
            self.set("observedGeneration", wanted.generation, false);
        }
        if let Some(handled) = wanted.handled
            && wanted.handled != current.last_handled_reconcile_at
        {
            self.set("lastHandledReconcileAt", handled, false);
        }
        let now = Timestamp::now();
        let of = |wording| conditions(current.conditions, wanted, now, wording);
        if !self.is_new && of(Wording::Kept) == current.conditions {
            return Vec::new();
        }
        let new = of(Wording::New);
        if new != current.conditions {
            self.set("conditions", json!(new), false);
        }
        self.operations
    }
}

/// Returns the tests that make a status patch fail unless the object is exactly the version that was read.
pub(crate) fn version_guards(read: &ObjectMeta) -> Vec<Value> {
    vec![
        json!({"op": "test", "path": "/metadata/uid", "value": read.uid}),
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": read.resource_version}),
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

/// Returns the conditions to report, with the times of those whose status did not change, followed by those of other
/// writers.
fn conditions(
    current: &[Condition],
    wanted: &Wanted<'_>,
    now: Timestamp,
    wording: Wording,
) -> Vec<Condition> {
    let ours = wanted.conditions.iter().map(|reported| {
        let status = if reported.status { "True" } else { "False" };
        let previous = current.iter().find(|c| c.type_ == reported.kind.as_str() && c.status == status);
        let current_message = previous.map(|previous| previous.message.as_str());
        let sentence = |time: Option<&str>| sentence(wanted.conditions, reported, time);
        Condition {
            type_: reported.kind.to_string(),
            status: status.to_owned(),
            reason: reported.reason.to_string(),
            message: match (wanted.after.filter(|_| reported.kind.is_dated()), current_message) {
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
            observed_generation: wanted.generation,
            last_transition_time: previous
                .map_or_else(|| Time(whole_seconds(now)), |previous| previous.last_transition_time.clone()),
        }
    });
    let foreign = current.iter().filter(|c| ConditionType::parse(&c.type_).is_none());
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
