//! The rules of `ServerlessPrivateEndpoint`: private endpoints of serverless instances.

pub mod decide;
pub mod decision;
pub mod endpoint;
pub mod event;
pub mod kept;
pub mod memory;
pub mod observed;
pub mod output;
pub mod ownership;
pub mod reconcile;
pub mod status;
