//! A world in memory: the API server, Atlas, and replicas of the operator that perform the effects of the machine one by one.
//!
//! A script stops a reconcile before any effect, lets others run, and goes on. Whatever breaks one of the properties W1 to W7 of the
//! protocol panics at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::access::CredentialsInUse;
use domain::dedicated::claim::ClaimTarget;
use domain::dedicated::cluster::ClusterName;
use domain::dedicated::endpoint::ConnectionStatus;
use domain::dedicated::endpoint::{CloudEndpointId, NewEndpoint};
use domain::dedicated::kept::KeptState;
use domain::dedicated::life::{Life, Sort};
use domain::dedicated::names::{Names, ServiceName};
use domain::dedicated::observed::{Deletion, ServiceRef, Spec, Subject};
use domain::dedicated::reconcile::Reconcile;
use domain::dedicated::reconcile::vocabulary::{CallResponse, Dedicated, DedicatedWrite, Listed};
use domain::dedicated::service::ServiceStatus;
use domain::fault::{Fault, FaultKind};
use domain::instant::Stamp;
use domain::reconcile::{Done, Effect, Input, Moment, ObjectWrite, Resolution};
use domain::reconcile::{ReconcileSettings, Started};
use domain::reference::DeclaredEndpoint;
use domain::schedule::Schedule;
use domain::times::Times;

use crate::atlas::{FakeAtlas, SentRequest};
use crate::objects::{DeclaredSpec, KindAndName, ObjectServer, PrivateObject, WrittenMap};

pub(crate) type WorldEffect = Effect<Dedicated<PrivateObject>>;
pub(crate) type WorldInput = Input<Dedicated<PrivateObject>>;

/// What becomes of a request to Atlas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum RequestFate {
    /// It is executed, and the response arrives.
    #[default]
    Arrives,
    /// It is executed, and the response is lost.
    ResponseLost,
    /// The response is lost, and it is executed when the script says so.
    Travels,
}

/// A process of the operator.
#[derive(Default)]
pub(crate) struct Replica {
    pub(crate) names: Names,
    kept: BTreeMap<KindAndName, KeptState>,
    cache: BTreeMap<KindAndName, PrivateObject>,
    /// How many events its watches have shown.
    shown: usize,
    /// Its watches show nothing.
    pub(crate) is_asleep: bool,
}

/// A reconcile under way, before its next effect.
pub(crate) struct ReconcileUnderWay {
    replica: usize,
    key: KindAndName,
    machine: Box<Reconcile<PrivateObject>>,
    effect: WorldEffect,
    /// The length of Atlas' log at the claim.
    claimed: usize,
    /// The objects when the watches had caught up.
    known: Option<BTreeMap<KindAndName, PrivateObject>>,
    /// The version of the ConfigMap that was read last.
    map_read: Option<u64>,
    pub(crate) fate: RequestFate,
}

/// Everything.
pub(crate) struct DedicatedWorld {
    pub(crate) now: Duration,
    pub(crate) atlas: FakeAtlas,
    pub(crate) api: ObjectServer,
    pub(crate) replicas: Vec<Replica>,
    /// The requests that travel.
    pub(crate) travelling: Vec<SentRequest>,
    /// When those that travel are executed at the latest.
    latest: Vec<Duration>,
    /// What becomes of the requests of new reconciles.
    pub(crate) fate: RequestFate,
    /// Atlas responds to no listing.
    pub(crate) is_down: bool,
    /// How many more effects are performed before one reconcile is stopped.
    pub(crate) stop_in: Option<u32>,
    /// The reconcile that was stopped.
    pub(crate) stopped: Option<ReconcileUnderWay>,
    /// How many more requests are sent before one has this fate.
    pub(crate) fate_in: Option<(u32, RequestFate)>,
    /// Somebody else removes at any time what is there.
    pub(crate) has_foreigners: bool,
    /// Two replicas may believe at once that they lead: then one may create the ConfigMap that the other has just removed.
    pub(crate) has_two_leaders: bool,
    nonces: u32,
}

