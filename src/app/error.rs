//! The errors that end the program, and their exit codes.

use thiserror::Error;

use super::settings::UsageError;
use crate::runtime::shared::RunError;

/// Why the program ended with an error.
#[derive(Debug, Error)]
pub enum ProgramError {
    /// A setting is invalid. Exit code 2.
    #[error("{0}")]
    Settings(UsageError),
    /// It cannot run here, or no longer. Exit code 1.
    #[error("{0}")]
    Run(String),
}

impl From<UsageError> for ProgramError {
    fn from(error: UsageError) -> Self {
        Self::Settings(error)
    }
}

impl From<RunError> for ProgramError {
    fn from(error: RunError) -> Self {
        Self::Run(error.to_string())
    }
}
