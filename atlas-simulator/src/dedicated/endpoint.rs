//! An endpoint as Atlas reports it: the registration, at an endpoint service, of what the user has made for it in the cloud. Data
//! only: what a client may register is in `registration`, and which status follows which in `project`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{phase::EndpointPhase, provider::CloudProvider, region, service::AtlasService};
use crate::random;

/// What is registered at an endpoint service: a VPC endpoint, a private endpoint of Azure, or a group of forwarding rules.
///
/// As JSON it has the members that its provider's endpoints have in Atlas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Map<String, Value>", try_from = "Map<String, Value>")]
pub struct AtlasEndpoint {
    /// The id of the VPC endpoint or private endpoint, or the name of the group, as the user gave it.
    pub id: String,
    /// Its status.
    pub status: EndpointPhase,
    /// Why it is `REJECTED` or `FAILED`.
    pub error_message: Option<String>,
    /// Its provider, and what it has there.
    pub link: EndpointLink,
}

/// What an endpoint has besides on its provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cloudProvider", rename_all = "UPPERCASE")]
pub enum EndpointLink {
    /// AWS: nothing.
    Aws,
    /// Azure.
    Azure {
        /// The address in the user's network.
        #[serde(rename = "privateEndpointIPAddress")]
        ip_address: String,
        /// The name of the connection; `None` until it is `AVAILABLE`.
        #[serde(rename = "privateEndpointConnectionName")]
        connection_name: Option<String>,
    },
    /// Google Cloud.
    Gcp {
        /// The user's project.
        #[serde(rename = "gcpProjectId")]
        project_id: String,
        /// The forwarding rules: one if the service is port-mapped, otherwise one for each service attachment.
        #[serde(rename = "endpoints")]
        rules: Vec<EndpointRule>,
        /// The architecture of the service.
        #[serde(rename = "portMappingEnabled")]
        is_port_mapped: bool,
    },
}

/// A forwarding rule of Google Cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointRule {
    /// Its name.
    #[serde(rename = "endpointName")]
    pub name: String,
    /// Its address in the user's network.
    #[serde(rename = "ipAddress")]
    pub ip_address: String,
    /// Its own status: that of the group, but never `VERIFIED`.
    pub status: EndpointPhase,
}

impl AtlasEndpoint {
    /// Returns an endpoint that has just been registered.
    #[must_use]
    pub fn requested(id: &str, link: EndpointLink) -> Self {
        let mut endpoint =
            Self { id: id.to_owned(), status: EndpointPhase::Available, error_message: None, link };
        if let Some(first) = endpoint.provider().dialect().waiting.first() {
            endpoint.enter(first.clone());
        }
        endpoint
    }

    /// Returns the endpoint that others register under this id: with an address, project and forwarding rules of its own.
    #[must_use]
    pub fn of_others(id: &str, service: &AtlasService) -> Self {
        let rule = |number: usize| EndpointRule {
            name: format!("{id}-{number}"),
            ip_address: format!("10.0.1.{}", number + 4),
            status: EndpointPhase::Initiating,
        };
        let link = match service.provider() {
            CloudProvider::Aws => EndpointLink::Aws,
            CloudProvider::Azure => {
                EndpointLink::Azure { ip_address: "10.0.1.4".to_owned(), connection_name: None }
            }
            CloudProvider::Gcp => EndpointLink::Gcp {
                project_id: "project-of-others".to_owned(),
                rules: (0..service.targets().len().max(1)).map(rule).collect(),
                is_port_mapped: service.place().is_port_mapped,
            },
        };
        Self::requested(id, link)
    }

    /// Returns its provider.
    #[must_use]
    pub fn provider(&self) -> CloudProvider {
        match self.link {
            EndpointLink::Aws => CloudProvider::Aws,
            EndpointLink::Azure { .. } => CloudProvider::Azure,
            EndpointLink::Gcp { .. } => CloudProvider::Gcp,
        }
    }