/// How long a request may travel: T and S.
const TRAVEL: Duration = Duration::from_secs(90);

pub(crate) use crate::fixtures::{cloud_id, rules, service_key};

pub(crate) const A: usize = 0;
pub(crate) const B: usize = 1;

pub(crate) fn pes(name: &str) -> KindAndName {
    KindAndName::new(Sort::Service, "team-a", name)
}

pub(crate) fn pe(name: &str) -> KindAndName {
    KindAndName::new(Sort::Endpoint, "team-a", name)
}

pub(crate) fn service_spec() -> DeclaredSpec {
    DeclaredSpec { rules: rules(), service: ServiceName::Key(service_key()), endpoint: None, output: None }
}

/// An endpoint at the service of `pes("s")`.
pub(crate) fn endpoint_spec(number: u32) -> DeclaredSpec {
    DeclaredSpec { service: ServiceName::Object(pes("s").names), ..direct_spec(number) }
}

/// An endpoint at the service with the key, whoever declares that.
pub(crate) fn direct_spec(number: u32) -> DeclaredSpec {
    let endpoint = Some(format!("vpce-{number}").parse().unwrap());
    DeclaredSpec { rules: rules(), service: ServiceName::Key(service_key()), endpoint, output: None }
}

/// The same with a cluster, whose private connection strings are put into this ConfigMap.
pub(crate) fn with_strings(spec: DeclaredSpec, output: &'static str) -> DeclaredSpec {
    let rules = Spec { clusters: vec![cluster("orders")], ..spec.rules };
    DeclaredSpec { rules, output: Some(output), ..spec }
}

pub(crate) fn cluster(name: &str) -> ClusterName {
    name.parse().unwrap()
}

/// Returns the word for an effect.
pub(crate) fn word(effect: &WorldEffect) -> &'static str {
    match effect {
        Effect::LookUp => "look up",
        Effect::Resolve => "resolve",
        Effect::Declare(_) => "declare",
        Effect::Acquire(_) => "acquire",
        Effect::GetCredentials(_) => "credentials",
        Effect::Begin(_) => "begin",
        Effect::List(_) => "list",
        Effect::Read => "read",
        Effect::Write(ObjectWrite::Claim(Some(_))) => "claim",
        Effect::Write(ObjectWrite::Claim(None)) => "hold",
        Effect::Write(ObjectWrite::Record(_)) => "record",
        Effect::Write(ObjectWrite::Status(_)) => "status",
        Effect::Write(ObjectWrite::Release(_)) => "release",
        Effect::Write(ObjectWrite::OutputName(_)) | Effect::Output(_) => "output",
        Effect::Call { .. } => "call",
        Effect::CatchUp => "catch up",
        Effect::Publish(_) => "publish",
        Effect::FindAddress { .. } => "address",
        Effect::Done(_) => "done",
    }
}

impl ReconcileUnderWay {
    pub(crate) fn is_in(&self, replica: usize) -> bool {
        self.replica == replica
    }

    pub(crate) fn is_of(&self, replica: usize, key: &KindAndName) -> bool {
        self.is_in(replica) && self.key == *key
    }
}

impl DedicatedWorld {
    /// Returns `true` if the watches have shown the object.
    pub(crate) fn knows(&mut self, replica: usize, key: &KindAndName) -> bool {
        self.sync_all();
        self.replicas[replica].cache.contains_key(key)
    }

    pub(crate) fn new() -> Self {
        Self {
            now: Duration::from_hours(1),
            atlas: FakeAtlas::default(),
            api: ObjectServer::default(),
            replicas: vec![Replica::default(), Replica::default()],
            travelling: Vec::new(),
            latest: Vec::new(),
            fate: RequestFate::default(),
            is_down: false,
            stop_in: None,
            stopped: None,
            fate_in: None,
            has_foreigners: false,
            has_two_leaders: false,
            nonces: 0,
        }
    }

    pub(crate) fn sleep(&mut self, seconds: u64) {
        self.sync_all();
        self.now += Duration::from_secs(seconds);
        self.sync_all();
    }

