//! Reads the announced end of the API: `Sunset` (RFC 8594), or at least `Deprecation` (RFC 9745). Pure.

use domain::sunset::Sunset;
use jiff::Timestamp;

/// Reads the two headers. A date that cannot be parsed counts as not named.
pub(crate) fn parse(sunset: Option<&str>, deprecation: Option<&str>) -> Option<Sunset> {
    sunset.or(deprecation)?;
    let time = sunset.and_then(|value| httpdate::parse_http_date(value.trim()).ok());
    let day = time.and_then(|time| Timestamp::try_from(time).ok());
    // The reader knows today's date, and what other responses announce.
    Some(Sunset { day: day.map(|time| time.strftime("%F").to_string()), is_over: false, is_confirmed: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_read_where_there_is_one_and_an_end_is_one_without_a_day_too() {
        for (sunset, deprecation, expected) in [
            (None, None, None),
            (Some("Thu, 15 Jan 2026 00:00:00 GMT"), None, Some(Some("2026-01-15"))),
            (
                Some(" Thu, 15 Jan 2026 00:00:00 GMT "),
                Some("Wed, 10 Dec 2025 00:00:00 GMT"),
                Some(Some("2026-01-15")),
            ),
            (None, Some("@1765324800"), Some(None)),
            (Some("soon"), None, Some(None)),
            (Some(""), None, Some(None)),
            (Some("Sun, 15 Jan 2040 00:00:00 GMT"), None, Some(Some("2040-01-15"))),
            // Later than any time that can be represented.
            (Some("Fri, 31 Dec 9999 23:59:59 GMT"), None, Some(None)),
        ] {
            let found = parse(sunset, deprecation).map(|sunset| sunset.day);
            assert_eq!(found, expected.map(|day| day.map(str::to_owned)), "{sunset:?} {deprecation:?}");
        }
    }
}
