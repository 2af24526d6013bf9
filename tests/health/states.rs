//! States of the two kinds of dedicated clusters: what is brought about for a row of their tables, and how the rows are checked. It never
//! decides what a tool has to say: the rows do.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use atlas_simulator::{InjectedFault, Operation, Rule, Termination};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};
use test_support::SECRET;
use test_support::dedicated::{DedicatedFixture, KindApi, condition_of};
use testbed::Process;

use crate::kubectl::wait;
use crate::page::HealthTable;

/// How long a phase of Atlas takes in a test.
pub(crate) const PHASE: Duration = Duration::from_millis(300);

/// How long a phase takes that has to last until the object is judged.
pub(crate) const FOREVER: Duration = Duration::from_hours(1);

/// How many states are brought about at once: most of their time they wait.
const CONCURRENT: usize = 6;

/// An object in a state of a table, and the operator if it has to keep running.
pub(crate) type InState = (Value, Option<Process>);

/// Brings about each state of the table, and fails unless the tools judge the object as the row says, and `kubectl wait` ends where they
/// say so.
pub(crate) async fn check(
    table: &HealthTable,
    object: &str,
    bring_about: impl for<'a> Fn(&'a DedicatedFixture, String) -> BoxFuture<'a, InState>,
) {
    let judged = stream::iter(table.states()).map(async |state: String| {
        let fixture = DedicatedFixture::new().await;
        // The message of a panic is printed; here its state is remembered.
        let reached = AssertUnwindSafe(bring_about(&fixture, state.clone())).catch_unwind().await;
        let Ok((found, operator)) = reached else { return Err(state) };
        let mut ends = [false, false];
        for (end, condition) in ends.iter_mut().zip(["Ready", "Stalled"]) {
            let what = format!("condition={condition}");
            *end = wait(&fixture.base, object, &what, Duration::ZERO).await.is_ok();
        }
        drop(operator);
        Ok((state, found, ends))
    });
    let all: Vec<_> = judged.buffered(CONCURRENT).collect().await;
    let missed: Vec<_> = all.iter().filter_map(|judged| judged.as_ref().err()).collect();
    assert!(missed.is_empty(), "these states were never reached: {missed:?}");
    let judged: Vec<_> = all.into_iter().flatten().collect();
    let objects: Vec<Value> = judged.iter().map(|(_, object, _)| object.clone()).collect();
    let verdicts = table.check(&objects).await;
    for ((state, object, ends), verdict) in judged.iter().zip(verdicts) {
        // A deleted object can be stalled, too, and is Terminating nevertheless.
        let is_stalled = condition_of(object, "Stalled")["status"] == "True";
        let expected = [verdict.kstatus.status == "Current", is_stalled];
        assert_eq!(*ends, expected, "{state}: `kubectl wait` for Ready, and for Stalled, ends");
    }
}

/// Lets the operator list the services once more, and returns the object, of which the operator writes nothing.
pub(crate) async fn looked_once(fixture: &DedicatedFixture, objects: &KindApi, name: &str) -> Value {
    let listings = |fixture: &DedicatedFixture| fixture.executed(Operation::ListServices);
    let before = listings(fixture);
    objects.annotate(name, json!({"reconcile.fluxcd.io/requestedAt": "noticed"})).await;
    fixture.until_atlas("a listing", |fixture| listings(fixture) > before).await;
    objects.get(name).await
}

/// Makes a `ConfigMap` that is not the operator's.
pub(crate) async fn make_foreign_config_map(fixture: &DedicatedFixture, name: &str) {
    let client = fixture.base.control_plane.client().await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(client, fixture.services.namespace());
    let foreign = json!({"metadata": {"name": name}, "data": {"serviceId": "mine"}});
    maps.create(&PostParams::default(), &serde_json::from_value(foreign).unwrap()).await.unwrap();
}

/// Waits until a new object is younger by its creationTimestamp, which has whole seconds.
pub(crate) async fn a_second_later() {
    tokio::time::sleep(Duration::from_millis(1100)).await;
}

/// A fault of Atlas, or of the credentials, that lasts.
#[derive(Clone, Copy)]
pub(crate) enum Trouble {
    /// The Secret is gone.
    SecretMissing,
    /// Every request gets this response, and the condition this reason.
    Responds(fn() -> Termination, &'static str),
}

impl Trouble {
    /// Returns the fault that a row names.
    pub(crate) fn named(what: &str) -> Self {
        match what {
            "Secret missing" => Self::SecretMissing,
            "401" => Self::Responds(|| Termination::Unauthenticated, "Unauthorized"),
            "403" => Self::Responds(|| Termination::IpNotOnAccessList, "Forbidden"),
            "project not found" => Self::Responds(|| Termination::GroupNotFound, "ProjectNotFound"),
            "429" => Self::Responds(|| Termination::RateLimited { retry_after: None }, "RateLimited"),
            "5xx" => Self::Responds(|| Termination::HtmlUnavailable, "AtlasUnavailable"),
            "API retired" => Self::Responds(|| Termination::VersionGone, "ApiRetired"),
            _ => panic!("{what:?} is no fault of this table"),
        }
    }

    /// Lets it begin.
    pub(crate) async fn begin(self, fixture: &DedicatedFixture) {
        match self {
            Self::SecretMissing => {
                fixture.base.secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
            }
            Self::Responds(termination, _) => {
                fixture.base.atlas.inject(Rule::always(InjectedFault::NotExecuted(termination())));
            }
        }
    }

    /// Returns the reason that it is reported with.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::SecretMissing => "CredentialsNotFound",
            Self::Responds(_, reason) => reason,
        }
    }
}
