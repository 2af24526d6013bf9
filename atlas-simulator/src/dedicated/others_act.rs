//! What somebody else does in Atlas on request: with its keys and phases, and refused as a client would be. Never sends a
//! request: the journal holds those of clients only.

use std::time::Duration;

use super::{
    others::{OthersAction, begin_deletion},
    phase::ServicePhase,
    project::{DedicatedState, ProjectCourse, ServiceCourse},
    service::{AtlasService, ServicePlace},
};
use crate::{control_json::ControlError, timeline::ChangeCause};

impl ProjectCourse {
    /// Returns the life of the present service at this place.
    fn at_place(&mut self, place: &ServicePlace) -> Option<&mut ServiceCourse> {
        let is_it =
            |life: &&mut ServiceCourse| life.service.now().is_some_and(|service| service.place() == *place);
        self.lives.iter_mut().find(is_it)
    }
}

impl DedicatedState {
    /// Does what somebody else does, and returns the id of the service. The state is up to date.
    pub(crate) fn act(
        &mut self,
        now: Duration,
        (project, place): (&str, ServicePlace),
        action: &OthersAction,
    ) -> Result<String, ControlError> {
        let unknown = || (400, format!("{} is not a region of {}", place.region, place.provider.name()));
        let place = place.known().ok_or_else(unknown)?;
        let region = &place.region;
        let Self { projects, cloud } = self;
        let course = projects.entry(project.to_owned()).or_default();
        let Some(life) = course.at_place(&place) else {
            if *action != OthersAction::CreateService {
                return Err((
                    404,
                    format!("there is no service of {region}: GET /control/services lists them"),
                ));
            }
            let service = AtlasService::requested(place);
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
            OthersAction::RegisterEndpoint(_) if !service.is_ready() => {
                refused(format!("{id} accepts no endpoints"))
            }
            OthersAction::RegisterEndpoint(endpoint) => match life.insert_endpoint(now, endpoint) {
                Some(inserted) => {
                    cloud.make_for(now, &inserted, &service);
                    Ok(id)
                }
                None => refused(format!("{endpoint} is registered already")),
            },
            OthersAction::DeleteEndpoint(endpoint) => match life.endpoint_mut(endpoint) {
                Some(found) => {
                    begin_deletion(now, &mut found.endpoint);
                    Ok(id)
                }
                None => Err((404, format!("there is no endpoint {endpoint} at {id}"))),
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
