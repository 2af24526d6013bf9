//! Atlas in memory: services by natural key, endpoints by URL, and a log of each write that took effect. It never decides anything.

use std::collections::{BTreeMap, BTreeSet};

use domain::dedicated::claim::ClaimTarget;
use domain::dedicated::cluster::ClusterName;
use domain::dedicated::endpoint::{CloudEndpointId, ConnectionStatus, RegisteredEndpoint};
use domain::dedicated::life::Life;
use domain::dedicated::observed::ConnectionStrings;
use domain::dedicated::reconcile::vocabulary::{CallResponse, RegionsWrite};
use domain::dedicated::region::Region;
use domain::dedicated::service::{EndpointService, ServiceId, ServiceKey, ServiceStatus, ServiceTarget};
use domain::fault::{Fault, FaultKind};

/// Who sent a request: the uid of an object, or nobody whom the operator knows.
pub(crate) type Sender = Option<String>;

/// One life of a service.
#[derive(Debug, Clone)]
pub(crate) struct LivingService {
    pub(crate) id: ServiceId,
    pub(crate) key: ServiceKey,
    pub(crate) status: ServiceStatus,
    pub(crate) creator: Sender,
    /// When it was created, as a number of the log.
    pub(crate) born: usize,
    pub(crate) remote_regions: BTreeSet<Region>,
    pub(crate) endpoints: BTreeMap<CloudEndpointId, LivingEndpoint>,
}

/// One life of an endpoint.
#[derive(Debug, Clone)]
pub(crate) struct LivingEndpoint {
    pub(crate) status: ConnectionStatus,
    pub(crate) creator: Sender,
    pub(crate) born: usize,
}

/// A request on its way.
#[derive(Debug, Clone)]
pub(crate) struct SentRequest {
    pub(crate) sender: Sender,
    pub(crate) target: ClaimTarget,
    /// The key of the service, for its POST.
    pub(crate) key: Option<ServiceKey>,
    /// The number of the log when it was claimed: what was born later is another life.
    pub(crate) claimed: usize,
    /// The user said `Delete`.
    pub(crate) is_permitted: bool,
}

/// A write that took effect.
#[derive(Debug, Clone)]
pub(crate) struct Executed {
    pub(crate) request: SentRequest,
    /// Who created the life that it created or hit.
    pub(crate) creator: Sender,
    /// When that life was created.
    pub(crate) born: usize,
}

/// What becomes of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum UpdateFate {
    /// It takes effect, and the service is prepared again.
    #[default]
    Done,
    /// The service stays INITIATING.
    TakesLong,
    /// It is refused.
    Refused,
    /// It is accepted, and changes nothing.
    Ignored,
}

/// Atlas.
#[derive(Debug, Default)]
pub(crate) struct FakeAtlas {
    pub(crate) services: Vec<LivingService>,
    pub(crate) executed: Vec<Executed>,
    /// All lives that anybody created, with their creators.
    pub(crate) lives: Vec<(Life, Sender)>,
    /// All requests that were executed, whatever their response.
    pub(crate) requests: usize,
    /// Listings show this instead of what there is.
    frozen: Option<Vec<EndpointService>>,
    /// So many DELETEs do not find what is there.
    pub(crate) misses: u32,
    /// So many POSTs are refused.
    pub(crate) refusals: u32,
    /// New endpoints are rejected.
    pub(crate) rejects: bool,
    /// The project may not have another endpoint.
    pub(crate) restricts_regions: bool,
    /// How many updates were executed.
    pub(crate) updates: usize,
    /// What becomes of an update.
    pub(crate) update_fate: UpdateFate,
    /// The clusters without private connection strings.
    pub(crate) without_strings: BTreeSet<ClusterName>,
    /// The clusters that do not exist.
    pub(crate) deleted_clusters: BTreeSet<ClusterName>,
    /// Listings lack this endpoint.
    pub(crate) hidden: Option<Life>,
    /// How often a cluster was read.
    pub(crate) cluster_reads: usize,
    ids: u64,
}

fn conflict() -> CallResponse {
    CallResponse::Refused(Fault::new(FaultKind::Conflict, "HTTP 409"))
}

impl FakeAtlas {
    pub(crate) fn service(&self, key: &ServiceKey) -> Option<&LivingService> {
        self.services.iter().find(|service| service.key == *key)
    }

    pub(crate) fn service_mut(&mut self, id: &ServiceId) -> Option<&mut LivingService> {
        self.services.iter_mut().find(|service| service.id == *id)
    }

    fn by_id(&self, id: &ServiceId) -> Option<&LivingService> {
        self.services.iter().find(|service| service.id == *id)
    }

    pub(crate) fn endpoint(&self, life: &Life) -> Option<&LivingEndpoint> {
        self.by_id(&life.service)?.endpoints.get(life.endpoint.as_ref()?)
    }

    /// Returns `true` if the life is there and not being removed.
    pub(crate) fn has(&self, life: &Life) -> bool {
        match &life.endpoint {
            None => self.by_id(&life.service).is_some_and(|found| found.status != ServiceStatus::Deleting),
            Some(_) => self.endpoint(life).is_some_and(|found| found.status != ConnectionStatus::Deleting),
        }
    }

