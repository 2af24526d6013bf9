//! The table of `PrivateEndpointService`, line by line: each state is brought about by the real program, with a simulated Atlas, and
//! judged by the tools as it is stored.

use std::time::Duration;

use atlas_simulator::{
    AtlasService, DEFAULT_PROJECT, DedicatedPace, Deviation, InjectedFault, Operation, OthersAction, Rule,
    ServiceLink, ServicePhase, Termination,
};
use domain::dedicated::service::ServiceStatus;
use serde_json::{Value, json};
use test_support::VPC_ENDPOINT;
use test_support::dedicated::{DedicatedFixture, FOREIGN_VPC_ENDPOINT, REGION};
use testbed::Process;

use crate::page::HealthTable;
use crate::states::{self, FOREVER, InState, PHASE, Trouble};

/// How old the state in a listing is, where it is: longer than `kubectl wait` takes to look.
const LAG: Duration = Duration::from_secs(8);

/// The columns are those of [`HealthTable`].
const TABLE: &str = "
* not reconciled yet                           | -                              | -                        | -            | InProgress  | none apply      | Progressing
* create in flight                             | False Creating                 | -                        | Reconciling  | InProgress  | kept            | Progressing
* INITIATING                                   | False Initiating               | -                        | Reconciling  | InProgress  | kept            | Progressing
* AVAILABLE                                    | True Available                 | -                        | -            | Current     | kept            | Healthy
  AVAILABLE, without a name                    | False Initiating               | -                        | Reconciling  | InProgress  | kept            | Progressing
* WAITING_FOR_USER                             | True Available                 | -                        | -            | Current     | kept            | Healthy
* FAILED                                       | False AtlasFailed              | AtlasFailed              | Stalled      | Failed      | kept            | Degraded
* a status that is unknown                     | False UnknownStatus            | -                        | Reconciling  | InProgress  | kept            | Progressing
* DELETING, by others                          | False BeingRemoved             | -                        | Reconciling  | InProgress  | kept            | Progressing
* AVAILABLE, its remote regions are being set  | False Updating                 | -                        | Reconciling  | InProgress  | kept            | Progressing
* AVAILABLE, others keep setting its regions   | False Contested                | Contested                | Stalled      | Failed      | kept            | Degraded
* lost: in one listing                         | True Available                 | -                        | -            | Current     | kept            | Healthy
* lost: in two listings, created again         | False ServiceLost              | -                        | Reconciling  | InProgress  | kept            | Progressing

* in Atlas already, adopt Never                | False ServiceExists            | ServiceExists            | Stalled      | Failed      | kept            | Degraded
* not in Atlas, adopt Only                     | False ServiceNotFound          | ServiceNotFound          | Stalled      | Failed      | kept            | Degraded
* an older object declares the same            | False Conflict                 | Conflict                 | Stalled      | Failed      | kept            | Degraded
* the spec is invalid                          | False InvalidSpec              | InvalidSpec              | Stalled      | Failed      | kept            | Degraded

* at first: Secret missing                     | False CredentialsNotFound      | CredentialsNotFound      | Reconciling  | InProgress  | kept            | Progressing
  at first: 401                                | False Unauthorized             | Unauthorized             | Reconciling  | InProgress  | kept            | Progressing
* at first: 403                                | False Forbidden                | Forbidden                | Reconciling  | InProgress  | kept            | Progressing
  at first: project not found                  | False ProjectNotFound          | ProjectNotFound          | Reconciling  | InProgress  | kept            | Progressing
  at first: 429                                | False RateLimited              | RateLimited              | Reconciling  | InProgress  | kept            | Progressing
* at first: 5xx                                | False AtlasUnavailable         | AtlasUnavailable         | Reconciling  | InProgress  | kept            | Progressing
* at first: create refused                     | False AtlasRefused             | AtlasRefused             | Reconciling  | InProgress  | kept            | Progressing
  at first: API retired                        | False ApiRetired               | ApiRetired               | Stalled      | Failed      | kept            | Degraded
* too long: INITIATING                         | False ProgressDeadlineExceeded | ProgressDeadlineExceeded | Stalled      | Failed      | kept            | Degraded
  too long: 403                                | False Forbidden                | Forbidden                | Stalled      | Failed      | kept            | Degraded
