//! The API server in memory, with objects of both kinds, their ConfigMaps and their watch events. It applies a write only if its guard
//! holds.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use domain::claim::{ClaimText, Nonce};
use domain::dedicated::claim::ClaimReading;
use domain::dedicated::endpoint::{CloudEndpointId, RegisteredEndpoint};
use domain::dedicated::life::{Entry, Life, Provenance, Sort};
use domain::dedicated::names::{Declares, ObjectName, ObjectNames, Offer, ServiceName};
use domain::dedicated::observed::{Object, Spec, StringsByCluster};
use domain::dedicated::reconcile::state::DedicatedResource;
use domain::dedicated::reconcile::vocabulary::Dedicated;
use domain::dedicated::service::{EndpointService, ServiceKey};
use domain::dedicated::status::{Fields, Report};
use domain::ids::{ProjectId, VpcEndpointId};
use domain::reconcile::output::{Content, OutputNames};
use domain::reconcile::tracked::ReadResource;
use domain::reconcile::{ApiFailure, ObjectWrite, OutputMap, OutputRequest};
use domain::schedule::ObjectVersion;
use domain::status::{ConditionType, Message, Reason, Reported, ReportedCondition, sentence};
use domain::token::{ClusterId, Token};

/// The kind, the namespace and the name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KindAndName {
    /// 0: a service, 1: an endpoint.
    kind: u8,
    pub(crate) names: ObjectName,
}

pub(crate) fn cluster() -> ClusterId {
    "this-cluster".parse().unwrap()
}

impl KindAndName {
    pub(crate) fn new(sort: Sort, namespace: &str, name: &str) -> Self {
        let names = ObjectName { namespace: namespace.to_owned(), name: name.to_owned() };
        Self { kind: u8::from(sort == Sort::Endpoint), names }
    }

    pub(crate) fn sort(&self) -> Sort {
        if self.kind == 0 { Sort::Service } else { Sort::Endpoint }
    }

    pub(crate) fn token(&self) -> Token {
        Token::of(&cluster(), &self.names.namespace, &self.names.name)
    }
}

/// What an object declares.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DeclaredSpec {
    pub(crate) rules: Spec,
    /// A service by its key, or the one that an endpoint refers to.
    pub(crate) service: ServiceName,
    pub(crate) endpoint: Option<VpcEndpointId>,
    /// The name of the output ConfigMap.
    pub(crate) output: Option<&'static str>,
}

/// One entry of the status.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredEntry {
    pub(crate) life: Life,
    pub(crate) provenance: &'static str,
    pub(crate) recorded_by: String,
    pub(crate) project: Option<ProjectId>,
}

/// The status.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct WrittenStatus {
    pub(crate) entries: Vec<StoredEntry>,
    pub(crate) settled: Option<Nonce>,
    pub(crate) service: Option<EndpointService>,
    pub(crate) endpoint: Option<RegisteredEndpoint>,
    pub(crate) strings: StringsByCluster,
    pub(crate) conditions: Vec<ReportedCondition>,
    pub(crate) generation: i64,
}

/// An object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PrivateObject {
    pub(crate) key: KindAndName,
    pub(crate) uid: String,
    pub(crate) version: u64,
    pub(crate) created: i64,
    pub(crate) generation: i64,
    pub(crate) deleting: bool,
    pub(crate) finalizer: bool,
    pub(crate) claim: Option<String>,
    /// The annotation with the name of the output ConfigMap.
    pub(crate) output: Option<String>,
    pub(crate) spec: DeclaredSpec,
    pub(crate) status: WrittenStatus,
}

impl PrivateObject {
    fn claim_reading(&self) -> ClaimReading {
        ClaimReading::of(self.claim.as_deref(), &self.key.token(), &cluster())
    }

    pub(crate) fn ready(&self) -> Option<(bool, Reason)> {
        let ready = self.status.conditions.iter().find(|c| c.kind == ConditionType::Ready)?;
        Some((ready.status, ready.reason?))
    }

