//! What the kind `PrivateEndpoint` declares, records and shows. It does no I/O.

use std::time::Duration;

use domain::dedicated::cluster::ClusterName;
use domain::dedicated::endpoint::{ForwardingRule, NewEndpoint};
use domain::dedicated::kept::KeptState;
use domain::dedicated::life::{Entry, Life, Sort};
use domain::dedicated::names::{Declares, ObjectName, Offer, ServiceName};
use domain::dedicated::observed::{ConnectionStrings, Spec, StringsByCluster};
use domain::dedicated::service::{Provider, ProviderServices};
use domain::dedicated::status::{Fields, Report};
use domain::reference::{DeclaredEndpoint, Stated};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::crd::{
    AwsVpcEndpoint, AzurePrivateEndpoint, ClusterConnectionStrings, GcpEndpointGroup, GcpForwardingRule,
    PrivateEndpoint, PrivateEndpointSpec, PrivateEndpointStatus, ReplacementOrder, SupersededEndpoint,
};

use crate::dedicated::kind::{
    DedicatedKind, StoredRecord, adoption, deletion, duration, interval, service_key,
};
use crate::runtime::kind::Kind;
use crate::runtime::object_fields;
use crate::runtime::references::endpoint::{DeclaredFields, NamedObject};
use crate::runtime::status_patch::Current;
use crate::runtime::work_queue::Lane;
use crate::schema::{self, CloudProviderEndpointRef, ManagementPolicy, OutputConfigMap};

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
        &["projectId", "serviceId", "endpointId", "provenance", "recordedBy", "superseded"];

    fn stored(&self, field: &str) -> Option<&Value> {
        self.status.as_ref().filter(|_| field == "superseded")?.superseded.stored()
    }

    fn records(&self) -> Vec<StoredRecord<'_>> {
        let Some(status) = &self.status else { return Vec::new() };
        let life = |service: &str, endpoint: &str| {
            Some(Life { service: service.parse().ok()?, endpoint: Some(endpoint.parse().ok()?) })
        };
        let ids = status.service_id.as_deref().zip(status.endpoint_id.as_deref());
        let first = ids.and_then(|(service, endpoint)| life(service, endpoint)).map(|life| StoredRecord {
            life,
            provenance: status.provenance.as_deref(),
            recorded_by: status.recorded_by.as_deref(),
            project: status.project_id.as_deref(),
        });
        let former = status.superseded.iter().filter_map(|former| {
            Some(StoredRecord {
                life: life(&former.service_id, &former.endpoint_id)?,
                provenance: former.provenance.as_deref(),
                recorded_by: former.recorded_by.as_deref(),
                project: former.project_id.as_deref(),
            })
        });
        first.into_iter().chain(former).collect()
    }

    fn recorded_services(&self) -> Option<ProviderServices> {
        let project = self.records().first()?.project?.parse().ok()?;
        Some(ProviderServices { project, provider: self.provider() })
    }

    fn settled_claim(&self) -> Option<&str> {
        self.status.as_ref()?.settled_claim.as_deref()
    }

    fn rules(&self) -> Result<Spec, String> {
        let spec = &self.spec;
        self.service()?;
        let clusters: Result<Vec<ClusterName>, _> = spec.clusters.iter().map(|name| name.parse()).collect();
        Ok(Spec {
            provider: Some(self.provider()),
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
        let PrivateEndpointSpec { aws, azure, gcp, .. } = &self.spec;
        let aws = aws.as_ref().and_then(|aws| aws.id.as_deref());
        let azure = azure.as_ref().and_then(|azure| azure.id.as_deref());
        let gcp = gcp.as_ref().and_then(|gcp| gcp.group_name.as_deref());
        let id = aws.or(azure).or(gcp).and_then(|id| id.trim().parse().ok());
        self.service().map_or(Declares::Nothing, |service| Declares::Endpoint(service, id))
    }

    fn offer(&self) -> Option<Offer> {
        None
    }

    fn secret(&self) -> Option<&str> {
        self.spec.credentials_ref.as_ref().map(|named| named.name.as_str())
    }

    fn output(&self) -> Option<&OutputConfigMap> {
        self.spec.output_config_map.as_ref()
    }

    fn strings(&self) -> StringsByCluster {
        let mut strings = StringsByCluster::new();
        for shown in self.status.iter().flat_map(|status| &status.connection_strings) {
            let Ok(cluster) = shown.cluster.parse() else { continue };
            strings.entry(cluster).or_default().push(ConnectionStrings {
                kind: shown.kind.clone().unwrap_or_default(),
                standard: shown.standard.clone(),
                srv: shown.srv.clone(),
                srv_shard_optimized: shown.srv_shard_optimized.clone(),
            });
        }
        strings
    }

    fn endpoint(&self) -> DeclaredFields<'_> {
        let PrivateEndpointSpec { aws, azure, gcp, .. } = &self.spec;
        match (aws, azure, gcp) {
            (Some(aws), _, _) => of_aws(aws),
            (_, Some(azure), _) => of_azure(azure),
            (_, _, Some(gcp)) => of_gcp(gcp),
            // The API server rejects it.
            (None, None, None) => DeclaredFields::default(),
        }
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
                shown.connection_strings = shown_strings(strings);
                shown
            }
        };
        let first = report.entries.first();
        shown.service_id = first.map(|entry| entry.life.service.to_string());
        shown.endpoint_id =
            first.and_then(|entry| entry.life.endpoint.as_ref()).map(|id| id.as_str().to_owned());
        shown.provenance = first.map(|entry| entry.provenance.as_str().to_owned());
        shown.recorded_by = first.map(|_| uid.to_owned());
        shown.project_id = first.and_then(|entry| entry.project.as_ref()).map(ToString::to_string);
        let former =
            report.entries.iter().skip(1).map(|Entry { life, provenance, project }| SupersededEndpoint {
                project_id: project.as_ref().map(ToString::to_string),
                service_id: life.service.to_string(),
                endpoint_id: life.endpoint.as_ref().map_or_else(String::new, |id| id.as_str().to_owned()),
                provenance: Some(provenance.as_str().to_owned()),
                recorded_by: Some(uid.to_owned()),
            });
        shown.superseded = former.collect();
        shown.settled_claim = report.settled.as_ref().map(|nonce| nonce.as_str().to_owned());
        shown
    }
}

