//! The harness of a plan: a namespace with one object, an Atlas with endpoints of other owners, and the user's actions.

use std::time::Duration;

use atlas_simulator::{ChallengeForm, DEFAULT_INSTANCE, DEFAULT_PROJECT, Endpoint, Pace};
use kube::ResourceExt;
use serde_json::{Value, json};
use spe_operator::serverless::crd::ServerlessPrivateEndpoint;
use test_support::{Fixture, PATIENCE, VPC_ENDPOINT};
use testbed::Exchange;
use tokio::time::timeout;

use crate::history::History;
use crate::judge::{Record, picture};
use crate::operator::ProxiedOperator;
use crate::requests::{ATLAS, is_lasting_watch};

/// The object's name.
pub(crate) const NAME: &str = "orders";

/// How long no write must be sent until a run counts as ended. Longer than the operator's longest poll.
pub(crate) const QUIET: Duration = Duration::from_millis(1200);

/// Phases of Atlas that are over at the next poll, so that the number of polls is constant.
const PACE: Pace = Pace { deleting: Duration::ZERO, ..Pace::of(Duration::from_millis(50)) };

/// The mark of another object, or of another cluster's object of this name.
const ANOTHERS_MARK: &str = "[k8s:bbbbbbbbbbbbbbbb]";

/// A part of an object's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Path {
    /// From no object to RESERVED, the start of the operator included.
    Create,
    /// From RESERVED to AVAILABLE.
    Attach,
    /// From RESERVED to deleted.
    Delete,
    /// From RESERVED to RESERVED: the start of an operator that finds the endpoint of a previous one.
    Restart,
}

impl Path {
    pub(crate) const ALL: [Self; 4] = [Self::Create, Self::Attach, Self::Delete, Self::Restart];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Attach => "attach",
            Self::Delete => "delete",
            Self::Restart => "restart",
        }
    }

    /// Returns whether the start of the operator counts.
    pub(crate) fn has_start(self) -> bool {
        matches!(self, Self::Create | Self::Restart)
    }
}

/// One namespace, one Atlas.
pub(crate) struct PlanFixture {
    pub(crate) base: Fixture,
    history: History,
    /// Endpoints of the same instance, as ready for use as the operator's: one created by hand, one with a mark.
    strangers: Vec<Endpoint>,
}

impl PlanFixture {
    pub(crate) async fn new() -> Self {
        let fixture = Fixture::at_pace(PACE).await;
        // Without counters (as the page of the API shows it): Atlas' memory of a later request must not keep a late
        // request from being executed.
        fixture.atlas.configure(|settings| settings.digest.form = ChallengeForm::Seed);
        let strangers = [None, Some(ANOTHERS_MARK.to_owned())].map(Endpoint::reserved).to_vec();
        for stranger in &strangers {
            fixture.atlas.insert_endpoint(DEFAULT_PROJECT, DEFAULT_INSTANCE, stranger.clone());
        }
        let history = History::start(fixture.objects.clone(), &fixture.atlas).await;
        Self { base: fixture, history, strangers }
    }

    pub(crate) async fn object(&self) -> Option<ServerlessPrivateEndpoint> {
        self.base.objects.get_opt(NAME).await.unwrap()
    }

    pub(crate) async fn picture(&self) -> Value {
        let mut endpoints = self.base.endpoints();
        endpoints.retain(|endpoint| self.strangers.iter().all(|stranger| stranger.id != endpoint.id));
        picture(self.object().await.as_ref(), &endpoints)
    }

    async fn reserved(&self) {
        self.base.until_reason(NAME, "Reserved").await;
    }

    /// Runs an operator before the one of the path, with its requests on the same recording. It finds the object new, so
    /// that an old listing shows it without claim and status.
    pub(crate) async fn former_life(&self, path: Path, operator: &mut ProxiedOperator) {
        if path == Path::Restart {
            self.base.create(NAME, json!({})).await;
            operator.launch();
            self.reserved().await;
            operator.until_quiet(QUIET).await;
            operator.stop().await;
        }
    }

