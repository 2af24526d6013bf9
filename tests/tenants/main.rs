//! What one tenant can do to the others: nothing. One operator for the whole cluster, one namespace that attacks it in
//! every known way, and another that must be served within a second all the while, by a program that never takes more
//! than 128 MiB.
//!
//! The tenant has the rights of the chart's `edit` role, the right to write Secrets and network access to the admin
//! port. A program of its own, and one test: any other load here would count as the tenant's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test helpers fail the test that calls them"
)]

mod attacks;
mod operator;

use std::time::Duration;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use atlas_simulator::{
    DEFAULT_PROJECT, DedicatedPace, InjectedFault, JournalEntry, Key, Match, Operation, Pace, Role, Rule,
    ServiceCourse, Simulator, Termination,
};
use serde_json::json;
use test_support::dedicated::{DedicatedFixture, REGION};
use tokio::time::Instant;

use crate::attacks::{ForeignNames, STRANGER, Tenant, WEBHOOK_HANGS, own_project};
use crate::operator::SharedOperator;

/// The maximum resident memory of the operator.
const LIMIT_MIB: f64 = 128.0;

/// How much longer an object may take beside an attack than alone.
const DELAY: Duration = Duration::from_secs(1);

/// The tenant's own API key, for which Atlas never responds.
const KEY: [&str; 2] = ["tenanten", "7d1f0a52-6d1e-4b97-a0c4-51e2d7f98b61"];

/// The objects of one namespace that name what belongs to others.
const FOREIGN: usize = 1_000;

/// The VPC endpoint of the neighbour.
const VPC_ENDPOINT: &str = "vpce-0a1b2c3d4e5f60718";

/// The namespace that must be served, and how long an object of each family takes there alone.
struct Neighbour {
    fixture: DedicatedFixture,
    alone: [Duration; 2],
}

impl Neighbour {
    /// Creates an object of each kind, and waits until each has in Atlas what it declares. Returns how long that took: the endpoint of
    /// an instance; a service and its endpoint.
    async fn serve(fixture: &DedicatedFixture, name: &str) -> [Duration; 2] {
        let begun = Instant::now();
        let of_instance = async {
            fixture.base.create(name, json!({})).await;
            fixture.base.until_reason(name, "Reserved").await;
            begun.elapsed()
        };
        let of_cluster = async {
            let mut hasher = DefaultHasher::new();
            name.hash(&mut hasher);
            let (project, id) =
                (format!("{:024x}", hasher.finish()), format!("vpce-{:017x}", hasher.finish()));
            fixture.apply_service(name, json!({"projectId": project})).await;
            fixture.apply_endpoint(name, name, &id, json!({})).await;
            fixture.endpoints.until_ready(name, "True", "Available").await;
            begun.elapsed()
        };
        let (of_instance, of_cluster) = tokio::join!(of_instance, of_cluster);
        [of_instance, of_cluster]
    }

    /// Returns whether this is no more than the delay longer than alone.
    fn is_served(&self, took: [Duration; 2]) -> bool {
        took.into_iter().zip(self.alone).all(|(took, alone)| took <= alone + DELAY)
    }

    /// Fails unless objects are served as soon as without an attack, and the operator is within its limit.
    async fn assert_served(&self, operator: &SharedOperator, attack: &str) {
        let mut took = Self::serve(&self.fixture, &format!("beside-{attack}")).await;
        if !self.is_served(took) {
            // A momentary stall of the machine does not count; the effects of the tenant persist.
            took = Self::serve(&self.fixture, &format!("again-beside-{attack}")).await;
        }
        let (peak, alone) = (operator.peak_mib(), self.alone);
        println!("{attack}: objects take {took:.1?} (alone {alone:.1?}), peak {peak:.1} MiB");
        assert!(self.is_served(took), "{attack}: objects take {took:.1?} instead of {alone:.1?}");
        assert!(peak <= LIMIT_MIB, "{attack}: the operator has taken {peak:.1} MiB");
    }

    /// Creates a service and an endpoint that the tenant knows of.
    async fn own(&self) -> NeighbourObjects {
        self.fixture.apply_service("main", json!({"deletionPolicy": "Delete"})).await;
        self.fixture.apply_endpoint("main", "main", VPC_ENDPOINT, json!({"deletionPolicy": "Delete"})).await;
        self.fixture.endpoints.until_ready("main", "True", "Available").await;
        let is_shown = |object: &serde_json::Value| object["status"]["endpointIds"] == json!([VPC_ENDPOINT]);
        self.fixture.services.until("main", "aware of the endpoint", is_shown).await;
        NeighbourObjects {
            versions: [
                self.fixture.services.version("main").await,
                self.fixture.endpoints.version("main").await,
            ],
            lives: lives(&self.fixture.base.atlas),
        }
    }

