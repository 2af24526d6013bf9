//! A call in the middle of an exchange happens before any later effect, which makes "killed at effect n" exact.

use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc;

use testbed::{Action, Process};

use crate::fixture::{PATIENCE, ProxyFixture};

#[tokio::test]
async fn a_call_before_an_effect_comes_before_it_reaches_the_upstream() {
    let fixture = ProxyFixture::new().await;
    let upstream = Arc::clone(&fixture.upstream);
    let (sender, receiver) = mpsc::channel();
    fixture
        .recording
        .at_effect(2, Action::CallBefore(Box::new(move || sender.send(upstream.seen()).unwrap())));
    fixture.send("POST", "/1").await.unwrap();
    fixture.send("POST", "/2").await.unwrap_err();
    assert_eq!(receiver.recv().unwrap(), ["POST /1"]);
    assert_eq!(fixture.upstream.seen(), ["POST /1"]);
}

#[tokio::test]
async fn a_call_after_an_effect_comes_after_it_and_the_client_gets_no_response() {
    let fixture = ProxyFixture::new().await;
    let upstream = Arc::clone(&fixture.upstream);
    let (sender, receiver) = mpsc::channel();
    fixture
        .recording
        .at_effect(2, Action::CallAfter(Box::new(move || sender.send(upstream.seen()).unwrap())));
    fixture.send("POST", "/1").await.unwrap();
    fixture.send("POST", "/2").await.unwrap_err();
    assert_eq!(receiver.recv().unwrap(), ["POST /1", "POST /2"]);
    fixture.send("POST", "/3").await.unwrap();
    assert_eq!(fixture.upstream.seen(), ["POST /1", "POST /2", "POST /3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_during_a_call_goes_no_further() {
    let fixture = Arc::new(ProxyFixture::new().await);
    let (enter, entered) = tokio::sync::oneshot::channel();
    let (leave, left) = mpsc::channel::<()>();
    let call = move || {
        enter.send(()).unwrap();
        left.recv().unwrap();
    };
    fixture.recording.at_effect(1, Action::CallAfter(Box::new(call)));
    let asking = |path: &'static str| {
        let fixture = Arc::clone(&fixture);
        tokio::spawn(async move { fixture.send("POST", path).await.map(|response| response.status) })
    };
    let first = asking("/first");
    entered.await.unwrap();
    let meanwhile = [asking("/a"), asking("/b"), asking("/c")];
    // They cannot be awaited, for they must have no effect; a moment is enough to catch a request that slips through.
    tokio::time::sleep(crate::fixture::BRIEFLY).await;
    leave.send(()).unwrap();
    first.await.unwrap().unwrap_err();
    for request in meanwhile {
        request.await.unwrap().unwrap_err();
    }
    assert_eq!(fixture.upstream.seen(), ["POST /first"]);
    assert_eq!(fixture.recording.exchanges().len(), 1);
    assert_eq!(fixture.send("POST", "/later").await.unwrap().status, 200);
}

/// Sends requests one after the other, each after the response to the last.
const NINE_WRITES: &str = r#"
for effect in 1 2 3 4 5 6 7 8 9; do
    exec 3<> "/dev/tcp/$ADDRESS"
    printf 'POST /%d HTTP/1.1\r\nhost: here\r\ncontent-length: 0\r\nconnection: close\r\n\r\n' "$effect" >&3
    read -r _ <&3
done
"#;

#[tokio::test]
async fn a_process_killed_at_its_nth_effect_has_made_exactly_n() {
    for n in 1..=3 {
        let fixture = ProxyFixture::new().await;
        let mut client = Command::new("bash");
        client
            .args(["-c", NINE_WRITES])
            .env("ADDRESS", fixture.proxy.url().replace("http://", "").replace(':', "/"));
        let process = Arc::new(std::sync::OnceLock::<Process>::new());
        let victim = Arc::clone(&process);
        let kill = move || victim.wait().kill().unwrap();
        fixture.recording.at_effect(n, Action::CallAfter(Box::new(kill)));
        process.set(Process::spawn(&format!("nine-writes-{n}"), &client).unwrap()).unwrap();
        let status = process.get().unwrap().wait(PATIENCE).await.unwrap();
        assert!(!status.success());
        assert_eq!(fixture.upstream.seen().len(), n, "{}", fixture.recording.listing());
    }
}
