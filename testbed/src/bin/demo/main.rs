//! `make demo`: manifests become connected endpoints of a dedicated cluster and of a serverless instance, on a real API server, by the
//! real operator, against the simulated Atlas.
//!
//! It plays two parts only, the user's and AWS'; it never touches what the operator writes.

mod fixture;
mod script;
mod table;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let leave = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--exit") => true,
        Some(other) => {
            eprintln!("demo: {other:?} is no argument; --exit deletes the objects at the end and leaves");
            return ExitCode::from(2);
        }
    };
    match script::run(leave).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\ndemo: {error:#}");
            ExitCode::FAILURE
        }
    }
}
