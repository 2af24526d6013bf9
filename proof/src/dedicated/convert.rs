//! Conversion between the model and the types of the rules: ids, nonces, claims, objects, what Atlas shows.
//!
//! Conversion only. A claim is read from its text by the code that ships.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;
use std::time::Duration;

use domain::claim::{ClaimText, Nonce};
use domain::dedicated::claim::{ClaimReading, ClaimTarget};
use domain::dedicated::endpoint::{CloudEndpointId, ConnectionStatus, NewEndpoint, RegisteredEndpoint};
use domain::dedicated::life::{Entry, Life, Provenance, Sort};
use domain::dedicated::names::{Declares, ObjectName, ObjectNames, Offer, ServiceName};
use domain::dedicated::observed::{Object, Spec, StringsByCluster};
use domain::dedicated::reconcile::state::DedicatedResource;
use domain::dedicated::service::{
    EndpointService, Provider, ProviderServices, ServiceId, ServiceKey, ServiceStatus, ServiceTarget,
};
use domain::dedicated::status::Report;
use domain::fault::{Fault, FaultKind};
use domain::ids::VpcEndpointId;
use domain::reconcile::output::OutputNames;
use domain::reconcile::tracked::ReadResource;
use domain::schedule::ObjectVersion;
use domain::status::Reported;
use domain::token::{ClusterId, Token};

use super::object::{
    HeldObject, Manifest, ModelClaim, ModelEntry, ModelLife, ModelObject, ModelTarget, RecordedLives, SLOTS,
    sort,
};
use super::state::{AtlasLife, Phase};
use super::times::TICK;

/// The numbers of attempts, and of services, for which there are names.
const NUMBERS: u8 = 100;

/// The endpoints for which there are names; 0 is none.
const ENDPOINTS: u8 = 4;

/// The names of the objects.
const NAMES: [&str; SLOTS] = ["s", "e", "s2", "e2"];

static KEY: LazyLock<Option<ServiceKey>> = LazyLock::new(|| {
    let services = ProviderServices { project: "a".repeat(24).parse().ok()?, provider: Provider::Aws };
    Some(ServiceKey { services, region: "EU_WEST_1".parse().ok()?, is_port_mapped: false })
});
static CLUSTER: LazyLock<Option<ClusterId>> = LazyLock::new(|| "here".parse().ok());
static TOKENS: LazyLock<Vec<Token>> = LazyLock::new(|| {
    CLUSTER.iter().flat_map(|cluster| NAMES.map(|name| Token::of(cluster, "team", name))).collect()
});
static SERVICES: LazyLock<Vec<ServiceId>> =
    LazyLock::new(|| (0..NUMBERS).filter_map(|n| format!("{n:024x}").parse().ok()).collect());
static VPC_ENDPOINTS: LazyLock<Vec<VpcEndpointId>> =
    LazyLock::new(|| (0..ENDPOINTS).filter_map(|n| format!("vpce-{n}").parse().ok()).collect());
static IDS: LazyLock<Vec<CloudEndpointId>> =
    LazyLock::new(|| VPC_ENDPOINTS.iter().map(CloudEndpointId::from).collect());
static NONCES: LazyLock<Vec<Nonce>> =
    LazyLock::new(|| (0..NUMBERS).map(|n| Nonce::from_random([n; 16])).collect());
static NONCE_NUMBERS: LazyLock<HashMap<&'static Nonce, u8>> =
    LazyLock::new(|| NONCES.iter().zip(0..).collect());

thread_local! {
    /// The claims that were read: there are few, and millions of readings.
    static READINGS: RefCell<HashMap<(ModelClaim, u8), ClaimReading>> = RefCell::default();
}

/// Returns the token of the object in a slot.
pub(crate) fn token(slot: usize) -> &'static Token {
    &TOKENS[slot]
}

/// Returns the names of the object in a slot.
pub(crate) fn object_name(slot: usize) -> ObjectName {
    ObjectName { namespace: "team".to_owned(), name: NAMES[slot].to_owned() }
}

/// Returns the uid of an object.
pub(crate) fn uid(life: u8) -> String {
    format!("{life:03}")
}

/// Returns the key of the one service; the default is never used.
pub(crate) fn key() -> Option<ServiceKey> {
    KEY.clone()
}

/// Returns the nonce with a number.
pub(crate) fn nonce(n: u8) -> Nonce {
    NONCES[usize::from(n)].clone()
}

/// Returns the number of a nonce.
pub(crate) fn nonce_number(nonce: &Nonce) -> u8 {
    NONCE_NUMBERS.get(nonce).copied().unwrap_or_default()
}

pub(crate) fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, "")
}

