//! Publishes events about objects.
//!
//! A milestone is published once. Repeated warnings are folded into one event, for a bounded number of objects: a recorder keeps
//! each of its events for six minutes, and scans all of them for each new one, so a tenant that creates objects without end would
//! fill it. Warnings beyond the bound of a namespace are still published, each as a separate event. No failure of this file
//! stops a reconcile, because the conditions carry the same information.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::status::EventDraft;
use domain::token_bucket::{Bucket, Rate};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Client};
use tracing::debug;

use crate::clock::Boottime;

/// Timeout for publishing an event.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The reporter of events.
const REPORTER: &str = "spe-operator";

/// The longest object name that leaves room for the suffix of an event's name: a dot, and a time in nanoseconds.
const MAX_NAME: usize = 253 - 1 - 16;

/// The maximum length of a note; the events API accepts 1,024 bytes.
const MAX_NOTE: usize = 1000;

/// The length kept at the end of a note: room for the longest next step and link.
const MAX_END: usize = 500;

/// Replaces the omitted part.
const ELLIPSIS: &str = " … ";

/// Limits a namespace to 600 events in the six minutes for which an event is kept.
const RATE: Rate = Rate { burst: 360, interval: Duration::from_millis(1_500) };

/// How often full buckets are removed.
const SWEEP: Duration = Duration::from_mins(1);

/// Publishes events, each about one object.
pub(crate) struct Events {
    client: Client,
    recorder: Recorder,
    folded: Mutex<Folded>,
}

#[derive(Default)]
struct Folded {
    namespaces: HashMap<Box<str>, Bucket>,
    swept: Option<Boottime>,
}

impl Events {
    pub(crate) fn new(client: Client) -> Self {
        let reporter = Reporter { controller: REPORTER.to_owned(), instance: None };
        Self { recorder: Recorder::new(client.clone(), reporter), client, folded: Mutex::default() }
    }

    /// Publishes an event. A failure is only logged; the result is then `false`.
    pub(crate) async fn publish(&self, regarding: ObjectReference, draft: &EventDraft) -> bool {
        // A recorder derives the event's name from the object's, which may be too long for that.
        let fits = regarding.name.as_ref().is_none_or(|name| name.len() <= MAX_NAME);
        let published = async {
            let namespace = regarding.namespace.as_deref().unwrap_or_default();
            if draft.warning && fits && self.folds(namespace, Boottime::now()) {
                return self.recorder.publish(&event(draft), &regarding).await;
            }
            // A milestone is published once, so there is no series to fold it into.
            let events = Api::namespaced(self.client.clone(), namespace);
            let event = single_event(draft, regarding, Timestamp::now());
            events.create(&PostParams::default(), &event).await.map(|_: v1::Event| ())
        };
        match tokio::time::timeout(TIMEOUT, published).await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => debug!(%error, "failed to publish an event"),
            Err(_) => debug!("failed to publish an event in time"),
        }
        false
    }

    /// Returns `true` if a warning about an object of `namespace` is folded, `false` if it is published as a separate event.
    fn folds(&self, namespace: &str, now: Boottime) -> bool {
        self.folded.lock().unwrap_or_else(PoisonError::into_inner).take(namespace, now)
    }
}

impl Folded {
    fn take(&mut self, namespace: &str, now: Boottime) -> bool {
        if self.swept.is_none_or(|swept| now.since(swept) >= SWEEP) {
            self.swept = Some(now);
            self.namespaces.retain(|_, bucket| !bucket.is_full(now.since_boot()));
            self.namespaces.shrink_to_fit();
        }
        let bucket =
            self.namespaces.entry(namespace.into()).or_insert_with(|| Bucket::full(now.since_boot()));
        let folds = bucket.wait(RATE, now.since_boot()).is_zero();
        if folds {
            bucket.take(RATE, now.since_boot());
        }
        folds
    }
}

/// Converts `draft` to an event.
fn event(draft: &EventDraft) -> Event {
    Event {
        type_: if draft.warning { EventType::Warning } else { EventType::Normal },
        reason: draft.reason.to_string(),
        note: Some(note(&draft.message)),
        action: "Reconcile".to_owned(),
        secondary: None,
    }
}

/// Builds an event about an object from `draft`, whatever the length of the object's name.
fn single_event(draft: &EventDraft, regarding: ObjectReference, now: Timestamp) -> v1::Event {
    let Event { type_, reason, note, action, .. } = event(draft);
    let name = regarding.name.as_deref().unwrap_or(REPORTER);
    let head = &name[..name.floor_char_boundary(MAX_NAME)].trim_end_matches(['-', '.']);
    v1::Event {
        metadata: ObjectMeta {
            name: Some(format!("{head}.{:x}", now.as_nanosecond())),
            namespace: regarding.namespace.clone(),
            ..ObjectMeta::default()
        },
        action: Some(action),
        reason: Some(reason),
        note,
        type_: Some(if type_ == EventType::Warning { "Warning" } else { "Normal" }.to_owned()),
        event_time: Some(MicroTime(now)),
        reporting_controller: Some(REPORTER.to_owned()),
        reporting_instance: Some(REPORTER.to_owned()),
        regarding: Some(regarding),
        ..v1::Event::default()
    }
}

/// Shortens a message to the maximum length of a note. The next step and the link stand at its end, so the middle is
/// omitted.
fn note(message: &str) -> String {
    if message.len() <= MAX_NOTE {
        return message.to_owned();
    }
    let head = &message[..message.floor_char_boundary(MAX_NOTE - ELLIPSIS.len() - MAX_END)];
    let end = &message[message.ceil_char_boundary(message.len() - MAX_END)..];
    format!("{head}{ELLIPSIS}{end}")
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