fn of_aws(aws: &AwsVpcEndpoint) -> DeclaredFields<'_> {
    let literal = aws.id.as_deref().map(|id| DeclaredEndpoint::of_id("aws.id", id));
    DeclaredFields {
        literal: literal.unwrap_or_default().map(|id| NewEndpoint::Aws { id }),
        reference: aws.reference.as_ref().map(|reference| named("spec.aws.ref", reference)),
        stated: Stated::Aws,
    }
}

fn of_azure(azure: &AzurePrivateEndpoint) -> DeclaredFields<'_> {
    let ip_address = azure.ip_address.clone();
    let endpoint = |id| NewEndpoint::Azure { id, ip_address: ip_address.clone().unwrap_or_default() };
    let literal = azure.id.as_deref().map(|id| DeclaredEndpoint::of_id("azure.id", id));
    DeclaredFields {
        literal: literal.unwrap_or_default().map(endpoint),
        reference: azure.reference.as_ref().map(|reference| named("spec.azure.ref", reference)),
        stated: Stated::Azure { ip_address },
    }
}

fn of_gcp(gcp: &GcpEndpointGroup) -> DeclaredFields<'_> {
    let rule = |rule: &GcpForwardingRule| ForwardingRule {
        name: rule.name.clone(),
        ip_address: rule.ip_address.clone(),
    };
    let endpoints: Vec<ForwardingRule> = gcp.endpoints.iter().map(rule).collect();
    let project_id = gcp.project_id.clone();
    let group = |group_name| NewEndpoint::Gcp {
        group_name,
        project_id: project_id.clone().unwrap_or_default(),
        endpoints: endpoints.clone(),
    };
    let literal = gcp.group_name.as_deref().map(|name| DeclaredEndpoint::of_id("gcp.groupName", name));
    DeclaredFields {
        literal: literal.unwrap_or_default().map(group),
        reference: gcp.reference.as_ref().map(|reference| named("spec.gcp.ref", reference)),
        stated: Stated::Gcp { project_id, endpoints },
    }
}

/// Returns the object that `field` of the spec names.
fn named<'a>(field: &'static str, reference: &'a CloudProviderEndpointRef) -> NamedObject<'a> {
    let CloudProviderEndpointRef { api_version, kind, name, key } = reference;
    NamedObject { field, api_version, kind, name, key: key.as_deref() }
}

/// Returns the private connection strings in the form of the status.
fn shown_strings(strings: &StringsByCluster) -> Vec<ClusterConnectionStrings> {
    let all = strings.iter().flat_map(|(cluster, strings)| strings.iter().map(move |one| (cluster, one)));
    all.map(|(cluster, strings)| ClusterConnectionStrings {
        cluster: cluster.as_str().to_owned(),
        kind: Some(strings.kind.clone()).filter(|kind| !kind.is_empty()),
        srv: strings.srv.clone(),
        srv_shard_optimized: strings.srv_shard_optimized.clone(),
        standard: strings.standard.clone(),
    })
    .collect()
}