* when Ready: 401                              | True Available                 | Unauthorized             | -            | Current     | kept            | Healthy
* when Ready: 5xx                              | True Available                 | AtlasUnavailable         | -            | Current     | kept            | Healthy
* when Ready, too long: 401                    | False Unauthorized             | Unauthorized             | Stalled      | Failed      | kept            | Degraded
* when Ready, and the output is not written    | True Available                 | OutputNotWritten         | -            | Current     | kept            | Healthy
* when Ready, and not reconciled since a change | True Available                | -                        | -            | InProgress  | kept on the way | Progressing

* suspended before creation                    | False Suspended                | -                        | Suspended    | InProgress  | kept            | Suspended
* suspended when Ready                         | True Available                 | -                        | Suspended    | Current     | kept            | Healthy
  suspended at INITIATING                      | False Initiating               | -                        | Suspended    | InProgress  | kept            | Suspended

* deleted: DELETING                            | False Deleting                 | -                        | Reconciling  | Terminating | kept            | Progressing
* deleted: endpoint objects use it             | False InUse                    | -                        | Reconciling  | Terminating | kept            | Progressing
* deleted: endpoints of others are at it       | False EndpointsAttached        | -                        | Reconciling  | Terminating | kept            | Progressing
* deleted: without credentials                 | False CredentialsNotFound      | CredentialsNotFound      | Reconciling  | Terminating | kept            | Progressing
";

