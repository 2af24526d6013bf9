//! A kind for the tests of this folder, which know no kind that the operator reconciles.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use domain::schedule::Schedule;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{CustomResource, ResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::Kind;
use super::states::Kept;
use super::status_patch::Current;
use super::work_queue::Lane;

#[derive(CustomResource, JsonSchema, Serialize, Deserialize, Debug, Clone)]
#[kube(
    group = "atlas.spe-operator.io",
    version = "v1alpha1",
    kind = "Example",
    namespaced,
    status = "ExampleStatus"
)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExampleSpec {
    project_id: String,
}

#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone)]
pub(crate) struct ExampleStatus {
    status: Option<String>,
}

/// What is kept of an example.
#[derive(Default)]
pub(crate) struct ExampleKept(Schedule);

impl Kept for ExampleKept {
    type Remains = ();

    fn schedule(&mut self) -> &mut Schedule {
        &mut self.0
    }
}

impl Kind for Example {
    type Kept = ExampleKept;
    type Details = ();

    const FINALIZER: &'static str = "atlas.spe-operator.io/endpoint";
    const CLAIM: &'static str = "atlas.spe-operator.io/claim";
    const OUTPUT_CONFIG_MAP: &'static str = "atlas.spe-operator.io/output-config-map";
    const RECONCILE_REQUEST: &'static str = "reconcile.fluxcd.io/requestedAt";
    const ANNOTATIONS: &'static [&'static str] =
        &[Self::CLAIM, "atlas.spe-operator.io/take-over", Self::RECONCILE_REQUEST];

    fn from_parts(metadata: ObjectMeta, spec: ExampleSpec, status: Option<ExampleStatus>) -> Self {
        Self { metadata, spec, status }
    }

    fn current(&self) -> Option<Current<'_>> {
        None
    }

    fn is_recorded(&self) -> bool {
        false
    }

    fn interval(&self) -> Duration {
        Duration::from_mins(10)
    }

    fn trigger(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.metadata.generation.hash(&mut hasher);
        hasher.finish()
    }

    fn lane(&self) -> Lane<3> {
        [self.namespace().unwrap_or_default().into(), self.spec.project_id.as_str().into(), "instance".into()]
    }
}
