//! The types, constants and functions of the kind `ServerlessPrivateEndpoint` for the runtime. It does no I/O.

use std::time::Duration;

use domain::serverless::kept::KeptState;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, ResourceExt};

use crate::runtime::kind::Kind;
use crate::runtime::work_queue::Lane;
use crate::serverless::crd::{
    self, ServerlessPrivateEndpoint, ServerlessPrivateEndpointSpec, ServerlessPrivateEndpointStatus,
};

use super::convert;
use super::directory::EndpointUses;

impl Kind for ServerlessPrivateEndpoint {
    type Kept = KeptState;
    type Details = EndpointUses;

    const FINALIZER: &'static str = crd::FINALIZER;
    const CLAIM: &'static str = crd::CLAIM;
    const OUTPUT_CONFIG_MAP: &'static str = crd::OUTPUT_CONFIG_MAP;
    const ANNOTATIONS: &'static [&'static str] = &[
        crd::CLAIM,
        crd::TAKE_OVER,
        crd::STALE_VPC_ENDPOINT_ID,
        crd::OUTPUT_CONFIG_MAP,
        crd::RECONCILE_REQUEST,
    ];

    fn from_parts(
        metadata: ObjectMeta,
        spec: ServerlessPrivateEndpointSpec,
        status: Option<ServerlessPrivateEndpointStatus>,
    ) -> Self {
        Self { metadata, spec, status }
    }

    fn observed_generation(&self) -> Option<i64> {
        self.status.as_ref().map(|status| status.observed_generation)
    }

    fn interval(&self) -> Duration {
        convert::interval(self)
    }

    /// Status and foreign annotations are left out, so that neither the operator's own status writes nor the annotations of
    /// other tools trigger a reconcile.
    fn trigger(&self) -> u64 {
        convert::hash(&(convert::content_hash(self), self.annotations().get(crd::RECONCILE_REQUEST)))
    }

    fn lane(&self) -> Lane<3> {
        let namespace = self.meta().namespace.as_deref().unwrap_or_default();
        [namespace.into(), self.spec.project_id.as_str().into(), self.spec.instance_name.as_str().into()]
    }
}
