//! An endpoint service as Atlas reports it. Data only: which state follows which is in `project`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{phase::ServicePhase, provider::CloudProvider, region};
use crate::random;

/// The service attachments of a service of Google Cloud that is not port-mapped, as recorded.
const ATTACHMENTS: usize = 6;

/// The natural key of an endpoint service in its project: Atlas has at most one for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePlace {
    /// Its provider.
    pub provider: CloudProvider,
    /// Its region, in the spelling of Atlas or of the provider.
    pub region: String,
    /// Google Cloud: its architecture. Both may stand side by side in one region.
    pub is_port_mapped: bool,
}

impl ServicePlace {
    /// Returns the place in a region of AWS or Azure, or of Google Cloud without port mapping.
    #[must_use]
    pub fn of(provider: CloudProvider, region: &str) -> Self {
        Self { provider, region: region.to_owned(), is_port_mapped: false }
    }

    /// Returns the place of a port-mapped service of Google Cloud.
    #[must_use]
    pub fn port_mapped(region: &str) -> Self {
        Self { is_port_mapped: true, ..Self::of(CloudProvider::Gcp, region) }
    }

    /// Returns it with its region in the spelling of Atlas; `None` if the provider has no such region.
    pub(crate) fn known(&self) -> Option<Self> {
        let region = region::in_atlas_form(self.provider, &self.region)?;
        // The other providers have one architecture.
        let is_port_mapped = self.is_port_mapped && self.provider == CloudProvider::Gcp;
        Some(Self { provider: self.provider, region, is_port_mapped })
    }
}

impl From<&str> for ServicePlace {
    /// Returns the place in a region of AWS.
    fn from(region: &str) -> Self {
        Self::of(CloudProvider::Aws, region)
    }
}

/// The endpoint service of a project, provider and region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AtlasService {
    /// 24 hexadecimal digits, made by Atlas; the first 8 are the second of its creation.
    pub id: String,
    /// Its region in the spelling of Atlas.
    pub region_name: String,
    /// Its status.
    pub status: ServicePhase,
    /// Why it is `FAILED`.
    pub error_message: Option<String>,
    /// Its provider, and what it has there.
    #[serde(flatten)]
    pub link: ServiceLink,
}

/// What a service has besides on its provider: above all what the user's endpoints connect to, once Atlas has made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cloudProvider", rename_all = "UPPERCASE", rename_all_fields = "camelCase")]
pub enum ServiceLink {
    /// AWS.
    Aws {
        /// The name that a VPC endpoint is made for.
        endpoint_service_name: Option<String>,
        /// The other regions whose VPC endpoints may connect, in the spelling of Atlas.
        supported_remote_regions: Option<Vec<String>>,
    },
    /// Azure.
    Azure {
        /// The name of the private link service.
        private_link_service_name: Option<String>,
        /// Its resource id, which a private endpoint is made for.
        private_link_service_resource_id: Option<String>,
    },
    /// Google Cloud.
    Gcp {
        /// Its architecture.
        port_mapping_enabled: bool,
        /// What forwarding rules are made for: one of a port-mapped service, several otherwise.
        service_attachment_names: Vec<String>,
    },
}

impl AtlasService {
    /// Returns a new service: a fresh id, `INITIATING`. An unknown region stays as it is.
    #[must_use]
    pub fn requested(place: impl Into<ServicePlace>) -> Self {
        let place = place.into();
        let ServicePlace { provider, region, is_port_mapped } = place.known().unwrap_or(place);
        let link = match provider {
            CloudProvider::Aws => {
                ServiceLink::Aws { endpoint_service_name: None, supported_remote_regions: None }
            }
            CloudProvider::Azure => {
                ServiceLink::Azure { private_link_service_name: None, private_link_service_resource_id: None }
            }
            CloudProvider::Gcp => ServiceLink::Gcp {
                port_mapping_enabled: is_port_mapped,
                service_attachment_names: Vec::new(),
            },
        };
        Self {
            id: random::object_id(),
            region_name: region,
            status: ServicePhase::Initiating,
            error_message: None,
            link,
        }
    }

    /// Returns a new service that is `AVAILABLE` already, to be inserted out of band.
    #[must_use]
    pub fn available(place: impl Into<ServicePlace>) -> Self {
        let mut service = Self::requested(place);
        service.provide(ServicePhase::Available, &random::object_id());
        service
    }

