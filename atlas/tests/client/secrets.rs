//! No secret in any output: messages, Debug, and logs down to the last dependency.

use std::io::Write;
use std::sync::{Arc, Mutex};

use atlas::{Client, ClientSettings, Credentials, Operation, Outcome, Transport, WriteResult};
use tracing_subscriber::fmt::MakeWriter;

use super::script::*;

const PRIVATE: &str = "0canary0-1111-2222-3333-private00key";
const CLIENT_SECRET: &str = "mdb_sa_sk_0canary0clientsecret";
const TOKEN: &str = "eyJ0canary0.token.signature";

/// Every form that would reveal a secret, plain or as Basic.
fn forbidden() -> Vec<String> {
    let basic = |id: &str, secret: &str| data_encoding::BASE64.encode(format!("{id}:{secret}").as_bytes());
    let base64 = |secret: &str| data_encoding::BASE64.encode(secret.as_bytes());
    vec![
        "0canary0".to_owned(),
        basic("abcdefgh", PRIVATE),
        basic("mdb_sa_id_1", CLIENT_SECRET),
        base64(PRIVATE),
        base64(CLIENT_SECRET),
        base64(TOKEN),
    ]
}

fn assert_clean(what: &str, text: &str) {
    for secret in forbidden() {
        assert!(!text.contains(&secret), "{what} gives away {secret}: {text}");
    }
}

/// A server that echoes every request as an error.
fn echo() -> Script {
    Script::start(|request| {
        if request.target == "/api/oauth/token" {
            return json(200, &format!(r#"{{"access_token":"{TOKEN}","expires_in":3600}}"#));
        }
        let sent = request.header("authorization").unwrap_or_default().replace('"', "'");
        let echo = format!("{sent} {PRIVATE} {CLIENT_SECRET} {}", forbidden().join(" "));
        let body = atlas_error(400, &format!("CODE {sent}"), &echo);
        if request.header("authorization").is_none() { challenged() } else { json(400, &body) }
    })
}

fn clients(url: &str) -> [Client; 2] {
    let settings = || ClientSettings { base_url: url.to_owned(), ..ClientSettings::default() };
    [
        Credentials::key("abcdefgh", PRIVATE).unwrap(),
        Credentials::service_account("mdb_sa_id_1", CLIENT_SECRET).unwrap(),
    ]
    .map(|credentials| {
        Client::new(Transport::new(settings(), Records::default().observer()).unwrap(), credentials)
    })
}

#[tokio::test]
async fn what_a_server_throws_back_is_hidden() {
    for (client, own) in clients(&echo().url()).into_iter().zip([&[PRIVATE][..], &[CLIENT_SECRET, TOKEN]]) {
        // A client hides the secrets that it knows; those of another key were not its to know.
        let error = client.list(&instance()).await.unwrap_err();
        assert_eq!((error.operation(), error.outcome()), (Operation::List, Outcome::Status(400)));
        let basic =
            data_encoding::BASE64.encode(format!("{}:{}", client.credentials().id(), own[0]).as_bytes());
        for text in [
            error.to_string(),
            format!("{error:?}"),
            error.fault().to_string(),
            error.error_code().unwrap_or_default().to_owned(),
        ] {
            for secret in own.iter().copied().chain([basic.as_str()]) {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
        assert_clean("Debug", &format!("{:?} {}", client.credentials(), client.credentials()));
    }
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_log_shows_a_secret_at_the_lowest_level() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    // While there is only one dispatcher, tracing asks that of the thread that first reaches a callsite. The thread of
    // another test has none, and the callsite would stay disabled here.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    // For this thread only: the test's runtime has no other.
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Script::start(|request| match (request.target.as_str(), request.header("authorization")) {
        ("/api/oauth/token", _) => json(200, &format!(r#"{{"access_token":"{TOKEN}","expires_in":3600}}"#)),
        (_, None) => challenged(),
        _ if request.method == "GET" => json(200, "[]"),
        _ => json(201, &endpoint()),
    });
    for client in clients(&server.url()) {
        client.list(&instance()).await.unwrap();
        assert!(matches!(client.create(&instance(), "c", || true).await, WriteResult::Executed(_)));
    }
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("Atlas call") && text.contains("operation=\"create\""), "{text}");
    assert!(text.contains("hyper"), "the test does not see the dependencies' logs: {text}");
    assert_clean("the log", &text);
}
