//! One plan: an object's way through a part of its life, on which one request goes wrong, and its judgement.

use std::fmt;
use std::time::Duration;

use atlas_simulator::{Operation, Pace, Span, Wording};
use kube::ResourceExt;
use serde_json::{Value, json};
use spe_operator::api::ServerlessPrivateEndpoint;
use testbed::Exchange;
use tokio::time::{Instant, sleep, timeout};

use crate::bench::{Bench, PATIENCE, VPC_ENDPOINT};
use crate::faults::{DOWN, Fault, What};
use crate::history::History;
use crate::judge::{Record, faults_of, picture};
use crate::operator::Operator;
use crate::requests::{ATLAS, Request, requests};

/// The object's name.
const NAME: &str = "orders";

/// How long nothing is written before a run counts as ended. It is longer than the operator's longest poll.
const QUIET: Duration = Duration::from_millis(1200);

/// How long Atlas' writes take where a request is slow: longer than that.
const SLOW_WRITES: Span = Span::millis(1200, 1200);

/// Phases of Atlas that are over at the next poll, so that the number of polls is always the same.
const PACE: Pace = Pace { deleting: Duration::ZERO, ..Pace::of(Duration::from_millis(50)) };

/// A part of an object's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Path {
    /// From nothing to RESERVED, the start of the operator included.
    Create,
    /// From RESERVED to AVAILABLE.
    Attach,
    /// From RESERVED to nothing.
    Delete,
}

impl Path {
    pub(crate) const ALL: [Self; 3] = [Self::Create, Self::Attach, Self::Delete];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Attach => "attach",
            Self::Delete => "delete",
        }
    }
}

/// Who is there beside the operator that meets the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    /// Nobody.
    One,
    /// Another that leads too, and has seen nothing of this part of the object's life until the fault.
    Two,
}

impl Company {
    pub(crate) const BOTH: [Self; 2] = [Self::One, Self::Two];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Two => "two",
        }
    }
}

/// One request that goes wrong.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) path: Path,
    pub(crate) request: Request,
    pub(crate) fault: &'static Fault,
    pub(crate) company: Company,
}

/// As in `create/atlas-3/apply-and-drop/one`.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, request, fault, company } = self;
        let (path, proxy, number, company) = (path.name(), &request.proxy, request.number, company.name());
        write!(f, "{path}/{proxy}-{number}/{}/{company}", fault.name)
    }
}

/// A run without faults: what is counted, and what every other run is compared with.
pub(crate) struct Clean {
    pub(crate) path: Path,
    pub(crate) requests: Vec<Request>,
    pub(crate) end: Value,
}

/// How one plan ended.
pub(crate) struct Verdict {
    pub(crate) wrong: Vec<String>,
    /// All requests of the operators, first of the one that met the fault.
    pub(crate) trace: String,
    pub(crate) took: Duration,
}

/// One namespace, one Atlas, one or two operators.
struct Stage {
    bench: Bench,
    history: History,
}

impl Stage {
    async fn new() -> Self {
        let bench = Bench::at_pace(PACE).await;
        // Without counters (as the page of the API shows it): Atlas' memory of a later request must not be what keeps a late
        // one from being carried out.
        bench.atlas.configure(|settings| settings.digest.wording = Wording::Seed);
        let history = History::start(bench.objects.clone(), &bench.atlas).await;
        Self { bench, history }
    }

    async fn object(&self) -> Option<ServerlessPrivateEndpoint> {
        self.bench.objects.get_opt(NAME).await.unwrap()
    }

    async fn picture(&self) -> Value {
        picture(self.object().await.as_ref(), &self.bench.endpoints())
    }

    /// The part of the object's life before `path`.
    async fn before(&self, path: Path) {
        if path != Path::Create {
            self.bench.create(NAME, json!({})).await;
            self.bench.until_reason(NAME, "Reserved").await;
        }
    }

