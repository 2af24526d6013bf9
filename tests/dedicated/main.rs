//! Private endpoints of dedicated clusters as users meet them: the real program, a real API server, real HTTP to a simulated
//! Atlas in which others act too. Objects are JSON, so that nothing here depends on the types of the operator.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test helpers fail the test that calls them"
)]

mod adoption;
mod bad_input;
mod budget;
mod clouds;
mod clusters;
mod failures;
mod first_listings;
mod in_flight;
mod lifecycle;
mod losses;
mod others;
mod output;
mod recovery;
mod references;
mod remote_regions;
mod rivals;
mod selector;
mod switched_off;

/// The VPC endpoint of most tests.
const VPC: &str = "vpce-0a1b2c3d4e5f60718";

/// Another one.
const NEXT_VPC: &str = "vpce-0b1b2c3d4e5f60729";
