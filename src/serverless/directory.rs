//! An index of the existing objects that this process watches, by token: it resolves the owner of a mark, and the objects that
//! declare the same VPC endpoint.
//!
//! In AWS a VPC endpoint serves one endpoint service. Objects that declare the same VPC endpoint are found within one namespace
//! only: a declaration in another namespace neither triggers a reconcile of an object nor shows in its status. The index holds
//! one entry per object, added with its first watch event, so that a restart rebuilds it completely.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::ids::VpcEndpointId;
use domain::serverless::endpoint::EndpointId;
use domain::serverless::observed::Owner;
use domain::token::Token;
use kube::runtime::reflector::ObjectRef;

use crate::serverless::crd::{ManagementPolicy, ServerlessPrivateEndpoint};

use super::kind::CachedEndpoint;

/// The index.
pub(super) struct Directory(Mutex<DirectoryIndex>);

struct DirectoryIndex {
    objects: HashMap<Token, DirectoryEntry>,
    /// The objects of a namespace that declare a VPC endpoint, in the order of their declarations.
    declarants: HashMap<(Arc<str>, VpcEndpointId), Vec<Token>>,
    /// Number of watches whose first listing is not complete.
    unlisted: usize,
}

struct DirectoryEntry {
    namespace: Arc<str>,
    name: Box<str>,
    declares: Option<VpcEndpointId>,
    /// The endpoints that the object has recorded, or names in `endpointId`.
    endpoints: Box<[EndpointId]>,
    /// Creation time in seconds since 1970; 0 if unknown.
    created: i64,
    /// The object has left the watch, because it no longer matches the selector, and may still exist.
    unselected: bool,
}

impl Directory {
    /// Creates the index for the objects of this many watches.
    pub(super) fn new(watches: usize) -> Self {
        Self(Mutex::new(DirectoryIndex {
            objects: HashMap::new(),
            declarants: HashMap::new(),
            unlisted: watches,
        }))
    }

    /// Records an object from the watch. Returns `true` if the watch did not show it before.
    pub(super) fn record_watched(&self, token: &Token, namespace: &str, name: &str) -> bool {
        let mut index = self.index();
        if let Some(entry) = index.objects.get_mut(token) {
            return std::mem::take(&mut entry.unselected);
        }
        let entry = DirectoryEntry {
            namespace: namespace.into(),
            name: name.into(),
            declares: None,
            endpoints: Box::default(),
            created: 0,
            unselected: false,
        };
        index.objects.insert(token.clone(), entry);
        true
    }

    /// Records which endpoints an indexed object has recorded, or names in `endpointId`.
    pub(super) fn record_endpoints(&self, token: &Token, object: &ServerlessPrivateEndpoint) {
        let mut index = self.index();
        let Some(entry) = index.objects.get_mut(token) else { return };
        let recorded = object.status.as_ref().and_then(|status| status.id.as_ref());
        let ids = recorded.into_iter().chain(&object.spec.endpoint_id);
        let ids: BTreeSet<EndpointId> = ids.filter_map(|id| id.parse().ok()).collect();
        entry.endpoints = ids.into_iter().collect();
        let created = object.metadata.creation_timestamp.as_ref();
        entry.created = created.map_or(0, |created| created.0.as_second());
    }

    /// Returns `true` if an older object of another namespace has recorded or names the endpoint `id`, or while that is unknown.
    ///
    /// No object can name an id before the endpoint exists, so the object that created an endpoint is older than one that refers
    /// to it later.
    pub(super) fn is_used_elsewhere(&self, token: &Token, id: &EndpointId) -> bool {
        let index = self.index();
        let Some(own) = index.objects.get(token).filter(|_| index.unlisted == 0) else { return true };
        index.objects.iter().any(|(other, entry)| {
            entry.namespace != own.namespace
                && entry.endpoints.contains(id)
                && (entry.created, other) < (own.created, token)
        })
    }

    /// Marks an object that has left the watch and may still exist: its endpoints and its mark stay its own until it is known to
    /// be [deleted](Self::remove). Returns the object that is now the only one to declare the same VPC endpoint.
    pub(super) fn mark_unselected(&self, token: &Token) -> Option<ObjectRef<CachedEndpoint>> {
        let mut index = self.index();
        let entry = index.objects.get_mut(token)?;
        entry.unselected = true;
        let (namespace, declares) = (Arc::clone(&entry.namespace), entry.declares.take());
        let alone = index.undeclare(token, &(namespace, declares?))?;
        index.object(&alone)
    }

