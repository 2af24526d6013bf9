//! What a reconcile has observed: the only input of the rules of both kinds.
//!
//! Plain data. Every age is measured at the instant at which the listing was *sent* (or now, while there is none): a response proves
//! nothing about what happened after its request was sent.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::access::CredentialsInUse;
use crate::claim::Nonce;
use crate::deadline::Stage;
use crate::fault::Fault;
use crate::reconcile::WriteOutcome;
use crate::reference::DeclaredEndpoint;
use crate::status::Reported;
use crate::times::Times;
use crate::token::Token;

use super::claim::{ClaimReading, ClaimTarget};
use super::cluster::ClusterName;
use super::decision::Doubt;
use super::endpoint::{CloudEndpointId, NewEndpoint, RegisteredEndpoint};
use super::life::{Entry, Life, Provenance, Sort};
use super::names::{Others, Rivalry};
use super::region::Region;
use super::service::{EndpointService, Provider, ProviderServices, ServiceId, ServiceKey};

/// Everything that a decision rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The object as it was read before the listing.
    pub object: Object,
    /// Its spec, or why that is invalid.
    pub spec: Result<Spec, String>,
    /// What it declares, as far as that is resolved.
    pub subject: Subject,
    /// The credentials of the requests to Atlas.
    pub credentials: CredentialsInUse,
    /// What Atlas shows.
    pub listing: Listing,
    /// What other objects contribute.
    pub others: Others,
    /// What this process remembers of the object.
    pub memory: MemorySnapshot,
    /// The times of the protocol.
    pub times: Times,
    /// Somebody has requested this reconcile.
    pub is_requested: bool,
    /// The spec names an output ConfigMap, which is written before the object is reported ready.
    pub has_output: bool,
}

/// The custom resource, as far as the rules care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its token in this cluster.
    pub token: Token,
    /// Its uid.
    pub uid: String,
    /// `metadata.deletionTimestamp` is set.
    pub is_deleting: bool,
    /// Our finalizer is on it.
    pub finalizer: bool,
    /// The claim annotation.
    pub claim: ClaimReading,
    /// `status.settledClaim`.
    pub settled: Option<Nonce>,
    /// What the status records. The first is the one whose details the status shows.
    pub entries: Vec<Entry>,
    /// The private connection strings that the status shows: those behind the endpoint of the first entry.
    pub strings: StringsByCluster,
    /// What the status reports so far.
    pub reported: Reported,
}

impl Object {
    /// Returns the private connection strings that the status shows, if they are those behind the endpoint of this life.
    #[must_use]
    pub fn strings_behind(&self, life: &Life) -> Cow<'_, StringsByCluster> {
        match self.entries.first() {
            Some(entry) if entry.life == *life => Cow::Borrowed(&self.strings),
            _ => Cow::default(),
        }
    }
}

/// The declared state, without what is declared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Spec {
    /// The provider of the endpoint that it declares; `None` if it declares a service.
    pub provider: Option<Provider>,
    /// What to do about a thing that exists already.
    pub adopt: Adopt,
    /// What becomes of it when the object is deleted; `None`: it depends on how the object came to it.
    pub deletion: Option<Deletion>,
    /// Nothing may be written to Atlas.
    pub observe: bool,
    /// No create, update or poll.
    pub suspend: bool,
    /// The former endpoint is removed before the declared one is registered.
    pub break_before_make: bool,
    /// The clusters whose private connection strings are wanted.
    pub clusters: Vec<ClusterName>,
    /// The other regions of AWS that a service accepts VPC endpoints from, if the user manages them.
    pub remote_regions: Option<BTreeSet<Region>>,
    /// How long work may take before the object is reported stalled.
    pub progress_deadline: Duration,
}

/// What to do about a thing that exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Adopt {
    /// It is used.
    #[default]
    IfExists,
    /// It is not used: only one that this object creates is.
    Never,
    /// Nothing is created.
    Only,
}

/// What becomes of a thing when its object is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deletion {
    /// It is deleted, whoever created it.
    Delete,
    /// It stays.
    Retain,
}

/// What an object declares.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A service, by its key.
    Service(ServiceKey),
    /// An endpoint at a service.
    Endpoint {
        /// The service.
        service: ServiceRef,
        /// The endpoint, as it is sent.
        endpoint: DeclaredEndpoint<NewEndpoint>,
    },
    /// Nothing: the spec is invalid.
    Nothing(Sort),
}

/// The service that an endpoint refers to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ServiceRef {
    /// By its key.
    Key(ServiceKey),
    /// Through the object that declares it.
    Object {
        /// The object, described.
        object: String,
        /// The key that it declares.
        key: ServiceKey,
        /// The service that it has recorded.
        recorded: Option<ServiceId>,
    },
    /// The object that declares it does not exist. `known`: what it declared, as this process has seen it.
    Missing {
        /// The object, described.
        object: String,
        /// The services among which it was.
        known: Option<ProviderServices>,
    },
    /// The object that declares it does not allow references from this namespace.
    NotAllowed(String),
}

