//! A 401 to a Digest response: what it says of the nonce, of the key, and of proxies before Atlas.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use atlas::{Outcome, Update, WriteResult};
use domain::fault::FaultKind;

use super::script::*;

#[tokio::test]
async fn a_wrong_key_costs_two_requests_and_is_not_looped() {
    let server = Script::start(|_| challenged());
    let (client, records) = server.client();
    for _ in 0..3 {
        let error = client.list(&instance()).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Status(401));
        assert!(error.to_string().contains("check the Secret entry of API key abcdefgh"), "{error}");
    }
    assert_eq!(records.lines(), ["list 401 2", "list 401 2", "list 401 2"]);
}

/// A 401 with this nonce.
pub(crate) fn issued(nonce: &str, stale: bool, header: &str) -> Reaction {
    let challenge = format!(
        r#"WWW-Authenticate: Digest realm="MMS Public API", domain="", nonce="{nonce}", algorithm=MD5, qop="auth", stale={stale}"#
    );
    let body = atlas_error(401, "UNEXPECTED_ERROR", "You are not authorized for this resource.");
    Reaction::Send(bytes(401, &[&challenge, header], &body))
}

/// Issues another nonce with each 401.
fn renewed(request: &ReceivedRequest, stale: bool) -> Reaction {
    issued(&format!("n{}", request.number), stale, "X: y")
}

#[tokio::test]
async fn a_challenge_that_is_always_stale_is_the_gateways_fault_and_not_the_keys() {
    let server = Script::start(|request| renewed(request, true));
    let (client, records) = server.client();
    let error = client.list(&instance()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (FaultKind::Unavailable, Outcome::Status(401)));
    assert!(
        error.to_string().contains("too old") && !error.to_string().contains("check the Secret entry"),
        "{error}"
    );
    assert_eq!(server.methods(), ["GET", "GET+", "GET+", "GET+"]);
    assert_eq!(records.lines(), ["list 401 4"]);
}

#[tokio::test]
async fn every_operation_survives_two_stale_challenges_in_a_row() {
    let (at, id) = (instance(), ID.parse().unwrap());
    for method in ["GET", "POST", "PATCH", "DELETE"] {
        // 401 fresh, 401 stale, 401 stale, success.
        let server = Script::start(move |request| match request.number {
            0 => renewed(request, false),
            1 | 2 => renewed(request, true),
            _ if method == "GET" => json(200, "[]"),
            _ => json(200, &endpoint()),
        });
        let (client, _) = server.client();
        match method {
            "GET" => assert!(client.list(&at).await.is_ok()),
            "POST" => assert!(matches!(client.create(&at, "c", || true).await, WriteResult::Executed(_))),
            "PATCH" => assert!(client.update(&at, &id, &Update::default()).await.is_ok()),
            _ => assert!(client.delete(&at, &id).await.is_ok()),
        }
        let sent = format!("{method}+");
        assert_eq!(server.methods(), ["GET", &sent, &sent, &sent], "{method}");
        let nonces: Vec<_> =
            server.seen()[1..].iter().map(|request| request.digest("nonce").unwrap()).collect();
        assert_eq!(nonces, ["n0", "n0", "n2"], "another gateway may have issued the first one");
    }
}

#[tokio::test]
async fn a_post_that_gets_only_stale_challenges_is_a_definite_no_and_checked_each_time() {
    let server = Script::start(|request| renewed(request, true));
    let (client, _) = server.client();
    for (allowed, posts, expected) in
        [(9, 3, Outcome::Status(401)), (2, 2, Outcome::DeadlinePassed), (0, 0, Outcome::DeadlinePassed)]
    {
        let (left, before) = (AtomicUsize::new(allowed), server.seen().len());
        let creation = client
            .create(&instance(), "c", move || {
                left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
            })
            .await;
        let WriteResult::Refused(error) = creation else { panic!("{creation:?}") };
        assert_eq!((error.kind(), error.outcome()), (FaultKind::Unavailable, expected));
        let sent = server.seen()[before..].iter().filter(|request| request.method == "POST").count();
        assert_eq!(sent, posts);
    }
}

