//! Digest challenges: the cost of a call, and the servers that the client works with.

use atlas::{Client, ClientSettings, Credentials, Transport, Update, WriteResult};
use futures::future::join_all;

use super::guard::{self, Habits};
use super::rejections::issued;
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
async fn a_nonce_that_expires_is_followed_by_one_request_with_the_fresh_challenge() {
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
async fn servers_of_every_kind_accept_the_authorization() {
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
            matches!(client.create(&instance(), "c", || true).await, WriteResult::Executed(_)),
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
        assert!(matches!(client.create(&instance(), "c", || true).await, WriteResult::Refused(_)));
        assert_eq!(server.methods(), ["GET", "GET"]);
        assert_eq!(records.lines(), ["list no_challenge 1", "create no_challenge 1"]);
    }
}

#[tokio::test]
async fn a_write_without_a_challenge_at_hand_asks_for_one_by_get() {
    let server = guard::start(Habits::default(), |_| json(200, &endpoint()));
    let (at, id) = (instance(), ID.parse().unwrap());
    let fresh = || server.client().0;
    assert!(matches!(fresh().create(&at, "c", || true).await, WriteResult::Executed(_)));
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
    assert!(matches!(client.create(&instance(), "c", || true).await, WriteResult::Executed(_)));
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