    /// Executes the requests that travel as long as one may.
    pub(crate) fn land_late(&mut self, pause: u64) {
        while self.latest.first().is_some_and(|latest| *latest <= self.now + Duration::from_secs(pause)) {
            self.land();
        }
    }

    fn sync_all(&mut self) {
        for replica in 0..self.replicas.len() {
            if !self.replicas[replica].is_asleep {
                self.sync(replica);
            }
        }
    }

    /// The watches of a replica show what there is.
    fn sync(&mut self, replica: usize) {
        let now = self.now;
        let Replica { names, kept, cache, shown, .. } = &mut self.replicas[replica];
        for (key, object) in &self.api.events[*shown..] {
            let (sort, token) = (key.sort(), key.token());
            let affected = if let Some(object) = object {
                cache.insert(key.clone(), object.clone());
                names.record(sort, &token, object.as_named(), now);
                names.affected(sort, &token)
            } else {
                cache.remove(key);
                names.remove(sort, &token, now)
            };
            for (sort, other) in affected {
                let other = KindAndName::new(sort, &other.namespace, &other.name);
                kept.entry(other).or_default().schedule.reference_changed(now);
            }
        }
        *shown = self.api.events.len();
    }

    /// The replica is a new process, which lists all objects.
    pub(crate) fn restart(&mut self, replica: usize) {
        let all: Vec<_> = self.api.objects.values().cloned().collect();
        let shown = self.api.events.len();
        let mut new = Replica { shown, ..Replica::default() };
        for object in all {
            new.names.record(object.key.sort(), &object.key.token(), object.as_named(), self.now);
            new.cache.insert(object.key.clone(), object);
        }
        self.replicas[replica] = new;
    }

    /// Begins the reconcile of an object, if it is due.
    pub(crate) fn begin_if_due(&mut self, replica: usize, key: &KindAndName) -> Option<ReconcileUnderWay> {
        self.sync_all();
        let settings = ReconcileSettings {
            times: Times::default(),
            poll_min: Duration::from_secs(5),
            poll_max: Duration::from_mins(1),
        };
        let moment = self.moment();
        let Replica { kept, cache, .. } = &mut self.replicas[replica];
        let object = cache.get(key)?.clone();
        let kept = kept.entry(key.clone()).or_default();
        let Started::Now(mut machine) = Reconcile::start(object, kept, &settings, self.now, self.now) else {
            return None;
        };
        let effect = machine.resume(Input::Start, kept, &moment);
        let fate = self.fate;
        Some(ReconcileUnderWay {
            replica,
            key: key.clone(),
            machine,
            effect,
            claimed: 0,
            known: None,
            map_read: None,
            fate,
        })
    }

    /// Begins the reconcile of an object now.
    pub(crate) fn begin(&mut self, replica: usize, key: &KindAndName) -> ReconcileUnderWay {
        self.replicas[replica].kept.entry(key.clone()).or_default().schedule = Schedule::default();
        self.begin_if_due(replica, key).unwrap()
    }

    fn moment(&self) -> Moment {
        Moment { now: Stamp { boot: self.now, day: self.now }, jitter: 0.5 }
    }

    /// Steps until this effect comes next.
    pub(crate) fn run_to(&mut self, running: &mut ReconcileUnderWay, effect: &str) {
        while word(&running.effect) != effect {
            assert!(word(&running.effect) != "done", "it ends before {effect}: {:?}", running.effect);
            self.step(running);
        }
    }

    /// Begins a reconcile now, and stops before this effect.
    pub(crate) fn begin_to(&mut self, replica: usize, key: &KindAndName, effect: &str) -> ReconcileUnderWay {
        let mut running = self.begin(replica, key);
        self.run_to(&mut running, effect);
        running
    }

    /// Steps to the end.
    pub(crate) fn finish(&mut self, mut running: ReconcileUnderWay) -> Done<Dedicated<PrivateObject>> {
        while word(&running.effect) != "done" {
            self.step(&mut running);
        }
        let Effect::Done(done) = running.effect else { panic!("it is done") };
        done
    }

