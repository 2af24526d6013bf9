//! Tests how effects are performed: which permits are held, what is dropped when nothing may start any more, and that a panic ends
//! one reconcile only. The machine is a script.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Mutex};

use atlas::{ClientSettings, Transport};
use domain::reconcile::StatusWrite;
use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tower::{BoxError, service_fn};

use super::*;
use crate::runtime::credentials::CredentialStore;
use crate::runtime::example::Example;

/// More than one namespace may hold at once.
const MANY: usize = 50;

/// The words of the script, which carry nothing.
#[derive(Debug)]
struct ScriptWords;

impl Vocabulary for ScriptWords {
    type Object = Example;
    type Others = ();
    type Reference = ();
    type Declaration = ();
    type Listing = ();
    type Intent = ();
    type Claim = ();
    type Call = ();
    type Response = ();
    type Plan = ();
}

/// One input of the script: the effect that follows, the permits that are held then, and what it allows.
struct Line(Effect<ScriptWords>, Permits, Interruption);

/// The parts that reconciles share, with an API server that returns the same object always.
struct TestServices {
    api_server: ApiServer,
    atlas: AtlasAccess,
    events: Events,
    work: Work,
}

impl TestServices {
    fn new() -> Arc<Self> {
        let respond = |_: Request<Body>| async {
            Ok::<_, BoxError>(Response::new(Body::from(object().to_string().into_bytes())))
        };
        let client = Client::new(service_fn(respond), "default");
        let api_server = ApiServer::new(client.clone());
        let transport = Transport::new(ClientSettings::default(), Arc::new(|_| {})).unwrap();
        let credentials = CredentialStore::new(api_server.clone(), transport, None);
        Arc::new(Self {
            api_server,
            atlas: AtlasAccess::new(credentials, None, 1),
            events: Events::new(client),
            work: Work::new(CancellationToken::new()),
        })
    }

    /// Runs a script to its end; returns its inputs in words, and the requeue delay.
    async fn run(self: &Arc<Self>, lines: impl IntoIterator<Item = Line>) -> (Vec<String>, Option<Duration>) {
        let inputs = Arc::new(Mutex::new(Vec::new()));
        let script = Script {
            services: Arc::clone(self),
            resource: serde_json::from_value(object()).unwrap(),
            identity: identity(),
            lines: lines.into_iter().collect(),
            permits: Permits::default(),
            interruption: Interruption::Finish,
            inputs: Arc::clone(&inputs),
        };
        let (metrics, span) = (Metrics::new(None, false), span(&script.identity));
        let requeue = execute(|| Ok(script), metrics, span, || Duration::from_secs(7)).await;
        let inputs = inputs.lock().unwrap().clone();
        (inputs, requeue)
    }
}

fn object() -> Value {
    json!({
        "apiVersion": "atlas.spe-operator.io/v1alpha1",
        "kind": "Example",
        "metadata": {"name": "orders", "namespace": "shop", "uid": "u"},
        "spec": {"projectId": "32b6e34b3d91647abb20e7b8"},
    })
}

fn identity() -> Identity {
    let read: Example = serde_json::from_value(object()).unwrap();
    Identity::new(&read, &"cluster".parse().unwrap())
}

struct Script {
    services: Arc<TestServices>,
    resource: Example,
    identity: Identity,
    lines: VecDeque<Line>,
    permits: Permits,
    interruption: Interruption,
    inputs: Arc<Mutex<Vec<String>>>,
}

impl KindReconcile for Script {
    type Resource = Example;
    type Words = ScriptWords;
    type Subject = ();

    fn services(&self) -> Services<'_> {
        let TestServices { api_server, atlas, events, work } = &*self.services;
        Services { api_server, atlas, events, work }
    }

    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn resource(&self) -> &Example {
        &self.resource
    }

    fn object(&self, resource: Example) -> Example {
        resource
    }

    fn resume(&mut self, input: Input<ScriptWords>) -> Effect<ScriptWords> {
        let word = format!("{input:?}");
        let word = word.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        self.inputs.lock().unwrap().push(word.to_owned());
        let Line(effect, permits, interruption) = self.lines.pop_front().expect("the script goes on");
        (self.permits, self.interruption) = (permits, interruption);
        effect
    }

    fn permits(&self) -> Permits {
        self.permits
    }

    fn interruption(&self) -> Interruption {
        self.interruption
    }

    fn take_notes(&mut self) -> Vec<Note> {
        Vec::new()
    }

    fn target(&self) -> Result<Target<()>, String> {
        let project = "32b6e34b3d91647abb20e7b8".parse().unwrap();
        let credentials = CredentialsOf { namespace: self.identity.namespace.clone(), named: None };
        Ok(Target { project, subject: (), credentials, deleting: false })
    }

    fn look_up(&self) {}

    fn resolve(&self) -> Resolution<()> {
        Resolution::NotNeeded
    }

    /// A declaration ends the work of the process.
    fn declare(&self, (): ()) {
        self.services.work.end();
        self.services.work.set_leader(false);
    }

    fn withheld(&self, _: &Access<()>, (): &()) -> Option<Withheld> {
        None
    }

    async fn list(&self, _: &Access<()>, _: ListRequest) -> ListResult<Self> {
        pending().await
    }

    async fn call(&self, _: &Access<()>, (): ()) -> ((), Option<AtlasError>) {
        pending().await
    }

    async fn address(&self, _: &Access<()>, _: &str, _: Boottime) -> Option<String> {
        pending().await
    }

    fn claim(&self, (): &()) -> Vec<(&'static str, Option<String>)> {
        Vec::new()
    }

    fn record_guards(&self) -> Vec<Value> {
        Vec::new()
    }

    fn status_changes(&self, _: &StatusWrite<ScriptWords>) -> Vec<Value> {
        Vec::new()
    }

    fn on_written(&self, _: &ObjectWrite<ScriptWords>, _: &Example) {}

    fn on_event(&self, _: &EventDraft) {}

    fn on_done(&self, _: &Done<ScriptWords>) {}

    fn failures(&self) -> u32 {
        0
    }
}

