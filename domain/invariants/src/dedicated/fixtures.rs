//! Fixtures that all tests of the two dedicated kinds share: what a reconcile has observed, made by hand.
//!
//! Nothing here knows a rule; each test spells out what it expects.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::access::CredentialsInUse;
use domain::dedicated::claim::{ClaimReading, ClaimTarget};
use domain::dedicated::endpoint::{CloudEndpointId, ConnectionStatus, NewEndpoint, RegisteredEndpoint};
use domain::dedicated::life::{Entry, Life, Provenance};
use domain::dedicated::names::{Others, Rivalry};
use domain::dedicated::observed::{
    Attempt, AttemptOutcome, Listing, MemorySnapshot, Object, Observed, ServiceRef, Shown, Spec,
    StringsByCluster, Subject,
};
use domain::dedicated::service::{
    EndpointService, Provider, ProviderServices, ServiceId, ServiceKey, ServiceStatus, ServiceTarget,
};
use domain::reference::DeclaredEndpoint;
use domain::status::Reported;
use domain::times::Times;
use domain::token::Token;

use crate::fixtures::cluster;
pub use crate::fixtures::nonce;

/// The key of the service that all objects declare or refer to.
pub fn service_key() -> ServiceKey {
    let services = ProviderServices { project: "a".repeat(24).parse().unwrap(), provider: Provider::Aws };
    ServiceKey { services, region: "EU_WEST_1".parse().unwrap(), is_port_mapped: false }
}

/// A spec in which nothing is set.
pub fn rules() -> Spec {
    Spec { progress_deadline: Duration::from_mins(15), ..Spec::default() }
}

/// The id of endpoint `number`.
pub fn cloud_id(number: u32) -> CloudEndpointId {
    format!("vpce-{number}").parse().unwrap()
}

pub const LONG: Duration = Duration::from_hours(1);

pub fn service_id(number: u32) -> ServiceId {
    format!("{number:024x}").parse().unwrap()
}

/// The life of service `number`.
pub fn of_service(number: u32) -> Life {
    Life { service: service_id(number), endpoint: None }
}

/// The life of endpoint `number` at service 1.
pub fn of_endpoint(number: u32) -> Life {
    Life { service: service_id(1), endpoint: Some(cloud_id(number)) }
}

pub fn entry(life: Life, provenance: Provenance) -> Entry {
    let project = life.endpoint.is_some().then(|| service_key().services.project);
    Entry { life, provenance, project }
}

/// Service `number` as Atlas shows it, with these endpoints.
pub fn shown_service(number: u32, status: ServiceStatus, endpoints: &[u32]) -> EndpointService {
    EndpointService {
        id: service_id(number),
        region: Some(service_key().region),
        status,
        error_message: None,
        endpoint_ids: endpoints.iter().map(|id| cloud_id(*id).as_str().to_owned()).collect(),
        target: ServiceTarget::Aws {
            endpoint_service_name: Some(format!("vpce-svc-{number}")),
            supported_remote_regions: BTreeSet::new(),
        },
    }
}

/// Endpoint `number` as Atlas shows it.
pub fn shown_endpoint(number: u32, status: ConnectionStatus) -> RegisteredEndpoint {
    let is_delete_requested = status == ConnectionStatus::Deleting;
    RegisteredEndpoint { id: cloud_id(number), status, is_delete_requested, error_message: None }
}

fn observed(name: &str, subject: Subject) -> Observed {
    Observed {
        object: Object {
            token: Token::of(&cluster(), "team-a", name),
            uid: "uid-1".to_owned(),
            is_deleting: false,
            finalizer: true,
            claim: ClaimReading::Absent,
            settled: None,
            entries: Vec::new(),
            strings: StringsByCluster::new(),
            reported: Reported::default(),
        },
        spec: Ok(rules()),
        subject,
        credentials: CredentialsInUse::Own,
        listing: Listing::Fetched(Shown::default()),
        others: Others { is_current: true, ..Others::default() },
        memory: MemorySnapshot { recorded: LONG, ..MemorySnapshot::default() },
        times: Times::default(),
        is_requested: false,
        has_output: false,
    }
}

/// The object of the service, with nothing in Atlas.
pub fn service() -> Observed {
    observed("s", Subject::Service(service_key()))
}

/// The declaration of an endpoint of AWS.
pub fn declared(number: u32) -> DeclaredEndpoint<NewEndpoint> {
    DeclaredEndpoint::Declared(NewEndpoint::Aws { id: format!("vpce-{number}").parse().unwrap() })
}

/// The object of endpoint 1 at service 1, which is available and has no endpoint.
pub fn endpoint() -> Observed {
    let service = ServiceRef::Object {
        object: "PrivateEndpointService team-a/s".to_owned(),
        key: service_key(),
        recorded: Some(service_id(1)),
    };
    let subject = Subject::Endpoint { service, endpoint: declared(1) };
    let mut o = observed("e", subject);
    show(&mut o, &[]);
    o
}

/// Atlas shows the service.
pub fn show_service(o: &mut Observed, status: ServiceStatus) {
    o.listing = Listing::Fetched(Shown { services: vec![shown_service(1, status, &[])], ..Shown::default() });
}

/// Atlas shows service 1, and these endpoints.
pub fn show(o: &mut Observed, endpoints: &[(u32, ConnectionStatus)]) {
    let ids: Vec<_> = endpoints.iter().map(|(id, _)| *id).collect();
    let read = |(id, status): &(u32, ConnectionStatus)| {
        (of_endpoint(*id), Ok(Some(shown_endpoint(*id, status.clone()))))
    };
    o.listing = Listing::Fetched(Shown {
        services: vec![shown_service(1, ServiceStatus::Available, &ids)],
        endpoints: endpoints.iter().map(read).collect(),
        ..Shown::default()
    });
}

/// The status records this life.
pub fn record(o: &mut Observed, life: Life, provenance: Provenance) {
    o.object.entries.push(entry(life, provenance));
}

/// Others name the life that the status records so.
pub fn rival(o: &mut Observed, life: Life, rivalry: Rivalry) {
    o.others.recorded.push((life, rivalry));
}

/// The object carries claim 1, of this age and outcome.
pub fn claim(o: &mut Observed, target: &ClaimTarget, age: Duration, outcome: AttemptOutcome) {
    o.object.claim = ClaimReading::Ours { nonce: nonce(1), target: target.clone() };
    o.others.claim = Some(nonce(1));
    o.memory.attempts.push(Attempt {
        nonce: nonce(1),
        target: Some(target.clone()),
        age,
        is_own: true,
        outcome,
    });
}