#[tokio::test]
async fn a_key_that_was_never_accepted_and_another_nonce_name_both_causes() {
    // A server that rejected a nonce may call it stale when it is used again.
    for forgets in [false, true] {
        let server = Script::start(move |request| renewed(request, forgets && request.number == 2));
        let (client, records) = server.client();
        let error = client.list(&instance()).await.unwrap_err();
        assert_eq!(error.kind(), FaultKind::Unauthorized);
        let text = error.to_string();
        assert!(
            text.contains("check the Secret entry of API key abcdefgh")
                && text.contains("did not know the nonce"),
            "{text}"
        );
        assert_eq!(records.lines(), ["list 401 3"], "one attempt more, and no loop");
    }
}

#[tokio::test]
async fn an_accepted_key_is_believed_when_the_gateway_does_not_know_its_nonces() {
    let server =
        Script::start(|request| if request.number == 1 { json(200, "[]") } else { renewed(request, false) });
    let (client, records) = server.client();
    client.list(&instance()).await.unwrap();
    for _ in 0..2 {
        let error = client.list(&instance()).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (FaultKind::Unavailable, Outcome::Status(401)));
        assert!(error.to_string().contains("does not know the nonces that it issued"), "{error}");
    }
    // It may have been revoked: the credit ends, and so does the cost.
    let error = client.list(&instance()).await.unwrap_err();
    assert_eq!(error.kind(), FaultKind::Unauthorized);
    assert_eq!(records.lines()[1..], ["list 401 4", "list 401 4", "list 401 3"]);
}

#[tokio::test]
async fn a_key_that_may_list_is_not_believed_when_it_creates() {
    let server = Script::start(|request| match request.method.as_str() {
        "GET" if request.number == 1 => json(200, "[]"),
        _ => renewed(request, request.number == 4),
    });
    let (client, _) = server.client();
    client.list(&instance()).await.unwrap();
    let WriteResult::Refused(error) = client.create(&instance(), "c", || true).await else { panic!() };
    assert_eq!(error.kind(), FaultKind::Unauthorized);
    assert_eq!(server.methods(), ["GET", "GET+", "POST+", "POST+", "POST+"]);
}

#[tokio::test]
async fn a_code_for_known_users_blames_the_key_at_once() {
    for code in ["NOT_IN_GROUP", "USER_UNAUTHORIZED"] {
        let server = Script::start(move |request| match request.number {
            1 => json(200, "[]"),
            0 => renewed(request, false),
            number => {
                let challenge = CHALLENGE.replace("n/+1", &format!("n{number}"));
                Reaction::Send(bytes(401, &[&challenge], &atlas_error(401, code, "d")))
            }
        });
        let (client, _) = server.client();
        client.list(&instance()).await.unwrap();
        let error = client.list(&instance()).await.unwrap_err();
        assert_eq!((error.kind(), error.error_code()), (FaultKind::Unauthorized, Some(code)));
        assert!(!error.to_string().contains("nonce"), "{error}");
        assert_eq!(server.seen().len(), 4);
    }
}

#[tokio::test]
async fn two_gateways_that_share_no_nonces_are_got_along_with_in_turn_and_in_pairs() {
    for (each, is_called_stale) in [(1, false), (2, false), (1, true), (2, true)] {
        // Nonces that one of two gateways knows; the balancer sends `each` requests to one, then to the other.
        let tables: Mutex<[Vec<String>; 2]> = Mutex::default();
        let server = Script::start(move |request| {
            let mut tables = tables.lock().unwrap();
            let table = &mut tables[request.number / each % 2];
            if request.digest("nonce").is_some_and(|nonce| table.contains(&nonce)) {
                return if request.method == "GET" { json(200, "[]") } else { json(201, &endpoint()) };
            }
            table.push(format!("n{}", request.number));
            renewed(request, is_called_stale && request.header("authorization").is_some())
        });
        let (client, records) = server.client();
        for _ in 0..10 {
            client.list(&instance()).await.unwrap();
            let creation = client.create(&instance(), "c", || true).await;
            assert!(matches!(creation, WriteResult::Executed(_)), "{creation:?}");
        }
        assert!(records.lines().iter().all(|line| line.contains(" 20")), "{:?}", records.lines());
    }
}

