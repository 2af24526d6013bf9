//! Properties of the machine of a reconcile over any inputs, also such that contradict each other or belong to another effect: it
//! ends, it holds the permits that its effects need and no other, nothing precedes its guards, and no claim is sent twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::access::CredentialsInUse;
use domain::instant::Stamp;
use domain::rate_limits::Withheld;
use domain::reconcile::output::OutputNames;
use domain::reconcile::tracked::ReadResource;
use domain::reconcile::{
    ApiFailure, Effect, Input, Interruption, Moment, ObjectWrite, OutputMap, Resolution,
};
use domain::reconcile::{ReconcileSettings, Started};
use domain::reference::VpcEndpoint;
use domain::schedule::ObjectVersion;
use domain::serverless::kept::KeptState;
use domain::serverless::observed::{Object, Spec, Times};
use domain::serverless::reconcile::Reconcile;
use domain::serverless::reconcile::state::CustomResource;
use domain::serverless::reconcile::vocabulary::{CallResponse, EndpointWrite, Listed, Others, Serverless};
use domain::serverless::status::Report;

use super::decide::{any_endpoint, fault, missing, object, spec, words};
use super::permits;
use crate::fixtures::{Draw, secs, vpce};

/// More effects than any reconcile takes: sixteen decisions, and what each of them needs.
const MAX_EFFECTS: usize = 400;

/// Reconciles of one object, as many as there are bytes for.
pub fn check(bytes: &[u8]) {
    let mut draw = Draw::from(bytes);
    let mut process = DrawnProcess::default();
    while !draw.is_empty() {
        process.reconcile(&mut draw);
    }
}

type DrawnEffect = Effect<Serverless<DrawnObject>>;
type DrawnInput = Input<Serverless<DrawnObject>>;

/// An object of which each read may show anything.
#[derive(Debug, Clone, PartialEq)]
struct DrawnObject {
    object: Object,
    spec: Result<Spec, String>,
    generation: i64,
    another: bool,
    request: Option<String>,
    differs: bool,
    output: [Option<String>; 2],
}

impl DrawnObject {
    fn draw(draw: &mut Draw<'_>) -> Self {
        Self {
            object: object(draw),
            spec: if draw.byte() % 16 == 15 { Err(words(draw)) } else { Ok(spec(draw)) },
            generation: i64::from(draw.byte() % 4),
            another: draw.byte() % 16 == 15,
            request: draw.maybe(words),
            differs: draw.bool(),
            output: [0, 1].map(|_| draw.maybe(|draw| draw.one_of(&["a", "b"]).to_owned())),
        }
    }
}

impl ReadResource for DrawnObject {
    fn version(&self) -> ObjectVersion {
        ObjectVersion {
            content: self.generation.unsigned_abs(),
            request: self.request.as_ref().map(|_| 1),
            number: Some(self.generation.unsigned_abs()),
            deleting: self.object.deleting,
            recorded: self.is_recorded(),
            current: !self.differs,
        }
    }

    fn generation(&self) -> Option<i64> {
        Some(self.generation)
    }

    fn reconcile_request(&self) -> Option<&str> {
        self.request.as_deref()
    }

    fn open_request(&self) -> Option<&str> {
        self.request.as_deref().filter(|_| self.differs)
    }

    fn is_same_object(&self, read: &Self) -> bool {
        self.another == read.another
    }

    fn is_deleting(&self) -> bool {
        self.object.deleting
    }

    fn is_overdue(&self) -> bool {
        self.differs
    }

    fn interval(&self) -> Duration {
        secs(600)
    }

    fn output(&self) -> OutputNames<'_> {
        let [declared, recorded] = self.output.each_ref().map(Option::as_deref);
        OutputNames { declared, recorded }
    }
}

impl CustomResource for DrawnObject {
    fn object(&self) -> Object {
        self.object.clone()
    }

    fn spec(&self, vpc_endpoint: VpcEndpoint) -> Result<Spec, String> {
        self.spec.clone().map(|spec| Spec { vpc_endpoint, ..spec })
    }

    fn is_unchanged_in(&self, read: &Self) -> bool {
        self == read
    }

    fn differs_from(&self, _: &Report, _: Option<&str>) -> bool {
        self.differs
    }

    fn is_recorded(&self) -> bool {
        self.object.recorded.is_some()
    }
}

/// A process, and what has happened in it.
#[derive(Default)]
struct DrawnProcess {
    kept: KeptState,
    now: Duration,
    /// When each claim began that the API server accepted and that was not sent.
    accepted: BTreeSet<Duration>,
}

impl DrawnProcess {
    fn reconcile(&mut self, draw: &mut Draw<'_>) {
        let settings = ReconcileSettings { times: Times::default(), poll_min: secs(5), poll_max: secs(60) };
        let object = DrawnObject::draw(draw);
        let enqueued_at = self.moment(draw).now.boot;
        let Started::Now(mut machine) =
            Reconcile::start(object, &mut self.kept, &settings, enqueued_at, self.now)
        else {
            return;
        };
        let (mut input, mut before) = (Input::Start, Preceding::default());
        for _ in 0..MAX_EFFECTS {
            let at = self.moment(draw);
            let effect = machine.resume(input, &mut self.kept, &at);
            self.judge(&machine, &effect, &before);
            if let Effect::Done(_) = effect {
                return;
            }
            input = respond(&machine, &effect, draw);
            before = self.follow(&machine, &effect, &input, at.now);
        }
        panic!("it does not end");
    }

    /// A later moment: no two are the same.
    fn moment(&mut self, draw: &mut Draw<'_>) -> Moment {
        self.now = self.now.saturating_add(draw.one_of(&[1, 9, 10, 119, 3600].map(secs)));
        Moment { now: Stamp { boot: self.now, day: self.now }, jitter: 0.5 }
    }

