//! One plan: a part of an object's life in which one request has a fault, and its verdict.

use std::fmt;
use std::time::Duration;

use atlas_simulator::Span;
use serde_json::Value;
use test_support::PATIENCE;
use testbed::Exchange;
use tokio::time::{Instant, sleep};

use crate::faults::{DOWN, PlannedFault, What};
use crate::fixture::{PlanFixture, QUIET, reconciled};
use crate::operator::ProxiedOperator;
use crate::path::Path;
use crate::requests::{ATLAS, CLUSTER, Request, RequestKind, is_post, requests};

/// The latency of Atlas' writes where a request is slow: longer than that.
const SLOW_WRITES: Span = Span::millis(1200, 1200);

/// The other operators beside the one with the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operators {
    /// None.
    One,
    /// Another that leads too, and has observed nothing of this part of the object's life until the fault.
    Two,
}

impl Operators {
    pub(crate) const BOTH: [Self; 2] = [Self::One, Self::Two];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Two => "two",
        }
    }
}

/// The request that has the fault.
#[derive(Clone, Debug)]
pub(crate) struct FaultPlan {
    pub(crate) path: Path,
    pub(crate) request: Request,
    pub(crate) fault: &'static PlannedFault,
    pub(crate) operators: Operators,
}

/// Returns the name, as in `create/atlas-3/apply-and-drop/one`.
impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, request, fault, operators } = self;
        let (path, proxy, number, operators) =
            (path.name(), &request.proxy, request.number, operators.name());
        write!(f, "{path}/{proxy}-{number}/{}/{operators}", fault.name)
    }
}

impl FaultPlan {
    /// Returns whether the API server shows the past, and holds back later events.
    fn is_stale_at_cluster(&self) -> bool {
        self.fault.what == What::Stale && self.request.proxy == CLUSTER
    }
}

/// A run without faults: the source of the requests, and the reference of every other run.
pub(crate) struct Clean {
    pub(crate) path: Path,
    pub(crate) requests: Vec<Request>,
    pub(crate) end: Value,
}

/// The result of one plan.
pub(crate) struct PlanVerdict {
    pub(crate) wrong: Vec<String>,
    /// The request that was to go wrong came.
    pub(crate) is_met: bool,
    /// All requests of the operators, first of the one with the fault.
    pub(crate) trace: String,
    pub(crate) took: Duration,
}

/// Runs a path without any fault, which may run several times at once.
pub(crate) async fn clean(path: Path, round: usize) -> (Clean, PlanVerdict) {
    let started = Instant::now();
    let fixture = PlanFixture::new(path).await;
    let mut operator = ProxiedOperator::new(&fixture.base, &format!("{}/clean-{round}", path.name())).await;
    fixture.former_life(path, &mut operator).await;
    let former = operator.counts();
    fixture.ready(path, &mut operator).await;
    let skipped = if path.has_start() { former } else { operator.counts() };
    let (acted_at, before) = (fixture.base.atlas.now(), operator.recording.exchanges().len());
    fixture.act(path, &mut operator).await;
    fixture.arrived(path, &operator, before).await;
    let requests = requests(&operator.recording.exchanges(), skipped, path.has_start());
    let end = fixture.picture().await;
    let deleted_at = fixture.end(path, acted_at, &[&operator]).await;
    let wrong = fixture.judged(&fixture.record(Some(deleted_at), &[&operator]).await);
    if wrong.is_empty() {
        operator.forget_log();
    }
    let trace = operator.recording.listing();
    (Clean { path, requests, end }, PlanVerdict { wrong, is_met: true, trace, took: started.elapsed() })
}