    /// Steps to the end, or until it is to be stopped.
    fn drive(&mut self, mut running: ReconcileUnderWay) {
        while word(&running.effect) != "done" {
            match &mut self.stop_in {
                Some(0) => {
                    (self.stop_in, self.stopped) = (None, Some(running));
                    return;
                }
                Some(more) => *more -= 1,
                None => {}
            }
            self.step(&mut running);
        }
    }

    /// Reconciles an object now, if the replica knows one.
    pub(crate) fn reconcile(&mut self, replica: usize, key: &KindAndName) {
        self.sync_all();
        if self.replicas[replica].cache.contains_key(key) {
            let running = self.begin(replica, key);
            self.finish(running);
        }
    }

    /// Reconciles an object so often, with a pause before each, in which Atlas makes a step.
    pub(crate) fn rounds(&mut self, replica: usize, keys: &[&KindAndName], number: u32, pause: u64) {
        for _ in 0..number {
            self.sleep(pause);
            self.atlas.tick();
            for key in keys {
                self.reconcile(replica, key);
            }
        }
    }

    /// Performs the next effect.
    pub(crate) fn step(&mut self, running: &mut ReconcileUnderWay) {
        self.sync_all();
        self.now += Duration::from_millis(1);
        let effect = std::mem::replace(&mut running.effect, Effect::LookUp);
        let input = self.perform(running, effect);
        self.resume(running, input);
    }

    fn resume(&mut self, running: &mut ReconcileUnderWay, input: WorldInput) {
        let moment = self.moment();
        let kept = self.replicas[running.replica].kept.entry(running.key.clone()).or_default();
        running.effect = running.machine.resume(input, kept, &moment);
        running.machine.take_notes();
    }

    fn perform(&mut self, running: &mut ReconcileUnderWay, effect: WorldEffect) -> WorldInput {
        let (now, key) = (self.now, running.key.clone());
        let (sort, token) = (key.sort(), key.token());
        match effect {
            Effect::LookUp => {
                let names = &mut self.replicas[running.replica].names;
                let times = Times::default();
                names.prune(&times, now);
                let state = running.machine.state();
                let uid = &state.object().uid;
                Input::Others(names.others(sort, &token, uid, &state.lives(), (&times, now)))
            }
            Effect::Resolve => {
                let object = running.machine.object();
                Input::Resolved(Resolution::Found(self.subject(running.replica, object)))
            }
            Effect::Declare(id) => {
                self.replicas[running.replica].names.resolved(&token, id.as_ref(), now);
                Input::Performed
            }
            Effect::Acquire(_) | Effect::Publish(_) => Input::Performed,
            Effect::GetCredentials(_) => Input::Credentials(Ok(CredentialsInUse::Own)),
            Effect::Begin(_) => {
                self.nonces += 1;
                let mut random = [0; 16];
                random[..4].copy_from_slice(&self.nonces.to_le_bytes());
                Input::Begun(Some(random))
            }
            Effect::List(_) => Input::Listed(Ok(self.list(running))),
            Effect::Read => Input::Read(self.api.read(&key)),
            Effect::Write(write) => {
                let written = self.api.write(running.machine.object(), &write);
                if matches!(write, ObjectWrite::Claim(Some(_))) {
                    running.claimed = self.atlas.executed.len();
                }
                if let Ok(object) = &written {
                    self.check_created(object);
                }
                self.sync_all();
                Input::Written(written)
            }
            Effect::Call { call, .. } => self.call(running, &call),
            Effect::CatchUp => {
                self.sync(running.replica);
                running.known = Some(self.api.objects.clone());
                Input::CaughtUp(true)
            }
            Effect::Output(request) => {
                let uid = running.machine.object().uid.clone();
                Input::Output(self.api.output(&uid, &request, &mut running.map_read))
            }
            Effect::FindAddress { .. } | Effect::Done(_) => panic!("this kind has no such effect"),
        }
    }