    /// Fails unless all that the neighbour owns is as it was, in the cluster and in Atlas.
    async fn assert_untouched(&self, owned: &NeighbourObjects) {
        let versions =
            [self.fixture.services.version("main").await, self.fixture.endpoints.version("main").await];
        assert_eq!(versions, owned.versions, "an object of another namespace was written");
        assert_eq!(lives(&self.fixture.base.atlas), owned.lives, "something of others was touched in Atlas");
        let is_tenants = |entry: &&JournalEntry| {
            entry.operation.is_some_and(Operation::is_write)
                && entry.executed()
                && entry.project.as_deref() == Some(DEFAULT_PROJECT)
                && entry.key.as_deref().is_some_and(|key| key == KEY[0] || key == STRANGER[0])
        };
        let journal = self.fixture.base.atlas.journal();
        let written: Vec<_> = journal.iter().filter(is_tenants).collect();
        assert!(written.is_empty(), "the tenant wrote in the project of others: {written:#?}");
    }
}

/// What a neighbour owns: the versions of its two objects, and the lives of its project in Atlas.
struct NeighbourObjects {
    versions: [String; 2],
    lives: Vec<ServiceCourse>,
}

fn lives(atlas: &Simulator) -> Vec<ServiceCourse> {
    atlas.service_courses().into_iter().filter(|life| life.project == DEFAULT_PROJECT).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_tenant_delays_another_namespace_by_a_second() {
    let fixture = DedicatedFixture::at_pace(DedicatedPace::of(Duration::from_millis(50))).await;
    let base = &fixture.base;
    base.atlas.configure(|settings| {
        settings.open = true;
        settings.pace = Pace::of(Duration::from_millis(50));
        settings.dedicated.vpc_endpoints_exist = true;
        settings.keys.insert(KEY[0].to_owned(), Key::owner(KEY[1]));
        let stranger = Key::of_project(STRANGER[1], &own_project(), Role::Owner);
        settings.keys.insert(STRANGER[0].to_owned(), stranger);
    });
    let on = Match { key: Some(KEY[0].to_owned()), ..Match::default() };
    let hang = InjectedFault::NotExecuted(Termination::Hang);
    base.atlas.inject(Rule { on, ..Rule::always(hang) });
    let tenant = Tenant::new(base.control_plane, KEY).await;
    let mut operator = SharedOperator::start(base, "first").await;
    let mut alone = [Duration::MAX; 2];
    for run in ["one", "two", "three"] {
        let took = Neighbour::serve(&fixture, &format!("alone-{run}")).await;
        alone = [alone[0].min(took[0]), alone[1].min(took[1])];
    }
    let neighbour = Neighbour { fixture, alone };
    let namespace = neighbour.fixture.base.namespace.clone();
    let others = ForeignNames {
        namespace: &namespace,
        service: "main",
        project: DEFAULT_PROJECT,
        region: REGION,
        vpc_endpoint: VPC_ENDPOINT,
    };
    let owned = neighbour.own().await;

    tenant.poison().await;
    neighbour.assert_served(&operator, "poisoned-metadata").await;
    tenant.edit_poison(60).await;
    neighbour.assert_served(&operator, "edits-of-poison").await;
    tenant.pump_claims(300).await;
    neighbour.assert_served(&operator, "claims").await;
    tenant.churn(2_000).await;
    neighbour.assert_served(&operator, "churn").await;
    tenant.fat_keys(60).await;
    neighbour.assert_served(&operator, "fat-keys").await;
    tenant.rename_keys(200).await;
    neighbour.assert_served(&operator, "names-of-keys").await;
    tenant.invent_projects(300).await;
    neighbour.assert_served(&operator, "invented-projects").await;
    tenant.name_what_is_not_theirs(FOREIGN, &others).await;
    neighbour.assert_served(&operator, "foreign-names").await;
    neighbour.assert_untouched(&owned).await;
    let webhook = tenant.refer_to_a_kind_that_hangs(60).await;
    neighbour.assert_served(&operator, WEBHOOK_HANGS).await;
    let connections = tenant.connect(operator.admin(), 2000).await;
    neighbour.assert_served(&operator, "connections").await;
    assert!(operator.is_ready().await, "the probes are kept out by {} connections", connections.len());
    drop(connections);
    tenant.fat_objects(100).await;
    neighbour.assert_served(&operator, "fat-objects").await;

    // All that the tenant has left there is met at once.
    operator.kill().await;
    operator = SharedOperator::start(&neighbour.fixture.base, "second").await;
    neighbour.assert_served(&operator, "restart").await;
    tenant.delete_what_is_not_theirs(FOREIGN, &others).await;
    neighbour.assert_served(&operator, "foreign-names-deleted").await;
    neighbour.assert_untouched(&owned).await;
    neighbour.fixture.endpoints.delete_and_wait("main").await;
    neighbour.fixture.services.delete_and_wait("main").await;
    drop(webhook);
}
