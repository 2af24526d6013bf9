//! Properties of the two dedicated kinds for any bytes.

pub mod claim;
pub mod decide;
pub mod memory;
pub mod observation;
pub mod reconcile;
pub mod region;
