//! The Atlas Administration API, as far as serverless private endpoints need it.
//!
//! One concrete client over real HTTP: there is no trait to fake, tests reach it through a socket. It classifies every
//! response and decides nothing; it never repeats a request on its own, except a request that a 401 proves not to have
//! been executed, and a GET on a connection that was closed while idle. It knows neither Kubernetes nor the custom
//! resource.
//!
//! | file | what it holds |
//! |---|---|
//! | `client` | the credentials of a caller, and how a call runs |
//! | `serverless`, `json` | the resource: paths and operations; the JSON of endpoints and instances |
//! | `create_outcome` | what became of a POST: created, refused, or uncertain |
//! | `credentials` | an API key or a service account, whose secret half is never printed |
//! | `exchange` | one authenticated request: Digest or bearer, and what a 401 means |
//! | `acceptances` | which credentials Atlas accepted where: what a 401 is weighed against |
//! | `send_guard` | a body that checks, when it is written, whether the request may still be sent |
//! | `settings` | the base URL, the API version, the proxy, and their validation |
//! | `transport`, `http` | URLs and what calls share; one request, TLS, limits on what is read |
//! | `authorities`, `failure`, `reuse` | the roots that TLS trusts; why a connection failed; whether it had served before |
//! | `www_authenticate`, `digest`, `challenge_pool` | parse a challenge, respond to it, keep it for later calls |
//! | `cookies` | what a balancer sets with a challenge |
//! | `token` | OAuth client credentials |
//! | `response` | errors and envelopes |
//! | `retry_after`, `sunset` | times that headers announce |
//! | `classify`, `error`, `outcome`, `redact` | what a response means, and its message |
//! | `call_record` | what logs and metrics learn of a call |

mod acceptances;
mod authorities;
mod call_record;
mod challenge_pool;
mod classify;
mod client;
mod cookies;
mod create_outcome;
mod credentials;
mod digest;
mod error;
mod exchange;
mod failure;
mod http;
mod json;
mod outcome;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod redact;
mod response;
mod retry_after;
mod reuse;
mod send_guard;
mod serverless;
mod settings;
mod sunset;
mod token;
mod transport;
mod www_authenticate;

pub use authorities::Authorities;
pub use call_record::{CallRecord, Observer};
pub use client::Client;
pub use create_outcome::CreateOutcome;
pub use credentials::{Credentials, Fingerprint, UnusableCredentials};
pub use error::{AtlasError, Operation};
pub use json::{InstanceDescription, PrivateConnection};
pub use outcome::Outcome;
pub use serverless::{DeleteOutcome, ListResponse, Update};
pub use settings::{ApiVersion, ClientSettings, SettingsError};
pub use transport::Transport;
