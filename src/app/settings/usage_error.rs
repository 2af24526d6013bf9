//! The error of invalid settings. This file never decides which settings are valid.

use std::fmt;

/// Why the program does not start with these settings.
#[derive(Debug)]
pub enum UsageError {
    /// clap's own error, or the requested help or version; it prints itself and knows its exit code.
    CommandLine(clap::Error),
    /// An invalid value that clap accepts: one line for standard error, exit code 2.
    Value(String),
}

impl UsageError {
    /// Creates an error that names the flag (given without its hyphens) and its variable.
    pub(in crate::app) fn value(flag: &str, problem: &str) -> Self {
        let variable = flag.to_uppercase().replace('-', "_");
        let lines = problem.lines().map(str::trim).filter(|line| !line.is_empty());
        Self::Value(format!("--{flag} (SPE_{variable}): {}", lines.collect::<Vec<_>>().join(" ")))
    }
}

impl From<clap::Error> for UsageError {
    fn from(error: clap::Error) -> Self {
        Self::CommandLine(error)
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine(error) => error.fmt(f),
            Self::Value(line) => f.write_str(line),
        }
    }
}