    pub(crate) fn provenances(&self) -> Vec<&'static str> {
        self.status.entries.iter().map(|entry| entry.provenance).collect()
    }

    fn entries(&self) -> Vec<Entry> {
        let entry = |entry: &StoredEntry| Entry {
            life: entry.life.clone(),
            provenance: Provenance::recorded(Some(entry.provenance), Some(&entry.recorded_by), &self.uid),
            project: entry.project.clone(),
        };
        self.status.entries.iter().map(entry).collect()
    }

    /// Returns the status with this report. A message stays as it is while only its varying parts differ.
    fn status_with(&self, report: &Report) -> WrittenStatus {
        let conditions = report.conditions.iter().map(|condition| {
            let message = sentence(&report.conditions, condition, None);
            let mut shown = self.status.conditions.iter().filter(|shown| shown.kind == condition.kind);
            let kept = shown.find(|shown| message.is_shown_by(&shown.message));
            ReportedCondition {
                kind: condition.kind,
                status: condition.status,
                reason: Some(condition.reason),
                message: kept.map_or_else(|| message.to_string(), |shown| shown.message.clone()),
            }
        });
        let none = StringsByCluster::new;
        let (service, endpoint, strings) = match &report.fields {
            Fields::Kept => {
                let WrittenStatus { service, endpoint, strings, .. } = self.status.clone();
                (service, endpoint, strings)
            }
            Fields::Withdrawn => (None, None, none()),
            Fields::Service(service) => (Some(service.clone()), None, none()),
            Fields::Endpoint(endpoint, strings) => (None, endpoint.clone(), strings.clone()),
        };
        let entry = |entry: &Entry| StoredEntry {
            life: entry.life.clone(),
            provenance: entry.provenance.as_str(),
            recorded_by: self.uid.clone(),
            project: entry.project.clone(),
        };
        WrittenStatus {
            entries: report.entries.iter().map(entry).collect(),
            settled: report.settled.clone(),
            service,
            endpoint,
            strings,
            conditions: conditions.collect(),
            generation: self.generation,
        }
    }

    /// Returns the object as a watch shows it to the others.
    pub(crate) fn as_named(&self) -> ObjectNames {
        let declares = match (&self.spec.service, self.key.sort()) {
            (ServiceName::Key(key), Sort::Service) => Declares::Service(key.clone()),
            (service, _) => {
                Declares::Endpoint(service.clone(), self.spec.endpoint.as_ref().map(CloudEndpointId::from))
            }
        };
        let offer = match &declares {
            Declares::Service(key) => Some(Offer {
                is_available: true,
                key: key.clone(),
                recorded: self.status.entries.first().map(|entry| entry.life.service.clone()),
                secret: None,
                allowed_namespaces: Vec::new(),
            }),
            _ => None,
        };
        let claim = self.claim_reading();
        let claim = claim.nonce().map(|nonce| {
            let is_settled = self.status.settled.as_ref() == Some(nonce);
            (nonce.clone(), claim.target().cloned(), is_settled)
        });
        ObjectNames {
            object: self.key.names.clone(),
            uid: self.uid.clone(),
            version: Some(self.version),
            created: self.created,
            is_deleting: self.deleting,
            is_observing: self.spec.rules.observe,
            declares,
            records: self.status.entries.iter().map(|entry| entry.life.clone()).collect(),
            claim,
            offer,
        }
    }

    pub(crate) fn service_key(&self) -> Option<&ServiceKey> {
        match &self.spec.service {
            ServiceName::Key(key) => Some(key),
            ServiceName::Object(_) => None,
        }
    }
}

impl ReadResource for PrivateObject {
    fn version(&self) -> ObjectVersion {
        let mut hasher = DefaultHasher::new();
        let recorded = !self.status.entries.is_empty();
        (&self.uid, self.generation, self.deleting, self.finalizer, &self.claim, recorded).hash(&mut hasher);
        ObjectVersion {
            content: hasher.finish(),
            request: None,
            number: Some(self.version),
            deleting: self.deleting,
            recorded,
            current: self.status.generation == self.generation,
        }
    }

    fn generation(&self) -> Option<i64> {
        Some(self.generation)
    }

    fn reconcile_request(&self) -> Option<&str> {
        None
    }

    fn open_request(&self) -> Option<&str> {
        None
    }

    fn is_same_object(&self, read: &Self) -> bool {
        self.uid == read.uid
    }

    fn is_deleting(&self) -> bool {
        self.deleting
    }

    fn is_overdue(&self) -> bool {
        let mut reasons = self.status.conditions.iter().filter(|c| c.kind == ConditionType::Stalled);
        reasons.any(|c| c.reason == Some(Reason::ProgressDeadlineExceeded))
    }

    fn interval(&self) -> Duration {
        Duration::from_mins(10)
    }

