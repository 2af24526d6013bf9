//! Conversion between the model and the types of the rules: ids, nonces, marks, claims, endpoints, specs.
//!
//! Conversion only. Significant texts (a claim, a comment) are written and read by the code that ships.

use std::sync::LazyLock;

use domain::fault::{Fault, FaultKind};
use domain::ids::VpcEndpointId;
use domain::reference::VpcEndpoint;
use domain::serverless::endpoint;
use domain::serverless::endpoint::{EndpointId, EndpointStatus};
use domain::serverless::observed;
use domain::serverless::observed::WriteOutcome;
use domain::serverless::ownership::{Claim, ClaimReading, Nonce, mark_of, marked_comment};
use domain::status::Reported;
use domain::token::{ClusterId, Token};

use crate::object::{Annotation, Manifest, MarkOwner, ModelObject};
use crate::state::{ListFailure, ModelEndpoint, Phase, WriteResult};
use crate::time::{LAG, TICK};

/// The nonce of [`Annotation::Unreadable`] in a claim of ours.
pub(crate) const GARBLED: u8 = 101;

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

pub(crate) fn vpc_id(n: u8) -> Option<VpcEndpointId> {
    (n != 0).then(|| format!("vpce-{n:x}").parse().ok()).flatten()
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
        self.claim.map_or(ClaimReading::Absent, |claim| claim.read(self.life))
    }

    /// Converts the object to the type of the rules.
    pub(crate) fn to_domain(self) -> observed::Object {
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
    /// Converts the spec to the type of the rules.
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

impl ListFailure {
    /// Converts it to the type of the rules.
    pub(crate) fn kind(self) -> FaultKind {
        match self {
            Self::Silence => FaultKind::Unavailable,
            Self::NoAccess => FaultKind::NoAccess,
            Self::Gone => FaultKind::InstanceNotFound,
        }
    }
}

impl WriteResult {
    /// Converts it to the type of the rules.
    pub(crate) fn to_domain(self) -> WriteOutcome {
        match self {
            Self::Nothing => WriteOutcome::Nothing,
            Self::Done => WriteOutcome::Done,
            // Of all rejections, the one that is most easily mistaken for the end.
            Self::Refused => WriteOutcome::Refused(fault(FaultKind::InstanceNotFound)),
            Self::Uncertain => WriteOutcome::Refused(fault(FaultKind::Unavailable)),
        }
    }
}
