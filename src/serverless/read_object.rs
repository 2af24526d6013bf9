//! The custom resource as it was read, for the rules that compare versions of it. It does no I/O.

use std::sync::Arc;
use std::time::Duration;

use domain::reconcile::output::OutputNames;
use domain::reconcile::tracked::ReadResource;
use domain::reference::VpcEndpoint;
use domain::schedule::ObjectVersion;
use domain::serverless::observed::{Object, Spec};
use domain::serverless::reconcile::state::CustomResource;
use domain::serverless::status::Report;
use domain::token::ClusterId;
use kube::{Resource, ResourceExt};

use crate::runtime::identity::Identity;
use crate::runtime::kind::Kind;
use crate::runtime::{object_fields, output};
use crate::serverless::crd::{self, ServerlessPrivateEndpoint};

use super::{convert, status_patch};

/// The custom resource as it was read, with the names that the rules need of it.
#[derive(Debug)]
pub(super) struct ReadObject {
    pub(super) object: Box<ServerlessPrivateEndpoint>,
    identity: Arc<Identity>,
    cluster_id: Arc<ClusterId>,
}

impl ReadObject {
    pub(super) fn new(
        object: Box<ServerlessPrivateEndpoint>,
        identity: &Arc<Identity>,
        cluster_id: &Arc<ClusterId>,
    ) -> Self {
        Self { object, identity: Arc::clone(identity), cluster_id: Arc::clone(cluster_id) }
    }
}

impl ReadResource for ReadObject {
    fn version(&self) -> ObjectVersion {
        object_fields::version(&*self.object)
    }

    fn generation(&self) -> Option<i64> {
        self.object.metadata.generation
    }

    fn reconcile_request(&self) -> Option<&str> {
        object_fields::annotation(&*self.object, crd::RECONCILE_REQUEST)
    }

    fn open_request(&self) -> Option<&str> {
        object_fields::reconcile_request(&*self.object)
    }

    fn is_same_object(&self, read: &Self) -> bool {
        read.object.metadata.uid.as_deref() == Some(self.identity.uid.as_str())
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
        output::names(&*self.object, self.object.spec.output_config_map.as_ref().map(|map| map.name.as_str()))
    }
}

impl CustomResource for ReadObject {
    fn object(&self) -> Object {
        convert::object(&self.object, &self.identity, &self.cluster_id)
    }

    fn spec(&self, vpc_endpoint: VpcEndpoint) -> Result<Spec, String> {
        convert::spec(&self.object, vpc_endpoint)
    }

    fn is_unchanged_in(&self, read: &Self) -> bool {
        let (was, now) = (&self.object, &read.object);
        let recorded =
            |object: &ServerlessPrivateEndpoint| object.status.as_ref().and_then(|status| status.id.clone());
        was.meta().uid == now.meta().uid
            && was.meta().deletion_timestamp == now.meta().deletion_timestamp
            && was.meta().generation == now.meta().generation
            && recorded(was) == recorded(now)
            && [crd::CLAIM, crd::TAKE_OVER]
                .iter()
                .all(|key| was.annotations().get(*key) == now.annotations().get(*key))
    }

    fn differs_from(&self, report: &Report, handled: Option<&str>) -> bool {
        status_patch::differs(&self.object, report, handled)
    }

    fn is_recorded(&self) -> bool {
        self.object.is_recorded()
    }
}