    /// Returns the ids of what it stands for in the user's cloud, at a service in this region.
    pub(crate) fn cloud_ids(&self, region: &str) -> Vec<String> {
        let EndpointLink::Gcp { project_id, rules, .. } = &self.link else { return vec![self.id.clone()] };
        let region = region::in_cloud_form(CloudProvider::Gcp, region);
        rules.iter().map(|rule| forwarding_rule(project_id, region, &rule.name)).collect()
    }

    /// Takes this status, and its forwarding rules with it.
    pub(crate) fn enter(&mut self, status: EndpointPhase) {
        if let EndpointLink::Gcp { rules, .. } = &mut self.link {
            let of_rule =
                if status == EndpointPhase::Verified { EndpointPhase::Initiating } else { status.clone() };
            for rule in rules {
                rule.status = of_rule.clone();
            }
        }
        self.status = status;
    }

    pub(crate) fn connect(&mut self) {
        self.enter(EndpointPhase::Available);
        self.error_message = None;
        if let EndpointLink::Azure { connection_name, .. } = &mut self.link {
            let name = self.id.rsplit('/').next().unwrap_or_default();
            connection_name.get_or_insert_with(|| format!("{name}.{}", random::uuid()));
        }
    }

    pub(crate) fn refuse(&mut self, message: String) {
        self.enter(self.provider().dialect().refused.clone());
        self.error_message = Some(message);
    }

    /// Connects it, or refuses it for what is wrong with any of its [`AtlasEndpoint::cloud_ids`]. Forwarding rules with which nothing
    /// is wrong are `AVAILABLE` all the same.
    pub(crate) fn settle(&mut self, obstacles: &[Option<String>]) {
        let Some(message) = obstacles.iter().flatten().next() else { return self.connect() };
        self.refuse(message.clone());
        if let EndpointLink::Gcp { rules, .. } = &mut self.link {
            for (rule, _) in rules.iter_mut().zip(obstacles).filter(|(_, obstacle)| obstacle.is_none()) {
                rule.status = EndpointPhase::Available;
            }
        }
    }

    /// Returns whether Atlas could not connect it.
    pub(crate) fn is_refused(&self) -> bool {
        self.status == self.provider().dialect().refused
    }

    /// Returns the body that Atlas sends.
    pub(crate) fn body(&self) -> Value {
        let mut body = Map::from(self.clone());
        body.insert("deleteRequested".to_owned(), json!(self.status == EndpointPhase::Deleting));
        Value::Object(body)
    }
}

/// Returns the id of a forwarding rule in the user's cloud. The region is in the spelling of Google Cloud.
pub(crate) fn forwarding_rule(project: &str, region: &str, name: &str) -> String {
    format!("projects/{project}/regions/{region}/forwardingRules/{name}")
}

impl From<AtlasEndpoint> for Map<String, Value> {
    fn from(endpoint: AtlasEndpoint) -> Self {
        let mut members = match json!(endpoint.link) {
            Value::Object(members) => members,
            _ => Self::new(),
        };
        let names = endpoint.provider().dialect().of_endpoint;
        members.insert(names.id.to_owned(), json!(endpoint.id));
        members.insert(names.status.to_owned(), json!(endpoint.status));
        members.insert("errorMessage".to_owned(), json!(endpoint.error_message));
        members
    }
}

impl TryFrom<Map<String, Value>> for AtlasEndpoint {
    type Error = serde_json::Error;

    fn try_from(mut members: Map<String, Value>) -> Result<Self, Self::Error> {
        let link = serde_json::from_value(Value::Object(members.clone()))?;
        let mut endpoint =
            Self { id: String::new(), status: EndpointPhase::Available, error_message: None, link };
        let names = endpoint.provider().dialect().of_endpoint;
        let mut member = |name: &str| members.remove(name).unwrap_or_default();
        endpoint.id = serde_json::from_value(member(names.id))?;
        endpoint.status = serde_json::from_value(member(names.status))?;
        endpoint.error_message = serde_json::from_value(member("errorMessage"))?;
        Ok(endpoint)
    }
}
