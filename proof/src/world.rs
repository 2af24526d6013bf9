//! What exists in the checked world: one object in an API server, controllers with their memories, requests on their
//! way, and endpoints in Atlas.
//!
//! Plain data, kept small because there are millions of it. Time is in ticks; whatever is older than [`OLD`]
//! ticks happened long ago. Nothing here decides or changes anything.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use domain::endpoint::{self, EndpointId, EndpointStatus, VpcEndpointId};
use domain::memory::Memory;
use domain::observed::{self, Reported, Times};
use domain::observed::{Tried, VpcEndpoint};
use domain::ownership::{Claim, ClaimReading, ClusterId, Nonce, Token, marked_comment};

/// The shortest time that is told apart. With a twenty-minute tick the hour between two removals of excess endpoints is
/// three ticks, and all other times are settings.
pub(crate) const TICK: Duration = Duration::from_mins(20);

/// Ages are counted to here: the longest time that any rule asks for. What is older happened [`LONG_AGO`].
pub(crate) const OLD: u8 = 3;

/// The age of everything that is older than [`OLD`].
pub(crate) const LONG_AGO: u8 = 100;

/// How many ticks a request to Atlas may travel (T and S). A listing is at most [`LAG`] ticks behind.
pub(crate) const TRAVEL: u8 = 1;

/// An endpoint that was made, or went, fewer ticks ago may be missing from, or still in, a listing. Lag is bounded by G;
/// as everything within a tick counts as the same moment, that is the first listing and not the second.
pub(crate) const LAG: u8 = 2;

/// The protocol's times in their real relations, each as short as these allow: Q is just D and the travel time.
pub(crate) fn times() -> Times {
    Times {
        create_deadline: TICK,
        uncertainty: TICK * (1 + u32::from(TRAVEL)),
        confirm_gap: TICK,
        visibility: TICK * u32::from(LAG),
    }
}

/// The present moment, always: time passes by making everything else older.
pub(crate) fn now() -> Duration {
    TICK * 1000
}

/// The moment that lies `ticks` back.
pub(crate) fn ago(ticks: u8) -> Duration {
    now().saturating_sub(TICK * u32::from(ticks))
}

/// What the user declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Manifest {
    /// `deletionPolicy: Retain`.
    pub retain: bool,
    /// `managementPolicy: Observe`.
    pub observe: bool,
    /// `suspend`.
    pub suspend: bool,
    /// `endpointId`; 0 is none.
    pub endpoint: u8,
    /// `cloudProviderEndpointId`; 0 is none.
    pub vpc: u8,
}

/// The claim annotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Annotation {
    /// Written by this operator for the object of that life.
    Claim {
        /// The life whose uid it names.
        life: u8,
        /// The attempt; above 100 stands for the attempt of an unreadable claim, announced again.
        nonce: u8,
        /// The endpoint to be replaced; 0 is none.
        replaced: u8,
    },
    /// Written by another version of this operator.
    Unreadable,
    /// Written by another cluster's operator.
    Foreign,
}

/// The nonce of [`Annotation::Unreadable`] where it stands in a claim of ours.
pub(crate) const GARBLED: u8 = 101;

/// Whose mark a comment carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mark {
    /// The object's.
    #[default]
    Ours,
    /// Nobody's.
    None,
    /// Somebody else's.
    Foreign,
}

/// The custom resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Object {
    /// Which object of this name it is: its uid.
    pub life: u8,
    /// `metadata.deletionTimestamp` is set.
    pub deleting: bool,
    /// Our finalizer is on it.
    pub finalizer: bool,
    /// The claim annotation.
    pub claim: Option<Annotation>,
    /// `status._id`; 0 is none.
    pub recorded: u8,
    /// The mark in the comment that the status shows.
    pub shown: Mark,
    /// The VPC endpoint id that the status shows.
    pub shown_vpc: u8,
    /// The VPC endpoint id that belonged to a lost service.
    pub stale_vpc: u8,
    /// The annotation `take-over` names the foreign owner.
    pub take_over: bool,
    /// The spec.
    pub manifest: Manifest,
}

/// A copy of the object as it was read, and whether it still is the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Held {
    /// The object.
    pub object: Object,
    /// Its resourceVersion is the current one.
    pub current: bool,
}

/// What Atlas shows of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// RESERVED.
    Reserved,
    /// AVAILABLE.
    Available,
    /// DELETING.
    Deleting,
    /// It is not there any more; kept as long as a listing may still show it.
    Gone,
}

