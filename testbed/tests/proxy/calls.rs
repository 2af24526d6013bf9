//! A call in the middle of an exchange happens before any later effect, which makes "killed at effect n" exact.

use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc;

use testbed::{Action, Process};

use crate::bench::{Bench, PATIENCE};

#[tokio::test]
async fn a_call_before_an_effect_comes_before_it_reaches_the_upstream() {
    let bench = Bench::new().await;
    let upstream = Arc::clone(&bench.upstream);
    let (tell, told) = mpsc::channel();
    bench.tape.at_effect(2, Action::CallBefore(Box::new(move || tell.send(upstream.seen()).unwrap())));
    bench.ask("POST", "/1").await.unwrap();
    bench.ask("POST", "/2").await.unwrap_err();
    assert_eq!(told.recv().unwrap(), ["POST /1"]);
    assert_eq!(bench.upstream.seen(), ["POST /1"]);
}

#[tokio::test]
async fn a_call_after_an_effect_comes_after_it_and_its_answer_is_never_given() {
    let bench = Bench::new().await;
    let upstream = Arc::clone(&bench.upstream);
    let (tell, told) = mpsc::channel();
    bench.tape.at_effect(2, Action::CallAfter(Box::new(move || tell.send(upstream.seen()).unwrap())));
    bench.ask("POST", "/1").await.unwrap();
    bench.ask("POST", "/2").await.unwrap_err();
    assert_eq!(told.recv().unwrap(), ["POST /1", "POST /2"]);
    bench.ask("POST", "/3").await.unwrap();
    assert_eq!(bench.upstream.seen(), ["POST /1", "POST /2", "POST /3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_during_a_call_goes_no_further() {
    let bench = Arc::new(Bench::new().await);
    let (enter, entered) = tokio::sync::oneshot::channel();
    let (leave, left) = mpsc::channel::<()>();
    let call = move || {
        enter.send(()).unwrap();
        left.recv().unwrap();
    };
    bench.tape.at_effect(1, Action::CallAfter(Box::new(call)));
    let asking = |path: &'static str| {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.ask("POST", path).await.map(|answer| answer.status) })
    };
    let first = asking("/first");
    entered.await.unwrap();
    let meanwhile = [asking("/a"), asking("/b"), asking("/c")];
    // They cannot be awaited, for they must have no effect; a moment is enough to catch a request that slips through.
    tokio::time::sleep(crate::bench::BRIEFLY).await;
    leave.send(()).unwrap();
    first.await.unwrap().unwrap_err();
    for asked in meanwhile {
        asked.await.unwrap().unwrap_err();
    }
    assert_eq!(bench.upstream.seen(), ["POST /first"]);
    assert_eq!(bench.tape.exchanges().len(), 1);
    assert_eq!(bench.ask("POST", "/later").await.unwrap().status, 200);
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
        let bench = Bench::new().await;
        let mut client = Command::new("bash");
        client
            .args(["-c", NINE_WRITES])
            .env("ADDRESS", bench.proxy.url().replace("http://", "").replace(':', "/"));
        let process = Arc::new(std::sync::OnceLock::<Process>::new());
        let victim = Arc::clone(&process);
        let kill = move || victim.wait().kill().unwrap();
        bench.tape.at_effect(n, Action::CallAfter(Box::new(kill)));
        process.set(Process::spawn(&format!("nine-writes-{n}"), &client).unwrap()).unwrap();
        let status = process.get().unwrap().wait(PATIENCE).await.unwrap();
        assert!(!status.success());
        assert_eq!(bench.upstream.seen().len(), n, "{}", bench.tape.listing());
    }
}
