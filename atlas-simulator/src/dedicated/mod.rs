//! Private endpoints of dedicated clusters: the endpoint services of a project, the endpoints registered at them, the VPC
//! endpoints on the user's side, and the clusters that show private connection strings. The serverless endpoints are in
//! the files beside this folder, and know nothing of it.
//!
//! AWS only. A provider is a part of each key and path already: Azure and Google Cloud need their own bodies and statuses.
//!
//! Code map: `calls` (the operations) → `project` (keys, and the steps that Atlas takes by itself) → `course` (an object
//! over time), `service`, `endpoint`, `region` (the objects), `cloud` (the user's side), `others` and `others_act` (who else
//! uses a project), `cluster` (connection strings), `errors`; `settings` has what is not known of Atlas. `handle` and
//! `control` are for tests and for people, `catalogue` lists the misbehaviour.

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
pub(crate) mod project;
pub(crate) mod region;
pub(crate) mod service;
pub(crate) mod settings;
