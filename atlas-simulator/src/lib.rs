//! A faithful simulator of the Atlas APIs for private endpoints, of serverless instances and of dedicated clusters, that
//! misbehaves on request.
//!
//! No real Atlas can be tested against: one API has been retired, the other needs accounts that cost. It is an independent
//! oracle: written from the documentation alone, it shares no code with the operator that is tested against it.
//!
//! Tests start a [`Simulator`] in their own process. People run the binary and use the control API (see the README).
//!
//! Code map, from the wire inwards: `server`, `tls`, `shared` (connections) → `state` (admits and executes requests) → `routes`,
//! `digest`, `oauth`, `header` (parse and authenticate) → `rules`, `faults` (choose the faults) → `perform`,
//! `instance`, `timeline`, `endpoint` (the true state) → `response`, `termination`, `errors` (the response) → `journal`
//! (the record). `catalogue` lists every known or suspected misbehaviour. What dedicated clusters have of their own is in
//! `dedicated`, whose first page is its map.

mod attributes;
mod catalogue;
mod control;
mod control_json;
mod dedicated;
mod digest;
mod endpoint;
mod errors;
mod faults;
mod header;
mod instance;
mod journal;
mod oauth;
mod perform;
mod random;
mod rate_limit;
mod response;
mod routes;
mod rules;
mod seconds;
mod server;
mod settings;
mod shared;
mod simulator;
mod state;
mod termination;
mod timeline;
mod tls;
mod variants;

pub use catalogue::{
    CatalogueEntry, EndpointEvent, EndpointPath, FAMILIES, How, INVALID_PARAMETER, NO_DNS_ENTRIES, catalogue,
};
pub use dedicated::{
    catalogue::{ServiceEvent, ServicePath, dedicated_catalogue},
    cloud::CloudEndpoint,
    course::{Course, CoursePoint},
    endpoint::{AtlasEndpoint, EndpointLink, EndpointRule},
    others::OthersAction,
    phase::{EndpointPhase, ServicePhase},
    project::{EndpointCourse, ServiceCourse},
    provider::CloudProvider,
    service::{AtlasService, ServiceLink, ServicePlace},
    settings::{
        AzureVariants, CodeFamily, DEFAULT_CLUSTER, DedicatedPace, DedicatedSettings, DedicatedVariants,
        GcpVariants, LastEndpoint, LostVpcEndpoint, OthersRhythm, PortMappedKey, SuccessStatuses,
    },
};
pub use digest::{Algorithm, ChallengeForm, Counter, DigestSettings, NonceScope, Unauthenticated};
pub use endpoint::{Deviation, Endpoint, Status};
pub use faults::{InjectedFault, Malformed, Operation, Termination};
pub use journal::{Delivery, JournalEntry};
pub use rules::{Match, Rule};
pub use settings::{
    ANY_PROJECT, AccessList, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_INSTANCE, DEFAULT_PRIVATE_KEY,
    DEFAULT_PROJECT, DEFAULT_PUBLIC_KEY, InstanceKind, Key, Latency, Pace, Role, Settings, Span,
};
pub use simulator::Simulator;
pub use timeline::{ChangeCause, EndpointChange, Timeline, max_live};
pub use tls::{Certificate, Tls, TlsError};
pub use variants::{NoAccess, RequestPolicy, RoleTooLow, UnknownInstance, Variants};
