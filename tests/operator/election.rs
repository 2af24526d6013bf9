//! Leader election: one replica works, another takes over, and the Lease names the holder.
//!
//! The duration of a take-over is asserted from the Lease's own times, which are those of this machine, too: it ends
//! when the new leader read the Lease and acquired it (`acquireTime`), not when a line of its log was read. It begins
//! at a known time, just after the standby read it. So neither the start of a process nor a slow response counts, only
//! the pauses that the program itself makes: 16 s after a kill, since the standby reads every 2 s and waits for 15, and
//! 2 s after SIGTERM, whatever hangs meanwhile. The rest up to the bounds is for the delays of a busy machine. That a
//! kill at any other time keeps the bound, too, is arithmetic, and a test of `src/app/leader_election.rs`.

use std::time::Duration;

use atlas_simulator::{DEFAULT_PROJECT, InjectedFault, JournalEntry, Operation, Pace, Rule, Termination};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;
use test_support::{Fixture, PATIENCE, Proxies, SECRET, VPC_ENDPOINT};
use testbed::{Action, Exchange, Process, Signal};

/// How long a silent holder is waited for.
const LEASE: SignedDuration = SignedDuration::from_secs(15);

/// The maximum time until another replica leads after a kill, and after a leader was terminated.
const AFTER_KILL: SignedDuration = SignedDuration::from_secs(20);
const AFTER_TERM: SignedDuration = SignedDuration::from_secs(3);

/// The flags of a replica, with or without proxies.
fn election(fixture: &Fixture) -> [String; 2] {
    ["--leader-elect".into(), format!("--lease-namespace={}", fixture.namespace)]
}

fn replica(fixture: &Fixture) -> Process {
    fixture.operator_with(&election(fixture).each_ref().map(String::as_str))
}

async fn stands_by(fixture: &Fixture) -> Process {
    let standby = replica(fixture);
    standby.wait_for_line("waiting until the holder", PATIENCE).await.unwrap();
    standby
}

/// A replica that leads and a standby.
async fn pair(fixture: &Fixture) -> (Process, Process) {
    let leader = replica(fixture);
    leader.wait_for_line("leading", PATIENCE).await.unwrap();
    (leader, stands_by(fixture).await)
}

async fn lease(fixture: &Fixture) -> LeaseSpec {
    let leases: Api<Lease> =
        Api::namespaced(fixture.control_plane.client().await.unwrap(), &fixture.namespace);
    leases.get("spe-operator").await.unwrap().spec.unwrap()
}

/// A replica that leads, and a standby behind these proxies.
async fn watched_pair(fixture: &Fixture, proxies: &Proxies) -> (Process, Process) {
    watched_pair_with(fixture, proxies, &[]).await
}

async fn watched_pair_with(fixture: &Fixture, proxies: &Proxies, flags: &[&str]) -> (Process, Process) {
    let [elect, namespace] = election(fixture);
    let flags = [&[&*elect, &*namespace][..], flags].concat();
    let leader = fixture.operator_with(&flags);
    leader.wait_for_line("leading", PATIENCE).await.unwrap();
    let standby = fixture.operator_behind_with(proxies, &flags);
    standby.wait_for_line("waiting until the holder", PATIENCE).await.unwrap();
    (leader, standby)
}

/// Starts a replica whose Lease runs out within seconds.
fn short_leader(fixture: &Fixture, proxies: &Proxies, flags: &[&str]) -> Process {
    let [elect, namespace] = election(fixture);
    let times = ["--lease-duration=3s", "--lease-renew-deadline=1s", "--lease-retry-period=200ms"];
    fixture.operator_behind_with(proxies, &[&[&*elect, &*namespace][..], &times, flags].concat())
}

fn is_about_the_lease(exchange: &Exchange) -> bool {
    exchange.path.contains("/leases/")
}