    fn output(&self) -> OutputNames<'_> {
        OutputNames { declared: self.spec.output, recorded: self.output.as_deref() }
    }
}

impl DedicatedResource for PrivateObject {
    fn sort(&self) -> Sort {
        self.key.sort()
    }

    fn object(&self) -> Object {
        Object {
            token: self.key.token(),
            uid: self.uid.clone(),
            is_deleting: self.deleting,
            finalizer: self.finalizer,
            claim: self.claim_reading(),
            settled: self.status.settled.clone(),
            entries: self.entries(),
            strings: self.status.strings.clone(),
            reported: Reported {
                conditions: self.status.conditions.clone(),
                current: self.status.generation == self.generation,
            },
        }
    }

    fn spec(&self) -> Result<Spec, String> {
        Ok(self.spec.rules.clone())
    }

    fn differs_from(&self, report: &Report, _: Option<&str>) -> bool {
        !report.unchanged && self.status_with(report) != self.status
    }
}

/// A ConfigMap.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WrittenMap {
    /// The uid of the object that owns it, if one does.
    pub(crate) owner: Option<String>,
    pub(crate) content: Content,
    version: u64,
}

/// The API server.
#[derive(Debug, Default)]
pub(crate) struct ObjectServer {
    /// The ConfigMaps of the one namespace.
    pub(crate) maps: BTreeMap<String, WrittenMap>,
    /// The API server refuses to delete ConfigMaps.
    pub(crate) keeps_maps: bool,
    pub(crate) objects: BTreeMap<KindAndName, PrivateObject>,
    /// All changes, in order: the object as it is then.
    pub(crate) events: Vec<(KindAndName, Option<PrivateObject>)>,
    /// The words of all writes that were applied.
    pub(crate) writes: Vec<(&'static str, KindAndName)>,
    /// The uids of the objects that the operator has released.
    pub(crate) released: Vec<String>,
    /// Each object version that ever was.
    pub(crate) versions: Vec<PrivateObject>,
    version: u64,
    uids: u32,
}

impl ObjectServer {
    fn store(&mut self, mut object: PrivateObject) -> PrivateObject {
        self.version += 1;
        object.version = self.version;
        let key = object.key.clone();
        self.versions.push(object.clone());
        if object.deleting && !object.finalizer {
            self.maps.retain(|_, map| map.owner.as_ref() != Some(&object.uid));
            self.objects.remove(&key);
            self.events.push((key, None));
        } else {
            self.objects.insert(key.clone(), object.clone());
            self.events.push((key, Some(object.clone())));
        }
        object
    }

    /// A user creates an object.
    pub(crate) fn create(&mut self, key: &KindAndName, spec: DeclaredSpec) -> String {
        assert!(!self.objects.contains_key(key), "{key:?} exists");
        self.uids += 1;
        let uid = format!("uid-{}", self.uids);
        self.store(PrivateObject {
            key: key.clone(),
            uid: uid.clone(),
            version: 0,
            created: i64::from(self.uids),
            generation: 1,
            deleting: false,
            finalizer: false,
            claim: None,
            output: None,
            spec,
            status: WrittenStatus { generation: -1, ..WrittenStatus::default() },
        });
        uid
    }

    /// A user changes an object.
    pub(crate) fn edit(&mut self, key: &KindAndName, edit: impl FnOnce(&mut PrivateObject)) {
        let mut object = self.objects[key].clone();
        let spec = object.spec.clone();
        edit(&mut object);
        object.generation += i64::from(object.spec != spec);
        self.store(object);
    }

    /// A user deletes an object.
    pub(crate) fn delete(&mut self, key: &KindAndName) {
        self.edit(key, |object| {
            object.generation += 1;
            object.deleting = true;
        });
    }

    /// A user deletes an object, and its finalizer.
    pub(crate) fn delete_by_force(&mut self, key: &KindAndName) {
        self.edit(key, |object| (object.deleting, object.finalizer) = (true, false));
    }

    pub(crate) fn read(&self, key: &KindAndName) -> Result<PrivateObject, ApiFailure> {
        self.objects.get(key).cloned().ok_or(ApiFailure::NotFound)
    }

