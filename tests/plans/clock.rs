//! The wall clock steps by an hour, either way, and nothing of the protocol moves with it; at most it keeps a claim
//! from being sent, which costs another claim.
//!
//! Only the operator's own time of day is stepped, by [`WallClock`]; its clock since the start of the machine is not,
//! as when an administrator sets a machine's clock.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use atlas_simulator::{InjectedFault, JournalEntry, Operation, Rule, Termination, max_live};
use k8s_openapi::jiff::Timestamp;
use serde_json::json;
use spe_operator::serverless::crd::{CLAIM, ServerlessPrivateEndpoint};
use test_support::{Fixture, PATIENCE, condition};
use testbed::{Action, Exchange, Process, Proxy, Recording, WallClock};

use crate::operator::{Q, command};
use crate::summary::ProofTable;

const HOUR: i64 = 3600;

/// The duration of a create beyond Q, on a busy machine.
const MARGIN: Duration = Duration::from_secs(7);

fn operator(fixture: &Fixture, clock: &WallClock, name: &str, arguments: &[&str]) -> Process {
    let mut command = command(fixture, &fixture.control_plane.kubeconfig_file(), &fixture.atlas.url());
    command.args(arguments);
    clock.set(&mut command);
    Process::spawn(name, &command).unwrap()
}

fn posts(fixture: &Fixture) -> Vec<JournalEntry> {
    let sent = |entry: &JournalEntry| entry.is(Operation::Create) && entry.challenged.is_none();
    fixture.atlas.journal().into_iter().filter(sent).collect()
}

/// Returns how far the clock of a condition's timestamp is ahead of ours, in seconds.
fn ahead(object: &ServerlessPrivateEndpoint, kind: &str) -> i64 {
    condition(object, kind).unwrap().last_transition_time.0.as_second() - Timestamp::now().as_second()
}

async fn steps_during_a_create(step: i64) {
    let (fixture, clock) = (Fixture::new().await, WallClock::new().unwrap());
    fixture.atlas.inject(Rule::next_of(Operation::Create, InjectedFault::NotExecuted(Termination::Cut)));
    let _operator = operator(&fixture, &clock, &format!("steps-by-{step}"), &[]);
    fixture.create("orders", json!({})).await;
    let sent = fixture.atlas.until(|_| posts(&fixture).len() == 1);
    tokio::time::timeout(PATIENCE, sent).await.unwrap();
    // The claim is open, and its age by the wall clock would be an hour off.
    clock.step(step).unwrap();
    let reserved = fixture.until_reason("orders", "Reserved").await;
    let off = (ahead(&reserved, "Ready") - step).abs();
    assert!(off < 60, "the operator did not see the step: {off} s");
    let posts = posts(&fixture);
    assert_eq!(posts.len(), 2);
    let pause = posts[1].at.checked_sub(posts[0].at).unwrap();
    assert!(pause >= Q && pause < Q + MARGIN, "{pause:?} between two POSTs");
    // And back, while the deletion is confirmed.
    let began = fixture.atlas.now();
    fixture.delete("orders").await;
    clock.step(-step).unwrap();
    fixture.until_gone("orders").await;
    let took = fixture.atlas.now().checked_sub(began).unwrap();
    assert!(took < MARGIN, "the deletion took {took:?}");
    assert!(fixture.endpoints().is_empty());
    assert_eq!(
        (fixture.atlas.executed(Operation::Create), max_live(&fixture.atlas.timelines(), |_| true)),
        (1, 1)
    );
}

#[tokio::test]
async fn a_clock_set_forward_during_a_create_changes_no_wait() {
    steps_during_a_create(HOUR).await;
    ProofTable::report_passed("clocks", "an hour forward, create and delete");
}

#[tokio::test]
async fn a_clock_set_back_during_a_create_changes_no_wait() {
    steps_during_a_create(-HOUR).await;
    ProofTable::report_passed("clocks", "an hour back, create and delete");
}

/// Returns the nonce of a claim, written or requested.
fn nonce(claim: &str) -> String {
    claim.split('/').nth(2).unwrap().to_owned()
}

