//! The Serverless Private Endpoint Operator: one manifest becomes, and stays, a MongoDB Atlas serverless private endpoint.
//!
//! # The way of one object
//!
//! A watch event or a timer triggers a reconcile ([`serverless`]). It *observes* (the object, its credentials, the instance's
//! listing), asks `domain::decide::decide`, *performs* the one step that this names, and decides again, until there is nothing
//! left to do; then it *publishes* status and events where they differ. The rules of the protocol are in the `domain` crate,
//! which knows neither Kubernetes nor HTTP nor time.
//!
//! # Creating once
//!
//! Atlas' create call is not idempotent, so it is preceded by a *claim* (an annotation with a fresh nonce, written with the
//! finalizer against the very resourceVersion that was decided on), sent once for each nonce and before a deadline, and
//! followed by a *record* of the id that tests what it was read with. Every endpoint carries a *mark* in its comment. Who
//! meets an open claim looks for the mark, or waits until the call cannot land any more.
//!
//! # Code map
//!
//! | module | what it holds | uses |
//! |---|---|---|
//! | `domain` (crate) | endpoint, ownership, decide, conditions, memory | nothing |
//! | `atlas` (crate) | the HTTP client: Digest, OAuth, classification | `domain` |
//! | [`metrics`] | what is counted, and how it is served | `domain`, `atlas` |
//! | `runtime` | what every kind shares: fair queue, bounds, single flights, watches with time limits | `metrics` |
//! | [`serverless`] | the kind `ServerlessPrivateEndpoint`: its resource, and observe → decide → perform → publish | all above |
//! | [`app`] | settings, log, election, admin server, the program | all above |
//!
//! # Invariants, and the tests that hold them
//!
//! - `decide` is total and never acts; a POST, PATCH, DELETE or release happens only as its laws allow: `domain/tests/invariants`.
//! - Whatever goes wrong with a request, and killed after any effect, all ends as if nothing had: `tests/plans`.
//! - What does not carry our mark is not touched, and a name finds its endpoint again: `tests/operator/ownership.rs`.
//! - Nothing is written where nothing changed: `tests/operator/quiet.rs`.
//! - A secret occurs in no output: `tests/operator/secrecy.rs`.
//! - Dependencies point downwards only: `tests/architecture.rs`.

pub mod app;
pub mod clock;
pub mod metrics;
mod runtime;
pub mod serverless;
