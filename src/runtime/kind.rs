//! The trait of a kind of custom resource: its constants, and functions of one object.
//!
//! No function of this trait is a step of a reconcile: those differ between the kinds.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::NamespaceResourceScope;
use kube::core::object::{HasSpec, HasStatus};
use serde::de::DeserializeOwned;

use super::states::Kept;
use super::status_patch::Current;
use super::work_queue::Lane;

/// A kind of custom resource that this operator reconciles.
pub(crate) trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + HasSpec<Spec: DeserializeOwned>
    + HasStatus<Status: DeserializeOwned>
    + Debug
    + Clone
    + Send
    + Sync
    + 'static
{
    /// What the rules keep of an object between two reconciles.
    type Kept: Kept;

    /// What the directory holds of an object, because the reconciles of others have to know it.
    type Details: Default + Send + 'static;

    /// The finalizer of the operator.
    const FINALIZER: &'static str;

    /// The annotation that holds the claim: a value of any length must count as an attempt, so it is shortened, not refused.
    const CLAIM: &'static str;

    /// The annotation that holds the name of the output ConfigMap.
    const OUTPUT_CONFIG_MAP: &'static str;

    /// The annotation that holds the reconcile request of a user.
    const RECONCILE_REQUEST: &'static str;

    /// The annotations that the operator reads; all others are skipped when an object is decoded.
    const ANNOTATIONS: &'static [&'static str];

    /// Returns the object with these parts.
    fn from_parts(metadata: ObjectMeta, spec: Self::Spec, status: Option<Self::Status>) -> Self;

    /// Returns the fields of the status that every kind has; `None` without a status.
    fn current(&self) -> Option<Current<'_>>;

    /// Returns `true` if the status records the id of the object's thing in Atlas.
    fn is_recorded(&self) -> bool;

    /// Returns how often a settled object is polled.
    fn interval(&self) -> Duration;

    /// Hashes every field whose change triggers a reconcile.
    fn trigger(&self) -> u64;

    /// Returns the lane of the object in the work queue. Names from the manifest need not exist.
    fn lane(&self) -> Lane<3>;
}
