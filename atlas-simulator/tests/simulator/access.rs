//! API keys, roles, access lists and service accounts.

use std::time::Duration;

use atlas_simulator::{
    AccessList, DEFAULT_CLIENT_SECRET, DEFAULT_PROJECT, InjectedFault, Key, NoAccess, Operation, Role,
    RoleTooLow, Rule, Termination, Unauthenticated,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Got, TestClient, endpoints, slow, tail, token};

#[tokio::test]
async fn a_read_only_key_reads_and_does_not_write() {
    let atlas = slow().await;
    atlas.add_key("reader", Key::of_project("secret", DEFAULT_PROJECT, Role::ReadOnly));
    let client = TestClient::with_key(&atlas, "reader", "secret");
    assert_eq!(client.get(&endpoints()).await.status, 200);
    let refused = client.post(&endpoints(), "{}").await;
    assert_eq!((refused.status, refused.code()), (401, "USER_UNAUTHORIZED"));
    atlas.configure(|settings| settings.variants.role_too_low = RoleTooLow::Forbidden);
    assert_eq!(client.post(&endpoints(), "{}").await.code(), "ACCESS_FORBIDDEN");
    assert_eq!(atlas.executed(Operation::Create), 0);
}

#[tokio::test]
async fn a_key_of_one_project_sees_no_other() {
    let atlas = slow().await;
    let other = "b".repeat(24);
    atlas.add_instance(&other, "orders");
    atlas.add_key("one", Key::of_project("secret", DEFAULT_PROJECT, Role::Owner));
    let client = TestClient::with_key(&atlas, "one", "secret");
    assert_eq!(client.get(&endpoints()).await.status, 200);
    let path = format!("/api/atlas/v1.0{}", tail(&other, "orders"));
    assert_eq!(client.get(&path).await.code(), "GROUP_NOT_FOUND");
    atlas.configure(|settings| settings.variants.no_access = NoAccess::NotInGroup);
    assert_eq!(client.get(&path).await.code(), "NOT_IN_GROUP");
}

#[tokio::test]
async fn an_address_off_the_list_is_forbidden_and_a_removed_key_is_unknown() {
    let atlas = slow().await;
    let client = TestClient::with_key(&atlas, "key", "secret");
    for (list, code) in [
        (AccessList::Key, "IP_ADDRESS_NOT_ON_ACCESS_LIST"),
        (AccessList::Organization, "ORG_REQUIRES_ACCESS_LIST"),
    ] {
        atlas.add_key("key", Key { refused_by: Some(list), ..Key::owner("secret") });
        let refused = client.get(&endpoints()).await;
        assert_eq!((refused.status, refused.code()), (403, code));
    }
    atlas.remove_key("key");
    assert_eq!(client.get(&endpoints()).await.status, 401);
}

const GRANT: &str = "grant_type=client_credentials";

#[tokio::test]
async fn a_token_opens_the_api_until_it_expires_or_is_revoked() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let granted = token(&atlas, DEFAULT_CLIENT_SECRET, GRANT).await;
    assert_eq!((&granted.json["expires_in"], &granted.json["token_type"]), (&json!(3600), &json!("Bearer")));
    let bearer = |granted: &Got| format!("Bearer {}", granted.json["access_token"].as_str().unwrap());
    let send = async |header: &str| {
        client.raw(Method::GET, &endpoints(), Some(header), None).await.unwrap().status()
    };
    assert_eq!(send(&bearer(&granted)).await, 200);
    assert_eq!(send("Bearer invented").await, 401);

    atlas.revoke_tokens();
    assert_eq!(send(&bearer(&granted)).await, 401);
    let granted = token(&atlas, DEFAULT_CLIENT_SECRET, GRANT).await;
    assert_eq!(send(&bearer(&granted)).await, 200);
    atlas.configure(|settings| settings.token_life = Duration::ZERO);
    assert_eq!(send(&bearer(&granted)).await, 401);
    assert_eq!(atlas.journal().last().unwrap().challenged, Some(Unauthenticated::BadToken));
    assert_eq!(atlas.executed(Operation::Token), 2);
}

#[tokio::test]
async fn the_token_resource_has_its_own_errors() {
    let atlas = slow().await;
    let invalid = json!({"error_description": "Invalid credentials provided.", "error": "invalid_client"});
    let refused = token(&atlas, "wrong", GRANT).await;
    assert_eq!((refused.status, &refused.json), (401, &invalid));
    let odd = token(&atlas, DEFAULT_CLIENT_SECRET, "grant_type=password").await;
    assert_eq!((odd.status, &odd.json["error"]), (400, &json!("unsupported_grant_type")));

    let limited = InjectedFault::NotExecuted(Termination::RateLimited { retry_after: None });
    atlas.inject(Rule::next_of(Operation::Token, limited));
    let refused = token(&atlas, DEFAULT_CLIENT_SECRET, GRANT).await;
    let body: Value = serde_json::from_str(
        r#"{"detail":"Resource /api/oauth/token is limited to 10 requests every 1 minutes.","error":429,"errorCode":"RATE_LIMITED","parameters":["/api/oauth/token",10,1],"reason":"Too Many Requests"}"#,
    )
    .unwrap();
    assert_eq!((refused.status, refused.json), (429, body));
    assert_eq!(atlas.executed(Operation::Token), 0);
}
