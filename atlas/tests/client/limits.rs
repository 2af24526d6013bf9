//! The limits of a call: time, memory, and connections to nowhere else.

use std::time::{Duration, Instant};

use atlas::{ClientSettings, Outcome, SettingsError, Transport};

use super::script::*;

const MIB: usize = 1024 * 1024;

/// A list of exactly so many bytes.
fn list_of(bytes: usize) -> String {
    format!("[{}]", " ".repeat(bytes - 2))
}

#[tokio::test]
async fn a_body_of_one_mebibyte_is_read_and_a_larger_one_is_cut() {
    for (size, expected) in [(MIB, None), (MIB + 1, Some(Outcome::Oversized))] {
        let server = authenticated(move |_| json(200, &list_of(size)));
        let (client, _) = server.client();
        assert_eq!(client.list(&instance()).await.err().map(|error| error.outcome()), expected, "{size}");
    }
    let endless = b"HTTP/1.1 200 X\r\n\r\n[".to_vec();
    let server = authenticated(move |_| Reaction::SendWithoutEnd(endless.clone(), vec![b' '; 4096]));
    let (client, _) = server.client();
    assert_eq!(client.list(&instance()).await.unwrap_err().outcome(), Outcome::Oversized);
}

#[tokio::test]
async fn headers_without_end_are_cut() {
    let line = format!("X-Filler: {}\r\n", "x".repeat(1000)).into_bytes();
    let server =
        authenticated(move |_| Reaction::SendWithoutEnd(b"HTTP/1.1 200 X\r\n".to_vec(), line.clone()));
    let (client, _) = server.client();
    assert_eq!(client.list(&instance()).await.unwrap_err().outcome(), Outcome::Interrupted);
}

#[tokio::test]
async fn the_timeout_bounds_the_whole_call() {
    // Each request alone would be in time: the challenge takes its share, then the response drips.
    let server = Script::start(|request| {
        if request.header("authorization").is_none() {
            std::thread::sleep(Duration::from_millis(1500));
            challenged()
        } else {
            Reaction::SendAndDrip(b"HTTP/1.1 200 X\r\nContent-Length: 100000\r\n\r\n".to_vec())
        }
    });
    let (client, records) = server.client_with(|settings| settings.timeout = Duration::from_secs(2));
    let started_at = Instant::now();
    let error = client.list(&instance()).await.unwrap_err();
    let took = started_at.elapsed();
    assert_eq!(error.outcome(), Outcome::TimedOut);
    assert!(took >= Duration::from_millis(1900) && took < Duration::from_millis(3400), "{took:?}");
    assert_eq!(records.lines(), ["list timed_out 2"]);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_takes_no_key_along() {
    let elsewhere = Script::start(|_| json(200, "[]"));
    let location = format!("Location: {}{PATH}", elsewhere.url());
    let server = authenticated(move |_| Reaction::Send(bytes(307, &[&location], "")));
    let (client, _) = server.client();
    assert_eq!(client.list(&instance()).await.unwrap_err().outcome(), Outcome::Status(307));
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_proxy_that_is_set_is_used_for_every_call() {
    let proxy = authenticated(|_| json(200, "[]"));
    let url = proxy.url();
    let (client, _) = client_of("http://atlas.example", |settings| {
        settings.allow_http = true;
        settings.proxy = Some(url);
    });
    client.list(&instance()).await.unwrap();
    assert_eq!(proxy.seen()[1].target, format!("http://atlas.example{PATH}"));
}

/// Runs the next test again in a process whose environment names a proxy.
#[test]
fn a_proxy_of_the_environment_is_not_used() {
    let proxy = Script::start(|_| json(200, "[]"));
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "limits::no_proxy_is_used_here", "--ignored"]);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        again.env(name, proxy.url());
    }
    for name in ["NO_PROXY", "no_proxy", "REQUEST_METHOD"] {
        again.env_remove(name);
    }
    let output = again.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert!(proxy.seen().is_empty());
}

#[tokio::test]
#[ignore = "run by a_proxy_of_the_environment_is_not_used"]
async fn no_proxy_is_used_here() {
    assert!(std::env::var_os("ALL_PROXY").is_some());
    let server = authenticated(|_| json(200, "[]"));
    let (client, _) = server.client();
    client.list(&instance()).await.unwrap();
    assert_eq!(server.methods(), ["GET", "GET+"]);
}

#[test]
fn settings_that_cannot_work_are_refused_before_the_first_call() {
    let refusal = |settings| Transport::new(settings, std::sync::Arc::new(|_| {})).err();
    let defaults = ClientSettings::default;
    assert!(refusal(defaults()).is_none());
    assert!(matches!(
        refusal(ClientSettings { timeout: Duration::ZERO, ..defaults() }),
        Some(SettingsError::Timeout)
    ));
    assert!(matches!(
        refusal(ClientSettings { base_url: "http://atlas.example".to_owned(), ..defaults() }),
        Some(SettingsError::BaseUrl(_))
    ));
    for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let refusal = refusal(ClientSettings { extra_roots: Some(pem.as_bytes().to_vec()), ..defaults() });
        assert!(refusal.is_some(), "{pem:?}");
    }
    assert!(matches!(
        refusal(ClientSettings { proxy: Some("http://".to_owned()), ..defaults() }),
        Some(SettingsError::Proxy)
    ));
}
