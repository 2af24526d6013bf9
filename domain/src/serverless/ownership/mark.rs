//! The mark in an endpoint's comment in Atlas, and the token in it that names its owner (docs/concepts/ownership.md).
//!
//! Reads and writes the text, and never decides what follows from it.

use crate::text;
use crate::token::Token;

/// The maximum length of a comment that Atlas is sent, in bytes: the API page says "less than 80 characters", and
/// whether it counts bytes or characters is unknown, so the stricter reading holds.
pub const COMMENT_BYTES: usize = 79;

/// What a user may not write into a comment, because a mark begins with it.
pub const MARK_START: &str = "[k8s:";

/// Returns the comment for Atlas: the user's text, cut to fit, and the mark at its very end.
#[must_use]
pub fn marked_comment(comment: Option<&str>, token: &Token) -> String {
    let mark = format!("{MARK_START}{token}]");
    let text = comment.unwrap_or_default().trim();
    if text.is_empty() {
        return mark;
    }
    let room = COMMENT_BYTES - mark.len() - 1;
    format!("{} {mark}", text[..text.floor_char_boundary(room)].trim_end())
}

/// Returns the owner whose mark `comment` carries, if any. Only a mark at the very end counts; outer white space does not.
#[must_use]
pub fn mark_of(comment: &str) -> Option<Token> {
    let body = comment.trim_end().strip_suffix(']')?;
    let start = body.rfind(MARK_START)?;
    body[start + MARK_START.len()..].parse().ok()
}

/// Returns `true` if both comments are the same; outer white space is ignored, and so is what was replaced to show one of them.
#[must_use]
pub fn same_comment(one: &str, other: &str) -> bool {
    one.trim() == other.trim() || text::kept(one).trim() == text::kept(other).trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::tests::token;

    #[test]
    fn making_a_comment_fit_neither_makes_nor_takes_a_mark() {
        let mark = format!("[k8s:{}]", token());
        let long = "x".repeat(2 * text::MAX_BYTES);
        for comment in [
            format!("{long} {mark}"),
            format!("{long} {mark}\r\n{}", " ".repeat(2 * text::MAX_BYTES)),
            format!("{mark} {long}"),
            format!("{mark}\u{202e}"),
            format!("\u{200b}{mark}\u{200b}"),
            format!("a\tb {mark}\n"),
            mark.replace(':', ":\u{200d}"),
            format!("{}{}{}", &mark[..9], "\u{fe0f}".repeat(2 * text::MAX_BYTES), &mark[9..]),
        ] {
            assert_eq!(mark_of(&text::kept(&comment)), mark_of(&comment), "{comment:?}");
        }
    }

    #[test]
    fn a_comment_that_was_made_fit_is_still_the_one_that_was_declared() {
        for comment in ["a\tb", "family \u{1f468}\u{200d}\u{1f469}", "\u{a0}outer", "two  spaces"] {
            let declared = marked_comment(Some(comment), &token());
            assert!(same_comment(&declared, &text::kept(&declared)), "{comment:?}");
            assert!(!same_comment(&declared, &text::kept(&marked_comment(Some("ab"), &token()))));
        }
    }

    #[test]
    fn the_mark_is_found_again_in_every_comment_it_was_put_on() {
        let (long, wide) = ("x".repeat(100), "ä".repeat(100));
        for comment in
            [None, Some(""), Some("  "), Some("orders, prod"), Some(long.as_str()), Some(wide.as_str())]
        {
            let marked = marked_comment(comment, &token());
            assert!(marked.len() <= COMMENT_BYTES, "{marked:?}");
            assert_eq!(mark_of(&marked), Some(token()));
            assert_eq!(mark_of(&format!("{marked}  ")), Some(token()));
        }
        assert_eq!(marked_comment(None, &token()), format!("[k8s:{}]", token()));
    }

    #[test]
    fn a_mark_counts_only_at_the_very_end_and_only_if_it_is_whole() {
        let mark = format!("[k8s:{}]", token());
        for comment in [
            format!("{mark} later"),
            "[k8s:short]".to_owned(),
            format!("[k8s:{}", token()),
            String::new(),
            "[k8s:]".to_owned(),
        ] {
            assert_eq!(mark_of(&comment), None, "{comment:?}");
        }
    }
}