#[tokio::test]
async fn a_401_with_another_scheme_or_none_is_of_something_before_atlas_and_blames_no_key() {
    const PROXY: &str = r#"WWW-Authenticate: Basic realm="proxy""#;
    const MALFORMED: &str = "WWW-Authenticate : \x07Digest";
    for (header, named) in [
        (PROXY, "only Basic"),
        ("X: y", "no authentication challenge"),
        (MALFORMED, "no authentication challenge"),
    ] {
        // To the first request without a key, to the first Digest response, and to the response to a cached challenge.
        for foreign_from in [0, 1, 2] {
            let server = Script::start(move |request| match request.number {
                number if number >= foreign_from => Reaction::Send(bytes(401, &[header], "<html>")),
                0 => challenged(),
                _ => json(200, "[]"),
            });
            let (client, records) = server.client();
            if foreign_from == 2 {
                client.list(&instance()).await.unwrap();
            }
            let error = client.list(&instance()).await.unwrap_err();
            assert_eq!((error.kind(), error.outcome()), (FaultKind::Unavailable, Outcome::NoChallenge));
            let text = error.to_string();
            assert!(text.contains(named) && !text.contains("check the Secret entry"), "{text}");
            let WriteResult::Refused(error) = client.create(&instance(), "c", || true).await else {
                panic!()
            };
            assert_eq!(error.kind(), FaultKind::Unavailable, "a request that gets a 401 was not executed");
            assert!(records.lines().last().unwrap().starts_with("create no_challenge"));
        }
    }
}

#[tokio::test]
async fn a_401_that_atlas_words_is_the_keys_fault_with_a_challenge_of_another_scheme_or_none() {
    for (code, header) in [
        ("USER_UNAUTHORIZED", r#"WWW-Authenticate: Basic realm="proxy""#),
        ("NOT_IN_GROUP", "X: y"),
        ("UNEXPECTED_ERROR", "X: y"),
    ] {
        for envelope in [false, true] {
            let server = authenticated(move |_| {
                let body = atlas_error(401, code, "d");
                let body = if envelope { format!(r#"{{"status":401,"envelope":{body}}}"#) } else { body };
                Reaction::Send(bytes(401, &[header], &body))
            });
            let error = server.client().0.list(&instance()).await.unwrap_err();
            assert_eq!((error.kind(), error.error_code()), (FaultKind::Unauthorized, Some(code)));
        }
    }
}

#[tokio::test]
async fn cookies_of_a_401_lead_the_repetition_to_the_gateway_that_knows_the_nonce() {
    let server = Script::start(|request| {
        let knows = request.digest("nonce").is_some_and(|nonce| nonce == "N1");
        match request.header("cookie") {
            Some("A=1; B=2") if knows => json(200, "[]"),
            Some(_) => issued("N3", false, "X: y"),
            None if request.header("authorization").is_none() => {
                issued("N1", false, "Set-Cookie: A=1\r\nSet-Cookie: B=2; Path=/; HttpOnly; Secure")
            }
            None => issued("N2", false, "X: y"),
        }
    });
    let (client, records) = server.client();
    client.list(&instance()).await.unwrap();
    // They stay with the challenge, which serves the next call.
    client.list(&instance()).await.unwrap();
    assert_eq!(records.lines(), ["list 200 2", "list 200 1"]);
}

#[tokio::test]
async fn a_challenge_that_is_not_utf_8_is_named_and_no_key_is_blamed() {
    let server = Script::start(|request| {
        assert_eq!(request.header("authorization"), None);
        let mut response =
            b"HTTP/1.1 401 X\r\nContent-Length: 0\r\nWWW-Authenticate: Digest realm=\"J\xfcrgen\", ".to_vec();
        response.extend_from_slice(b"nonce=\"n\", qop=\"auth\"\r\n\r\n");
        Reaction::Send(response)
    });
    let (client, _) = server.client();
    let error = client.list(&instance()).await.unwrap_err();
    assert_eq!(error.kind(), FaultKind::Unavailable, "{error}");
    assert!(error.to_string().contains("bytes that are not UTF-8"), "{error}");
}
