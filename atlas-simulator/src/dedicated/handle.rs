//! The typed handle's functions for dedicated clusters: what others do in Atlas and in the user's cloud, and all that was.

use std::time::Duration;

use crate::{endpoint::Deviation, simulator::Simulator, state::SimulatorState, timeline::ChangeCause};

use super::{
    endpoint::{AtlasEndpoint, forwarding_rule},
    others::OthersAction,
    project::{DedicatedState, ServiceCourse},
    provider::CloudProvider,
    service::{AtlasService, ServicePlace},
    settings::{DedicatedPace, DedicatedSettings, OthersRhythm},
};

impl Simulator {
    /// Runs a function on the state of dedicated clusters, which is up to date.
    fn with_dedicated<T>(
        &self,
        run: impl FnOnce(&mut DedicatedState, &DedicatedSettings, Duration) -> T,
    ) -> T {
        let (mut state, now) = self.shared.lock();
        state.advance(now);
        let SimulatorState { dedicated, settings, .. } = &mut *state;
        run(dedicated, &settings.dedicated, now)
    }

    /// Sets the pace of dedicated clusters; it also holds for phases that are running.
    pub fn set_dedicated_pace(&self, pace: DedicatedPace) {
        self.configure(|settings| settings.dedicated.pace = pace);
    }

    /// Sets the regional mode of a project: with it, services in several regions have more than one endpoint each.
    pub fn set_regional_mode(&self, project: &str, enabled: bool) {
        self.with_dedicated(|state, settings, now| {
            state.project(now, project, settings).regional_mode = enabled;
        });
    }

    /// Returns the life of every service so far, project by project in the order of creation.
    #[must_use]
    pub fn service_courses(&self) -> Vec<ServiceCourse> {
        self.with_dedicated(|state, _, _| {
            state.projects.values().flat_map(|project| project.lives.clone()).collect()
        })
    }

    /// Returns the life of the service with this id, present or past.
    #[must_use]
    pub fn service_course(&self, id: &str) -> Option<ServiceCourse> {
        self.service_courses().into_iter().find(|life| life.id == id)
    }

    /// Returns the present services of a project, in the order of creation.
    #[must_use]
    pub fn services(&self, project: &str) -> Vec<AtlasService> {
        let all = self.service_courses().into_iter().filter(|life| life.project == project);
        all.filter_map(|life| life.service.now().cloned()).collect()
    }

    /// Returns the service with this id, if it exists.
    #[must_use]
    pub fn service(&self, id: &str) -> Option<AtlasService> {
        self.service_course(id)?.service.now().cloned()
    }

    /// Returns the present endpoints of a service, in the order of registration.
    #[must_use]
    pub fn registered_endpoints(&self, service: &str) -> Vec<AtlasEndpoint> {
        self.service_course(service).map_or_else(Vec::new, |life| life.present().cloned().collect())
    }

    /// Inserts a service into a project out of band and returns its id.
    #[allow(clippy::must_use_candidate, reason = "the id is a convenience, not the purpose")]
    pub fn insert_service(&self, project: &str, service: AtlasService) -> String {
        let id = service.id.clone();
        self.with_dedicated(|state, _, now| state.insert(now, project, service));
        id
    }

    /// Edits a service out of band; `false` if there is none with this id.
    #[must_use]
    pub fn edit_service(&self, id: &str, edit: impl FnOnce(&mut AtlasService)) -> bool {
        self.with_dedicated(|state, _, now| {
            let Some(life) = state.life_mut(id) else { return false };
            let Some(mut service) = life.service.now().cloned() else { return false };
            edit(&mut service);
            life.change_service(now, ChangeCause::OutOfBand, Some(service));
            true
        })
    }

    /// Removes a service and its endpoints at once; `false` if there is none with this id.
    #[must_use]
    pub fn remove_service(&self, id: &str) -> bool {
        self.with_dedicated(|state, _, now| {
            let Some(life) = state.life_mut(id) else { return false };
            life.change_service(now, ChangeCause::OutOfBand, None);
            true
        })
    }

    /// Gives an existing service another course; `false` if there is none with this id.
    #[must_use]
    pub fn add_service_deviation(&self, id: &str, deviation: Deviation) -> bool {
        self.with_dedicated(|state, _, _| {
            let Some(life) = state.life_mut(id) else { return false };
            life.service.deviations.push(deviation);
            true
        })
    }

    /// Registers an endpoint at a service out of band, by its id in Atlas; `false` if there is no such service, or the endpoint is
    /// there. Whatever else it needs on its provider is made up.
    #[must_use]
    pub fn register_endpoint(&self, service: &str, id: &str) -> bool {
        self.with_dedicated(|state, _, now| {
            state.life_mut(service).is_some_and(|life| life.insert_endpoint(now, id).is_some())
        })
    }

