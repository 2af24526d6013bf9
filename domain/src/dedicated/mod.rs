//! The vocabulary of the private endpoints of dedicated clusters, as the rules and the client share it.

pub mod cluster;
pub mod endpoint;
pub mod region;
pub mod service;
mod words;
