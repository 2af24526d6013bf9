//! The Serverless Private Endpoint Operator. Creates what each manifest declares in MongoDB Atlas, and keeps it so: the endpoint
//! service of a region and the endpoints that are registered at it, for dedicated clusters, or an endpoint of a serverless instance.
//!
//! # From event to status
//!
//! A watch event or a timer triggers a reconcile ([`serverless`], `dedicated`). It *observes* (the object, its credentials, a
//! listing of Atlas), *decides* on one step (`decide`), *performs* it, and decides again, until no step is left; then it *publishes* status
//! and events where they differ. All of that is a state machine without I/O, `domain::serverless::reconcile` or
//! `domain::dedicated::reconcile`, whose effects `runtime::executor` performs. The rules of the protocol are in the `domain` crate, which knows neither Kubernetes nor HTTP nor time.
//!
//! # Creating once
//!
//! Atlas' create call is not idempotent, so it is preceded by a *claim* (an annotation with a fresh nonce, written with the
//! finalizer against the very resourceVersion that was decided on), sent once for each nonce and before a deadline, and
//! followed by a *record* of the id, guarded by tests on the object as it was read. Every endpoint carries a *mark* in its comment.
//! A process that finds an open claim searches for the mark, or waits until the call can no longer take effect.
//!
//! The calls for dedicated clusters are idempotent, but nothing in Atlas can carry a mark, and others use the same service. So a
//! claim precedes each DELETE, too, the operator records how an object came to each thing (its *provenance*), and what other
//! objects name is read again after the claim.
//!
//! # Code map
//!
//! | module | content | uses |
//! |---|---|---|
//! | `domain` (crate) | `serverless`: reconcile, decide, ownership, memory, status, output; `dedicated`: the same for two kinds, with the index of what objects name; beside them schedule, access, rate limits | nothing |
//! | `atlas` (crate) | the HTTP client: Digest, OAuth, classification | `domain` |
//! | [`clock`] | the clock of the protocol's times | nothing |
//! | [`metrics`] | the metrics, and their exposition | `domain`, `atlas`, `clock` |
//! | `runtime` | the parts that all kinds share: controller, admission, executor, calls to the API server, events, watches, bounds | `domain`, `atlas`, `metrics` |
//! | [`schema`] | the parts of the custom resources that all kinds share | `domain` |
//! | `dedicated` | what connects the machine of dedicated clusters to the runtime | `schema`, `runtime` |
//! | [`endpoint_service`], [`endpoint`] | the kinds `PrivateEndpointService` and `PrivateEndpoint`: their resources, and what they declare, record and show | `dedicated` |
//! | [`serverless`] | the kind `ServerlessPrivateEndpoint`: its resource, and what connects its machine to the runtime | all above |
//! | [`app`] | settings, log, election, admin server, the program | all above |
//!
//! # Invariants, and the tests that hold them
//!
//! - `decide` is total and never acts; a POST, PATCH, DELETE or release happens only as the invariants allow: `domain/invariants`.
//! - No fault at any effect, no failed request and no killed process changes the final result: `domain/tests/lives`, `tests/plans`.
//! - An endpoint without our mark is not touched, and a recreated object finds its endpoint again: `tests/operator/ownership.rs`.
//! - What no object names in Atlas is not touched, and what another object names is not deleted: `tests/dedicated`.
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
