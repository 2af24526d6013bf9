//! Why the settings cannot be used. It never decides what is acceptable.

use std::fmt;

/// Why there are no settings.
#[derive(Debug)]
pub enum UsageError {
    /// clap's own error, or the help or version that was asked for; it prints itself and knows its exit code.
    CommandLine(clap::Error),
    /// A value that clap accepts and that cannot be used: one line for standard error, exit code 2.
    Value(String),
}

impl UsageError {
    /// An error that names the flag (without its hyphens) and its variable.
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