    /// Writes to an object, which was `read` before.
    pub(crate) fn write(
        &mut self,
        read: &PrivateObject,
        write: &ObjectWrite<Dedicated<PrivateObject>>,
    ) -> Result<PrivateObject, ApiFailure> {
        let stored = self.objects.get(&read.key).ok_or(ApiFailure::NotFound)?;
        let is_unchanged = match write {
            ObjectWrite::Record(_) => {
                let guarded = |o: &PrivateObject| (o.uid.clone(), o.claim.clone(), o.status.entries.clone());
                guarded(stored) == guarded(read)
            }
            _ => stored.version == read.version && stored.uid == read.uid,
        };
        if !is_unchanged {
            return Err(ApiFailure::Conflict);
        }
        let mut new = stored.clone();
        let word = match write {
            ObjectWrite::Claim(claim) => {
                new.finalizer = true;
                if let Some(claim) = claim {
                    let text = ClaimText {
                        token: new.key.token(),
                        nonce: claim.nonce.clone(),
                        uid: new.uid.clone(),
                        cluster: cluster(),
                        target: claim.target.to_string(),
                    };
                    new.claim = Some(text.to_string());
                }
                if claim.is_some() { "claim" } else { "hold" }
            }
            ObjectWrite::Record(write) => {
                new.status = new.status_with(&write.plan.report);
                "record"
            }
            ObjectWrite::Status(write) => {
                new.status = new.status_with(&write.plan.report);
                "status"
            }
            ObjectWrite::Release(_) => {
                new.finalizer = false;
                self.released.push(new.uid.clone());
                "release"
            }
            ObjectWrite::OutputName(name) => {
                new.output.clone_from(name);
                "output"
            }
        };
        if new == *stored {
            return Ok(new);
        }
        self.writes.push((word, read.key.clone()));
        Ok(self.store(new))
    }

    /// Somebody else creates a ConfigMap.
    pub(crate) fn create_foreign_map(&mut self, name: &str) {
        self.version += 1;
        let content = Content::from([("serviceId".to_owned(), "theirs".to_owned())]);
        self.maps.insert(name.to_owned(), WrittenMap { owner: None, content, version: self.version });
    }

    /// Performs a request about a ConfigMap of an object. `read` is the version of it that was read last.
    pub(crate) fn output(
        &mut self,
        uid: &str,
        request: &OutputRequest,
        read: &mut Option<u64>,
    ) -> Result<Option<OutputMap>, Message> {
        let (OutputRequest::Read(name)
        | OutputRequest::Remove(name)
        | OutputRequest::Create(name, _)
        | OutputRequest::Fill(name, _)
        | OutputRequest::Delete(name)) = request;
        let found = self.maps.get(name).cloned();
        let is_own = |map: &WrittenMap| map.owner.as_deref() == Some(uid);
        let is_read = found.as_ref().map(|map| map.version) == *read;
        match request {
            OutputRequest::Read(_) => {
                *read = found.as_ref().map(|map| map.version);
                return Ok(found.map(|map| {
                    let is_own = is_own(&map);
                    OutputMap { is_own, content: if is_own { map.content } else { Content::new() } }
                }));
            }
            OutputRequest::Remove(_) if !found.as_ref().is_some_and(is_own) => {}
            OutputRequest::Remove(_) | OutputRequest::Delete(_) if self.keeps_maps => {
                return Err("the ConfigMap stays".into());
            }
            OutputRequest::Remove(_) => drop(self.maps.remove(name)),
            _ if !is_read => return Err("the ConfigMap has changed".into()),
            OutputRequest::Create(_, content) | OutputRequest::Fill(_, content) => {
                assert!(found.as_ref().is_none_or(is_own), "a foreign ConfigMap is changed");
                self.version += 1;
                // Nothing owns it if its owner is gone: it is collected at once.
                if self.objects.values().any(|object| object.uid == uid) {
                    let owner = Some(uid.to_owned());
                    let map = WrittenMap { owner, content: content.clone(), version: self.version };
                    self.maps.insert(name.clone(), map);
                }
            }
            OutputRequest::Delete(_) => {
                assert!(found.as_ref().is_some_and(is_own), "a foreign ConfigMap is deleted");
                self.maps.remove(name);
            }
        }
        Ok(None)
    }

    /// Returns the content of the ConfigMap that an object owns under this name.
    pub(crate) fn map_of(&self, key: &KindAndName, name: &str) -> Option<&Content> {
        let map = self.maps.get(name)?;
        (map.owner == Some(self.objects.get(key)?.uid.clone())).then_some(&map.content)
    }
}
