//! Two clusters on one project: two operators that do not see each other's objects. Neither deletes what the other made, each says what it
//! has, and a service and its endpoint move from one to the other without an interruption.
//!
//! A namespace stands for each cluster: its operator has a cluster id of its own, and watches nothing else.

use atlas_simulator::{AtlasEndpoint, EndpointPhase, LastEndpoint, Operation, OthersAction};
use serde_json::{Value, json};
use test_support::dedicated::{
    CLUSTER, DedicatedFixture, FOREIGN_VPC_ENDPOINT, KindApi, assert_condition_of, is_condition, message_of,
};
use testbed::Process;

use super::{NEXT_VPC, VPC};

/// Two clusters.
struct Clusters {
    fixture: DedicatedFixture,
    old: OperatedCluster,
    new: OperatedCluster,
}

/// One of them.
struct OperatedCluster {
    services: KindApi,
    endpoints: KindApi,
    _operator: Process,
}

impl Clusters {
    async fn new() -> Self {
        let fixture = DedicatedFixture::new().await;
        let (services, endpoints) = fixture.another_namespace().await;
        let start = |id: &str, objects: &KindApi| fixture.base.operator_of_cluster(id, objects.namespace());
        let old = OperatedCluster {
            _operator: start("old", &fixture.services),
            services: fixture.services.clone(),
            endpoints: fixture.endpoints.clone(),
        };
        let new = OperatedCluster { _operator: start("new", &services), services, endpoints };
        Self { fixture, old, new }
    }

    /// Fails if the endpoint was ever anything but connected since it first was.
    fn assert_uninterrupted(&self, vpc: &str) {
        let life = self.fixture.base.atlas.service_course(&self.fixture.atlas_service().id).unwrap();
        let course = &life.endpoints.iter().find(|one| one.id == vpc).unwrap().endpoint;
        let is_available = |state: &Option<AtlasEndpoint>| {
            state.as_ref().is_some_and(|one| one.status == EndpointPhase::Available)
        };
        let since = course.points.iter().skip_while(|point| !is_available(&point.state));
        assert!(
            since.clone().count() > 0 && since.clone().all(|point| is_available(&point.state)),
            "{course:#?}"
        );
    }
}

impl OperatedCluster {
    /// Applies both objects with these fields, and waits until both are Ready.
    async fn apply(&self, vpc: &str, fields: Value) -> (Value, Value) {
        self.services.apply_service("main", fields.clone()).await;
        let mut fields = fields;
        fields["clusters"] = json!([CLUSTER]);
        self.endpoints.apply_endpoint("orders", json!({"name": "main"}), vpc, fields).await;
        let service = self.services.until_ready("main", "True", "Available").await;
        (service, self.endpoints.until_ready("orders", "True", "Available").await)
    }

    async fn edit(&self, fields: &Value) {
        self.services.edit("main", fields.clone()).await;
        self.endpoints.edit("orders", fields.clone()).await;
    }

    async fn delete(&self) {
        self.endpoints.delete_and_wait("orders").await;
        self.services.delete_and_wait("main").await;
    }
}

#[tokio::test]
async fn a_service_and_its_endpoint_move_to_another_cluster_without_an_interruption() {
    let clusters = Clusters::new().await;
    let Clusters { fixture, old, new } = &clusters;
    fixture.apply_both("main", "orders", VPC).await;
    let writes = fixture.atlas_writes();
    let (service, endpoint) = new.apply(VPC, json!({"adopt": "Only"})).await;
    for object in [&service, &endpoint] {
        assert_eq!(object["status"]["provenance"], "Adopted");
    }
    old.edit(&json!({"deletionPolicy": "Retain"})).await;
    old.delete().await;
    assert!(old.services.until_event("main", "ServiceRetained").await.contains("Retain"));
    assert!(old.endpoints.until_event("orders", "EndpointRetained").await.contains("Retain"));
    assert_eq!(fixture.atlas_writes(), writes, "the move writes nothing to Atlas");
    new.edit(&json!({"adopt": "IfExists", "deletionPolicy": "Delete"})).await;
    let moved = new.endpoints.reconcile_until_ready("orders", "True", "Available").await;
    assert_eq!(moved["status"]["connectionStrings"], endpoint["status"]["connectionStrings"]);
    clusters.assert_uninterrupted(VPC);
    // The new cluster is the one that deletes them now.
    new.delete().await;
    fixture.until_atlas("the end", |fixture| fixture.atlas_services().is_empty()).await;
}