#[tokio::test]
async fn a_claim_that_is_old_by_the_time_of_day_is_replaced_at_once() {
    let (fixture, clock) = (Fixture::new().await, WallClock::new().unwrap());
    let recording = Arc::new(Recording::default());
    let cluster = Proxy::start("cluster", fixture.control_plane.config().await.unwrap(), &recording).unwrap();
    let is_claim = |exchange: &Exchange| exchange.method == "PATCH" && !exchange.path.contains("/status");
    recording.next(is_claim, Action::DelayResponse(Duration::from_millis(500)));
    let mut command = command(&fixture, &cluster.kubeconfig_file().unwrap(), &fixture.atlas.url());
    clock.set(&mut command);
    let _operator = Process::spawn("stopped-from-outside", &command).unwrap();
    fixture.create("orders", json!({})).await;
    recording.wait_for(1, is_claim, PATIENCE).await.unwrap();
    let claimed = fixture.atlas.now();
    // As on a machine that was stopped for five minutes in between, and whose clock was set when it resumed.
    clock.step(300).unwrap();
    let reserved = fixture.until_reason("orders", "Reserved").await;
    let took = fixture.atlas.now().checked_sub(claimed).unwrap();
    assert!(took < Q, "what was not sent was waited for: {took:?}");
    let claims = recording.exchanges().into_iter().filter(is_claim).collect::<Vec<_>>();
    let first: serde_json::Value = serde_json::from_slice(&claims[0].body).unwrap();
    let first = nonce(first["metadata"]["annotations"][CLAIM].as_str().unwrap());
    assert_ne!(nonce(&reserved.metadata.annotations.unwrap()[CLAIM]), first, "the old claim was sent");
    assert_eq!((claims.len(), posts(&fixture).len(), fixture.endpoints().len()), (2, 1, 1));
    ProofTable::report_passed("clocks", "five minutes forward between a claim and its create");
}

#[tokio::test]
async fn a_clock_an_hour_off_neither_takes_nor_loses_a_lease() {
    let (fixture, leading, waiting) =
        (Fixture::new().await, WallClock::new().unwrap(), WallClock::new().unwrap());
    let namespace = format!("--lease-namespace={}", fixture.namespace);
    let times = ["--lease-duration=6s", "--lease-renew-deadline=4s", "--lease-retry-period=500ms"];
    let election = [&["--leader-elect", &namespace][..], &times].concat();
    let leader = operator(&fixture, &leading, "clock-leader", &election);
    leader.wait_for_line("leading", PATIENCE).await.unwrap();
    let proxies = fixture.proxies().await;
    let mut command = command(&fixture, &proxies.cluster.kubeconfig_file().unwrap(), &fixture.atlas.url());
    waiting.set(command.args(&election));
    let standby = Process::spawn("clock-standby", &command).unwrap();
    standby.wait_for_line("waiting until the holder", PATIENCE).await.unwrap();
    let reads = async |count| {
        let is_read = |exchange: &Exchange| exchange.path.contains("/leases/") && exchange.status.is_some();
        let before = proxies.recording.count(is_read);
        proxies.recording.wait_for(before + count, is_read, PATIENCE).await.unwrap();
    };
    // By the standby's time of day the Lease ran out long ago; then by the leader's it was never renewed.
    waiting.step(HOUR).unwrap();
    reads(3).await;
    leading.step(-HOUR).unwrap();
    fixture.create("orders", json!({})).await;
    let reserved = fixture.until_reason("orders", "Reserved").await;
    assert!(
        (ahead(&reserved, "Ready") + HOUR).abs() < 60,
        "the leader did not see the step, or does not lead"
    );
    // Longer than a Lease, at half a second each.
    reads(14).await;
    assert!(!standby.output().iter().any(|line| line.contains("leading")), "it took a Lease that was held");
    assert!(!leader.output().iter().any(|line| line.contains("lost Lease")));
    ProofTable::report_passed("clocks", "an hour off, leader and standby");
}

/// The uses of the time of day.
const READS_THE_TIME_OF_DAY: [(&str, &str); 8] = [
    ("atlas/src/auth/exchange.rs", "the end of a cookie that is a date"),
    ("atlas/src/http/mod.rs", "a Retry-After that is a date"),
    ("src/app/leader_election.rs", "the times in a Lease, for people and other programs"),
    ("src/clock.rs", "whether a claim is older than the clock since boot says"),
    ("src/runtime/events.rs", "the time of an event, for people"),
    ("src/runtime/listings.rs", "whether the day is past on which the API was to end"),
    ("src/runtime/object_metrics.rs", "since when an object waits, for alerts"),
    ("src/runtime/status_patch.rs", "the times of conditions, for people"),
];

#[test]
fn the_time_of_day_is_read_only_in_the_listed_places() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join("src"), root.join("atlas/src"), root.join("domain/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.to_string_lossy().ends_with("tests.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            if ["SystemTime::now", "Timestamp::now", "Zoned::now"].iter().any(|reads| text.contains(reads)) {
                found.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    assert_eq!(found, READS_THE_TIME_OF_DAY.map(|(file, _)| file));
}
