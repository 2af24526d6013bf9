//! The user's side: which VPC endpoints, private endpoints of Azure and forwarding rules of Google Cloud exist, and what they were
//! made for. Knows nothing of what is registered in Atlas.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{endpoint::AtlasEndpoint, provider::CloudProvider, region, service::AtlasService};
use crate::seconds;

/// A VPC endpoint, private endpoint or forwarding rule in the user's account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudEndpoint {
    /// Its provider.
    pub provider: CloudProvider,
    /// What it connects to: a service name, the resource id of a private link service, or a service attachment.
    pub service_name: String,
    /// Its region in the spelling of Atlas, which on AWS may be another one than that of the service. Empty on Azure, where any region
    /// will do.
    pub region: String,
    /// When it was made: time since the simulator's start.
    #[serde(with = "seconds")]
    pub made_at: Duration,
    /// When it was deleted; `None` while it exists.
    #[serde(with = "seconds::option")]
    pub deleted_at: Option<Duration>,
}

/// All of them by id, deleted ones too.
#[derive(Debug, Default)]
pub(crate) struct Cloud(BTreeMap<String, CloudEndpoint>);

impl Cloud {
    /// Makes one, in the region of what it connects to unless another one is given.
    pub(crate) fn make(
        &mut self,
        now: Duration,
        (provider, id): (CloudProvider, &str),
        service_name: &str,
        region: Option<&str>,
    ) {
        let named = region.unwrap_or_else(|| match provider {
            CloudProvider::Aws => service_name.split('.').nth(3).unwrap_or_default(),
            CloudProvider::Azure => "",
            CloudProvider::Gcp => id.split('/').nth(3).unwrap_or_default(),
        });
        let region = region::in_atlas_form(provider, named).unwrap_or_else(|| named.to_owned());
        let service_name = service_name.to_owned();
        let made = CloudEndpoint { provider, service_name, region, made_at: now, deleted_at: None };
        self.0.insert(id.to_owned(), made);
    }

    /// Makes all that an endpoint stands for and that does not exist, for a service.
    pub(crate) fn make_for(&mut self, now: Duration, endpoint: &AtlasEndpoint, service: &AtlasService) {
        for (id, target) in endpoint.cloud_ids(&service.region_name).iter().zip(service.targets()) {
            if self.existing(id).is_none() {
                self.make(now, (service.provider(), id), target, None);
            }
        }
    }

    /// Deletes one; `false` if there is none with this id.
    pub(crate) fn delete(&mut self, now: Duration, id: &str) -> bool {
        let Some(found) = self.0.get_mut(id).filter(|found| found.deleted_at.is_none()) else { return false };
        found.deleted_at = Some(now);
        true
    }

    /// Returns the one with this id.
    pub(crate) fn existing(&self, id: &str) -> Option<&CloudEndpoint> {
        self.0.get(id).filter(|found| found.deleted_at.is_none())
    }

    /// Returns those of a provider that exist, by id.
    pub(crate) fn all(&self, provider: CloudProvider) -> impl Iterator<Item = (&String, &CloudEndpoint)> {
        self.0.iter().filter(move |(_, one)| one.deleted_at.is_none() && one.provider == provider)
    }

    /// Returns when the last of these was made; `None` if none ever was.
    pub(crate) fn made_at(&self, ids: &[String]) -> Option<Duration> {
        ids.iter().filter_map(|id| Some(self.0.get(id)?.made_at)).max()
    }

    /// Returns when the first of these was deleted; `None` if all exist.
    pub(crate) fn deleted_at(&self, ids: &[String]) -> Option<Duration> {
        ids.iter().filter_map(|id| self.0.get(id)?.deleted_at).min()
    }

    /// Returns why Atlas cannot connect an endpoint at a service, for each of the endpoint's cloud ids; `None` where it can.
    pub(crate) fn obstacles(&self, endpoint: &AtlasEndpoint, service: &AtlasService) -> Vec<Option<String>> {
        let what = service.provider().dialect().cloud_endpoint;
        let mut taken = Vec::new();
        let mut obstacle = |id: &String| {
            let usable = self.existing(id).filter(|found| service.targets().contains(&found.service_name));
            let Some(found) = usable else { return Some(format!("{what} {id} was not found.")) };
            // A service attachment serves one forwarding rule of a group.
            if taken.contains(&&found.service_name) {
                return Some(format!(
                    "{what} {id} is connected to the same service attachment as another one."
                ));
            }
            taken.push(&found.service_name);
            let is_near = found.region.is_empty() || found.region == service.region_name;
            if is_near || service.remote_regions().contains(&found.region) {
                None
            } else {
                Some(format!("{what} {id} is in region {}, which is not supported.", found.region))
            }
        };
        endpoint.cloud_ids(&service.region_name).iter().map(&mut obstacle).collect()
    }
}
