//! The settings of dedicated clusters: which exist, how fast Atlas is, and what is not known of it. One plain value.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::provider::CloudProvider;
use crate::{seconds, variants::RequestPolicy};

/// The dedicated cluster that exists unless others are named.
pub const DEFAULT_CLUSTER: &str = "shop";

/// Everything that can be set for dedicated clusters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DedicatedSettings {
    /// The regions of each cluster by project and name, in the spelling of Atlas: `EU_WEST_1` on AWS, `AZURE/EUROPE_WEST` and
    /// `GCP/CENTRAL_US` elsewhere. Without any, it is in every region.
    pub clusters: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// Every VPC endpoint, private endpoint of Azure and forwarding rule exists, for every endpoint service: nothing has to be made
    /// in the cloud.
    pub vpc_endpoints_exist: bool,
    /// The projects without payment information: POST of an endpoint is 402.
    pub without_payment: BTreeSet<String>,
    /// The endpoints of others, which come and go.
    pub others: OthersRhythm,
    /// How long Atlas takes for what it does by itself.
    pub pace: DedicatedPace,
    /// The behaviour of the simulator where Atlas' is not known.
    pub variants: DedicatedVariants,
}

impl DedicatedSettings {
    /// Returns the default, with one cluster in this project.
    pub(crate) fn of_project(project: &str) -> Self {
        let mut settings = Self::default();
        settings.add_cluster(project, DEFAULT_CLUSTER, &[]);
        settings
    }

    /// Adds a cluster in these regions, written as in [`DedicatedSettings::clusters`].
    pub fn add_cluster(&mut self, project: &str, cluster: &str, regions: &[&str]) {
        let regions = regions.iter().map(|region| (*region).to_owned()).collect();
        self.clusters.entry(project.to_owned()).or_default().insert(cluster.to_owned(), regions);
    }
}

/// The rhythm at which others register endpoints at every service that is ready, and delete them. Their VPC endpoints
/// exist. Without a rhythm those that are left are deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OthersRhythm {
    /// From one registration to the next, at each service; 0: none.
    #[serde(with = "seconds")]
    pub every: Duration,
    /// From a registration until others delete it.
    #[serde(with = "seconds")]
    pub stays: Duration,
    /// It is the same VPC endpoint each time, as soon as it is gone; otherwise always a new one.
    pub same_id: bool,
}

/// How long Atlas takes for what it does by itself. Changing it moves the ends of phases that are running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DedicatedPace {
    /// A service: `INITIATING` until it is ready.
    #[serde(with = "seconds")]
    pub creating: Duration,
    /// A service: `INITIATING` after a change of its remote regions.
    #[serde(with = "seconds")]
    pub changing: Duration,
    /// A service: `DELETING` until it is gone.
    #[serde(with = "seconds")]
    pub deleting_service: Duration,
    /// An endpoint: `PENDING_ACCEPTANCE`, or `INITIATING`.
    #[serde(with = "seconds")]
    pub accepting: Duration,
    /// An endpoint: `PENDING` on AWS, `VERIFIED` on Google Cloud; with 0 it is left out.
    #[serde(with = "seconds")]
    pub connecting: Duration,
    /// An endpoint: `DELETING` until it is gone.
    #[serde(with = "seconds")]
    pub deleting_endpoint: Duration,
    /// From the making of a VPC endpoint until a `REJECTED` endpoint is `AVAILABLE`; also where it is `FAILED`.
    #[serde(with = "seconds")]
    pub healing: Duration,
    /// From the deletion of a VPC endpoint until its endpoint is `REJECTED`; elsewhere, until it is `FAILED`.
    #[serde(with = "seconds")]
    pub noticing: Duration,
    /// A cluster: `UPDATING` after an endpoint became `AVAILABLE`, or is no more; then its strings show it.
    #[serde(with = "seconds")]
    pub updating: Duration,
    /// How old the state in a listing is: newer services are not visible yet, deleted ones still are.
    #[serde(with = "seconds")]
    pub list_lag: Duration,
}

