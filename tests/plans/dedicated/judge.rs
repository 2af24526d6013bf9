//! The invariants of every run with services and endpoints of dedicated clusters, whatever its faults: W1 to W7, and of L what remains.
//!
//! It never inspects the operator: only what is visible from outside is judged. That all comes to its end, the plans check.

use std::collections::BTreeSet;
use std::time::Duration;

use atlas_simulator::{ChangeCause, Course, EndpointCourse, EndpointPhase, ServiceCourse, ServicePhase};

use super::claims::{AcceptedWriteClaim, SentWrite, WriteTarget};
use super::conditions;
use super::objects::{JudgedObject, RecordedLife, recorded};
use super::picture::is_foreign;
use super::writes::{ClaimedRequest, claimed, one_at_a_time, repeated};
use crate::record::Record;

/// By how much a version may be observed too late.
const LAG: Duration = Duration::from_millis(300);

/// Everything that is judged of one run.
pub(super) struct JudgedRun<'a> {
    pub(super) record: &'a Record,
    pub(super) objects: Vec<JudgedObject<'a>>,
    pub(super) claims: Vec<AcceptedWriteClaim>,
    pub(super) writes: Vec<SentWrite>,
}

/// Returns the violations of a run; none if it is correct.
pub(crate) fn faults_of(record: &Record) -> Vec<String> {
    let mut wrong = Vec::new();
    let run = JudgedRun {
        record,
        objects: JudgedObject::all(&record.versions),
        claims: AcceptedWriteClaim::all(record),
        writes: SentWrite::all(record),
    };
    let requests = claimed(&run, &mut wrong);
    one_at_a_time(&run, &requests, &mut wrong);
    repeated(&requests, &mut wrong);
    for request in &requests {
        in_its_life(request, &mut wrong);
        permitted(&run, request, &mut wrong);
        used_by_nobody(&run, request, &mut wrong);
        right_life(record, request, &mut wrong);
    }
    one_writer(&requests, &mut wrong);
    for object in &run.objects {
        provenance(&run, &requests, object, &mut wrong);
        held(object, &mut wrong);
        words(record, object, &mut wrong);
    }
    foreign(&run, &mut wrong);
    lives(&run, &mut wrong);
    wrong
}

/// W4: nothing takes effect after its object was released.
fn in_its_life(request: &ClaimedRequest<'_>, wrong: &mut Vec<String>) {
    let ClaimedRequest { write, object, .. } = request;
    let executed_at = write.executed_at.filter(|at| object.gone_at().is_some_and(|gone_at| gone_at < *at));
    if let Some(executed_at) = executed_at {
        let gone_at = object.gone_at();
        wrong.push(format!(
            "W4: the {write} took effect at {executed_at:?}, and {} was released at {gone_at:?}",
            object.name()
        ));
    }
}

/// W1 and W2: nothing is deleted that the object never named, nor what it did not create, unless the user said so.
fn permitted(run: &JudgedRun<'_>, request: &ClaimedRequest<'_>, wrong: &mut Vec<String>) {
    let ClaimedRequest { write, object, .. } = request;
    let (service, endpoint) = match &write.what {
        WriteTarget::DeleteService(service) => (service, None),
        WriteTarget::DeleteEndpoint(service, id) => (service, Some(id)),
        WriteTarget::CreateService(_, region) => {
            if !object.declares_region(region) {
                wrong.push(format!("W2: the {write} is not declared by {}", object.name()));
            }
            return;
        }
        WriteTarget::CreateEndpoint(_, id) => {
            if !object.has_ever("/spec/aws/id", id) {
                wrong.push(format!("W2: the {write} is not declared by {}", object.name()));
            }
            return;
        }
    };
    let endpoint = endpoint.map(String::as_str);
    if object.is_service() == endpoint.is_some() || !object.names(service, endpoint) {
        wrong.push(format!("W2: the {write} is about what {} never named", object.name()));
    }
    let is_own = match endpoint {
        None => run.creates(service, object.uid),
        Some(id) => has_own_life(run.record, service, id),
    };
    if !is_own && !object.has_ever("/spec/deletionPolicy", "Delete") {
        wrong.push(format!("W1: the {write} is about what {} did not create", object.name()));
    }
    if object.has_ever("/spec/deletionPolicy", "Retain") {
        wrong.push(format!("W1: the {write} is about what {} retains", object.name()));
    }
}

