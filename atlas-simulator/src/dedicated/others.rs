//! The others that use a project: what they can do, and the rhythm at which their endpoints come and go.
//!
//! Pure: time is a parameter. Never changes a service or an endpoint of clients: `others_act` does that, on request.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    course::Course, endpoint::AtlasEndpoint, phase::EndpointPhase, provider::CloudProvider,
    service::AtlasService, settings::OthersRhythm,
};
use crate::timeline::ChangeCause;

/// How the resource ids of others' private endpoints begin.
const OF_OTHERS: &str =
    "/subscriptions/0/resourceGroups/others/providers/Microsoft.Network/privateEndpoints/";

/// What somebody else does at the endpoint service of a region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OthersAction {
    /// Creates the service: `INITIATING`.
    CreateService,
    /// Deletes the service: `DELETING`. Atlas refuses it while endpoints are registered.
    DeleteService,
    /// Registers an endpoint, by its id in Atlas. What it stands for in the cloud is made unless it exists.
    RegisterEndpoint(String),
    /// Deletes an endpoint: `DELETING`. The last one may take the service.
    DeleteEndpoint(String),
}

/// A step of the rhythm.
#[derive(Debug)]
pub(super) enum RhythmStep {
    Register,
    Delete(usize),
}

impl OthersRhythm {
    /// Returns the next step at a service, and when it is due. `from` is when the rhythm was set, and `lives` are those of
    /// its endpoints at this service, with their positions.
    pub(super) fn step<'a>(
        self,
        from: Duration,
        service: &Course<AtlasService>,
        lives: impl Iterator<Item = (usize, &'a Course<AtlasEndpoint>)> + Clone,
    ) -> Option<(Duration, RhythmStep)> {
        let leaves = |(index, life): (usize, &Course<AtlasEndpoint>)| {
            let stays = life.now()?.status != EndpointPhase::Deleting;
            stays.then_some((life.created_at() + self.stays, RhythmStep::Delete(index)))
        };
        let last = lives.clone().map(|(_, life)| life.created_at()).max();
        let is_there = lives.clone().any(|(_, life)| life.now().is_some());
        let comes = service.now()?.is_ready() && !self.every.is_zero() && !(self.same_id && is_there);
        let since = from.max(service.since()).max(last.unwrap_or_default());
        let register = comes.then_some((since + self.every, RhythmStep::Register));
        lives.filter_map(leaves).chain(register).min_by_key(|(due, _)| *due)
    }

    /// Returns the id of the endpoint that is registered next, after so many at this service.
    pub(super) fn next_id(self, service: &AtlasService, before: usize) -> String {
        let number = if self.same_id { 0 } else { before };
        let unique = format!("0{}{number:08x}", service.id.get(16..).unwrap_or_default());
        match service.provider() {
            CloudProvider::Aws => format!("vpce-{unique}"),
            CloudProvider::Azure => format!("{OF_OTHERS}{unique}"),
            CloudProvider::Gcp => format!("others-{unique}"),
        }
    }
}

/// Lets others begin the deletion of an endpoint.
pub(super) fn begin_deletion(at: Duration, endpoint: &mut Course<AtlasEndpoint>) {
    let Some(present) = endpoint.now().filter(|present| present.status != EndpointPhase::Deleting) else {
        return;
    };
    let mut deleting = present.clone();
    deleting.enter(EndpointPhase::Deleting);
    endpoint.change(at, ChangeCause::OutOfBand, Some(deleting));
}