/// An endpoint in Atlas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Its id.
    pub id: u8,
    /// Whose mark it carries.
    pub mark: Mark,
    /// Its status.
    pub phase: Phase,
    /// The VPC endpoint that is connected.
    pub vpc: u8,
    /// Ticks since it was made, up to `LAG`.
    pub born: u8,
    /// Ticks since a DELETE or the end of it, up to `LAG`.
    pub left: u8,
}

impl Endpoint {
    /// It is there and not on its way out.
    pub(crate) fn is_live(self) -> bool {
        matches!(self.phase, Phase::Reserved | Phase::Available)
    }
}

/// What one reconcile knows of Atlas.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum View {
    /// Nothing yet.
    Unread,
    /// It could not be read: 404 that is not the instance's (`true`) or no answer (`false`).
    Failed(bool),
    /// A listing.
    Listed(Vec<Endpoint>),
}

/// What became of the write that a reconcile sent to Atlas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attempted {
    /// There was none.
    Nothing,
    /// Accepted.
    Done,
    /// Refused by Atlas: not done.
    Refused,
    /// No answer: unknown.
    Uncertain,
}

/// What a reconcile waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wait {
    /// Nothing: it goes on.
    Nothing,
    /// The answer to an accepted claim, which carries the object as it was then.
    Claim(Held),
    /// Atlas' answer to a write.
    Atlas,
}

/// One reconcile on its way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pass {
    /// The object that is decided on.
    pub held: Held,
    /// What Atlas said.
    pub view: View,
    /// Ticks since the listing was sent.
    pub seen: u8,
    /// The write to Atlas.
    pub tried: Attempted,
    /// What it waits for.
    pub wait: Wait,
}

/// One controller.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Process {
    /// The memory of the code that ships.
    pub memory: Arc<Memory>,
    /// The object as its watch shows it; never newer than the API server, and often older.
    pub cache: Option<Held>,
    /// The reconcile that is running.
    pub pass: Option<Box<Pass>>,
    /// Ticks since the claim was acknowledged (only looked at where D is counted from there).
    pub acknowledged: u8,
}

/// A write to Atlas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Write {
    /// POST for this attempt.
    Post(u8),
    /// PATCH of the mark and, unless 0, of the VPC endpoint.
    Patch {
        /// The endpoint.
        id: u8,
        /// The mark that the comment carries; none: no comment is sent.
        mark: Option<Mark>,
        /// The VPC endpoint.
        vpc: u8,
    },
    /// DELETE.
    Delete {
        /// The endpoint.
        id: u8,
        /// It is one too many.
        excess: bool,
    },
}

/// A request on its way to Atlas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Call {
    /// What it asks for.
    pub write: Write,
    /// Ticks that it may still travel.
    pub left: u8,
    /// The controller that waits for the answer.
    pub from: Option<u8>,
}

/// A write to the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Patch {
    /// Finalizer and claim.
    Claim {
        /// The annotation.
        claim: Annotation,
        /// The annotation `stale-vpc-endpoint-id`; 0 leaves it.
        stale_vpc: u8,
        /// The attempt is a new one.
        fresh: bool,
    },
    /// Id and status.
    Record {
        /// The endpoint.
        id: u8,
        /// The mark in its comment.
        mark: Mark,
    },
    /// Finalizer off.
    Release {
        /// The endpoint was to stay in Atlas.
        retained: bool,
    },
}

/// A write to the object whose sender has given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Late {
    /// What the sender had read.
    pub held: Held,
    /// What it writes.
    pub patch: Patch,
}

/// How many more faults and acts of users there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Budget {
    /// Crashes of a controller; its memory is lost.
    pub crashes: u8,
    /// Answers of Atlas that are lost, requests that get lost, requests that arrive after their sender gave up.
    pub losses: u8,
    /// Definite refusals by Atlas.
    pub refusals: u8,
    /// Listings and DELETEs answered by a replica that lags.
    pub lags: u8,
    /// Listings answered 404 as if the project were unknown.
    pub no_access: u8,
    /// Answers of the API server that are lost, with the write applied, not applied, or applied later.
    pub outages: u8,
    /// Deletions of the object.
    pub deletions: u8,
    /// Creations of the object under the same name, without annotations.
    pub creations: u8,
    /// The same, with the annotations of the object that went (a restored backup).
    pub restores: u8,
    /// Wipes of the status.
    pub status_wipes: u8,
    /// Wipes of the claim.
    pub claim_wipes: u8,
    /// Claims replaced by one that cannot be read.
    pub garbles: u8,
    /// Finalizers taken off by force.
    pub forced: u8,
    /// Edits of the spec.
    pub edits: u8,
    /// Foreign writes that change nothing that matters.
    pub touches: u8,
    /// Endpoints that vanish from Atlas by somebody else's hand.
    pub vanishings: u8,
    /// Marks that somebody takes off in Atlas.
    pub unmarkings: u8,
}

