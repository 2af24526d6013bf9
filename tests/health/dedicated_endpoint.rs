//! The table of `PrivateEndpoint`, line by line: each state is brought about by the real program, with a simulated Atlas, and judged by
//! the tools as it is stored.

use atlas_simulator::{
    DedicatedPace, EndpointPhase, InjectedFault, LastEndpoint, Operation, OthersAction, Rule, ServicePhase,
    Termination,
};
use domain::dedicated::endpoint::ConnectionStatus;
use domain::reference::EndpointSource;
use domain::status::Reason;
use kube::Api;
use kube::api::{DynamicObject, PostParams};
use serde_json::{Value, json};
use test_support::VPC_ENDPOINT;
use test_support::dedicated::{CLUSTER, DedicatedFixture};
use testbed::kinds;

use crate::page::HealthTable;
use crate::states::{self, FOREVER, InState, PHASE, Trouble};

/// The columns are those of [`HealthTable`].
const TABLE: &str = "
* not reconciled yet                           | -                              | -                        | -            | InProgress  | none apply      | Progressing
* the service object is missing                | False ServiceNotFound          | ServiceNotFound          | Stalled      | Failed      | kept            | Degraded
* the service that it looks up is missing      | False ServiceNotFound          | ServiceNotFound          | Stalled      | Failed      | kept            | Degraded
* the service object does not allow it         | False ServiceRefNotAllowed     | ServiceRefNotAllowed     | Stalled      | Failed      | kept            | Degraded
* the service is not Ready                     | False ServiceNotReady          | -                        | Reconciling  | InProgress  | kept            | Progressing
* reference that leads nowhere                 | False ReferenceNotFound        | ReferenceNotFound        | Reconciling  | InProgress  | kept            | Progressing
* reference without an id                      | False AwaitingVpcEndpoint      | -                        | Reconciling  | InProgress  | kept            | Progressing
* VPC endpoint of a lost service               | False VpcEndpointStale         | VpcEndpointStale         | Stalled      | Failed      | kept            | Degraded
* create in flight                             | False Creating                 | -                        | Reconciling  | InProgress  | kept            | Progressing
* PENDING_ACCEPTANCE                           | False Connecting               | -                        | Reconciling  | InProgress  | kept            | Progressing
  PENDING                                      | False Connecting               | -                        | Reconciling  | InProgress  | kept            | Progressing
  INITIATING                                   | False Connecting               | -                        | Reconciling  | InProgress  | kept            | Progressing
  VERIFIED                                     | False Connecting               | -                        | Reconciling  | InProgress  | kept            | Progressing
* AVAILABLE                                    | True Available                 | -                        | -            | Current     | kept            | Healthy
* AVAILABLE, no connection string yet          | False AwaitingConnectionString | -                        | Reconciling  | InProgress  | kept            | Progressing
* AVAILABLE, no such cluster                   | False AwaitingConnectionString | AwaitingConnectionString | Reconciling  | InProgress  | kept            | Progressing
* AVAILABLE, the service is not Ready          | True Available                 | -                        | -            | Current     | kept            | Healthy
* AVAILABLE, another is declared and connects  | False Replacing                | -                        | Reconciling  | InProgress  | kept            | Progressing
* AVAILABLE, the service object is missing     | False ServiceNotFound          | ServiceNotFound          | Stalled      | Failed      | kept            | Degraded
* REJECTED                                     | False Rejected                 | Rejected                 | Reconciling  | InProgress  | kept            | Progressing
* too long: REJECTED                           | False Rejected                 | Rejected                 | Stalled      | Failed      | kept            | Degraded
* FAILED                                       | False AtlasFailed              | AtlasFailed              | Stalled      | Failed      | kept            | Degraded
* a status that is unknown                     | False UnknownStatus            | -                        | Reconciling  | InProgress  | kept            | Progressing
* DELETING, by others                          | False BeingRemoved             | -                        | Reconciling  | InProgress  | kept            | Progressing
* lost: in one listing                         | True Available                 | -                        | -            | Current     | kept            | Healthy
* lost: in two listings, registered again      | False EndpointLost             | -                        | Reconciling  | InProgress  | kept            | Progressing

