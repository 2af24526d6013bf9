//! What is made of a token's answer.

use serde_json::json;

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
fn an_answer_without_a_usable_token_is_none() {
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