/// What happened that the present does not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct History {
    /// Attempts whose claim the API server accepted, as bits.
    pub claimed: u16,
    /// Attempts that were posted, as bits.
    pub posted: u16,
    /// The last object that went left its endpoint in Atlas, or was forced off, so that what is left is no leak.
    pub may_stay: bool,
    /// The recorded endpoint was gone already when it was recorded.
    pub dead: bool,
    /// The annotations of the object that went last.
    pub backup: Option<Annotation>,
    /// The promises that a step has broken, as bits of [`crate::Promise`].
    pub broken: u16,
    /// Good things that have happened, as bits of [`crate::Event`].
    pub events: u16,
}

/// The whole world.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// The object in the API server.
    pub object: Option<Object>,
    /// Objects of this name so far.
    pub lives: u8,
    /// The controllers, each believing that it leads.
    pub processes: Vec<Process>,
    /// Requests on their way to Atlas.
    pub calls: Vec<Call>,
    /// Writes to the object whose senders have given up.
    pub late: Vec<Late>,
    /// Atlas.
    pub endpoints: Vec<Endpoint>,
    /// Ids that Atlas has given out.
    pub made: u8,
    /// Attempts so far.
    pub nonces: u8,
    /// What may still go wrong.
    pub left: Budget,
    /// What happened.
    pub history: History,
}

impl State {
    /// The live endpoints with our mark.
    pub(crate) fn ours(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.iter().filter(|e| e.mark == Mark::Ours && e.is_live())
    }

    /// The endpoint `id`, unless it is gone.
    pub(crate) fn endpoint(&mut self, id: u8) -> Option<&mut Endpoint> {
        self.endpoints.iter_mut().find(|e| e.id == id && e.phase != Phase::Gone)
    }

    /// `true` if endpoint `id` is there and not on its way out.
    pub(crate) fn is_live(&self, id: u8) -> bool {
        self.endpoints.iter().any(|e| e.id == id && e.is_live())
    }
}

static IDS: LazyLock<Vec<EndpointId>> =
    LazyLock::new(|| (0..=u8::MAX).filter_map(|n| format!("{n:024x}").parse().ok()).collect());
static NONCES: LazyLock<Vec<Nonce>> =
    LazyLock::new(|| (0..=u8::MAX).map(|n| Nonce::from_random([n; 16])).collect());
static CLUSTERS: LazyLock<Vec<ClusterId>> =
    LazyLock::new(|| ["here", "there"].iter().filter_map(|id| id.parse().ok()).collect());
static TOKENS: LazyLock<Vec<Token>> =
    LazyLock::new(|| CLUSTERS.iter().map(|cluster| Token::of(cluster, "team", "orders")).collect());
static COMMENTS: LazyLock<Vec<String>> =
    LazyLock::new(|| TOKENS.iter().map(|token| marked_comment(None, token)).collect());
static GARBLED_NONCE: LazyLock<Option<Nonce>> =
    LazyLock::new(|| ClaimReading::of(Some(UNREADABLE), token(), "", here()).nonce().cloned());

const UNREADABLE: &str = "v9/written by another version";

fn here() -> &'static ClusterId {
    &CLUSTERS[0]
}

pub(crate) fn token() -> &'static Token {
    &TOKENS[0]
}

pub(crate) fn nonce(n: u8) -> Nonce {
    match GARBLED_NONCE.as_ref().filter(|_| n == GARBLED) {
        Some(garbled) => garbled.clone(),
        None => NONCES[usize::from(n)].clone(),
    }
}

/// The number of a nonce.
pub(crate) fn nonce_number(nonce: &Nonce) -> u8 {
    if GARBLED_NONCE.as_ref() == Some(nonce) {
        return GARBLED;
    }
    let known = NONCES.iter().position(|known| known == nonce);
    known.and_then(|n| u8::try_from(n).ok()).unwrap_or_default()
}