* registered already, adopt Never              | False EndpointExists           | EndpointExists           | Stalled      | Failed      | kept            | Degraded
* not registered, adopt Only                   | False EndpointNotFound         | EndpointNotFound         | Stalled      | Failed      | kept            | Degraded
* an older object declares the same            | False Conflict                 | Conflict                 | Stalled      | Failed      | kept            | Degraded
* the spec is invalid                          | False InvalidSpec              | InvalidSpec              | Stalled      | Failed      | kept            | Degraded

* at first: Secret missing                     | False CredentialsNotFound      | CredentialsNotFound      | Reconciling  | InProgress  | kept            | Progressing
  at first: 401                                | False Unauthorized             | Unauthorized             | Reconciling  | InProgress  | kept            | Progressing
  at first: 403                                | False Forbidden                | Forbidden                | Reconciling  | InProgress  | kept            | Progressing
* at first: 5xx                                | False AtlasUnavailable         | AtlasUnavailable         | Reconciling  | InProgress  | kept            | Progressing
* at first: create refused                     | False AtlasRefused             | AtlasRefused             | Reconciling  | InProgress  | kept            | Progressing
* too long: PENDING_ACCEPTANCE                 | False ProgressDeadlineExceeded | ProgressDeadlineExceeded | Stalled      | Failed      | kept            | Degraded
* when Ready: 401                              | True Available                 | Unauthorized             | -            | Current     | kept            | Healthy
* when Ready: 5xx                              | True Available                 | AtlasUnavailable         | -            | Current     | kept            | Healthy
* when Ready, too long: 401                    | False Unauthorized             | Unauthorized             | Stalled      | Failed      | kept            | Degraded
* when Ready, and the output is not written    | True Available                 | OutputNotWritten         | -            | Current     | kept            | Healthy
* when Ready, and not reconciled since a change | True Available                | -                        | -            | InProgress  | kept on the way | Progressing

* suspended before creation                    | False Suspended                | -                        | Suspended    | InProgress  | kept            | Suspended
* suspended when Ready                         | True Available                 | -                        | Suspended    | Current     | kept            | Healthy
  suspended at PENDING_ACCEPTANCE              | False Connecting               | -                        | Suspended    | InProgress  | kept            | Suspended

* deleted: DELETING                            | False Deleting                 | -                        | Reconciling  | Terminating | kept            | Progressing
* deleted: Secret missing                      | False CredentialsNotFound      | CredentialsNotFound      | Reconciling  | Terminating | kept            | Progressing
* deleted: the permission is withdrawn         | False ServiceRefNotAllowed     | ServiceRefNotAllowed     | Stalled      | Terminating | kept            | Progressing
";

/// The VPC endpoint that replaces the first one.
const NEXT: &str = "vpce-0b1b2c3d4e5f60729";

