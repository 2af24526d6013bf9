//! Go durations as users type them: "90s", "10m", "1h30m".
//!
//! The API server checks these fields with CEL's `duration()`, which is Go's `time.ParseDuration` (cel-go,
//! `common/types/string.go`), so this file accepts exactly that grammar, except that it rejects negative
//! durations. It never changes a value: the object keeps the text that the user typed.
//!
//! `kube::core::Duration` cannot do this: it panics on "99999999999999999999h" and on "5s-3s", and accepts "".

use std::time::Duration;

use domain::ids::ParseError;
use kube::core::Rule;

/// Maximum number of nanoseconds that Go's `time.Duration` can hold.
const MAX_NANOS: u128 = i64::MAX as u128;

/// Parses a Go duration. Fractions are truncated to whole nanoseconds.
///
/// # Errors
/// If the text is not a Go duration, is negative, or is longer than Go can hold (292 years).
pub fn parse_duration(text: &str) -> Result<Duration, ParseError> {
    nanos(text).map(Duration::from_nanos).ok_or_else(|| ParseError {
        expected: "a duration (such as 90s, 10m or 1h30m)",
        found: text.chars().take(64).collect(),
    })
}

/// Returns the rule of the field `interval`.
pub(crate) fn interval_rule() -> Rule {
    Rule::new(duration_that("duration(self) >= duration('30s')"))
        .message("`interval` must be a duration of at least 30s, such as '90s', '10m' or '1h30m'")
}

/// Returns the rule of the field `progressDeadline`.
pub(crate) fn progress_deadline_rule() -> Rule {
    Rule::new(duration_that("duration(self) > duration('0s')"))
        .message("`progressDeadline` must be a duration of more than 0s, such as '90s', '15m' or '1h30m'")
}

/// Returns a rule for a Go duration. Without the pattern, the API server reports the type error of `duration()` for a value
/// such as "1d", instead of our message. The pattern rejects nothing that `duration()` accepts as a time.
fn duration_that(condition: &str) -> String {
    format!("self.matches('^[-+]?([0-9.]+(h|m|s|ms|us|\u{b5}s|\u{3bc}s|ns))+$') && {condition}")
}

/// Returns the default of the field `interval`.
pub(crate) fn default_interval() -> String {
    "10m".to_owned()
}

/// Returns the default of the field `progressDeadline`.
pub(crate) fn default_progress_deadline() -> String {
    "15m".to_owned()
}

fn nanos(text: &str) -> Option<u64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (number, after) = split_where(rest, |c| !is_numeric(c));
        let (unit, after) = split_where(after, is_numeric);
        total = total.checked_add(part(number, unit_nanos(unit)?)?)?;
        rest = after;
    }
    if total > MAX_NANOS || (negative && total > 0) {
        return None;
    }
    u64::try_from(total).ok()
}

/// Returns one number with its unit, in nanoseconds.
fn part(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // An hour has fewer than 10^13 nanoseconds, so digits beyond the 18th change nothing.
    let fraction = &fraction[..fraction.len().min(18)];
    let nanos_of_fraction = match u32::try_from(fraction.len()).ok()? {
        0 => 0,
        digits => fraction.parse::<u128>().ok()? * unit / 10_u128.pow(digits),
    };
    whole.checked_mul(unit)?.checked_add(nanos_of_fraction)
}

fn unit_nanos(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        // The micro sign and the Greek letter mu.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3_600 * 1_000_000_000,
        _ => return None,
    })
}

fn is_numeric(c: char) -> bool {
    c == '.' || c.is_ascii_digit()
}

fn split_where(text: &str, at: fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(at).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_go_accepts_is_parsed() {
        for (text, nanos) in [
            ("0", 0),
            ("-0", 0),
            ("+0", 0),
            ("-0s", 0),
            ("10m", 600_000_000_000),
            ("30s", 30_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("30m1h", 5_400_000_000_000),
            ("1m1m", 120_000_000_000),
            ("+5s", 5_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("5.s", 5_000_000_000),
            ("0.100000000000000000000h", 360_000_000_000),
            ("3ms2us1ns", 3_002_001),
            ("12\u{b5}s", 12_000),
            ("12\u{3bc}s", 12_000),
            ("9223372036854775807ns", 9_223_372_036_854_775_807),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanos)), "{text:?}");
        }
    }

    #[test]
    fn a_text_that_go_rejects_is_rejected_with_the_expected_form() {
        for text in [
            "",
            "3",
            "-",
            "+",
            "s",
            ".",
            "-.",
            ".s",
            "+.s",
            "1d",
            "1w",
            "1y",
            "10 m",
            " 10m",
            "10m ",
            "10M",
            "1.2.3s",
            "1..s",
            "--5s",
            "5s-3s",
            "1e3s",
            "infs",
            "10",
            "PT10M",
            "١s",
            "3000000h",
            "9223372036854775808ns",
            "9223372036854775.808us",
            "99999999999999999999999999999999999999999h",
        ] {
            let error = parse_duration(text).expect_err(text).to_string();
            assert!(error.contains("such as 90s, 10m or 1h30m"), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_negative_duration_is_rejected() {
        for text in ["-1ns", "-10m"] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
    }
}
