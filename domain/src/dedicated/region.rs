//! Regions of a cloud provider, in the one spelling in which they are compared and sent.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::ids::ParseError;

/// The maximum number of bytes of a region; real ones have up to 30.
const MAX_BYTES: usize = 128;

/// A region as Atlas spells it in responses: `EU_WEST_1`.
///
/// Parsing turns `eu-west-1` into `EU_WEST_1`, which is the whole difference for AWS. Azure and Google Cloud have names of their own
/// for some regions (`eastus2` is `US_EAST_2`), which no rule translates: users give Atlas' name there
/// (dedicated-domain §1.1, "Region spelling").
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(String);

impl Region {
    /// Returns the region in Atlas' spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns the regions as users write a list of them: `[EU_WEST_1, US_EAST_1]`.
#[must_use]
pub(super) fn list(regions: &BTreeSet<Region>) -> String {
    let all: Vec<_> = regions.iter().map(Region::as_str).collect();
    format!("[{}]", all.join(", "))
}

impl FromStr for Region {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let normal = text.to_ascii_uppercase().replace('-', "_");
        let is_inside = |b: u8| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'_');
        let starts = normal.as_bytes().first().is_some_and(u8::is_ascii_uppercase);
        if starts && normal.len() <= MAX_BYTES && normal.bytes().all(is_inside) {
            Ok(Self(normal))
        } else {
            let found = text.chars().take(64).collect();
            Err(ParseError { expected: "a region (such as EU_WEST_1)", found })
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_the_same_in_either_spelling() {
        for (text, normal) in [
            ("EU_WEST_1", "EU_WEST_1"),
            ("eu-west-1", "EU_WEST_1"),
            ("us-gov-west-1", "US_GOV_WEST_1"),
            ("NORTH_AMERICA_NORTHEAST_1", "NORTH_AMERICA_NORTHEAST_1"),
        ] {
            let region: Region = text.parse().unwrap();
            assert_eq!(region.as_str(), normal);
            assert_eq!(region.as_str().parse::<Region>().unwrap(), region);
        }
        let long = "A".repeat(129);
        for bad in ["", "1_EU", "_EU", "EU WEST", "EU/WEST", "..", "ÄU", " EU_WEST_1", long.as_str()] {
            assert!(bad.parse::<Region>().is_err(), "{bad:?}");
        }
    }
}