    /// Checks what an effect needs.
    fn judge(&mut self, machine: &Reconcile<DrawnObject>, effect: &DrawnEffect, before: &Preceding) {
        permits::check(machine.permits(), effect);
        match effect {
            Effect::Call { call: EndpointWrite::Create { claimed, .. }, .. } => {
                assert!(self.accepted.remove(&claimed.boot), "no claim of then: {effect:?}");
                assert!(!machine.object().is_deleting(), "the object is being deleted");
            }
            Effect::Call { call: EndpointWrite::Update { .. } | EndpointWrite::Delete { .. }, .. } => {
                assert!(before.verified, "the object was not read: {effect:?}");
            }
            Effect::Write(ObjectWrite::Claim(_)) => {
                assert!(before.begun && machine.permits().atlas, "the claim is not begun: {effect:?}");
            }
            _ => {}
        }
    }

    /// Remembers what later effects depend on.
    fn follow(
        &mut self,
        machine: &Reconcile<DrawnObject>,
        effect: &DrawnEffect,
        input: &DrawnInput,
        at: Stamp,
    ) -> Preceding {
        if let (Effect::Write(ObjectWrite::Claim(claim)), Input::Written(Ok(_))) = (effect, input)
            && claim.is_fresh
        {
            self.accepted.insert(at.boot);
        }
        Preceding {
            begun: matches!(input, Input::Begun(_)),
            verified: matches!((effect, input), (Effect::Read, Input::Read(Ok(read))) if machine.object() == read),
        }
    }
}

/// What directly preceded an effect.
#[derive(Default)]
struct Preceding {
    begun: bool,
    verified: bool,
}

/// A result of the effect; rarely one of another.
fn respond(machine: &Reconcile<DrawnObject>, effect: &DrawnEffect, draw: &mut Draw<'_>) -> DrawnInput {
    match draw.byte() {
        255 => Input::Performed,
        254 => Input::Written(Ok(DrawnObject::draw(draw))),
        253 => Input::Called(response(draw), machine.state().tracked().listed_at()),
        247..=252 if machine.interruption() == Interruption::Drop => Input::Stopped,
        _ => result(machine, effect, draw),
    }
}

fn result(machine: &Reconcile<DrawnObject>, effect: &DrawnEffect, draw: &mut Draw<'_>) -> DrawnInput {
    match effect {
        Effect::LookUp => Input::Others(Others::default()),
        Effect::Resolve => Input::Resolved(match draw.byte() % 8 {
            7 => Resolution::NotRead,
            6 => Resolution::NotNeeded,
            5 => Resolution::Found(VpcEndpoint::Declared(vpce(1))),
            _ => Resolution::Found(VpcEndpoint::Undeclared),
        }),
        Effect::Declare(_) | Effect::Acquire(_) | Effect::Publish(_) | Effect::CatchUp | Effect::Done(_) => {
            Input::Performed
        }
        Effect::GetCredentials(_) => Input::Credentials(match draw.byte() % 8 {
            7 => Err(missing(draw)),
            6 => Ok(CredentialsInUse::Default),
            5 => Ok(CredentialsInUse::Remembered(missing(draw))),
            _ => Ok(CredentialsInUse::Own),
        }),
        Effect::Begin(_) => match draw.byte() % 8 {
            7 => Input::Withheld(Withheld::All(fault(draw))),
            6 => Input::Withheld(Withheld::Writes(fault(draw))),
            5 => Input::Begun(None),
            _ => Input::Begun(Some([draw.byte(); 16])),
        },
        Effect::List(request) => match draw.byte() % 8 {
            7 => Input::Listed(Err(secs(1))),
            6 => Input::Listed(Ok(listed(request.fresh_after, Err(fault(draw))))),
            _ => Input::Listed(Ok(listed(request.fresh_after, Ok(draw.some(4, any_endpoint))))),
        },
        Effect::Read => Input::Read(object_now(machine, draw)),
        Effect::Write(_) => Input::Written(object_now(machine, draw)),
        Effect::Call { .. } => Input::Called(response(draw), machine.state().tracked().listed_at()),
        Effect::Output(_) => Input::Output(match draw.byte() % 4 {
            3 => Err(words(draw).into()),
            2 => Ok(Some(OutputMap { is_own: draw.bool(), content: [].into() })),
            _ => Ok(None),
        }),
        Effect::FindAddress { .. } => Input::Address(draw.maybe(words)),
    }
}

fn listed(
    sent: Duration,
    result: Result<Vec<domain::serverless::endpoint::Endpoint>, domain::fault::Fault>,
) -> Listed {
    Listed { sent, result: result.map(Arc::from), was_requested: true, sunset: None }
}

/// The object as it is, or changed in any way, or a failure.
fn object_now(machine: &Reconcile<DrawnObject>, draw: &mut Draw<'_>) -> Result<DrawnObject, ApiFailure> {
    match draw.byte() % 16 {
        15 => Err(ApiFailure::Conflict),
        14 => Err(ApiFailure::NotFound),
        13 => Err(ApiFailure::KindNotInstalled),
        12 => Err(ApiFailure::Rejected(words(draw))),
        11 => Err(ApiFailure::Unknown(words(draw))),
        10 | 9 => Ok(DrawnObject::draw(draw)),
        _ => Ok(machine.object().clone()),
    }
}

fn response(draw: &mut Draw<'_>) -> CallResponse {
    match draw.byte() % 8 {
        0 => CallResponse::Created(any_endpoint(draw)),
        1 => CallResponse::Updated(any_endpoint(draw)),
        2 => CallResponse::Deleted { not_found: draw.bool() },
        3 => CallResponse::Refused(fault(draw)),
        _ => CallResponse::Uncertain(fault(draw)),
    }
}