/// Returns the table.
pub(crate) fn table() -> HealthTable {
    HealthTable { subject: "the endpoint of a dedicated cluster", rows: TABLE }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_tool_shows_every_state_of_an_endpoint_as_in_its_table() {
    states::check(&table(), "pe/orders", |fixture, state| Box::pin(bring_about(fixture, state))).await;
}

#[test]
fn every_status_word_of_an_endpoint_has_a_row() {
    let states = table().states();
    for word in ConnectionStatus::KNOWN_WORDS {
        let is_about_it = |state: &String| state.split([' ', ',']).any(|one| one == *word);
        assert!(states.iter().any(is_about_it), "the table has no row about {word}");
    }
}

/// The reasons that no `Ready` of the two kinds has: those of the serverless kind, and those of other conditions.
const ELSEWHERE: [Reason; 20] = [
    Reason::Reserved,
    Reason::Adopting,
    Reason::ReservationRequested,
    Reason::InstanceNotFound,
    Reason::InstanceMigrated,
    Reason::OwnershipConflict,
    Reason::AdoptionRequired,
    Reason::Duplicate,
    Reason::OutputNotWritten,
    Reason::ReconcileSucceeded,
    Reason::ServiceReserved,
    Reason::ServiceProvisioning,
    Reason::NoEndpoint,
    Reason::Progressing,
    Reason::ProgressingWithRetry,
    Reason::SuspendRequested,
    Reason::SunsetAnnounced,
    // Only to be named here while there is a row of the other table for each.
    Reason::ServiceLost,
    Reason::InUse,
    Reason::EndpointsAttached,
];

#[test]
fn every_reason_of_ready_has_a_row_in_one_of_the_two_tables() {
    let shown: Vec<_> =
        [table(), crate::dedicated_service::table()].iter().flat_map(HealthTable::reasons_of_ready).collect();
    let of_one = |reason: &&Reason| shown.iter().any(|shown| *shown == reason.as_str());
    let missing: Vec<_> =
        Reason::ALL.iter().filter(|reason| !ELSEWHERE.contains(reason) && !of_one(reason)).collect();
    assert_eq!(missing, [] as [&Reason; 0], "no row has these");
}

/// Brings the object `orders` into the state.
async fn bring_about(fixture: &DedicatedFixture, state: String) -> InState {
    if let Some((when, what)) = state.split_once(": ").filter(|(when, _)| *when != "lost") {
        return if when == "deleted" {
            deleted(fixture, what).await
        } else {
            trouble(fixture, when, what).await
        };
    }
    let endpoints = &fixture.endpoints;
    if state == "not reconciled yet" {
        apply(fixture, json!({})).await;
        return (endpoints.get("orders").await, None);
    }
    if state == "the service object does not allow it" {
        return shared(fixture).await;
    }
    let flags: &[&str] = match state.as_str() {
        "lost: in one listing" => &["--confirm-gap=1h"],
        "lost: in two listings, registered again" => &["--visibility-window=1h"],
        _ => &[],
    };
    let operator = fixture.base.operator_with(flags);
    if state == "when Ready, and not reconciled since a change" {
        ready(fixture).await;
        drop(operator);
        return (endpoints.edit("orders", json!({"interval": "5m"})).await, None);
    }
    let object = match state.as_str() {
        "the service object is missing" => {
            apply(fixture, json!({})).await;
            endpoints.until_ready("orders", "False", "ServiceNotFound").await
        }
        "the service that it looks up is missing" => {
            let project = atlas_simulator::DEFAULT_PROJECT;
            let service = json!({"projectId": project, "provider": "AWS", "region": "US_EAST_1"});
            let credentials = json!({"name": test_support::SECRET});
            let spec =
                json!({"service": service, "aws": {"id": VPC_ENDPOINT}, "credentialsRef": credentials});
            endpoints.apply("orders", spec).await;
            endpoints.until_ready("orders", "False", "ServiceNotFound").await
        }
        "the service is not Ready" => {
            fixture.base.atlas.set_dedicated_pace(DedicatedPace::of(FOREVER));
            fixture.apply_service("main", json!({})).await;
            apply(fixture, json!({})).await;
            endpoints.until_ready("orders", "False", "ServiceNotReady").await
        }
        "the spec is invalid" => {
            fixture.apply_service("main", json!({})).await;
            // The service object declares one on AWS.
            let id = "/subscriptions/1/resourceGroups/2/providers/Microsoft.Network/privateEndpoints/3";
            let azure = json!({"id": id, "ipAddress": "10.0.0.4"});
            endpoints.apply("orders", json!({"serviceRef": {"name": "main"}, "azure": azure})).await;
            endpoints.until_ready("orders", "False", "InvalidSpec").await
        }
        "an older object declares the same" => {
            apply_service(fixture).await;
            fixture.apply_endpoint("older", "main", VPC_ENDPOINT, json!({})).await;
            states::a_second_later().await;
            apply(fixture, json!({})).await;
            endpoints.until_ready("orders", "False", "Conflict").await
        }
        "suspended before creation" => {
            fixture.apply_service("main", json!({})).await;
            apply(fixture, json!({"suspend": true})).await;
            endpoints.until_ready("orders", "False", "Suspended").await
        }
        other if other.starts_with("reference") => referring(fixture, other).await,
        other => registered(fixture, other).await,
    };
    (object, Some(operator))
}

/// Applies the object.
async fn apply(fixture: &DedicatedFixture, fields: Value) {
    fixture.apply_endpoint("orders", "main", VPC_ENDPOINT, fields).await;
}

/// Applies the service object, and makes the VPC endpoint for its service.
async fn apply_service(fixture: &DedicatedFixture) {
    fixture.apply_service("main", json!({})).await;
    fixture.make_vpc_endpoint("main", VPC_ENDPOINT).await;
}

async fn ready(fixture: &DedicatedFixture) -> Value {
    fixture.apply_both("main", "orders", VPC_ENDPOINT).await.1
}

/// The states of an object whose service can be used.
async fn registered(fixture: &DedicatedFixture, state: &str) -> Value {
    let endpoints = &fixture.endpoints;
    let atlas = &fixture.base.atlas;
    match state {
        "create in flight" => {
            apply_service(fixture).await;
            // Its response never arrives.
            let lost = InjectedFault::NotExecuted(Termination::Hang);
            atlas.inject(Rule::next_of(Operation::CreateEndpoint, lost));
            apply(fixture, json!({})).await;
            endpoints.until_ready("orders", "False", "Creating").await
        }
        "PENDING_ACCEPTANCE" | "suspended at PENDING_ACCEPTANCE" => {
            apply_service(fixture).await;
            atlas.set_dedicated_pace(DedicatedPace::of(FOREVER));
            apply(fixture, json!({})).await;
            let connecting = endpoints.until_ready("orders", "False", "Connecting").await;
            if state == "PENDING_ACCEPTANCE" { connecting } else { suspended(fixture).await }
        }
        "AVAILABLE" => ready(fixture).await,
        "AVAILABLE, no connection string yet" => {
            apply_service(fixture).await;
            atlas.set_dedicated_pace(DedicatedPace { updating: FOREVER, ..DedicatedPace::of(PHASE) });
            apply(fixture, json!({"clusters": [CLUSTER]})).await;
            endpoints.until_ready("orders", "False", "AwaitingConnectionString").await
        }
        "AVAILABLE, no such cluster" => {
            apply_service(fixture).await;
            apply(fixture, json!({"clusters": ["nowhere"]})).await;
            endpoints.until_ready("orders", "False", "AwaitingConnectionString").await
        }
        "AVAILABLE, the service is not Ready" => {
            ready(fixture).await;
            let paused = ServicePhase::Other("PAUSED".to_owned());
            assert!(atlas.edit_service(&fixture.atlas_service().id, |service| service.status = paused));
            fixture.services.reconcile_until_ready("main", "False", "UnknownStatus").await;
            endpoints.reconcile("orders", "now").await
        }
        "AVAILABLE, another is declared and connects" => {
            ready(fixture).await;
            fixture.make_vpc_endpoint("main", NEXT).await;
            atlas.set_dedicated_pace(DedicatedPace::of(FOREVER));
            endpoints.edit("orders", json!({"aws": {"id": NEXT}})).await;
            endpoints.until_ready("orders", "False", "Replacing").await
        }
        "AVAILABLE, the service object is missing" => {
            ready(fixture).await;
            fixture.services.delete("main").await;
            fixture.services.force_finalizers_off("main").await;
            fixture.services.until_gone("main").await;
            endpoints.reconcile_until_ready("orders", "False", "ServiceNotFound").await
        }
        other => changed(fixture, other).await,
    }
}

/// The same: what others do, and what is declared.
async fn changed(fixture: &DedicatedFixture, state: &str) -> Value {
    let endpoints = &fixture.endpoints;
    let atlas = &fixture.base.atlas;
    match state {
        "VPC endpoint of a lost service" => {
            ready(fixture).await;
            assert!(atlas.remove_service(&fixture.atlas_service().id));
            fixture.services.reconcile("main", "noticed").await;
            fixture.services.until_event("main", "ServiceReplaced").await;
            fixture.services.until_ready("main", "True", "Available").await;
            endpoints.reconcile_until_ready("orders", "False", "VpcEndpointStale").await
        }
        "REJECTED" => {
            fixture.apply_service("main", json!({})).await;
            apply(fixture, json!({})).await;
            endpoints.until_ready("orders", "False", "Rejected").await
        }
        "DELETING, by others" => {
            let pace = DedicatedPace { deleting_endpoint: FOREVER, ..DedicatedPace::of(PHASE) };
            atlas.set_dedicated_pace(pace);
            ready(fixture).await;
            fixture.others(OthersAction::DeleteEndpoint(VPC_ENDPOINT.to_owned()));
            endpoints.reconcile_until_ready("orders", "False", "BeingRemoved").await
        }
        "lost: in one listing" | "lost: in two listings, registered again" => {
            // The service is not lost with its last endpoint.
            atlas.configure(|settings| {
                settings.dedicated.variants.last_endpoint = LastEndpoint::LeavesService;
            });
            ready(fixture).await;
            assert!(atlas.remove_registered_endpoint(&fixture.atlas_service().id, VPC_ENDPOINT));
            match state {
                "lost: in one listing" => states::looked_once(fixture, endpoints, "orders").await,
                _ => endpoints.reconcile_until_ready("orders", "False", "EndpointLost").await,
            }
        }
        "registered already, adopt Never" => {
            apply_service(fixture).await;
            fixture.others(OthersAction::RegisterEndpoint(VPC_ENDPOINT.to_owned()));
            apply(fixture, json!({"adopt": "Never"})).await;
            endpoints.until_ready("orders", "False", "EndpointExists").await
        }
        "not registered, adopt Only" => {
            apply_service(fixture).await;
            apply(fixture, json!({"adopt": "Only"})).await;
            endpoints.until_ready("orders", "False", "EndpointNotFound").await
        }
        "when Ready, and the output is not written" => {
            apply_service(fixture).await;
            states::make_foreign_config_map(fixture, "orders-strings").await;
            apply(fixture, json!({"outputConfigMap": {"name": "orders-strings"}})).await;
            endpoints.until_ready("orders", "True", "Available").await;
            endpoints.until_condition("orders", "Synced", "False", "OutputNotWritten").await
        }
        "suspended when Ready" => {
            ready(fixture).await;
            suspended(fixture).await
        }
        word => shown_as(fixture, word).await,
    }
}

async fn suspended(fixture: &DedicatedFixture) -> Value {
    fixture.endpoints.edit("orders", json!({"suspend": true})).await;
    fixture.endpoints.until_condition("orders", "Suspended", "True", "SuspendRequested").await
}

/// Lets Atlas show the endpoint with this word.
async fn shown_as(fixture: &DedicatedFixture, state: &str) -> Value {
    let (word, reason) = match state {
        "PENDING" | "INITIATING" | "VERIFIED" => (state, "Connecting"),
        "FAILED" => (state, "AtlasFailed"),
        "a status that is unknown" => ("VERIFYING", "UnknownStatus"),
        _ => panic!("{state:?} is no state of this table"),
    };
    ready(fixture).await;
    let id = fixture.atlas_service().id;
    let edited = fixture.base.atlas.edit_registered_endpoint(&id, VPC_ENDPOINT, |endpoint| {
        endpoint.status = EndpointPhase::Other(word.to_owned());
    });
    assert!(edited);
    fixture.endpoints.reconcile_until_ready("orders", "False", reason).await
}

/// The states of an object that refers to one of ACK.
async fn referring(fixture: &DedicatedFixture, state: &str) -> Value {
    let (api_version, kind) = EndpointSource::Ack.api_version_and_kind();
    let kind = kinds::kind(api_version, kind, "vpcendpoints");
    fixture.base.control_plane.install_crd(&kinds::open_definition(&kind)).await.unwrap();
    apply_service(fixture).await;
    let reference = json!({"apiVersion": kind.api_version, "kind": kind.kind, "name": "network"});
    let spec = json!({"serviceRef": {"name": "main"}, "aws": {"ref": reference}});
    fixture.endpoints.apply("orders", spec).await;
    let nowhere = fixture.endpoints.until_ready("orders", "False", "ReferenceNotFound").await;
    if state == "reference that leads nowhere" {
        return nowhere;
    }
    let client = fixture.base.control_plane.client().await.unwrap();
    let objects: Api<DynamicObject> = Api::namespaced_with(client, fixture.endpoints.namespace(), &kind);
    let network = json!({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "network"}});
    objects.create(&PostParams::default(), &serde_json::from_value(network).unwrap()).await.unwrap();
    fixture.endpoints.until_ready("orders", "False", "AwaitingVpcEndpoint").await
}

