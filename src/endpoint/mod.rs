//! The kind `PrivateEndpoint`: one endpoint that is registered at an endpoint service, for dedicated clusters.
//!
//! | file | content |
//! |---|---|
//! | `crd/` | the custom resource |
//! | `kind` | what it declares, records and shows, for the runtime and for `dedicated` |
//!
//! This module never decides: the rules of the protocol are in the `domain` crate.

pub mod crd;
mod kind;
