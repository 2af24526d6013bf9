//! An error as one line, with its causes.

use std::error::Error;

/// Returns the message of `error` and those of its causes, each once: the outermost alone often says no more than that something
/// failed, and many repeat their cause.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text
}
