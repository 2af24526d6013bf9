//! Properties of the machine of both dedicated kinds over any inputs, also such that contradict each other or belong to another effect: it
//! ends, it holds the permits that its effects need and no other, and nothing is written to Atlas without what has to precede it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use domain::access::CredentialsInUse;
use domain::claim::Nonce;
use domain::dedicated::claim::{ClaimReading, ClaimTarget};
use domain::dedicated::decision::Step;
use domain::dedicated::kept::KeptState;
use domain::dedicated::life::{Life, Provenance, Sort};
use domain::dedicated::names::{Declares, Names, ObjectName, ObjectNames, Others, ServiceName};
use domain::dedicated::observed::{Object, Shown, Spec};
use domain::dedicated::reconcile::Reconcile;
use domain::dedicated::reconcile::state::DedicatedResource;
use domain::dedicated::reconcile::vocabulary::{
    CallResponse, ClaimWrite, Dedicated, DedicatedWrite, Listed, Plan,
};
use domain::dedicated::status::Report;
use domain::instant::Stamp;
use domain::rate_limits::Withheld;
use domain::reconcile::output::OutputNames;
use domain::reconcile::tracked::ReadResource;
use domain::reconcile::{
    ApiFailure, Effect, Input, Interruption, Moment, ObjectWrite, OutputMap, ReconcileSettings, Resolution,
    Started,
};
use domain::schedule::ObjectVersion;
use domain::times::Times;

use super::super::permits;
use super::observation;
use crate::dedicated::fixtures::{cloud_id, endpoint, service, service_key};
use crate::fixtures::{Draw, nonce, secs};

/// More effects than any reconcile takes: all decisions, and what each of them needs.
const MAX_EFFECTS: usize = 600;

/// Reconciles of one object, as many as there are bytes for.
pub fn check(bytes: &[u8]) {
    let mut draw = Draw::from(bytes);
    let mut replica = DrawnReplica::new(draw.one_of(&[Sort::Service, Sort::Endpoint]));
    while !draw.is_empty() {
        replica.reconcile(&mut draw);
    }
}

type NextEffect = Effect<Dedicated<DrawnResource>>;
type NextInput = Input<Dedicated<DrawnResource>>;

/// An object of which each read may show anything.
#[derive(Debug, Clone, PartialEq)]
struct DrawnResource {
    sort: Sort,
    object: Object,
    spec: Result<Spec, String>,
    generation: i64,
    number: u64,
    request: Option<String>,
    differs: bool,
    output: [Option<String>; 2],
}

