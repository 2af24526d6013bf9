//! What the existing objects declare and use: it resolves the owner of a mark, and the objects that declare the same VPC endpoint.
//!
//! In AWS a VPC endpoint serves one endpoint service. Objects that declare the same VPC endpoint are found within one namespace
//! only: a declaration in another namespace neither triggers a reconcile of an object nor shows in its status. It decides nothing.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::ids::VpcEndpointId;
use domain::serverless::endpoint::EndpointId;
use domain::serverless::observed::Owner;
use domain::token::Token;
use kube::runtime::reflector::ObjectRef;

use crate::runtime::cached::Cached;
use crate::runtime::directory::Directory;
use crate::serverless::crd::{ManagementPolicy, ServerlessPrivateEndpoint};

/// The name of an object of this kind.
type EndpointRef = ObjectRef<Cached<ServerlessPrivateEndpoint>>;

/// What the directory holds of each object of this kind.
#[derive(Default)]
pub(crate) struct EndpointUses {
    declares: Option<VpcEndpointId>,
    /// The endpoints that the object has recorded, or names in `endpointId`.
    endpoints: Box<[EndpointId]>,
    /// Creation time in seconds since 1970; 0 if unknown.
    created: i64,
}

/// The directory of the objects of this kind, and their declarations.
pub(super) struct EndpointDirectory {
    objects: Arc<Directory<EndpointUses>>,
    declarants: Mutex<Declarants>,
}

/// The objects of a namespace that declare a VPC endpoint, in the order of their declarations. Locked only under the lock of the
/// directory.
#[derive(Default)]
struct Declarants(HashMap<(Arc<str>, VpcEndpointId), Vec<Token>>);

impl EndpointDirectory {
    pub(super) fn new(objects: Arc<Directory<EndpointUses>>) -> Self {
        Self { objects, declarants: Mutex::default() }
    }

    /// Records which endpoints an object in the directory has recorded, or names in `endpointId`.
    pub(super) fn record_endpoints(&self, token: &Token, object: &ServerlessPrivateEndpoint) {
        let mut index = self.objects.index();
        let Some(entry) = index.objects.get_mut(token) else { return };
        let recorded = object.status.as_ref().and_then(|status| status.id.as_ref());
        let ids = recorded.into_iter().chain(&object.spec.endpoint_id);
        let ids: BTreeSet<EndpointId> = ids.filter_map(|id| id.parse().ok()).collect();
        entry.details.endpoints = ids.into_iter().collect();
        let created = object.metadata.creation_timestamp.as_ref();
        entry.details.created = created.map_or(0, |created| created.0.as_second());
    }

    /// Returns `true` if an older object of another namespace has recorded or names the endpoint `id`, or while that is unknown.
    ///
    /// No object can name an id before the endpoint exists, so the object that created an endpoint is older than one that refers
    /// to it later.
    pub(super) fn is_used_elsewhere(&self, token: &Token, id: &EndpointId) -> bool {
        let index = self.objects.index();
        let Some(own) = index.objects.get(token).filter(|_| index.is_complete()) else { return true };
        index.objects.iter().any(|(other, entry)| {
            entry.namespace != own.namespace
                && entry.details.endpoints.contains(id)
                && (entry.details.created, other) < (own.details.created, token)
        })
    }

    /// Records which VPC endpoint an object in the directory declares, if any. Returns the other objects that this affects: those that
    /// were the only one to declare a VPC endpoint, or now are. (Of more than two, each already reports another.)
    pub(super) fn record_declaration(&self, token: &Token, id: Option<&VpcEndpointId>) -> Vec<EndpointRef> {
        let mut index = self.objects.index();
        let Some(entry) = index.objects.get_mut(token) else { return Vec::new() };
        if entry.details.declares.as_ref() == id {
            return Vec::new();
        }
        let previous = std::mem::replace(&mut entry.details.declares, id.cloned());
        let (namespace, mut declarants) = (Arc::clone(&entry.namespace), self.declarants());
        let affected =
            previous.and_then(|previous| declarants.remove(token, &(Arc::clone(&namespace), previous)));
        let alone = id.and_then(|id| declarants.add(token, (namespace, id.clone())));
        [affected, alone].into_iter().flatten().filter_map(|token| index.object(&token)).collect()
    }

