//! The identity of an object, constant during a reconcile.

use std::borrow::Cow;

use domain::token::{ClusterId, Token};
use kube::{Resource, ResourceExt};

/// The names of an object, and its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub(crate) kind: Cow<'static, str>,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    /// Names the object among those of its kind.
    pub(crate) token: Token,
}

impl Identity {
    /// Returns the identity of `object` in `cluster`.
    #[must_use]
    pub fn new<K: Resource<DynamicType = ()>>(object: &K, cluster: &ClusterId) -> Self {
        let (namespace, uid) = (object.namespace().unwrap_or_default(), object.uid().unwrap_or_default());
        Self { uid, ..Self::of_name::<K>(cluster, namespace, object.name_any()) }
    }

    /// Returns the identity of the object of this name, whatever its uid.
    pub(crate) fn of_name<K: Resource<DynamicType = ()>>(
        cluster: &ClusterId,
        namespace: String,
        name: String,
    ) -> Self {
        let token = Token::of(cluster, &namespace, &name);
        Self { kind: K::kind(&()), namespace, name, uid: String::new(), token }
    }
}
