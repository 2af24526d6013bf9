//! Properties of the mark in a comment: whatever a user or Atlas writes, ours is found again, and no other is mistaken
//! for one.

use domain::serverless::ownership::{COMMENT_BYTES, MARK_START, mark_of, marked_comment, same_comment};
use domain::token::Token;

use crate::fixtures::{Draw, stranger, token};

/// A comment and its surroundings.
pub fn check(bytes: &[u8]) {
    let mut draw = Draw::from(bytes);
    let owner = draw.one_of(&[token(), stranger()]);
    let comment = draw.maybe(|_| ()).map(|()| draw.rest());
    a_marked_comment_carries_its_mark_and_the_start_of_the_text(comment.as_deref(), &owner);
    only_a_whole_mark_at_the_end_is_one(&comment.unwrap_or_default());
}

fn a_marked_comment_carries_its_mark_and_the_start_of_the_text(comment: Option<&str>, owner: &Token) {
    let marked = marked_comment(comment, owner);
    assert!(marked.len() <= COMMENT_BYTES, "{} bytes: {marked:?}", marked.len());
    assert_eq!(mark_of(&marked).as_ref(), Some(owner), "{marked:?}");
    assert_eq!(mark_of(&format!("{marked} \u{3000}\r\n")).as_ref(), Some(owner), "{marked:?}");
    assert_eq!(mark_of(&format!("{marked}x")), None, "{marked:?}");
    let mark = format!("{MARK_START}{owner}]");
    let kept = marked.strip_suffix(&mark).unwrap();
    let text = comment.unwrap_or_default().trim();
    if text.is_empty() {
        assert_eq!(kept, "");
        return;
    }
    let kept = kept.strip_suffix(' ').unwrap();
    assert!(text.starts_with(kept) && kept.trim() == kept, "{kept:?} of {text:?}");
    // No more is truncated than necessary: the next character would not fit, except for white space in front of it.
    let room = COMMENT_BYTES - mark.len() - 1;
    let next = text[kept.len()..].trim_start();
    let skipped = text.len() - kept.len() - next.len();
    let needed = kept.len() + skipped + next.chars().next().map_or(0, char::len_utf8);
    assert!(next.is_empty() || needed > room, "{needed} bytes would fit: {text:?} was cut to {kept:?}");
    // Marking a marked comment again changes nothing: otherwise it would be sent for ever.
    assert!(same_comment(&marked, &marked_comment(Some(kept), owner)));
    assert!(same_comment(&marked, &format!("\t{marked} ")));
}

fn only_a_whole_mark_at_the_end_is_one(comment: &str) {
    if let Some(owner) = mark_of(comment) {
        assert!(comment.trim_end().ends_with(&format!("{MARK_START}{owner}]")), "{comment:?}");
    }
    // Another owner's mark in the text is no longer at the end once ours is there.
    assert_eq!(mark_of(&marked_comment(Some(comment), &token())), Some(token()));
}
