//! The lives of the objects of one run, from the versions that the API server had.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::history::SeenVersion;

/// The life of one object: a name that is applied again is another one.
pub(super) struct JudgedObject<'a> {
    pub(super) uid: &'a str,
    versions: Vec<&'a SeenVersion>,
}

/// What a status records of one life of a service or an endpoint.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RecordedLife<'a> {
    pub(super) service: &'a str,
    pub(super) endpoint: Option<&'a str>,
    pub(super) provenance: &'a str,
    pub(super) recorded_by: &'a str,
}

impl<'a> JudgedObject<'a> {
    /// Returns all of them.
    pub(super) fn all(versions: &'a [SeenVersion]) -> Vec<Self> {
        let uids: BTreeSet<&str> = versions.iter().filter_map(|seen| uid(&seen.object)).collect();
        let of = |uid| versions.iter().filter(|seen| self::uid(&seen.object) == Some(uid)).collect();
        uids.into_iter().map(|uid| Self { uid, versions: of(uid) }).collect()
    }

    pub(super) fn versions(&self) -> impl Iterator<Item = &'a SeenVersion> {
        self.versions.iter().copied()
    }

    /// Returns how messages name it.
    pub(super) fn name(&self) -> String {
        let last = self.versions.last().map(|seen| &seen.object);
        last.map_or_else(String::new, |object| format!("{} {}", object["kind"], object["metadata"]["name"]))
    }

    pub(super) fn is_service(&self) -> bool {
        self.versions.iter().any(|seen| seen.object["kind"] == "PrivateEndpointService")
    }

    /// Returns when it was gone.
    pub(super) fn gone_at(&self) -> Option<Duration> {
        self.versions.last().filter(|seen| seen.is_end).map(|seen| seen.at)
    }

    /// Returns its last version at that time, if it lives and nobody has requested its deletion.
    pub(super) fn living_at(&self, time: Duration) -> Option<&'a Value> {
        let seen = self.versions.iter().rfind(|seen| seen.at <= time)?;
        let is_living = !seen.is_end && seen.object["metadata"]["deletionTimestamp"].is_null();
        is_living.then_some(&seen.object)
    }

    /// Returns whether it ever had this value at this place of its spec.
    pub(super) fn has_ever(&self, pointer: &str, value: &str) -> bool {
        self.versions.iter().any(|seen| seen.object.pointer(pointer).is_some_and(|found| found == value))
    }

    /// Returns whether it ever declared a service of this region, in either spelling.
    pub(super) fn declares_region(&self, region: &str) -> bool {
        let of_aws = region.to_lowercase().replace('_', "-");
        self.has_ever("/spec/region", region) || self.has_ever("/spec/region", &of_aws)
    }

    /// Returns whether it ever declared or recorded this service, or this endpoint at it.
    pub(super) fn names(&self, service: &str, endpoint: Option<&str>) -> bool {
        let declares = endpoint.is_some_and(|id| self.has_ever("/spec/aws/id", id));
        let records = |seen: &&SeenVersion| {
            recorded(&seen.object).iter().any(|life| (life.service, life.endpoint) == (service, endpoint))
        };
        declares || self.versions.iter().any(records)
    }
}

/// Returns what the object's status records.
pub(super) fn recorded(object: &Value) -> Vec<RecordedLife<'_>> {
    let status = &object["status"];
    let former = status["superseded"].as_array().into_iter().flatten();
    let lives = [status].into_iter().chain(former).filter_map(|entry| {
        Some(RecordedLife {
            service: entry["serviceId"].as_str()?,
            endpoint: entry["endpointId"].as_str(),
            provenance: entry["provenance"].as_str()?,
            recorded_by: entry["recordedBy"].as_str().unwrap_or_default(),
        })
    });
    lives.collect()
}

fn uid(object: &Value) -> Option<&str> {
    object["metadata"]["uid"].as_str()
}
