//! Cleans text from a server before it is shown: shortened, on one line, without secrets. Holds the type of a secret, too.
//!
//! Text of a server reaches conditions, events and logs that other people read.

use domain::text::is_unfit;

/// Text that is never printed: it has neither `Debug` nor `Display`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct SecretText(String);

impl SecretText {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text itself, for the one header that carries it.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

/// The maximum number of characters of a server's text that are shown.
pub(super) const MAX_CHARS: usize = 512;

/// Shorter text is not taken for a secret: replacing it would garble every message.
const MIN_SECRET_CHARS: usize = 6;

/// Control and direction-changing characters become spaces, runs of white space one space, `hidden` text
/// `[hidden]`, and what exceeds [`MAX_CHARS`] characters an ellipsis.
pub(super) fn clean(text: &str, secrets: &[SecretText]) -> String {
    let mut folded = fold(text);
    // Folded like the text: a secret with a space inside must not show up where its spaces were doubled.
    for secret in secrets.iter().map(|secret| fold(secret.expose())) {
        if secret.len() >= MIN_SECRET_CHARS && folded.contains(&secret) {
            folded = folded.replace(&secret, "[hidden]");
        }
    }
    cut(&folded)
}

/// Replaces control characters and runs of white space by one space each, and trims the ends.
fn fold(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if is_unfit(c) { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_CHARS) {
        None => text.to_owned(),
        Some(_) => text.chars().take(MAX_CHARS - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_runs_of_space_become_one_space() {
        assert_eq!(clean("a\r\n\tb\u{1b}[31m  c\u{202e}d\u{0}", &[]), "a b [31m c d");
    }

    #[test]
    fn text_is_cut_at_a_character_boundary() {
        assert_eq!(clean(&"ä".repeat(MAX_CHARS), &[]).chars().count(), MAX_CHARS);
        let cut = clean(&"ä".repeat(MAX_CHARS + 1), &[]);
        assert_eq!(cut.chars().count(), MAX_CHARS);
        assert!(cut.ends_with("ä…"));
    }

    #[test]
    fn a_secret_is_hidden_wherever_it_stands_even_where_the_cut_would_split_it() {
        let secret = SecretText::new("hunter2-hunter2".to_owned());
        let text = format!("{}hunter2-hunter2 and hunter2-hunter2", "x".repeat(MAX_CHARS - 8));
        assert!(!clean(&text, std::slice::from_ref(&secret)).contains("hunter2"));
        assert_eq!(clean("key hunter2-hunter2!", &[secret]), "key [hidden]!");
    }

    #[test]
    fn a_secret_with_a_space_inside_is_hidden_however_wide_the_space_is() {
        for secret in ["two words", "two  words"] {
            let secret = SecretText::new(secret.to_owned());
            for text in ["two words", "two  words", "two\t\u{200b}words"] {
                assert_eq!(clean(text, std::slice::from_ref(&secret)), "[hidden]", "{text:?}");
            }
        }
    }

    #[test]
    fn a_secret_too_short_to_be_one_leaves_the_text_alone() {
        assert_eq!(clean("banana", &[SecretText::new("a".to_owned())]), "banana");
    }
}
