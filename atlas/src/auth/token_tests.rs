//! How a token's response is read and kept.

use domain::ids::ProjectId;
use serde_json::json;

use crate::settings::ClientSettings;
use crate::transport::Transport;

use super::*;

#[test]
fn a_token_is_due_at_two_thirds_of_its_life() {
    let now = Instant::now();
    for (expires_in, life) in [
        (json!(3600), 3600),
        (json!("90"), 90),
        (json!(null), 600),
        (json!(-5), 600),
        (json!(0), 0),
        (json!(u64::MAX), 86_400),
    ] {
        let token = read(&json!({"access_token": "t", "expires_in": expires_in}), now).unwrap();
        assert_eq!(token.expires_at - now, Duration::from_secs(life), "{expires_in}");
        assert_eq!(token.renew_at - now, Duration::from_secs(life) * 2 / 3, "{expires_in}");
    }
}

#[test]
fn a_response_without_a_usable_token_is_none() {
    for json in [
        json!({}),
        json!([]),
        json!({"access_token": ""}),
        json!({"access_token": 1}),
        json!({"access_token": "a\nb"}),
    ] {
        assert!(read(&json, Instant::now()).is_none(), "{json}");
    }
}

#[test]
fn the_headers_are_marked_so_that_no_log_shows_them() {
    let account = Credentials::service_account("mdb_sa_id_1", "hunter2").unwrap();
    assert_eq!(format!("{:?}", basic(&account).unwrap()), "Sensitive");
    assert_eq!(
        format!("{:?}", read(&json!({"access_token": "t"}), Instant::now()).unwrap().header()),
        "Sensitive"
    );
}

fn account(id: &str) -> Credentials {
    Credentials::service_account(id, "hunter2").unwrap()
}

fn project() -> ProjectId {
    "5f7cac1adf5d6c6306f4b200".parse().unwrap()
}

fn context<'a>(
    operation: Operation,
    project: &'a ProjectId,
    credentials: &'a Credentials,
) -> RequestContext<'a> {
    RequestContext { operation, attempt: "failed to list orders", subject: "orders", project, credentials }
}

/// Returns a token that is due, and expired, after `life`.
fn living_for(life: Duration) -> TokenSlot {
    let mut token = read(&json!({"access_token": "t"}), Instant::now()).unwrap();
    token.expires_at = Instant::now() + life;
    token.renew_at = token.expires_at;
    TokenSlot { renew_at: Some(token.renew_at), token: Some(Arc::new(token)), ..TokenSlot::default() }
}

#[tokio::test(start_paused = true)]
async fn a_token_serves_until_its_end_and_not_at_it() {
    // Nothing listens there, so no token can be obtained.
    let settings = ClientSettings { base_url: "http://127.0.0.1:1".to_owned(), ..ClientSettings::default() };
    let transport = Transport::new(settings, Arc::new(|_| {})).unwrap();
    let (account, project) = (account("mdb_sa_id_1"), project());
    let context = context(Operation::List, &project, &account);
    for (life, serves) in [(Duration::from_nanos(1), true), (Duration::ZERO, false)] {
        let tokens = Tokens::default();
        // Another call still uses it, so it is not dropped at its end.
        let used = tokens.slot(account.fingerprint());
        *used.try_lock().unwrap() = living_for(life);
        let deadline = Instant::now() + Duration::from_secs(30);
        let got = tokens.get(&transport.token_endpoint(), context, deadline).await;
        assert_eq!(got.is_ok(), serves, "{life:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_of_an_account_that_nobody_uses_goes_at_its_end() {
    let [old, other] = ["mdb_sa_id_1", "mdb_sa_id_2"].map(|id| account(id).fingerprint());
    for (life, left) in [(Duration::from_nanos(1), 2), (Duration::ZERO, 1)] {
        let tokens = Tokens::default();
        *tokens.slot(old).try_lock().unwrap() = living_for(life);
        let _used = tokens.slot(other);
        assert_eq!(tokens.slots.lock().unwrap().len(), left, "{life:?}");
    }
    // A running call keeps its slot.
    let tokens = Tokens::default();
    let used = tokens.slot(old);
    let _other = tokens.slot(other);
    assert!(Arc::ptr_eq(&used, &tokens.slot(old)));
}

#[test]
fn a_400_means_unauthorized_for_an_unknown_client_only() {
    let (account, project) = (account("mdb_sa_id_1"), project());
    let context = context(Operation::Token, &project, &account);
    for (status, error, expected) in [
        (400, "invalid_client", 401),
        (400, "invalid_scope", 400),
        (500, "invalid_client", 500),
        (401, "invalid_client", 401),
    ] {
        let response = RawResponse::of(status, json!({ "error": error }).to_string().as_bytes());
        assert_eq!(refused(context, response).outcome(), Outcome::Status(expected), "{status} {error}");
    }
}
