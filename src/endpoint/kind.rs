//! What the kind `PrivateEndpoint` declares, records and shows. It does no I/O.

use std::time::Duration;

use domain::dedicated::cluster::ClusterName;
use domain::dedicated::kept::KeptState;
use domain::dedicated::life::{Entry, Life, Sort};
use domain::dedicated::names::{Declares, ObjectName, Offer, ServiceName};
use domain::dedicated::observed::{ConnectionStrings, Spec};
use domain::dedicated::service::Provider;
use domain::dedicated::status::{Fields, Report};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::crd::{
    ClusterConnectionStrings, PrivateEndpoint, PrivateEndpointSpec, PrivateEndpointStatus, ReplacementOrder,
    SupersededEndpoint,
};

use crate::dedicated::kind::{
    DedicatedKind, adoption, deletion, duration, interval, service_key, supported, without_output,
};
use crate::runtime::kind::Kind;
use crate::runtime::object_fields;
use crate::runtime::references::vpc_endpoint::{NamedObject, VpcEndpointFields};
use crate::runtime::status_patch::Current;
use crate::runtime::work_queue::Lane;
use crate::schema::{self, ManagementPolicy};

impl Kind for PrivateEndpoint {
    type Kept = KeptState;
    type Details = ();

    const FINALIZER: &'static str = schema::FINALIZER;
    const CLAIM: &'static str = schema::CLAIM;
    const OUTPUT_CONFIG_MAP: &'static str = schema::OUTPUT_CONFIG_MAP;
    const RECONCILE_REQUEST: &'static str = schema::RECONCILE_REQUEST;
    const ANNOTATIONS: &'static [&'static str] =
        &[schema::CLAIM, schema::OUTPUT_CONFIG_MAP, schema::RECONCILE_REQUEST];

    fn from_parts(
        metadata: ObjectMeta,
        spec: PrivateEndpointSpec,
        status: Option<PrivateEndpointStatus>,
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
        self.status
            .as_ref()
            .is_some_and(|status| status.endpoint_id.is_some() || !status.superseded.is_empty())
    }

    fn interval(&self) -> Duration {
        interval(&self.spec.interval)
    }

    fn trigger(&self) -> u64 {
        object_fields::trigger(self)
    }

    fn lane(&self) -> Lane<3> {
        let namespace = self.metadata.namespace.as_deref().unwrap_or_default();
        let (service, region) = match (&self.spec.service_ref, &self.spec.service) {
            (Some(service), _) => (service.name.as_str(), service.namespace.as_deref().unwrap_or(namespace)),
            (None, Some(service)) => (service.project_id.as_str(), service.region.as_str()),
            (None, None) => ("", ""),
        };
        [namespace.into(), service.into(), region.into()]
    }
}

impl PrivateEndpoint {
    fn service(&self) -> Result<ServiceName, String> {
        let namespace = self.metadata.namespace.as_deref().unwrap_or_default();
        match (&self.spec.service_ref, &self.spec.service) {
            (Some(service), _) => Ok(ServiceName::Object(ObjectName {
                namespace: service.namespace.as_deref().unwrap_or(namespace).to_owned(),
                name: service.name.clone(),
            })),
            (None, Some(service)) => {
                let (provider, gcp) = (service.provider, service.gcp.as_ref());
                service_key(&service.project_id, provider, &service.region, gcp).map(ServiceName::Key)
            }
            (None, None) => Err("one of `serviceRef` and `service` must be set".to_owned()),
        }
    }

    fn provider(&self) -> Provider {
        match (&self.spec.azure, &self.spec.gcp) {
            (Some(_), _) => Provider::Azure,
            (None, Some(_)) => Provider::Gcp,
            (None, None) => Provider::Aws,
        }
    }
}

