//! What the response to a POST proves, and how often the POST is sent.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use atlas::{Outcome, WriteResult};
use domain::serverless::endpoint::Endpoint;

use super::script::*;

/// The class, and the outcome on the wire.
fn class(creation: &WriteResult<Endpoint>) -> String {
    match creation {
        WriteResult::Executed(endpoint) => format!("created {}", endpoint.id),
        WriteResult::Refused(error) => format!("refused {}", error.outcome()),
        WriteResult::Uncertain(error) => format!("uncertain {}", error.outcome()),
    }
}

/// Creates against a server that responds to the POST so, and checks that there was one.
async fn create(reaction: Reaction) -> String {
    let server = authenticated(move |_| reaction.clone());
    let (client, records) = server.client_with(|settings| settings.timeout = Duration::from_secs(2));
    let creation = client.create(&instance(), "orders [k8s:abcdefghijklmnop]", || true).await;
    assert_eq!(server.methods(), ["GET", "POST+"]);
    assert_eq!(server.seen()[1].body, r#"{"comment":"orders [k8s:abcdefghijklmnop]"}"#);
    let class = class(&creation);
    if !class.starts_with("created") {
        assert_eq!(records.lines(), [format!("create {} 2", class.split(' ').nth(1).unwrap())]);
    }
    class
}

#[tokio::test]
async fn a_success_with_an_id_is_a_definite_yes() {
    for status in [200, 201, 202] {
        assert_eq!(create(json(status, &endpoint())).await, format!("created {ID}"));
    }
    assert_eq!(create(json(201, &format!(r#"{{"_id":"{ID}","status":7}}"#))).await, format!("created {ID}"));
    let enveloped = format!(r#"{{"status":201,"envelope":{}}}"#, endpoint());
    assert_eq!(create(json(200, &enveloped)).await, format!("created {ID}"));
    let chunked = format!(
        "HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        &endpoint()[..5],
        endpoint().len() - 5,
        &endpoint()[5..]
    );
    assert_eq!(create(Reaction::Send(chunked.into_bytes())).await, format!("created {ID}"));
}

#[tokio::test]
async fn a_refusal_in_atlas_words_is_a_definite_no_and_anyone_elses_is_not() {
    for status in [400, 402, 403, 404, 405, 406, 409, 410, 429] {
        assert_eq!(
            create(json(status, &atlas_error(status, "SOME_CODE", "d"))).await,
            format!("refused {status}")
        );
        for foreign in ["", "<html>No</html>", r#"{"error":"no"}"#] {
            assert_eq!(create(json(status, foreign)).await, format!("uncertain {status}"), "{foreign}");
        }
    }
    let enveloped = format!(r#"{{"status":400,"content":{}}}"#, atlas_error(400, "INVALID_ATTRIBUTE", "d"));
    assert_eq!(create(json(200, &enveloped)).await, "refused 400");
}

#[tokio::test]
async fn every_other_response_is_uncertain() {
    for status in [301, 302, 307, 308, 408, 418, 421, 422, 425, 500, 502, 503, 504] {
        assert_eq!(
            create(json(status, &atlas_error(status, "SOME_CODE", "d"))).await,
            format!("uncertain {status}")
        );
    }
    for body in [
        "",
        "{}",
        "[]",
        "<html>",
        r#"{"_id":null}"#,
        r#"{"_id":"short"}"#,
        r#"{"id":"5f7cac1adf5d6c6306f4b283"}"#,
    ] {
        assert_eq!(create(json(201, body)).await, "uncertain malformed", "{body}");
    }
}

#[tokio::test]
async fn a_truncated_response_is_uncertain() {
    let whole = bytes(201, &[], &endpoint());
    let half = whole[..whole.len() - 1].to_vec();
    assert_eq!(create(Reaction::SendAndClose(half)).await, "uncertain interrupted");
    let chunked = format!(
        "HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n",
        endpoint().len(),
        endpoint()
    );
    assert_eq!(create(Reaction::SendAndClose(chunked.into_bytes())).await, "uncertain interrupted");
    let refusal = bytes(400, &[], &atlas_error(400, "INVALID_ATTRIBUTE", "d"));
    assert_eq!(create(Reaction::SendAndClose(refusal[..refusal.len() - 1].to_vec())).await, "uncertain 400");
    assert_eq!(
        create(Reaction::SendAndClose(b"HTTP/1.1 201 X\r\nContent-Le".to_vec())).await,
        "uncertain interrupted"
    );
    assert_eq!(create(Reaction::SendAndClose(Vec::new())).await, "uncertain interrupted");
    assert_eq!(
        create(Reaction::SendAndClose(b"\x16\x03\x01 not HTTP\r\n\r\n".to_vec())).await,
        "uncertain interrupted"
    );
    assert_eq!(create(Reaction::Reset).await, "uncertain interrupted");
}

#[tokio::test]
async fn a_response_that_never_ends_or_never_comes_is_uncertain() {
    assert_eq!(create(Reaction::Hang).await, "uncertain timed_out");
    let head = b"HTTP/1.1 201 X\r\nContent-Length: 1000000\r\n\r\n".to_vec();
    assert_eq!(create(Reaction::SendAndDrip(head)).await, "uncertain timed_out");
    let head = b"HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    assert_eq!(
        create(Reaction::SendWithoutEnd(head, [b"1000\r\n", &[b'a'; 4096][..], b"\r\n"].concat())).await,
        "uncertain oversized"
    );
}

#[tokio::test]
async fn a_401_is_a_definite_no_from_any_server() {
    assert_eq!(create(json(401, "")).await, "refused no_challenge");
    assert_eq!(create(challenged()).await, "refused 401");
}

#[tokio::test]
async fn what_fails_before_the_post_is_a_definite_no_and_sends_none() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (client, _) = client_of(&format!("http://{closed}"), |_| {});
    let creation = client.create(&instance(), "c", || true).await;
    assert_eq!(class(&creation), "refused unreachable");

    for (reaction, expected) in [
        (Reaction::Hang, "refused timed_out"),
        (Reaction::Reset, "refused interrupted"),
        (json(503, "<html>"), "refused 503"),
        (json(403, &atlas_error(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST", "d")), "refused 403"),
        (json(302, ""), "refused 302"),
        (json(401, ""), "refused no_challenge"),
    ] {
        let server = Script::start(move |_| reaction.clone());
        let (client, _) = server.client_with(|settings| settings.timeout = Duration::from_millis(300));
        assert_eq!(class(&client.create(&instance(), "c", || true).await), expected);
        assert_eq!(server.methods(), ["GET"], "{expected}");
    }
}

#[tokio::test]
async fn after_a_listing_a_create_costs_one_request() {
    let server =
        authenticated(
            |request| {
                if request.method == "GET" { json(200, "[]") } else { json(201, &endpoint()) }
            },
        );
    let (client, records) = server.client();
    client.list(&instance()).await.unwrap();
    client.create(&instance(), "c", || true).await;
    assert_eq!(records.lines(), ["list 200 2", "create 201 1"]);
}

#[tokio::test]
async fn a_stale_challenge_repeats_the_same_post_once() {
    // The listing's challenge is good for the listing only: the POST that uses it again gets one 401.
    let server = authenticated(|request| match (request.method.as_str(), request.number) {
        ("GET", _) => json(200, "[]"),
        ("POST", 2) => challenged(),
        _ => json(201, &endpoint()),
    });
    let (client, _) = server.client();
    client.list(&instance()).await.unwrap();
    let checks = Arc::new(AtomicUsize::new(0));
    let counter = checks.clone();
    let creation = client
        .create(&instance(), "c", move || {
            counter.fetch_add(1, Ordering::Relaxed);
            true
        })
        .await;
    assert_eq!(class(&creation), format!("created {ID}"));
    assert_eq!(server.methods(), ["GET", "GET+", "POST+", "POST+"]);
    assert_eq!(server.seen()[2].body, server.seen()[3].body);
    assert_eq!(checks.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_post_whose_response_is_lost_is_not_repeated_and_neither_is_its_repetition() {
    let server = authenticated(|request| match (request.method.as_str(), request.number) {
        ("GET", _) => json(200, "[]"),
        ("POST", 2) => challenged(),
        _ => Reaction::Reset,
    });
    let (client, _) = server.client();
    client.list(&instance()).await.unwrap();
    assert_eq!(class(&client.create(&instance(), "c", || true).await), "uncertain interrupted");
    assert_eq!(server.methods(), ["GET", "GET+", "POST+", "POST+"]);
}

#[tokio::test]
async fn once_it_is_too_late_nothing_is_sent() {
    let server = authenticated(|request| if request.number == 2 { challenged() } else { json(200, "[]") });
    let (client, records) = server.client();
    client.list(&instance()).await.unwrap();

    // Between the POST that got a 401 and its repetition; then before the first.
    for (allowed, posts) in [(1, 1), (0, 1)] {
        let left = AtomicUsize::new(allowed);
        let creation = client
            .create(&instance(), "c", move || {
                left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
            })
            .await;
        let WriteResult::Refused(error) = creation else { panic!("{creation:?}") };
        assert_eq!(error.outcome(), Outcome::DeadlinePassed);
        assert_eq!(server.methods().iter().filter(|method| *method == "POST+").count(), posts);
    }
    assert_eq!(records.lines()[1..], ["create too_late 1", "create too_late 0"]);
}

#[tokio::test]
async fn what_is_too_late_leaves_not_a_byte_on_the_wire() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        assert!(connection.read(&mut [0; 4096]).unwrap() > 0);
        connection.write_all(&bytes(401, &[CHALLENGE], "{}")).unwrap();
        let mut rest = Vec::new();
        connection.read_to_end(&mut rest).unwrap();
        rest
    });
    let (client, _) = client_of(&url, |_| {});
    assert_eq!(class(&client.create(&instance(), "c", || false).await), "refused too_late");
    drop(client);
    // Beside the runtime, which has the connection to close.
    let rest = tokio::task::spawn_blocking(|| server.join().unwrap()).await.unwrap();
    assert_eq!(String::from_utf8(rest).unwrap(), "");
}

#[tokio::test]
async fn whether_it_is_too_late_is_asked_when_there_is_a_connection_to_write_to() {
    // The connection that the POST needs is not accepted yet: an earlier check would have been too early.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        drop(listener);
        let mut request = [0; 4096];
        assert!(connection.read(&mut request).unwrap() > 0);
        connection.write_all(&bytes(401, &[CHALLENGE, "Connection: close"], "{}")).unwrap();
    });
    let (client, _) = client_of(&url, |_| {});
    let creation = client.create(&instance(), "c", || panic!("there is nothing to write to")).await;
    assert_eq!(class(&creation), "refused unreachable");
}

#[tokio::test]
async fn a_hang_on_a_kept_connection_is_uncertain_and_spoils_no_other_call() {
    let server =
        authenticated(|request| if request.method == "POST" { Reaction::Hang } else { json(200, "[]") });
    let (client, _) = server.client_with(|settings| settings.timeout = Duration::from_secs(2));
    client.list(&instance()).await.unwrap();
    let at = instance();
    let (creation, listing) = tokio::join!(client.create(&at, "c", || true), client.list(&at));
    assert_eq!(class(&creation), "uncertain timed_out");
    listing.unwrap();
    client.list(&at).await.unwrap();
}
