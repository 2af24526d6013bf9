//! The custom resource as it was read, for the rules that compare versions of it. It does no I/O.

use std::sync::Arc;

use domain::reference::VpcEndpoint;
use domain::schedule::ObjectVersion;
use domain::serverless::observed::{Object, Spec};
use domain::serverless::reconcile::CustomResource;
use domain::serverless::status::Report;
use domain::token::ClusterId;
use kube::{Resource, ResourceExt};

use crate::runtime::identity::Identity;
use crate::serverless::crd::{self, ServerlessPrivateEndpoint};

use super::{convert, output, status_patch};

/// The custom resource as it was read, with the names that the rules need of it.
pub(super) struct ReadObject {
    pub(super) object: Box<ServerlessPrivateEndpoint>,
    pub(super) identity: Arc<Identity>,
    pub(super) cluster_id: Arc<ClusterId>,
}

impl CustomResource for ReadObject {
    fn object(&self) -> Object {
        convert::object(&self.object, &self.identity, &self.cluster_id)
    }

    fn spec(&self, vpc_endpoint: VpcEndpoint) -> Result<Spec, String> {
        convert::spec(&self.object, vpc_endpoint)
    }

    fn version(&self) -> ObjectVersion {
        convert::version(&self.object)
    }

    fn generation(&self) -> Option<i64> {
        self.object.metadata.generation
    }

    fn reconcile_request(&self) -> Option<&str> {
        self.object.annotations().get(crd::RECONCILE_REQUEST).map(String::as_str)
    }

    fn open_request(&self) -> Option<&str> {
        convert::reconcile_request(&self.object)
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

    fn has_output(&self) -> bool {
        output::has_output(&self.object)
    }
}
