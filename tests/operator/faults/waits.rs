//! The conditions that a row of a table waits for.

use std::time::Duration;

use atlas_simulator::{DEFAULT_INSTANCE, JournalEntry, Operation};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::Value;
use spe_operator::serverless::crd::ServerlessPrivateEndpoint;
use test_support::condition;

use crate::faults::row::Says;
use crate::faults::row_run::{RowResult, RowRun};

impl RowRun<'_> {
    pub(crate) async fn until_reconciled(&self, word: &str) -> RowResult {
        let reconciled = |object: &ServerlessPrivateEndpoint| {
            object.status.as_ref().and_then(|status| status.last_handled_reconcile_at.as_deref())
                == Some(word)
        };
        self.versions
            .until(&self.name, "reconciled", |versions| versions.iter().any(|object| reconciled(object)))
            .await
    }

    pub(crate) async fn until_message(&self, all: &[Says]) -> RowResult {
        for says in all {
            let what = format!("{says:?}");
            self.versions
                .until(&self.name, &what, |versions| versions.iter().any(|object| has_message(object, says)))
                .await?;
        }
        Ok(())
    }

    /// Ready and Synced for its present generation, in a version after the first `count`.
    pub(crate) async fn until_ready(&self, count: usize) -> RowResult {
        let ready = |object: &ServerlessPrivateEndpoint| {
            let is = |kind| condition(object, kind).is_some_and(|condition| condition.status == "True");
            let observed = object.status.as_ref().map(|status| status.observed_generation);
            is("Ready") && is("Synced") && observed == object.metadata.generation
        };
        self.versions
            .until(&self.name, "ready", |versions| {
                versions.len() > count && versions.last().is_some_and(|object| ready(object))
            })
            .await
    }

    pub(crate) fn was_ready_since(&self, count: usize) -> RowResult {
        let versions = self.versions.of(&self.name);
        let lost = versions[count.min(versions.len())..]
            .iter()
            .find_map(|object| condition(object, "Ready").filter(|ready| ready.status != "True"));
        lost.map_or(Ok(()), |ready| Err(format!("Ready was lost: {} {}", ready.reason, ready.message)))
    }

    /// Waits for so many requests of this kind, executed or not.
    pub(crate) async fn until_asked(&self, operation: Operation, count: usize) -> RowResult {
        let ours =
            |entry: &JournalEntry| entry.is(operation) && entry.challenged.is_none() && self.is_ours(entry);
        for _ in 0..600 {
            if self.fixture.atlas.count(ours) >= count {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(format!("never {count} requests to {operation:?}"))
    }

    /// Waits until the fault has met a request of each kind. A claim whose deadline passes on a busy machine is reported
    /// as of unknown outcome, too, and its request follows later.
    pub(crate) async fn until_met(&self) -> RowResult {
        for _ in 0..600 {
            if self.is_met().is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.is_met()
    }

    pub(crate) async fn until_gone(&self, left: usize) -> RowResult {
        let gone = async {
            while self.fixture.objects.get_opt(&self.name).await.unwrap().is_some() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(90), gone).await.is_err() {
            return self.versions.until(&self.name, "gone", |_| false).await;
        }
        let endpoints = self.fixture.atlas.endpoints(&self.project, DEFAULT_INSTANCE);
        if endpoints.len() != left {
            return Err(format!("{} endpoints are left instead of {left}: {endpoints:?}", endpoints.len()));
        }
        self.check_posts()
    }

    /// Where an output is configured, its last entry appears once Atlas shows it.
    pub(crate) async fn until_addressed(&self) -> RowResult {
        let spec: Value = serde_json::from_str(self.row.spec).unwrap();
        let Some(map) = spec["outputConfigMap"]["name"].as_str() else { return Ok(()) };
        if spec.get("cloudProviderEndpointId").is_none() {
            return Ok(());
        }
        let maps = self.api::<ConfigMap>().await;
        for _ in 0..300 {
            let map = maps.get_opt(map).await.unwrap();
            if map.and_then(|map| map.data).is_some_and(|data| data.contains_key("privateSrvAddress")) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err("the private address never came".to_owned())
    }
}

fn has_message(object: &ServerlessPrivateEndpoint, says: &Says) -> bool {
    let Says(kind, status, reason, words) = says;
    condition(object, kind.as_str()).is_some_and(|condition| {
        (condition.status == "True") == *status
            && condition.reason == reason.as_str()
            && words.iter().all(|word| condition.message.contains(word))
    })
}
