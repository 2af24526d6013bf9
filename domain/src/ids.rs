//! Ids that all kinds share, and how an id is checked.
//!
//! Ids are parsed once and are types from then on.

use std::fmt;

/// A value that its type does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// What was expected, in terms a user knows: "a project id (24 hexadecimal digits)".
    pub expected: &'static str,
    /// What was found, cut to 64 characters.
    pub found: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {:?}", self.expected, self.found)
    }
}

impl std::error::Error for ParseError {}

/// Makes a newtype over a checked string: parse with `FromStr`, read with `as_str`.
macro_rules! checked_string {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        $crate::ids::checked_string!(@conversions $name, $expected, $check);
    };
    // The conversions alone, of a string whose type compares in a way of its own.
    (@conversions $name:ident, $expected:literal, $check:expr) => {
        impl $name {
            /// The text that was parsed.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::ids::ParseError;

            fn from_str(text: &str) -> Result<Self, $crate::ids::ParseError> {
                Self::try_from(text.to_owned())
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::ids::ParseError;

            fn try_from(text: String) -> Result<Self, $crate::ids::ParseError> {
                let check: fn(&str) -> bool = $check;
                if check(&text) {
                    Ok(Self(text))
                } else {
                    Err($crate::ids::ParseError { expected: $expected, found: text.chars().take(64).collect() })
                }
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

pub(crate) use checked_string;

/// The maximum number of hexadecimal digits of a VPC endpoint id.
const MAX_HEX_DIGITS: usize = 123;

/// Returns `true` for an id as Atlas assigns it: 24 lower-case hexadecimal digits.
pub(crate) fn is_object_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

checked_string!(
    /// An Atlas project (= group): 24 lower-case hexadecimal digits.
    ProjectId,
    "a project id (24 hexadecimal digits)",
    is_object_id
);
checked_string!(
    /// The id of an AWS VPC endpoint: `^vpce-[0-9a-f]+$`, up to 128 characters as in the definition. Atlas' own example has
    /// more digits than AWS uses, so their number is not checked otherwise.
    VpcEndpointId,
    "a VPC endpoint id (vpce- and hexadecimal digits)",
    |text| {
        text.strip_prefix("vpce-")
            .is_some_and(|hex| {
                (1..=MAX_HEX_DIGITS).contains(&hex.len()) && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            })
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vpc_endpoint_id_of_the_api_page_is_accepted() {
        assert!("vpce-fcac938279cd98dc894".parse::<VpcEndpointId>().is_ok());
        let long = format!("vpce-{}", "0".repeat(124));
        for bad in [long.as_str(), "vpce-", "vpce-xyz", "fcac938279cd98dc894", "VPCE-fcac"] {
            assert!(bad.parse::<VpcEndpointId>().is_err(), "{bad:?}");
        }
    }
}
