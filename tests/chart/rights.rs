//! Least privilege: the operator works with the chart's own rights, and fails without any single one of them.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use atlas_simulator::{
    DEFAULT_CLUSTER, DEFAULT_INSTANCE, DEFAULT_PRIVATE_KEY, DEFAULT_PROJECT, DEFAULT_PUBLIC_KEY, Pace,
};
use domain::reference::EndpointSource;
use futures::{StreamExt, stream};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use spe_operator::app::definitions::definitions;
use spe_operator::serverless::crd::ServerlessPrivateEndpoint;
use testbed::{Process, Signal, kinds};
use tokio::sync::OnceCell;

use crate::release::{Mode, PATIENCE, Release, Right, pace};

/// The number of parallel releases.
const MAX_CONCURRENT: usize = 4;

/// The VPC endpoint that is registered for a dedicated cluster.
const REGISTERED: &str = "vpce-0a1b2c3d4e5f60704";

fn kind(source: EndpointSource) -> ApiResource {
    let (api_version, kind) = source.api_version_and_kind();
    kinds::kind(api_version, kind, &format!("{}s", kind.to_lowercase()))
}

pub(crate) async fn install_definitions() {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let install = || async {
        let control_plane = testbed::control_plane().await.unwrap();
        for crd in definitions() {
            control_plane.install_crd(&crd).await.unwrap();
        }
        // Of the two versions of Azure Service Operator's kind one is enough.
        let watched = |source: &EndpointSource| {
            ![EndpointSource::ConfigMap, EndpointSource::AzureServiceOperator2025].contains(source)
        };
        for source in EndpointSource::ALL.into_iter().filter(watched) {
            control_plane.install_crd(&kinds::open_definition(&kind(source))).await.unwrap();
        }
    };
    INSTALLED.get_or_init(install).await;
}

/// The actions of a user, in one fixture.
pub(crate) struct User<'a> {
    release: &'a Release,
    objects: Api<ServerlessPrivateEndpoint>,
    maps: Api<ConfigMap>,
}

impl<'a> User<'a> {
    pub(crate) fn on(release: &'a Release) -> Self {
        Self {
            release,
            objects: Api::namespaced(release.client.clone(), &release.work),
            maps: Api::namespaced(release.client.clone(), &release.work),
        }
    }

    pub(crate) async fn secret(&self, namespace: &str, name: &str) -> Result<()> {
        self.secret_with(namespace, name, DEFAULT_PUBLIC_KEY).await
    }

    /// With another public key.
    pub(crate) async fn secret_with(&self, namespace: &str, name: &str, public: &str) -> Result<()> {
        let secret: Secret = serde_json::from_value(json!({
            "metadata": {"name": name},
            "stringData": {"publicApiKey": public, "privateApiKey": DEFAULT_PRIVATE_KEY},
        }))?;
        let secrets = Api::namespaced(self.release.client.clone(), namespace);
        secrets.create(&PostParams::default(), &secret).await?;
        Ok(())
    }

    pub(crate) async fn declare(&self, name: &str, fields: Value) -> Result<()> {
        let mut spec = json!({"projectId": DEFAULT_PROJECT, "instanceName": DEFAULT_INSTANCE});
        for (field, value) in fields.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        let object = serde_json::from_value(json!({
            "apiVersion": "atlas.spe-operator.io/v1alpha1",
            "kind": "ServerlessPrivateEndpoint",
            "metadata": {"name": name, "labels": {"release": self.release.name}},
            "spec": spec,
        }))?;
        self.objects.create(&PostParams::default(), &object).await?;
        Ok(())
    }