impl ReadResource for DrawnResource {
    fn version(&self) -> ObjectVersion {
        ObjectVersion {
            content: self.number,
            request: self.request.as_ref().map(|_| 1),
            number: Some(self.number),
            deleting: self.object.is_deleting,
            recorded: !self.object.entries.is_empty(),
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
        self.object.uid == read.object.uid
    }

    fn is_deleting(&self) -> bool {
        self.object.is_deleting
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

impl DedicatedResource for DrawnResource {
    fn sort(&self) -> Sort {
        self.sort
    }

    fn object(&self) -> Object {
        self.object.clone()
    }

    fn spec(&self) -> Result<Spec, String> {
        self.spec.clone()
    }

    fn differs_from(&self, _: &Report, _: Option<&str>) -> bool {
        self.differs
    }
}

/// A process with its watch, and what has happened in it.
struct DrawnReplica {
    sort: Sort,
    kept: KeptState,
    names: Names,
    now: Duration,
    /// The versions of the object so far.
    versions: u64,
    /// The number of nonces so far.
    nonces: u8,
    /// What the machine has claimed and may send in this reconcile, by the time of its claim, and whether the watch has caught up since.
    claimed: BTreeMap<Duration, (Nonce, ClaimTarget, bool)>,
    /// When each request was claimed whose outcome this process does not know.
    travelling: Vec<Duration>,
    /// What Atlas responded that it created.
    created: BTreeSet<Life>,
    /// The number of requests that this reconcile has sent.
    sent: u32,
    /// What directly preceded the effect.
    preceding: Preceded,
}

/// What directly preceded an effect.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Preceded {
    #[default]
    Anything,
    /// A claim or PATCH was begun.
    Begun,
    /// The object was read, and is as it was decided on.
    Verified,
    /// That, and then the PATCH was begun.
    VerifiedAndBegun,
}

impl DrawnReplica {
    fn new(sort: Sort) -> Self {
        Self {
            sort,
            kept: KeptState::default(),
            names: Names::default(),
            now: secs(3600),
            versions: 0,
            nonces: 0,
            claimed: BTreeMap::new(),
            travelling: Vec::new(),
            created: BTreeSet::new(),
            sent: 0,
            preceding: Preceded::default(),
        }
    }

    fn reconcile(&mut self, draw: &mut Draw<'_>) {
        let settings = ReconcileSettings { times: Times::default(), poll_min: secs(5), poll_max: secs(60) };
        let object = self.any_object(draw);
        self.watch(&object);
        let enqueued_at = self.moment(draw).now.boot;
        (self.sent, self.preceding) = (0, Preceded::default());
        // What was claimed and is not sent in the same reconcile never is.
        self.claimed.clear();
        let Started::Now(mut machine) =
            Reconcile::start(object, &mut self.kept, &settings, enqueued_at, self.now)
        else {
            return;
        };
        let mut input = Input::Start;
        for _ in 0..MAX_EFFECTS {
            let at = self.moment(draw);
            let effect = machine.resume(input, &mut self.kept, &at);
            machine.take_notes();
            self.judge(&machine, &effect);
            if let Effect::Done(_) = effect {
                return;
            }
            input = self.respond(&machine, &effect, at.now, draw);
            self.follow(&machine, &effect, &input, at.now);
        }
        panic!("it does not end");
    }

    /// A later moment: no two are the same.
    fn moment(&mut self, draw: &mut Draw<'_>) -> Moment {
        self.now = self.now.saturating_add(draw.one_of(&[1, 1, 1, 9, 10, 119, 3600].map(secs)));
        Moment { now: Stamp { boot: self.now, day: self.now }, jitter: 0.5 }
    }

    /// The object of this name, as anybody may have left it.
    fn any_object(&mut self, draw: &mut Draw<'_>) -> DrawnResource {
        self.versions += 1;
        let sort = self.sort;
        let mut object = if sort == Sort::Service { service().object } else { endpoint().object };
        observation::recorded(draw, &mut object, sort);
        if draw.byte().is_multiple_of(16) {
            "uid-of-another".clone_into(&mut object.uid);
        }
        object.claim = match draw.byte() % 8 {
            0 => ClaimReading::Unreadable(nonce(1)),
            1 => ClaimReading::Ours { nonce: nonce(2), target: observation::target(draw, sort) },
            _ => ClaimReading::Absent,
        };
        DrawnResource {
            sort,
            object,
            spec: if draw.byte() % 16 == 15 {
                Err("invalid".to_owned())
            } else {
                Ok(observation::spec(draw, sort))
            },
            generation: i64::from(draw.byte() % 4),
            number: self.versions,
            request: draw.maybe(|_| "now".to_owned()),
            differs: draw.bool(),
            output: [0, 1].map(|_| draw.maybe(|draw| draw.one_of(&["a", "b"]).to_owned())),
        }
    }

    /// The watch shows the object.
    fn watch(&mut self, resource: &DrawnResource) {
        let object = &resource.object;
        let declares = match self.sort {
            Sort::Service => Declares::Service(service_key()),
            Sort::Endpoint => Declares::Endpoint(ServiceName::Key(service_key()), Some(cloud_id(1))),
        };
        let claim = object.claim.nonce().map(|nonce| {
            let is_settled = object.settled.as_ref() == Some(nonce);
            (nonce.clone(), object.claim.target().cloned(), is_settled)
        });
        let names = ObjectNames {
            object: ObjectName { namespace: "team-a".to_owned(), name: "e".to_owned() },
            uid: object.uid.clone(),
            version: Some(resource.number),
            created: 0,
            is_deleting: object.is_deleting,
            is_observing: false,
            declares,
            records: object.entries.iter().map(|entry| entry.life.clone()).collect(),
            claim,
            offer: None,
        };
        self.names.record(self.sort, &object.token, names, self.now);
    }

    /// Checks what an effect needs.
    fn judge(&mut self, machine: &Reconcile<DrawnResource>, effect: &NextEffect) {
        permits::check(machine.permits(), effect);
        match effect {
            Effect::Call { call, .. } => self.judge_call(machine, call),
            Effect::Write(write) => self.judge_write(machine, write),
            Effect::FindAddress { .. } => panic!("these kinds look for no address"),
            _ => {}
        }
    }

    /// Checks what has to precede a request to Atlas.
    fn judge_call(&mut self, machine: &Reconcile<DrawnResource>, call: &DedicatedWrite) {
        self.sent += 1;
        assert_eq!(self.sent, 1, "a reconcile writes to Atlas once: {call:?}");
        let object = machine.object();
        match call {
            DedicatedWrite::Claimed(call) => {
                let claim = self.claimed.remove(&call.claimed.boot);
                let Some((nonce, target, is_caught_up)) = claim else { panic!("no claim of then: {call:?}") };
                assert_eq!(target, call.target, "what is sent is as claimed");
                assert!(is_caught_up, "the watches have not shown the claim: {call:?}");
                assert_eq!(object.object.claim.nonce(), Some(&nonce), "the object has another claim");
                if let ClaimTarget::Delete(life) = &call.target {
                    let mut lives = object.object.entries.iter().map(|entry| &entry.life);
                    assert!(lives.any(|known| known == life), "the object never named {life}");
                } else {
                    assert!(!object.is_deleting(), "what is deleted creates nothing");
                }
                self.travelling.push(call.claimed.boot);
            }
            DedicatedWrite::Update(call) => {
                assert_eq!(self.preceding, Preceded::VerifiedAndBegun, "the object was not read: {call:?}");
                assert!(!object.is_deleting(), "what is deleted changes nothing");
            }
        }
    }

    /// Checks what has to precede a write to the object.
    fn judge_write(
        &mut self,
        machine: &Reconcile<DrawnResource>,
        write: &ObjectWrite<Dedicated<DrawnResource>>,
    ) {
        match write {
            ObjectWrite::Claim(Some(_)) => {
                assert!(machine.permits().atlas, "a claim waits for its permit to call Atlas");
                assert_eq!(self.preceding, Preceded::Begun, "the claim is not begun");
                self.nothing_travels("claimed again");
            }
            ObjectWrite::Release(_) => {
                assert!(machine.object().is_deleting(), "what lives is not released");
                self.nothing_travels("released");
            }
            ObjectWrite::Record(status) => {
                if let Step::Record(entry, _) = &status.plan.decision.step
                    && entry.provenance == Provenance::Created
                {
                    assert!(self.created.contains(&entry.life), "{entry:?} was created by nobody here");
                }
            }
            ObjectWrite::Claim(None) | ObjectWrite::OutputName(_) | ObjectWrite::Status(_) => {}
        }
    }

    /// No request of this process may still take effect.
    fn nothing_travels(&self, what: &str) {
        let uncertainty = Times::default().uncertainty;
        let is_over = |claimed: &Duration| self.now.saturating_sub(*claimed) >= uncertainty;
        assert!(self.travelling.iter().all(is_over), "a request may still take effect, and it is {what}");
    }

    /// Remembers what later effects depend on.
    fn follow(
        &mut self,
        machine: &Reconcile<DrawnResource>,
        effect: &NextEffect,
        input: &NextInput,
        at: Stamp,
    ) {
        match (effect, input) {
            (Effect::Write(ObjectWrite::Claim(Some(claim))), Input::Written(Ok(_))) => {
                let ClaimWrite { nonce, target } = claim.clone();
                self.claimed.insert(at.boot, (nonce, target, false));
            }
            (Effect::CatchUp, Input::CaughtUp(true)) => {
                self.claimed.values_mut().for_each(|(.., is_caught_up)| *is_caught_up = true);
            }
            (Effect::Call { call: DedicatedWrite::Claimed(call), .. }, Input::Called(response, _)) => {
                let is_certain = match (response, &call.target) {
                    (CallResponse::ServiceCreated(service), ClaimTarget::Create(None)) => {
                        self.created.insert(Life { service: service.id.clone(), endpoint: None });
                        true
                    }
                    (CallResponse::EndpointCreated(_), ClaimTarget::Create(Some(life))) => {
                        self.created.insert(life.clone());
                        true
                    }
                    (CallResponse::Deleted { .. }, ClaimTarget::Delete(_))
                    | (CallResponse::Refused(_), _) => true,
                    _ => false,
                };
                self.travelling.retain(|claimed| !is_certain || *claimed != call.claimed.boot);
            }
            _ => {}
        }
        let verified =
            matches!((effect, input), (Effect::Read, Input::Read(Ok(read))) if machine.object() == read);
        self.preceding = match (input, self.preceding) {
            (Input::Begun(_), Preceded::Verified) => Preceded::VerifiedAndBegun,
            (Input::Begun(_), _) => Preceded::Begun,
            _ if verified => Preceded::Verified,
            _ => Preceded::Anything,
        };
    }

    /// A result of the effect; rarely one of another.
    fn respond(
        &mut self,
        machine: &Reconcile<DrawnResource>,
        effect: &NextEffect,
        at: Stamp,
        draw: &mut Draw<'_>,
    ) -> NextInput {
        match draw.byte() {
            255 => Input::Performed,
            254 => Input::Written(Ok(self.any_object(draw))),
            253 => Input::Called(CallResponse::Updated, at.boot),
            250..=252 if machine.interruption() == Interruption::Drop => Input::Stopped,
            _ => self.result(machine, effect, at, draw),
        }
    }

    fn result(
        &mut self,
        machine: &Reconcile<DrawnResource>,
        effect: &NextEffect,
        at: Stamp,
        draw: &mut Draw<'_>,
    ) -> NextInput {
        match effect {
            Effect::LookUp => Input::Others(self.others(machine, draw)),
            Effect::Resolve => Input::Resolved(match draw.byte() % 16 {
                15 => Resolution::NotRead,
                14 => Resolution::NotNeeded,
                _ => Resolution::Found(observation::subject(draw, self.sort)),
            }),
            Effect::Declare(_) | Effect::Acquire(_) | Effect::Publish(_) | Effect::Done(_) => {
                Input::Performed
            }
            Effect::FindAddress { .. } => Input::Address(None),
            Effect::CatchUp => {
                self.watch(machine.object());
                Input::CaughtUp(draw.byte() % 8 != 7)
            }
            Effect::GetCredentials(_) => Input::Credentials(match draw.byte() % 16 {
                15 => Err(observation::missing(draw)),
                14 => Ok(CredentialsInUse::Default),
                13 => Ok(CredentialsInUse::Remembered(observation::missing(draw))),
                _ => Ok(CredentialsInUse::Own),
            }),
            Effect::Begin(_) => match draw.byte() % 16 {
                15 => Input::Withheld(Withheld::All(observation::fault(draw))),
                14 => Input::Withheld(Withheld::Writes(observation::fault(draw))),
                _ => Input::Begun(self.random()),
            },
            Effect::List(_) => match draw.byte() % 16 {
                15 => Input::Listed(Err(secs(1))),
                _ => Input::Listed(Ok(self.listed(at, draw))),
            },
            Effect::Read => Input::Read(self.object_now(machine.object().clone(), draw)),
            Effect::Write(write) => {
                let written = self.written(machine.object().clone(), write);
                Input::Written(self.object_now(written, draw))
            }
            Effect::Call { call, .. } => Input::Called(response(call, draw), at.boot),
            Effect::Output(_) => Input::Output(match draw.byte() % 4 {
                3 => Err("forbidden".into()),
                2 => Ok(Some(OutputMap { is_own: draw.bool(), content: [].into() })),
                _ => Ok(None),
            }),
        }
    }

    /// Random bytes that are new.
    fn random(&mut self) -> Option<[u8; 16]> {
        self.nonces = self.nonces.checked_add(1)?;
        Some([self.nonces.checked_add(8)?; 16])
    }

    /// What the watch shows, mostly without others.
    fn others(&mut self, machine: &Reconcile<DrawnResource>, draw: &mut Draw<'_>) -> Others {
        let Object { token, uid, .. } = machine.object().object();
        let (lives, times) = (machine.state().lives(), Times::default());
        self.names.prune(&times, self.now);
        let known = self.names.others(self.sort, &token, &uid, &lives, (&times, self.now));
        match draw.byte() % 4 {
            3 => {
                let drawn = observation::others(draw, &machine.object().object, self.sort);
                Others { attempts: known.attempts, version: known.version, ..drawn }
            }
            _ => known,
        }
    }

    fn listed(&self, at: Stamp, draw: &mut Draw<'_>) -> Listed {
        let Shown { services, endpoints, clusters } = observation::shown(draw, self.sort);
        let result =
            if draw.byte() % 8 == 7 { Err(observation::fault(draw)) } else { Ok(Arc::from(services)) };
        Listed { sent: at.boot, result, was_requested: draw.bool(), endpoints, clusters }
    }

    /// The object as a write leaves it.
    fn written(
        &mut self,
        mut object: DrawnResource,
        write: &ObjectWrite<Dedicated<DrawnResource>>,
    ) -> DrawnResource {
        self.versions += 1;
        object.number = self.versions;
        let mut publish = |Plan { report, .. }: &Plan| {
            (object.object.entries, object.object.settled) = (report.entries.clone(), report.settled.clone());
            object.differs = false;
        };
        match write {
            ObjectWrite::Claim(claim) => {
                object.object.finalizer = true;
                if let Some(ClaimWrite { nonce, target }) = claim.clone() {
                    object.object.claim = ClaimReading::Ours { nonce, target };
                }
            }
            ObjectWrite::Record(status) | ObjectWrite::Status(status) => publish(&status.plan),
            ObjectWrite::OutputName(name) => object.output[1].clone_from(name),
            ObjectWrite::Release(_) => object.object.finalizer = false,
        }
        object
    }

    /// The object as it is, or changed in any way, or a failure.
    fn object_now(
        &mut self,
        object: DrawnResource,
        draw: &mut Draw<'_>,
    ) -> Result<DrawnResource, ApiFailure> {
        match draw.byte() % 32 {
            31 => Err(ApiFailure::Conflict),
            30 => Err(ApiFailure::NotFound),
            29 => Err(ApiFailure::KindNotInstalled),
            28 => Err(ApiFailure::Rejected("too large".to_owned())),
            27 => Err(ApiFailure::Unknown("no response".to_owned())),
            26 | 25 => Ok(self.any_object(draw)),
            _ => Ok(object),
        }
    }
}

/// The response to a write, mostly one that it can have.
fn response(call: &DedicatedWrite, draw: &mut Draw<'_>) -> CallResponse {
    let number = draw.one_of(&[1, 2]);
    let kind = draw.byte() % 16;
    match (kind, call) {
        (15, _) => CallResponse::Deleted { not_found: true },
        (14, _) => CallResponse::ServiceCreated(observation::a_service(draw, number, &[])),
        (10..=13, _) => CallResponse::Refused(observation::fault(draw)),
        (6..=9, _) => CallResponse::Uncertain(observation::fault(draw)),
        (_, DedicatedWrite::Update(_)) => CallResponse::Updated,
        (_, DedicatedWrite::Claimed(call)) => match &call.target {
            ClaimTarget::Create(None) => {
                CallResponse::ServiceCreated(observation::a_service(draw, number, &[]))
            }
            ClaimTarget::Create(Some(_)) => {
                CallResponse::EndpointCreated(observation::an_endpoint(draw, number))
            }
            ClaimTarget::Delete(_) => CallResponse::Deleted { not_found: draw.bool() },
        },
    }
}
