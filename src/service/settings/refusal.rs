//! One clear line about a value that cannot be used, made from clap's pages. It never decides what is acceptable.

use std::error::Error as _;
use std::fmt;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Why there are no settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The help or the version was asked for: for standard output, exit code 0.
    Asked(String),
    /// A value cannot be used: one line for standard error, exit code 2.
    Refused(String),
}

impl Refusal {
    /// A refusal that names the flag (without its hyphens) and its variable.
    pub(in crate::service) fn value(flag: &str, problem: &str) -> Self {
        let variable = flag.to_uppercase().replace('-', "_");
        Self::Refused(one_line(&format!("--{flag} (SPE_{variable}): {problem}")))
    }

    pub(super) fn from_clap(error: &clap::Error) -> Self {
        let argument = context(error, ContextKind::InvalidArg);
        let found = context(error, ContextKind::InvalidValue);
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Self::Asked(error.to_string()),
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
                Self::Refused(
                    "expected a subcommand, run, crd or check, found none (--help explains them)".to_owned(),
                )
            }
            ErrorKind::InvalidSubcommand => {
                let found = context(error, ContextKind::InvalidSubcommand);
                Self::Refused(one_line(&format!(
                    "expected the subcommand run, crd or check, found {found:?}"
                )))
            }
            ErrorKind::UnknownArgument if argument.starts_with('-') => {
                Self::Refused(one_line(&format!("{argument}: not a flag (run --help lists them)")))
            }
            // What stands behind a flag that takes its value only with `=`, most of the time.
            ErrorKind::UnknownArgument => Self::Refused(one_line(&format!(
                "expected flags, found the word {argument:?} (a value may be joined to its flag by =; run --help lists all)"
            ))),
            ErrorKind::MissingRequiredArgument => {
                Self::Refused(format!("expected {argument}, found nothing (--help explains it)"))
            }
            ErrorKind::ValueValidation => Self::value(
                flag(&argument),
                &error.source().map_or_else(String::new, |source| expectation(source, &found)),
            ),
            ErrorKind::InvalidValue => {
                let valid = context(error, ContextKind::ValidValue);
                let expected = if valid.is_empty() { "a value" } else { &valid };
                let found = if found.is_empty() { "nothing".to_owned() } else { format!("{found:?}") };
                Self::value(flag(&argument), &format!("expected {expected}, found {found}"))
            }
            ErrorKind::ArgumentConflict => Self::value(flag(&argument), "given more than once"),
            _ => Self::Refused(one_line(error.to_string().trim_start_matches("error: "))),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Asked(text) | Self::Refused(text)) = self;
        f.write_str(text)
    }
}

/// Our own errors say what is expected and what was found; those of the standard library do neither.
fn expectation(source: &(dyn std::error::Error + 'static), found: &str) -> String {
    if source.is::<domain::endpoint::ParseError>() {
        return source.to_string();
    }
    let expected = if source.is::<std::net::AddrParseError>() {
        "an address such as 127.0.0.1:8080 or [::]:8080"
    } else if source.is::<std::num::ParseIntError>() {
        "a whole number greater than zero"
    } else {
        return format!("{source}, found {found:?}");
    };
    format!("expected {expected}, found {found:?}")
}

/// `--poll-min <DURATION>` without its ornaments.
fn flag(argument: &str) -> &str {
    let name = argument.trim_start_matches('-');
    name.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).next().unwrap_or(name)
}

fn context(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(" or "),
        _ => String::new(),
    }
}

fn one_line(text: &str) -> String {
    text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}