    /// Returns the ids of the endpoints that are there.
    pub(crate) fn endpoint_ids(&self) -> Vec<String> {
        let ids = self.services.iter().flat_map(|service| service.endpoints.keys());
        ids.map(|id| id.as_str().to_owned()).collect()
    }

    /// From now on, listings show what there is now.
    pub(crate) fn freeze(&mut self) {
        self.frozen = Some(self.shown());
    }

    /// Listings show what there is again.
    pub(crate) fn thaw(&mut self) {
        self.frozen = None;
    }

    fn shown(&self) -> Vec<EndpointService> {
        let mut services: Vec<_> = self.services.iter().map(LivingService::shown).collect();
        if let Some(Life { service, endpoint: Some(endpoint) }) = &self.hidden {
            for shown in services.iter_mut().filter(|shown| shown.id == *service) {
                shown.endpoint_ids.retain(|id| id != endpoint.as_str());
            }
        }
        services
    }

    pub(crate) fn list(&self) -> Vec<EndpointService> {
        self.frozen.clone().unwrap_or_else(|| self.shown())
    }

    pub(crate) fn get(&self, life: &Life) -> Option<RegisteredEndpoint> {
        let found = self.endpoint(life)?;
        Some(found.shown(life.endpoint.as_ref()?))
    }

    /// Returns the private connection strings of a cluster behind an endpoint.
    pub(crate) fn cluster(&self, name: &ClusterName, id: &CloudEndpointId) -> Option<Vec<ConnectionStrings>> {
        if self.deleted_clusters.contains(name) {
            return None;
        }
        let is_available = self.services.iter().any(|service| {
            service.endpoints.get(id).is_some_and(|endpoint| endpoint.status == ConnectionStatus::Available)
        });
        let strings = ConnectionStrings {
            kind: "MONGOD".to_owned(),
            standard: Some(format!("mongodb://{name}-{id}:1024")),
            srv: Some(format!("mongodb+srv://{name}-{id}")),
            srv_shard_optimized: None,
        };
        let has_strings = is_available && !self.without_strings.contains(name);
        Some(if has_strings { vec![strings] } else { Vec::new() })
    }

    /// What takes time makes one step: it becomes available, or goes.
    pub(crate) fn tick(&mut self) {
        self.services.retain(|service| service.status != ServiceStatus::Deleting);
        for service in &mut self.services {
            if service.status == ServiceStatus::Initiating && self.update_fate != UpdateFate::TakesLong {
                service.status = ServiceStatus::Available;
            }
            service.endpoints.retain(|_, endpoint| endpoint.status != ConnectionStatus::Deleting);
            for endpoint in service.endpoints.values_mut() {
                if endpoint.status == ConnectionStatus::PendingAcceptance {
                    let rejects = self.rejects;
                    endpoint.status =
                        if rejects { ConnectionStatus::Rejected } else { ConnectionStatus::Available };
                }
            }
        }
    }

    /// Somebody else creates a service, which is available.
    pub(crate) fn create_by_hand(&mut self, key: &ServiceKey) -> ServiceId {
        let request = SentRequest {
            sender: None,
            target: ClaimTarget::Create(None),
            key: Some(key.clone()),
            claimed: self.executed.len(),
            is_permitted: true,
        };
        self.execute(&request);
        self.tick();
        self.service(key).unwrap().id.clone()
    }

    /// Somebody else registers an endpoint, which is available.
    pub(crate) fn register_by_hand(&mut self, life: &Life) {
        let target = ClaimTarget::Create(Some(life.clone()));
        let claimed = self.executed.len();
        self.execute(&SentRequest { sender: None, target, key: None, claimed, is_permitted: true });
        self.tick();
    }

    /// Somebody else removes a life at once, whatever depends on it.
    pub(crate) fn remove_by_hand(&mut self, life: &Life) {
        match &life.endpoint {
            None => self.services.retain(|service| service.id != life.service),
            Some(endpoint) => drop(self.service_mut(&life.service).unwrap().endpoints.remove(endpoint)),
        }
    }

    /// Executes a request.
    pub(crate) fn execute(&mut self, request: &SentRequest) -> CallResponse {
        self.requests += usize::from(request.sender.is_some());
        if self.refusals > 0 && matches!(request.target, ClaimTarget::Create(_)) {
            self.refusals -= 1;
            return CallResponse::Refused(Fault::new(FaultKind::Refused, "HTTP 402"));
        }
        match &request.target {
            ClaimTarget::Create(None) => self.create_service(request),
            ClaimTarget::Create(Some(life)) => self.create_endpoint(request, life),
            ClaimTarget::Delete(life) => self.delete(request, life),
        }
    }

