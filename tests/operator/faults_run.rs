//! Takes one row of a table through its life: the fault is committed, the operator says what it is expected to say, the fault
//! ends, and what is left in Atlas is exactly what the manifest declares.

use std::sync::Arc;
use std::time::Duration;

use atlas_simulator::{
    AccessList, DEFAULT_INSTANCE, DEFAULT_PRIVATE_KEY, Entry, How, Key, Operation, Place, Role, Rule,
};
use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use spe_operator::api::ServerlessPrivateEndpoint;

use crate::bench::{Bench, condition};
use crate::faults_row::{Cure, End, Holds, Row, Says, When, World, known};
use crate::faults_witness::Witness;

/// Runs all rows of a world, some at a time, and fails with the name of each that failed.
pub(crate) async fn run(world: &World) {
    let bench = Bench::new().await;
    for name in world.settings {
        let How::Settings(set) = known(name).how else { panic!("{name} is no setting") };
        bench.atlas.configure(set);
    }
    let flags: Vec<_> = world.flags.iter().copied().chain(["--concurrency=100"]).collect();
    let _operator = bench.operator_with(&flags);
    let witness = Witness::of(&bench.objects);
    let rows = world.rows().enumerate().map(|(number, row)| {
        let trial = Trial::of(&bench, &witness, row, number);
        async move { trial.run().await.map_err(|why| format!("{}: {why}", trial.title())) }
    });
    let results: Vec<_> = futures::stream::iter(rows).buffer_unordered(32).collect().await;
    let failed: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{} rows failed:\n\n{}", failed.len(), failed.join("\n\n"));
}

/// A row on its way.
pub(crate) struct Trial<'a> {
    pub(crate) bench: &'a Bench,
    pub(crate) witness: &'a Witness,
    pub(crate) row: &'static Row,
    pub(crate) name: String,
    pub(crate) project: String,
}

pub(crate) type Outcome = Result<(), String>;

impl<'a> Trial<'a> {
    fn of(bench: &'a Bench, witness: &'a Witness, row: &'static Row, number: usize) -> Self {
        let slug: String = row.fault.chars().filter(char::is_ascii_alphanumeric).take(30).collect();
        let name = format!("row-{number:03}-{}", slug.to_ascii_lowercase());
        Self { bench, witness, row, name, project: format!("{:024x}", number + 1) }
    }

    fn title(&self) -> String {
        let Row { fault, on, when, also, .. } = self.row;
        format!("{fault} on {on:?}, {when:?}, with {also:?} ({})", self.name)
    }

    async fn run(&self) -> Outcome {
        let asking = async {
            for word in 0_u64.. {
                tokio::time::sleep(Duration::from_secs(2)).await;
                if self.row.asks {
                    self.look(&format!("{word}")).await;
                }
            }
        };
        tokio::select! {
            outcome = self.live() => outcome,
            () = asking => Ok(()),
        }
    }

    async fn live(&self) -> Outcome {
        let row = self.row;
        self.bench.atlas.add_instance(&self.project, DEFAULT_INSTANCE);
        self.put_key(row.key).await;
        for map in row.maps {
            let map = serde_json::from_str(map).unwrap();
            self.api::<ConfigMap>().await.create(&PostParams::default(), &map).await.unwrap();
        }
        if row.when == When::Created {
            self.commit();
            self.create().await;
        } else {
            self.create().await;
            self.until_ready(0).await?;
            self.commit();
        }
        let before = self.witness.versions(&self.name).len();
        match row.when {
            When::Created => {}
            When::Ready => {
                self.look("fault").await;
                self.until_looked("fault").await?;
            }
            When::Deleted => self.bench.delete(&self.name).await,
        }
        self.edit(row.edit).await;
        self.until_said(row.says).await?;
        for (operation, count) in row.requests {
            self.until_asked(*operation, *count).await?;
        }
        if row.stays_ready {
            self.was_ready_since(before)?;
        }
        let lasts = row.cure == Cure::Patience;
        if !lasts {
            self.is_met()?;
        }
        let mark = self.witness.versions(&self.name).len();
        self.cure().await;
        self.until_said(row.then).await?;
        self.until_end(mark).await?;
        if lasts {
            self.is_met()?;
        }
        self.check_events().await?;
        self.check_messages()
    }

