//! Conversion between the model and the types of the rules: ids, nonces, marks, claims, endpoints, specs.
//!
//! Conversion only. Significant texts (a claim, a comment) are written and read by the code that ships.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;
use std::time::Duration;

use domain::fault::{Fault, FaultKind};
use domain::ids::VpcEndpointId;
use domain::reconcile::output::OutputNames;
use domain::reconcile::tracked::ReadResource;
use domain::reference::VpcEndpoint;
use domain::schedule::ObjectVersion;
use domain::serverless::endpoint;
use domain::serverless::endpoint::{EndpointId, EndpointStatus};
use domain::serverless::observed;
use domain::serverless::ownership::{Claim, ClaimReading, Nonce, mark_of, marked_comment};
use domain::serverless::reconcile::state::CustomResource;
use domain::serverless::status::Report;
use domain::status::Reported;
use domain::token::{ClusterId, Token};

use super::object::{Annotation, CachedObject, Manifest, MarkOwner, ModelObject};
use super::state::{ModelEndpoint, Phase};
use super::times::{LAG, TICK};

/// The nonce of [`Annotation::Unreadable`] in a claim of ours.
pub(crate) const GARBLED: u8 = 101;

static IDS: LazyLock<Vec<EndpointId>> =
    LazyLock::new(|| (0..=u8::MAX).filter_map(|n| format!("{n:024x}").parse().ok()).collect());
static VPC_IDS: LazyLock<Vec<VpcEndpointId>> =
    LazyLock::new(|| (0..=u8::MAX).filter_map(|n| format!("vpce-{n:x}").parse().ok()).collect());
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

thread_local! {
    /// The claims that were read: there are few, and millions of readings.
    static READINGS: RefCell<HashMap<(Annotation, u8), ClaimReading>> = RefCell::default();
}

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

/// Returns the number of a nonce.
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

/// Returns the number of an endpoint id.
pub(crate) fn id_number(id: &EndpointId) -> u8 {
    u8::from_str_radix(id.as_str().trim_start_matches('0'), 16).unwrap_or_default()
}

fn vpc_id(n: u8) -> Option<VpcEndpointId> {
    (n != 0).then(|| VPC_IDS[usize::from(n)].clone())
}

/// Returns the number of a VPC endpoint id.
pub(crate) fn vpc_number(id: &str) -> u8 {
    id.strip_prefix("vpce-").and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or_default()
}

/// Returns the mark that a comment carries.
pub(crate) fn mark_in(comment: &str) -> MarkOwner {
    match mark_of(comment) {
        Some(owner) if owner == *token() => MarkOwner::Ours,
        Some(_) => MarkOwner::Foreign,
        None => MarkOwner::None,
    }
}

fn comment(mark: MarkOwner) -> String {
    match mark {
        MarkOwner::Ours => COMMENTS[0].clone(),
        MarkOwner::None => "made by hand".to_owned(),
        MarkOwner::Foreign => COMMENTS[1].clone(),
    }
}

pub(crate) fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, "")
}

/// Converts an endpoint to the type of the rules.
pub(crate) fn to_domain(e: ModelEndpoint) -> Option<endpoint::Endpoint> {
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
    /// Returns the annotation as the code that ships reads it, from its text.
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

impl ModelObject {
    /// Returns the claim as the code that ships reads it.
    pub(crate) fn reading(&self) -> ClaimReading {
        let Some(claim) = self.claim else { return ClaimReading::Absent };
        let read = |readings: &mut HashMap<_, ClaimReading>| {
            readings.entry((claim, self.life)).or_insert_with(|| claim.read(self.life)).clone()
        };
        READINGS.with_borrow_mut(read)
    }

    /// Converts the object to the type of the rules.
    fn to_domain(self) -> observed::Object {
        let recorded =
            ModelEndpoint { vpc: self.shown_vpc, ..ModelEndpoint::reserved(self.recorded, self.shown, LAG) };
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
    /// Returns the VPC endpoint that the spec declares.
    pub(crate) fn vpc_endpoint(self) -> VpcEndpoint {
        vpc_id(self.vpc).map_or(VpcEndpoint::Undeclared, VpcEndpoint::Declared)
    }

    /// Converts the rest of the spec to the type of the rules.
    fn to_domain(self) -> observed::Spec {
        observed::Spec {
            endpoint_id: id(self.endpoint),
            retain: self.retain,
            observe: self.observe,
            suspend: self.suspend,
            progress_deadline: TICK * 1000,
            ..observed::Spec::default()
        }
    }
}

impl ReadResource for CachedObject {
    fn version(&self) -> ObjectVersion {
        ObjectVersion {
            content: content(Some(&self.object)),
            request: None,
            number: None,
            deleting: self.object.deleting,
            recorded: self.is_recorded(),
            current: true,
        }
    }

    fn generation(&self) -> Option<i64> {
        let Manifest { retain, observe, suspend, endpoint, vpc } = self.object.manifest;
        let fields = [u8::from(retain), u8::from(observe), u8::from(suspend), endpoint, vpc];
        Some(fields.into_iter().fold(0, |number, field| number << 8 | i64::from(field)))
    }

    fn reconcile_request(&self) -> Option<&str> {
        None
    }

    fn open_request(&self) -> Option<&str> {
        None
    }

    fn is_same_object(&self, read: &Self) -> bool {
        self.object.life == read.object.life
    }

    fn is_deleting(&self) -> bool {
        self.object.deleting
    }

    fn is_overdue(&self) -> bool {
        false
    }

    fn interval(&self) -> Duration {
        TICK / 2
    }

    fn output(&self) -> OutputNames<'_> {
        OutputNames::default()
    }
}

impl CustomResource for CachedObject {
    fn object(&self) -> observed::Object {
        self.object.to_domain()
    }

    fn spec(&self, vpc_endpoint: VpcEndpoint) -> Result<observed::Spec, String> {
        Ok(observed::Spec { vpc_endpoint, ..self.object.manifest.to_domain() })
    }

    fn is_unchanged_in(&self, read: &Self) -> bool {
        let fields = |o: &ModelObject| (o.life, o.deleting, o.manifest, o.recorded, o.claim, o.take_over);
        fields(&self.object) == fields(&read.object)
    }

    fn differs_from(&self, _: &Report, _: Option<&str>) -> bool {
        false
    }

    fn is_recorded(&self) -> bool {
        self.object.recorded != 0
    }
}

/// Returns the hash that triggers a reconcile, as in `src/serverless/convert.rs`.
pub(crate) fn content(object: Option<&ModelObject>) -> u64 {
    let mut hasher = DefaultHasher::new();
    if let Some(o) = object {
        (o.life, o.manifest, o.deleting, o.finalizer, o.claim, o.stale_vpc, o.recorded != 0)
            .hash(&mut hasher);
    }
    hasher.finish()
}