    /// Returns the objects that have left the watch, with namespace and name.
    pub(super) fn all_unselected(&self) -> Vec<(Token, String, String)> {
        let index = self.index();
        let unselected = index.objects.iter().filter(|(_, entry)| entry.unselected);
        unselected
            .map(|(token, entry)| (token.clone(), entry.namespace.to_string(), entry.name.to_string()))
            .collect()
    }

    /// Removes an object that has left the watch, unless the watch shows it again.
    pub(super) fn remove_if_unselected(&self, token: &Token) {
        let mut index = self.index();
        if index.objects.get(token).is_some_and(|entry| entry.unselected) {
            index.objects.remove(token);
        }
    }

    /// Records which VPC endpoint an indexed object declares, if any. Returns the other objects that this affects: those that
    /// were the only one to declare a VPC endpoint, or now are. (Of more than two, each already reports another.)
    pub(super) fn record_declaration(
        &self,
        token: &Token,
        id: Option<&VpcEndpointId>,
    ) -> Vec<ObjectRef<CachedEndpoint>> {
        let mut index = self.index();
        let Some(entry) = index.objects.get_mut(token) else { return Vec::new() };
        if entry.declares.as_ref() == id {
            return Vec::new();
        }
        let previous = std::mem::replace(&mut entry.declares, id.cloned());
        let namespace = Arc::clone(&entry.namespace);
        let mut affected =
            previous.and_then(|previous| index.undeclare(token, &(Arc::clone(&namespace), previous)));
        let mut alone = None;
        if let Some(id) = id {
            let declarants = index.declarants.entry((namespace, id.clone())).or_default();
            alone = <&[Token; 1]>::try_from(declarants.as_slice()).ok().map(|[alone]| alone.clone());
            declarants.reserve_exact(1);
            declarants.push(token.clone());
        }
        [affected.take(), alone].into_iter().flatten().filter_map(|token| index.object(&token)).collect()
    }

    /// Removes an object that no longer exists. Returns the object that is now the only one to declare the same VPC endpoint.
    pub(super) fn remove(&self, token: &Token) -> Option<ObjectRef<CachedEndpoint>> {
        let mut index = self.index();
        let DirectoryEntry { namespace, declares, .. } = index.objects.remove(token)?;
        let alone = index.undeclare(token, &(namespace, declares?))?;
        index.object(&alone)
    }

    /// Records that a watch has completed its first listing. Returns `true` if it was the last watch to do so.
    pub(super) fn listed(&self) -> bool {
        let mut index = self.index();
        index.unlisted = index.unlisted.saturating_sub(1);
        index.unlisted == 0
    }

    /// Returns the owner of a token, as an object of `namespace` may know it; `None` while the owner is unknown.
    pub(super) fn owner(&self, token: &Token, namespace: &str) -> Option<Owner> {
        let index = self.index();
        match index.objects.get(token) {
            Some(entry) if *entry.namespace == *namespace => Some(Owner::Neighbor(entry.name.to_string())),
            Some(_) => Some(Owner::Elsewhere),
            None => (index.unlisted == 0).then_some(Owner::Nobody),
        }
    }

    /// Returns another object of `namespace` that declares `id`, as text for the users of the object `token`.
    pub(super) fn other_declarant(
        &self,
        token: &Token,
        namespace: &str,
        id: &VpcEndpointId,
    ) -> Option<String> {
        let index = self.index();
        let declarants = index.declarants.get(&(namespace.into(), id.clone()))?;
        let other = declarants.iter().find(|other| *other != token)?;
        Some(format!("ServerlessPrivateEndpoint {}", index.objects.get(other)?.name))
    }

    fn index(&self) -> MutexGuard<'_, DirectoryIndex> {
        // A panic under the lock leaves at worst one object that is missing from the index.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DirectoryIndex {
    /// Removes a declaration. Returns the object that is now the only one to declare the VPC endpoint.
    fn undeclare(&mut self, token: &Token, declared: &(Arc<str>, VpcEndpointId)) -> Option<Token> {
        let declarants = self.declarants.get_mut(declared)?;
        declarants.retain(|declarant| declarant != token);
        match declarants.as_slice() {
            [] => {
                self.declarants.remove(declared);
                None
            }
            [alone] => Some(alone.clone()),
            _ => None,
        }
    }

    fn object(&self, token: &Token) -> Option<ObjectRef<CachedEndpoint>> {
        let DirectoryEntry { namespace, name, .. } = self.objects.get(token)?;
        Some(ObjectRef::new(name).within(namespace))
    }
}

