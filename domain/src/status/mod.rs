//! The vocabulary of a status that all kinds share: conditions, their reasons and messages, and events.

mod condition;
mod event;
mod message;
mod pages;
mod reason;
mod sentence;
mod summary;

pub use condition::{Condition, Reported, ReportedCondition, set_synced_false};
pub use event::{EventDraft, Unwatched, not_watched};
pub use message::{Message, Warned};
pub use pages::{TROUBLESHOOTING, page_link, set_docs_base_url};
pub use reason::{ConditionType, EventReason, Reason};
pub use sentence::sentence;
pub use summary::{Progress, Summary, is_late, suspended};