    fn subject(&self, replica: usize, object: &PrivateObject) -> Subject {
        let spec = &object.spec;
        if object.key.sort() == Sort::Service {
            return Subject::Service(object.service_key().unwrap().clone());
        }
        let endpoint = spec.endpoint.clone().map(|id| NewEndpoint::Aws { id });
        let endpoint = endpoint.map_or(DeclaredEndpoint::Undeclared, DeclaredEndpoint::Declared);
        let service = match &spec.service {
            ServiceName::Key(key) => ServiceRef::Key(key.clone()),
            ServiceName::Object(name) => {
                let object = format!("PrivateEndpointService {}/{}", name.namespace, name.name);
                match self.replicas[replica].names.offer(name) {
                    Some(offer) => ServiceRef::Object {
                        object,
                        key: offer.key.clone(),
                        recorded: offer.recorded.clone(),
                    },
                    None => ServiceRef::Missing { object, known: None },
                }
            }
        };
        Subject::Endpoint { service, endpoint }
    }

    fn list(&mut self, running: &ReconcileUnderWay) -> Listed {
        if self.is_down {
            let result = Err(Fault::new(FaultKind::Unavailable, "HTTP 503"));
            let (endpoints, clusters) = (BTreeMap::new(), BTreeMap::new());
            return Listed { sent: self.now, result, was_requested: true, endpoints, clusters };
        }
        let services = self.atlas.list();
        let to_read = running.machine.state().endpoints_to_read(&services);
        let endpoints: BTreeMap<_, _> =
            to_read.into_iter().map(|life| (life.clone(), Ok(self.atlas.get(&life)))).collect();
        let clusters = running.machine.state().clusters_to_read(&endpoints);
        let clusters = clusters
            .into_iter()
            .flat_map(|(id, clusters)| clusters.into_iter().map(move |name| (id.clone(), name)));
        let clusters: BTreeMap<_, _> =
            clusters.map(|(id, name)| (name.clone(), Ok(self.atlas.cluster(&name, &id)))).collect();
        self.atlas.cluster_reads += clusters.len();
        Listed { sent: self.now, result: Ok(Arc::from(services)), was_requested: true, endpoints, clusters }
    }

    fn call(&mut self, running: &ReconcileUnderWay, call: &DedicatedWrite) -> WorldInput {
        let sent = self.now;
        let call = match call {
            DedicatedWrite::Claimed(call) => call,
            DedicatedWrite::Update(update) => {
                let age = sent.saturating_sub(update.read.boot);
                assert!(age < Times::default().create_deadline, "{update:?} is sent {age:?} after the read");
                return Input::Called(self.atlas.update(update), sent);
            }
        };
        let age = sent.saturating_sub(call.claimed.boot);
        assert!(age < Times::default().create_deadline, "D: {call:?} is sent {age:?} after its claim");
        let request = self.request(running, &call.target);
        let uncertain = || CallResponse::Uncertain(Fault::new(FaultKind::Unavailable, "no response"));
        let fate = match self.fate_in.take() {
            Some((0, fate)) => fate,
            Some((more, fate)) => {
                self.fate_in = Some((more - 1, fate));
                running.fate
            }
            None => running.fate,
        };
        let response = match fate {
            RequestFate::Arrives => self.execute(&request),
            RequestFate::ResponseLost => {
                self.execute(&request);
                uncertain()
            }
            RequestFate::Travels => {
                self.travel(request);
                uncertain()
            }
        };
        Input::Called(response, sent)
    }

    /// Sends the request that comes next, whose response the reconcile still waits for.
    pub(crate) fn launch(&mut self, running: &ReconcileUnderWay) {
        let Effect::Call { call: DedicatedWrite::Claimed(call), .. } = &running.effect else {
            panic!("no request comes next")
        };
        let request = self.request(running, &call.target.clone());
        self.travel(request);
    }

    fn travel(&mut self, request: SentRequest) {
        self.travelling.push(request);
        self.latest.push(self.now + TRAVEL);
    }

