//! Service accounts: one token for many calls.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use atlas::{Client, ClientSettings, Credentials, Outcome, Transport, WriteResult};
use domain::fault::{Concerns, FaultKind};
use domain::serverless::endpoint::Instance;
use futures::future::join_all;

use super::script::*;

const TOKEN_PATH: &str = "/api/oauth/token";

/// A client that authenticates as a service account.
fn client(server: &Script, timeout: Duration) -> (Client, Records) {
    let records = Records::default();
    let account = Credentials::service_account("mdb_sa_id_1", "mdb_sa_sk_secret").unwrap();
    let settings = ClientSettings { base_url: server.url(), timeout, ..ClientSettings::default() };
    (Client::new(Transport::new(settings, records.observer()).unwrap(), account), records)
}

const LONG: Duration = Duration::from_secs(20);

/// Issues `token-1`, `token-2`, …, and lets `react` handle the rest.
fn issuing(expires_in: u64, react: impl Fn(&ReceivedRequest) -> Reaction + Send + Sync + 'static) -> Script {
    let issued = AtomicUsize::new(0);
    Script::start(move |request| {
        if request.target == TOKEN_PATH {
            let n = issued.fetch_add(1, Ordering::Relaxed) + 1;
            json(
                200,
                &format!(r#"{{"access_token":"token-{n}","expires_in":{expires_in},"token_type":"Bearer"}}"#),
            )
        } else {
            react(request)
        }
    })
}

fn bearers(server: &Script) -> Vec<String> {
    let calls = server.seen().into_iter().filter(|request| request.target != TOKEN_PATH);
    calls.map(|request| request.header("authorization").unwrap().to_owned()).collect()
}

fn token_requests(server: &Script) -> usize {
    server.seen().iter().filter(|request| request.target == TOKEN_PATH).count()
}

#[tokio::test]
async fn one_token_serves_all_calls() {
    let server = issuing(3600, |_| json(200, "[]"));
    let (client, records) = client(&server, LONG);
    for _ in 0..3 {
        client.list(&instance()).await.unwrap();
    }
    assert_eq!(bearers(&server), ["Bearer token-1", "Bearer token-1", "Bearer token-1"]);
    assert_eq!(records.lines(), ["token 200 1", "list 200 1", "list 200 1", "list 200 1"]);
    let request = &server.seen()[0];
    assert_eq!((request.method.as_str(), request.body.as_str()), ("POST", "grant_type=client_credentials"));
    assert_eq!(request.header("authorization"), Some("Basic bWRiX3NhX2lkXzE6bWRiX3NhX3NrX3NlY3JldA=="));
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_calls_wait_for_one_token_request() {
    let server = issuing(3600, |_| json(200, "[]"));
    let (client, _) = client(&server, LONG);
    let at = instance();
    for result in join_all((0..20).map(|_| client.list(&at))).await {
        result.unwrap();
    }
    assert_eq!(token_requests(&server), 1);
}

#[tokio::test]
async fn a_token_is_renewed_at_two_thirds_of_its_life() {
    // It lives for three seconds, so it is due after two.
    let server = issuing(3, |_| json(200, "[]"));
    let (client, _) = client(&server, LONG);
    client.list(&instance()).await.unwrap();
    let issued_at = tokio::time::Instant::now();
    while token_requests(&server) == 1 {
        client.list(&instance()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(issued_at.elapsed() >= Duration::from_millis(1900), "{:?}", issued_at.elapsed());
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_serves_to_its_end() {
    let issued = AtomicUsize::new(0);
    let server = Script::start(move |request| match request.target.as_str() {
        TOKEN_PATH if issued.fetch_add(1, Ordering::Relaxed) == 0 => {
            json(200, r#"{"access_token":"token-1","expires_in":3}"#)
        }
        TOKEN_PATH => json(503, ""),
        _ => json(200, "[]"),
    });
    let (client, _) = client(&server, LONG);
    client.list(&instance()).await.unwrap();
    while token_requests(&server) == 1 {
        client.list(&instance()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    client.list(&instance()).await.unwrap();
    assert_eq!(token_requests(&server), 2, "the next attempt is not made with the next call");
}

#[tokio::test]
async fn a_rejected_token_is_renewed_once_and_the_request_repeated() {
    let server = issuing(3600, |request| match request.header("authorization") {
        Some("Bearer token-2") if request.method == "POST" => json(201, &endpoint()),
        Some("Bearer token-1") if request.method == "GET" => json(200, "[]"),
        _ => json(401, &atlas_error(401, "UNEXPECTED_ERROR", "d")),
    });
    let (client, records) = client(&server, LONG);
    client.list(&instance()).await.unwrap();
    assert!(matches!(client.create(&instance(), "c", || true).await, WriteResult::Executed(_)));
    assert_eq!(bearers(&server), ["Bearer token-1", "Bearer token-1", "Bearer token-2"]);
    assert_eq!(records.lines(), ["token 200 1", "list 200 1", "token 200 1", "create 201 2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_calls_whose_token_is_rejected_renew_it_once() {
    let server = issuing(3600, |request| match request.header("authorization") {
        Some("Bearer token-1") => json(401, ""),
        _ => json(200, "[]"),
    });
    let (client, _) = client(&server, LONG);
    let at = instance();
    for result in join_all((0..20).map(|_| client.list(&at))).await {
        result.unwrap();
    }
    assert_eq!(token_requests(&server), 2);
}

#[tokio::test]
async fn a_token_rejected_for_good_is_not_looped() {
    let server = issuing(3600, |_| json(401, &atlas_error(401, "USER_UNAUTHORIZED", "d")));
    let (client, _) = client(&server, LONG);
    let creation = client.create(&instance(), "c", || true).await;
    assert!(
        matches!(&creation, WriteResult::Refused(error) if error.kind() == FaultKind::Unauthorized),
        "{creation:?}"
    );
    assert_eq!(bearers(&server), ["Bearer token-1", "Bearer token-2"]);
}

/// An instance of the project with this number.
fn elsewhere(n: usize) -> Instance {
    Instance { project: format!("{n:024x}").parse().unwrap(), name: "orders".parse().unwrap() }
}

#[tokio::test]
async fn a_401_of_something_before_atlas_neither_replaces_the_token_nor_blames_the_account() {
    let server = issuing(3600, |_| {
        Reaction::Send(bytes(401, &[r#"WWW-Authenticate: Basic realm="proxy""#], "<html>"))
    });
    let (client, _) = client(&server, LONG);
    let error = client.list(&instance()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (FaultKind::Unavailable, Outcome::NoChallenge), "{error}");
    assert!(error.to_string().contains("Bearer is not offered, only Basic"), "{error}");
    assert_eq!(server.seen().len(), 2);
}

/// Bodies of a 401 that neither Atlas nor its token endpoint wrote.
const FOREIGN: [&str; 4] = [
    "",
    "<html>login</html>",
    r#"{"message":"Unauthorized"}"#,
    r#"{"timestamp":1,"status":401,"error":"Unauthorized","path":"/"}"#,
];

#[tokio::test]
async fn a_401_of_the_token_endpoint_without_an_oauth_error_blames_no_account() {
    for header in [r#"WWW-Authenticate: Basic realm="proxy""#, "WWW-Authenticate: Bearer", "X: y"] {
        for body in FOREIGN {
            let server = Script::start(move |_| Reaction::Send(bytes(401, &[header], body)));
            let (client, _) = client(&server, LONG);
            let error = client.list(&instance()).await.unwrap_err();
            assert_eq!(
                (error.kind(), error.outcome(), error.concerns()),
                (FaultKind::Unavailable, Outcome::NoChallenge, Concerns::Credentials),
                "{header} {body}"
            );
            let text = error.to_string();
            assert!(text.contains("without an OAuth error") && !text.contains("secret"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_401_to_a_token_without_an_atlas_error_blames_no_account() {
    const INVALID: &str = r#"WWW-Authenticate: Bearer error="invalid_token""#;
    for (header, outcome) in [("X: y", Outcome::NoChallenge), (INVALID, Outcome::Status(401))] {
        for body in FOREIGN {
            let server = issuing(3600, move |_| Reaction::Send(bytes(401, &[header], body)));
            let (client, _) = client(&server, LONG);
            for _ in 0..4 {
                let error = client.list(&instance()).await.unwrap_err();
                assert_eq!((error.kind(), error.outcome()), (FaultKind::Unavailable, outcome), "{error}");
                assert!(!error.to_string().contains("check the Secret entry"), "{error}");
            }
            let WriteResult::Refused(error) = client.create(&instance(), "c", || true).await else {
                panic!("a request that gets a 401 was not executed")
            };
            assert_eq!(error.kind(), FaultKind::Unavailable);
            assert_eq!(token_requests(&server), 2, "one replacement a minute");
        }
    }
}

#[tokio::test]
async fn an_accepted_account_is_believed_when_a_gateway_does_not_know_its_tokens() {
    let unknown = atlas_error(401, "UNEXPECTED_ERROR", "d");
    let calls = AtomicUsize::new(0);
    let server = issuing(3600, move |_| match calls.fetch_add(1, Ordering::Relaxed) {
        0..3 | 5 => json(200, "[]"),
        _ => json(401, &unknown),
    });
    let (client, _) = client(&server, LONG);
    for _ in 0..3 {
        client.list(&instance()).await.unwrap();
    }
    // Two 401s, one to the token that replaces the other; then the gateway knows it.
    let error = client.list(&instance()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (FaultKind::Unavailable, Outcome::Status(401)), "{error}");
    client.list(&instance()).await.unwrap();
    // The account may have been removed: the credit ends.
    for expected in [FaultKind::Unavailable, FaultKind::Unavailable, FaultKind::Unauthorized] {
        assert_eq!(client.list(&instance()).await.unwrap_err().kind(), expected);
    }
    assert_eq!(client.list(&elsewhere(1)).await.unwrap_err().kind(), FaultKind::Unauthorized);
}

#[tokio::test]
async fn a_401_in_one_project_does_not_take_the_token_from_the_others() {
    let server = issuing(3600, |request| {
        if request.target == PATH {
            json(200, "[]")
        } else {
            json(401, &atlas_error(401, "NOT_IN_GROUP", "d"))
        }
    });
    let (client, _) = client(&server, LONG);
    client.list(&instance()).await.unwrap();
    for n in 0..40 {
        let error = client.list(&elsewhere(n)).await.unwrap_err();
        assert_eq!(error.kind(), FaultKind::Unauthorized);
    }
    client.list(&instance()).await.unwrap();
    assert_eq!(token_requests(&server), 1);
}

#[tokio::test]
async fn a_token_that_is_refused_everywhere_is_replaced_once_a_minute_at_most() {
    let server = issuing(3600, |_| json(401, ""));
    let (client, _) = client(&server, LONG);
    for n in 0..10 {
        client.list(&elsewhere(n)).await.unwrap_err();
    }
    assert_eq!(token_requests(&server), 2);
}

#[tokio::test]
async fn while_the_token_endpoint_asks_for_quiet_nobody_asks_it() {
    let server = Script::start(|_| Reaction::Send(bytes(429, &["Retry-After: 60"], "")));
    let (client, _) = client(&server, LONG);
    for n in 0..10 {
        let error = client.list(&elsewhere(n)).await.unwrap_err();
        assert_eq!((error.kind(), error.concerns()), (FaultKind::RateLimited, Concerns::Credentials));
        let left = error.retry_after().unwrap();
        assert!(left > Duration::from_secs(50) && left <= Duration::from_mins(1), "{left:?}");
    }
    assert_eq!(token_requests(&server), 1);
}

#[tokio::test]
async fn a_replacement_that_cannot_be_had_leaves_the_token_to_the_others() {
    let issued = AtomicUsize::new(0);
    let refusing = std::sync::Arc::new(AtomicUsize::new(0));
    let refuses = refusing.clone();
    let server = Script::start(move |request| match request.target.as_str() {
        TOKEN_PATH if issued.fetch_add(1, Ordering::Relaxed) == 0 => {
            json(200, r#"{"access_token":"token-1","expires_in":3600}"#)
        }
        TOKEN_PATH => json(503, ""),
        PATH if refuses.load(Ordering::Relaxed) == 1 => json(401, ""),
        _ => json(200, "[]"),
    });
    let (client, _) = client(&server, LONG);
    client.list(&instance()).await.unwrap();
    client.list(&elsewhere(1)).await.unwrap();
    refusing.store(1, Ordering::Relaxed);
    let error = client.list(&instance()).await.unwrap_err();
    assert_eq!((error.kind(), error.concerns()), (FaultKind::Unavailable, Concerns::Credentials));
    client.list(&elsewhere(1)).await.unwrap();
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_the_reason_is_named() {
    let limited = r#"{"detail":"Resource /api/oauth/token is limited to 10 requests every 1 minutes.","error":429,"errorCode":"RATE_LIMITED","parameters":["/api/oauth/token",10,1],"reason":"Too Many Requests"}"#;
    let invalid = r#"{"error_description":"Invalid credentials provided.","error":"invalid_client"}"#;
    for (status, body, kind, part) in [
        (
            401,
            invalid,
            FaultKind::Unauthorized,
            "HTTP 401 invalid_client: Invalid credentials provided; check the Secret entry of service account mdb_sa_id_1",
        ),
        (400, invalid, FaultKind::Unauthorized, "invalid_client"),
        (429, limited, FaultKind::RateLimited, "RATE_LIMITED: Resource /api/oauth/token is limited"),
        (404, "<html>", FaultKind::Unavailable, "check that the base URL leads to Atlas"),
        (500, "", FaultKind::Unavailable, "HTTP 500"),
        (200, "{}", FaultKind::Unavailable, "no access_token"),
        (200, "<html>", FaultKind::Unavailable, "no access_token"),
    ] {
        let server = Script::start(move |_| Reaction::Send(bytes(status, &["Retry-After: 9"], body)));
        let (client, _) = client(&server, LONG);
        let WriteResult::Refused(error) = client.create(&instance(), "c", || true).await else {
            panic!("{body}")
        };
        assert_eq!(error.kind(), kind, "{status} {body}");
        assert_eq!(error.concerns(), Concerns::Credentials, "{status} {body}");
        assert!(error.to_string().contains(part), "{error}");
        assert!(
            error.to_string().contains("failed to get a token for service account mdb_sa_id_1"),
            "{error}"
        );
        assert_eq!(error.retry_after().map(|wait| wait.as_secs()), (status >= 400).then_some(9));
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn only_a_response_of_the_token_endpoint_concerns_the_whole_account() {
    let server = issuing(3600, |_| json(429, &atlas_error(429, "RATE_LIMITED", "d")));
    let (client, _) = client(&server, LONG);
    let error = client.list(&instance()).await.unwrap_err();
    assert_eq!((error.kind(), error.concerns()), (FaultKind::RateLimited, Concerns::Project));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn those_who_waited_for_a_token_share_its_failure() {
    let server = Script::start(|_| {
        // Long enough for all twenty to be waiting.
        std::thread::sleep(Duration::from_millis(300));
        json(429, &atlas_error(429, "RATE_LIMITED", "d"))
    });
    let (client, _) = client(&server, LONG);
    let at = instance();
    for result in join_all((0..20).map(|_| client.list(&at))).await {
        assert_eq!(result.unwrap_err().kind(), FaultKind::RateLimited);
    }
    assert_eq!(server.seen().len(), 1);
    client.list(&at).await.unwrap_err();
    assert_eq!(server.seen().len(), 2, "a later call requests another token");
}

#[tokio::test]
async fn a_call_that_came_after_the_failure_asks_again_although_others_still_wait() {
    let server = Script::start(|_| json(503, ""));
    let (client, _) = client(&server, LONG);
    let at = instance();
    let (mut first, mut waiting, mut late) =
        (Box::pin(client.list(&at)), Box::pin(client.list(&at)), Box::pin(client.list(&at)));
    assert!(futures::poll!(&mut first).is_pending() && futures::poll!(&mut waiting).is_pending());
    first.await.unwrap_err();
    assert!(futures::poll!(&mut late).is_pending());
    waiting.await.unwrap_err();
    assert_eq!(server.seen().len(), 1);
    late.await.unwrap_err();
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_token_request_that_hangs_is_a_definite_no_within_the_timeout() {
    let server = Script::start(|_| Reaction::Hang);
    let (client, _) = client(&server, Duration::from_millis(300));
    let at = instance();
    let (first, second) = tokio::join!(client.create(&at, "c", || true), client.list(&at));
    assert!(matches!(first, WriteResult::Refused(error) if error.outcome() == Outcome::TimedOut));
    assert_eq!(second.unwrap_err().outcome(), Outcome::TimedOut);
}

#[tokio::test]
async fn the_deadline_of_a_create_is_asked_after_the_token_is_there() {
    let server = issuing(3600, |_| json(201, &endpoint()));
    let (client, _) = client(&server, LONG);
    let WriteResult::Refused(error) = client.create(&instance(), "c", || false).await else { panic!() };
    assert_eq!(error.outcome(), Outcome::DeadlinePassed);
    assert_eq!(server.seen().len(), 1);
}