pub(crate) fn id(n: u8) -> Option<EndpointId> {
    (n != 0).then(|| IDS[usize::from(n)].clone())
}

/// The number of an endpoint id.
pub(crate) fn id_number(id: &EndpointId) -> u8 {
    u8::from_str_radix(id.as_str().trim_start_matches('0'), 16).unwrap_or_default()
}

pub(crate) fn vpc_id(n: u8) -> Option<VpcEndpointId> {
    (n != 0).then(|| format!("vpce-{n:x}").parse().ok()).flatten()
}

/// The number of a VPC endpoint id.
pub(crate) fn vpc_number(id: &str) -> u8 {
    id.strip_prefix("vpce-").and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or_default()
}

/// The mark that a comment carries.
pub(crate) fn mark_in(comment: &str) -> Mark {
    match domain::ownership::mark_of(comment) {
        Some(owner) if owner == *token() => Mark::Ours,
        Some(_) => Mark::Foreign,
        None => Mark::None,
    }
}

fn comment(mark: Mark) -> String {
    match mark {
        Mark::Ours => COMMENTS[0].clone(),
        Mark::None => "made by hand".to_owned(),
        Mark::Foreign => COMMENTS[1].clone(),
    }
}

/// An endpoint in the words of the rules.
pub(crate) fn to_domain(e: Endpoint) -> Option<endpoint::Endpoint> {
    Some(endpoint::Endpoint {
        id: id(e.id)?,
        status: match e.phase {
            Phase::Reserved => EndpointStatus::Reserved,
            Phase::Available => EndpointStatus::Available,
            Phase::Deleting | Phase::Gone => EndpointStatus::Deleting,
        },
        comment: comment(e.mark),
        service_name: Some(String::new()),
        vpc_endpoint_id: vpc_id(e.vpc).map(String::from),
        error_message: None,
    })
}

impl Annotation {
    /// The annotation as the code that ships reads it, from its text.
    fn read(self, life: u8) -> ClaimReading {
        let uid = |life: u8| life.to_string();
        let text = match self {
            Self::Unreadable => UNREADABLE.to_owned(),
            Self::Claim { life, nonce: n, replaced } => Claim {
                token: token().clone(),
                nonce: nonce(n),
                uid: uid(life),
                cluster: here().clone(),
                replaced: id(replaced),
            }
            .to_string(),
            Self::Foreign => Claim {
                token: TOKENS[1].clone(),
                nonce: nonce(0),
                uid: uid(life),
                cluster: CLUSTERS[1].clone(),
                replaced: None,
            }
            .to_string(),
        };
        ClaimReading::of(Some(&text), token(), &uid(life), here())
    }
}

impl Object {
    /// The claim as the code that ships reads it.
    pub(crate) fn reading(&self) -> ClaimReading {
        self.claim.map_or(ClaimReading::Absent, |claim| claim.read(self.life))
    }

    /// The object in the words of the rules.
    pub(crate) fn to_domain(self) -> observed::Object {
        let recorded = Endpoint {
            id: self.recorded,
            mark: self.shown,
            phase: Phase::Reserved,
            vpc: self.shown_vpc,
            born: LAG,
            left: 0,
        };
        observed::Object {
            token: token().clone(),
            deleting: self.deleting,
            finalizer: self.finalizer,
            claim: self.reading(),
            recorded: to_domain(recorded),
            take_over: self.take_over.then(|| TOKENS[1].clone()),
            stale_vpc_endpoint: vpc_id(self.stale_vpc),
            reported: Reported::default(),
        }
    }
}

impl Manifest {
    /// The spec in the words of the rules.
    pub(crate) fn to_domain(self) -> observed::Spec {
        observed::Spec {
            endpoint_id: id(self.endpoint),
            vpc_endpoint: vpc_id(self.vpc).map_or(VpcEndpoint::Undeclared, VpcEndpoint::Declared),
            retain: self.retain,
            observe: self.observe,
            suspend: self.suspend,
            progress_deadline: TICK * 1000,
            ..observed::Spec::default()
        }
    }
}

impl Attempted {
    /// In the words of the rules.
    pub(crate) fn to_domain(self) -> Tried {
        match self {
            Self::Nothing => Tried::Nothing,
            Self::Done => Tried::Done,
            Self::Refused => Tried::Refused(crate::shell::fault(domain::fault::FaultKind::Refused)),
            Self::Uncertain => Tried::Refused(crate::shell::fault(domain::fault::FaultKind::Unavailable)),
        }
    }
}