#[tokio::test]
async fn the_cluster_that_adopted_deletes_nothing_of_the_one_that_created() {
    let clusters = Clusters::new().await;
    let Clusters { fixture, old, new } = &clusters;
    fixture.apply_both("main", "orders", VPC).await;
    fixture.make_vpc_endpoint("main", NEXT_VPC).await;
    let (service, own) = new.apply(NEXT_VPC, json!({})).await;
    assert_eq!(service["status"]["provenance"], "Adopted");
    assert_eq!(own["status"]["provenance"], "Created", "each has an endpoint of its own");
    new.delete().await;
    let why = new.services.until_event("main", "ServiceRetained").await;
    assert!(why.contains("Adopted"), "{why}");
    let deleted = fixture.requests(Operation::DeleteEndpoint);
    assert!(deleted.iter().all(|entry| entry.path.ends_with(NEXT_VPC)), "{deleted:#?}");
    assert!(fixture.requests(Operation::DeleteService).is_empty());
    let left = old.endpoints.reconcile("orders", "after").await;
    assert_condition_of(&left, "Ready", "True", "Available");
    clusters.assert_uninterrupted(VPC);
}

#[tokio::test]
async fn the_cluster_that_created_the_service_waits_for_the_endpoint_of_the_other() {
    let clusters = Clusters::new().await;
    let Clusters { fixture, old, new } = &clusters;
    fixture.apply_both("main", "orders", VPC).await;
    fixture.make_vpc_endpoint("main", NEXT_VPC).await;
    new.apply(NEXT_VPC, json!({})).await;
    old.services.edit("main", json!({"interval": "30s"})).await;
    old.endpoints.delete_and_wait("orders").await;
    old.services.delete("main").await;
    let attached = |object: &Value| is_condition(object, "Ready", "False", "EndpointsAttached");
    let waiting = old.services.until("main", "held by the other cluster", attached).await;
    let message = message_of(&waiting, "Ready");
    assert!(message.contains(NEXT_VPC) && message.contains("Retain"), "{message}");
    assert!(fixture.requests(Operation::DeleteService).is_empty());
    let other = new.endpoints.reconcile("orders", "meanwhile").await;
    assert_condition_of(&other, "Ready", "True", "Available");
    clusters.assert_uninterrupted(NEXT_VPC);
    // Its last endpoint may take the service; the object of the one that created it is done either way.
    new.delete().await;
    old.services.until_gone("main").await;
    fixture.until_atlas("the end", |fixture| fixture.atlas_services().is_empty()).await;
}

/// What docs/concepts/dedicated.md says remains: Atlas cannot tell whose an endpoint is that two clusters name.
#[tokio::test]
async fn an_endpoint_that_two_clusters_name_returns_when_its_creator_deletes_it() {
    let clusters = Clusters::new().await;
    let Clusters { fixture, old, new } = &clusters;
    fixture.base.atlas.configure(|settings| {
        settings.dedicated.variants.last_endpoint = LastEndpoint::LeavesService;
    });
    fixture.apply_both("main", "orders", VPC).await;
    let (_, adopted) = new.apply(VPC, json!({})).await;
    assert_eq!(adopted["status"]["provenance"], "Adopted");
    // It keeps the service from being deleted, which the old cluster made.
    fixture.others(OthersAction::RegisterEndpoint(FOREIGN_VPC_ENDPOINT.to_owned()));
    old.endpoints.delete_and_wait("orders").await;
    new.endpoints.reconcile("orders", "noticed").await;
    new.endpoints.until_event("orders", "EndpointLost").await;
    let registered = |object: &Value| {
        object["status"]["provenance"] == "Created" && is_condition(object, "Ready", "True", "Available")
    };
    new.endpoints.until("orders", "registered by the other cluster", registered).await;
    assert!(fixture.requests(Operation::DeleteService).is_empty());
    // It is that cluster's own now, and goes with its object.
    new.delete().await;
    let left: Vec<_> = fixture.atlas_endpoints().into_iter().map(|one| one.id).collect();
    assert_eq!(left, [FOREIGN_VPC_ENDPOINT]);
}
