//! The program around the controller: settings, log, leader election, admin server.

pub mod admin;
mod authorities;
pub mod check;
pub mod definitions;
pub mod error;
mod kube_client;
pub mod leader_election;
pub mod logging;
pub mod readiness;
pub mod run;
pub mod settings;
pub mod shutdown;
