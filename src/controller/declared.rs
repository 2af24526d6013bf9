//! Which objects declare which VPC endpoint, so that two that declare the same one are told.
//!
//! In AWS a VPC endpoint serves one endpoint service. This file never says whose the VPC endpoint is, and names no object to
//! another namespace. It holds one entry an object.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::endpoint::VpcEndpointId;
use domain::ownership::Token;

use super::object::Identity;

/// The declarations of all objects that this process has looked at.
#[derive(Debug, Default)]
pub(super) struct Declared(Mutex<Index>);

#[derive(Debug, Default)]
struct Index {
    /// In the order in which they were declared.
    by_id: HashMap<VpcEndpointId, Vec<Declarant>>,
    by_token: HashMap<Token, VpcEndpointId>,
}

/// An object that declares a VPC endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declarant {
    pub(super) token: Token,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Declared {
    /// Notes what the object declares, if anything. Answers whose situation this changes: who was alone with a VPC endpoint, or
    /// now is. (Where many declare one, each knows of another already; a new one wakes nobody.)
    pub(super) fn note(&self, identity: &Identity, id: Option<&VpcEndpointId>) -> Vec<Declarant> {
        let mut index = self.lock();
        if index.by_token.get(&identity.token) == id {
            return Vec::new();
        }
        let mut affected: Vec<_> = index.forget(&identity.token).into_iter().collect();
        if let Some(id) = id {
            let Identity { token, namespace, name, .. } = identity;
            let new = Declarant { token: token.clone(), namespace: namespace.clone(), name: name.clone() };
            let others = index.by_id.entry(id.clone()).or_default();
            if let [alone] = others.as_slice() {
                affected.push(alone.clone());
            }
            others.reserve_exact(1);
            others.push(new);
            index.by_token.insert(token.clone(), id.clone());
        }
        affected
    }

    /// The object is gone. Answers who is alone with its VPC endpoint now.
    pub(super) fn forget(&self, token: &Token) -> Option<Declarant> {
        self.lock().forget(token)
    }

    /// Who else declares `id`, in words for the object's own users.
    pub(super) fn another(&self, identity: &Identity, id: &VpcEndpointId) -> Option<String> {
        let index = self.lock();
        let mut others = index.by_id.get(id)?.iter().filter(|other| other.token != identity.token).peekable();
        others.peek()?;
        let neighbor = others.find(|other| other.namespace == identity.namespace);
        Some(neighbor.map_or_else(
            || "another object of this cluster".to_owned(),
            |neighbor| format!("ServerlessPrivateEndpoint {}", neighbor.name),
        ))
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn forget(&mut self, token: &Token) -> Option<Declarant> {
        let id = self.by_token.remove(token)?;
        let declarants = self.by_id.get_mut(&id)?;
        declarants.retain(|declarant| declarant.token != *token);
        match declarants.as_slice() {
            [] => {
                self.by_id.remove(&id);
                None
            }
            [alone] => Some(alone.clone()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(namespace: &str, name: &str) -> Identity {
        let cluster = "this-cluster".parse().unwrap();
        let token = Token::of(&cluster, namespace, name);
        Identity { namespace: namespace.to_owned(), name: name.to_owned(), uid: "u".to_owned(), token }
    }

    fn names(declarants: impl IntoIterator<Item = Declarant>) -> Vec<String> {
        declarants.into_iter().map(|declarant| declarant.name).collect()
    }

    #[test]
    fn two_that_declare_one_vpc_endpoint_are_told_until_one_is_alone() {
        let (declared, id) = (Declared::default(), "vpce-1".parse().unwrap());
        let [one, two, three] = ["one", "two", "three"].map(|name| identity("a", name));
        assert_eq!(names(declared.note(&one, Some(&id))), [""; 0]);
        assert_eq!(declared.another(&one, &id), None);
        assert_eq!(names(declared.note(&two, Some(&id))), ["one"]);
        assert_eq!(names(declared.note(&two, Some(&id))), [""; 0], "nothing new");
        assert_eq!(declared.another(&one, &id).as_deref(), Some("ServerlessPrivateEndpoint two"));
        assert_eq!(declared.another(&two, &id).as_deref(), Some("ServerlessPrivateEndpoint one"));
        assert_eq!(names(declared.note(&three, Some(&id))), [""; 0], "the others know already");
        assert_eq!(names(declared.note(&three, None)), [""; 0]);
        let other = "vpce-2".parse().unwrap();
        assert_eq!(names(declared.note(&two, Some(&other))), ["one"]);
        assert_eq!(declared.another(&one, &id), None);
        assert_eq!(names(declared.forget(&one.token)), [""; 0]);
        assert_eq!(names(declared.note(&two, Some(&id))), [""; 0]);
    }

    #[test]
    fn an_object_of_another_namespace_is_not_named() {
        let (declared, id) = (Declared::default(), "vpce-1".parse().unwrap());
        let [own, foreign] = [identity("a", "own"), identity("b", "secret-name")];
        declared.note(&foreign, Some(&id));
        declared.note(&own, Some(&id));
        assert_eq!(declared.another(&own, &id).as_deref(), Some("another object of this cluster"));
        declared.note(&identity("a", "neighbor"), Some(&id));
        assert_eq!(declared.another(&own, &id).as_deref(), Some("ServerlessPrivateEndpoint neighbor"));
    }
}
