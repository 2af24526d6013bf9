//! What somebody else does in Atlas on request: with its keys and phases, and refused as a client would be. Never sends a
//! request: the journal holds those of clients only.

use std::time::Duration;

use super::{
    others::{OthersAction, begin_deletion},
    project::{DedicatedState, ProjectCourse, ServiceCourse},
    region,
    service::{AtlasService, ServicePhase},
};
use crate::{control_json::ControlError, timeline::ChangeCause};

impl ProjectCourse {
    /// Returns the life of the present service of this region.
    fn of_region(&mut self, region: &str) -> Option<&mut ServiceCourse> {
        let is_it = |life: &&mut ServiceCourse| {
            life.service.now().is_some_and(|service| service.region_name == region)
        };
        self.lives.iter_mut().find(is_it)
    }
}

impl DedicatedState {
    /// Does what somebody else does, and returns the id of the service. The state is up to date.
    pub(crate) fn act(
        &mut self,
        now: Duration,
        (project, region): (&str, &str),
        action: &OthersAction,
    ) -> Result<String, ControlError> {
        let Some(region) = region::in_atlas_form(region) else {
            return Err((400, format!("{region} is not a region of AWS")));
        };
        let Self { projects, cloud } = self;
        let course = projects.entry(project.to_owned()).or_default();
        let Some(life) = course.of_region(&region) else {
            if *action != OthersAction::CreateService {
                return Err((
                    404,
                    format!("there is no service of {region}: GET /control/services lists them"),
                ));
            }
            let service = AtlasService::requested(&region);
            let id = service.id.clone();
            course.add(project, service, (now, ChangeCause::OutOfBand), Vec::new());
            return Ok(id);
        };
        let (id, refused) = (life.id.clone(), |why: String| Err((409, why)));
        let Some(service) = life.service.now().cloned() else {
            return Err((404, format!("there is no service {id}")));
        };
        match action {
            OthersAction::CreateService => refused(format!("{id} is the service of {region} already")),
            OthersAction::DeleteService if life.present().next().is_some() => {
                refused(format!("{id} has endpoints"))
            }
            OthersAction::DeleteService => {
                if service.status != ServicePhase::Deleting {
                    let deleting = AtlasService { status: ServicePhase::Deleting, ..service };
                    life.change_service(now, ChangeCause::OutOfBand, Some(deleting));
                }
                Ok(id)
            }
            OthersAction::RegisterEndpoint(vpc) => {
                let name = service.service_name.as_ref().filter(|_| service.is_ready());
                let Some(name) = name else { return refused(format!("{id} accepts no endpoints")) };
                if !life.insert_endpoint(now, vpc) {
                    return refused(format!("{vpc} is registered already"));
                }
                if cloud.get(vpc).is_none_or(|found| found.deleted_at.is_some()) {
                    cloud.make(now, vpc, name, None);
                }
                Ok(id)
            }
            OthersAction::DeleteEndpoint(vpc) => match life.endpoint_mut(vpc) {
                Some(found) => {
                    begin_deletion(now, &mut found.endpoint);
                    Ok(id)
                }
                None => Err((404, format!("there is no endpoint {vpc} at {id}"))),
            },
        }
    }

    /// Lets the rhythm begin anew.
    pub(crate) fn restart_rhythm(&mut self, now: Duration) {
        for project in self.projects.values_mut() {
            project.rhythm_from = now;
        }
    }
}
