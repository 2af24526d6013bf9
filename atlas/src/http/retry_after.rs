//! Reads `Retry-After` (RFC 9110 §10.2.3): seconds or an HTTP date. Pure; the time is a parameter.

use std::time::{Duration, SystemTime};

/// The maximum wait; a longer one is cut to it. No server plans that far ahead, and a slip must not stop an operator
/// for a year.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);

/// Returns how long to wait, from `now`: zero for a date in the past, `None` for a value that cannot be parsed.
pub(crate) fn parse(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        value.parse().map_or(MAX_RETRY_AFTER, Duration::from_secs)
    } else {
        httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default()
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_absurd_ones_cut() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
        let in_a_minute = httpdate::fmt_http_date(now + Duration::from_mins(1));
        let in_a_year = httpdate::fmt_http_date(now + Duration::from_hours(8760));
        let a_minute_ago = httpdate::fmt_http_date(now - Duration::from_mins(1));
        for (value, expected) in [
            ("0", Some(0)),
            ("55", Some(55)),
            (" 7 ", Some(7)),
            ("3601", Some(3600)),
            ("99999999999999999999999999", Some(3600)),
            (in_a_minute.as_str(), Some(60)),
            (in_a_year.as_str(), Some(3600)),
            (a_minute_ago.as_str(), Some(0)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("٣", None),
        ] {
            assert_eq!(parse(value, now), expected.map(Duration::from_secs), "{value:?}");
        }
    }
}