/// Leaves the requests about the Lease without a response, until the leader holds it no longer.
async fn loses_the_lease(leader: &Process, proxies: &Proxies) {
    proxies.recording.always(is_about_the_lease, || Action::HangRequest);
    leader.wait_for_line("could not renew the Lease in time", PATIENCE).await.unwrap();
}

/// Ends when the leader has tried four times more to renew its Lease, which takes a second and a pause each.
async fn tries_to_renew(proxies: &Proxies) {
    let before = proxies.recording.count(is_about_the_lease);
    proxies.recording.wait_for(before + 4, is_about_the_lease, PATIENCE).await.unwrap();
}

/// Ends when the replica behind these proxies has just read the Lease.
async fn lease_is_read(proxies: &Proxies) {
    let is_read = |exchange: &Exchange| {
        exchange.method == "GET" && exchange.path.contains("/leases/") && exchange.status.is_some()
    };
    let before = proxies.recording.count(is_read);
    proxies.recording.wait_for(before + 1, is_read, PATIENCE).await.unwrap();
}

/// Returns when `standby` acquired the Lease, according to the Lease.
async fn taken_over(fixture: &Fixture, standby: &Process) -> Timestamp {
    standby.wait_for_line("leading", PATIENCE).await.unwrap();
    lease(fixture).await.acquire_time.unwrap().0
}

#[tokio::test]
async fn one_replica_works_and_the_lease_tells_which() {
    let fixture = Fixture::new().await;
    let (_leader, standby) = pair(&fixture).await;
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    let lease = lease(&fixture).await;
    assert_eq!(lease.lease_duration_seconds, Some(15));
    assert_eq!(lease.lease_transitions, Some(0));
    assert!(lease.acquire_time <= lease.renew_time);
    let holder = lease.holder_identity.unwrap();
    assert!(
        standby
            .output()
            .iter()
            .any(|line| line.contains("waiting until the holder") && line.contains(&holder))
    );
}

#[tokio::test]
async fn a_killed_leader_is_replaced_within_twenty_seconds() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let (leader, standby) = watched_pair(&fixture, &proxies).await;
    fixture.create("orders", json!({})).await;
    fixture
        .until("orders", "created", |object| object.status.as_ref().is_some_and(|status| status.id.is_some()))
        .await;
    lease_is_read(&proxies).await;
    let killed = Timestamp::now();
    leader.kill().unwrap();
    let renewed = lease(&fixture).await.renew_time.unwrap().0;
    let taken = taken_over(&fixture, &standby).await;
    let waited = taken.duration_since(killed);
    println!("took over {waited:?} after the kill");
    assert!(taken.duration_since(renewed) >= LEASE, "renewed at {renewed}, taken at {taken}");
    assert!(waited <= AFTER_KILL, "{waited:?}");
    fixture.until_reason("orders", "Reserved").await;
    assert_eq!(
        (fixture.atlas.executed(Operation::Create), lease(&fixture).await.lease_transitions),
        (1, Some(1))
    );
}

#[tokio::test]
async fn a_leader_whose_project_hangs_hands_over_within_three_seconds() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let times = ["--atlas-timeout=30s", "--create-uncertainty=80s"];
    let (leader, standby) = watched_pair_with(&fixture, &proxies, &times).await;
    // More than call Atlas for one project at once.
    fixture.atlas.inject(Rule::always(InjectedFault::NotExecuted(Termination::Hang)).of([Operation::List]));
    for number in 0..24 {
        let instance = format!("hangs-{number}");
        fixture.atlas.add_instance(DEFAULT_PROJECT, &instance);
        fixture.create(&instance, json!({"instanceName": instance})).await;
    }
    let is_list = |entry: &JournalEntry| entry.is(Operation::List) && entry.challenged.is_none();
    let hang = fixture.atlas.until(|atlas| atlas.count(is_list) >= 8);
    tokio::time::timeout(PATIENCE, hang).await.unwrap();
    lease_is_read(&proxies).await;
    let signaled = Timestamp::now();
    leader.signal(Signal::TERM).unwrap();
    let waited = taken_over(&fixture, &standby).await.duration_since(signaled);
    println!("took over {waited:?} after SIGTERM");
    assert!(waited <= AFTER_TERM, "{waited:?}");
    assert!(leader.wait(PATIENCE).await.unwrap().success());
    fixture.atlas.clear_rules();
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
}

