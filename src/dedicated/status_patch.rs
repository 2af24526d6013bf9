//! The status patch of a report: the fields that differ, and the tests that a record needs. It writes nothing.

use domain::dedicated::status::Report;
use serde_json::{Map, Value, json};

use crate::runtime::identity::Identity;
use crate::runtime::status_patch::{Current, StatusPatch, Wanted};

use super::kind::DedicatedKind;

/// The fields that the status of every kind has; they have rules of their own.
const COMMON: [&str; 3] = ["observedGeneration", "lastHandledReconcileAt", "conditions"];

/// The status field with Atlas' own message about a failure.
const ERROR_MESSAGE: &str = "errorMessage";

/// Returns the operations that make the status hold `report` and the reconcile request `handled`; none if it does already.
pub(super) fn changes<K: DedicatedKind>(
    object: &K,
    identity: &Identity,
    report: &Report,
    handled: Option<&str>,
) -> Vec<Value> {
    let current = object.status().map(fields).unwrap_or_default();
    let wanted = fields(&object.shown(report, &identity.uid));
    let mut patch = StatusPatch::default();
    for (name, value) in &wanted {
        if current.get(name) != Some(value) {
            patch.set(name, value.clone(), name == ERROR_MESSAGE && current.contains_key(name));
        }
    }
    for name in current.keys().filter(|name| !wanted.contains_key(*name)) {
        patch.remove(name);
    }
    let default = Current { observed_generation: -1, last_handled_reconcile_at: None, conditions: &[] };
    let wanted = Wanted {
        generation: object.meta().generation,
        handled,
        conditions: &report.conditions,
        after: report.after,
    };
    patch.complete(&object.current().unwrap_or(default), &wanted)
}

/// Returns the fields of a status that this file compares.
fn fields(status: &impl serde::Serialize) -> Map<String, Value> {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(status) else { return Map::new() };
    fields.retain(|name, _| !COMMON.contains(&name.as_str()));
    fields
}

/// Returns the tests that make a record fail unless uid, claim and entries are unchanged since the read.
///
/// Anything else about the object may change meanwhile: a label edit must not lose an entry. A test repeats what is stored, which may
/// have been written in other words than ours: an empty list is another value than an absent one.
pub(super) fn record_guards<K: DedicatedKind>(object: &K) -> Vec<Value> {
    let meta = object.meta();
    let claim = match &meta.annotations {
        // A test below an absent map fails, whatever it expects.
        None => json!({"op": "test", "path": "/metadata/annotations", "value": null}),
        Some(annotations) => {
            let path = format!("/metadata/annotations/{}", K::CLAIM.replace('~', "~0").replace('/', "~1"));
            json!({"op": "test", "path": path, "value": annotations.get(K::CLAIM)})
        }
    };
    let recorded = object.status().map(fields).unwrap_or_default();
    let entries = K::RECORDED.iter().map(|name| {
        let value = object.stored(name).or_else(|| recorded.get(*name));
        json!({"op": "test", "path": format!("/status/{name}"), "value": value})
    });
    [json!({"op": "test", "path": "/metadata/uid", "value": meta.uid}), claim]
        .into_iter()
        .chain(entries)
        .collect()
}
