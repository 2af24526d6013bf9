//! The custom resource as it was read, for the rules that compare versions of it. It does no I/O.

use std::sync::Arc;
use std::time::Duration;

use domain::dedicated::life::Sort;
use domain::dedicated::observed::{Object, Spec};
use domain::dedicated::reconcile::state::DedicatedResource;
use domain::dedicated::status::Report;
use domain::reconcile::output::OutputNames;
use domain::reconcile::tracked::ReadResource;
use domain::schedule::ObjectVersion;
use domain::token::ClusterId;

use crate::runtime::identity::Identity;
use crate::runtime::{object_fields, output};

use super::kind::{self, DedicatedKind};
use super::status_patch;

/// The custom resource as it was read, with the names that the rules need of it.
#[derive(Debug)]
pub(super) struct ReadObject<K> {
    pub(super) object: Box<K>,
    identity: Arc<Identity>,
    cluster_id: Arc<ClusterId>,
}

impl<K> ReadObject<K> {
    pub(super) fn new(object: Box<K>, identity: &Arc<Identity>, cluster_id: &Arc<ClusterId>) -> Self {
        Self { object, identity: Arc::clone(identity), cluster_id: Arc::clone(cluster_id) }
    }
}

impl<K: DedicatedKind> ReadResource for ReadObject<K> {
    fn version(&self) -> ObjectVersion {
        object_fields::version(&*self.object)
    }

    fn generation(&self) -> Option<i64> {
        self.object.meta().generation
    }

    fn reconcile_request(&self) -> Option<&str> {
        object_fields::annotation(&*self.object, K::RECONCILE_REQUEST)
    }

    fn open_request(&self) -> Option<&str> {
        object_fields::reconcile_request(&*self.object)
    }

    fn is_same_object(&self, read: &Self) -> bool {
        read.object.meta().uid.as_deref() == Some(self.identity.uid.as_str())
    }

    fn is_deleting(&self) -> bool {
        self.object.meta().deletion_timestamp.is_some()
    }

    fn is_overdue(&self) -> bool {
        object_fields::is_overdue(&*self.object)
    }

    fn interval(&self) -> Duration {
        self.object.interval()
    }

    fn output(&self) -> OutputNames<'_> {
        output::names(&*self.object, self.object.output().map(|map| map.name.as_str()))
    }
}

impl<K: DedicatedKind> DedicatedResource for ReadObject<K> {
    fn sort(&self) -> Sort {
        K::SORT
    }

    fn object(&self) -> Object {
        kind::object(&*self.object, &self.identity, &self.cluster_id)
    }

    fn spec(&self) -> Result<Spec, String> {
        self.object.rules()
    }

    fn differs_from(&self, report: &Report, handled: Option<&str>) -> bool {
        !report.unchanged && !status_patch::changes(&*self.object, &self.identity, report, handled).is_empty()
    }
}