    /// Executes the request that travels longest.
    pub(crate) fn land(&mut self) -> CallResponse {
        let request = self.travelling.remove(0);
        self.latest.remove(0);
        self.execute(&request)
    }

    /// The response to the request that comes next, which was launched, arrives.
    pub(crate) fn answer(&mut self, running: &mut ReconcileUnderWay, response: CallResponse) {
        self.resume(running, Input::Called(response, self.now));
    }

    fn request(&self, running: &ReconcileUnderWay, target: &ClaimTarget) -> SentRequest {
        let object = running.machine.object();
        let spec = &object.spec;
        let key = object.service_key().cloned();
        let request = SentRequest {
            sender: Some(object.uid.clone()),
            target: target.clone(),
            key,
            claimed: running.claimed,
            is_permitted: spec.rules.deletion == Some(Deletion::Delete),
        };
        self.check_sent(object, running.known.as_ref().unwrap(), &request);
        request
    }

    fn execute(&mut self, request: &SentRequest) -> CallResponse {
        let before = self.atlas.executed.len();
        let response = self.atlas.execute(request);
        if self.atlas.executed.len() > before {
            self.check_executed();
        }
        response
    }

    /// W5 and W7, when a request is sent.
    fn check_sent(
        &self,
        sender: &PrivateObject,
        known: &BTreeMap<KindAndName, PrivateObject>,
        request: &SentRequest,
    ) {
        for other in self.travelling.iter().filter(|other| other.sender != request.sender) {
            let same = match (other.target.life(), request.target.life()) {
                (Some(one), Some(two)) if one.endpoint.is_some() => one.endpoint == two.endpoint,
                (Some(Life { endpoint: Some(_), .. }), _) | (_, Some(Life { endpoint: Some(_), .. })) => {
                    false
                }
                _ => true,
            };
            assert!(!same, "W5: {request:?} while {other:?} travels");
        }
        let ClaimTarget::Delete(life) = &request.target else {
            return self.check_created_again(sender, request);
        };
        // What a user creates or changes after that comes too late.
        for object in known.values().filter(|known| self.api.objects.get(&known.key) == Some(*known)) {
            let names = match (&life.endpoint, object.key.sort()) {
                (None, Sort::Service) => !object.deleting,
                (None, Sort::Endpoint) => {
                    let refers = match &object.spec.service {
                        ServiceName::Key(key) => Some(key) == request.key.as_ref(),
                        ServiceName::Object(service) => *service == sender.key.names,
                    };
                    refers || object.status.entries.iter().any(|entry| entry.life.service == life.service)
                }
                (Some(id), Sort::Endpoint) => {
                    !object.deleting
                        && object.spec.endpoint.as_ref().map(CloudEndpointId::from).as_ref() == Some(id)
                }
                (Some(_), Sort::Service) => false,
            };
            // A URL at a service that is gone leads nowhere.
            let is_there = self.atlas.services.iter().any(|service| service.id == life.service);
            assert!(!names || !is_there, "W7: {request:?}, which {:?} names", object.key);
        }
        if !sender.deleting && !sender.spec.rules.break_before_make && !self.has_foreigners {
            let declared = sender.spec.endpoint.as_ref().map(CloudEndpointId::from);
            let mut all = self.atlas.services.iter().flat_map(|service| &service.endpoints);
            let is_there =
                all.any(|(id, e)| Some(id) == declared.as_ref() && e.status == ConnectionStatus::Available);
            assert!(is_there, "W7: {request:?} before its replacement is there");
        }
    }

    /// No ConfigMap holds what is created again.
    fn check_created_again(&self, sender: &PrivateObject, request: &SentRequest) {
        let target = request.target.life();
        for map in self.api.maps.values().filter(|map| map.owner.as_ref() == Some(&sender.uid)) {
            let id = |key: &str| map.content.get(key).map(String::as_str);
            let is_same = target.is_none_or(|life| {
                id("serviceId") == Some(life.service.as_str())
                    && id("endpointId") == life.endpoint.as_ref().map(CloudEndpointId::as_str)
            });
            assert!(!is_same, "{request:?} while its ConfigMap holds {map:?}");
        }
    }

