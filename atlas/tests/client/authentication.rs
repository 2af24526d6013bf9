//! Digest: what a call costs, and which servers it gets along with.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use atlas::{Client, ClientSettings, Creation, Credentials, Outcome, Transport, Update};
use domain::fault::FaultKind;
use futures::future::join_all;

use super::guard::{self, Habits};
use super::script::*;

#[tokio::test]
async fn a_hundred_calls_cost_a_hundred_and_one_requests() {
    let server = guard::start(Habits::default(), |_| json(200, "[]"));
    let (client, records) = server.client();
    for _ in 0..100 {
        client.list(&instance()).await.unwrap();
    }
    assert_eq!(server.seen().len(), 101);
    assert_eq!(records.lines()[0], "list 200 2");
    assert!(records.lines()[1..].iter().all(|line| line == "list 200 1"));
    let counts: Vec<_> = server.seen()[1..].iter().map(|request| request.digest("nc").unwrap()).collect();
    assert_eq!(counts, (1..=100).map(|n| format!("{n:08x}")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_calls_never_send_a_count_that_does_not_rise() {
    let server = guard::start(Habits::default(), |_| json(200, "[]"));
    let (client, _) = server.client();
    for _ in 0..5 {
        let at = instance();
        for result in join_all((0..20).map(|_| client.list(&at))).await {
            result.unwrap();
        }
    }
    let challenges = server.seen().iter().filter(|request| request.header("authorization").is_none()).count();
    assert!(challenges <= 20, "{challenges} challenges for never more than 20 calls at once");
    assert_eq!(server.seen().len(), 100 + challenges);
}

#[tokio::test]
async fn clients_of_one_key_share_challenges_and_other_keys_do_not() {
    let server = authenticated(|_| json(200, "[]"));
    let (client, _) = server.client();
    client.list(&instance()).await.unwrap();
    client.clone().list(&instance()).await.unwrap();
    assert_eq!(server.methods(), ["GET", "GET+", "GET+"]);
}

#[tokio::test]
async fn a_nonce_that_expires_is_answered_once_with_the_fresh_challenge() {
    let server = guard::start(Habits { uses: 3, ..Habits::default() }, |_| json(200, "[]"));
    let (client, records) = server.client();
    for _ in 0..7 {
        client.list(&instance()).await.unwrap();
    }
    let costs: Vec<_> =
        records.lines().iter().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect();
    assert_eq!(costs, ["2", "1", "1", "2", "1", "1", "2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_nonce_that_was_refused_is_never_sent_again() {
    let habits = Habits { uses: 3, ..Habits::default() };
    let server = guard::start(habits, |_| json(200, "[]"));
    let (client, _) = server.client();
    let at = instance();
    // Few calls at once use up the nonces of many.
    for parallel in [8, 1, 1, 1, 1, 8, 1, 8, 8] {
        for result in join_all((0..parallel).map(|_| client.list(&at))).await {
            result.unwrap();
        }
    }
}

#[tokio::test]
async fn nonces_that_serve_once_cost_two_requests_a_call() {
    let server = guard::start(Habits { uses: 1, ..Habits::default() }, |_| json(200, "[]"));
    let (client, records) = server.client();
    for _ in 0..4 {
        client.list(&instance()).await.unwrap();
    }
    assert!(records.lines().iter().all(|line| line == "list 200 2"), "{:?}", records.lines());
}

#[tokio::test]
async fn a_wrong_key_costs_two_requests_and_is_not_looped() {
    let server = Script::start(|_| challenged());
    let (client, records) = server.client();
    for _ in 0..3 {
        let error = client.list(&instance()).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Status(401));
        assert!(error.to_string().contains("check API key abcdefgh"), "{error}");
    }
    assert_eq!(records.lines(), ["list 401 2", "list 401 2", "list 401 2"]);
}

/// A 401 with this nonce.
fn issued(nonce: &str, stale: bool, header: &str) -> Reaction {
    let challenge = format!(
        r#"WWW-Authenticate: Digest realm="MMS Public API", domain="", nonce="{nonce}", algorithm=MD5, qop="auth", stale={stale}"#
    );
    let body = atlas_error(401, "UNEXPECTED_ERROR", "You are not authorized for this resource.");
    Reaction::Send(bytes(401, &[&challenge, header], &body))
}

/// Issues another nonce with each 401.
fn renewed(request: &Request, stale: bool) -> Reaction {
    issued(&format!("n{}", request.number), stale, "X: y")
}

#[tokio::test]
async fn a_challenge_that_is_always_stale_is_the_gateways_fault_and_not_the_keys() {
    let server = Script::start(|request| renewed(request, true));
    let (client, records) = server.client();
    let error = client.list(&instance()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (FaultKind::Unavailable, Outcome::Status(401)));
    assert!(error.to_string().contains("too old") && !error.to_string().contains("check API key"), "{error}");
    assert_eq!(server.methods(), ["GET", "GET+", "GET+", "GET+"]);
    assert_eq!(records.lines(), ["list 401 4"]);
}

#[tokio::test]
async fn two_stale_challenges_in_a_row_are_answered_for_every_operation() {
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
            "POST" => assert!(matches!(client.create(&at, "c", || true).await, Creation::Created(_))),
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
async fn a_post_that_only_stale_challenges_answer_is_a_definite_no_and_asked_for_each_time() {
    let server = Script::start(|request| renewed(request, true));
    let (client, _) = server.client();
    for (allowed, posts, expected) in
        [(9, 3, Outcome::Status(401)), (2, 2, Outcome::TooLate), (0, 0, Outcome::TooLate)]
    {
        let (left, before) = (AtomicUsize::new(allowed), server.seen().len());
        let creation = client
            .create(&instance(), "c", move || {
                left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
            })
            .await;
        let Creation::Refused(error) = creation else { panic!("{creation:?}") };
        assert_eq!((error.kind(), error.outcome()), (FaultKind::Unavailable, expected));
        let sent = server.seen()[before..].iter().filter(|request| request.method == "POST").count();
        assert_eq!(sent, posts);
    }
}

#[tokio::test]
async fn a_key_that_was_never_accepted_and_another_nonce_name_both_causes() {
    // Whoever refused a nonce may call it stale when it comes again.
    for forgets in [false, true] {
        let server = Script::start(move |request| renewed(request, forgets && request.number == 2));
        let (client, records) = server.client();
        let error = client.list(&instance()).await.unwrap_err();
        assert_eq!(error.kind(), FaultKind::Unauthorized);
        let text = error.to_string();
        assert!(text.contains("check API key abcdefgh") && text.contains("did not know the nonce"), "{text}");
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
    let Creation::Refused(error) = client.create(&instance(), "c", || true).await else { panic!() };
    assert_eq!(error.kind(), FaultKind::Unauthorized);
    assert_eq!(server.methods(), ["GET", "GET+", "POST+", "POST+", "POST+"]);
}

#[tokio::test]
async fn a_code_that_only_a_known_user_is_told_is_the_keys_fault_at_once() {
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
            assert!(matches!(creation, Creation::Created(_)), "{creation:?}");
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
        // To the first request without a key, to the first answer, and to the answer to a challenge that was kept.
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
            assert!(text.contains(named) && !text.contains("check API key"), "{text}");
            let Creation::Refused(error) = client.create(&instance(), "c", || true).await else { panic!() };
            assert_eq!(error.kind(), FaultKind::Unavailable, "what is answered 401 was not executed");
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
async fn no_key_carries_the_cookies_of_another() {
    let server = Script::start(|request| match request.header("authorization") {
        None => issued("n", false, "Set-Cookie: A=1; Path=/"),
        Some(_) => json(200, "[]"),
    });
    let transport = Transport::new(
        ClientSettings { base_url: server.url(), ..ClientSettings::default() },
        Records::default().observer(),
    )
    .unwrap();
    for key in ["one", "other"] {
        let key = Credentials::key("abcdefgh", key).unwrap();
        Client::new(transport.clone(), key).list(&instance()).await.unwrap();
    }
    let cookies: Vec<_> =
        server.seen().iter().map(|request| request.header("cookie").map(str::to_owned)).collect();
    assert_eq!(cookies, [None, Some("A=1".to_owned()), None, Some("A=1".to_owned())]);
}

#[tokio::test]
async fn a_challenge_that_is_not_utf_8_is_named_and_no_key_is_blamed() {
    let server = Script::start(|request| {
        assert_eq!(request.header("authorization"), None);
        let mut answer =
            b"HTTP/1.1 401 X\r\nContent-Length: 0\r\nWWW-Authenticate: Digest realm=\"J\xfcrgen\", ".to_vec();
        answer.extend_from_slice(b"nonce=\"n\", qop=\"auth\"\r\n\r\n");
        Reaction::Send(answer)
    });
    let (client, _) = server.client();
    let error = client.list(&instance()).await.unwrap_err();
    assert_eq!(error.kind(), FaultKind::Unavailable, "{error}");
    assert!(error.to_string().contains("bytes that are not UTF-8"), "{error}");
}

#[tokio::test]
async fn a_role_that_is_too_low_does_not_waste_the_challenge() {
    let refused =
        atlas_error(401, "USER_UNAUTHORIZED", "Current user is not authorized to perform this action.");
    let server = authenticated(move |_| json(401, &refused));
    let (client, records) = server.client();
    for _ in 0..3 {
        let error = client.list(&instance()).await.unwrap_err();
        assert_eq!(error.error_code(), Some("USER_UNAUTHORIZED"));
    }
    assert_eq!(records.lines(), ["list 401 2", "list 401 1", "list 401 1"]);
}

#[tokio::test]
async fn servers_of_every_kind_accept_the_answer() {
    for challenge in [
        r#"Digest realm="MMS Public API", domain="", nonce="{nonce}", algorithm=MD5, op="auth", stale=false"#,
        r#"Digest realm="MMS Public API", domain="", nonce="{nonce}", algorithm=MD5, qop="auth", stale=false"#,
        r#"digest QOP = "auth,auth-int" , NONCE="{nonce}" , REALM="a \"b\"" , OPAQUE="o=,""#,
        r#"Digest realm=r, nonce="{nonce}", algorithm=md5, qop=auth"#,
        r#"Digest realm="r", nonce="{nonce}", algorithm=SHA-256, qop="auth""#,
        r#"Digest realm="r", nonce="{nonce}", algorithm=SHA-512-256, qop="auth""#,
        r#"Digest realm="r", nonce="{nonce}", algorithm=MD5-sess, qop="auth""#,
        r#"Digest realm="r", nonce="{nonce}", algorithm=SHA-256-sess, qop="auth""#,
        r#"Digest realm="r", nonce="{nonce}", qop="""#,
        r#"Basic realm="b", Digest realm="r", nonce="{nonce}", qop="auth""#,
    ] {
        let server = guard::start(Habits { challenge, ..Habits::default() }, |request| {
            match request.method.as_str() {
                "GET" => json(200, "[]"),
                _ => json(201, &endpoint()),
            }
        });
        let (client, _) = server.client_with(|settings| (settings.pretty, settings.envelope) = (true, true));
        client.list(&instance()).await.expect(challenge);
        client.list(&instance()).await.expect(challenge);
        assert!(
            matches!(client.create(&instance(), "c", || true).await, Creation::Created(_)),
            "{challenge}"
        );
        assert_eq!(server.methods(), ["GET", "GET+", "GET+", "POST+"], "{challenge}");
        assert_eq!(server.seen()[3].target, format!("{PATH}?pretty=true&envelope=true"));
    }
}

#[tokio::test]
async fn a_challenge_among_several_header_lines_is_found() {
    let lines = [r#"WWW-Authenticate: Basic realm="b""#, "WWW-Authenticate: Bearer", CHALLENGE];
    let server = Script::start(move |request| match request.header("authorization") {
        None => Reaction::Send(bytes(401, &lines, "")),
        Some(_) => json(200, "[]"),
    });
    let (client, _) = server.client();
    client.list(&instance()).await.unwrap();
}

#[tokio::test]
async fn no_secret_goes_to_a_server_that_offers_only_what_may_not_be_used() {
    for (challenge, named) in [
        (r#"WWW-Authenticate: Basic realm="b""#, "only Basic"),
        (r#"WWW-Authenticate: Digest realm="r", nonce="n", algorithm=ROT13"#, "algorithm ROT13"),
        (r#"WWW-Authenticate: Digest realm="r", nonce="n", qop="auth-int""#, "protection auth-int"),
    ] {
        let server = Script::start(move |_| Reaction::Send(bytes(401, &[challenge], "")));
        let (client, records) = server.client();
        let error = client.list(&instance()).await.unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
        assert!(matches!(client.create(&instance(), "c", || true).await, Creation::Refused(_)));
        assert_eq!(server.methods(), ["GET", "GET"]);
        assert_eq!(records.lines(), ["list no_challenge 1", "create no_challenge 1"]);
    }
}

#[tokio::test]
async fn a_write_without_a_challenge_at_hand_asks_for_one_by_get() {
    let server = guard::start(Habits::default(), |_| json(200, &endpoint()));
    let (at, id) = (instance(), ID.parse().unwrap());
    let fresh = || server.client().0;
    assert!(matches!(fresh().create(&at, "c", || true).await, Creation::Created(_)));
    fresh().update(&at, &id, &Update::default()).await.unwrap();
    fresh().delete(&at, &id).await.unwrap();
    assert_eq!(server.methods(), ["GET", "POST+", "GET", "PATCH+", "GET", "DELETE+"]);
    for pair in server.seen().chunks(2) {
        assert_eq!(pair[0].target, pair[1].target);
        assert_eq!(pair[0].body, "", "what is to be written is not shown before the key is");
    }
}

#[tokio::test]
async fn a_server_without_authentication_is_asked_without_and_executes_a_write_once() {
    let server =
        Script::start(
            |request| {
                if request.method == "GET" { json(200, "[]") } else { json(201, &endpoint()) }
            },
        );
    let (client, _) = server.client();
    client.list(&instance()).await.unwrap();
    assert!(matches!(client.create(&instance(), "c", || true).await, Creation::Created(_)));
    assert_eq!(server.methods(), ["GET", "GET", "POST"]);
}

#[tokio::test]
async fn a_call_that_was_given_up_leaves_no_challenge_in_use() {
    let server = authenticated(|request| if request.number == 1 { Reaction::Hang } else { json(200, "[]") });
    let (client, _) = server.client();
    let at = instance();
    {
        let given_up = client.list(&at);
        tokio::pin!(given_up);
        // Wait until the server holds the authenticated request, then drop the call.
        while server.seen().len() < 2 {
            let _ = futures::poll!(&mut given_up);
            tokio::task::yield_now().await;
        }
    }
    client.list(&at).await.unwrap();
    assert_eq!(server.methods(), ["GET", "GET+", "GET", "GET+"]);
}
