//! Status and events: written only where something changed, times ignored.
//!
//! The status is never replaced as a whole and `_id` is never removed: each path is named, behind tests that make the
//! patch void if the object is not the one that was read.

use std::time::Duration;

use domain::conditions::Report;
use domain::notice::Notice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::events::{Event, EventType};
use serde_json::{Value, json};

use crate::api::{self, ServerlessPrivateEndpoint, ServerlessPrivateEndpointStatus};

use super::object::status_fields;

/// Two times of the same event that are closer than this are one: a look a little later must not change the status.
const SAME_TIME: Duration = Duration::from_mins(1);

/// The longest note that the events API takes is 1,024 bytes.
const LONGEST_NOTE: usize = 1000;

/// Holds the longest next step, and the place to read on.
const LONGEST_END: usize = 500;

/// Stands for what is left out.
const LEFT_OUT: &str = " … ";

/// The status does not say yet what `report` says.
pub(super) fn differs(object: &ServerlessPrivateEndpoint, report: &Report) -> bool {
    !changes(object, report, true).is_empty()
}

/// The operations that make the status say what `report` says; none if it does already.
#[must_use]
pub fn changes(object: &ServerlessPrivateEndpoint, report: &Report, removing: bool) -> Vec<Value> {
    let status = object.status.clone().unwrap_or_default();
    let mut operations = Vec::new();
    let mut set = |path: &str, value: Value| {
        operations.push(json!({"op": "add", "path": format!("/status/{path}"), "value": value}));
    };
    let mut absent = Vec::new();
    for (name, value) in status_fields(report) {
        match (value, field(&status, name)) {
            (Some(value), current) if current != Some(&value) => set(name, json!(value)),
            (None, Some(_)) if name != "_id" => absent.push(name),
            _ => {}
        }
    }
    if Some(status.observed_generation) != object.metadata.generation {
        set("observedGeneration", json!(object.metadata.generation));
    }
    let requested = object.annotations().get(api::RECONCILE_REQUEST);
    if requested.is_some() && requested != status.last_handled_reconcile_at.as_ref() {
        set("lastHandledReconcileAt", json!(requested));
    }
    let wanted = conditions(&status.conditions, report, object.metadata.generation, Timestamp::now());
    if wanted != status.conditions {
        set("conditions", json!(wanted));
    }
    if removing {
        operations
            .extend(absent.iter().map(|name| json!({"op": "remove", "path": format!("/status/{name}")})));
    }
    operations
}

/// The tests that make a status patch void unless the object is exactly the one that was read.
pub(super) fn unchanged(object: &ServerlessPrivateEndpoint) -> Vec<Value> {
    vec![
        json!({"op": "test", "path": "/metadata/uid", "value": object.metadata.uid}),
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": object.metadata.resource_version}),
    ]
}

/// The tests that make a record void unless uid, claim and recorded id are those that were read. Anything else about
/// the object may change meanwhile: a label edit must not lose an id.
pub(super) fn same_life(object: &ServerlessPrivateEndpoint) -> Vec<Value> {
    let annotations = object.metadata.annotations.as_ref();
    let claim = match annotations {
        // Below an absent map a test is refused, whatever it expects.
        None => json!({"op": "test", "path": "/metadata/annotations", "value": null}),
        Some(annotations) => {
            let path = format!("/metadata/annotations/{}", api::CLAIM.replace('~', "~0").replace('/', "~1"));
            json!({"op": "test", "path": path, "value": annotations.get(api::CLAIM)})
        }
    };
    let recorded = object.status.as_ref().and_then(|status| status.id.as_ref());
    vec![
        json!({"op": "test", "path": "/metadata/uid", "value": object.metadata.uid}),
        claim,
        json!({"op": "test", "path": "/status/_id", "value": recorded}),
    ]
}

/// The event that tells of `notice`.
pub(super) fn event(notice: &Notice) -> Event {
    Event {
        type_: if notice.warning { EventType::Warning } else { EventType::Normal },
        reason: notice.reason.to_string(),
        note: Some(note(&notice.message)),
        action: "Reconcile".to_owned(),
        secondary: None,
    }
}

/// What fits of a message. What to do next, and where to read on, stands at its end, so what is left out is in the middle.
fn note(message: &str) -> String {
    if message.len() <= LONGEST_NOTE {
        return message.to_owned();
    }
    let head = &message[..message.floor_char_boundary(LONGEST_NOTE - LEFT_OUT.len() - LONGEST_END)];
    let end = &message[message.ceil_char_boundary(message.len() - LONGEST_END)..];
    format!("{head}{LEFT_OUT}{end}")
}

