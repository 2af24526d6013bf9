//! The vocabulary of the private endpoints of dedicated clusters, as the rules and the client share it.

pub mod claim;
pub mod cluster;
pub mod decide;
pub mod decision;
pub mod endpoint;
pub mod event;
mod fit;
pub mod kept;
pub mod life;
pub mod memory;
pub mod names;
pub mod observed;
pub mod output;
pub mod reconcile;
pub mod region;
pub mod service;
pub mod status;
mod words;
