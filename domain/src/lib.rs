//! The rules of the Serverless Private Endpoint Operator.
//!
//! Pure and synchronous: this crate never does I/O, never reads a clock, never draws a random number and knows neither
//! Kubernetes nor HTTP. It takes observations as data and returns decisions as data.
//!
//! [`observed`] → [`decide`] → [`decision`] → [`conditions`] and [`event`]; [`memory`] carries state from one reconcile to
//! the next, and [`schedule`] says when that is due. [`access`] says which credentials may be used, [`rate_limits`] whose
//! calls are withheld, [`sunset`] which announcements count, and [`output`] what other tools read.

pub mod access;
pub mod backoff;
pub mod bounded_map;
pub mod conditions;
pub mod decide;
pub mod decision;
pub mod endpoint;
pub mod event;
pub mod fault;
pub mod memory;
pub mod message;
pub mod observed;
pub mod output;
pub mod ownership;
pub mod rate_limits;
pub mod schedule;
pub mod sunset;
pub mod text;
