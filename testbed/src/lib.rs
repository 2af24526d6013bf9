//! What the integration tests, `make demo` and `make bench` run on: real parts, started for one process and ended with it.
//!
//! - [`ControlPlane`]: a kube-apiserver and an etcd, started through the `envtest` crate.
//! - [`go_tool`]: a program written in Go that the tests need, built from its pinned module.
//! - [`kinds`]: other operators' kinds, and the Api of a manifest.
//! - [`Process`]: a program under test as a child process, with its output kept, that can be signalled.
//! - [`WallClock`]: a time of day for one program, which a test can step.
//! - [`Proxy`]: an HTTP proxy that records every exchange on a [`Recording`], and injects faults.
//!
//! Everything here listens on loopback only. Except for the flags of [`SHORT_TIMES`] nothing here knows Atlas or the
//! custom resource: the tests do.
//!
//! # Invariant
//! When the process that uses this crate ends, in whatever way, every process and every temporary directory created
//! here is removed within seconds. Module `reaper` guarantees it.

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
pub use proxy::{Action, Exchange, FakeResponse, Hook, Proxy, Recording};
pub use times::SHORT_TIMES;
pub use wall_clock::WallClock;
