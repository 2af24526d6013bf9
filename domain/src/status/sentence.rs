//! The text that a person reads: a condition's message, the time it refers to, and a link to the page that helps.
//!
//! A message that is repeated from the status does not grow.

use super::condition::Condition;
use super::message::Message;
use super::pages::linked;
use super::reason::{ConditionType, Reason};

/// Returns the published message of `condition`, one of `all`; `time` is what its message omits ([`ConditionType::is_dated`]).
#[must_use]
pub fn sentence(all: &[Condition], condition: &Condition, time: Option<&str>) -> Message {
    let mut sentence = condition.message.clone();
    if let Some(time) = time {
        sentence = sentence.then(&format!(" after {time}"));
    }
    match subject(all, condition).and_then(Reason::page) {
        Some(page) => linked(sentence, &page),
        None => sentence,
    }
}

/// Returns the reason that the message is about. `Reconciling` and `Stalled` repeat `Ready`; the others state a fact or the user's
/// own declaration.
fn subject(all: &[Condition], condition: &Condition) -> Option<Reason> {
    match condition.kind {
        ConditionType::Ready | ConditionType::Synced => (!condition.status).then_some(condition.reason),
        ConditionType::Reconciling | ConditionType::Stalled => {
            let ready = all.iter().find(|other| other.kind == ConditionType::Ready && !other.status);
            ready.map(|ready| ready.reason)
        }
        ConditionType::ApiSunset => Some(condition.reason),
        ConditionType::EndpointServiceAvailable
        | ConditionType::EndpointConnected
        | ConditionType::ServiceAvailable
        | ConditionType::ServiceReady
        | ConditionType::ConnectionStringsReady
        | ConditionType::Suspended => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(kind: ConditionType, status: bool, reason: Reason, message: &str) -> Condition {
        Condition { kind, status, reason, message: message.into() }
    }

    #[test]
    fn what_is_wrong_ends_with_the_place_to_read_on() {
        let ready = condition(ConditionType::Ready, false, Reason::Unauthorized, "Atlas refused the key");
        let all = [ready.clone()];
        let expected = "Atlas refused the key (docs/troubleshooting.md#unauthorized)";
        assert_eq!(sentence(&all, &ready, None).as_str(), expected);
        let stalled = condition(
            ConditionType::Stalled,
            true,
            Reason::ProgressDeadlineExceeded,
            "Atlas refused the key",
        );
        assert_eq!(sentence(&all, &stalled, None).as_str(), expected);
        // A message repeated from the status stays the same.
        let again = condition(ConditionType::Ready, false, Reason::Unauthorized, expected);
        assert_eq!(sentence(&all, &again, None).as_str(), expected);
    }

    #[test]
    fn the_time_comes_before_the_place() {
        let ready = condition(ConditionType::Ready, false, Reason::EndpointLost, "a new request is sent");
        let expected =
            "a new request is sent after 2026-03-01T10:03:20Z (docs/troubleshooting.md#endpointlost)";
        assert_eq!(
            sentence(std::slice::from_ref(&ready), &ready, Some("2026-03-01T10:03:20Z")).as_str(),
            expected
        );
    }

    #[test]
    fn what_is_well_or_takes_its_time_has_no_place_to_read_on() {
        let wait = condition(ConditionType::Ready, false, Reason::Creating, "the create request comes next");
        let reconciling = condition(ConditionType::Reconciling, true, Reason::Progressing, "it comes next");
        let all = [wait.clone()];
        for one in [&wait, &reconciling] {
            assert_eq!(sentence(&all, one, None), one.message);
        }
        let synced =
            condition(ConditionType::Synced, true, Reason::ReconcileSucceeded, "the last request succeeded");
        assert_eq!(sentence(&all, &synced, None).as_str(), "the last request succeeded");
        let service =
            condition(ConditionType::EndpointServiceAvailable, false, Reason::EndpointLost, "it is gone");
        assert_eq!(sentence(&all, &service, None).as_str(), "it is gone");
    }
}