    /// What the user does.
    async fn act(&self, path: Path) {
        match path {
            Path::Create => drop(self.bench.create(NAME, json!({})).await),
            Path::Attach => {
                drop(self.bench.edit(NAME, json!({"cloudProviderEndpointId": VPC_ENDPOINT})).await);
            }
            Path::Delete => self.bench.delete(NAME).await,
        }
    }

    /// Deletes the object, if that was not what the path was about, and takes everything down that was recorded.
    async fn end(&self, path: Path, mut deleted_at: Duration) -> Record {
        if path != Path::Delete {
            deleted_at = self.bench.atlas.now();
            self.bench.delete(NAME).await;
        }
        self.bench.until_gone(NAME).await;
        // A marker, so that the watch has seen everything before it.
        let last = self.bench.create("marker", json!({"suspend": true})).await;
        let version = last.resource_version().unwrap();
        let seen = self.history.until(&version);
        timeout(PATIENCE, seen).await.expect("the watch of the object stands still");
        let mut versions = self.history.versions();
        versions.retain(|version| version.object.name_any() == NAME);
        Record { lives: self.bench.atlas.lives(), journal: self.bench.atlas.journal(), versions, deleted_at }
    }
}

/// Runs a path without any fault.
pub(crate) async fn clean(path: Path) -> Clean {
    let stage = Stage::new().await;
    let mut operator = Operator::new(&stage.bench, &format!("{}/clean", path.name())).await;
    operator.launch();
    let skipped = ready(path, &stage, &operator).await;
    let deleted_at = stage.bench.atlas.now();
    stage.act(path).await;
    match path {
        Path::Create => drop(stage.bench.until_reason(NAME, "Reserved").await),
        Path::Attach => drop(stage.bench.until_reason(NAME, "Available").await),
        Path::Delete => stage.bench.until_gone(NAME).await,
    }
    operator.until_quiet(QUIET).await;
    let requests = requests(&operator.tape.exchanges(), skipped);
    let end = stage.picture().await;
    let wrong = faults_of(&stage.end(path, deleted_at).await);
    assert!(wrong.is_empty(), "{}, without any fault: {wrong:?}", path.name());
    Clean { path, requests, end }
}

/// Waits until the path can begin; says how many requests there were before those that count.
async fn ready(path: Path, stage: &Stage, operator: &Operator) -> Box<dyn Fn(&str) -> usize + Send + Sync> {
    stage.before(path).await;
    if path == Path::Create {
        // The start counts. A plan may keep it from ever watching; then the object comes all the same.
        let watches = operator.tape.wait_for(1, Exchange::is_watch, Duration::from_secs(3));
        let _ = watches.await;
        return Box::new(|_| 0);
    }
    operator.until_quiet(QUIET).await;
    Box::new(operator.counts())
}