/// A leader whose `operation` on `orders` is in flight is terminated, and another leads within seconds.
async fn hands_over_amid(
    operation: Operation,
    fault: InjectedFault,
    act: impl AsyncFnOnce(&Fixture),
) -> Fixture {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let times = ["--atlas-timeout=30s", "--create-uncertainty=80s"];
    let (leader, standby) = watched_pair_with(&fixture, &proxies, &times).await;
    if operation != Operation::Create {
        fixture.create("orders", json!({})).await;
        fixture.until_reason("orders", "Reserved").await;
    }
    fixture.atlas.inject(Rule::next_of(operation, fault));
    act(&fixture).await;
    let sent = |entry: &JournalEntry| entry.is(operation) && entry.challenged.is_none();
    tokio::time::timeout(PATIENCE, fixture.atlas.until(|atlas| atlas.count(sent) == 1)).await.unwrap();
    lease_is_read(&proxies).await;
    let signaled = Timestamp::now();
    leader.signal(Signal::TERM).unwrap();
    let waited = taken_over(&fixture, &standby).await.duration_since(signaled);
    println!("took over {waited:?} after SIGTERM");
    assert!(waited <= AFTER_TERM, "{waited:?}");
    if operation == Operation::Create {
        fixture.until_reason("orders", "Reserved").await;
        assert_eq!(
            fixture.get("orders").await.status.unwrap().id.as_deref(),
            Some(&*fixture.endpoints()[0].id)
        );
    } else if operation == Operation::Update {
        fixture.until_reason("orders", "Available").await;
    } else {
        fixture.until_gone("orders").await;
    }
    assert!(leader.wait(PATIENCE).await.unwrap().success());
    assert_eq!(fixture.atlas.executed(Operation::Create), 1);
    fixture
}

#[tokio::test]
async fn a_leader_whose_update_hangs_hands_over_and_the_next_one_sends_it() {
    let act = async |fixture: &Fixture| {
        fixture.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    };
    let fixture =
        hands_over_amid(Operation::Update, InjectedFault::NotExecuted(Termination::Hang), act).await;
    assert_eq!(fixture.atlas.executed(Operation::Update), 1);
}

#[tokio::test]
async fn the_next_leader_finishes_a_deletion_whose_request_hangs() {
    let act = async |fixture: &Fixture| fixture.delete("orders").await;
    let fixture = hands_over_amid(Operation::Delete, InjectedFault::Executed(Termination::Hang), act).await;
    assert!(fixture.endpoints().is_empty());
}

#[tokio::test]
async fn a_hanging_create_of_a_former_leader_is_recorded_once() {
    let act = async |fixture: &Fixture| {
        fixture.create("orders", json!({})).await;
    };
    let fixture =
        hands_over_amid(Operation::Create, InjectedFault::delayed(Duration::from_secs(8)), act).await;
    assert_eq!(fixture.endpoints().len(), 1);
}

#[tokio::test]
async fn an_update_in_flight_at_the_loss_of_the_lease_is_repeated() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let operator = short_leader(&fixture, &proxies, &["--atlas-timeout=120s", "--create-uncertainty=300s"]);
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    fixture.atlas.inject(Rule::next_of(Operation::Update, InjectedFault::NotExecuted(Termination::Hang)));
    fixture.edit("orders", json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await;
    let sent = |entry: &JournalEntry| entry.is(Operation::Update) && entry.challenged.is_none();
    tokio::time::timeout(PATIENCE, fixture.atlas.until(|atlas| atlas.count(sent) == 1)).await.unwrap();
    loses_the_lease(&operator, &proxies).await;
    proxies.recording.forget_plan();
    fixture.until_reason("orders", "Available").await;
    assert_eq!(fixture.atlas.executed(Operation::Update), 1);
}