/// Converts a life to the type of the rules.
pub(crate) fn to_life(life: ModelLife) -> Life {
    let endpoint = (life.endpoint != 0).then(|| IDS[usize::from(life.endpoint)].clone());
    Life { service: SERVICES[usize::from(life.service)].clone(), endpoint }
}

/// Converts a life from the type of the rules.
pub(crate) fn from_life(life: &Life) -> ModelLife {
    let endpoint = life.endpoint.as_ref().and_then(|id| IDS.iter().position(|known| known == id));
    let service = u8::from_str_radix(life.service.as_str().trim_start_matches('0'), 16);
    ModelLife {
        service: service.unwrap_or_default(),
        endpoint: endpoint.and_then(|n| u8::try_from(n).ok()).unwrap_or_default(),
    }
}

/// Converts a target to the type of the rules.
pub(crate) fn to_target(target: ModelTarget) -> ClaimTarget {
    match target {
        ModelTarget::CreateService => ClaimTarget::Create(None),
        ModelTarget::Create(life) => ClaimTarget::Create(Some(to_life(life))),
        ModelTarget::Delete(life) => ClaimTarget::Delete(to_life(life)),
    }
}

/// Converts a target from the type of the rules.
pub(crate) fn from_target(target: &ClaimTarget) -> ModelTarget {
    match target {
        ClaimTarget::Create(None) => ModelTarget::CreateService,
        ClaimTarget::Create(Some(life)) => ModelTarget::Create(from_life(life)),
        ClaimTarget::Delete(life) => ModelTarget::Delete(from_life(life)),
    }
}

/// Returns the endpoint that an object declares, as it is sent.
pub(crate) fn new_endpoint(id: u8) -> Option<NewEndpoint> {
    (id != 0).then(|| NewEndpoint::Aws { id: VPC_ENDPOINTS[usize::from(id)].clone() })
}

/// Returns the service as Atlas shows it, with these endpoints.
pub(crate) fn to_service(thing: AtlasLife, endpoints: impl Iterator<Item = u8>) -> EndpointService {
    let id = SERVICES[usize::from(thing.life.service)].clone();
    let status = match thing.phase {
        Phase::Preparing => ServiceStatus::Initiating,
        Phase::Available => ServiceStatus::Available,
        Phase::Removing | Phase::Gone => ServiceStatus::Deleting,
    };
    EndpointService {
        region: KEY.as_ref().map(|key| key.region.clone()),
        error_message: None,
        endpoint_ids: endpoints.map(|id| IDS[usize::from(id)].as_str().to_owned()).collect(),
        target: ServiceTarget::Aws {
            endpoint_service_name: (status != ServiceStatus::Initiating).then(|| id.as_str().to_owned()),
            supported_remote_regions: BTreeSet::new(),
        },
        id,
        status,
    }
}

/// Returns the endpoint as Atlas shows it.
pub(crate) fn to_endpoint(thing: AtlasLife) -> RegisteredEndpoint {
    let status = match thing.phase {
        Phase::Preparing => ConnectionStatus::PendingAcceptance,
        Phase::Available => ConnectionStatus::Available,
        Phase::Removing | Phase::Gone => ConnectionStatus::Deleting,
    };
    RegisteredEndpoint {
        id: IDS[usize::from(thing.life.endpoint)].clone(),
        is_delete_requested: status == ConnectionStatus::Deleting,
        status,
        error_message: None,
    }
}

/// Returns the entries that a report has for an object; `None` if they are too many.
pub(crate) fn from_entries(held: &ModelObject, report: &Report) -> Option<RecordedLives> {
    let entry = |entry: &Entry| ModelEntry {
        life: from_life(&entry.life),
        provenance: entry.provenance,
        by: held.life,
    };
    RecordedLives::of(report.entries.iter().map(entry))
}

/// Returns `settledClaim` in a report; 0 is none.
pub(crate) fn from_settled(report: &Report) -> u8 {
    report.settled.as_ref().map_or(0, nonce_number)
}

impl ModelClaim {
    /// Returns the claim as the code that ships reads it, from its text.
    fn read(self, slot: usize) -> ClaimReading {
        let Some(cluster) = CLUSTER.as_ref() else { return ClaimReading::Absent };
        let text = ClaimText {
            token: token(slot).clone(),
            nonce: nonce(self.nonce),
            uid: uid(self.life),
            cluster: cluster.clone(),
            target: to_target(self.target).to_string(),
        };
        ClaimReading::of(Some(&text.to_string()), token(slot), cluster)
    }
}

impl ModelObject {
    fn reading(&self, slot: usize) -> ClaimReading {
        let Some(claim) = self.claim else { return ClaimReading::Absent };
        let number = u8::try_from(slot).unwrap_or_default();
        let read = |readings: &mut HashMap<_, ClaimReading>| {
            readings.entry((claim, number)).or_insert_with(|| claim.read(slot)).clone()
        };
        READINGS.with_borrow_mut(read)
    }