    /// Prepares the beginning of the path.
    pub(crate) async fn ready(&self, path: Path, operator: &mut ProxiedOperator) {
        if path == Path::Restart {
            return;
        }
        operator.launch();
        if path == Path::Create {
            // A plan may keep it from ever watching; then the object comes all the same.
            let watches = operator.recording.wait_for(1, is_lasting_watch, Duration::from_secs(3));
            let _ = watches.await;
        } else {
            self.base.create(NAME, json!({})).await;
            self.reserved().await;
            operator.until_quiet(QUIET).await;
        }
    }

    /// Begins the path: the user's action, or the start of the operator.
    pub(crate) async fn act(&self, path: Path, operator: &mut ProxiedOperator) {
        match path {
            Path::Create => drop(self.base.create(NAME, json!({})).await),
            Path::Attach => {
                drop(self.base.edit(NAME, json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await);
            }
            Path::Delete => self.base.delete(NAME).await,
            Path::Restart => operator.launch(),
        }
    }

    /// Waits until a path without any fault has ended.
    pub(crate) async fn arrived(&self, path: Path, operator: &ProxiedOperator, before: usize) {
        match path {
            Path::Create => self.reserved().await,
            Path::Attach => drop(self.base.until_reason(NAME, "Available").await),
            Path::Delete => self.base.until_gone(NAME).await,
            Path::Restart => reconciled(operator, before).await.unwrap(),
        }
        operator.until_quiet(QUIET).await;
    }

    /// Deletes the object, unless the path has deleted it, and waits until no more writes are sent; returns when it was
    /// deleted.
    pub(crate) async fn end(
        &self,
        path: Path,
        acted_at: Duration,
        operators: &[&ProxiedOperator],
    ) -> Duration {
        let mut deleted_at = acted_at;
        if path != Path::Delete {
            deleted_at = self.base.atlas.now();
            self.base.delete(NAME).await;
        }
        self.base.until_gone(NAME).await;
        // What was sent before may still arrive.
        for operator in operators {
            timeout(PATIENCE, operator.until_quiet(QUIET)).await.expect("it goes on without an object");
        }
        deleted_at
    }

    /// Returns the record so far.
    pub(crate) async fn record(
        &self,
        deleted_at: Option<Duration>,
        operators: &[&ProxiedOperator],
    ) -> Record {
        // A marker, so that the watch has seen everything before it.
        let last = self.base.create("marker", json!({"suspend": true})).await;
        let version = last.resource_version().unwrap();
        let seen = self.history.until(&version);
        timeout(PATIENCE, seen).await.expect("the watch of the object stands still");
        let mut versions = self.history.versions();
        versions.retain(|version| version.object.name_any() == NAME);
        let is_strange = |id: &str| self.strangers.iter().find(|stranger| stranger.id == id);
        let (strangers, lives): (Vec<_>, Vec<_>) =
            self.base.atlas.timelines().into_iter().partition(|life| is_strange(&life.id).is_some());
        Record {
            lives,
            strangers: self.strangers.iter().cloned().zip(strangers).collect(),
            journal: self.base.atlas.journal(),
            processes: operators.iter().flat_map(|operator| operator.processes()).collect(),
            is_informed: operators.len() == 1,
            versions,
            deleted_at,
        }
    }
}

/// Waits until it has observed Atlas' endpoints, by a listing that it requested after so many requests.
pub(crate) async fn reconciled(operator: &ProxiedOperator, requests: usize) -> anyhow::Result<()> {
    let listing = |exchange: &Exchange| {
        let is_listing = (exchange.proxy.as_str(), exchange.method.as_str()) == (ATLAS, "GET");
        exchange.number > requests && is_listing && exchange.status == Some(200)
    };
    operator.recording.wait_for(1, listing, PATIENCE).await
}