impl Default for DedicatedPace {
    fn default() -> Self {
        Self::of(Duration::from_secs(2))
    }
}

impl DedicatedPace {
    /// This long for each phase of a service or endpoint, and no other delay.
    #[must_use]
    pub const fn of(phase: Duration) -> Self {
        Self {
            creating: phase,
            changing: phase,
            deleting_service: phase,
            accepting: phase,
            connecting: Duration::ZERO,
            deleting_endpoint: phase,
            healing: Duration::ZERO,
            noticing: Duration::ZERO,
            updating: Duration::ZERO,
            list_lag: Duration::ZERO,
        }
    }

    /// About what was recorded of Atlas: 148 s for a service, 90 s for the other phases.
    #[must_use]
    pub const fn recorded() -> Self {
        let phase = Duration::from_secs(90);
        Self { creating: Duration::from_secs(148), updating: phase, ..Self::of(phase) }
    }
}

/// One setting for each behaviour of Atlas that is not known. The default is the likeliest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DedicatedVariants {
    /// The statuses of successful writes.
    pub successes: SuccessStatuses,
    /// The names of the error codes.
    pub codes: CodeFamily,
    /// What the end of its last endpoint means for a service of AWS.
    pub last_endpoint: LastEndpoint,
    /// A service without an `AVAILABLE` endpoint is `WAITING_FOR_USER` instead of `AVAILABLE`.
    pub waiting_for_user: bool,
    /// A change of remote regions takes the service through `INITIATING`.
    pub change_is_visible: bool,
    /// PATCH of a service that is not ready.
    pub patch_early: RequestPolicy,
    /// The HTTP status of the errors about remote regions.
    pub remote_region_status: u16,
    /// POST of an endpoint that is `REJECTED` or `FAILED`. Accepted: it begins again.
    pub post_rejected: RequestPolicy,
    /// DELETE of a service that is `DELETING`.
    pub delete_service_again: RequestPolicy,
    /// DELETE of an endpoint that is `DELETING`.
    pub delete_endpoint_again: RequestPolicy,
    /// AWS: a `REJECTED` endpoint becomes `AVAILABLE` if its VPC endpoint is made later.
    pub rejected_heals: bool,
    /// An `AVAILABLE` endpoint whose VPC endpoint, private endpoint or forwarding rule was deleted in the cloud.
    pub lost_vpc_endpoint: LostVpcEndpoint,
    /// POST of a service so soon after another one of the same project is 400 "No Capacity".
    #[serde(with = "seconds")]
    pub no_capacity_within: Duration,
    /// What holds on Azure only.
    pub azure: AzureVariants,
    /// What holds on Google Cloud only.
    pub gcp: GcpVariants,
}

/// What is not known of Atlas on Azure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AzureVariants {
    /// What the end of its last endpoint means for a service.
    pub last_endpoint: LastEndpoint,
    /// A `FAILED` endpoint becomes `AVAILABLE` if its private endpoint is made later.
    pub failed_heals: bool,
    /// The response to POST of an endpoint has a status. The recorded one has none.
    pub creation_shows_status: bool,
}

impl Default for AzureVariants {
    fn default() -> Self {
        Self { last_endpoint: LastEndpoint::TakesService, failed_heals: false, creation_shows_status: false }
    }
}

/// What is not known of Atlas on Google Cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GcpVariants {
    /// What the end of its last endpoint means for a service.
    pub last_endpoint: LastEndpoint,
    /// A `FAILED` endpoint becomes `AVAILABLE` if its forwarding rules are made later.
    pub failed_heals: bool,
    /// What Atlas takes for the id of an endpoint of a port-mapped service. What is documented speaks for its forwarding rule's name,
    /// and clients send one name for both.
    pub port_mapped_key: PortMappedKey,
}

impl Default for GcpVariants {
    fn default() -> Self {
        Self {
            last_endpoint: LastEndpoint::TakesService,
            failed_heals: false,
            port_mapped_key: PortMappedKey::GroupName,
        }
    }
}

