//! What has to hold of a life, whatever the fault: of the objects at the end of each part, and of everything that ever was in Atlas.

use atlas_simulator::{ChangeCause, EndpointPhase, JournalEntry, Operation, ServiceCourse};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde_json::Value;
use test_support::dedicated::{DedicatedFixture, FOREIGN_VPC_ENDPOINT, REGION};

use super::{ENDPOINT, LifeOrder, OUTPUT, SERVICE};
use crate::{NEXT_VPC, VPC};

const CLAIM: &str = "atlas.spe-operator.io/claim";

/// What is wrong, in sentences.
#[derive(Debug, Default)]
pub(crate) struct LifeVerdict {
    pub(crate) wrong: Vec<String>,
}

impl LifeVerdict {
    fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(what());
        }
    }

    /// Checks the service object, once it is Ready. Without any fault it `is_clean`.
    pub(crate) async fn service(&mut self, fixture: &DedicatedFixture, is_clean: bool) {
        let object = fixture.services.get(SERVICE).await;
        self.entry(&object, is_clean);
        let ids: Vec<_> = own(fixture).into_iter().map(|course| course.id).collect();
        self.expect(ids.len() == 1 && object["status"]["serviceId"] == *ids[0], || {
            format!("the service object records {} of {ids:?}", object["status"]["serviceId"])
        });
    }

    /// Checks the endpoint object, once it is Ready with this VPC endpoint.
    pub(crate) async fn endpoint(&mut self, fixture: &DedicatedFixture, vpc: &str, is_clean: bool) {
        let object = fixture.endpoints.get(ENDPOINT).await;
        self.entry(&object, is_clean);
        let status = &object["status"];
        self.expect(status["endpointId"] == vpc, || format!("the endpoint object records {status:#}"));
        let superseded = status["superseded"].as_array().map_or(0, Vec::len);
        self.expect(superseded == 0, || format!("it still records a former endpoint: {status:#}"));
        let strings = status["connectionStrings"].as_array().map_or(0, Vec::len);
        self.expect(strings == 1, || format!("it shows {strings} connection strings"));
        if object["spec"]["outputConfigMap"]["name"] == OUTPUT {
            self.output(fixture, &object).await;
        }
        let lives = own(fixture).into_iter().flat_map(|course| course.endpoints);
        let mut present: Vec<_> = lives.filter_map(|life| life.endpoint.now().cloned()).collect();
        present.retain(|endpoint| endpoint.id != FOREIGN_VPC_ENDPOINT);
        let is_declared = present.len() == 1 && present[0].id == vpc;
        self.expect(is_declared && present[0].status == EndpointPhase::Available, || {
            format!("Atlas has {present:?}")
        });
    }

    /// Checks the output ConfigMap of the endpoint object: it is written before the status is.
    async fn output(&mut self, fixture: &DedicatedFixture, object: &Value) {
        let client = fixture.base.control_plane.client().await.unwrap();
        let maps: Api<ConfigMap> = Api::namespaced(client, &fixture.base.namespace);
        let data = maps.get_opt(OUTPUT).await.unwrap().and_then(|map| map.data).unwrap_or_default();
        let status = &object["status"];
        let holds = |key: &str, value: &Value| data.get(key).is_some_and(|held| value == held);
        let is_right = holds("serviceId", &status["serviceId"])
            && holds("endpointId", &status["endpointId"])
            && holds("srv_orders", &status["connectionStrings"][0]["srv"]);
        self.expect(is_right, || format!("the output holds {data:?}: {status:#}"));
    }

    /// Checks what the status records. What is known to be created is settled.
    fn entry(&mut self, object: &Value, is_clean: bool) {
        let (status, kind) = (&object["status"], &object["kind"]);
        let provenance = status["provenance"].as_str().unwrap_or_default();
        let expected = if is_clean { &["Created"][..] } else { &["Created", "Unproven"] };
        self.expect(expected.contains(&provenance), || format!("{kind} is {provenance}"));
        self.expect(status["recordedBy"] == object["metadata"]["uid"], || format!("{kind}: {status:#}"));
        let claim = object["metadata"]["annotations"][CLAIM].as_str().unwrap_or_default();
        let is_settled = claim.split('/').nth(2).is_some_and(|nonce| status["settledClaim"] == nonce);
        self.expect(is_settled || !is_clean, || format!("{kind}: claim {claim} is open: {status:#}"));
    }

    /// Checks everything that ever was in Atlas, once both objects are gone.
    pub(crate) fn end(&mut self, fixture: &DedicatedFixture, order: LifeOrder) {
        self.foreign(fixture);
        let courses = own(fixture);
        self.expect(courses.len() == 1, || format!("not one service: {courses:#?}"));
        let Some(course) = courses.first() else { return };
        self.expect(course.service.now().is_none(), || format!("it is still there: {:?}", course.service));
        let ids = if order == LifeOrder::Together { &[VPC, NEXT_VPC][..] } else { &[VPC] };
        for id in ids {
            let lives: Vec<_> = course.endpoints.iter().filter(|one| one.id == *id).collect();
            self.expect(lives.len() == 1 && lives[0].endpoint.now().is_none(), || {
                format!("not one life of {id}: {lives:#?}")
            });
        }
        let others = course.endpoints.iter().filter(|one| !ids.contains(&one.id.as_str()));
        self.expect(others.clone().all(|one| one.id == FOREIGN_VPC_ENDPOINT), || {
            format!("endpoints that nobody declared: {:#?}", others.collect::<Vec<_>>())
        });
        if order == LifeOrder::Together {
            self.replaced_after_its_successor(course);
        }
        let journal = fixture.base.atlas.journal();
        self.requests(&journal, course, ids);
    }

    /// What others have in the project is as they made it.
    fn foreign(&mut self, fixture: &DedicatedFixture) {
        let is_foreign = |cause: ChangeCause| matches!(cause, ChangeCause::OutOfBand | ChangeCause::Progress);
        for course in fixture.base.atlas.service_courses() {
            if course.service.points.first().is_some_and(|point| point.cause == ChangeCause::OutOfBand) {
                let service = &course.service;
                let untouched = service.points.iter().all(|point| is_foreign(point.cause));
                self.expect(untouched && service.now().is_some(), || format!("touched: {service:?}"));
            }
            for one in course.endpoints.iter().filter(|one| one.id == FOREIGN_VPC_ENDPOINT) {
                let untouched = one.endpoint.points.iter().all(|point| is_foreign(point.cause));
                self.expect(untouched, || format!("touched: {one:?}"));
            }
        }
    }

    /// The former endpoint was served until the declared one was AVAILABLE.
    fn replaced_after_its_successor(&mut self, course: &ServiceCourse) {
        let points = |id: &str| {
            let life = course.endpoints.iter().find(|one| one.id == id);
            life.map(|life| life.endpoint.points.clone()).unwrap_or_default()
        };
        let is_available = |state: &Option<atlas_simulator::AtlasEndpoint>| {
            state.as_ref().is_some_and(|state| state.status == EndpointPhase::Available)
        };
        let available = points(NEXT_VPC).into_iter().find(|point| is_available(&point.state));
        let removed = points(VPC).into_iter().find(|point| point.cause == ChangeCause::Deleted);
        let holds = available.zip(removed).is_some_and(|(available, removed)| available.at <= removed.at);
        self.expect(holds, || format!("broken before made: {course:#?}"));
    }

    /// Each thing was created once, and nothing was deleted that the objects did not record.
    fn requests(&mut self, journal: &[JournalEntry], course: &ServiceCourse, ids: &[&str]) {
        let of = |operation: Operation| {
            journal.iter().filter(move |entry| entry.is(operation) && entry.challenged.is_none())
        };
        let succeeded = |operation: Operation| of(operation).filter(|entry| entry.executed()).count();
        let created = (succeeded(Operation::CreateService), succeeded(Operation::CreateEndpoint));
        self.expect(created == (1, ids.len()), || format!("{created:?} POSTs were executed: {journal:#?}"));
        let foreign_services = of(Operation::DeleteService).filter(|entry| !entry.path.ends_with(&course.id));
        let foreign_endpoints =
            of(Operation::DeleteEndpoint).filter(|entry| !ids.iter().any(|id| entry.path.ends_with(id)));
        let wrong: Vec<_> = foreign_services.chain(foreign_endpoints).collect();
        self.expect(wrong.is_empty(), || format!("DELETEs of what was not recorded: {wrong:#?}"));
    }
}

/// The lives of the services that clients created in the region.
fn own(fixture: &DedicatedFixture) -> Vec<ServiceCourse> {
    let mut courses = fixture.base.atlas.service_courses();
    courses.retain(|course| {
        let created = course.service.points.first().filter(|point| point.cause == ChangeCause::Created);
        created.and_then(|point| point.state.as_ref()).is_some_and(|service| service.region_name == REGION)
    });
    courses
}