/// An object whose service object is in another namespace, without permission.
async fn shared(fixture: &DedicatedFixture) -> InState {
    let (services, _) = fixture.another_namespace().await;
    let operator = fixture.operator_of(&services);
    services.apply_service("main", json!({})).await;
    services.until_ready("main", "True", "Available").await;
    let reference = json!({"name": "main", "namespace": services.namespace()});
    fixture.endpoints.apply_endpoint("orders", reference, VPC_ENDPOINT, json!({})).await;
    let refused = fixture.endpoints.until_ready("orders", "False", "ServiceRefNotAllowed").await;
    (refused, Some(operator))
}

/// The states of an object that is being deleted.
async fn deleted(fixture: &DedicatedFixture, state: &str) -> InState {
    let endpoints = &fixture.endpoints;
    if state == "the permission is withdrawn" {
        let (services, _) = fixture.another_namespace().await;
        let operator = fixture.operator_of(&services);
        services.apply_service("main", json!({"allowedNamespaces": ["*"]})).await;
        let service = services.until_ready("main", "True", "Available").await;
        let name = service["status"]["endpointServiceName"].as_str().unwrap();
        fixture.base.atlas.make_vpc_endpoint(VPC_ENDPOINT, name);
        let reference = json!({"name": "main", "namespace": services.namespace()});
        endpoints.apply_endpoint("orders", reference, VPC_ENDPOINT, json!({})).await;
        endpoints.until_ready("orders", "True", "Available").await;
        services.edit("main", json!({"allowedNamespaces": []})).await;
        endpoints.until_ready("orders", "False", "ServiceRefNotAllowed").await;
        endpoints.delete("orders").await;
        return (endpoints.until_ready("orders", "False", "ServiceRefNotAllowed").await, Some(operator));
    }
    let operator = fixture.operator();
    let pace = DedicatedPace { deleting_endpoint: FOREVER, ..DedicatedPace::of(PHASE) };
    fixture.base.atlas.set_dedicated_pace(pace);
    ready(fixture).await;
    match state {
        "DELETING" => {
            endpoints.delete("orders").await;
            (endpoints.until_ready("orders", "False", "Deleting").await, Some(operator))
        }
        "Secret missing" => {
            // A process that has read the Secret would remember it.
            drop(operator);
            Trouble::SecretMissing.begin(fixture).await;
            endpoints.delete("orders").await;
            let operator = fixture.operator();
            (endpoints.until_ready("orders", "False", "CredentialsNotFound").await, Some(operator))
        }
        _ => panic!("{state:?} is no state of this table"),
    }
}