/// Returns the VPC endpoint that an object declares, from the object alone: a reference that has not been read is taken to lead
/// to the VPC endpoint id in the status. An object that only observes, or is being deleted, declares none.
pub(super) fn declared(object: &ServerlessPrivateEndpoint) -> Option<VpcEndpointId> {
    let (spec, status) = (&object.spec, object.status.as_ref());
    if spec.management_policy != ManagementPolicy::Manage || object.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let of_reference = status
        .filter(|_| spec.cloud_provider_endpoint_ref.is_some())
        .and_then(|status| status.cloud_provider_endpoint_id.as_ref());
    spec.cloud_provider_endpoint_id.as_ref().or(of_reference)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Objects(Directory);

    impl Objects {
        fn of(objects: &[(&str, &str)]) -> Self {
            let directory = Directory::new(0);
            for (namespace, name) in objects {
                directory.record_watched(&token(namespace, name), namespace, name);
            }
            Self(directory)
        }

        fn declare(&self, name: &str, id: Option<&str>) -> Vec<String> {
            let id: Option<VpcEndpointId> = id.map(|id| id.parse().unwrap());
            let affected = self.0.record_declaration(&token("a", name), id.as_ref());
            affected.into_iter().map(|object| object.name).collect()
        }

        fn other_declarant(&self, name: &str, id: &str) -> Option<String> {
            self.0.other_declarant(&token("a", name), "a", &id.parse().unwrap())
        }
    }

    fn token(namespace: &str, name: &str) -> Token {
        Token::of(&"test".parse().unwrap(), namespace, name)
    }

    #[test]
    fn only_an_owner_in_the_same_namespace_is_named() {
        let Objects(directory) = Objects::of(&[("shop", "orders")]);
        let orders = token("shop", "orders");
        assert_eq!(directory.owner(&orders, "shop"), Some(Owner::Neighbor("orders".to_owned())));
        assert_eq!(directory.owner(&orders, "other"), Some(Owner::Elsewhere));
        directory.remove(&orders);
        assert_eq!(directory.owner(&orders, "other"), Some(Owner::Nobody));
    }

    #[test]
    fn an_unselected_object_stays_the_owner_until_it_is_removed() {
        let Objects(directory) = Objects::of(&[("shop", "orders")]);
        let orders = token("shop", "orders");
        directory.mark_unselected(&orders);
        assert_eq!(directory.owner(&orders, "other"), Some(Owner::Elsewhere));
        assert_eq!(directory.all_unselected().len(), 1);
        assert!(directory.record_watched(&orders, "shop", "orders"), "its declaration is recorded again");
        directory.remove_if_unselected(&orders);
        assert_eq!(directory.owner(&orders, "other"), Some(Owner::Elsewhere), "the watch shows it again");
        directory.mark_unselected(&orders);
        directory.remove_if_unselected(&orders);
        assert_eq!(directory.owner(&orders, "other"), Some(Owner::Nobody));
    }

    #[test]
    fn an_endpoint_belongs_to_the_oldest_object_that_uses_it() {
        let Objects(directory) = Objects::of(&[("a", "first"), ("b", "second"), ("a", "third")]);
        let id: EndpointId = "7".repeat(24).parse().unwrap();
        let uses = |namespace: &str, name: &str, second: u32, fields: [&str; 2]| {
            let [named, recorded] = fields.map(|field| (!field.is_empty()).then(|| field.to_owned()));
            let object = serde_json::json!({
                "apiVersion": "atlas.spe-operator.io/v1alpha1", "kind": "ServerlessPrivateEndpoint",
                "metadata": {"name": name, "creationTimestamp": format!("2026-01-01T00:00:0{second}Z")},
                "spec": {"projectId": "0".repeat(24), "instanceName": "orders", "endpointId": named},
                "status": {"_id": recorded},
            });
            directory.record_endpoints(&token(namespace, name), &serde_json::from_value(object).unwrap());
        };
        let is_used = |namespace: &str, name: &str| directory.is_used_elsewhere(&token(namespace, name), &id);
        uses("a", "first", 1, ["", id.as_str()]);
        uses("b", "second", 2, [id.as_str(), ""]);
        uses("a", "third", 3, ["", ""]);
        assert_eq!(
            (is_used("a", "first"), is_used("b", "second"), is_used("a", "third")),
            (false, true, true)
        );
        uses("a", "first", 1, ["", ""]);
        assert!(!is_used("b", "second"));
        directory.remove(&token("b", "second"));
        assert!(!is_used("a", "third"));
        assert!(is_used("b", "unknown"), "nothing is taken over while its age is not known");
    }

    #[test]
    fn an_owner_is_unknown_until_every_watch_has_listed() {
        let directory = Directory::new(2);
        let orders = token("shop", "orders");
        assert_eq!(directory.owner(&orders, "other"), None);
        directory.listed();
        assert_eq!(directory.owner(&orders, "other"), None);
        directory.listed();
        assert_eq!(directory.owner(&orders, "other"), Some(Owner::Nobody));
    }

    #[test]
    fn a_shared_vpc_endpoint_affects_its_objects_until_one_is_left() {
        let objects = Objects::of(&[("a", "one"), ("a", "two"), ("a", "three")]);
        let nobody: [&str; 0] = [];
        assert_eq!(objects.declare("one", Some("vpce-1")), nobody);
        assert_eq!(objects.other_declarant("one", "vpce-1"), None);
        assert_eq!(objects.declare("two", Some("vpce-1")), ["one"]);
        assert_eq!(objects.declare("two", Some("vpce-1")), nobody, "the declaration is unchanged");
        assert_eq!(
            objects.other_declarant("one", "vpce-1").as_deref(),
            Some("ServerlessPrivateEndpoint two")
        );
        assert_eq!(
            objects.other_declarant("two", "vpce-1").as_deref(),
            Some("ServerlessPrivateEndpoint one")
        );
        assert_eq!(objects.declare("three", Some("vpce-1")), nobody, "the others report each other already");
        assert_eq!(objects.declare("three", None), nobody);
        assert_eq!(objects.declare("two", Some("vpce-2")), ["one"]);
        assert_eq!(objects.other_declarant("one", "vpce-1"), None);
        objects.declare("two", Some("vpce-1"));
        assert_eq!(objects.0.remove(&token("a", "two")).map(|object| object.name).as_deref(), Some("one"));
        assert_eq!(objects.0.remove(&token("a", "one")), None);
    }

    #[test]
    fn a_declaration_in_another_namespace_has_no_effect() {
        let objects = Objects::of(&[("b", "secret-name"), ("a", "own"), ("a", "neighbor")]);
        objects.declare("own", Some("vpce-1"));
        let there = |id: Option<&str>| {
            let id: Option<VpcEndpointId> = id.map(|id| id.parse().unwrap());
            assert_eq!(objects.0.record_declaration(&token("b", "secret-name"), id.as_ref()), []);
        };
        for _ in 0..3 {
            there(Some("vpce-1"));
            assert_eq!(objects.other_declarant("own", "vpce-1"), None);
            there(Some("vpce-2"));
        }
        there(Some("vpce-1"));
        assert_eq!(objects.declare("neighbor", Some("vpce-1")), ["own"]);
        assert_eq!(
            objects.other_declarant("own", "vpce-1").as_deref(),
            Some("ServerlessPrivateEndpoint neighbor")
        );
    }

    #[test]
    fn a_removed_object_declares_nothing() {
        let objects = Objects::of(&[("a", "one"), ("a", "two")]);
        objects.declare("one", Some("vpce-1"));
        objects.0.remove(&token("a", "one"));
        assert_eq!(objects.declare("one", Some("vpce-1")), [""; 0]);
        assert_eq!(objects.other_declarant("two", "vpce-1"), None);
    }

    #[test]
    fn a_declaration_comes_from_the_spec_or_the_resolved_reference() {
        let read = |management, spec: serde_json::Value, status: serde_json::Value| {
            let mut spec = spec;
            spec["projectId"] = "0".repeat(24).into();
            spec["instanceName"] = "orders".into();
            spec["managementPolicy"] = serde_json::Value::String(String::from(management));
            let object = serde_json::json!({
                "apiVersion": "atlas.spe-operator.io/v1alpha1", "kind": "ServerlessPrivateEndpoint",
                "metadata": {"name": "orders"}, "spec": spec, "status": status,
            });
            declared(&serde_json::from_value(object).unwrap()).map(|id| id.to_string())
        };
        let reference = || {
            serde_json::json!({"cloudProviderEndpointRef":
                {"apiVersion": "v1", "kind": "ConfigMap", "name": "network", "key": "id"}})
        };
        let status = || serde_json::json!({"cloudProviderEndpointId": "vpce-2"});
        let literal = || serde_json::json!({"cloudProviderEndpointId": "vpce-1"});
        assert_eq!(read("Manage", literal(), status()).as_deref(), Some("vpce-1"));
        assert_eq!(read("Manage", reference(), status()).as_deref(), Some("vpce-2"));
        assert_eq!(read("Manage", reference(), serde_json::json!({})), None);
        assert_eq!(read("Manage", serde_json::json!({}), status()), None);
        assert_eq!(read("Observe", literal(), status()), None);
    }
}
