//! An API server with one object and its ConfigMaps. It applies a write only if the guard of that write holds, and never decides
//! anything.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::reconcile::output::Content;
use domain::reconcile::{ApiFailure, ObjectWrite, OutputMap, OutputRequest};
use domain::serverless::ownership::{Claim, Nonce};
use domain::serverless::reconcile::vocabulary::Serverless;
use domain::status::Message;
use invariants::fixtures;

use crate::stored_object::{StoredObject, StoredSpec, TOKEN};

/// A ConfigMap.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredMap {
    /// The uid of the object that owns it, if one does.
    pub(crate) owner: Option<String>,
    pub(crate) content: Content,
    version: u64,
}

impl StoredMap {
    /// Returns `true` if it is as somebody else created it.
    pub(crate) fn is_foreign(&self) -> bool {
        self.owner.is_none() && self.content == foreign_content()
    }

    /// Returns it as it is in any run that ends so.
    pub(crate) fn without_version(&self) -> Self {
        Self { version: 0, ..self.clone() }
    }
}

fn foreign_content() -> Content {
    Content::from([("key".to_owned(), "value".to_owned())])
}

/// The API server.
#[derive(Debug, Default)]
pub(crate) struct ObjectStore {
    pub(crate) object: Option<StoredObject>,
    pub(crate) maps: BTreeMap<String, StoredMap>,
    /// All claims that it has ever accepted.
    pub(crate) claims: Vec<Nonce>,
    /// When something was changed last, by the operator.
    pub(crate) written: Duration,
    version: u64,
    uids: u32,
}

impl ObjectStore {
    fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// A user creates the object.
    pub(crate) fn create(&mut self, spec: StoredSpec) {
        self.uids += 1;
        let (uid, version) = (format!("uid-{}", self.uids), self.next_version());
        self.object = Some(StoredObject { uid, version, generation: 1, spec, ..StoredObject::default() });
    }

    /// A user changes the object.
    pub(crate) fn edit(&mut self, edit: impl FnOnce(&mut StoredObject)) {
        let version = self.next_version();
        if let Some(object) = &mut self.object {
            let spec = object.spec.clone();
            edit(object);
            object.generation += i64::from(object.spec != spec);
            object.version = version;
        }
    }

    /// A user deletes the object.
    pub(crate) fn delete(&mut self) {
        self.edit(|object| {
            object.generation += i64::from(!object.deleting);
            object.deleting = true;
        });
        self.remove_released();
    }

    fn remove_released(&mut self) {
        if let Some(gone) = self.object.take_if(|object| object.deleting && !object.finalizer) {
            self.maps.retain(|_, map| map.owner.as_ref() != Some(&gone.uid));
        }
    }

    /// Adds a ConfigMap of somebody else.
    pub(crate) fn add_foreign_map(&mut self, name: &str) {
        let version = self.next_version();
        self.maps.insert(name.to_owned(), StoredMap { owner: None, content: foreign_content(), version });
    }

    /// Returns the object, or that it does not exist.
    pub(crate) fn read(&self) -> Result<StoredObject, ApiFailure> {
        self.object.clone().ok_or(ApiFailure::NotFound)
    }

    /// Writes to the object, which was `read` before.
    pub(crate) fn write(
        &mut self,
        read: &StoredObject,
        write: &ObjectWrite<Serverless<StoredObject>>,
        now: Duration,
    ) -> Result<StoredObject, ApiFailure> {
        let stored = self.object.as_ref().ok_or(ApiFailure::NotFound)?;
        let is_unchanged = match write {
            ObjectWrite::Record(_) => {
                let guarded = |object: &StoredObject| {
                    (object.uid.clone(), object.claim.clone(), object.status.fields.id.clone())
                };
                guarded(stored) == guarded(read)
            }
            _ => stored.version == read.version,
        };
        if !is_unchanged {
            return Err(ApiFailure::Conflict);
        }
        let mut new = stored.clone();
        match write {
            ObjectWrite::Claim(claim) => {
                let (nonce, replaced) = (claim.nonce.clone(), claim.replaced.clone());
                let cluster = fixtures::cluster();
                let text = Claim { token: TOKEN.clone(), nonce, uid: new.uid.clone(), cluster, replaced };
                new.finalizer = true;
                new.claim = Some(text.to_string());
                new.stale_vpc_endpoint = claim.stale_vpc_endpoint.clone().or(new.stale_vpc_endpoint);
                self.claims.push(claim.nonce.clone());
            }
            ObjectWrite::OutputName(name) => new.output.clone_from(name),
            ObjectWrite::Record(write) | ObjectWrite::Status(write) => {
                new.status = new.status_with(&write.plan.report, write.handled_request.as_deref());
            }
            ObjectWrite::Release(_) => new.finalizer = false,
        }
        if new != *stored {
            new.version = self.next_version();
            self.written = now;
        }
        self.object = Some(new.clone());
        self.remove_released();
        Ok(new)
    }

    /// Performs a request about a ConfigMap. `read` is the version of it that was read last.
    pub(crate) fn output(
        &mut self,
        request: &OutputRequest,
        read: &mut Option<u64>,
        now: Duration,
    ) -> Result<Option<OutputMap>, Message> {
        let uid = self.object.as_ref().map(|object| object.uid.clone());
        let (OutputRequest::Read(name)
        | OutputRequest::Remove(name)
        | OutputRequest::Create(name, _)
        | OutputRequest::Fill(name, _)
        | OutputRequest::Delete(name)) = request;
        let found = self.maps.get(name).cloned();
        let is_own = |map: &StoredMap| map.owner.is_some() && map.owner == uid;
        let is_read = found.as_ref().map(|map| map.version) == *read;
        match request {
            OutputRequest::Read(_) => {
                *read = found.as_ref().map(|map| map.version);
                return Ok(found.map(|map| OutputMap { is_own: is_own(&map), content: map.content }));
            }
            OutputRequest::Remove(_) if !found.as_ref().is_some_and(is_own) => return Ok(None),
            OutputRequest::Remove(_) => drop(self.maps.remove(name)),
            _ if !is_read => return Err("the ConfigMap has changed".into()),
            OutputRequest::Create(..) if found.is_some() => return Err("the ConfigMap exists".into()),
            OutputRequest::Create(_, content) | OutputRequest::Fill(_, content) => {
                let owner = found.as_ref().map_or(uid, |map| map.owner.clone());
                let map = StoredMap { owner, content: content.clone(), version: self.next_version() };
                self.maps.insert(name.clone(), map);
            }
            OutputRequest::Delete(_) => drop(self.maps.remove(name)),
        }
        self.written = now;
        Ok(None)
    }
}