    /// The ConfigMaps of the objects, now that everything is at rest.
    pub(crate) fn check_outputs(&self) {
        for object in self.api.objects.values().filter(|object| !object.deleting) {
            let of_object = |map: &&WrittenMap| map.owner.as_ref() == Some(&object.uid);
            let maps: Vec<_> = self.api.maps.values().filter(of_object).collect();
            let Some(name) = object.spec.output else {
                assert!(maps.is_empty() || self.has_two_leaders, "{:?} has no output: {maps:?}", object.key);
                continue;
            };
            let is_foreign =
                self.api.maps.get(name).is_some_and(|map| map.owner.as_ref() != Some(&object.uid));
            let life = object.status.entries.first().map(|entry| &entry.life);
            let is_ready = object.ready().is_some_and(|(ready, _)| ready) && !is_foreign;
            assert!(maps.len() <= 1 || self.has_two_leaders, "{:?}: {maps:?}", object.key);
            assert!(maps.is_empty() || life.is_some(), "{:?} has nothing: {maps:?}", object.key);
            if let Some(life) = life.filter(|_| is_ready) {
                let content = self.api.map_of(&object.key, name);
                let content = content.unwrap_or_else(|| panic!("{:?} has no output", object.key));
                assert_eq!(content["serviceId"], life.service.as_str());
                assert_eq!(
                    content.get("endpointId").map(String::as_str),
                    life.endpoint.as_ref().map(CloudEndpointId::as_str)
                );
                let all_strings = object
                    .spec
                    .rules
                    .clusters
                    .iter()
                    .all(|name| content.contains_key(&format!("srv_{name}")));
                assert!(all_strings, "{:?}: {content:?}", object.key);
            }
        }
    }

    /// W1 to W4, for the last request that took effect.
    fn check_executed(&self) {
        let executed = self.atlas.executed.last().unwrap();
        let request = &executed.request;
        let Some(uid) = &request.sender else { return };
        assert!(!self.api.released.contains(uid), "W4: {request:?} after release");
        let ClaimTarget::Delete(life) = &request.target else { return };
        // What somebody else created meanwhile under the same URL cannot be told apart.
        let is_foreign = executed.creator.is_none();
        assert!(executed.born < request.claimed || is_foreign, "W3: {request:?} hits a later life");
        match &life.endpoint {
            None => {
                let is_own = executed.creator.as_ref() == Some(uid);
                assert!(is_own || request.is_permitted, "W1: {request:?} of {:?}", executed.creator);
            }
            Some(id) => {
                let mut versions = self.api.versions.iter().filter(|object| object.uid == *uid);
                let was_named = versions.any(|object| {
                    object.spec.endpoint.as_ref().map(CloudEndpointId::from).as_ref() == Some(id)
                });
                assert!(was_named, "W2: {request:?}");
            }
        }
    }

    /// W6, after each write to an object.
    fn check_created(&self, object: &PrivateObject) {
        for entry in object.status.entries.iter().filter(|entry| entry.provenance == "Created") {
            let mut lives = self.atlas.lives.iter().filter(|(life, _)| *life == entry.life);
            let is_own = lives.any(|(_, creator)| creator.as_ref() == Some(&entry.recorded_by));
            assert!(is_own, "W6: {entry:?} of {:?}", object.key);
        }
    }

    /// Reconciles all objects as they are due, with a pause in which Atlas makes a step, so often.
    pub(crate) fn live(&mut self, replica: usize, rounds: u32, pause: u64) {
        for _ in 0..rounds {
            if self.stopped.is_some() {
                return;
            }
            self.sleep(pause);
            self.atlas.tick();
            for key in self.api.objects.keys().cloned().collect::<Vec<_>>() {
                if let Some(running) = self.begin_if_due(replica, &key) {
                    self.drive(running);
                }
            }
        }
    }

