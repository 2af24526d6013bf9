//! MongoDB's own Go client against the simulated Atlas: what Terraform's provider, the Atlas CLI and the Atlas Kubernetes Operator are made
//! with. It runs the program of `testbed/atlas-sdk` and never builds a request itself.

use std::path::PathBuf;
use std::process::Command;

use atlas_simulator::{DEFAULT_PRIVATE_KEY, DEFAULT_PROJECT, DEFAULT_PUBLIC_KEY, Simulator};
use serde_json::Value;

/// MongoDB's client, with the key of an owner of the project.
pub struct AtlasSdk {
    program: PathBuf,
    atlas: String,
}

impl AtlasSdk {
    /// Returns the client. The first time, Go builds it, in about a minute.
    ///
    /// # Panics
    /// If Go is missing or cannot build it, with what to install.
    pub async fn new(atlas: &Simulator) -> Self {
        let program = testbed::go_tool("atlas-sdk", ".", "atlas-sdk").await;
        let program = program.unwrap_or_else(|error| panic!("MongoDB's client cannot be built: {error:#}"));
        Self { program, atlas: atlas.url() }
    }

    /// Calls Atlas, and returns what the client made of the response.
    ///
    /// # Errors
    /// The status and the code of Atlas' error, as the client read them.
    pub async fn call(&self, arguments: &[&str]) -> Result<Value, String> {
        let mut command = Command::new(&self.program);
        command.args(arguments).env_clear().envs([
            ("ATLAS_BASE_URL", self.atlas.as_str()),
            ("ATLAS_PROJECT", DEFAULT_PROJECT),
            ("ATLAS_PUBLIC_KEY", DEFAULT_PUBLIC_KEY),
            ("ATLAS_PRIVATE_KEY", DEFAULT_PRIVATE_KEY),
        ]);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        if output.status.success() {
            Ok(serde_json::from_slice(&output.stdout).unwrap())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).trim().trim_start_matches("atlas-sdk: ").to_owned())
        }
    }
}