impl Default for DedicatedVariants {
    fn default() -> Self {
        Self {
            successes: SuccessStatuses::default(),
            codes: CodeFamily::Recorded,
            last_endpoint: LastEndpoint::TakesService,
            waiting_for_user: false,
            change_is_visible: true,
            patch_early: RequestPolicy::Conflict,
            remote_region_status: 400,
            post_rejected: RequestPolicy::Conflict,
            delete_service_again: RequestPolicy::Accept,
            delete_endpoint_again: RequestPolicy::Accept,
            rejected_heals: true,
            lost_vpc_endpoint: LostVpcEndpoint::Rejected,
            no_capacity_within: Duration::ZERO,
            azure: AzureVariants::default(),
            gcp: GcpVariants::default(),
        }
    }
}

impl DedicatedVariants {
    /// Returns whether an endpoint that Atlas could not connect heals on this provider.
    pub(crate) fn heals(&self, provider: CloudProvider) -> bool {
        match provider {
            CloudProvider::Aws => self.rejected_heals,
            CloudProvider::Azure => self.azure.failed_heals,
            CloudProvider::Gcp => self.gcp.failed_heals,
        }
    }

    /// Returns whether the response to POST of an endpoint has a status on this provider.
    pub(crate) fn creation_shows_status(&self, provider: CloudProvider) -> bool {
        provider != CloudProvider::Azure || self.azure.creation_shows_status
    }

    /// Returns what the end of its last endpoint means for a service of this provider.
    pub(crate) fn last_endpoint_of(&self, provider: CloudProvider) -> LastEndpoint {
        match provider {
            CloudProvider::Aws => self.last_endpoint,
            CloudProvider::Azure => self.azure.last_endpoint,
            CloudProvider::Gcp => self.gcp.last_endpoint,
        }
    }
}

/// The HTTP statuses of successful writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SuccessStatuses {
    /// POST of a service.
    pub create_service: u16,
    /// PATCH of a service: not recorded.
    pub update_service: u16,
    /// DELETE of a service.
    pub delete_service: u16,
    /// POST of an endpoint: not recorded.
    pub create_endpoint: u16,
    /// DELETE of an endpoint: not recorded.
    pub delete_endpoint: u16,
    /// PATCH of the regional mode.
    pub regional_mode: u16,
}

impl Default for SuccessStatuses {
    /// What was recorded, and for what was not, the same as its neighbour.
    fn default() -> Self {
        Self {
            create_service: 201,
            update_service: 200,
            delete_service: 202,
            create_endpoint: 201,
            delete_endpoint: 202,
            regional_mode: 202,
        }
    }
}

impl SuccessStatuses {
    /// What the documentation says.
    #[must_use]
    pub const fn documented() -> Self {
        Self {
            create_service: 200,
            update_service: 200,
            delete_service: 204,
            create_endpoint: 200,
            delete_endpoint: 204,
            regional_mode: 200,
        }
    }
}

/// The names of the error codes: only some of today's are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeFamily {
    /// Today's where they are known, else those of the documentation.
    Recorded,
    /// Those of the documentation: `PRIVATELINK_…`.
    Privatelink,
    /// `PRIVATE_ENDPOINT_…` for all. Those that are not known are invented.
    PrivateEndpoint,
}

/// What becomes of an endpoint whose VPC endpoint was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LostVpcEndpoint {
    /// `REJECTED`; on Azure and Google Cloud `FAILED`.
    Rejected,
    /// Still `AVAILABLE`.
    StaysAvailable,
}

/// What Atlas takes for the id of an endpoint of a port-mapped service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortMappedKey {
    /// Its `endpointGroupName`, as given.
    GroupName,
    /// The `endpointName` of its only forwarding rule; the group's name is ignored, as the documentation says.
    EndpointName,
}

/// What the end of its last endpoint means for a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LastEndpoint {
    /// The service is deleted, too.
    TakesService,
    /// The service is deleted, too, if that endpoint was ever `AVAILABLE`.
    TakesServiceIfConnected,
    /// The service stays.
    LeavesService,
}