    /// Goes on with a reconcile that was stopped: a request that comes next is withheld, if it is too late for it.
    pub(crate) fn finish_late(&mut self, mut running: ReconcileUnderWay) {
        while self.step_late(&mut running) {}
    }

    /// Performs the next effect of a reconcile that may have been stopped. Returns `false` if it has ended.
    pub(crate) fn step_late(&mut self, running: &mut ReconcileUnderWay) -> bool {
        let is_late = matches!(&running.effect, Effect::Call { call: DedicatedWrite::Claimed(call), .. }
            if self.now.saturating_sub(call.claimed.boot) + Duration::from_millis(2) >= Times::default().create_deadline);
        if word(&running.effect) == "done" {
            return false;
        }
        if is_late {
            let fault = Fault::new(FaultKind::Unavailable, "too late");
            self.answer(running, CallResponse::Refused(fault));
        } else {
            self.step(running);
        }
        true
    }

    /// Reconciles all objects until everything is at rest, and sees to it that nothing is written any more.
    pub(crate) fn come_to_rest(&mut self, replica: usize) {
        self.come_to_rest_for(replica, 20);
    }

    /// The same, over so many rounds of polls. If a reconcile is stopped, it ends.
    pub(crate) fn come_to_rest_for(&mut self, replica: usize, quiet: u32) {
        self.live(replica, 40, 20);
        self.live(replica, 3, 13 * 60);
        let (writes, requests) = (self.api.writes.len(), self.atlas.requests);
        self.live(replica, quiet, 13 * 60);
        if self.stopped.is_none() {
            assert_eq!(self.api.writes[writes..], [], "it writes for ever");
            assert_eq!(self.atlas.requests, requests, "it sends requests for ever");
            self.check_outputs();
        }
    }

    pub(crate) fn object(&self, key: &KindAndName) -> &PrivateObject {
        self.api.objects.get(key).unwrap_or_else(|| panic!("{key:?} is gone"))
    }

    /// Returns the life of endpoint `number` at the service that is there.
    pub(crate) fn endpoint_life(&self, number: u32) -> Life {
        let service = self.atlas.service(&service_key()).unwrap();
        Life { service: service.id.clone(), endpoint: Some(cloud_id(number)) }
    }

    /// Returns the life of the service that is there.
    pub(crate) fn service_life(&self) -> Life {
        Life { service: self.atlas.service(&service_key()).unwrap().id.clone(), endpoint: None }
    }

    /// A user creates the object of the service.
    pub(crate) fn with_service() -> (Self, KindAndName) {
        let mut world = Self::new();
        world.api.create(&pes("s"), service_spec());
        (world, pes("s"))
    }

    /// A user creates the object of endpoint 1, at a service that somebody created by hand.
    pub(crate) fn with_endpoint() -> (Self, KindAndName) {
        let mut world = Self::new();
        world.atlas.create_by_hand(&service_key());
        world.api.create(&pe("e"), direct_spec(1));
        (world, pe("e"))
    }

    /// A user changes the declared endpoint.
    pub(crate) fn declare(&mut self, key: &KindAndName, number: u32) {
        self.api.edit(key, |object| object.spec.endpoint = direct_spec(number).endpoint);
    }

    /// Somebody wipes the status.
    pub(crate) fn wipe_status(&mut self, key: &KindAndName) {
        self.api.edit(key, |object| {
            object.status = crate::objects::WrittenStatus { generation: -1, ..Default::default() };
        });
    }

    /// Asserts that nothing is left in Atlas, but the service that was created by hand.
    pub(crate) fn assert_no_endpoint(&self) {
        assert!(self.atlas.endpoint_ids().is_empty(), "leaked {:?}", self.atlas.endpoint_ids());
    }

    /// Asserts that Atlas has no service.
    pub(crate) fn assert_no_service(&self) {
        let left: Vec<_> =
            self.atlas.services.iter().filter(|s| s.status != ServiceStatus::Deleting).collect();
        assert!(left.is_empty(), "leaked {left:?}");
    }
}
