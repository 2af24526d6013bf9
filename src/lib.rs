//! The Serverless Private Endpoint Operator. Creates a MongoDB Atlas serverless private endpoint for each manifest, and keeps
//! it as declared.
//!
//! # From event to status
//!
//! A watch event or a timer triggers a reconcile ([`serverless`]). It *observes* (the object, its credentials, the instance's
//! listing), *decides* on one step (`decide`), *performs* it, and decides again, until no step is left; then it *publishes* status
//! and events where they differ. All of that is a state machine without I/O, `domain::serverless::reconcile`, whose effects
//! `runtime::executor` performs. The rules of the protocol are in the `domain` crate, which knows neither Kubernetes nor HTTP nor time.
//!
//! # Creating once
//!
//! Atlas' create call is not idempotent, so it is preceded by a *claim* (an annotation with a fresh nonce, written with the
//! finalizer against the very resourceVersion that was decided on), sent once for each nonce and before a deadline, and
//! followed by a *record* of the id, guarded by tests on the object as it was read. Every endpoint carries a *mark* in its comment.
//! A process that finds an open claim searches for the mark, or waits until the call can no longer take effect.
//!
//! # Code map
//!
//! | module | content | uses |
//! |---|---|---|
//! | `domain` (crate) | `serverless`: reconcile, decide, ownership, memory, status, output; beside it schedule, access, rate limits | nothing |
//! | `atlas` (crate) | the HTTP client: Digest, OAuth, classification | `domain` |
//! | [`clock`] | the clock of the protocol's times | nothing |
//! | [`metrics`] | the metrics, and their exposition | `domain`, `atlas`, `clock` |
//! | `runtime` | the parts that all kinds share: controller, admission, executor, calls to the API server, events, watches, bounds | `domain`, `atlas`, `metrics` |
//! | [`schema`] | the parts of the custom resources that all kinds share | `domain` |
//! | [`endpoint_service`], [`endpoint`] | the kinds `PrivateEndpointService` and `PrivateEndpoint`: their resources | `schema` |
//! | [`serverless`] | the kind `ServerlessPrivateEndpoint`: its resource, and what connects its machine to the runtime | all above |
//! | [`app`] | settings, log, election, admin server, the program | all above |
//!
//! # Invariants, and the tests that hold them
//!
//! - `decide` is total and never acts; a POST, PATCH, DELETE or release happens only as the invariants allow: `domain/invariants`.
//! - No fault at any effect, no failed request and no killed process changes the final result: `domain/tests/lives`, `tests/plans`.
//! - An endpoint without our mark is not touched, and a recreated object finds its endpoint again: `tests/operator/ownership.rs`.
//! - Nothing is written without a change: `tests/operator/steady_state.rs`.
//! - No output contains a secret: `tests/operator/secrets.rs`.
//! - Dependencies point downwards only: `tests/architecture.rs`.

pub mod app;
pub mod clock;
mod dedicated;
pub mod endpoint;
pub mod endpoint_service;
pub mod metrics;
mod runtime;
pub mod schema;
pub mod serverless;
