//! A faithful simulator of the Atlas serverless private endpoint API that misbehaves on request.
//!
//! The API has been retired, so no real Atlas can be tested against: this is the only test bed. It is an independent
//! oracle: written from the documentation alone, it shares no code with the operator that is tested against it.
//!
//! Tests start a [`Simulator`] in their own process. People run the binary and use the control API (see the README).
//!
//! Code map, from the wire inwards: `server`, `tls` (connections) → `state` (admits and executes requests) → `routes`,
//! `digest`, `oauth`, `header` (parse and authenticate) → `rules`, `faults` (choose the faults) → `perform`,
//! `instance`, `timeline`, `endpoint` (the true state) → `answer`, `termination`, `errors` (the response) → `journal`
//! (the record). `catalogue` lists every known or suspected misbehaviour.

mod answer;
mod budget;
mod catalogue;
mod control;
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
mod routes;
mod rules;
mod seconds;
mod server;
mod settings;
mod simulator;
mod state;
mod termination;
mod timeline;
mod tls;
mod variants;

pub use catalogue::{CatalogueEntry, FAMILIES, How, INVALID_PARAMETER, NO_DNS_ENTRIES, Place, catalogue};
pub use digest::{Algorithm, Counter, DigestSettings, NonceScope, Unauthenticated, Wording};
pub use endpoint::{Endpoint, Fate, Status};
pub use faults::{Fault, Malformed, Operation, Termination};
pub use journal::{Answered, Entry};
pub use rules::{Match, Rule};
pub use settings::{
    ANY_PROJECT, AccessList, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_INSTANCE, DEFAULT_PRIVATE_KEY,
    DEFAULT_PROJECT, DEFAULT_PUBLIC_KEY, InstanceKind, Key, Latency, Pace, Role, Settings, Span,
};
pub use simulator::Simulator;
pub use timeline::{Cause, Change, Timeline, most_alive};
pub use tls::{Certificate, Tls, TlsError};
pub use variants::{NoAccess, RoleTooLow, UnknownInstance, Variants, Verdict};
