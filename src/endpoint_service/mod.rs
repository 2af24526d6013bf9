//! The kind `PrivateEndpointService`: the endpoint service of one Atlas project, provider and region, for dedicated clusters.
//!
//! | file | content |
//! |---|---|
//! | `crd/` | the custom resource |
//! | `kind` | what it declares, records and shows, for the runtime and for `dedicated` |
//!
//! This module never decides: the rules of the protocol are in the `domain` crate.

pub mod crd;
mod kind;