/// The states in which Atlas, or the credentials, have a fault.
async fn trouble(fixture: &DedicatedFixture, when: &str, what: &str) -> InState {
    let endpoints = &fixture.endpoints;
    let fields = if when.contains("too long") { json!({"progressDeadline": "1s"}) } else { json!({}) };
    let operator = fixture.operator();
    fixture.apply_service("main", json!({})).await;
    let service = fixture.services.until_ready("main", "True", "Available").await;
    if what != "REJECTED" {
        let name = service["status"]["endpointServiceName"].as_str().unwrap();
        fixture.base.atlas.make_vpc_endpoint(VPC_ENDPOINT, name);
    }
    if when.starts_with("when Ready") {
        apply(fixture, fields.clone()).await;
        endpoints.until_ready("orders", "True", "Available").await;
    }
    let reason = match what {
        "REJECTED" => "Rejected",
        "PENDING_ACCEPTANCE" => {
            fixture.base.atlas.set_dedicated_pace(DedicatedPace::of(FOREVER));
            "ProgressDeadlineExceeded"
        }
        "create refused" => {
            let refused = InjectedFault::NotExecuted(Termination::PaymentRequired);
            fixture.base.atlas.inject(Rule::always(refused).of([Operation::CreateEndpoint]));
            "AtlasRefused"
        }
        _ => {
            let trouble = Trouble::named(what);
            trouble.begin(fixture).await;
            trouble.reason()
        }
    };
    if when.starts_with("when Ready") {
        endpoints.annotate("orders", json!({"reconcile.fluxcd.io/requestedAt": "now"})).await;
    } else {
        apply(fixture, fields).await;
    }
    let object = match when {
        "at first" => endpoints.until_ready("orders", "False", reason).await,
        "when Ready" => endpoints.until_condition("orders", "Synced", "False", reason).await,
        "too long" | "when Ready, too long" => {
            endpoints.until_condition("orders", "Stalled", "True", "ProgressDeadlineExceeded").await;
            endpoints.until_ready("orders", "False", reason).await
        }
        _ => panic!("{when:?} is no beginning of a state of this table"),
    };
    (object, Some(operator))
}
