//! What the kind `PrivateEndpointService` declares, records and shows. It does no I/O.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::dedicated::kept::KeptState;
use domain::dedicated::life::{Life, Sort};
use domain::dedicated::names::{Declares, Offer};
use domain::dedicated::observed::Spec;
use domain::dedicated::region::Region;
use domain::dedicated::service::{EndpointService, ProviderServices, ServiceKey, ServiceTarget};
use domain::dedicated::status::{Fields, Report};
use domain::status::ConditionType;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::crd::{PrivateEndpointService, PrivateEndpointServiceSpec, PrivateEndpointServiceStatus};
use crate::dedicated::kind::{
    DedicatedKind, StoredRecord, adoption, deletion, duration, interval, service_key,
};
use crate::runtime::kind::Kind;
use crate::runtime::object_fields;
use crate::runtime::references::endpoint::DeclaredFields;
use crate::runtime::status_patch::Current;
use crate::runtime::work_queue::Lane;
use crate::schema::{self, ManagementPolicy, OutputConfigMap};

impl Kind for PrivateEndpointService {
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
        spec: PrivateEndpointServiceSpec,
        status: Option<PrivateEndpointServiceStatus>,
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
        self.status.as_ref().is_some_and(|status| status.service_id.is_some())
    }

    fn interval(&self) -> Duration {
        interval(&self.spec.interval)
    }

    fn trigger(&self) -> u64 {
        object_fields::trigger(self)
    }

    fn lane(&self) -> Lane<3> {
        let namespace = self.metadata.namespace.as_deref().unwrap_or_default();
        [namespace.into(), self.spec.project_id.as_str().into(), self.spec.region.as_str().into()]
    }
}

impl PrivateEndpointService {
    fn key(&self) -> Result<ServiceKey, String> {
        let PrivateEndpointServiceSpec { project_id, provider, region, gcp, .. } = &self.spec;
        service_key(project_id, *provider, region, gcp.as_ref())
    }

    /// Returns the service that the status records.
    fn recorded(&self) -> Option<Life> {
        let service = self.status.as_ref()?.service_id.as_deref()?.parse().ok()?;
        Some(Life { service, endpoint: None })
    }
}

impl DedicatedKind for PrivateEndpointService {
    const SORT: Sort = Sort::Service;
    const RECORDED: &'static [&'static str] = &["serviceId", "provenance", "recordedBy"];

    fn records(&self) -> Vec<StoredRecord<'_>> {
        let (Some(life), Some(status)) = (self.recorded(), &self.status) else { return Vec::new() };
        let (provenance, recorded_by) = (status.provenance.as_deref(), status.recorded_by.as_deref());
        vec![StoredRecord { life, provenance, recorded_by, project: None }]
    }

    fn recorded_services(&self) -> Option<ProviderServices> {
        None
    }

    fn settled_claim(&self) -> Option<&str> {
        self.status.as_ref()?.settled_claim.as_deref()
    }

    fn rules(&self) -> Result<Spec, String> {
        let spec = &self.spec;
        self.key()?;
        let declared = spec.aws.as_ref().and_then(|aws| aws.supported_remote_regions.as_ref());
        let regions = declared.map(|regions| regions.iter().map(|region| region.parse()).collect());
        let regions: Result<Option<BTreeSet<Region>>, _> = regions.transpose();
        Ok(Spec {
            provider: None,
            adopt: adoption(spec.adopt),
            deletion: spec.deletion_policy.map(deletion),
            observe: self.is_observing(),
            suspend: spec.suspend,
            break_before_make: false,
            clusters: Vec::new(),
            remote_regions: regions.map_err(|error| format!("`aws.supportedRemoteRegions`: {error}"))?,
            progress_deadline: duration("progressDeadline", &spec.progress_deadline)?,
        })
    }

    fn declares(&self) -> Declares {
        self.key().map_or(Declares::Nothing, Declares::Service)
    }

    fn offer(&self) -> Option<Offer> {
        let available = ConditionType::ServiceAvailable.as_str();
        let conditions = self.status.iter().flat_map(|status| &status.conditions);
        Some(Offer {
            key: self.key().ok()?,
            recorded: self.recorded().map(|life| life.service),
            is_available: conditions
                .into_iter()
                .any(|found| found.type_ == available && found.status == "True"),
            secret: self.secret().map(str::to_owned),
            allowed_namespaces: self.spec.allowed_namespaces.clone(),
        })
    }

    fn secret(&self) -> Option<&str> {
        self.spec.credentials_ref.as_ref().map(|named| named.name.as_str())
    }

    fn output(&self) -> Option<&OutputConfigMap> {
        self.spec.output_config_map.as_ref()
    }

    fn endpoint(&self) -> DeclaredFields<'_> {
        DeclaredFields::default()
    }

    fn is_observing(&self) -> bool {
        self.spec.management_policy == ManagementPolicy::Observe
    }

    fn shown(&self, report: &Report, uid: &str) -> PrivateEndpointServiceStatus {
        let mut shown = match &report.fields {
            Fields::Kept | Fields::Endpoint(..) => self.status.clone().unwrap_or_default(),
            Fields::Withdrawn => PrivateEndpointServiceStatus::default(),
            Fields::Service(service) => of_service(service),
        };
        let entry = report.entries.first();
        shown.service_id = entry.map(|entry| entry.life.service.to_string());
        shown.provenance = entry.map(|entry| entry.provenance.as_str().to_owned());
        shown.recorded_by = entry.map(|_| uid.to_owned());
        shown.settled_claim = report.settled.as_ref().map(|nonce| nonce.as_str().to_owned());
        shown
    }
}

/// Returns the fields that describe a service.
fn of_service(service: &EndpointService) -> PrivateEndpointServiceStatus {
    let EndpointService { region, status, error_message, endpoint_ids, target, .. } = service;
    let mut shown = PrivateEndpointServiceStatus {
        region_name: region.as_ref().map(ToString::to_string),
        status: Some(status.to_string()).filter(|status| !status.is_empty()),
        error_message: error_message.clone().filter(|text| !text.is_empty()),
        endpoint_ids: endpoint_ids.clone(),
        ..PrivateEndpointServiceStatus::default()
    };
    // Lists have no order of their own.
    shown.endpoint_ids.sort();
    match target {
        ServiceTarget::Aws { endpoint_service_name, supported_remote_regions } => {
            shown.endpoint_service_name.clone_from(endpoint_service_name);
            shown.supported_remote_regions =
                supported_remote_regions.iter().map(ToString::to_string).collect();
        }
        ServiceTarget::Azure { private_link_service_name, private_link_service_resource_id } => {
            shown.private_link_service_name.clone_from(private_link_service_name);
            shown.private_link_service_resource_id.clone_from(private_link_service_resource_id);
        }
        ServiceTarget::Gcp { service_attachment_names, .. } => {
            shown.service_attachment_names.clone_from(service_attachment_names);
        }
    }
    shown
}
