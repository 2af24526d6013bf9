//! Runs one row of a table: the fault begins, the operator reports the expected conditions, the fault ends, and Atlas
//! holds exactly what the manifest declares.

use std::sync::Arc;
use std::time::Duration;

use atlas_simulator::{DEFAULT_INSTANCE, How, JournalEntry};
use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use spe_operator::serverless::crd::ServerlessPrivateEndpoint;
use test_support::{Fixture, condition};

use crate::faults::row::{FaultEnd, FaultRow, FaultStart, FaultTable, Recovery, known};
use crate::faults::versions::Versions;

/// Runs all rows of a table, some in parallel, and fails with the name of each that failed.
pub(crate) async fn run(table: &FaultTable) {
    let fixture = Fixture::new().await;
    for name in table.settings {
        let How::Settings(set) = known(name).how else { panic!("{name} is no setting") };
        fixture.atlas.configure(set);
    }
    let flags: Vec<_> = table.flags.iter().copied().chain(["--concurrency=100"]).collect();
    let _operator = fixture.operator_with(&flags);
    let versions = Versions::record(&fixture.objects);
    let rows = table.rows().enumerate().map(|(number, row)| {
        let row_run = RowRun::of(&fixture, &versions, row, number);
        async move { row_run.run().await.map_err(|why| format!("{}: {why}", row_run.title())) }
    });
    let results: Vec<_> = futures::stream::iter(rows).buffer_unordered(32).collect().await;
    let failed: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{} rows failed:\n\n{}", failed.len(), failed.join("\n\n"));
}

/// A running row.
pub(crate) struct RowRun<'a> {
    pub(crate) fixture: &'a Fixture,
    pub(crate) versions: &'a Versions,
    pub(crate) row: &'static FaultRow,
    pub(crate) name: String,
    pub(crate) project: String,
}

pub(crate) type RowResult = Result<(), String>;

impl<'a> RowRun<'a> {
    fn of(fixture: &'a Fixture, versions: &'a Versions, row: &'static FaultRow, number: usize) -> Self {
        let slug: String = row.fault.chars().filter(char::is_ascii_alphanumeric).take(30).collect();
        let name = format!("row-{number:03}-{}", slug.to_ascii_lowercase());
        Self { fixture, versions, row, name, project: format!("{:024x}", number + 1) }
    }

    fn title(&self) -> String {
        let FaultRow { fault, on, when, also, .. } = self.row;
        format!("{fault} on {on:?}, {when:?}, with {also:?} ({})", self.name)
    }

    async fn run(&self) -> RowResult {
        let requests = async {
            for word in 0_u64.. {
                tokio::time::sleep(Duration::from_secs(2)).await;
                self.request_reconcile(&word.to_string()).await;
            }
        };
        tokio::select! {
            outcome = self.steps() => outcome,
            () = requests, if self.row.polls => Ok(()),
        }
    }

    async fn steps(&self) -> RowResult {
        let row = self.row;
        self.fixture.atlas.add_instance(&self.project, DEFAULT_INSTANCE);
        self.put_key(row.key).await;
        for map in row.maps {
            let map = serde_json::from_str(map).unwrap();
            self.api::<ConfigMap>().await.create(&PostParams::default(), &map).await.unwrap();
        }
        if row.when == FaultStart::Created {
            self.commit();
            self.create().await;
        } else {
            self.create().await;
            self.until_ready(0).await?;
            self.commit();
        }
        let before = self.versions.of(&self.name).len();
        match row.when {
            FaultStart::Created => {}
            FaultStart::Ready => {
                self.request_reconcile("fault").await;
                self.until_reconciled("fault").await?;
            }
            FaultStart::Deleted => self.fixture.delete(&self.name).await,
        }
        self.edit(row.edit).await;
        self.until_message(row.says).await?;
        for (operation, count) in row.requests {
            self.until_asked(*operation, *count).await?;
        }
        if row.stays_ready {
            self.was_ready_since(before)?;
        }
        let lasts = row.recovery == Recovery::ByItself;
        if !lasts {
            self.until_met().await?;
        }
        let mark = self.versions.of(&self.name).len();
        self.recover().await;
        self.until_message(row.then).await?;
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
        Api::namespaced(self.fixture.control_plane.client().await.unwrap(), &self.fixture.namespace)
    }

    pub(crate) fn last(&self) -> Option<Arc<ServerlessPrivateEndpoint>> {
        self.versions.of(&self.name).pop()
    }

    pub(crate) fn is_ours(&self, entry: &JournalEntry) -> bool {
        entry.project.as_ref() == Some(&self.project) || entry.key.as_ref() == Some(&self.name)
    }

    async fn until_end(&self, mark: usize) -> RowResult {
        match self.row.end {
            FaultEnd::Ready => {
                self.until_ready(if self.row.recovery == Recovery::ByItself { 0 } else { mark }).await?;
                self.until_addressed().await?;
                self.check_atlas()?;
            }
            FaultEnd::Stays(reason) => {
                let holds = |object: &ServerlessPrivateEndpoint| {
                    condition(object, "Ready").is_some_and(|ready| ready.reason == reason.as_str())
                };
                let what = format!("left as {reason}");
                self.versions
                    .until(&self.name, &what, |versions| versions.last().is_some_and(|object| holds(object)))
                    .await?;
                self.check_atlas()?;
            }
            FaultEnd::Gone(left) => return self.until_gone(left).await,
        }
        if self.row.recovery != Recovery::ByItself {
            self.fixture.atlas.withdraw(|rule| self.is_against_us(rule));
        }
        self.fixture.objects.delete(&self.name, &DeleteParams::default()).await.unwrap();
        self.until_gone(self.row.left).await
    }
}
