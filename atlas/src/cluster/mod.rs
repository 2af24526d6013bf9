//! Dedicated clusters, as far as private endpoints need them: the private connection strings (dedicated-domain §4).
//!
//! Atlas adds and removes the strings while the cluster is UPDATING, a minute or two after an endpoint became AVAILABLE.

pub(crate) mod json;

use domain::dedicated::cluster::Cluster;
use domain::fault::FaultKind;
use reqwest::Method;

use crate::client::{Client, OperationRequest};
use crate::error::AtlasError;
use crate::operation::{NoPart, Operation, OperationSubject};

use json::ClusterDescription;

impl OperationSubject for Cluster {
    type Part = NoPart;
}

impl Client {
    /// Reads a cluster: its state, and its private connection strings. `None` if the project has no such cluster
    /// (`CLUSTER_NOT_FOUND`).
    ///
    /// # Errors
    /// Atlas was unreachable, rejected the request, or sent no cluster.
    pub async fn cluster(&self, cluster: &Cluster) -> Result<Option<ClusterDescription>, AtlasError> {
        let (project, operation) = (&cluster.project, Operation::GetCluster);
        let url = self.transport.project_url(operation, project, &["clusters", cluster.name.as_str()]);
        let request = OperationRequest::of(operation, Method::GET, project, url, cluster, None);
        match self.read(request, |response| json::cluster(response.json()?)).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == FaultKind::InstanceNotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
