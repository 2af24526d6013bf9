//! The identity of an object, constant during a reconcile.

use domain::token::{ClusterId, Token};
use kube::{Resource, ResourceExt};

/// The names of an object, and its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) token: Token,
}

impl Identity {
    /// Returns the identity of `object` in `cluster`.
    #[must_use]
    pub fn new(object: &impl Resource, cluster: &ClusterId) -> Self {
        let namespace = object.namespace().unwrap_or_default();
        let name = object.name_any();
        let token = Token::of(cluster, &namespace, &name);
        Self { namespace, name, uid: object.uid().unwrap_or_default(), token }
    }
}
