//! An Atlas with one instance. Endpoints change as time passes, and each request is executed when it arrives.

use std::time::Duration;

use domain::fault::{Fault, FaultKind};
use domain::serverless::endpoint::{Endpoint, EndpointId, EndpointStatus};
use domain::serverless::ownership::mark_of;
use domain::serverless::reconcile::vocabulary::{CallResponse, EndpointWrite};
use invariants::fixtures::{self, Mark, id};

use crate::stored_object::TOKEN;

/// How long a status lasts that another one follows.
const STATUS_LASTS: Duration = Duration::from_secs(15);

/// The numbers of the endpoints that belong to others: one without a mark, and one with another owner's.
const FOREIGN: [(u64, Mark); 2] = [(0x101, Mark::None), (0x102, Mark::Strangers)];

/// The number of the first endpoint that is created.
const FIRST: u64 = 1;

/// The number of an endpoint that somebody else created with the object's mark.
const ADDED: u64 = 0x50;

/// What follows DELETING.
const GONE: &str = "GONE";

/// An endpoint, and when its status began.
#[derive(Debug, Clone)]
struct StoredEndpoint {
    endpoint: Endpoint,
    since: Duration,
}

/// Atlas.
#[derive(Debug)]
pub(crate) struct EndpointStore {
    endpoints: Vec<StoredEndpoint>,
    /// What was there before each change.
    history: Vec<(Duration, Vec<Endpoint>)>,
    /// When a request changed something last.
    pub(crate) written: Duration,
    created: u64,
}

impl EndpointStore {
    /// Returns an Atlas with the endpoints of others.
    pub(crate) fn new() -> Self {
        let mut atlas =
            Self { endpoints: Vec::new(), history: Vec::new(), written: Duration::ZERO, created: FIRST - 1 };
        for (number, mark) in FOREIGN {
            atlas.add(fixtures::endpoint(number, mark, "AVAILABLE"));
        }
        atlas
    }

    fn add(&mut self, endpoint: Endpoint) {
        self.endpoints.push(StoredEndpoint { endpoint, since: Duration::ZERO });
    }

    /// Somebody else creates an endpoint with the object's mark.
    pub(crate) fn add_marked(&mut self) {
        self.add(fixtures::endpoint(ADDED, Mark::Ours, "RESERVED"));
    }

    /// Returns the id of the endpoint of others that an object may name.
    pub(crate) fn unmarked() -> EndpointId {
        id(FOREIGN[0].0)
    }

    /// Somebody else removes the endpoints of the object.
    pub(crate) fn lose(&mut self) {
        self.endpoints.retain(|stored| !is_ours(&stored.endpoint));
    }

    /// Somebody else removes the mark of the object's endpoints.
    pub(crate) fn unmark(&mut self) {
        for stored in self.endpoints.iter_mut().filter(|stored| is_ours(&stored.endpoint)) {
            "edited by hand".clone_into(&mut stored.endpoint.comment);
        }
    }

    /// Returns all endpoints.
    pub(crate) fn endpoints(&self) -> Vec<Endpoint> {
        self.endpoints.iter().map(|stored| stored.endpoint.clone()).collect()
    }

    /// Returns what was there at that time.
    pub(crate) fn endpoints_at(&self, time: Duration) -> Vec<Endpoint> {
        let mut later = self.history.iter().filter(|(changed, _)| *changed > time);
        later.next().map_or_else(|| self.endpoints(), |(_, before)| before.clone())
    }

    /// Keeps what is there before it changes.
    pub(crate) fn keep(&mut self, now: Duration) {
        let endpoints = self.endpoints();
        self.history.push((now, endpoints));
    }

    /// Returns the endpoints of others that are as they were: all, unless one was touched.
    pub(crate) fn untouched(&self) -> usize {
        let is_untouched = |(number, mark): &&(u64, Mark)| {
            let expected = fixtures::endpoint(*number, *mark, "AVAILABLE");
            self.endpoints.iter().any(|stored| stored.endpoint == expected)
        };
        FOREIGN.iter().filter(is_untouched).count()
    }

    /// Returns the endpoints with the object's mark that Atlas is not removing.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Endpoint> {
        let endpoints = self.endpoints.iter().map(|stored| &stored.endpoint);
        endpoints.filter(|endpoint| is_ours(endpoint) && endpoint.status != EndpointStatus::Deleting)
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, now: Duration) {
        let is_due = |stored: &StoredEndpoint| {
            now >= stored.since + STATUS_LASTS && follows(&stored.endpoint).is_some()
        };
        if !self.endpoints.iter().any(is_due) {
            return;
        }
        self.keep(now);
        for stored in self.endpoints.iter_mut().filter(|stored| is_due(stored)) {
            stored.since += STATUS_LASTS;
            let next = follows(&stored.endpoint).unwrap_or_default();
            stored.endpoint.status = EndpointStatus::from(next);
            let name = || "com.amazonaws.vpce.us-east-1.vpce-svc-1".to_owned();
            stored.endpoint.service_name.get_or_insert_with(name);
        }
        self.endpoints.retain(|stored| stored.endpoint.status.as_str() != GONE);
    }

    /// Executes a request.
    pub(crate) fn execute(&mut self, call: &EndpointWrite, now: Duration) -> CallResponse {
        let not_found = || CallResponse::Refused(Fault::new(FaultKind::EndpointNotFound, "no such endpoint"));
        self.written = now;
        self.keep(now);
        match call {
            EndpointWrite::Create { comment, .. } => {
                self.created += 1;
                let endpoint = fixtures::endpoint(self.created, Mark::None, "RESERVATION_REQUESTED");
                let endpoint = Endpoint { comment: comment.clone(), ..endpoint };
                self.endpoints.push(StoredEndpoint { endpoint: endpoint.clone(), since: now });
                CallResponse::Created(endpoint)
            }
            EndpointWrite::Update { id, comment, vpc_endpoint } => {
                let Some(stored) = self.endpoints.iter_mut().find(|stored| stored.endpoint.id == *id) else {
                    return not_found();
                };
                if let Some(comment) = comment {
                    stored.endpoint.comment.clone_from(comment);
                }
                let connected = vpc_endpoint.as_ref().map(ToString::to_string);
                if connected.is_some() && stored.endpoint.vpc_endpoint_id != connected {
                    stored.endpoint.vpc_endpoint_id = connected;
                    (stored.endpoint.status, stored.since) = (EndpointStatus::Initiating, now);
                }
                CallResponse::Updated(stored.endpoint.clone())
            }
            EndpointWrite::Delete { id, .. } => {
                let found = self.endpoints.iter_mut().find(|stored| stored.endpoint.id == *id);
                let not_found = found.is_none();
                if let Some(stored) =
                    found.filter(|stored| stored.endpoint.status != EndpointStatus::Deleting)
                {
                    (stored.endpoint.status, stored.since) = (EndpointStatus::Deleting, now);
                }
                CallResponse::Deleted { not_found }
            }
        }
    }
}

/// Returns the status that follows by itself.
fn follows(endpoint: &Endpoint) -> Option<&'static str> {
    match endpoint.status {
        EndpointStatus::ReservationRequested => Some("RESERVED"),
        EndpointStatus::Initiating => Some("AVAILABLE"),
        EndpointStatus::Deleting => Some(GONE),
        _ => None,
    }
}

fn is_ours(endpoint: &Endpoint) -> bool {
    mark_of(&endpoint.comment).as_ref() == Some(&*TOKEN)
}