/// Returns the table.
pub(crate) fn table() -> HealthTable {
    HealthTable { subject: "the service", rows: TABLE }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_tool_shows_every_state_of_a_service_as_in_its_table() {
    states::check(&table(), "pesvc/main", |fixture, state| Box::pin(bring_about(fixture, state))).await;
}

#[test]
fn every_status_word_of_a_service_has_a_row() {
    let states = table().states();
    for word in ServiceStatus::KNOWN_WORDS {
        let is_about_it = |state: &String| state.split([' ', ',']).any(|one| one == *word);
        assert!(states.iter().any(is_about_it), "the table has no row about {word}");
    }
}

/// Brings the object `main` into the state.
async fn bring_about(fixture: &DedicatedFixture, state: String) -> InState {
    let services = &fixture.services;
    let applied = |fields: Value| fixture.apply_service("main", fields);
    if let Some((when, what)) = state.split_once(": ").filter(|(when, _)| !["lost", "deleted"].contains(when))
    {
        return trouble(fixture, when, what).await;
    }
    if state == "not reconciled yet" {
        applied(json!({})).await;
        return (services.get("main").await, None);
    }
    let operator = fixture.base.operator_with(flags(&state));
    if state == "when Ready, and not reconciled since a change" {
        ready(fixture).await;
        drop(operator);
        return (services.edit("main", json!({"interval": "5m"})).await, None);
    }
    if state == "deleted: without credentials" {
        return deleted_without_credentials(fixture, operator).await;
    }
    let object = match state.as_str() {
        "create in flight" => {
            // Its response never arrives.
            let lost = InjectedFault::NotExecuted(Termination::Hang);
            fixture.base.atlas.inject(Rule::next_of(Operation::CreateService, lost));
            applied(json!({})).await;
            services.until_ready("main", "False", "Creating").await
        }
        "INITIATING" => {
            fixture.base.atlas.set_dedicated_pace(DedicatedPace::of(FOREVER));
            applied(json!({})).await;
            services.until_ready("main", "False", "Initiating").await
        }
        "AVAILABLE" => ready(fixture).await,
        "AVAILABLE, without a name" => {
            let link = ServiceLink::Aws { endpoint_service_name: None, supported_remote_regions: None };
            let service = AtlasService { link, ..AtlasService::available(REGION) };
            fixture.base.atlas.insert_service(DEFAULT_PROJECT, service);
            applied(json!({})).await;
            services.until_ready("main", "False", "Initiating").await
        }
        "WAITING_FOR_USER" => {
            fixture.base.atlas.configure(|settings| settings.dedicated.variants.waiting_for_user = true);
            let waiting = ready(fixture).await;
            assert_eq!(waiting["status"]["status"], "WAITING_FOR_USER");
            waiting
        }
        "a status that is unknown" => {
            ready(fixture).await;
            let paused = ServicePhase::Other("PAUSED".to_owned());
            let id = fixture.atlas_service().id;
            assert!(fixture.base.atlas.edit_service(&id, |service| service.status = paused));
            services.reconcile_until_ready("main", "False", "UnknownStatus").await
        }
        "FAILED" => {
            let why = "the region has no address left".to_owned();
            let fails = InjectedFault::Deviation(Deviation::ReservationFails { message: why });
            fixture.base.atlas.inject(Rule::next_of(Operation::CreateService, fails));
            applied(json!({})).await;
            services.until_ready("main", "False", "AtlasFailed").await
        }
        "DELETING, by others" => {
            let pace = DedicatedPace { deleting_service: FOREVER, ..DedicatedPace::of(PHASE) };
            fixture.base.atlas.set_dedicated_pace(pace);
            ready(fixture).await;
            fixture.others(OthersAction::DeleteService);
            services.reconcile_until_ready("main", "False", "BeingRemoved").await
        }
        "AVAILABLE, its remote regions are being set" => {
            // The listing after the change is older than that.
            let lag = DedicatedPace { list_lag: LAG, ..DedicatedPace::of(PHASE) };
            fixture.base.atlas.set_dedicated_pace(lag);
            ready(fixture).await;
            services.edit("main", json!({"aws": {"supportedRemoteRegions": ["EU_WEST_2"]}})).await;
            services.until_ready("main", "False", "Updating").await
        }
        "AVAILABLE, others keep setting its regions" => contested(fixture).await,
        "when Ready, and the output is not written" => {
            states::make_foreign_config_map(fixture, "network").await;
            applied(json!({"outputConfigMap": {"name": "network"}})).await;
            services.until_ready("main", "True", "Available").await;
            services.until_condition("main", "Synced", "False", "OutputNotWritten").await
        }
        "lost: in one listing" => {
            ready(fixture).await;
            assert!(fixture.base.atlas.remove_service(&fixture.atlas_service().id));
            states::looked_once(fixture, services, "main").await
        }
        "lost: in two listings, created again" => {
            ready(fixture).await;
            assert!(fixture.base.atlas.remove_service(&fixture.atlas_service().id));
            services.reconcile_until_ready("main", "False", "ServiceLost").await
        }
        other if other.starts_with("deleted: ") => deleted(fixture, other).await,
        other => declared(fixture, other).await,
    };
    (object, Some(operator))
}

async fn deleted_without_credentials(fixture: &DedicatedFixture, operator: Process) -> InState {
    ready(fixture).await;
    // A process that has read the Secret would remember it.
    drop(operator);
    Trouble::SecretMissing.begin(fixture).await;
    fixture.services.delete("main").await;
    let operator = fixture.operator();
    (fixture.services.until_ready("main", "False", "CredentialsNotFound").await, Some(operator))
}

/// The states that follow from what is declared.
async fn declared(fixture: &DedicatedFixture, state: &str) -> Value {
    let services = &fixture.services;
    let applied = |fields: Value| fixture.apply_service("main", fields);
    match state {
        "in Atlas already, adopt Never" => {
            fixture.base.atlas.insert_service(DEFAULT_PROJECT, AtlasService::available(REGION));
            applied(json!({"adopt": "Never"})).await;
            services.until_ready("main", "False", "ServiceExists").await
        }
        "not in Atlas, adopt Only" => {
            applied(json!({"adopt": "Only"})).await;
            services.until_ready("main", "False", "ServiceNotFound").await
        }
        "an older object declares the same" => {
            fixture.apply_service("older", json!({})).await;
            states::a_second_later().await;
            applied(json!({"region": "us-east-1"})).await;
            services.until_ready("main", "False", "Conflict").await
        }
        "the spec is invalid" => {
            // The architecture of Google Cloud that ends in 2027.
            applied(json!({"provider": "GCP", "region": "US_EAST_4", "gcp": {"portMapping": false}})).await;
            services.until_ready("main", "False", "InvalidSpec").await
        }
        "suspended before creation" => {
            applied(json!({"suspend": true})).await;
            services.until_ready("main", "False", "Suspended").await
        }
        "suspended when Ready" => {
            ready(fixture).await;
            suspended(fixture).await
        }
        "suspended at INITIATING" => {
            fixture.base.atlas.set_dedicated_pace(DedicatedPace::of(FOREVER));
            applied(json!({})).await;
            services.until_ready("main", "False", "Initiating").await;
            suspended(fixture).await
        }
        _ => panic!("{state:?} is no state of this table"),
    }
}

/// Returns the flags that hold the state for as long as it is judged.
fn flags(state: &str) -> &'static [&'static str] {
    match state {
        "lost: in one listing" => &["--confirm-gap=1h"],
        "lost: in two listings, created again" => &["--visibility-window=1h"],
        "AVAILABLE, its remote regions are being set" => &["--visibility-window=12s"],
        _ => &[],
    }
}

async fn ready(fixture: &DedicatedFixture) -> Value {
    fixture.apply_service("main", json!({})).await;
    fixture.services.until_ready("main", "True", "Available").await
}