/// Runs one plan and judges it.
pub(crate) async fn run(plan: &Plan, clean: &Clean) -> Verdict {
    let started = Instant::now();
    let stage = Stage::new().await;
    let mut operator = Operator::new(&stage.bench, &plan.to_string()).await;
    let arm = |operator: &Operator, number: usize| {
        let action = plan.fault.action(&plan.request, operator.killer());
        operator.tape.at_proxy(&plan.request.proxy, number, action);
    };
    if plan.path == Path::Create {
        arm(&operator, plan.request.number);
    }
    let mut other = match plan.company {
        Company::One => None,
        Company::Two => Some(Operator::new(&stage.bench, &format!("{plan}/other")).await),
    };
    if let Some(other) = &mut other {
        other.launch();
        other.tape.wait_for(1, Exchange::is_watch, PATIENCE).await.unwrap();
    }
    operator.launch();
    let skipped = ready(plan.path, &stage, &operator).await;
    if let Some(other) = &other {
        if plan.path != Path::Create {
            other.until_quiet(QUIET).await;
        }
        other.cluster.hold_watches(true);
    }
    if plan.path != Path::Create {
        arm(&operator, skipped(&plan.request.proxy) + plan.request.number);
    }
    if plan.fault.what == What::Slow {
        // The slow one has to arrive while what the other does is still on its way.
        stage.bench.atlas.configure(|settings| settings.latency.writes = SLOW_WRITES);
    }
    let deleted_at = stage.bench.atlas.now();
    stage.act(plan.path).await;
    let mut wrong = Vec::new();
    if operator.tape.wait_for(1, |exchange| exchange.planned, PATIENCE).await.is_err() {
        wrong.push("the request that is to go wrong never came".to_owned());
    }
    if let Some(other) = &other {
        other.cluster.hold_watches(false);
    }
    if plan.fault.what == What::Refuse {
        let proxy = if plan.request.proxy == ATLAS { &mut operator.atlas } else { &mut operator.cluster };
        proxy.close().await;
        sleep(DOWN).await;
        proxy.open().unwrap();
    }
    if plan.fault.what == What::Delay {
        let arrived = |exchange: &Exchange| exchange.planned && exchange.status.is_some();
        if let Err(error) = operator.tape.wait_for(1, arrived, PATIENCE).await {
            wrong.push(format!("the delayed request never arrived: {error}"));
        }
    }
    let operators = [Some(&operator), other.as_ref()];
    wrong.extend(ends(plan, &stage, &clean.end, operators).await);
    if wrong.is_empty() {
        let record = stage.end(plan.path, deleted_at).await;
        wrong.extend(faults_of(&record));
    }
    for complaint in [Some(&operator), other.as_ref()].into_iter().flatten().flat_map(Operator::complaints) {
        // What cannot be had at the start ends the program, as it should; its pod starts it again.
        if !plan.request.starting || complaint.contains("panicked") {
            wrong.push(complaint);
        }
    }
    if wrong.is_empty() {
        [Some(&operator), other.as_ref()].into_iter().flatten().for_each(Operator::forget_log);
    }
    let mut trace = operator.tape.listing();
    if let Some(other) = &other {
        trace = format!("{trace}\nand the other operator:{}", other.tape.listing());
    }
    Verdict { wrong, trace, took: started.elapsed() }
}

/// Waits until all is as it was at the end of the run without faults, and nothing is written any more, to either side.
///
/// A single operator has to be right at once. Two that both lead may contradict each other, as long as one of them still knows no
/// better (it cannot read the Secret, or has seen an endpoint only once); in the end they have to agree.
async fn ends(plan: &Plan, stage: &Stage, end: &Value, operators: [Option<&Operator>; 2]) -> Option<String> {
    let started = Instant::now();
    let mut written = String::new();
    while started.elapsed() < PATIENCE {
        if stage.picture().await != *end {
            sleep(Duration::from_millis(100)).await;
            continue;
        }
        // What was under way may end.
        sleep(QUIET / 2).await;
        let before = state(stage, operators).await;
        sleep(QUIET).await;
        let after = state(stage, operators).await;
        if before == after && stage.picture().await == *end {
            return None;
        }
        written = format!("it was stable, then written: {before:?}, {after:?}");
        if plan.company == Company::One {
            return Some(written);
        }
    }
    let (now, object) = (stage.picture().await, stage.object().await);
    let object = serde_json::to_string_pretty(&object).unwrap_or_default();
    Some(format!("it never came to its end\n  {end}\nbut is\n  {now}\n{object}\n{written}"))
}

/// What no longer changes once it is stable: the object's version, the writes to Atlas, and the writes asked for.
async fn state(stage: &Stage, operators: [Option<&Operator>; 2]) -> (Option<String>, usize, usize) {
    let version = stage.object().await.and_then(|object| object.resource_version());
    let writes = stage.bench.atlas.count(|entry| entry.operation.is_some_and(Operation::is_write));
    let asked = operators.into_iter().flatten().map(|operator| operator.tape.count(writes_object)).sum();
    (version, writes, asked)
}

/// Events are told after the fact, and may come late.
fn writes_object(exchange: &Exchange) -> bool {
    exchange.is_write() && !exchange.path.contains("/events")
}