    pub(crate) async fn edit(&self, name: &str, spec: Value) -> Result<()> {
        let patch = Patch::Merge(json!({ "spec": spec }));
        self.objects.patch(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Requests a reconcile at once, and again after each: a new request for every response, since a change every
    /// moment would restart it for ever.
    async fn reconcile_now(&self, name: &str) -> Result<()> {
        const REQUEST: &str = "reconcile.fluxcd.io/requestedAt";
        let object = self.objects.get(name).await?;
        let requested = object.annotations().get(REQUEST);
        if requested == object.status.as_ref().and_then(|status| status.last_handled_reconcile_at.as_ref()) {
            let now = jiff::Timestamp::now().to_string();
            let patch = Patch::Merge(json!({"metadata": {"annotations": {REQUEST: now}}}));
            self.objects.patch(name, &PatchParams::default(), &patch).await?;
        }
        Ok(())
    }

    /// Creates another operator's object that already knows an endpoint.
    async fn network(&self, source: EndpointSource, id: &str) -> Result<()> {
        let kind = kind(source);
        let endpoints: Api<DynamicObject> =
            Api::namespaced_with(self.release.client.clone(), &self.release.work, &kind);
        let mut object =
            json!({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "network"}});
        put(&mut object, source.id_path(), id);
        if !source.address_path().is_empty() {
            put(&mut object, source.address_path(), "10.0.0.4");
        }
        endpoints.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
        Ok(())
    }

    /// Deletes the object and waits until it is gone.
    pub(crate) async fn delete(&self, name: &str) -> Result<()> {
        self.objects.delete(name, &DeleteParams::default()).await?;
        self.until("gone", async || Ok(self.objects.get_opt(name).await?.is_none())).await
    }

    /// Creates the object of a dedicated cluster, waits until it is Ready, and returns it.
    async fn until_declared(
        &self,
        kind: &str,
        name: &str,
        spec: Value,
    ) -> Result<(Api<DynamicObject>, Value)> {
        let object = json!({
            "apiVersion": "atlas.spe-operator.io/v1alpha1",
            "kind": kind,
            "metadata": {"name": name, "labels": {"release": self.release.name}},
            "spec": spec,
        });
        let objects = kinds::api_of(&self.release.client, &object, Some(&self.release.work)).await?;
        objects.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
        let current = async || Ok::<_, anyhow::Error>(serde_json::to_value(objects.get(name).await?)?);
        let is_ready = async || {
            let conditions = current().await?["status"]["conditions"].take();
            let mut all = conditions.as_array().into_iter().flatten();
            Ok(all.any(|one| one["type"] == "Ready" && one["status"] == "True"))
        };
        if let Err(error) = self.until(&format!("{kind} {name} Ready"), is_ready).await {
            bail!("{error:#}: {}", current().await?["status"]);
        }
        let ready = current().await?;
        Ok((objects, ready))
    }

    /// Waits until it holds, with repeated reconciles.
    async fn until(&self, what: &str, holds: impl AsyncFn() -> Result<bool>) -> Result<()> {
        let held = async {
            while !holds().await? {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok(())
        };
        match tokio::time::timeout(PATIENCE, held).await {
            Ok(result) => result,
            Err(_) => bail!("never {what}"),
        }
    }

    pub(crate) async fn until_ready_says(&self, name: &str, reason: &str) -> Result<()> {
        let says = async || {
            let object = self.objects.get(name).await?;
            let current = object.metadata.generation;
            Ok(object.status.is_some_and(|status| {
                Some(status.observed_generation) == current
                    && status.conditions.iter().any(|found| found.type_ == "Ready" && found.reason == reason)
            }))
        };
        self.until(&format!("{name} {reason}"), says).await
    }
}

/// Everything that needs a right, from the start of the operator to its end.
async fn all_of_its_work(release: &Release, operator: &Process) -> Result<()> {
    let user = User::on(release);
    user.secret(&release.work, "atlas-api").await?;
    user.secret(&release.home, "shared").await?;
    let map = json!({"metadata": {"name": "network"}, "data": {"vpce": "vpce-0a1b2c3d4e5f60703"}});
    user.maps.create(&PostParams::default(), &serde_json::from_value(map)?).await?;
    let entry = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "key": "vpce"});
    the_work_for_a_dedicated_cluster(&user).await?;
    the_work_with_other_clouds(&user).await?;
    // The first uses the operator's own default credentials.
    user.declare("ack", json!({"cloudProviderEndpointRef": reference(EndpointSource::Ack)})).await?;
    let credentials = json!({"name": "atlas-api"});
    user.declare(
        "upbound",
        json!({
            "cloudProviderEndpointRef": reference(EndpointSource::UpboundAws),
            "credentialsRef": credentials,
        }),
    )
    .await?;
    user.declare(
        "map",
        json!({
            "cloudProviderEndpointRef": entry("nothing"),
            "credentialsRef": credentials,
            "outputConfigMap": {"name": "output"},
        }),
    )
    .await?;
    for name in ["ack", "upbound", "map"] {
        user.until_ready_says(name, "ReferenceNotFound").await?;
    }
    user.network(EndpointSource::Ack, "vpce-0a1b2c3d4e5f60701").await?;
    user.network(EndpointSource::UpboundAws, "vpce-0a1b2c3d4e5f60702").await?;
    // An event that is published twice becomes a series, which is a change of the first.
    user.edit("map", json!({"cloudProviderEndpointRef": entry("network")})).await?;
    user.until_ready_says("map", "Available").await?;
    user.edit("map", json!({"cloudProviderEndpointRef": entry("nothing")})).await?;
    user.until_ready_says("map", "ReferenceNotFound").await?;
    user.edit("map", json!({"cloudProviderEndpointRef": entry("network")})).await?;
    for name in ["ack", "upbound", "map"] {
        user.until_ready_says(name, "Available").await?;
    }
    let is_known = async || {
        let map = user.maps.get_opt("output").await?;
        Ok(map.and_then(|map| map.data).is_some_and(|data| data.contains_key("privateSrvAddress")))
    };
    user.until("the private address is written", is_known).await?;
    let events: Api<Event> = Api::namespaced(release.client.clone(), &release.work);
    let repeated = async || {
        let events = events.list(&ListParams::default()).await?;
        Ok(events
            .items
            .iter()
            .any(|event| event.reason.as_deref() == Some("ReferenceNotFound") && event.series.is_some()))
    };
    user.until("repeated an event", repeated).await?;
    // The output of a lost endpoint is deleted. Its successor takes its time, so that there is nothing to write yet.
    release.atlas.set_pace(Pace::of(Duration::from_secs(20)));
    let before = user.maps.get("output").await?.metadata.uid;
    let lost = user.objects.get("map").await?.status.and_then(|status| status.id).unwrap_or_default();
    ensure!(release.atlas.remove_endpoint(&lost), "Atlas has no {lost}");
    let forgotten = async || {
        user.reconcile_now("map").await?;
        Ok(user.maps.get_opt("output").await?.is_none_or(|map| map.metadata.uid != before))
    };
    user.until("forgot the lost endpoint", forgotten).await?;
    release.atlas.set_pace(pace());
    for name in ["ack", "upbound", "map"] {
        user.objects.delete(name, &DeleteParams::default()).await?;
    }
    let gone = async || Ok(user.objects.list(&ListParams::default()).await?.items.is_empty());
    user.until("gone", gone).await?;
    ensure!(release.atlas.endpoints(DEFAULT_PROJECT, DEFAULT_INSTANCE).is_empty(), "Atlas is not empty");
    operator.signal(Signal::TERM)?;
    let end = operator.wait(PATIENCE).await?;
    ensure!(end.success(), "the operator ended with {end}");
    let leases: Api<Lease> = Api::namespaced(release.client.clone(), &release.home);
    let holder = leases.get(&release.name).await?.spec.and_then(|spec| spec.holder_identity);
    ensure!(holder.as_deref() == Some(""), "the Lease is still held by {holder:?}");
    Ok(())
}

