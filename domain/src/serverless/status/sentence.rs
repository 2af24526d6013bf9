//! The text that a person reads: a condition's message, the time it refers to, and a link to the page that helps.
//!
//! A message that is repeated from the status does not grow.

use super::Report;
use crate::status::{Condition, ConditionType, Message, Reason};

impl Report {
    /// Returns the published message of `condition`; `time` is what its message omits ([`Report::is_dated`]).
    #[must_use]
    pub fn sentence(&self, condition: &Condition, time: Option<&str>) -> Message {
        let mut sentence = condition.message.clone();
        if let Some(time) = time {
            sentence = sentence.then(&format!(" after {time}"));
        }
        match self.subject(condition).and_then(Reason::link).map(|link| format!(" ({link})")) {
            Some(link) if !sentence.ends_with(&link) => sentence.then(&link),
            _ => sentence,
        }
    }

    /// Returns the reason that the message is about. `Reconciling` and `Stalled` repeat `Ready`; the others state a fact or the
    /// user's own declaration.
    fn subject(&self, condition: &Condition) -> Option<Reason> {
        match condition.kind {
            ConditionType::Ready | ConditionType::Synced => (!condition.status).then_some(condition.reason),
            ConditionType::Reconciling | ConditionType::Stalled => {
                self.get(ConditionType::Ready).filter(|ready| !ready.status).map(|ready| ready.reason)
            }
            ConditionType::ApiSunset => Some(condition.reason),
            ConditionType::EndpointServiceAvailable
            | ConditionType::EndpointConnected
            | ConditionType::Suspended => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(kind: ConditionType, status: bool, reason: Reason, message: &str) -> Condition {
        Condition { kind, status, reason, message: message.into() }
    }

    fn report(ready: Condition) -> Report {
        Report {
            endpoint: None,
            lost: false,
            unchanged: false,
            shared: false,
            conditions: vec![ready],
            working: None,
            after: None,
        }
    }

    #[test]
    fn what_is_wrong_ends_with_the_place_to_read_on() {
        let ready = condition(ConditionType::Ready, false, Reason::Unauthorized, "Atlas refused the key");
        let report = report(ready.clone());
        let expected = "Atlas refused the key (docs/troubleshooting.md#unauthorized)";
        assert_eq!(report.sentence(&ready, None).as_str(), expected);
        let stalled = condition(
            ConditionType::Stalled,
            true,
            Reason::ProgressDeadlineExceeded,
            "Atlas refused the key",
        );
        assert_eq!(report.sentence(&stalled, None).as_str(), expected);
        // A message repeated from the status stays the same.
        let again = condition(ConditionType::Ready, false, Reason::Unauthorized, expected);
        assert_eq!(report.sentence(&again, None).as_str(), expected);
    }

    #[test]
    fn the_time_comes_before_the_place() {
        let ready = condition(ConditionType::Ready, false, Reason::EndpointLost, "a new request is sent");
        let expected =
            "a new request is sent after 2026-03-01T10:03:20Z (docs/troubleshooting.md#endpointlost)";
        assert_eq!(report(ready.clone()).sentence(&ready, Some("2026-03-01T10:03:20Z")).as_str(), expected);
    }

    #[test]
    fn what_is_well_or_takes_its_time_has_no_place_to_read_on() {
        let wait = condition(ConditionType::Ready, false, Reason::Creating, "the create request comes next");
        let reconciling = condition(ConditionType::Reconciling, true, Reason::Progressing, "it comes next");
        let report = report(wait.clone());
        for one in [&wait, &reconciling] {
            assert_eq!(report.sentence(one, None), one.message);
        }
        let synced =
            condition(ConditionType::Synced, true, Reason::ReconcileSucceeded, "the last request succeeded");
        assert_eq!(report.sentence(&synced, None).as_str(), "the last request succeeded");
        let service =
            condition(ConditionType::EndpointServiceAvailable, false, Reason::EndpointLost, "it is gone");
        assert_eq!(report.sentence(&service, None).as_str(), "it is gone");
    }
}
