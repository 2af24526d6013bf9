//! An event to publish, and the one about an object that nobody watches.

use super::pages::{TROUBLESHOOTING, page_link};
use super::reason::EventReason;

/// One event to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventDraft {
    /// Its reason.
    pub reason: EventReason,
    /// Something is wrong, as opposed to something was done.
    pub warning: bool,
    /// The sentence.
    pub message: String,
}

/// Why an operator does not watch an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unwatched {
    /// Its labels do not match this selector.
    Labels(String),
    /// Its namespace is not one of those that are watched.
    Namespace,
}

/// Returns the event about an object with our finalizer that this operator does not watch.
#[must_use]
pub fn not_watched(why: &Unwatched) -> EventDraft {
    let (cause, remedy) = match why {
        Unwatched::Labels(selector) => (
            format!("the labels of this object do not match --watch-selector {selector:?}"),
            "give it labels that match",
        ),
        Unwatched::Namespace => (
            "the namespace of this object is not among --watch-namespaces".to_owned(),
            "add the namespace there, or release the object",
        ),
    };
    let page = page_link(&format!("{TROUBLESHOOTING}#it-left-the-selector-or-the-namespaces"));
    let message = format!(
        "{cause}, so this operator does not reconcile it: unless another operator watches it, its endpoint stays as it is \
         and its deletion waits; {remedy} ({page})"
    );
    EventDraft { reason: EventReason::NotWatched, warning: true, message }
}