    /// Returns the object as a watch shows it to the others.
    pub(crate) fn as_named(&self, slot: usize) -> ObjectNames {
        let service = || key().map(ServiceName::Key);
        let declares = match (sort(slot), key()) {
            (Sort::Service, Some(key)) => Declares::Service(key),
            (Sort::Service, None) => Declares::Nothing,
            (Sort::Endpoint, _) => {
                let name = service().filter(|_| self.manifest.direct);
                let name = name.unwrap_or_else(|| ServiceName::Object(object_name(0)));
                Declares::Endpoint(name, Some(IDS[usize::from(self.manifest.endpoint)].clone()))
            }
        };
        let recorded = self.entries.iter().next().map(|entry| to_life(entry.life).service);
        let offer = key().filter(|_| sort(slot) == Sort::Service).map(|key| Offer {
            key,
            recorded,
            is_available: true,
            secret: None,
            allowed_namespaces: Vec::new(),
        });
        let claim = self.reading(slot);
        let is_settled = !self.is_open();
        ObjectNames {
            object: object_name(slot),
            uid: uid(self.life),
            version: Some(version(self)),
            created: i64::from(self.life),
            is_deleting: self.deleting,
            is_observing: self.manifest.observe,
            declares,
            records: self.entries.iter().map(|entry| to_life(entry.life)).collect(),
            claim: claim.nonce().map(|nonce| (nonce.clone(), claim.target().cloned(), is_settled)),
            offer,
        }
    }
}

impl ReadResource for HeldObject {
    fn version(&self) -> ObjectVersion {
        ObjectVersion {
            content: content(Some(&self.object)),
            request: None,
            // Versions are compared for equality here, never for their order.
            number: Some(version(&self.object)),
            deleting: self.object.deleting,
            recorded: !self.object.entries.is_empty(),
            current: true,
        }
    }

    fn generation(&self) -> Option<i64> {
        let mut hasher = DefaultHasher::new();
        self.object.manifest.hash(&mut hasher);
        Some(i64::from_ne_bytes(hasher.finish().to_ne_bytes()))
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

impl DedicatedResource for HeldObject {
    fn sort(&self) -> Sort {
        sort(usize::from(self.slot))
    }

    fn object(&self) -> Object {
        let Self { object, trusts_all, .. } = self;
        let own = uid(object.life);
        let services = KEY.as_ref().map(|key| &key.services);
        let entry = |entry: &ModelEntry| {
            let by = if *trusts_all { own.clone() } else { uid(entry.by) };
            Entry {
                life: to_life(entry.life),
                provenance: Provenance::recorded(Some(entry.provenance.as_str()), Some(&by), &own),
                project: services
                    .filter(|_| entry.life.endpoint != 0)
                    .map(|services| services.project.clone()),
            }
        };
        let slot = usize::from(self.slot);
        Object {
            token: token(slot).clone(),
            is_deleting: object.deleting,
            finalizer: object.finalizer,
            claim: object.reading(slot),
            settled: (object.settled != 0).then(|| nonce(object.settled)),
            entries: object.entries.iter().map(entry).collect(),
            uid: own.clone(),
            strings: StringsByCluster::new(),
            reported: Reported::default(),
        }
    }

    fn spec(&self) -> Result<Spec, String> {
        let Manifest { deletion, adopt, observe, suspend, break_before_make, .. } = self.object.manifest;
        let provider = (self.sort() == Sort::Endpoint).then_some(Provider::Aws);
        let progress_deadline = TICK * 1000;
        Ok(Spec {
            provider,
            adopt,
            deletion,
            observe,
            suspend,
            break_before_make,
            progress_deadline,
            ..Spec::default()
        })
    }

    fn differs_from(&self, report: &Report, _: Option<&str>) -> bool {
        from_entries(&self.object, report).is_some_and(|entries| entries != self.object.entries)
            || from_settled(report) != self.object.settled
    }
}

/// Returns what stands for the resourceVersion: objects with the same content have the same, so that a writer notices less than in
/// reality.
fn version(object: &ModelObject) -> u64 {
    let mut hasher = DefaultHasher::new();
    object.hash(&mut hasher);
    hasher.finish()
}

/// Returns the hash that triggers a reconcile.
pub(crate) fn content(object: Option<&ModelObject>) -> u64 {
    let mut hasher = DefaultHasher::new();
    if let Some(o) = object {
        (o.life, o.manifest, o.deleting, o.finalizer, o.claim, o.entries.is_empty()).hash(&mut hasher);
    }
    hasher.finish()
}
