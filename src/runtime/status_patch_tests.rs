//! Tests which text of a condition is written again.

use super::*;

#[test]
fn a_time_in_a_message_stays_the_same_while_it_is_true() {
    let start: Timestamp = "2026-03-01T10:00:00.7Z".parse().unwrap();
    let at = |seconds: u64| start.saturating_add(Duration::from_secs(seconds)).unwrap();
    for place in ["", " (docs/troubleshooting.md#endpointlost)"] {
        let message = |time: &str| format!("it ends after {time}{place}");
        let first = dated(message, None, start, Duration::from_secs(200));
        assert_eq!(first, message("2026-03-01T10:03:20Z"));
        for passed in [1, 60, 199] {
            let later = dated(message, Some(&first), at(passed), Duration::from_secs(200 - passed));
            assert_eq!(later, first);
        }
        // A restarted process starts the wait again.
        let restarted = dated(message, Some(&first), at(100), Duration::from_secs(200));
        assert_eq!(restarted, message("2026-03-01T10:05:00Z"));
        // Another text is not a time.
        assert_eq!(dated(message, Some("it ends after all"), start, Duration::from_secs(200)), first);
    }
}
