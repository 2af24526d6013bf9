//! What the integration tests, `make demo`, `make bench` and `make dashboard` run on: real parts, started for one process and gone
//! with it.
//!
//! - [`ControlPlane`]: a kube-apiserver and an etcd, started through the `envtest` crate.
//! - [`go_tool`]: a program written in Go that the tests need, built from its pinned module.
//! - [`kinds`]: other operators' kinds, and the Api of a manifest.
//! - [`Process`]: a program under test as a child process whose output is kept and which can be signalled.
//! - [`WallClock`]: a time of day for one program, which steps when told to.
//! - [`Proxy`]: an HTTP proxy that records on a [`Tape`] what passes, and misbehaves when told to.
//!
//! Everything here listens on loopback only. But for the flags of [`SHORT_TIMES`] nothing here knows Atlas or
//! the custom resource: what is said about them is said by the tests.
//!
//! # Invariant
//! When the process that uses this crate ends, in whatever way, every process and every temporary directory made here is gone
//! within seconds. Module `reaper` keeps that promise.

mod assets;
mod cluster;
mod control_plane;
mod go_build;
mod go_tool;
pub mod kinds;
mod process;
mod proxy;
mod reaper;
mod times;
mod wall_clock;

pub use assets::find_or_make as control_plane_binaries;
pub use control_plane::{ControlPlane, control_plane};
pub use go_tool::go_tool;
pub use process::{Process, Signal};
pub use proxy::{Action, Answer, Call, Exchange, Proxy, Tape};
pub use times::SHORT_TIMES;
pub use wall_clock::WallClock;
