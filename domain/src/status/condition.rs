//! A condition as it is reported, and as the status has it so far.

use super::message::Message;
use super::reason::{ConditionType, Reason};

/// One condition, without its times and generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Its type.
    pub kind: ConditionType,
    /// True or False; this operator never reports Unknown.
    pub status: bool,
    /// Why, in one word.
    pub reason: Reason,
    /// Why, in a sentence, with the next step for the user, if there is one. What is published may add a time and a link.
    pub message: Message,
}

/// The conditions that the status shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reported {
    /// Each as `(type, status is True, reason, message)`.
    pub conditions: Vec<(String, bool, String, String)>,
    /// They were made for the spec as it is now.
    pub current: bool,
}

impl Reported {
    /// Returns the condition of type `kind`: whether it is True, its reason and its message.
    #[must_use]
    pub fn get(&self, kind: &str) -> Option<(bool, &str, &str)> {
        self.conditions
            .iter()
            .find(|(found, ..)| found == kind)
            .map(|(_, status, reason, message)| (*status, reason.as_str(), message.as_str()))
    }
}