impl JudgedRun<'_> {
    /// Returns whether Atlas responded to a POST of this object that it created the service.
    fn creates(&self, service: &str, uid: &str) -> bool {
        self.writes.iter().any(|write| {
            let is_it = write.is_answered() && write.created.as_deref() == Some(service);
            is_it && self.claim_of(write).is_some_and(|claim| claim.uid == uid)
        })
    }

    /// Returns the claim of the process under which it sent the write.
    pub(super) fn claim_of(&self, write: &SentWrite) -> Option<&AcceptedWriteClaim> {
        let target = write.what.claimed();
        let is_before = |claim: &&AcceptedWriteClaim| {
            claim.process == write.process && claim.target == target && claim.responded <= write.at
        };
        self.claims.iter().filter(is_before).max_by_key(|claim| claim.sent)
    }
}

/// Returns whether the operators created a life of this endpoint.
fn has_own_life(record: &Record, service: &str, id: &str) -> bool {
    own_lives(record).any(|(course, life)| course.id == service && life.id == id)
}

/// Returns the lives of endpoints that the operators created.
fn own_lives(record: &Record) -> impl Iterator<Item = (&ServiceCourse, &EndpointCourse)> {
    let all =
        record.courses.iter().flat_map(|course| course.endpoints.iter().map(move |life| (course, life)));
    all.filter(|(_, life)| {
        life.endpoint.points.first().is_some_and(|point| point.cause == ChangeCause::Created)
    })
}

/// W7: nothing is deleted that a living object declares, and nothing before its replacement is there.
fn used_by_nobody(run: &JudgedRun<'_>, request: &ClaimedRequest<'_>, wrong: &mut Vec<String>) {
    let ClaimedRequest { write, object, .. } = request;
    let Some(executed_at) = write.executed_at.filter(|_| !write.what.is_create()) else { return };
    for other in &run.objects {
        let Some(living) =
            other.living_at(executed_at + LAG).filter(|_| other.living_at(executed_at).is_some())
        else {
            continue;
        };
        let uses = match &write.what {
            WriteTarget::DeleteEndpoint(_, id) => living["spec"]["aws"]["id"] == **id,
            WriteTarget::DeleteService(service) => {
                let records = recorded(living).iter().any(|life| life.service == service);
                (other.is_service() && living["status"]["serviceId"] == **service) || records
            }
            _ => false,
        };
        if uses {
            wrong.push(format!("W7: the {write} took effect, and {} names that", other.name()));
        }
    }
    let WriteTarget::DeleteEndpoint(service, _) = &write.what else { return };
    let Some(living) = object.living_at(executed_at + LAG) else { return };
    let declared = living["spec"]["aws"]["id"].as_str().unwrap_or_default();
    let course = run.record.courses.iter().find(|course| course.id == *service);
    let is_served = course.is_some_and(|course| {
        let mut lives = course.endpoints.iter().filter(|life| life.id == declared);
        lives.any(|life| {
            life.endpoint.at(executed_at).is_some_and(|state| state.status == EndpointPhase::Available)
        })
    });
    if !is_served {
        wrong.push(format!("W7: the {write} took effect before {declared} was AVAILABLE"));
    }
}

/// W3: a DELETE hits no life that began after its claim.
fn right_life(record: &Record, request: &ClaimedRequest<'_>, wrong: &mut Vec<String>) {
    let ClaimedRequest { write, claim, .. } = request;
    let (WriteTarget::DeleteEndpoint(service, id), Some(executed_at)) = (&write.what, write.executed_at)
    else {
        return;
    };
    let courses = record.courses.iter().filter(|course| course.id == *service);
    let lives = courses.flat_map(|course| &course.endpoints).filter(|life| life.id == *id);
    let created_at = lives.map(|life| life.endpoint.created_at()).filter(|at| *at <= executed_at).max();
    if created_at.is_some_and(|created_at| created_at > claim.sent) {
        wrong.push(format!("W3: the {write}, claimed at {:?}, hit a life of {created_at:?}", claim.sent));
    }
}

