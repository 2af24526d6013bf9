//! The user's side in AWS: which VPC endpoints exist, and the service names that they were made for. Knows nothing of Atlas.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{region, service::AtlasService};
use crate::seconds;

/// A VPC endpoint in the user's account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudEndpoint {
    /// The endpoint service that it connects to.
    pub service_name: String,
    /// Its region in the spelling of Atlas, which may be another one than that of the service.
    pub region: String,
    /// When it was made: time since the simulator's start.
    #[serde(with = "seconds")]
    pub made_at: Duration,
    /// When it was deleted; `None` while it exists.
    #[serde(with = "seconds::option")]
    pub deleted_at: Option<Duration>,
}

/// All VPC endpoints by id, deleted ones too.
#[derive(Debug, Default)]
pub(crate) struct Cloud(BTreeMap<String, CloudEndpoint>);

impl Cloud {
    /// Makes a VPC endpoint, in the region of the service unless another one is given.
    pub(crate) fn make(&mut self, now: Duration, id: &str, service_name: &str, region: Option<&str>) {
        let of_service = || service_name.split('.').nth(3).unwrap_or_default();
        let named = region.unwrap_or_else(of_service);
        let region = region::in_atlas_form(named).unwrap_or_else(|| named.to_owned());
        let made =
            CloudEndpoint { service_name: service_name.to_owned(), region, made_at: now, deleted_at: None };
        self.0.insert(id.to_owned(), made);
    }

    /// Deletes a VPC endpoint; `false` if there is none with this id.
    pub(crate) fn delete(&mut self, now: Duration, id: &str) -> bool {
        let Some(found) = self.0.get_mut(id).filter(|found| found.deleted_at.is_none()) else { return false };
        found.deleted_at = Some(now);
        true
    }

    /// Returns the VPC endpoint that has, or had, this id.
    pub(crate) fn get(&self, id: &str) -> Option<&CloudEndpoint> {
        self.0.get(id)
    }

    /// Returns those that exist, by id.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&String, &CloudEndpoint)> {
        self.0.iter().filter(|(_, endpoint)| endpoint.deleted_at.is_none())
    }

    /// Returns why Atlas cannot accept the VPC endpoint of this id at this service; `None` if it can.
    pub(crate) fn obstacle(&self, id: &str, service: &AtlasService) -> Option<String> {
        let usable = self.0.get(id).filter(|found| {
            found.deleted_at.is_none() && Some(&found.service_name) == service.service_name.as_ref()
        });
        let Some(found) = usable else { return Some(format!("Interface endpoint {id} was not found.")) };
        let remote = service.remote_regions.as_deref().unwrap_or_default();
        if found.region == service.region_name || remote.contains(&found.region) {
            None
        } else {
            Some(format!("Interface endpoint {id} is in region {}, which is not supported.", found.region))
        }
    }
}
