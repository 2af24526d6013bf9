//! Private endpoints of dedicated clusters: the endpoint services of a project, the endpoints registered at them, what they stand
//! for in the user's cloud, and the clusters that show private connection strings. The serverless endpoints are in the files
//! beside this folder, and know nothing of it.
//!
//! AWS, Azure and Google Cloud take the same way: `provider` has the words in which they differ, `service` and `endpoint` what an
//! object has besides on each, `registration` what a client sends for an endpoint. All the rest is one for the three.
//!
//! Code map: `calls` (the operations), `registration` (the bodies of endpoints) → `project` (keys, and the steps that Atlas takes
//! by itself) → `course` (an object over time), `service`, `endpoint` (the objects), `phase`, `provider`, `region` (their words),
//! `cloud` (the user's side), `others` and `others_act` (who else uses a project), `cluster` (connection strings), `errors`;
//! `settings` has what is not known of Atlas. `handle` and `control` are for tests and for people, `catalogue` lists the
//! misbehaviour.

pub(crate) mod calls;
pub(crate) mod catalogue;
pub(crate) mod cloud;
mod cluster;
pub(crate) mod control;
pub(crate) mod course;
pub(crate) mod endpoint;
pub(crate) mod errors;
mod handle;
pub(crate) mod others;
mod others_act;
pub(crate) mod phase;
pub(crate) mod project;
pub(crate) mod provider;
mod region;
mod registration;
pub(crate) mod service;
pub(crate) mod settings;
