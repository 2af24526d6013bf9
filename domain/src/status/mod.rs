//! The vocabulary of a status that all kinds share: conditions, their reasons and messages, and events.

mod condition;
mod event;
mod message;
mod reason;
mod sentence;
mod summary;

pub use condition::{Condition, Reported, ReportedCondition, set_synced_false};
pub use event::{EventDraft, Unwatched, not_watched};
pub use message::{Message, Warned};
pub use reason::{ConditionType, EventReason, Reason, TROUBLESHOOTING};
pub use sentence::sentence;
pub use summary::{Progress, Summary, is_late, suspended};