fn field<'a>(status: &'a ServerlessPrivateEndpointStatus, name: &str) -> Option<&'a String> {
    match name {
        "_id" => status.id.as_ref(),
        "cloudProviderEndpointId" => status.cloud_provider_endpoint_id.as_ref(),
        "comment" => status.comment.as_ref(),
        "endpointServiceName" => status.endpoint_service_name.as_ref(),
        "errorMessage" => status.error_message.as_ref(),
        _ => status.status.as_ref(),
    }
}

/// The reported conditions, with the times of those whose status did not change, followed by those that others wrote.
fn conditions(
    current: &[Condition],
    report: &Report,
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let ours = report.conditions.iter().map(|reported| {
        let status = if reported.status { "True" } else { "False" };
        let before = current.iter().find(|c| c.type_ == reported.kind.as_str() && c.status == status);
        Condition {
            type_: reported.kind.to_string(),
            status: status.to_owned(),
            reason: reported.reason.to_string(),
            message: match report.after.filter(|_| report.is_dated(reported.kind)) {
                Some(after) => {
                    let before = before.map(|before| before.message.as_str());
                    dated(|time| report.sentence(reported, Some(time)), before, now, after)
                }
                None => report.sentence(reported, None),
            },
            observed_generation: generation,
            last_transition_time: before
                .map_or_else(|| Time(whole_seconds(now)), |before| before.last_transition_time.clone()),
        }
    });
    let foreign = current.iter().filter(|c| domain::conditions::ConditionType::parse(&c.type_).is_none());
    ours.chain(foreign.cloned()).collect()
}

/// The sentence with the time that it speaks of. The one that is there stays as long as it is still true.
fn dated(sentence: impl Fn(&str) -> String, before: Option<&str>, now: Timestamp, after: Duration) -> String {
    let end = now.saturating_add(after).map_or(now, whole_seconds);
    let known = before.and_then(|before| time_in(before, &sentence(TIME)));
    let end = known.filter(|known| known.duration_since(end).unsigned_abs() <= SAME_TIME).unwrap_or(end);
    sentence(&end.to_string())
}

/// Stands where the time goes; in no message.
const TIME: &str = "\u{0}";

/// The time that `said` names, if it differs from `sentence` in nothing else.
fn time_in(said: &str, sentence: &str) -> Option<Timestamp> {
    let (head, tail) = sentence.split_once(TIME)?;
    said.strip_prefix(head)?.strip_suffix(tail)?.parse().ok()
}

/// The API server keeps no more than seconds, and a value that it changes would look like a difference for ever.
fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_that_is_too_long_keeps_its_beginning_its_next_step_and_the_place_to_read_on() {
        let end = "; delete those that you do not need in Atlas (docs/troubleshooting.md#duplicate)";
        for what in ["5f0000000000000000000001, ", "ä", "a€", "𝄞x"] {
            let said = format!("further endpoints carry the mark: {}{end}", what.repeat(1000));
            let note = note(&said);
            assert!(note.len() <= LONGEST_NOTE && note.len() > LONGEST_NOTE - 8, "{} bytes", note.len());
            assert!(note.starts_with("further endpoints carry the mark: "), "{note}");
            assert!(note.ends_with(end) && note.contains(LEFT_OUT), "{note}");
        }
        let fits = "a".repeat(LONGEST_NOTE);
        assert_eq!(note(&fits), fits);
    }

    #[test]
    fn the_time_that_a_message_names_stays_the_same_until_it_is_another() {
        let start: Timestamp = "2026-03-01T10:00:00.7Z".parse().unwrap();
        let at = |seconds: u64| start.saturating_add(Duration::from_secs(seconds)).unwrap();
        for place in ["", " (docs/troubleshooting.md#endpointlost)"] {
            let said = |time: &str| format!("it ends after {time}{place}");
            let first = dated(said, None, start, Duration::from_secs(200));
            assert_eq!(first, said("2026-03-01T10:03:20Z"));
            for passed in [1, 60, 199] {
                let later = dated(said, Some(&first), at(passed), Duration::from_secs(200 - passed));
                assert_eq!(later, first);
            }
            // A process that was just started waits anew.
            let anew = dated(said, Some(&first), at(100), Duration::from_secs(200));
            assert_eq!(anew, said("2026-03-01T10:05:00Z"));
            // Another text is no time.
            assert_eq!(dated(said, Some("it ends after all"), start, Duration::from_secs(200)), first);
        }
    }
}
