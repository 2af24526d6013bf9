//! Prints the directory of the control plane's programs, after building them if need be: `make` does that up front, so
//! that the minutes are not spent inside a test.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match testbed::control_plane_binaries().await {
        Ok(directory) => {
            println!("{}", directory.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("control plane: {error:#}");
            ExitCode::FAILURE
        }
    }
}
