//! Parsers of setting values. Each depends on the text alone.

use std::num::NonZeroUsize;
use std::time::Duration;

use atlas::ApiVersion;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use domain::ids::ParseError;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::schema::parse_duration;

fn parse_error(expected: &'static str, found: &str) -> ParseError {
    ParseError { expected, found: found.chars().take(64).collect() }
}

/// Parses a version of the Atlas Administration API.
pub(super) fn api_version() -> impl TypedValueParser<Value = ApiVersion> {
    PossibleValuesParser::new(["v1.0", "v2"])
        .map(|version| if version == "v2" { ApiVersion::V2 } else { ApiVersion::V1 })
}

/// Parses a duration greater than zero.
pub(super) fn positive_duration(text: &str) -> Result<Duration, ParseError> {
    match parse_duration(text)? {
        Duration::ZERO => Err(parse_error("a duration greater than zero", text)),
        duration => Ok(duration),
    }
}

/// Parses a duration that a Lease can hold: whole seconds, at least one.
pub(super) fn whole_seconds(text: &str) -> Result<Duration, ParseError> {
    match positive_duration(text)? {
        duration if duration.subsec_nanos() == 0 && i32::try_from(duration.as_secs()).is_ok() => Ok(duration),
        _ => Err(parse_error("whole seconds", text)),
    }
}

/// More concurrent calls than any project of Atlas needs: each may hold a connection and 1 MiB of a body.
const MAX_CONCURRENCY: usize = 1024;

/// Parses the maximum number of concurrent calls.
pub(super) fn concurrency(text: &str) -> Result<NonZeroUsize, ParseError> {
    let number = text.parse::<NonZeroUsize>().ok().filter(|number| number.get() <= MAX_CONCURRENCY);
    number.ok_or_else(|| parse_error("a whole number greater than zero and at most 1024", text))
}

/// Parses any text that is not blank.
pub(super) fn not_empty(text: &str) -> Result<String, ParseError> {
    if text.trim().is_empty() {
        return Err(parse_error("a value (leave the flag or variable out for the default)", text));
    }
    Ok(text.to_owned())
}

/// Returns `true` for the URL of a supported proxy.
pub(super) fn is_proxy_url(text: &str) -> bool {
    has_web_scheme(text)
}

fn has_web_scheme(text: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme))
}

/// The longest URL that leaves room in a condition or an event for what the link is about.
const MAX_WEB_URL: usize = 200;

/// Parses a URL that a browser opens.
pub(super) fn web_url(text: &str) -> Result<String, ParseError> {
    let is_plain = text.bytes().all(|b| b.is_ascii_graphic() && b != b'(' && b != b')');
    if has_web_scheme(text) && is_plain && text.len() <= MAX_WEB_URL {
        return Ok(text.to_owned());
    }
    Err(parse_error("a URL that begins with https:// or http://, 200 characters at most", text))
}

/// Parses the name of a namespace: an RFC 1123 label.
pub(super) fn dns_label(text: &str) -> Result<String, ParseError> {
    if is_dns_label(text) && text.len() <= 63 {
        return Ok(text.to_owned());
    }
    Err(parse_error("the name of a namespace (1 to 63 lower-case letters, digits and inner hyphens)", text))
}

/// Parses the name of a Secret or a Lease: an RFC 1123 subdomain.
pub(super) fn dns_subdomain(text: &str) -> Result<String, ParseError> {
    if text.len() <= 253 && text.split('.').all(is_dns_label) {
        return Ok(text.to_owned());
    }
    Err(parse_error("the name of an object (lower-case letters, digits, inner hyphens and dots)", text))
}

fn is_dns_label(text: &str) -> bool {
    let inner = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    inner && !text.is_empty() && !text.starts_with('-') && !text.ends_with('-')
}

/// Parses log directives.
///
/// A bare version must be a level: `tracing-subscriber` would take a misspelled one for the name of a module and then
/// log nothing at all.
pub(super) fn log_filter(text: &str) -> Result<String, ParseError> {
    let expected =
        "a level (off, error, warn, info, debug or trace) or directives such as info,kube_client=warn";
    let bare_parts_are_levels = text
        .split(',')
        .map(str::trim)
        .all(|part| part.contains(['=', '[', ']', '{', '}']) || part.parse::<LevelFilter>().is_ok());
    if bare_parts_are_levels && EnvFilter::builder().parse(text).is_ok() {
        return Ok(text.to_owned());
    }
    Err(parse_error(expected, text))
}
