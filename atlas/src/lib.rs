//! The Atlas Administration API, as far as private endpoints need it.
//!
//! One concrete client over real HTTP: there is no trait to fake, tests reach it through a socket. It classifies every
//! response and decides nothing; it never repeats a request on its own, except a request that a 401 proves not to have
//! been executed, and a GET on a connection that was closed while idle. It knows neither Kubernetes nor the custom
//! resource.
//!
//! | file | what it holds |
//! |---|---|
//! | `client` | the credentials of a caller, and how a call runs |
//! | `serverless` | serverless endpoints: paths and operations |
//! | `serverless/json` | the JSON of endpoints and instances |
//! | `endpoint_service`, `endpoint`, `cluster` | dedicated clusters: paths, operations and JSON, one folder a resource |
//! | `operation` | what can be called, by the names that metrics, logs and messages have for it |
//! | `write_result` | what became of a POST or DELETE: executed, refused, or uncertain |
//! | `list`, `fields` | complete lists, and the fields of an object |
//! | `transport`, `settings` | URLs and what calls share; the base URL, the API version and the timeout, validated |
//! | `auth/exchange` | one authenticated request: Digest or bearer, and what a 401 means |
//! | `auth/credentials` | an API key or a service account, whose secret half is never printed |
//! | `auth/acceptances` | which credentials Atlas accepted where: what a 401 is weighed against |
//! | `auth/www_authenticate`, `digest`, `challenge_pool` | parse a challenge, respond to it, keep it for later calls |
//! | `auth/cookies` | what a balancer sets with a challenge |
//! | `auth/token` | OAuth client credentials |
//! | `http` | one request, TLS, limits on what is read |
//! | `http/send_guard` | checks, when a request is written, whether it may still be sent |
//! | `http/authorities`, `failure`, `reuse` | the roots that TLS trusts; why a connection failed; whether it had served before |
//! | `http/retry_after`, `sunset` | times that headers announce |
//! | `response`, `classify` | errors and envelopes; what a response means |
//! | `error`, `outcome`, `redact` | the message of a failed call; how it ended on the wire; text without secrets |
//! | `call_record` | what logs and metrics learn of a call |

mod auth;
mod call_record;
mod classify;
mod client;
mod cluster;
mod endpoint;
mod endpoint_service;
mod error;
mod fields;
mod http;
mod list;
mod operation;
mod outcome;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod redact;
mod response;
mod serverless;
mod settings;
mod transport;
mod write_result;

pub use auth::credentials::{Credentials, Fingerprint, UnusableCredentials};
pub use call_record::{CallRecord, Observer};
pub use client::Client;
pub use cluster::json::{ClusterDescription, PrivateStrings};
pub use error::AtlasError;
pub use http::authorities::Authorities;
pub use operation::{NoPart, Operation, OperationSubject};
pub use outcome::Outcome;
pub use serverless::json::{InstanceDescription, PrivateConnection};
pub use serverless::{ListResponse, Update};
pub use settings::{ApiVersion, ClientSettings, SettingsError};
pub use transport::Transport;
pub use write_result::{DeleteOutcome, WriteResult};