const API: Permits = Permits { atlas: false, api_server: true };
const ATLAS: Permits = Permits { atlas: true, api_server: false };
const NONE: Permits = Permits { atlas: false, api_server: false };

fn done() -> Line {
    Line(Effect::Done(Done { end: End::Finished, requeue: None, plan: None }), NONE, Interruption::Finish)
}

fn acquire(kind: PermitKind) -> Line {
    Line(Effect::Acquire(kind), NONE, Interruption::Drop)
}

/// Ends the work of the process; the effect after it is performed then.
fn stop() -> Line {
    Line(Effect::Declare(()), NONE, Interruption::Finish)
}

#[tokio::test]
async fn each_effect_is_followed_by_its_input() {
    let inputs = [
        Line(Effect::LookUp, NONE, Interruption::Finish),
        Line(Effect::Resolve, NONE, Interruption::Finish),
        acquire(PermitKind::ApiServer),
        Line(Effect::Read, API, Interruption::Drop),
        Line(Effect::Write(ObjectWrite::Release(true)), API, Interruption::Drop),
        done(),
    ];
    let (inputs, requeue) = TestServices::new().run(inputs).await;
    assert_eq!(inputs, ["Start", "Others", "Resolved", "Performed", "Read", "Written"]);
    assert_eq!(requeue, None);
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_the_machine_gives_up_is_returned() {
    let services = TestServices::new();
    // There is one permit to call Atlas.
    let lines = (0..MANY)
        .flat_map(|_| [acquire(PermitKind::Atlas), Line(Effect::LookUp, NONE, Interruption::Finish)]);
    services.run(lines.chain([done()])).await;
    // One that it keeps is not there for the next.
    let lines = [
        acquire(PermitKind::Atlas),
        Line(Effect::LookUp, ATLAS, Interruption::Finish),
        Line(Effect::Acquire(PermitKind::Atlas), ATLAS, Interruption::Drop),
        done(),
    ];
    let waiting = tokio::time::timeout(Duration::from_mins(1), services.run(lines)).await;
    assert!(waiting.is_err(), "two permits where there is one");
}

#[tokio::test]
async fn a_panic_ends_one_reconcile_and_returns_its_permits() {
    let services = TestServices::new();
    for _ in 0..MANY {
        let lines = [acquire(PermitKind::ApiServer), Line(Effect::Read, API, Interruption::Drop)];
        let (inputs, requeue) = services.run(lines).await;
        assert_eq!(inputs, ["Start", "Performed", "Read"]);
        assert_eq!(requeue, Some(Duration::from_secs(7)), "as the caller says");
    }
}

#[tokio::test]
async fn an_effect_that_may_be_dropped_is_not_performed_once_nothing_may_start() {
    let lines =
        [acquire(PermitKind::ApiServer), stop(), Line(Effect::LookUp, API, Interruption::Drop), done()];
    let (inputs, _) = TestServices::new().run(lines).await;
    assert_eq!(inputs, ["Start", "Performed", "Performed", "Stopped"]);
}

#[tokio::test]
async fn an_effect_in_progress_is_dropped_when_the_process_ends() {
    let services = TestServices::new();
    let lines = [
        acquire(PermitKind::Atlas),
        // The only permit is held: this waits for ever.
        Line(Effect::Acquire(PermitKind::Atlas), ATLAS, Interruption::Drop),
        done(),
    ];
    let running = services.run(lines);
    let ending = async {
        tokio::task::yield_now().await;
        services.work.end();
    };
    let ((inputs, _), ()) = tokio::join!(running, ending);
    assert_eq!(inputs.last().map(String::as_str), Some("Stopped"));
}

#[tokio::test]
async fn an_effect_that_has_to_be_finished_is_finished() {
    let lines = [
        acquire(PermitKind::ApiServer),
        stop(),
        Line(Effect::Acquire(PermitKind::ApiServer), NONE, Interruption::Finish),
        Line(Effect::Read, API, Interruption::Finish),
        done(),
    ];
    let (inputs, _) = TestServices::new().run(lines).await;
    assert_eq!(inputs, ["Start", "Performed", "Performed", "Performed", "Read"]);
}

#[tokio::test]
async fn a_create_is_not_sent_once_the_process_no_longer_leads() {
    let lines = [stop(), Line(Effect::LookUp, NONE, Interruption::FinishWithoutCreate), done()];
    let (inputs, _) = TestServices::new().run(lines).await;
    assert_eq!(inputs, ["Start", "Performed", "Stopped"]);
}

#[tokio::test]
async fn a_call_without_permit_or_credentials_is_not_made() {
    let request =
        ListRequest { fresh_after: Duration::ZERO, cause: domain::schedule::Cause::Own, retain: None };
    let lines = [
        Line(Effect::Read, NONE, Interruption::Finish),
        Line(Effect::Write(ObjectWrite::Release(true)), NONE, Interruption::Finish),
        Line(Effect::List(request), NONE, Interruption::Finish),
        Line(Effect::Call { call: (), retain: None }, NONE, Interruption::Finish),
        done(),
    ];
    let (inputs, _) = TestServices::new().run(lines).await;
    assert_eq!(inputs, ["Start", "Read", "Written", "Performed", "Performed"]);
}
