//! Invalid input and rejections: one condition with the problem and the remedy, no hot loop, and nothing lost once it
//! is fixed.

use atlas_simulator::{
    AccessList, DEFAULT_PRIVATE_KEY, DEFAULT_PUBLIC_KEY, InjectedFault, Key, Malformed, Operation, Role,
    Rule, Termination,
};
use serde_json::{Value, json};
use test_support::{Fixture, assert_condition, condition};

const PROJECT: &str = "0123456789abcdef01234567";

/// Creates an object, waits for `reason`, and checks the words of its message.
async fn refused(fixture: &Fixture, fields: Value, reason: &str, words: &[&str]) {
    fixture.create("orders", fields).await;
    let object = fixture.until_reason("orders", reason).await;
    assert_condition(&object, "Ready", "False", reason);
    assert_condition(&object, "Synced", "False", reason);
    let message = &condition(&object, "Ready").unwrap().message;
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
    // A rate can only be measured over time.
    let before = fixture.atlas.journal().len();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let requests = fixture.atlas.journal().len() - before;
    assert!(requests <= 4, "{requests} requests in three seconds");
    assert_eq!(fixture.atlas.executed(Operation::Create), 0);
}

/// The object becomes ready once the problem is fixed.
async fn recovers(fixture: &Fixture) {
    fixture.until_reason("orders", "Reserved").await;
    assert_eq!(fixture.atlas.executed(Operation::Create), 1);
}

#[tokio::test]
async fn a_missing_secret_is_named_and_used_once_it_exists() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.secrets.delete("atlas-api", &kube::api::DeleteParams::default()).await.unwrap();
    refused(&fixture, json!({}), "CredentialsNotFound", &["Secret atlas-api", "publicApiKey"]).await;
    fixture.put_secret(&[("publicApiKey", DEFAULT_PUBLIC_KEY), ("privateApiKey", DEFAULT_PRIVATE_KEY)]).await;
    recovers(&fixture).await;
}

#[tokio::test]
async fn a_missing_entry_of_the_secret_is_named() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture.put_secret(&[("publicApiKey", DEFAULT_PUBLIC_KEY)]).await;
    refused(&fixture, json!({}), "CredentialsNotFound", &["Secret atlas-api", "privateApiKey is missing"])
        .await;
    // White space around a value is a slip of the hand and is trimmed.
    let (public, private) = (format!(" {DEFAULT_PUBLIC_KEY}\n"), format!("{DEFAULT_PRIVATE_KEY}\n"));
    fixture.put_secret(&[("publicApiKey", &public), ("privateApiKey", &private)]).await;
    recovers(&fixture).await;
}

#[tokio::test]
async fn a_wrong_key_is_backed_off_and_a_new_one_is_used_at_once() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    fixture
        .put_secret(&[("publicApiKey", DEFAULT_PUBLIC_KEY), ("privateApiKey", "not-the-private-key")])
        .await;
    refused(&fixture, json!({}), "Unauthorized", &[DEFAULT_PUBLIC_KEY]).await;
    fixture.put_secret(&[("publicApiKey", DEFAULT_PUBLIC_KEY), ("privateApiKey", DEFAULT_PRIVATE_KEY)]).await;
    recovers(&fixture).await;
}

#[tokio::test]
async fn a_key_whose_role_is_too_low_says_which_role_is_needed() {
    let fixture = Fixture::new().await;
    let key = Key::of_project("read-only-secret", atlas_simulator::DEFAULT_PROJECT, Role::ReadOnly);
    fixture.atlas.add_key("readonly", key);
    fixture.put_secret(&[("publicApiKey", "readonly"), ("privateApiKey", "read-only-secret")]).await;
    let _operator = fixture.operator();
    fixture.create("orders", json!({})).await;
    let object = fixture
        .until("orders", "refused", |object| {
            condition(object, "Ready")
                .is_some_and(|ready| ["Unauthorized", "Forbidden"].contains(&ready.reason.as_str()))
        })
        .await;
    assert!(condition(&object, "Ready").unwrap().message.contains("Project Owner"));
    fixture.put_secret(&[("publicApiKey", DEFAULT_PUBLIC_KEY), ("privateApiKey", DEFAULT_PRIVATE_KEY)]).await;
    recovers(&fixture).await;
}

#[tokio::test]
async fn a_callers_address_that_is_not_on_the_access_list_is_named() {
    let fixture = Fixture::new().await;
    let mut key = Key::owner(DEFAULT_PRIVATE_KEY);
    key.refused_by = Some(AccessList::Key);
    fixture.atlas.add_key(DEFAULT_PUBLIC_KEY, key);
    let _operator = fixture.operator();
    refused(&fixture, json!({}), "Forbidden", &["access list"]).await;
}

#[tokio::test]
async fn an_unknown_project_is_reported_and_served_once_it_exists() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    refused(&fixture, json!({"projectId": PROJECT}), "ProjectNotFound", &[PROJECT]).await;
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
}

#[tokio::test]
async fn an_unknown_instance_is_final_until_it_exists() {
    let fixture = Fixture::new().await;
    let _operator = fixture.operator();
    refused(&fixture, json!({"instanceName": "unknown"}), "InstanceNotFound", &["unknown"]).await;
    assert_condition(&fixture.get("orders").await, "Stalled", "True", "InstanceNotFound");
    fixture.atlas.add_instance(atlas_simulator::DEFAULT_PROJECT, "unknown");
    fixture.request_reconcile("orders", "2026-11-24T00:00:00Z").await;
    recovers(&fixture).await;
}

#[tokio::test]
async fn a_malformed_response_is_reported_and_retried() {
    for oddity in [Malformed::Oversized, Malformed::Binary, Malformed::Truncated] {
        let fixture = Fixture::new().await;
        fixture.atlas.inject(Rule::next_of(Operation::List, InjectedFault::Shown(oddity.clone())).times(2));
        let _operator = fixture.operator();
        fixture.create("orders", json!({})).await;
        fixture.until_reason("orders", "AtlasUnavailable").await;
        recovers(&fixture).await;
    }
}

#[tokio::test]
async fn a_rejected_create_is_retried_without_duplicates() {
    for ending in [
        Termination::Maintenance,
        Termination::Conflict,
        Termination::RateLimited { retry_after: Some("1".into()) },
    ] {
        let fixture = Fixture::new().await;
        fixture.atlas.inject(Rule::next_of(Operation::Create, InjectedFault::NotExecuted(ending)).times(2));
        let _operator = fixture.operator();
        fixture.create("orders", json!({})).await;
        recovers(&fixture).await;
        assert_eq!(fixture.endpoints().len(), 1);
    }
}
