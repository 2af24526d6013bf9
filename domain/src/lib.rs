//! The rules of the Serverless Private Endpoint Operator.
//!
//! Pure and synchronous: this crate never does I/O, never reads a clock, never draws a random number and knows neither
//! Kubernetes nor HTTP. It takes observations as data and returns decisions as data.
//!
//! [`serverless`] has the rules of the kind: [`observed`](serverless::observed) → [`decide`](serverless::decide) →
//! [`decision`](serverless::decision) → [`status`](serverless::status) and [`event`](serverless::event).
//! [`reconcile`](serverless::reconcile) is one reconcile as a state machine: it orders the steps, and says what each result
//! changes. [`kept`](serverless::kept) and [`memory`](serverless::memory) carry state from one reconcile to the next, and
//! [`output`](serverless::output) says what other tools read.
//!
//! [`dedicated`] has the vocabulary of the private endpoints of dedicated clusters.
//!
//! The other modules know no kind: [`mod@reconcile`] has the vocabulary of the machines, their effects and inputs; [`status`]
//! that of conditions, reasons and events; [`schedule`] says when an object is due, [`access`] which credentials may be used,
//! [`mod@reference`] what a reference resolves to, [`rate_limits`] whose calls are withheld, [`request_rate`] how often users may
//! trigger listings, and [`sunset`] which announcements count.

pub mod access;
pub mod backoff;
pub mod bounded_map;
pub mod claim;
pub mod confirmation;
pub mod deadline;
pub mod dedicated;
pub mod fault;
pub mod ids;
pub mod instant;
pub mod rate_limits;
pub mod reconcile;
pub mod reference;
pub mod request_rate;
pub mod requeue;
pub mod schedule;
pub mod serverless;
pub mod status;
pub mod sunset;
pub mod text;
pub mod times;
pub mod token;
pub mod token_bucket;
