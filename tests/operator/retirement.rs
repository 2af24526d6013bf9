//! The end of the API, of an instance, of a project: one condition with its reason and next step, rare polls, a
//! deletion that ends, and a warning about continuing costs. And its announcement, which changes nothing.

use std::time::Duration;

use atlas_simulator::{
    DEFAULT_INSTANCE, DEFAULT_PROJECT, Deviation, InjectedFault, InstanceKind, JournalEntry, Malformed,
    Operation, Rule, Settings, Termination, UnknownInstance,
};
use futures::future::join_all;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;
use spe_operator::serverless::crd::ServerlessPrivateEndpoint;
use test_support::{Fixture, PATIENCE, VPC_ENDPOINT, assert_condition, assert_no_condition, condition};

/// The page for those whose instance has become a dedicated cluster.
const FROM_SERVERLESS: &str = "docs/tasks/from-serverless.md";

/// The project of an object that is polled, whose requests measure the time in which none are sent for another.
const POLLED: &str = "0123456789abcdef01234567";

/// Creates an object whose reservation never ends, so that the operator polls it. The journal begins after its create.
async fn create_polled(fixture: &Fixture) {
    fixture.atlas.add_instance(POLLED, DEFAULT_INSTANCE);
    fixture.atlas.inject(Rule::next_of(Operation::Create, InjectedFault::Deviation(Deviation::Stalls)));
    fixture.create("polled", json!({"projectId": POLLED})).await;
    fixture.until_reason("polled", "ReservationRequested").await;
    fixture.atlas.clear_journal();
}

/// Returns how many requests about the other objects arrive during several polls.
async fn requests_over_several_polls(fixture: &Fixture) -> usize {
    let is_poll = |entry: &JournalEntry| entry.project.as_deref() == Some(POLLED);
    let polls = || fixture.atlas.count(|entry| is_poll(entry) && entry.executed());
    let others = || fixture.atlas.count(|entry| !is_poll(entry));
    let (before, polls_before) = (others(), polls());
    let polled = fixture.atlas.until(|_| polls() >= polls_before + 4);
    tokio::time::timeout(PATIENCE, polled).await.expect("the other object is polled");
    others() - before
}

/// The notes of all events of this reason, once there is one.
async fn notes(fixture: &Fixture, reason: &str) -> Vec<String> {
    let events: Api<Event> =
        Api::namespaced(fixture.control_plane.client().await.unwrap(), &fixture.namespace);
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            let all = events.list(&ListParams::default()).await.unwrap().items;
            let of_reason = all.into_iter().filter(|event| event.reason.as_deref() == Some(reason));
            let notes: Vec<_> = of_reason.filter_map(|event| event.note).collect();
            if !notes.is_empty() {
                return notes;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("there was no event {reason}"))
}

fn take_away_the_instance(settings: &mut Settings, named: UnknownInstance) {
    settings.variants.unknown_instance = named;
    settings.projects.get_mut(DEFAULT_PROJECT).unwrap().remove(DEFAULT_INSTANCE);
}

fn migrate(settings: &mut Settings, kind: InstanceKind) {
    settings.projects.get_mut(DEFAULT_PROJECT).unwrap().insert(DEFAULT_INSTANCE.to_owned(), kind);
}

#[test]
fn the_page_that_messages_name_is_there() {
    assert!(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(FROM_SERVERLESS).is_file());
}

