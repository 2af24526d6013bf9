//! The types, constants and functions of the kind `ServerlessPrivateEndpoint` for the runtime. It does no I/O.

use std::time::Duration;

use domain::serverless::kept::KeptState;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::runtime::kind::Kind;
use crate::runtime::object_fields;
use crate::runtime::status_patch::Current;
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
    const RECONCILE_REQUEST: &'static str = crd::RECONCILE_REQUEST;
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

    fn current(&self) -> Option<Current<'_>> {
        self.status.as_ref().map(|status| Current {
            observed_generation: status.observed_generation,
            last_handled_reconcile_at: status.last_handled_reconcile_at.as_deref(),
            conditions: &status.conditions,
        })
    }

    fn is_recorded(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.id.is_some())
    }

    fn interval(&self) -> Duration {
        convert::interval(self)
    }

    fn trigger(&self) -> u64 {
        object_fields::trigger(self)
    }

    fn lane(&self) -> Lane<3> {
        let namespace = self.metadata.namespace.as_deref().unwrap_or_default();
        [namespace.into(), self.spec.project_id.as_str().into(), self.spec.instance_name.as_str().into()]
    }
}
