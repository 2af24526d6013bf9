//! The Serverless Private Endpoint Operator.

pub mod api;
pub mod atlas;
pub mod clock;
pub mod controller;
pub mod service;
