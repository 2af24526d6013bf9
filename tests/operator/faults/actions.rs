//! The actions of a row on its object, its credentials and Atlas.

use atlas_simulator::{
    AccessList, DEFAULT_INSTANCE, DEFAULT_PRIVATE_KEY, EndpointPath, How, Key, Operation, Role, Rule,
};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::faults::row::{FaultStart, Recovery, SecretContents, known};
use crate::faults::row_run::RowRun;

impl RowRun<'_> {
    /// Accepts the row's own key in Atlas, and rewrites its Secret.
    pub(crate) async fn put_key(&self, contents: SecretContents) {
        let atlas = &self.fixture.atlas;
        let project = match contents {
            SecretContents::Stranger => "c".repeat(24),
            _ => self.project.clone(),
        };
        let role = if contents == SecretContents::Reader { Role::ReadOnly } else { Role::Owner };
        let key = Key {
            refused_by: (contents == SecretContents::Elsewhere).then_some(AccessList::Organization),
            ..Key::of_project(DEFAULT_PRIVATE_KEY, &project, role)
        };
        let pair = if contents == SecretContents::Account {
            atlas.configure(|settings| {
                settings.service_accounts.insert(self.name.clone(), key);
            });
            ["clientId", "clientSecret"]
        } else {
            atlas.add_key(&self.name, key);
            ["publicApiKey", "privateApiKey"]
        };
        if contents == SecretContents::Nothing {
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

    pub(crate) async fn create(&self) {
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
        self.fixture.objects.create(&PostParams::default(), &object).await.unwrap();
    }

    /// Begins the fault, and its side effects.
    pub(crate) fn commit(&self) {
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
                        self.fixture.atlas.inject(rule);
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

    pub(crate) fn is_against_us(&self, rule: &Rule) -> bool {
        rule.on.project.as_ref() == Some(&self.project) || rule.on.key.as_ref() == Some(&self.name)
    }

    pub(crate) fn happen(&self, name: &str) {
        let How::OutOfBand(act) = known(name).how else { panic!("{name} does not happen out of band") };
        let endpoint = self.last().and_then(|object| object.status.as_ref()?.id.clone()).unwrap_or_default();
        act(
            &self.fixture.atlas,
            &EndpointPath { project: &self.project, instance: DEFAULT_INSTANCE, endpoint: &endpoint },
        );
    }

    pub(crate) async fn recover(&self) {
        let atlas = &self.fixture.atlas;
        match self.row.recovery {
            Recovery::ByItself => return,
            Recovery::Edit(fields) => return self.edit(fields).await,
            Recovery::OutOfBand(name) => self.happen(name),
            Recovery::Behave => {}
        }
        atlas.withdraw(|rule| self.is_against_us(rule));
        let key = if self.row.key == SecretContents::Account {
            SecretContents::Account
        } else {
            SecretContents::Owner
        };
        self.put_key(key).await;
        if self.row.when != FaultStart::Deleted {
            self.request_reconcile("recovered").await;
        }
    }

    pub(crate) async fn edit(&self, fields: &str) {
        if !fields.is_empty() {
            self.fixture.edit(&self.name, serde_json::from_str(fields).unwrap()).await;
        }
    }

    /// Requests a reconcile; a deleted object needs none.
    pub(crate) async fn request_reconcile(&self, word: &str) {
        let annotations = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": word}}});
        let _ =
            self.fixture.objects.patch(&self.name, &PatchParams::default(), &Patch::Merge(annotations)).await;
    }
}
