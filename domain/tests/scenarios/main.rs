//! Stories: what happens to one object over time, told to `decide` and `Memory`.

#![allow(clippy::unwrap_used, reason = "clippy takes only the test functions themselves for tests")]

#[path = "../support/mod.rs"]
mod support;

mod bounds;
mod deadline;
mod found;
mod habits;
mod holes;
mod passing;
mod rivals;
mod said;
mod story;
mod told;
mod words;
