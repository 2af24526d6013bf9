//! What two equal runs have in common: the objects, and what Atlas has.

use std::collections::BTreeMap;

use atlas_simulator::{AtlasService, ChangeCause, ServiceCourse};
use serde_json::{Value, json};

use super::{CLAIM, conditions};

/// Describes objects and Atlas, without what differs between two equal runs: ids, times, nonces. How the objects came to what they record
/// is judged elsewhere: here it only matters whether they may have created it.
pub(crate) fn picture(
    objects: &[Value],
    courses: &[ServiceCourse],
    output: &BTreeMap<String, String>,
) -> Value {
    let present: Vec<_> = courses.iter().filter(|course| course.service.now().is_some()).collect();
    let service = |id: &Value| present.iter().find(|course| *id == *course.id);
    let of_object = |object: &Value| {
        let (metadata, status) = (&object["metadata"], &object["status"]);
        let service = service(&status["serviceId"]).and_then(|course| course.service.now());
        let name = service.and_then(AtlasService::service_name);
        json!({
            "kind": object["kind"],
            "terminating": !metadata["deletionTimestamp"].is_null(),
            "finalizers": metadata["finalizers"],
            "claimed": !metadata["annotations"][CLAIM].is_null(),
            "observed": status["observedGeneration"] == metadata["generation"],
            "recorded": service.is_some(),
            "named": status["endpointServiceName"].as_str() == name.as_deref(),
            "adopted": status["provenance"] == "Adopted",
            "own": status["recordedBy"] == metadata["uid"],
            "endpoint": status["endpointId"],
            "superseded": status["superseded"].as_array().map_or(0, Vec::len),
            "status": status["status"],
            "error": status["errorMessage"],
            "strings": status["connectionStrings"].as_array().map_or(0, Vec::len),
            "conditions": conditions(status)
                .map(|one| json!([one["type"], one["status"], one["reason"]]))
                .collect::<Vec<_>>(),
        })
    };
    let shown = |course: &&ServiceCourse| {
        let state = course.service.now();
        json!({
            "region": state.map(|service| &service.region_name),
            "status": state.map(|service| &service.status),
            "foreign": is_foreign(course),
            "endpoints": course.present().map(|one| json!([one.id, one.status])).collect::<Vec<_>>(),
        })
    };
    // The output ConfigMap, of the endpoint object: each entry as that object's status has it.
    let status =
        objects.iter().find(|object| object["kind"] == "PrivateEndpoint").map(|object| &object["status"]);
    let outputs: BTreeMap<_, _> = output
        .iter()
        .map(|(key, value)| {
            let shown = status.map(ToString::to_string).unwrap_or_default();
            (key, shown.contains(&json!(value).to_string()))
        })
        .collect();
    json!({
        "output": outputs,
        "objects": objects.iter().map(of_object).collect::<Vec<_>>(),
        "atlas": present.iter().map(shown).collect::<Vec<_>>(),
    })
}

/// Returns whether others created the service.
pub(crate) fn is_foreign(course: &ServiceCourse) -> bool {
    course.service.points.first().is_some_and(|point| point.cause == ChangeCause::OutOfBand)
}