    pub(crate) async fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.bench.control_plane.client().await.unwrap(), &self.bench.namespace)
    }

    /// Accepts the row's own key in Atlas, and writes its Secret anew.
    async fn put_key(&self, holds: Holds) {
        let atlas = &self.bench.atlas;
        let project = match holds {
            Holds::Stranger => "c".repeat(24),
            _ => self.project.clone(),
        };
        let role = if holds == Holds::Reader { Role::ReadOnly } else { Role::Owner };
        let key = Key {
            refused_by: (holds == Holds::Elsewhere).then_some(AccessList::Organization),
            ..Key::of_project(DEFAULT_PRIVATE_KEY, &project, role)
        };
        let pair = if holds == Holds::Account {
            atlas.configure(|settings| {
                settings.service_accounts.insert(self.name.clone(), key);
            });
            ["clientId", "clientSecret"]
        } else {
            atlas.add_key(&self.name, key);
            ["publicApiKey", "privateApiKey"]
        };
        if holds == Holds::Nothing {
            return;
        }
        let secret: Secret = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": self.name, "annotations": {"written": format!("{:?}", atlas.now())}},
            "stringData": {pair[0]: self.name, pair[1]: DEFAULT_PRIVATE_KEY},
        }))
        .unwrap();
        let apply = PatchParams::apply("test").force();
        self.api::<Secret>().await.patch(&self.name, &apply, &Patch::Apply(&secret)).await.unwrap();
    }

    async fn create(&self) {
        let annotations: Value = serde_json::from_str(self.row.annotations).unwrap();
        let mut spec: Value = serde_json::from_str(self.row.spec).unwrap();
        spec["projectId"] = json!(self.project);
        spec["instanceName"] = json!(DEFAULT_INSTANCE);
        spec["credentialsRef"] = json!({"name": self.name});
        let object = json!({
            "apiVersion": "atlas.spe-operator.io/v1alpha1",
            "kind": "ServerlessPrivateEndpoint",
            "metadata": {"name": self.name, "annotations": annotations},
            "spec": spec,
        });
        let object = serde_json::from_value(object).unwrap();
        self.bench.objects.create(&PostParams::default(), &object).await.unwrap();
    }

    /// Begins the fault, and what else goes wrong.
    fn commit(&self) {
        self.commit_one(self.row.fault, self.row.on);
        for name in self.row.also {
            let every = match known(name).how {
                How::Requests { on, .. } => on,
                _ => &[],
            };
            self.commit_one(name, every);
        }
    }

    fn commit_one(&self, name: &str, on: &[Operation]) {
        let known = known(name);
        match known.how {
            How::Settings(_) => {}
            How::OutOfBand(_) => self.happen(name),
            How::Requests { .. } => {
                for operation in on {
                    for mut rule in known.rules(&[*operation]) {
                        self.narrow(&mut rule);
                        self.bench.atlas.inject(rule);
                    }
                }
            }
        }
    }

    /// Only requests about this row: by its project, or by its account where the request names no project.
    fn narrow(&self, rule: &mut Rule) {
        if rule.on.operations == [Operation::Token] {
            rule.on.key = Some(self.name.clone());
        } else {
            rule.on.project = Some(self.project.clone());
        }
    }

    fn is_against_us(&self, rule: &Rule) -> bool {
        rule.on.project.as_ref() == Some(&self.project) || rule.on.key.as_ref() == Some(&self.name)
    }

    fn happen(&self, name: &str) {
        let How::OutOfBand(act) = known(name).how else { panic!("{name} does not happen out of band") };
        let endpoint = self.last().and_then(|object| object.status.as_ref()?.id.clone()).unwrap_or_default();
        act(
            &self.bench.atlas,
            &Place { project: &self.project, instance: DEFAULT_INSTANCE, endpoint: &endpoint },
        );
    }

    async fn cure(&self) {
        let atlas = &self.bench.atlas;
        match self.row.cure {
            Cure::Patience => return,
            Cure::Edit(fields) => return self.edit(fields).await,
            Cure::OutOfBand(name) => self.happen(name),
            Cure::Behave => {}
        }
        atlas.withdraw(|rule| self.is_against_us(rule));
        let key = if self.row.key == Holds::Account { Holds::Account } else { Holds::Owner };
        self.put_key(key).await;
        if self.row.when != When::Deleted {
            self.look("cured").await;
        }
    }

    async fn edit(&self, fields: &str) {
        if !fields.is_empty() {
            self.bench.edit(&self.name, serde_json::from_str(fields).unwrap()).await;
        }
    }

    /// Asks for a look; an object that is gone by now needs none.
    async fn look(&self, word: &str) {
        let annotations = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": word}}});
        let _ =
            self.bench.objects.patch(&self.name, &PatchParams::default(), &Patch::Merge(annotations)).await;
    }

    async fn until_looked(&self, word: &str) -> Outcome {
        let looked = |object: &ServerlessPrivateEndpoint| {
            object.status.as_ref().and_then(|status| status.last_handled_reconcile_at.as_deref())
                == Some(word)
        };
        self.witness
            .until(&self.name, "looked at", |versions| versions.iter().any(|object| looked(object)))
            .await
    }

    pub(crate) fn last(&self) -> Option<Arc<ServerlessPrivateEndpoint>> {
        self.witness.versions(&self.name).pop()
    }

    async fn until_said(&self, all: &[Says]) -> Outcome {
        for says in all {
            let what = format!("{says:?}");
            self.witness
                .until(&self.name, &what, |versions| versions.iter().any(|object| is_said(object, says)))
                .await?;
        }
        Ok(())
    }

    /// Ready and Synced for its present generation, in a version after the first `count`.
    async fn until_ready(&self, count: usize) -> Outcome {
        let ready = |object: &ServerlessPrivateEndpoint| {
            let is = |kind| condition(object, kind).is_some_and(|condition| condition.status == "True");
            let observed = object.status.as_ref().map(|status| status.observed_generation);
            is("Ready") && is("Synced") && observed == object.metadata.generation
        };
        self.witness
            .until(&self.name, "ready", |versions| {
                versions.len() > count && versions.last().is_some_and(|object| ready(object))
            })
            .await
    }

    fn was_ready_since(&self, count: usize) -> Outcome {
        let versions = self.witness.versions(&self.name);
        let lost = versions[count.min(versions.len())..]
            .iter()
            .find_map(|object| condition(object, "Ready").filter(|ready| ready.status != "True"));
        lost.map_or(Ok(()), |ready| Err(format!("Ready was lost: {} {}", ready.reason, ready.message)))
    }

    pub(crate) fn is_ours(&self, entry: &Entry) -> bool {
        entry.project.as_ref() == Some(&self.project) || entry.key.as_ref() == Some(&self.name)
    }

    /// Waits for so many requests of this kind, executed or not.
    async fn until_asked(&self, operation: Operation, count: usize) -> Outcome {
        let ours = |entry: &Entry| entry.is(operation) && entry.challenged.is_none() && self.is_ours(entry);
        for _ in 0..600 {
            if self.bench.atlas.count(ours) >= count {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(format!("never {count} requests to {operation:?}"))
    }

    async fn until_end(&self, mark: usize) -> Outcome {
        match self.row.end {
            End::Ready => {
                self.until_ready(if self.row.cure == Cure::Patience { 0 } else { mark }).await?;
                self.until_addressed().await?;
                self.check_atlas()?;
            }
            End::Stays(reason) => {
                let holds = |object: &ServerlessPrivateEndpoint| {
                    condition(object, "Ready").is_some_and(|ready| ready.reason == reason.as_str())
                };
                let what = format!("left as {reason}");
                self.witness
                    .until(&self.name, &what, |versions| versions.last().is_some_and(|object| holds(object)))
                    .await?;
                self.check_atlas()?;
            }
            End::Gone(left) => return self.until_gone(left).await,
        }
        if self.row.cure != Cure::Patience {
            self.bench.atlas.withdraw(|rule| self.is_against_us(rule));
        }
        self.bench.objects.delete(&self.name, &DeleteParams::default()).await.unwrap();
        self.until_gone(self.row.left).await
    }

    async fn until_gone(&self, left: usize) -> Outcome {
        let gone = async {
            while self.bench.objects.get_opt(&self.name).await.unwrap().is_some() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(90), gone).await.is_err() {
            return self.witness.until(&self.name, "gone", |_| false).await;
        }
        let endpoints = self.bench.atlas.endpoints(&self.project, DEFAULT_INSTANCE);
        if endpoints.len() != left {
            return Err(format!("{} endpoints are left instead of {left}: {endpoints:?}", endpoints.len()));
        }
        self.check_posts()
    }

    /// Where an output is wanted, its last entry comes once Atlas shows it.
    async fn until_addressed(&self) -> Outcome {
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

fn is_said(object: &ServerlessPrivateEndpoint, says: &Says) -> bool {
    let Says(kind, status, reason, words) = says;
    condition(object, kind.as_str()).is_some_and(|condition| {
        (condition.status == "True") == *status
            && condition.reason == reason.as_str()
            && words.iter().all(|word| condition.message.contains(word))
    })
}