#[tokio::test]
async fn a_lease_is_reacquired_by_its_holder_after_an_outage() {
    let pace = Pace { deleting: Duration::from_secs(12), ..Pace::of(Duration::from_millis(300)) };
    let fixture = Fixture::at_pace(pace).await;
    let proxies = fixture.proxies().await;
    let [elect, namespace] = election(&fixture);
    let times = ["--lease-duration=4s", "--lease-renew-deadline=2s", "--lease-retry-period=500ms"];
    let operator = fixture.operator_behind_with(&proxies, &[&[&*elect, &*namespace][..], &times].concat());
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    // The Secret is not restored: only the process that has used it can end the deletion.
    fixture.secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    fixture.delete("orders").await;
    fixture.until_reason("orders", "Deleting").await;
    let before = lease(&fixture).await;
    proxies.recording.always(|exchange| exchange.proxy == "cluster", || Action::HangRequest);
    operator.wait_for_line("could not renew the Lease in time", PATIENCE).await.unwrap();
    let ended = lease(&fixture).await.renew_time.unwrap().0 + SignedDuration::from_secs(4);
    tokio::time::sleep(ended.duration_since(Timestamp::now()).unsigned_abs()).await;
    proxies.recording.forget_plan();
    operator.wait_for_line("leading again", PATIENCE).await.unwrap();
    fixture.until_gone("orders").await;
    assert!(fixture.endpoints().is_empty());
    let after = lease(&fixture).await;
    assert_eq!((after.holder_identity, after.acquire_time), (before.holder_identity, before.acquire_time));
    assert_eq!((after.lease_duration_seconds, after.lease_transitions), (Some(4), Some(0)));
}

#[tokio::test]
async fn a_claimed_create_is_not_sent_while_the_lease_is_not_held() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let operator = short_leader(&fixture, &proxies, &["--create-deadline=30s", "--create-uncertainty=80s"]);
    fixture.create("events", json!({})).await;
    fixture.until_reason("events", "Reserved").await;
    // The claim stands at once, and its response comes when the Lease has long not been renewed.
    let is_claim = |exchange: &Exchange| exchange.method == "PATCH" && exchange.path.contains("/orders");
    proxies.recording.next(is_claim, Action::DelayResponse(Duration::from_secs(4)));
    fixture.create("orders", json!({})).await;
    proxies.recording.wait_for(1, is_claim, PATIENCE).await.unwrap();
    loses_the_lease(&operator, &proxies).await;
    let has_response = |exchange: &Exchange| is_claim(exchange) && exchange.responded_at.is_some();
    proxies.recording.wait_for(1, has_response, PATIENCE).await.unwrap();
    tries_to_renew(&proxies).await;
    assert_eq!(fixture.atlas.executed(Operation::Create), 1, "that of the other object");
    proxies.recording.forget_plan();
    fixture.until_reason("orders", "Reserved").await;
    assert_eq!(fixture.atlas.executed(Operation::Create), 2);
}

#[tokio::test]
async fn a_reconcile_running_at_the_loss_of_the_lease_claims_nothing() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let is_list = |exchange: &Exchange| exchange.proxy == "atlas" && exchange.path.ends_with("/endpoint");
    proxies.recording.always(is_list, || Action::DelayResponse(Duration::from_secs(2)));
    let operator = short_leader(&fixture, &proxies, &[]);
    fixture.create("orders", json!({})).await;
    proxies.recording.wait_for(1, is_list, PATIENCE).await.unwrap();
    loses_the_lease(&operator, &proxies).await;
    // Longer than the responses take that a claim would wait for.
    tries_to_renew(&proxies).await;
    assert_eq!(fixture.get("orders").await.metadata.finalizers, None);
    proxies.recording.forget_plan();
    fixture.until_reason("orders", "Reserved").await;
    assert_eq!(fixture.atlas.executed(Operation::Create), 1);
}