impl Subject {
    /// Returns which kind of thing it is.
    #[must_use]
    pub fn sort(&self) -> Sort {
        match self {
            Self::Service(_) => Sort::Service,
            Self::Endpoint { .. } => Sort::Endpoint,
            Self::Nothing(sort) => *sort,
        }
    }

    /// Returns the services that have to be listed, if it is known.
    #[must_use]
    pub fn services(&self) -> Option<&ProviderServices> {
        match self {
            Self::Service(key)
            | Self::Endpoint { service: ServiceRef::Key(key) | ServiceRef::Object { key, .. }, .. } => {
                Some(&key.services)
            }
            Self::Endpoint { service: ServiceRef::Missing { known, .. }, .. } => known.as_ref(),
            Self::Endpoint { service: ServiceRef::NotAllowed(_), .. } | Self::Nothing(_) => None,
        }
    }

    /// Returns the id of the declared endpoint.
    #[must_use]
    pub fn endpoint_id(&self) -> Option<CloudEndpointId> {
        match self {
            Self::Endpoint { endpoint: DeclaredEndpoint::Declared(endpoint), .. } => Some(endpoint.id()),
            _ => None,
        }
    }
}

/// What Atlas shows in this reconcile.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Listing {
    /// Nothing was requested yet.
    NotFetched,
    /// The request failed.
    Failed(Fault),
    /// The services that concern the object, and what was read of its endpoints.
    Fetched(Shown),
}

/// What Atlas shows of the services and endpoints that concern an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Shown {
    /// The services, with the ids of their endpoints.
    pub services: Vec<EndpointService>,
    /// The endpoints that were read: the response, `None` if Atlas knows none.
    pub endpoints: BTreeMap<Life, Result<Option<RegisteredEndpoint>, Fault>>,
    /// The private connection strings behind the declared endpoint, by cluster; `None` if Atlas knows no such cluster.
    pub clusters: BTreeMap<ClusterName, Result<Option<Vec<ConnectionStrings>>, Fault>>,
}

/// Private connection strings behind one endpoint, by cluster.
pub type StringsByCluster = BTreeMap<ClusterName, Vec<ConnectionStrings>>;

/// Private connection strings of a cluster behind one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionStrings {
    /// `MONGOD` or `MONGOS`; empty where Atlas sent none.
    pub kind: String,
    /// `mongodb://…`.
    pub standard: Option<String>,
    /// `mongodb+srv://…`.
    pub srv: Option<String>,
    /// `mongodb+srv://…`, of sharded clusters.
    pub srv_shard_optimized: Option<String>,
}

/// What Atlas shows of the private connection strings of a cluster behind the declared endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterStrings<'a> {
    /// These, at least one.
    Present(&'a [ConnectionStrings]),
    /// None.
    Absent,
    /// There is no such cluster.
    NoCluster,
    /// The cluster could not be read.
    Failed(&'a Fault),
    /// The cluster was not read.
    NotRead,
}

impl Shown {
    /// Returns what is shown of the private connection strings of a cluster.
    #[must_use]
    pub fn strings_of(&self, cluster: &ClusterName) -> ClusterStrings<'_> {
        match self.clusters.get(cluster) {
            Some(Ok(Some(strings))) if strings.is_empty() => ClusterStrings::Absent,
            Some(Ok(Some(strings))) => ClusterStrings::Present(strings),
            Some(Ok(None)) => ClusterStrings::NoCluster,
            Some(Err(fault)) => ClusterStrings::Failed(fault),
            None => ClusterStrings::NotRead,
        }
    }

    /// Returns the service with this id.
    #[must_use]
    pub fn service(&self, id: &ServiceId) -> Option<&EndpointService> {
        self.services.iter().find(|service| service.id == *id)
    }

    /// Returns the service of a key. Of two lives that a lagging listing shows, the one that is not being deleted.
    #[must_use]
    pub fn service_of(&self, key: &ServiceKey) -> Option<&EndpointService> {
        let found = self.services.iter().filter(|service| is_of_key(service, key));
        found.min_by_key(|service| service.status == super::service::ServiceStatus::Deleting)
    }

    /// Returns `true` if the listing shows the life.
    #[must_use]
    pub fn is_listed(&self, life: &Life) -> bool {
        self.as_listed(life).is_some()
    }

    /// Returns the life as the listing spells it, if that shows it: what is there already is requested by the spelling of Atlas.
    #[must_use]
    pub fn as_listed(&self, life: &Life) -> Option<Life> {
        let service = self.service(&life.service)?;
        let endpoint = match &life.endpoint {
            None => None,
            Some(endpoint) => Some(endpoint.listed_in(service)?.parse().ok()?),
        };
        Some(Life { service: service.id.clone(), endpoint })
    }
}