/// A reference to the object `network` of another operator.
fn reference(source: EndpointSource) -> Value {
    let (api_version, kind) = source.api_version_and_kind();
    json!({"apiVersion": api_version, "kind": kind, "name": "network"})
}

/// Writes a text at a path of keys, where a number begins a list.
fn put(object: &mut Value, path: &[&str], text: &str) {
    let place = path.iter().fold(object, |place, part| match part.parse::<usize>() {
        Ok(index) => {
            *place = json!([{}]);
            &mut place[index]
        }
        Err(_) => &mut place[*part],
    });
    *place = text.into();
}

/// Endpoints of Azure and Google Cloud, each named by an object of another operator.
async fn the_work_with_other_clouds(user: &User<'_>) -> Result<()> {
    let atlas = &user.release.atlas;
    for (source, provider, region, block) in [
        (EndpointSource::AzureServiceOperator, "AZURE", "US_EAST_2", "azure"),
        (EndpointSource::UpboundAzure, "AZURE", "EUROPE_WEST", "azure"),
        (EndpointSource::ConfigConnector, "GCP", "CENTRAL_US", "gcp"),
        (EndpointSource::UpboundGcp, "GCP", "WESTERN_EUROPE", "gcp"),
    ] {
        let name = format!("network-{}", region.to_lowercase().replace('_', "-"));
        let mut spec = json!({
            "projectId": DEFAULT_PROJECT, "provider": provider, "region": region, "credentialsRef": {"name": "atlas-api"},
        });
        if block == "gcp" {
            spec["gcp"] = json!({"portMapping": true});
        }
        let (services, service) = user.until_declared("PrivateEndpointService", &name, spec).await?;
        let status = &service["status"];
        // In cluster scope an operator sees the objects of all releases: no two may declare one endpoint.
        let own = format!("{}-{name}", user.release.name);
        let id = if block == "azure" {
            let id = format!(
                "/subscriptions/1/resourceGroups/g/providers/Microsoft.Network/privateEndpoints/{own}"
            );
            let service = status["privateLinkServiceResourceId"].as_str().unwrap_or_default();
            atlas.make_private_endpoint(&id, service);
            id
        } else {
            let attachment = status["serviceAttachmentNames"][0].as_str().unwrap_or_default();
            atlas.make_forwarding_rule("shop-1", &own, attachment)
        };
        user.network(source, &id).await?;
        let mut spec = json!({"serviceRef": {"name": name}});
        spec[block] = json!({"ref": reference(source)});
        let (endpoints, _) = user.until_declared("PrivateEndpoint", &name, spec).await?;
        for objects in [endpoints, services] {
            objects.delete(&name, &DeleteParams::default()).await?;
            let is_gone = async || Ok(objects.get_opt(&name).await?.is_none());
            user.until("gone", is_gone).await?;
        }
    }
    Ok(())
}