impl DedicatedKind for PrivateEndpoint {
    const SORT: Sort = Sort::Endpoint;
    const RECORDED: &'static [&'static str] =
        &["serviceId", "endpointId", "provenance", "recordedBy", "superseded"];

    fn stored(&self, field: &str) -> Option<&Value> {
        self.status.as_ref().filter(|_| field == "superseded")?.superseded.stored()
    }

    fn records(&self) -> Vec<(Life, Option<&str>, Option<&str>)> {
        let Some(status) = &self.status else { return Vec::new() };
        let life = |service: &str, endpoint: &str| {
            Some(Life { service: service.parse().ok()?, endpoint: Some(endpoint.parse().ok()?) })
        };
        let ids = status.service_id.as_deref().zip(status.endpoint_id.as_deref());
        let first = ids.and_then(|(service, endpoint)| life(service, endpoint));
        let first = first.map(|life| (life, status.provenance.as_deref(), status.recorded_by.as_deref()));
        let former = status.superseded.iter().filter_map(|former| {
            let life = life(&former.service_id, &former.endpoint_id)?;
            Some((life, former.provenance.as_deref(), former.recorded_by.as_deref()))
        });
        first.into_iter().chain(former).collect()
    }

    fn settled_claim(&self) -> Option<&str> {
        self.status.as_ref()?.settled_claim.as_deref()
    }

    fn rules(&self) -> Result<Spec, String> {
        let spec = &self.spec;
        supported(self.provider())?;
        without_output(spec.output_config_map.as_ref())?;
        self.service()?;
        let clusters: Result<Vec<ClusterName>, _> = spec.clusters.iter().map(|name| name.parse()).collect();
        Ok(Spec {
            adopt: adoption(spec.adopt),
            deletion: spec.deletion_policy.map(deletion),
            observe: self.is_observing(),
            suspend: spec.suspend,
            break_before_make: spec.replace == ReplacementOrder::BreakBeforeMake,
            remote_regions: None,
            clusters: clusters.map_err(|error| format!("`clusters`: {error}"))?,
            progress_deadline: duration("progressDeadline", &spec.progress_deadline)?,
        })
    }

    fn declares(&self) -> Declares {
        let id = self.spec.aws.as_ref().and_then(|aws| aws.id.as_deref());
        let id = id.and_then(|id| id.trim().parse().ok());
        self.service().map_or(Declares::Nothing, |service| Declares::Endpoint(service, id))
    }

    fn offer(&self) -> Option<Offer> {
        None
    }

    fn secret(&self) -> Option<&str> {
        self.spec.credentials_ref.as_ref().map(|named| named.name.as_str())
    }

    fn vpc_endpoint(&self) -> VpcEndpointFields<'_> {
        let aws = self.spec.aws.as_ref();
        let reference = aws.and_then(|aws| aws.reference.as_ref()).map(|reference| NamedObject {
            api_version: &reference.api_version,
            kind: &reference.kind,
            name: &reference.name,
            key: reference.key.as_deref(),
        });
        let id = aws.and_then(|aws| aws.id.as_deref());
        VpcEndpointFields { id: ("aws.id", id), reference: ("spec.aws.ref", reference) }
    }

    fn is_observing(&self) -> bool {
        self.spec.management_policy == ManagementPolicy::Observe
    }

    fn shown(&self, report: &Report, uid: &str) -> PrivateEndpointStatus {
        let current = self.status.clone().unwrap_or_default();
        let mut shown = match &report.fields {
            Fields::Kept | Fields::Service(_) => current,
            Fields::Withdrawn => PrivateEndpointStatus::default(),
            Fields::Endpoint(endpoint, strings) => {
                let mut shown = PrivateEndpointStatus::default();
                if let Some(endpoint) = endpoint {
                    shown.status = Some(endpoint.status.to_string()).filter(|status| !status.is_empty());
                    shown.error_message = endpoint.error_message.clone().filter(|text| !text.is_empty());
                } else {
                    shown.status.clone_from(&current.status);
                    shown.error_message.clone_from(&current.error_message);
                }
                shown.connection_strings = connection_strings(&current, strings);
                shown
            }
        };
        let first = report.entries.first();
        shown.service_id = first.map(|entry| entry.life.service.to_string());
        shown.endpoint_id =
            first.and_then(|entry| entry.life.endpoint.as_ref()).map(|id| id.as_str().to_owned());
        shown.provenance = first.map(|entry| entry.provenance.as_str().to_owned());
        shown.recorded_by = first.map(|_| uid.to_owned());
        let former = report.entries.iter().skip(1).map(|Entry { life, provenance }| SupersededEndpoint {
            service_id: life.service.to_string(),
            endpoint_id: life.endpoint.as_ref().map_or_else(String::new, |id| id.as_str().to_owned()),
            provenance: Some(provenance.as_str().to_owned()),
            recorded_by: Some(uid.to_owned()),
            ..SupersededEndpoint::default()
        });
        shown.superseded = former.collect();
        shown.settled_claim = report.settled.as_ref().map(|nonce| nonce.as_str().to_owned());
        shown
    }
}

/// Returns the private connection strings by cluster; those of a cluster that could not be read stay as they are.
fn connection_strings(
    current: &PrivateEndpointStatus,
    strings: &[(ClusterName, Option<Vec<ConnectionStrings>>)],
) -> Vec<ClusterConnectionStrings> {
    let mut shown = Vec::new();
    for (cluster, read) in strings {
        match read {
            None => shown.extend(
                current.connection_strings.iter().filter(|known| known.cluster == cluster.as_str()).cloned(),
            ),
            Some(read) => shown.extend(read.iter().map(|strings| ClusterConnectionStrings {
                cluster: cluster.as_str().to_owned(),
                kind: Some(strings.kind.clone()).filter(|kind| !kind.is_empty()),
                srv: strings.srv.clone(),
                srv_shard_optimized: strings.srv_shard_optimized.clone(),
                standard: strings.standard.clone(),
            })),
        }
    }
    shown
}
