//! Properties of the normal form of a region: two spellings of one region are equal, and nothing else is.

use domain::dedicated::region::Region;

use crate::fixtures::Draw;

/// Two texts, which may be regions.
pub fn check(bytes: &[u8]) {
    let mut draw = Draw::from(bytes);
    let one = text(&mut draw);
    let other = if draw.bool() { spelled_otherwise(&one, &mut draw) } else { text(&mut draw) };
    let (region, second) = (every_text_has_one_reading(&one), every_text_has_one_reading(&other));
    let (Some(region), Some(second)) = (region, second) else { return };
    assert_eq!(region == second, normal(&one) == normal(&other), "{one:?} and {other:?}");
}

/// The normal form, written once more: upper-case, with underscores.
fn normal(text: &str) -> String {
    text.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_uppercase() }).collect()
}

fn is_region(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
    begins && text.len() <= 128 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

fn every_text_has_one_reading(text: &str) -> Option<Region> {
    let parsed = text.parse::<Region>();
    assert_eq!(parsed.is_ok(), is_region(text), "{text:?} was read as {parsed:?}");
    let region = match parsed {
        Ok(region) => region,
        Err(error) => {
            assert!(error.found.chars().count() <= 64, "an error shows the beginning only: {error}");
            return None;
        }
    };
    assert_eq!(region.as_str(), normal(text), "{text:?}");
    assert_eq!(region.to_string(), region.as_str());
    // The form is final, and the spelling of AWS leads to it.
    let of_aws = region.as_str().to_ascii_lowercase().replace('_', "-");
    for same in [region.as_str(), of_aws.as_str()] {
        assert_eq!(same.parse().as_ref(), Ok(&region), "{same:?}");
    }
    Some(region)
}

/// The same letters in other cases, and the other separators.
fn spelled_otherwise(text: &str, draw: &mut Draw<'_>) -> String {
    let other = |c: char| match (draw.byte() % 4, c) {
        (1, _) => c.to_ascii_lowercase(),
        (2, '_') => '-',
        (3, '-') => '_',
        _ => c,
    };
    text.chars().map(other).collect()
}

/// Pieces of regions, and any text.
fn text(draw: &mut Draw<'_>) -> String {
    const PIECES: [&str; 12] = ["EU", "_", "WEST", "-", "us", "gov", "1", "east2", "Ä", " ", "/", "A"];
    match draw.byte() {
        255 => "A".repeat(usize::from(draw.byte())),
        254 => draw.text(),
        number => (0..number % 8).map(|_| draw.one_of(&PIECES)).collect(),
    }
}
