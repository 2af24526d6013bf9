//! The rules of the Serverless Private Endpoint Operator.
//!
//! Pure and synchronous: this crate never does I/O, never reads a clock, never draws a random number
//! and knows neither Kubernetes nor HTTP. What happened is handed to it as data; what to do comes back as data.
//!
//! [`observed`] → [`decide`] → [`decision`] → [`conditions`] and [`notice`]; [`memory`] carries what one reconcile
//! knows to the next.

pub mod backoff;
pub mod conditions;
pub mod decide;
pub mod decision;
pub mod endpoint;
pub mod event;
pub mod fault;
pub mod memory;
pub mod message;
pub mod observed;
pub mod ownership;
pub mod text;
