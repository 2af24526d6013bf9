//! The invariants of every run with a serverless instance, whatever its faults: P1 to P7 and P9, checked on the simulator's journal and
//! timelines, on the operators' requests, and on every version of the object.
//!
//! It never inspects the operator: only what is visible from outside is judged.

use atlas_simulator::{Endpoint, JournalEntry, Operation, Timeline, max_live};
use serde_json::{Value, json};
use spe_operator::serverless::crd::{CLAIM, FINALIZER};

use super::writes;
use crate::history::SeenVersion;
use crate::record::Record;

/// Returns the violations of a run with one object; none if it is correct.
pub(crate) fn faults_of(record: &Record) -> Vec<String> {
    let mut wrong = Vec::new();
    alive(record, &mut wrong);
    writes::posts(record, &mut wrong);
    writes::changes(record, &mut wrong);
    deletions(record, &mut wrong);
    strangers(record, &mut wrong);
    marks(record, &mut wrong);
    ids(record, &mut wrong);
    words(record, &mut wrong);
    wrong
}

fn is_marked(endpoint: &Endpoint) -> bool {
    endpoint.comment.as_deref().is_some_and(|comment| comment.contains("[k8s:"))
}

/// P1 and P5: one endpoint at a time, and none in the end, which is the end of the object.
fn alive(record: &Record, wrong: &mut Vec<String>) {
    let most = max_live(&record.lives, is_marked);
    if most > 1 {
        wrong.push(format!("P1: {most} endpoints were alive at once"));
    }
    let made = record.lives.len();
    if made != 1 {
        wrong.push(format!("{made} endpoints were made, and one is enough"));
    }
    if record.deleted_at.is_none() {
        return;
    }
    for life in record.lives.iter().filter(|life| life.now().is_some()) {
        wrong.push(format!("P5: endpoint {} is left", life.id));
    }
    let last = record.versions.last().map(|version| version.at);
    for life in record.lives.iter().filter(|life| life.gone_at() > last) {
        wrong.push(format!("P5: endpoint {} outlived its object", life.id));
    }
}

/// P4: no endpoint is deleted while the object lives, since in these runs there is never an excess endpoint.
fn deletions(record: &Record, wrong: &mut Vec<String>) {
    let is_early = |at| record.deleted_at.is_none_or(|deleted_at| at < deleted_at);
    let early = |entry: &&JournalEntry| entry.is(Operation::Delete) && entry.executed() && is_early(entry.at);
    for entry in record.journal.iter().filter(early) {
        wrong.push(format!("P4: {} was deleted under a living object", entry.path));
    }
}

/// P4: unmarked endpoints, and those of other owners, are unchanged.
fn strangers(record: &Record, wrong: &mut Vec<String>) {
    for (before, life) in &record.strangers {
        if life.changes.len() != 1 || life.now() != Some(before) {
            wrong.push(format!("P4: {before:?} became {:?}", life.changes));
        }
    }
}

/// P9: a mark is never removed.
fn marks(record: &Record, wrong: &mut Vec<String>) {
    for life in &record.lives {
        let seen: Vec<_> =
            life.changes.iter().filter_map(|change| change.endpoint.as_ref()).map(is_marked).collect();
        if !seen.iter().all(|&marked| marked) {
            wrong.push(format!("P9: endpoint {} was without its mark", life.id));
        }
    }
}

/// P7: the recorded id is never lost, and changes only when its endpoint is deleted; and an object with an endpoint has
/// its finalizer.
fn ids(record: &Record, wrong: &mut Vec<String>) {
    let mut before: Option<String> = None;
    for SeenVersion { at, object, .. } in &record.versions {
        let now = object["status"]["_id"].as_str().map(str::to_owned);
        if let Some(known) = &before
            && now.as_ref() != Some(known)
        {
            let gone = record.lives.iter().find(|life| life.id == *known).and_then(Timeline::gone_at);
            if now.is_none() || gone.is_none_or(|gone| gone > *at) {
                wrong
                    .push(format!("P7: {known} was recorded, then {now:?}, with the first gone at {gone:?}"));
            }
        }
        if now.is_some() {
            let released = !object["metadata"]["deletionTimestamp"].is_null();
            let held = object["metadata"]["finalizers"].to_string().contains(FINALIZER);
            if !held && !released {
                wrong.push("an id was recorded without the finalizer".to_owned());
            }
            before = now;
        }
    }
}

/// P7: Ready is True only of what is done for this generation.
fn words(record: &Record, wrong: &mut Vec<String>) {
    for SeenVersion { object, .. } in &record.versions {
        let status = &object["status"];
        let is_current = status["observedGeneration"] == object["metadata"]["generation"];
        if !is_current || !conditions(status).any(|one| one["type"] == "Ready" && one["status"] == "True") {
            continue;
        }
        let declared = &object["spec"]["cloudProviderEndpointId"];
        let wanted = if declared.is_null() { "RESERVED" } else { "AVAILABLE" };
        let is_declared = declared.is_null() || status["cloudProviderEndpointId"] == *declared;
        if status["status"] != wanted || !is_declared {
            wrong.push(format!("P7: Ready, though the status is {}", status["status"]));
        }
    }
}

fn conditions(status: &Value) -> impl Iterator<Item = &Value> {
    status["conditions"].as_array().into_iter().flatten()
}

/// Describes object and Atlas, without what differs between two equal runs: ids, times, nonces.
pub(crate) fn picture(object: Option<&Value>, endpoints: &[Endpoint]) -> Value {
    let shown = |endpoint: &Endpoint| {
        json!({
            "status": endpoint.status,
            "vpcEndpoint": endpoint.vpc_endpoint_id,
            "marked": is_marked(endpoint),
            "service": endpoint.service_name.is_some(),
            "error": endpoint.error_message,
        })
    };
    let of_object = |object: &Value| {
        let (metadata, status) = (&object["metadata"], &object["status"]);
        let listed = endpoints.iter().find(|endpoint| status["_id"] == *endpoint.id);
        let is = |field: &str, of_atlas: &dyn Fn(&Endpoint) -> Option<String>| {
            status[field].as_str().map(str::to_owned) == listed.and_then(of_atlas)
        };
        json!({
            "finalizers": metadata["finalizers"],
            "claimed": !metadata["annotations"][CLAIM].is_null(),
            "recorded": listed.is_some(),
            "observed": status["observedGeneration"] == metadata["generation"],
            "status": status["status"],
            "vpcEndpoint": status["cloudProviderEndpointId"],
            "comment": is("comment", &|endpoint| endpoint.comment.clone()),
            "service": is("endpointServiceName", &|endpoint| endpoint.service_name.clone()),
            "error": status["errorMessage"],
            "conditions": conditions(status)
                .map(|one| json!([one["type"], one["status"], one["reason"]]))
                .collect::<Vec<_>>(),
        })
    };
    json!({"object": object.map(of_object), "atlas": endpoints.iter().map(shown).collect::<Vec<_>>()})
}
