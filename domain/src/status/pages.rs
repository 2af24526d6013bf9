//! The pages that messages name, and where users find them.
//!
//! A message names a page by its path in the repository. Where that is not at hand, the path follows the URL that the program was given for
//! it: the same for the whole life of the process, as if it were compiled in. No rule depends on it.

use std::sync::OnceLock;

use super::message::Message;

/// The page that has a heading for each reason.
pub const TROUBLESHOOTING: &str = "docs/troubleshooting.md";

static BASE: OnceLock<Box<str>> = OnceLock::new();

/// Sets the URL that precedes the path of each page, before the first message is made. Only the first call has an effect.
pub fn set_docs_base_url(url: &str) {
    let separator = if url.ends_with('/') { "" } else { "/" };
    // A second call would change what messages say about the same thing.
    let _ = BASE.set(format!("{url}{separator}").into());
}

/// Returns the link to a page, or to a heading in it.
#[must_use]
pub fn page_link(page: &str) -> String {
    at(BASE.get().map_or("", |base| base), page)
}

fn at(base: &str, page: &str) -> String {
    format!("{base}{page}")
}

/// Appends the link to `page`. A message that is repeated from the status has one already, perhaps from before the URL was changed.
pub(super) fn linked(message: Message, page: &str) -> Message {
    without_link(message, page).then(&format!(" ({})", page_link(page)))
}

fn without_link(message: Message, page: &str) -> Message {
    let own = message.strip_suffix(')').and_then(|text| text.strip_suffix(page));
    let start = own.and_then(|text| text.rfind(" (")).filter(|start| !message[start + 2..].contains(' '));
    match start {
        Some(start) => message.truncated(start),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_follows_the_base_or_is_a_path() {
        assert_eq!(at("", "docs/a.md#b"), "docs/a.md#b");
        assert_eq!(at("https://docs.example/v1/", "docs/a.md#b"), "https://docs.example/v1/docs/a.md#b");
    }

    #[test]
    fn a_link_replaces_the_one_of_another_base() {
        for base in ["", "https://docs.example/v1/", "http://10.0.0.1/"] {
            let repeated = Message::from(format!("it is gone ({base}docs/a.md#b)"));
            assert_eq!(linked(repeated, "docs/a.md#b").as_str(), "it is gone (docs/a.md#b)", "{base}");
        }
    }

    #[test]
    fn no_other_text_is_taken_for_the_link() {
        for text in ["it is gone", "it is gone (see docs/a.md#b)", "docs/a.md#b)", "gone (docs/a.md#c)", ""] {
            let linked = linked(Message::from(text), "docs/a.md#b");
            assert_eq!(linked.as_str(), format!("{text} (docs/a.md#b)"));
        }
    }
}