/// Others set the remote regions again each time the operator has set them.
async fn contested(fixture: &DedicatedFixture) -> Value {
    let (services, atlas) = (&fixture.services, &fixture.base.atlas);
    let fields = json!({"aws": {"supportedRemoteRegions": ["EU_WEST_2"]}, "interval": "30s"});
    fixture.apply_service("main", fields).await;
    services.until_ready("main", "True", "Available").await;
    let id = fixture.atlas_service().id;
    for change in 1..=3 {
        let name = fixture.atlas_service().service_name();
        let others = Some(vec!["EU_WEST_3".to_owned()]);
        let link = ServiceLink::Aws { endpoint_service_name: name, supported_remote_regions: others };
        assert!(atlas.edit_service(&id, |service| service.link = link));
        if change == 3 {
            break;
        }
        services.annotate("main", json!({"reconcile.fluxcd.io/requestedAt": format!("{change}")})).await;
        let is_in_force = |fixture: &DedicatedFixture| {
            let service = fixture.atlas_service();
            service.remote_regions() == ["EU_WEST_2"]
                && service.status == ServicePhase::Available
                && fixture.executed(Operation::UpdateService) == change
        };
        fixture.until_atlas("the correction", is_in_force).await;
        // The next change counts once the object has seen the correction in force.
        services.reconcile("main", &format!("{change}, corrected")).await;
        services.until_ready("main", "True", "Available").await;
    }
    // By a poll: a request would be the user's leave to set them once more.
    services.until_ready("main", "False", "Contested").await
}

async fn suspended(fixture: &DedicatedFixture) -> Value {
    fixture.services.edit("main", json!({"suspend": true})).await;
    fixture.services.until_condition("main", "Suspended", "True", "SuspendRequested").await
}

/// The states of an object that is being deleted.
async fn deleted(fixture: &DedicatedFixture, state: &str) -> Value {
    let services = &fixture.services;
    let reason = match state {
        "deleted: DELETING" => {
            let pace = DedicatedPace { deleting_service: FOREVER, ..DedicatedPace::of(PHASE) };
            fixture.base.atlas.set_dedicated_pace(pace);
            ready(fixture).await;
            "Deleting"
        }
        "deleted: endpoint objects use it" => {
            fixture.apply_both("main", "orders", VPC_ENDPOINT).await;
            "InUse"
        }
        "deleted: endpoints of others are at it" => {
            ready(fixture).await;
            fixture.others(OthersAction::RegisterEndpoint(FOREIGN_VPC_ENDPOINT.to_owned()));
            "EndpointsAttached"
        }
        _ => panic!("{state:?} is no state of this table"),
    };
    services.delete("main").await;
    services.until_ready("main", "False", reason).await
}

/// The states in which Atlas, or the credentials, have a fault.
async fn trouble(fixture: &DedicatedFixture, when: &str, what: &str) -> InState {
    let services = &fixture.services;
    let fields = if when.contains("too long") { json!({"progressDeadline": "1s"}) } else { json!({}) };
    let operator = fixture.operator();
    if when.starts_with("when Ready") {
        fixture.apply_service("main", fields.clone()).await;
        services.until_ready("main", "True", "Available").await;
    }
    match what {
        "INITIATING" => fixture.base.atlas.set_dedicated_pace(DedicatedPace::of(FOREVER)),
        "create refused" => {
            let refused = InjectedFault::NotExecuted(Termination::PaymentRequired);
            fixture.base.atlas.inject(Rule::always(refused).of([Operation::CreateService]));
        }
        _ => Trouble::named(what).begin(fixture).await,
    }
    let reason = match what {
        "INITIATING" => "ProgressDeadlineExceeded",
        "create refused" => "AtlasRefused",
        _ => Trouble::named(what).reason(),
    };
    if when.starts_with("when Ready") {
        services.annotate("main", json!({"reconcile.fluxcd.io/requestedAt": "now"})).await;
    } else {
        fixture.apply_service("main", fields).await;
    }
    let object = match when {
        "at first" => services.until_ready("main", "False", reason).await,
        "when Ready" => services.until_condition("main", "Synced", "False", reason).await,
        "too long" | "when Ready, too long" => {
            services.until_condition("main", "Stalled", "True", "ProgressDeadlineExceeded").await;
            services.until_ready("main", "False", reason).await
        }
        _ => panic!("{when:?} is no beginning of a state of this table"),
    };
    (object, Some(operator))
}
