//! One namespace delays no other: counted, never timed.

use std::time::Duration;

use atlas_simulator::{
    DEFAULT_INSTANCE, DEFAULT_PROJECT, Delivery, InjectedFault, JournalEntry, Key, Rule, Simulator,
    Termination,
};
use futures::future::join_all;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use spe_operator::serverless::crd::ServerlessPrivateEndpoint;
use test_support::{Fixture, PATIENCE, SECRET};

/// The public half of the key that the hostile namespace has.
const HOSTILE: &str = "hostile";

/// A namespace with a key of its own.
async fn hostile_namespace(fixture: &Fixture) -> Api<ServerlessPrivateEndpoint> {
    fixture.atlas.add_key(HOSTILE, Key::owner("hostile-private-key"));
    namespace_with_hostile_key(fixture).await
}

async fn namespace_with_hostile_key(fixture: &Fixture) -> Api<ServerlessPrivateEndpoint> {
    let namespace = fixture.control_plane.create_namespace("hostile").await.unwrap();
    let client = fixture.control_plane.client().await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    let secret = json!({
        "metadata": {"name": SECRET},
        "stringData": {"publicApiKey": HOSTILE, "privateApiKey": "hostile-private-key"},
    });
    secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
    Api::namespaced(client, &namespace)
}

async fn create(objects: &Api<ServerlessPrivateEndpoint>, label: &str, name: &str, project: &str) {
    let object = json!({
        "apiVersion": "atlas.spe-operator.io/v1alpha1",
        "kind": "ServerlessPrivateEndpoint",
        "metadata": {"name": name, "labels": {"test": label}},
        "spec": {
            "projectId": project,
            "instanceName": DEFAULT_INSTANCE,
            "credentialsRef": {"name": SECRET},
        },
    });
    objects.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
}

/// Waits until Atlas has received the awaited request.
async fn until(atlas: &Simulator, what: &str, holds: impl Fn(&Simulator) -> bool) {
    tokio::time::timeout(PATIENCE, atlas.until(holds)).await.expect(what);
}

#[tokio::test]
async fn nineteen_hanging_namespaces_and_a_busy_one_delay_no_other() {
    let fixture = Fixture::new().await;
    let hostile = hostile_namespace(&fixture).await;
    let limited =
        InjectedFault::NotExecuted(Termination::RateLimited { retry_after: Some("3600".to_owned()) });
    let mut limited = Rule::always(limited).in_project(DEFAULT_PROJECT);
    let mut hangs = Rule::always(InjectedFault::NotExecuted(Termination::Hang));
    for rule in [&mut limited, &mut hangs] {
        rule.on.key = Some(HOSTILE.to_owned());
    }
    fixture.atlas.inject(limited);
    fixture.atlas.inject(hangs);
    // A call hangs for longer than anything is waited for here.
    let flags = ["--atlas-timeout=90s", "--create-uncertainty=200s", "--concurrency=64"];
    let _operator = fixture.operator_of_label(&format!("test={}", fixture.namespace), &flags);
    let of_hostile = |entry: &JournalEntry| entry.key.as_deref() == Some(HOSTILE);
    let in_ours =
        |entry: &JournalEntry| of_hostile(entry) && entry.project.as_deref() == Some(DEFAULT_PROJECT);
    let hanging = |entry: &JournalEntry| of_hostile(entry) && entry.delivery == Some(Delivery::Hung);
    // First it is limited in our project; then it invents two hundred of its own.
    create(&hostile, &fixture.namespace, "limited", DEFAULT_PROJECT).await;
    until(&fixture.atlas, "limited", |atlas| atlas.count(in_ours) > 0).await;
    let invented = (0..200).map(async |number| {
        let (name, project) = (format!("invented-{number}"), format!("{number:024x}"));
        create(&hostile, &fixture.namespace, &name, &project).await;
    });
    join_all(invented).await;
    until(&fixture.atlas, "hanging", |atlas| atlas.count(hanging) >= 32).await;
    // Eighteen more namespaces do the same.
    for other in 1..=18 {
        let others = namespace_with_hostile_key(&fixture).await;
        let projects = (0..3).map(async |number| {
            let (name, project) = (format!("invented-{number}"), format!("{:024x}", other * 1_000 + number));
            create(&others, &fixture.namespace, &name, &project).await;
        });
        join_all(projects).await;
    }
    until(&fixture.atlas, "all hanging", |atlas| atlas.count(hanging) >= 32 + 18).await;
    let insists = async {
        for word in 0.. {
            let patch =
                json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": word.to_string()}}});
            let patch = Patch::Merge(patch);
            for name in ["invented-0", "limited"] {
                hostile.patch(name, &PatchParams::default(), &patch).await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let served = async {
        for name in ["one", "two", "three"] {
            fixture.create(name, json!({})).await;
            let label = Patch::Merge(json!({"metadata": {"labels": {"test": fixture.namespace}}}));
            fixture.objects.patch(name, &PatchParams::default(), &label).await.unwrap();
            fixture.until_reason(name, "Reserved").await;
        }
    };
    tokio::select! {
        () = insists => {}
        () = served => {}
    }
    assert_eq!(fixture.atlas.count(hanging), 32 + 18, "the others have hardly any of what one leaves");
    let requests = fixture.atlas.count(in_ours);
    assert!(requests <= 2, "{requests} requests of who is limited, one of them for its word");
}
