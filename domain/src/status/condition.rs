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

/// Reports a problem beside the state of the object, unless `Synced` reports another one already.
pub fn set_synced_false(conditions: &mut [Condition], reason: Reason, message: Message) {
    let synced = conditions.iter_mut().find(|c| c.kind == ConditionType::Synced && c.status);
    if let Some(synced) = synced {
        *synced = Condition { kind: ConditionType::Synced, status: false, reason, message };
    }
}

/// One condition as the status shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedCondition {
    /// Its type.
    pub kind: ConditionType,
    /// It is True.
    pub status: bool,
    /// Its reason, if this version knows it.
    pub reason: Option<Reason>,
    /// Its message.
    pub message: String,
}

/// The conditions that the status shows, as far as this version knows their types.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reported {
    /// In the order of the status.
    pub conditions: Vec<ReportedCondition>,
    /// They were made for the spec as it is now.
    pub current: bool,
}

impl Reported {
    /// Returns the condition of type `kind`.
    #[must_use]
    pub fn get(&self, kind: ConditionType) -> Option<&ReportedCondition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// Returns `Ready` if it is True for the spec as it is now.
    #[must_use]
    pub fn current_ready(&self) -> Option<&ReportedCondition> {
        self.get(ConditionType::Ready).filter(|ready| ready.status && self.current)
    }
}
