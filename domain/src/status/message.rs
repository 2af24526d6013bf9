//! A message for people, of which some parts differ each time the same is reported.
//!
//! Knows how a message is assembled and compared, never what it is about.

use std::fmt;
use std::ops::{Deref, Range};

/// A message. Text of a server, a number of seconds or an address is marked as *varying*: it is shown, but a message that
/// differs in nothing else is not new.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Message {
    text: String,
    varying: Vec<Range<usize>>,
}

impl Message {
    /// Adds fixed text.
    #[must_use]
    pub fn then(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Adds text that may differ next time; it may be empty.
    #[must_use]
    pub fn varying(mut self, text: &str) -> Self {
        let start = self.text.len();
        self.text.push_str(text);
        self.varying.push(start..self.text.len());
        self
    }

    /// Adds another message with its varying parts.
    #[must_use]
    pub fn join(mut self, other: &Self) -> Self {
        let start = self.text.len();
        self.text.push_str(&other.text);
        self.varying.extend(other.varying.iter().map(|part| part.start + start..part.end + start));
        self
    }

    /// Returns the first `length` bytes of the message.
    #[must_use]
    pub(super) fn truncated(mut self, length: usize) -> Self {
        self.text.truncate(length);
        self.varying.retain(|part| part.end <= length);
        self
    }

    /// Returns the message as it is shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns `true` if `shown` is this message, except for the varying parts.
    #[must_use]
    pub fn is_shown_by(&self, shown: &str) -> bool {
        let mut fixed = Vec::new();
        let mut from = 0;
        for part in &self.varying {
            fixed.push(&self.text[from..part.start]);
            from = part.end;
        }
        let end = &self.text[from..];
        let Some((first, between)) = fixed.split_first() else { return shown == end };
        let Some(mut rest) = shown.strip_prefix(first).and_then(|rest| rest.strip_suffix(end)) else {
            return false;
        };
        between.iter().all(|part| {
            let found = rest.split_once(part);
            rest = found.map_or(rest, |(_, after)| after);
            found.is_some()
        })
    }
}

impl Deref for Message {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

/// The last warning that was logged about an object, while its cause lasts.
#[derive(Debug, Clone, Default)]
pub struct Warned(Option<Box<str>>);

impl Warned {
    /// Returns `true` if the failure has to be logged: it is there, and was not there the last time.
    pub fn is_new(&mut self, failure: Option<&Message>) -> bool {
        let Some(message) = failure else {
            self.0 = None;
            return false;
        };
        let is_new = self.0.as_ref().is_none_or(|warned| !message.is_shown_by(warned));
        if is_new {
            self.0 = Some(message.as_str().into());
        }
        is_new
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self { text, varying: Vec::new() }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls(ago: &str) -> Message {
        Message::from("no connection").varying(ago).then("; retried after ").varying("5").then(" s")
    }

    #[test]
    fn a_sentence_is_the_same_whatever_its_varying_parts_say() {
        let message = tls(": expired 3661 seconds ago");
        assert_eq!(message.as_str(), "no connection: expired 3661 seconds ago; retried after 5 s");
        for other in ["", ": expired 3686 seconds ago", ": x; retried after 9 s"] {
            assert!(message.is_shown_by(tls(other).as_str()), "{other}");
            assert!(tls(other).is_shown_by(message.as_str()), "{other}");
        }
        for other in
            ["", "no connection", "no connection; retried after 5", "no connections; retried after 5 s "]
        {
            assert!(!message.is_shown_by(other), "{other}");
        }
        // The beginning and the end do not share their text.
        assert!(!Message::from("ab").varying("").then("bc").is_shown_by("abc"));
    }

    #[test]
    fn a_sentence_without_varying_parts_is_compared_as_it_is() {
        assert!(Message::from("a").then("b").is_shown_by("ab"));
        assert!(!Message::from("a").then("b").is_shown_by("abc"));
    }

    #[test]
    fn a_sentence_that_is_joined_to_another_keeps_what_varies() {
        let joined = Message::from("gone: ").join(&tls(" (x)")).then(".");
        assert!(joined.is_shown_by("gone: no connection (y); retried after 60 s."));
        assert!(!joined.is_shown_by("gone: no connection (y); retried after 60 s"));
    }
}