    /// Executes a PATCH. The service is prepared again.
    pub(crate) fn update(&mut self, write: &RegionsWrite) -> CallResponse {
        self.updates += 1;
        self.requests += 1;
        let fate = self.update_fate;
        let Some(service) = self.service_mut(&write.service) else {
            return CallResponse::Refused(Fault::new(FaultKind::ServiceNotFound, "HTTP 404"));
        };
        if fate == UpdateFate::Refused {
            return CallResponse::Refused(Fault::new(FaultKind::Refused, "HTTP 400 INVALID_ATTRIBUTE"));
        }
        if fate != UpdateFate::Ignored {
            service.remote_regions.clone_from(&write.regions);
            service.status = ServiceStatus::Initiating;
        }
        CallResponse::Updated
    }

    /// Somebody else sets the remote regions of a service.
    pub(crate) fn set_regions_by_hand(&mut self, key: &ServiceKey, regions: &BTreeSet<Region>) {
        let mut services = self.services.iter_mut();
        let service = services.find(|service| service.key == *key).unwrap();
        service.remote_regions.clone_from(regions);
    }

    fn log(&mut self, request: &SentRequest, creator: Sender, born: usize) {
        self.executed.push(Executed { request: request.clone(), creator, born });
    }

    fn create_service(&mut self, request: &SentRequest) -> CallResponse {
        let key = request.key.clone().unwrap();
        if self.service(&key).is_some() {
            return conflict();
        }
        self.ids += 1;
        let born = self.executed.len();
        let service = LivingService {
            id: format!("{:024x}", self.ids).parse().unwrap(),
            key,
            status: ServiceStatus::Initiating,
            creator: request.sender.clone(),
            born,
            remote_regions: BTreeSet::new(),
            endpoints: BTreeMap::new(),
        };
        self.log(request, service.creator.clone(), born);
        self.lives.push((Life { service: service.id.clone(), endpoint: None }, service.creator.clone()));
        let shown = service.shown();
        self.services.push(service);
        CallResponse::ServiceCreated(shown)
    }

    fn create_endpoint(&mut self, request: &SentRequest, life: &Life) -> CallResponse {
        let (born, sender) = (self.executed.len(), request.sender.clone());
        let id = life.endpoint.clone().unwrap();
        if self.restricts_regions {
            return CallResponse::Refused(Fault::new(FaultKind::MultipleRegions, "HTTP 409"));
        }
        let Some(service) = self.service_mut(&life.service) else {
            return CallResponse::Refused(Fault::new(FaultKind::ServiceNotFound, "HTTP 404"));
        };
        if service.status != ServiceStatus::Available {
            return CallResponse::Refused(Fault::new(FaultKind::Refused, "HTTP 400"));
        }
        if service.endpoints.contains_key(&id) {
            return conflict();
        }
        let status = ConnectionStatus::PendingAcceptance;
        let endpoint = LivingEndpoint { status, creator: sender.clone(), born };
        let shown = endpoint.shown(&id);
        service.endpoints.insert(id, endpoint);
        self.lives.push((life.clone(), sender.clone()));
        self.log(request, sender, born);
        CallResponse::EndpointCreated(shown)
    }

    fn delete(&mut self, request: &SentRequest, life: &Life) -> CallResponse {
        if self.misses > 0 {
            self.misses -= 1;
            return CallResponse::Deleted { not_found: true };
        }
        let hit = match &life.endpoint {
            None => {
                let Some(service) = self.service_mut(&life.service) else {
                    return CallResponse::Deleted { not_found: true };
                };
                if !service.endpoints.is_empty() {
                    return conflict();
                }
                let was = std::mem::replace(&mut service.status, ServiceStatus::Deleting);
                (was != ServiceStatus::Deleting).then(|| (service.creator.clone(), service.born))
            }
            Some(id) => {
                let service = self.service_mut(&life.service);
                let Some(endpoint) = service.and_then(|service| service.endpoints.get_mut(id)) else {
                    return CallResponse::Deleted { not_found: true };
                };
                let was = std::mem::replace(&mut endpoint.status, ConnectionStatus::Deleting);
                (was != ConnectionStatus::Deleting).then(|| (endpoint.creator.clone(), endpoint.born))
            }
        };
        if let Some((creator, born)) = hit {
            self.log(request, creator, born);
        }
        CallResponse::Deleted { not_found: false }
    }
}

impl LivingService {
    fn shown(&self) -> EndpointService {
        let region: Region = self.key.region.clone();
        let has_name = self.status != ServiceStatus::Initiating;
        EndpointService {
            id: self.id.clone(),
            region: Some(region),
            status: self.status.clone(),
            error_message: None,
            endpoint_ids: self.endpoints.keys().map(|id| id.as_str().to_owned()).collect(),
            target: ServiceTarget::Aws {
                endpoint_service_name: has_name.then(|| format!("vpce-svc-{}", self.id)),
                supported_remote_regions: self.remote_regions.clone(),
            },
        }
    }
}

impl LivingEndpoint {
    fn shown(&self, id: &CloudEndpointId) -> RegisteredEndpoint {
        RegisteredEndpoint {
            id: id.clone(),
            status: self.status.clone(),
            is_delete_requested: self.status == ConnectionStatus::Deleting,
            error_message: None,
        }
    }
}