/// W5: one object a key writes: the next one begins when the former one is gone.
fn one_writer(requests: &[ClaimedRequest<'_>], wrong: &mut Vec<String>) {
    for (n, later) in requests.iter().enumerate() {
        for former in &requests[..n] {
            let is_same = former.write.key() == later.write.key() && former.object.uid != later.object.uid;
            if is_same && former.object.gone_at().is_none_or(|gone_at| gone_at > later.write.at + LAG) {
                let (one, other) = (former.object.name(), later.object.name());
                wrong.push(format!("W5: the {} is of {other}, and {one} writes there", later.write));
            }
        }
    }
}

impl SentWrite {
    /// Returns the key that it writes to.
    fn key(&self) -> (&str, &str) {
        match &self.what {
            WriteTarget::CreateService(project, region) => (project, region),
            WriteTarget::DeleteService(service) => (service, ""),
            WriteTarget::CreateEndpoint(service, id) | WriteTarget::DeleteEndpoint(service, id) => {
                (service, id)
            }
        }
    }
}

/// W6: what a status says of how the object came to a life is right.
fn provenance(
    run: &JudgedRun<'_>,
    requests: &[ClaimedRequest<'_>],
    object: &JudgedObject<'_>,
    wrong: &mut Vec<String>,
) {
    let mut found = BTreeSet::new();
    let mut last = Vec::new();
    for seen in object.versions().filter(|seen| !seen.is_end) {
        last = recorded(&seen.object);
        for life in &last {
            let posts = requests
                .iter()
                .filter(|request| request.object.uid == life.recorded_by && is_post_of(request.write, life));
            let is_right = match life.provenance {
                "Created" => posts.clone().any(|post| post.write.is_answered()),
                "Unproven" => posts.clone().next().is_some(),
                _ => is_of_others(run.record, life),
            };
            let RecordedLife { service, endpoint, provenance, .. } = life;
            let what = endpoint.unwrap_or(service);
            if !is_right && found.insert((what.to_owned(), (*provenance).to_owned())) {
                wrong.push(format!("W6: {} records {what} as {provenance}", object.name()));
            }
        }
    }
    if run.record.is_killed {
        return;
    }
    for life in last.iter().filter(|life| life.provenance == "Unproven") {
        let is_answered = |request: &&ClaimedRequest<'_>| {
            request.object.uid == object.uid && is_post_of(request.write, life) && request.write.is_answered()
        };
        if let Some(post) = requests.iter().find(is_answered) {
            wrong.push(format!("W6: {} records as Unproven what the {} created", object.name(), post.write));
        }
    }
}

fn is_post_of(write: &SentWrite, life: &RecordedLife<'_>) -> bool {
    match (&write.what, life.endpoint) {
        (WriteTarget::CreateService(..), None) => {
            // Without a response nobody knows which one it was.
            write.created.as_deref().is_none_or(|created| created == life.service)
        }
        (WriteTarget::CreateEndpoint(service, id), Some(endpoint)) => {
            (service.as_str(), id.as_str()) == (life.service, endpoint)
        }
        _ => false,
    }
}

fn is_of_others(record: &Record, life: &RecordedLife<'_>) -> bool {
    let Some(course) = record.courses.iter().find(|course| course.id == life.service) else { return false };
    match life.endpoint {
        None => is_foreign(course),
        Some(id) => {
            let mut lives = course.endpoints.iter().filter(|one| one.id == id);
            lives.any(|one| {
                one.endpoint.points.first().is_some_and(|point| point.cause != ChangeCause::Created)
            })
        }
    }
}

/// W4: an object that records a life has the finalizer.
fn held(object: &JudgedObject<'_>, wrong: &mut Vec<String>) {
    let is_loose = object.versions().any(|seen| {
        let metadata = &seen.object["metadata"];
        let is_held = metadata["finalizers"].as_array().is_some_and(|all| !all.is_empty());
        !seen.is_end
            && metadata["deletionTimestamp"].is_null()
            && !is_held
            && !recorded(&seen.object).is_empty()
    });
    if is_loose {
        wrong.push(format!("W4: {} records a life without the finalizer", object.name()));
    }
}

/// Ready is True only of what is done for this generation.
fn words(record: &Record, object: &JudgedObject<'_>, wrong: &mut Vec<String>) {
    for seen in object.versions().filter(|seen| !seen.is_end) {
        let (status, metadata) = (&seen.object["status"], &seen.object["metadata"]);
        let is_ready = conditions(status).any(|one| one["type"] == "Ready" && one["status"] == "True");
        let is_current = status["observedGeneration"] == metadata["generation"];
        if !is_ready || !is_current || !metadata["deletionTimestamp"].is_null() {
            continue;
        }
        let course = record.courses.iter().find(|course| status["serviceId"] == *course.id);
        let was = |life: &EndpointCourse| {
            let is_declared =
                seen.object["spec"]["aws"]["id"] == *life.id && status["endpointId"] == *life.id;
            let mut points = life.endpoint.points.iter().take_while(|point| point.at <= seen.at);
            is_declared
                && points.any(|point| {
                    point.state.as_ref().is_some_and(|state| state.status == EndpointPhase::Available)
                })
        };
        let is_done = course.is_some_and(|course| {
            if object.is_service() {
                let mut points = course.service.points.iter().take_while(|point| point.at <= seen.at);
                points.any(|point| {
                    point.state.as_ref().is_some_and(|state| state.status == ServicePhase::Available)
                })
            } else {
                course.endpoints.iter().any(was)
            }
        });
        if !is_done {
            wrong.push(format!("L: {} is Ready, though it is {status}", object.name()));
        }
    }
}

/// W2: what others have is as they made it, and no write that is sent names it.
fn foreign(run: &JudgedRun<'_>, wrong: &mut Vec<String>) {
    for course in &run.record.courses {
        if is_foreign(course) && !is_untouched(&course.service) {
            wrong.push(format!("W2: others' service became {:?}", course.service.points));
        }
        let is_theirs = |life: &&EndpointCourse| is_made_by_others(&life.endpoint);
        for life in course.endpoints.iter().filter(is_theirs).filter(|life| !is_untouched(&life.endpoint)) {
            wrong.push(format!("W2: others' endpoint became {:?}", life.endpoint.points));
        }
    }
    for write in &run.writes {
        let of = |service: &str| run.record.courses.iter().find(|course| course.id == service);
        let is_theirs = match &write.what {
            WriteTarget::DeleteService(service) => of(service).is_some_and(is_foreign),
            WriteTarget::CreateEndpoint(service, id) | WriteTarget::DeleteEndpoint(service, id) => {
                of(service).is_some_and(|course| {
                    let mut lives = course.endpoints.iter().filter(|life| life.id == *id);
                    lives.any(|life| is_made_by_others(&life.endpoint))
                })
            }
            WriteTarget::CreateService(..) => false,
        };
        if is_theirs {
            wrong.push(format!("W2: the {write} is about what others have"));
        }
    }
}

fn is_made_by_others<T>(course: &Course<T>) -> bool {
    course.points.first().is_some_and(|point| point.cause == ChangeCause::OutOfBand)
}

/// Returns whether only others and Atlas itself changed it, and only others ended it.
fn is_untouched<T>(course: &Course<T>) -> bool {
    let may_be = |cause: ChangeCause| matches!(cause, ChangeCause::OutOfBand | ChangeCause::Progress);
    let is_ended_by_others = course.points.last().is_some_and(|last| last.cause == ChangeCause::OutOfBand);
    course.points.iter().all(|point| may_be(point.cause)) && (course.now().is_some() || is_ended_by_others)
}

/// L: each thing is made once for each object that declares it, and nothing remains that its object may delete.
fn lives(run: &JudgedRun<'_>, wrong: &mut Vec<String>) {
    let count = |declares: &dyn Fn(&&JudgedObject<'_>) -> bool| run.objects.iter().filter(declares).count();
    let is_deleted = run.record.deleted_at.is_some();
    let own: Vec<_> = run.record.courses.iter().filter(|course| !is_foreign(course)).collect();
    for course in &own {
        let region = region(course);
        let made = own.iter().filter(|other| self::region(other) == region).count();
        let wanted = count(&|object| object.declares_region(region));
        if made > wanted {
            wrong.push(format!("L: {made} services of {region} were made, for {wanted} objects"));
        }
        let is_created = run.record.versions.iter().any(|seen| {
            let mut all = recorded(&seen.object).into_iter();
            all.any(|life| {
                life.endpoint.is_none() && life.service == course.id && life.provenance == "Created"
            })
        });
        if is_deleted && is_created && course.service.now().is_some() {
            wrong.push(format!("L: service {} is left", course.id));
        }
    }
    for (course, life) in own_lives(run.record) {
        let made = own_lives(run.record).filter(|(_, other)| other.id == life.id).count();
        let wanted = count(&|object| object.has_ever("/spec/aws/id", &life.id));
        if made > wanted {
            wrong.push(format!("L: {made} lives of {} were made, for {wanted} objects", life.id));
        }
        if is_deleted && life.endpoint.now().is_some() && course.service.now().is_some() {
            wrong.push(format!("L: endpoint {} is left", life.id));
        }
    }
}

/// Returns the region of a service.
fn region(course: &ServiceCourse) -> &str {
    let first = course.service.points.iter().find_map(|point| point.state.as_ref());
    first.map_or("", |service| &service.region_name)
}