/// Returns `true` if the service is the one of the key.
#[must_use]
pub fn is_of_key(service: &EndpointService, key: &ServiceKey) -> bool {
    let is_port_mapped = match &service.target {
        super::service::ServiceTarget::Gcp { is_port_mapped, .. } => *is_port_mapped,
        _ => false,
    };
    service.region.as_ref() == Some(&key.region) && is_port_mapped == key.is_port_mapped
}

/// What this process remembers of one object. Nothing here is needed for safety after a restart: what is missing only makes the rules
/// wait longer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemorySnapshot {
    /// The claims of this name that this process has seen.
    pub attempts: Vec<Attempt>,
    /// The time since the first entry was recorded or registered again, or since that was first seen.
    pub recorded: Duration,
    /// What an unbroken run of earlier listings contradicts, and the time since the first of them.
    pub doubt: Option<(Doubt, Duration)>,
    /// The life whose DELETE, the one that the object still claims, Atlas has responded to, with the time since.
    pub deleted: Option<(Life, Duration)>,
    /// The stage of work that was last reported, and how long it has been going on.
    pub working: Option<(Stage, Duration)>,
    /// The remote regions that this process has set last, and the time since, if that is less than a day.
    pub regions: Option<(SentRegions, Duration)>,
    /// The outcome of this reconcile's last write to Atlas.
    pub last_write: WriteOutcome,
}

/// Remote regions that a process has set.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SentRegions {
    /// The declared ones.
    pub declared: BTreeSet<Region>,
    /// How often others have changed what was in force.
    pub foreign_changes: u8,
    /// How often they were sent since.
    pub sent: u8,
}

/// One attempt to write to Atlas, known by the nonce of its claim.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// The claim's nonce.
    pub nonce: Nonce,
    /// What it is to do, if the claim can be read.
    pub target: Option<ClaimTarget>,
    /// The time since this process first saw it; for its own, since before the claim was sent.
    pub age: Duration,
    /// It was claimed for this object, and not for an earlier one of its name.
    pub is_own: bool,
    /// What this process knows of it.
    pub outcome: AttemptOutcome,
}

/// What is known of an attempt's request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AttemptOutcome {
    /// It may have been sent, and may still take effect.
    Unknown,
    /// This process claimed it and has not sent it.
    NotSent,
    /// Atlas responded that it created this, which is not recorded yet.
    Created(Life),
    /// It has no further effect: Atlas responded, refused it, or it will never be sent.
    Settled,
}

impl Observed {
    /// Returns which kind of thing the object declares.
    #[must_use]
    pub fn sort(&self) -> Sort {
        self.subject.sort()
    }

    /// Returns what a user makes at the cloud provider to connect to the service.
    #[must_use]
    pub fn endpoint_noun(&self) -> &'static str {
        self.subject.services().map_or("endpoint", |services| services.provider.endpoint_noun())
    }

    /// Returns the entry of a life.
    #[must_use]
    pub fn entry(&self, life: &Life) -> Option<&Entry> {
        self.object.entries.iter().find(|entry| entry.life == *life)
    }

    /// Returns a new entry of a life that Atlas shows.
    #[must_use]
    pub fn new_entry(&self, life: Life, provenance: Provenance) -> Entry {
        let project = self.subject.services().filter(|_| life.endpoint.is_some());
        Entry { life, provenance, project: project.map(|services| services.project.clone()) }
    }

    /// Returns `true` if an entry is of another project than the service that the object refers to now: no listing says anything about it.
    #[must_use]
    pub fn is_elsewhere(&self, entry: &Entry) -> bool {
        let listed = self.subject.services().map(|services| &services.project);
        entry.project.as_ref().zip(listed).is_some_and(|(recorded, listed)| recorded != listed)
    }

    /// Returns who else names a recorded life.
    #[must_use]
    pub fn rivalry(&self, life: &Life) -> Rivalry {
        let found = self.others.recorded.iter().find(|(recorded, _)| recorded == life);
        found.map(|(_, rivalry)| rivalry.clone()).unwrap_or_default()
    }

    /// Returns `true` if the object may delete what it recorded so: `deletionPolicy`, or else how it came to it.
    #[must_use]
    pub fn may_delete(&self, entry: &Entry) -> bool {
        self.may_delete_provenance(entry.provenance)
    }

    /// Returns `true` if the object may delete what it came to so.
    #[must_use]
    pub fn may_delete_provenance(&self, provenance: Provenance) -> bool {
        let Ok(spec) = &self.spec else { return false };
        match spec.deletion {
            _ if spec.observe => false,
            Some(Deletion::Delete) => true,
            Some(Deletion::Retain) => false,
            None => self.sort().is_deleted_by_default(provenance),
        }
    }

    /// Returns the attempt that the claim on the object announces, if it is one of this name.
    #[must_use]
    pub fn claimed(&self) -> Option<&Attempt> {
        let nonce = self.object.claim.nonce()?;
        self.memory.attempts.iter().find(|attempt| attempt.nonce == *nonce)
    }
}