    /// Returns its provider.
    #[must_use]
    pub fn provider(&self) -> CloudProvider {
        match self.link {
            ServiceLink::Aws { .. } => CloudProvider::Aws,
            ServiceLink::Azure { .. } => CloudProvider::Azure,
            ServiceLink::Gcp { .. } => CloudProvider::Gcp,
        }
    }

    /// Returns its natural key.
    #[must_use]
    pub fn place(&self) -> ServicePlace {
        let is_port_mapped = matches!(self.link, ServiceLink::Gcp { port_mapping_enabled: true, .. });
        ServicePlace { provider: self.provider(), region: self.region_name.clone(), is_port_mapped }
    }

    /// Returns what the user's endpoints connect to: the service name, the resource id of the private link service, or the service
    /// attachments. None until Atlas has made the service.
    #[must_use]
    pub fn targets(&self) -> &[String] {
        match &self.link {
            ServiceLink::Aws { endpoint_service_name: name, .. }
            | ServiceLink::Azure { private_link_service_resource_id: name, .. } => name.as_slice(),
            ServiceLink::Gcp { service_attachment_names: names, .. } => names,
        }
    }

    /// Returns the first of [`AtlasService::targets`]: on AWS and Azure there is no other one.
    #[must_use]
    pub fn service_name(&self) -> Option<String> {
        self.targets().first().cloned()
    }

    /// Returns the other regions whose VPC endpoints may connect; none but on AWS.
    #[must_use]
    pub fn remote_regions(&self) -> &[String] {
        match &self.link {
            ServiceLink::Aws { supported_remote_regions: Some(regions), .. } => regions,
            _ => &[],
        }
    }

    /// Sets the remote regions of a service of AWS; no other one has any.
    pub fn set_remote_regions(&mut self, regions: Vec<String>) {
        if let ServiceLink::Aws { supported_remote_regions, .. } = &mut self.link {
            *supported_remote_regions = Some(regions).filter(|regions| !regions.is_empty());
        }
    }

    /// Makes it ready. What it has at its provider is made once and stays.
    pub(crate) fn provide(&mut self, status: ServicePhase, project: &str) {
        self.status = status;
        self.error_message = None;
        if !self.targets().is_empty() {
            return;
        }
        let region = region::in_cloud_form(self.provider(), &self.region_name);
        match &mut self.link {
            ServiceLink::Aws { endpoint_service_name, .. } => {
                let name = format!("com.amazonaws.vpce.{region}.vpce-svc-{}", random::hex(17));
                *endpoint_service_name = Some(name);
            }
            ServiceLink::Azure { private_link_service_name, private_link_service_resource_id } => {
                let (name, group) = (format!("pls_{}", self.id), random::object_id());
                *private_link_service_resource_id = Some(format!(
                    "/subscriptions/{}/resourceGroups/rg_{group}_{}/providers/Microsoft.Network/privateLinkServices/{name}",
                    random::uuid(),
                    random::hex(8)
                ));
                *private_link_service_name = Some(name);
            }
            // Whether a later service gets the same names is not known, nor the names of a port-mapped one.
            ServiceLink::Gcp { port_mapping_enabled, service_attachment_names } => {
                let (of_atlas, mapped) = (random::hex(24), if *port_mapping_enabled { "pm-" } else { "" });
                let count = if *port_mapping_enabled { 1 } else { ATTACHMENTS };
                let name = |number| {
                    format!(
                        "projects/p-{of_atlas}/regions/{region}/serviceAttachments/sa-{region}-{mapped}{project}-{number}"
                    )
                };
                *service_attachment_names = (0..count).map(name).collect();
            }
        }
    }

    pub(crate) fn fail(&mut self, message: String) {
        self.status = ServicePhase::Failed;
        self.error_message = Some(message);
    }

    /// Returns whether it accepts endpoints.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.status, ServicePhase::Available | ServicePhase::WaitingForUser)
    }

    /// Returns the body that Atlas sends, with the ids of the endpoints that are registered at it.
    pub(crate) fn body(&self, endpoints: &[&str]) -> Value {
        let mut body = match serde_json::to_value(self) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        };
        body.insert(self.provider().dialect().endpoint_ids.to_owned(), json!(endpoints));
        Value::Object(body)
    }
}
