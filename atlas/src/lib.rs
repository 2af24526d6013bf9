//! The Atlas Administration API, as far as serverless private endpoints need it.
//!
//! One concrete client over real HTTP: there is no trait to fake, tests speak to it through a socket.
//! It classifies every answer and decides nothing; it never repeats a request on its own, except one that a 401 proves
//! not to have been executed, and a GET on a connection that was closed while idle. It knows neither Kubernetes nor the
//! custom resource.
//!
//! | file | what it holds |
//! |---|---|
//! | `client` | the six operations |
//! | `creation` | what became of a POST: yes, no, or nobody knows |
//! | `exchange` | one authenticated request: Digest or bearer, and what a 401 means |
//! | `acceptances` | which credentials were accepted where: what a refusal is weighed against |
//! | `last_moment` | a body that asks, when it is written, whether it still may be |
//! | `transport`, `http` | addresses and what calls share; one request, TLS, limits on what is read |
//! | `authorities`, `failure`, `reuse` | whom TLS trusts; why there is no connection; whether one had served before |
//! | `www_authenticate`, `digest`, `challenges` | reading a challenge, answering it, lending it out |
//! | `cookies` | what a balancer sets with a challenge |
//! | `token` | OAuth client credentials |
//! | `reply`, `wire` | errors and envelopes; the JSON of endpoints and instances |
//! | `retry_after`, `sunset` | what headers say of times |
//! | `classify`, `error`, `text` | what an answer means, and how it is said |

mod acceptances;
mod authorities;
mod challenges;
mod classify;
mod client;
mod cookies;
mod creation;
mod credentials;
mod digest;
mod error;
mod exchange;
mod failure;
mod http;
mod last_moment;
#[cfg(any(test, fuzzing))]
pub(crate) mod properties;
mod reply;
mod retry_after;
mod reuse;
mod settings;
mod sunset;
mod text;
mod token;
mod transport;
mod wire;
mod www_authenticate;

pub use authorities::Authorities;
pub use client::{Client, Deletion, Listing, Update};
pub use creation::Creation;
pub use credentials::{Credentials, Fingerprint, UnusableCredentials};
pub use error::{AtlasError, Concerns, Operation, Outcome};
pub use settings::{ClientSettings, Dialect, SettingsError};
pub use transport::{CallRecord, Observer, Transport};
pub use wire::{InstanceDescription, PrivateConnection};