    /// Removes an object that has left the watch. The endpoints and the mark of one that `may_exist` stay its own until it is known to
    /// be deleted. Returns the object that is now the only one to declare the same VPC endpoint.
    pub(super) fn remove(&self, token: &Token, may_exist: bool) -> Option<EndpointRef> {
        let mut index = self.objects.index();
        let entry = index.objects.get_mut(token)?;
        let (namespace, declares) = (Arc::clone(&entry.namespace), entry.details.declares.take());
        index.remove(token, may_exist);
        let alone = self.declarants().remove(token, &(namespace, declares?))?;
        index.object(&alone)
    }

    /// Returns the owner of a token, as an object of `namespace` may know it; `None` while the owner is unknown.
    pub(super) fn owner(&self, token: &Token, namespace: &str) -> Option<Owner> {
        let index = self.objects.index();
        match index.objects.get(token) {
            Some(entry) if *entry.namespace == *namespace => Some(Owner::Neighbor(entry.name.to_string())),
            Some(_) => Some(Owner::Elsewhere),
            None => index.is_complete().then_some(Owner::Nobody),
        }
    }

    /// Returns another object of `namespace` that declares `id`, as text for the users of the object `token`.
    pub(super) fn other_declarant(
        &self,
        token: &Token,
        namespace: &str,
        id: &VpcEndpointId,
    ) -> Option<String> {
        let (index, declarants) = (self.objects.index(), self.declarants());
        let declarants = declarants.0.get(&(namespace.into(), id.clone()))?;
        let other = declarants.iter().find(|other| *other != token)?;
        Some(format!("ServerlessPrivateEndpoint {}", index.objects.get(other)?.name))
    }

    fn declarants(&self) -> MutexGuard<'_, Declarants> {
        self.declarants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Declarants {
    /// Adds a declaration. Returns the object that was the only one to declare the VPC endpoint.
    fn add(&mut self, token: &Token, declared: (Arc<str>, VpcEndpointId)) -> Option<Token> {
        let declarants = self.0.entry(declared).or_default();
        let alone = <&[Token; 1]>::try_from(declarants.as_slice()).ok().map(|[alone]| alone.clone());
        declarants.reserve_exact(1);
        declarants.push(token.clone());
        alone
    }

    /// Removes a declaration. Returns the object that is now the only one to declare the VPC endpoint.
    fn remove(&mut self, token: &Token, declared: &(Arc<str>, VpcEndpointId)) -> Option<Token> {
        let declarants = self.0.get_mut(declared)?;
        declarants.retain(|declarant| declarant != token);
        match declarants.as_slice() {
            [] => {
                self.0.remove(declared);
                None
            }
            [alone] => Some(alone.clone()),
            _ => None,
        }
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

    struct Objects(EndpointDirectory);

    impl Objects {
        fn of(objects: &[(&str, &str)]) -> Self {
            let directory = of_watches(0);
            for (namespace, name) in objects {
                directory.objects.record_watched(&token(namespace, name), namespace, name);
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

    fn of_watches(watches: usize) -> EndpointDirectory {
        EndpointDirectory::new(Arc::new(Directory::new(watches)))
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
        directory.remove(&orders, false);
        assert_eq!(directory.owner(&orders, "other"), Some(Owner::Nobody));
    }

    #[test]
    fn an_unselected_object_stays_the_owner_until_it_is_removed() {
        let Objects(directory) = Objects::of(&[("shop", "orders")]);
        let orders = token("shop", "orders");
        directory.remove(&orders, true);
        assert_eq!(directory.owner(&orders, "other"), Some(Owner::Elsewhere));
        assert_eq!(directory.objects.all_unselected().len(), 1);
        assert!(
            directory.objects.record_watched(&orders, "shop", "orders"),
            "its declaration is recorded again"
        );
        directory.objects.remove_if_unselected(&orders);
        assert_eq!(directory.owner(&orders, "other"), Some(Owner::Elsewhere), "the watch shows it again");
        directory.remove(&orders, true);
        directory.objects.remove_if_unselected(&orders);
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
        directory.remove(&token("b", "second"), false);
        assert!(!is_used("a", "third"));
        assert!(is_used("b", "unknown"), "nothing is taken over while its age is not known");
    }

    #[test]
    fn an_owner_is_unknown_until_every_watch_has_listed() {
        let directory = of_watches(2);
        let orders = token("shop", "orders");
        assert_eq!(directory.owner(&orders, "other"), None);
        directory.objects.listed();
        assert_eq!(directory.owner(&orders, "other"), None);
        directory.objects.listed();
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
        assert_eq!(
            objects.0.remove(&token("a", "two"), false).map(|object| object.name).as_deref(),
            Some("one")
        );
        assert_eq!(objects.0.remove(&token("a", "one"), false), None);
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
        objects.0.remove(&token("a", "one"), false);
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
