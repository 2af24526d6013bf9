//! Prepares a cluster for a test: a namespace, and the definitions of its custom resources.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Client, ResourceExt};
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout};

use crate::ControlPlane;

/// How long an API server may take to serve a new kind.
const SERVED_WITHIN: Duration = Duration::from_secs(30);

impl ControlPlane {
    /// Creates a namespace of its own whose name starts with `prefix`; returns the name.
    ///
    /// # Errors
    /// When the API server rejects it, as for a prefix that is no DNS label.
    pub async fn create_namespace(&self, prefix: &str) -> Result<String> {
        let metadata = ObjectMeta { generate_name: Some(format!("{prefix}-")), ..ObjectMeta::default() };
        let namespaces: Api<Namespace> = Api::all(self.client().await?);
        let namespace = Namespace { metadata, ..Namespace::default() };
        let created = namespaces.create(&PostParams::default(), &namespace).await;
        Ok(created.with_context(|| format!("no namespace {prefix}-…"))?.name_any())
    }

    /// Installs or changes a custom resource definition and waits until its objects can be listed.
    ///
    /// # Errors
    /// When the value is no such definition, when the API server rejects it, or when it is not served within half a
    /// minute.
    pub async fn install_crd(&self, crd: &(impl Serialize + Sync)) -> Result<()> {
        let crd: CustomResourceDefinition = serde_json::from_value(serde_json::to_value(crd)?)?;
        let client = self.client().await?;
        let name = crd.name_any();
        let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
        let apply = PatchParams::apply("testbed").force();
        let crd = crds
            .patch(&name, &apply, &Patch::Apply(&crd))
            .await
            .with_context(|| format!("{name} is refused"))?;
        let established = await_condition(crds, &name, conditions::is_crd_established());
        timeout(SERVED_WITHIN, established).await.with_context(|| format!("{name} is not established"))??;
        for version in crd.spec.versions.iter().filter(|version| version.served) {
            let kind = GroupVersionKind::gvk(&crd.spec.group, &version.name, &crd.spec.names.kind);
            until_listed(&client, &ApiResource::from_gvk_with_plural(&kind, &crd.spec.names.plural)).await?;
        }
        Ok(())
    }

    /// [`Self::install_crd`] for each definition in a stream of YAML documents, such as `spe-operator crd` prints.
    ///
    /// # Errors
    /// As [`Self::install_crd`], and when the text is not YAML.
    pub async fn install_crd_yaml(&self, yaml: &str) -> Result<()> {
        let crds: Vec<serde_json::Value> =
            serde_saphyr::from_multiple(yaml).context("a definition is not YAML")?;
        for crd in &crds {
            self.install_crd(crd).await?;
        }
        Ok(())
    }
}

/// For about a second, an established kind is not found, or gets a 429 "storage is (re)initializing".
async fn until_listed(client: &Client, kind: &ApiResource) -> Result<()> {
    let objects: Api<DynamicObject> = Api::all_with(client.clone(), kind);
    let started = Instant::now();
    loop {
        let Err(error) = objects.list(&ListParams::default().limit(1)).await else {
            return Ok(());
        };
        ensure!(started.elapsed() < SERVED_WITHIN, "{} is not served: {error}", kind.plural);
        sleep(Duration::from_millis(50)).await;
    }
}
