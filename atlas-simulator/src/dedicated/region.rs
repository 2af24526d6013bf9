//! Cloud providers, and the two spellings of an AWS region. Never guesses: an unknown name is no region.

use serde::{Deserialize, Serialize};

/// The regions of AWS, in the spelling of AWS.
const AWS: [&str; 31] = [
    "af-south-1",
    "ap-east-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// A cloud provider, as paths and bodies name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CloudProvider {
    /// Amazon Web Services.
    Aws,
    /// Microsoft Azure: has no services here.
    Azure,
    /// Google Cloud: has no services here.
    Gcp,
}

impl CloudProvider {
    /// Returns the provider of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Aws, Self::Azure, Self::Gcp].into_iter().find(|provider| provider.name() == name)
    }

    /// Returns its name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::Azure => "AZURE",
            Self::Gcp => "GCP",
        }
    }
}

/// Returns a region of AWS in the spelling of Atlas, from that spelling (`EU_WEST_1`) or the one of AWS (`eu-west-1`).
pub(crate) fn in_atlas_form(name: &str) -> Option<String> {
    let of_atlas = |region: &str| region.to_ascii_uppercase().replace('-', "_");
    AWS.iter().find(|known| **known == name || of_atlas(known) == name).map(|known| of_atlas(known))
}

/// Returns the spelling of AWS of a region in the spelling of Atlas.
pub(crate) fn in_aws_form(region: &str) -> String {
    region.to_ascii_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_region_are_read_and_no_other() {
        for name in ["EU_WEST_1", "eu-west-1"] {
            assert_eq!(in_atlas_form(name).as_deref(), Some("EU_WEST_1"));
        }
        for name in ["EU-WEST-1", "eu_west_1", "eu-west-9", "", "Eu-West-1"] {
            assert_eq!(in_atlas_form(name), None, "{name}");
        }
        assert_eq!(in_aws_form("EU_WEST_1"), "eu-west-1");
    }
}