/// An endpoint of a dedicated cluster, from its service to its end.
async fn the_work_for_a_dedicated_cluster(user: &User<'_>) -> Result<()> {
    let spec = json!({
        "projectId": DEFAULT_PROJECT, "provider": "AWS", "region": "EU_WEST_1", "credentialsRef": {"name": "atlas-api"},
    });
    let (services, service) = user.until_declared("PrivateEndpointService", "dedicated", spec).await?;
    let name = service["status"]["endpointServiceName"].as_str().unwrap_or_default();
    user.release.atlas.make_vpc_endpoint(REGISTERED, name);
    let spec = json!({
        "serviceRef": {"name": "dedicated"}, "aws": {"id": REGISTERED}, "clusters": [DEFAULT_CLUSTER],
    });
    let (endpoints, _) = user.until_declared("PrivateEndpoint", "dedicated", spec).await?;
    for objects in [endpoints, services] {
        objects.delete("dedicated", &DeleteParams::default()).await?;
        let gone = async || Ok(objects.get_opt("dedicated").await?.is_none());
        user.until("gone", gone).await?;
    }
    ensure!(user.release.atlas.services(DEFAULT_PROJECT).is_empty(), "Atlas has a service");
    Ok(())
}

/// Runs once with all rights but `without`.
///
/// # Errors
/// The operation that failed although nothing was forbidden; else the result is what was forbidden.
async fn run(mode: Mode, without: Option<&Right>) -> Result<Vec<String>> {
    let mut release = Release::new(mode).await?;
    release.grant(without).await?;
    let operator = release.operator().await?;
    tokio::select! {
        done = all_of_its_work(&release, &operator) => if release.refused().is_empty() { done? },
        () = release.until_refused() => {}
    }
    Ok(release.refused())
}

#[tokio::test]
async fn a_kind_that_is_switched_off_takes_its_rights_with_it_and_nothing_else() {
    install_definitions().await;
    for mode in [Mode::Cluster, Mode::Namespaced] {
        let mut release =
            Release::with(mode, &["kinds.serverlessPrivateEndpoint.enabled=false"]).await.unwrap();
        let resources: BTreeSet<_> = release.rights().into_iter().map(|right| right.resource).collect();
        assert!(!resources.iter().any(|resource| resource.starts_with("serverless")), "{resources:#?}");
        release.grant(None).await.unwrap();
        let _operator = release.operator().await.unwrap();
        let user = User::on(&release);
        user.secret(&release.work, "atlas-api").await.unwrap();
        the_work_for_a_dedicated_cluster(&user).await.unwrap();
        assert_eq!(release.refused(), <[String; 0]>::default());
        assert_eq!(
            release.recording.count(|exchange| exchange.path.contains("serverlessprivateendpoints")),
            0
        );
    }
}

async fn each_right_is_needed(mode: Mode) {
    install_definitions().await;
    assert_eq!(run(mode, None).await.unwrap(), <[String; 0]>::default());
    let rights = Release::new(mode).await.unwrap().rights();
    assert!(rights.len() >= 30, "{rights:#?}");
    let runs = rights.into_iter().map(|right| async move { (run(mode, Some(&right)).await, right) });
    let mut runs = stream::iter(runs).buffer_unordered(MAX_CONCURRENT);
    let mut idle = Vec::new();
    while let Some((refused, right)) = runs.next().await {
        let refused = refused.unwrap_or_else(|error| panic!("without {right:?}: {error:#}"));
        println!("without {} {}: {refused:?}", right.verb, right.resource);
        if refused.is_empty() {
            idle.push(right);
        }
    }
    assert!(idle.is_empty(), "granted without need: {idle:#?}");
}

#[tokio::test]
async fn each_right_of_the_cluster_scope_is_needed() {
    each_right_is_needed(Mode::Cluster).await;
}

#[tokio::test]
async fn each_right_of_the_namespaced_scope_is_needed() {
    each_right_is_needed(Mode::Namespaced).await;
}