/// Runs one plan and judges it.
pub(crate) async fn run(plan: &FaultPlan, clean: &Clean) -> PlanVerdict {
    let started = Instant::now();
    let fixture = PlanFixture::new(plan.path).await;
    let mut operator = ProxiedOperator::new(&fixture.base, &plan.to_string()).await;
    fixture.former_life(plan.path, &mut operator).await;
    if plan.path.has_start() {
        arm(plan, &operator);
    }
    let mut other = match plan.operators {
        Operators::One => None,
        Operators::Two => Some(ProxiedOperator::new(&fixture.base, &format!("{plan}/other")).await),
    };
    if let Some(other) = &mut other {
        other.launch();
        assert!(fixture.until_watched(other, PATIENCE).await, "the other operator does not watch");
        // Or it could make the endpoint, and the first one would never have seen Atlas without it.
        other.cluster.hold_watches(true);
    }
    fixture.ready(plan.path, &mut operator).await;
    if let Some(other) = other.as_ref().filter(|_| plan.path != Path::Create) {
        other.cluster.hold_watches(false);
        other.until_quiet(QUIET).await;
        other.cluster.hold_watches(true);
    }
    if !plan.path.has_start() {
        arm(plan, &operator);
    }
    if plan.fault.what == What::Slow {
        // The slow request must arrive while the other operator's is still in flight.
        fixture.base.atlas.configure(|settings| settings.latency.writes = SLOW_WRITES);
    }
    let (acted_at, before) = (fixture.base.atlas.now(), operator.recording.exchanges().len());
    fixture.act(plan.path, &mut operator).await;
    let mut wrong = Vec::new();
    let is_met = operator.recording.wait_for(1, |exchange| exchange.planned, PATIENCE).await.is_ok();
    if let Some(other) = &other {
        other.cluster.hold_watches(false);
    }
    if is_met && plan.fault.what == What::Refuse {
        let proxy = if plan.request.proxy == ATLAS { &mut operator.atlas } else { &mut operator.cluster };
        proxy.close().await;
        sleep(DOWN).await;
        proxy.open().unwrap();
    }
    if plan.is_stale_at_cluster() {
        sleep(DOWN).await;
        operator.cluster.hold_watches(false);
    }
    if is_met
        && plan.fault.what == What::Delay
        && let Err(error) = operator.recording.wait_for(1, has_response, PATIENCE).await
    {
        wrong.push(format!("the delayed request never arrived: {error}"));
    }
    // That path ends as it begins, so that only this shows that the operator is back. A request that opens a watch does
    // not hold back the listing: the operator may reconcile before.
    let since = if plan.request.kind == RequestKind::Watch { before } else { after(plan, &operator) };
    if plan.path.is_restart() && reconciled(&operator, since).await.is_err() {
        wrong.push("the restarted operator never listed in Atlas".to_owned());
    }
    let operators: Vec<_> = [Some(&operator), other.as_ref()].into_iter().flatten().collect();
    wrong.extend(ends(plan, &fixture, &clean.end, &operators).await);
    if is_met && plan.fault.what == What::Stale && !operator.recording.exchanges().iter().any(has_response) {
        wrong.push("the stale request never had another response".to_owned());
    }
    let mut deleted_at = plan.path.deletes().then_some(acted_at);
    if wrong.is_empty() {
        deleted_at = Some(fixture.end(plan.path, acted_at, &operators).await);
    }
    let mut record = fixture.record(deleted_at, &operators).await;
    record.is_informed &= plan.fault.what != What::Stale;
    record.is_withheld = plan.fault.withholds();
    record.is_killed = plan.fault.what == What::Kill;
    wrong.extend(fixture.judged(&record));
    let is_late = |exchange: &Exchange| exchange.number > before && is_post(exchange);
    let posts =
        operator.recording.count(is_late) + other.as_ref().map_or(0, |other| other.recording.count(is_post));
    if plan.path.is_restart() && posts > 0 {
        wrong.push(format!("{posts} POSTs, and all is there already"));
    }
    for complaint in operators.iter().flat_map(|operator| operator.complaints()) {
        // What cannot be had at the start ends the program, as it should; its pod starts it again.
        if !plan.request.starting || complaint.contains("panicked") {
            wrong.push(complaint);
        }
    }
    if wrong.is_empty() {
        for operator in &operators {
            operator.forget_log();
        }
    }
    let mut trace = operator.recording.listing();
    if let Some(other) = &other {
        trace = format!("{trace}\nand the other operator:{}", other.recording.listing());
    }
    PlanVerdict { wrong, is_met, trace, took: started.elapsed() }
}

/// Plans the fault of the plan's request from now on.
fn arm(plan: &FaultPlan, operator: &ProxiedOperator) {
    let action = plan.fault.action(&plan.request, operator.killer());
    operator.recording.next(plan.request.again(), action);
    // A client that lists an old state would see the new one at once by the watch that follows.
    operator.cluster.hold_watches(plan.is_stale_at_cluster());
}

/// Returns the number of the last request whose response, if any, differs from that of a run without the fault.
fn after(plan: &FaultPlan, operator: &ProxiedOperator) -> usize {
    let number =
        operator.recording.exchanges().iter().find(|exchange| exchange.planned).map_or(0, |hit| hit.number);
    if plan.fault.what == What::Slow { number - 1 } else { number }
}

/// The planned request, once it has a response.
fn has_response(exchange: &Exchange) -> bool {
    exchange.planned && exchange.status.is_some()
}

/// Waits until the state equals that of the end of the run without faults, and no more writes are sent, to either side.
///
/// A single operator must be right at once. Two that both lead may contradict each other, as long as one of them has
/// outdated information (it cannot read the Secret, or has observed an endpoint only once); in the end they must agree.
async fn ends(
    plan: &FaultPlan,
    fixture: &PlanFixture,
    end: &Value,
    operators: &[&ProxiedOperator],
) -> Option<String> {
    let started = Instant::now();
    let mut written = String::new();
    while started.elapsed() < PATIENCE {
        if fixture.picture().await != *end {
            sleep(Duration::from_millis(100)).await;
            continue;
        }
        // What is in flight may end.
        sleep(QUIET / 2).await;
        let before = state(fixture, operators).await;
        sleep(QUIET).await;
        let after = state(fixture, operators).await;
        if before == after && fixture.picture().await == *end {
            return None;
        }
        written = format!("it was stable, then written: {before:?}, {after:?}");
        if plan.operators == Operators::One {
            return Some(written);
        }
    }
    let now = fixture.picture().await;
    let objects = serde_json::to_string_pretty(&fixture.present().await).unwrap_or_default();
    Some(format!("it never came to its end\n  {end}\nbut is\n  {now}\n{objects}\n{written}"))
}

/// Returns what no longer changes once it is stable: the objects' versions, the writes to Atlas, and the requested writes.
async fn state(fixture: &PlanFixture, operators: &[&ProxiedOperator]) -> ((Vec<Value>, usize), usize) {
    let stable = fixture.stable().await;
    (stable, operators.iter().map(|operator| operator.recording.count(writes_object)).sum())
}

/// Events are published after the fact, and may be late.
fn writes_object(exchange: &Exchange) -> bool {
    exchange.is_write() && !exchange.path.contains("/events")
}