#[tokio::test]
async fn each_permanent_end_is_one_condition_and_delays_no_deletion() {
    type End = (&'static str, fn(&Fixture), &'static str, &'static str, &'static str);
    let ends: [End; 5] = [
        (
            "API switched off",
            |fixture| {
                let mut gone = Rule::always(InjectedFault::NotExecuted(Termination::VersionGone));
                gone.on.project = Some(DEFAULT_PROJECT.to_owned());
                fixture.atlas.inject(gone);
            },
            "ApiRetired",
            "AtlasApiRetired",
            "VERSION_GONE",
        ),
        (
            "migrated to Flex",
            |fixture| fixture.atlas.configure(|settings| migrate(settings, InstanceKind::Flex)),
            "InstanceMigrated",
            "InstanceMigrated",
            "NOT_SERVERLESS_TENANT_CLUSTER",
        ),
        (
            "migrated to dedicated",
            |fixture| fixture.atlas.configure(|settings| migrate(settings, InstanceKind::Dedicated)),
            "InstanceMigrated",
            "InstanceMigrated",
            "CANNOT_USE_CLUSTER_IN_SERVERLESS_INSTANCE_API",
        ),
        (
            "cluster gone",
            |fixture| {
                fixture.atlas.configure(|settings| {
                    take_away_the_instance(settings, UnknownInstance::ClusterNotFound);
                });
            },
            "InstanceNotFound",
            "InstanceNotFound",
            "CLUSTER_NOT_FOUND",
        ),
        (
            "serverless instance gone",
            |fixture| {
                fixture.atlas.configure(|settings| {
                    take_away_the_instance(settings, UnknownInstance::ServerlessInstanceNotFound);
                });
            },
            "InstanceNotFound",
            "InstanceNotFound",
            "SERVERLESS_INSTANCE_NOT_FOUND",
        ),
    ];
    join_all(ends.map(async |(end, comes, reason, event, code)| {
        let fixture = Fixture::new().await;
        let _operator = fixture.operator();
        create_polled(&fixture).await;
        let output = json!({"name": "orders-privatelink"});
        fixture
            .create("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT, "outputConfigMap": output}))
            .await;
        fixture.until_reason("orders", "Available").await;
        comes(&fixture);
        fixture.request_reconcile("orders", "1").await;
        let ended = fixture.until_reason("orders", reason).await;
        assert_condition(&ended, "Ready", "False", reason);
        assert_condition(&ended, "Stalled", "True", reason);
        assert_no_condition(&ended, "Reconciling");
        let message = &condition(&ended, "Ready").unwrap().message;
        for word in [code, "delete this object", "VPC endpoint in AWS", "billed"] {
            assert!(message.contains(word), "{end}: {word} is not in {message}");
        }
        // Where the way goes on if the instance lives as a cluster.
        let goes_on = message.contains("PrivateEndpointService") && message.contains(FROM_SERVERLESS);
        assert_eq!(goes_on, reason != "InstanceNotFound", "{end}: {message}");
        // The endpoint was deleted with its instance; where only the API was retired, it may still carry traffic.
        let lost = reason != "ApiRetired";
        assert_eq!(condition(&ended, "EndpointConnected").unwrap().status == "False", lost, "{end}");
        let maps: Api<ConfigMap> =
            Api::namespaced(fixture.control_plane.client().await.unwrap(), &fixture.namespace);
        assert_eq!(maps.get_opt("orders-privatelink").await.unwrap().is_none(), lost, "{end}");
        let reported = notes(&fixture, event).await;
        assert!(reported.len() == 1 && reported[0].contains("billed"), "{end}: {reported:?}");
        let requests = requests_over_several_polls(&fixture).await;
        assert_eq!(requests, 0, "{end}: a final state is polled once an interval");
        fixture.delete("orders").await;
        fixture.until_gone("orders").await;
        assert!(notes(&fixture, "EndpointDeleted").await[0].contains("billed"), "{end}");
        assert_eq!(fixture.atlas.executed(Operation::Create), 1, "{end}");
    }))
    .await;
}

#[tokio::test]
async fn an_object_of_a_retired_instance_is_reported_and_released() {
    let fixture = Fixture::new().await;
    fixture.atlas.inject(Rule::always(InjectedFault::NotExecuted(Termination::VersionGone)));
    let _operator = fixture.operator();
    fixture.create("orders", json!({})).await;
    let ended = fixture.until_reason("orders", "ApiRetired").await;
    assert_condition(&ended, "Stalled", "True", "ApiRetired");
    assert!(!condition(&ended, "Ready").unwrap().message.contains("billed"), "there never was an endpoint");
    assert_eq!((ended.metadata.finalizers, fixture.atlas.executed(Operation::Create)), (None, 0));
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
}

#[tokio::test]
async fn a_deletion_in_a_removed_project_waits_and_names_the_next_step() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    create_polled(&fixture).await;
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    fixture.atlas.configure(|settings| drop(settings.projects.remove(DEFAULT_PROJECT)));
    fixture.request_reconcile("orders", "1").await;
    let unseen = fixture.until_synced("orders", "ProjectNotFound").await;
    assert_condition(&unseen, "Ready", "True", "Reserved");
    let requests = requests_over_several_polls(&fixture).await;
    assert_eq!(requests, 0, "no request is sent before the Secret changes");
    fixture.delete("orders").await;
    let waiting = fixture.until_reason("orders", "ProjectNotFound").await;
    let message = &condition(&waiting, "Ready").unwrap().message;
    for word in ["GROUP_NOT_FOUND", "Retain"] {
        assert!(message.contains(word), "{word} is not in {message}");
    }
    fixture.edit("orders", json!({"deletionPolicy": "Retain"})).await;
    fixture.until_gone("orders").await;
    assert_eq!(fixture.atlas.executed(Operation::Delete), 0);
}

#[tokio::test]
async fn an_announced_sunset_is_reported_once_and_changes_nothing_else() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let operator = fixture.operator_behind(&proxies);
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    // A gateway may have added the header to one response.
    let announced = || Rule::next(InjectedFault::Shown(Malformed::Deprecated)).of([Operation::List]);
    fixture.atlas.inject(announced());
    for round in ["once", "and no more"] {
        fixture.request_reconcile("orders", round).await;
        assert_no_condition(&fixture.until_reconciled("orders", round).await, "ApiSunset");
    }
    fixture.atlas.inject(announced().times(None));
    let announced = |object: &ServerlessPrivateEndpoint| condition(object, "ApiSunset").is_some();
    let reported = fixture.reconcile_until("orders", "announced", announced).await;
    assert_condition(&reported, "ApiSunset", "True", "SunsetAnnounced");
    assert!(condition(&reported, "ApiSunset").unwrap().message.contains("2026-01-15"));
    assert_condition(&reported, "Ready", "True", "Reserved");
    assert_condition(&reported, "Synced", "True", "ReconcileSucceeded");
    assert_no_condition(&reported, "Stalled");
    notes(&fixture, "AtlasApiSunset").await;
    let writes = proxies.settled_effects().await;
    let lists = || fixture.atlas.count(|entry| entry.is(Operation::List) && entry.executed());
    for round in 0..20 {
        // Not every server of Atlas need announce it.
        if round == 10 {
            fixture.atlas.clear_rules();
        }
        let before = lists();
        // An annotation that the operator reads, with a value that means nothing.
        fixture.annotate("orders", json!({"atlas.spe-operator.io/take-over": format!("{round}")})).await;
        let reconciled = fixture.atlas.until(|_| lists() > before);
        tokio::time::timeout(PATIENCE, reconciled).await.expect("the operator reconciles at once");
    }
    assert_eq!(proxies.settled_effects().await, writes, "{}", proxies.recording.listing());
    assert_eq!(notes(&fixture, "AtlasApiSunset").await.len(), 1);
    // A restarted operator believes what Atlas reports now.
    drop(operator);
    let _successor = fixture.operator();
    fixture
        .until("orders", "without the announcement", |object| condition(object, "ApiSunset").is_none())
        .await;
}