#[tokio::test]
async fn a_leader_that_takes_over_in_an_outage_waits_for_its_end() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    let names_the_cluster = |exchange: &Exchange| exchange.path.starts_with("/api/v1/namespaces/kube-system");
    for response in [Action::kubernetes(500, "InternalError"), Action::DropRequest] {
        proxies.recording.next(names_the_cluster, response);
    }
    let flags = election(&fixture);
    let _operator = fixture.operator_behind_with(&proxies, &flags.each_ref().map(String::as_str));
    fixture.create("orders", json!({})).await;
    fixture.until_reason("orders", "Reserved").await;
    assert_eq!(proxies.recording.count(names_the_cluster), 3);
}

#[tokio::test]
async fn a_leader_suspended_past_its_lease_ends_without_duplicates() {
    let fixture = Fixture::new().await;
    let proxies = fixture.proxies().await;
    // Its claim stands, and the next that it would do is the POST: it is paused before it hears so.
    let is_claim = |exchange: &Exchange| exchange.method == "PATCH" && !exchange.path.contains("/status");
    proxies.recording.next(is_claim, Action::DelayResponse(Duration::from_secs(3)));
    let leader = fixture.operator_behind_with(&proxies, &election(&fixture).each_ref().map(String::as_str));
    leader.wait_for_line("leading", PATIENCE).await.unwrap();
    let standby = stands_by(&fixture).await;
    fixture.create("orders", json!({})).await;
    fixture.until("orders", "claimed", |object| object.metadata.finalizers.is_some()).await;
    leader.signal(Signal::STOP).unwrap();
    assert_eq!(fixture.atlas.executed(Operation::Create), 0, "it was paused too late");
    standby.wait_for_line("leading", PATIENCE).await.unwrap();
    fixture.until_reason("orders", "Reserved").await;
    leader.signal(Signal::CONT).unwrap();
    assert!(!leader.wait(PATIENCE).await.unwrap().success());
    let holder = lease(&fixture).await.holder_identity.unwrap();
    let reason = format!("spe-operator: lost Lease {}/spe-operator: {holder} leads now", fixture.namespace);
    assert!(leader.output().contains(&reason), "{:?}", leader.output().last());
    fixture.delete("orders").await;
    fixture.until_gone("orders").await;
    assert!(fixture.endpoints().is_empty());
    assert_eq!(fixture.atlas.executed(Operation::Create), 1);
}

#[tokio::test]
async fn an_object_moved_to_another_selector_keeps_its_endpoint() {
    let fixture = Fixture::new().await;
    let _blue = fixture.operator_with(&["--watch-selector=side=blue"]);
    let _green = fixture.operator_with(&["--watch-selector=side=green"]);
    fixture.create("orders", json!({})).await;
    let side = |side: &'static str| kube::api::Patch::Merge(json!({"metadata": {"labels": {"side": side}}}));
    let parameters = kube::api::PatchParams::default();
    fixture.objects.patch("orders", &parameters, &side("blue")).await.unwrap();
    let id = fixture.until_reason("orders", "Reserved").await.status.unwrap().id;
    fixture.objects.patch("orders", &parameters, &side("green")).await.unwrap();
    fixture.edit("orders", json!({"comment": "green"})).await;
    let moved = fixture
        .until("orders", "changed by the other", |object| {
            object.status.as_ref().and_then(|s| s.comment.as_deref()).is_some_and(|c| c.starts_with("green "))
        })
        .await;
    assert_eq!(moved.status.unwrap().id, id);
    assert_eq!((fixture.atlas.executed(Operation::Create), fixture.endpoints().len()), (1, 1));
}