    /// Edits an endpoint of a service out of band; `false` if there is none with this id.
    #[must_use]
    pub fn edit_registered_endpoint(
        &self,
        service: &str,
        id: &str,
        edit: impl FnOnce(&mut AtlasEndpoint),
    ) -> bool {
        self.with_dedicated(|state, settings, now| {
            let Some(life) = state.life_mut(service) else { return false };
            life.edit_endpoint(now, id, settings, |mut endpoint| {
                edit(&mut endpoint);
                Some(endpoint)
            })
        })
    }

    /// Removes an endpoint from a service at once; `false` if there is none with this id. The end of the last one may be
    /// that of the service.
    #[must_use]
    pub fn remove_registered_endpoint(&self, service: &str, id: &str) -> bool {
        self.with_dedicated(|state, settings, now| {
            state.life_mut(service).is_some_and(|life| life.edit_endpoint(now, id, settings, |_| None))
        })
    }

    /// Gives an existing endpoint of a service another course; `false` if there is none with this id.
    #[must_use]
    pub fn add_endpoint_deviation(&self, service: &str, id: &str, deviation: Deviation) -> bool {
        self.with_dedicated(|state, _, _| {
            let found = state.life_mut(service).and_then(|life| life.endpoint_mut(id));
            found.map(|found| found.endpoint.deviations.push(deviation)).is_some()
        })
    }

    /// Does what somebody else does at the service of a place, such as a region of AWS, and returns the id of the service; `None` if
    /// Atlas refuses it. The change takes Atlas' phases, and no request is in the journal.
    #[allow(clippy::must_use_candidate, reason = "the id is a convenience, not the purpose")]
    pub fn others(
        &self,
        project: &str,
        place: impl Into<ServicePlace>,
        action: &OthersAction,
    ) -> Option<String> {
        self.with_dedicated(|state, _, now| state.act(now, (project, place.into()), action).ok())
    }

    /// Lets endpoints of others come and go from now on.
    pub fn set_others(&self, rhythm: OthersRhythm) {
        self.configure(|settings| settings.dedicated.others = rhythm);
    }

    /// Makes a VPC endpoint in the user's account, for the service of this name and in its region.
    pub fn make_vpc_endpoint(&self, id: &str, service_name: &str) {
        self.make_cloud_endpoint(CloudProvider::Aws, id, service_name, None);
    }

    /// Makes a VPC endpoint in another region than that of its service.
    pub fn make_remote_vpc_endpoint(&self, id: &str, service_name: &str, region: &str) {
        self.make_cloud_endpoint(CloudProvider::Aws, id, service_name, Some(region));
    }

    /// Makes a private endpoint in the user's subscription of Azure, for the private link service of this resource id.
    pub fn make_private_endpoint(&self, id: &str, private_link_service: &str) {
        self.make_cloud_endpoint(CloudProvider::Azure, id, private_link_service, None);
    }

    /// Makes a forwarding rule in the user's project of Google Cloud, for this service attachment and in its region. Returns its id in
    /// the cloud.
    #[allow(clippy::must_use_candidate, reason = "the id is a convenience, not the purpose")]
    pub fn make_forwarding_rule(&self, project: &str, name: &str, service_attachment: &str) -> String {
        let id = forwarding_rule(project, service_attachment.split('/').nth(3).unwrap_or_default(), name);
        self.make_cloud_endpoint(CloudProvider::Gcp, &id, service_attachment, None);
        id
    }

    fn make_cloud_endpoint(
        &self,
        provider: CloudProvider,
        id: &str,
        service_name: &str,
        region: Option<&str>,
    ) {
        self.with_dedicated(|state, _, now| state.cloud.make(now, (provider, id), service_name, region));
    }

    /// Deletes a VPC endpoint, a private endpoint of Azure or a forwarding rule from the user's account; `false` if there is none with
    /// this id.
    #[must_use]
    pub fn delete_cloud_endpoint(&self, id: &str) -> bool {
        self.with_dedicated(|state, _, now| state.cloud.delete(now, id))
    }

    /// Deletes all that an endpoint of a service stands for in the cloud; `false` if there is nothing.
    #[must_use]
    pub fn delete_cloud_endpoints_of(&self, service: &str, endpoint: &str) -> bool {
        self.with_dedicated(|state, _, now| {
            let DedicatedState { projects, cloud } = state;
            let Some(life) = projects.values_mut().find_map(|project| project.life_mut(service)) else {
                return false;
            };
            let region = life.service.now().map(|service| service.region_name.clone()).unwrap_or_default();
            let found = life.present().find(|present| present.id == endpoint);
            let ids = found.map(|found| found.cloud_ids(&region)).unwrap_or_default();
            ids.iter().filter(|id| cloud.delete(now, id)).count() > 0
        })
    }

    /// Deletes a VPC endpoint from the user's account; `false` if there is none with this id.
    #[must_use]
    pub fn delete_vpc_endpoint(&self, id: &str) -> bool {
        self.delete_cloud_endpoint(id)
    }
}
