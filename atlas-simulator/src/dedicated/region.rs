//! The regions of each cloud provider, in the spelling of Atlas and in the provider's own. Never guesses: an unknown name is no
//! region, and a name of one provider is none of another.

use super::provider::CloudProvider;

/// The regions of AWS: the two spellings follow a rule.
const AWS: [(&str, &str); 31] = [
    ("AF_SOUTH_1", "af-south-1"),
    ("AP_EAST_1", "ap-east-1"),
    ("AP_NORTHEAST_1", "ap-northeast-1"),
    ("AP_NORTHEAST_2", "ap-northeast-2"),
    ("AP_NORTHEAST_3", "ap-northeast-3"),
    ("AP_SOUTH_1", "ap-south-1"),
    ("AP_SOUTH_2", "ap-south-2"),
    ("AP_SOUTHEAST_1", "ap-southeast-1"),
    ("AP_SOUTHEAST_2", "ap-southeast-2"),
    ("AP_SOUTHEAST_3", "ap-southeast-3"),
    ("AP_SOUTHEAST_4", "ap-southeast-4"),
    ("AP_SOUTHEAST_5", "ap-southeast-5"),
    ("CA_CENTRAL_1", "ca-central-1"),
    ("CA_WEST_1", "ca-west-1"),
    ("EU_CENTRAL_1", "eu-central-1"),
    ("EU_CENTRAL_2", "eu-central-2"),
    ("EU_NORTH_1", "eu-north-1"),
    ("EU_SOUTH_1", "eu-south-1"),
    ("EU_SOUTH_2", "eu-south-2"),
    ("EU_WEST_1", "eu-west-1"),
    ("EU_WEST_2", "eu-west-2"),
    ("EU_WEST_3", "eu-west-3"),
    ("IL_CENTRAL_1", "il-central-1"),
    ("ME_CENTRAL_1", "me-central-1"),
    ("ME_SOUTH_1", "me-south-1"),
    ("MX_CENTRAL_1", "mx-central-1"),
    ("SA_EAST_1", "sa-east-1"),
    ("US_EAST_1", "us-east-1"),
    ("US_EAST_2", "us-east-2"),
    ("US_WEST_1", "us-west-1"),
    ("US_WEST_2", "us-west-2"),
];

/// The regions of Azure: no rule leads from one spelling to the other.
const AZURE: [(&str, &str); 54] = [
    ("ASIA_EAST", "eastasia"),
    ("ASIA_SOUTH_EAST", "southeastasia"),
    ("AUSTRALIA_CENTRAL", "australiacentral"),
    ("AUSTRALIA_CENTRAL_2", "australiacentral2"),
    ("AUSTRALIA_EAST", "australiaeast"),
    ("AUSTRALIA_SOUTH_EAST", "australiasoutheast"),
    ("BRAZIL_SOUTH", "brazilsouth"),
    ("BRAZIL_SOUTHEAST", "brazilsoutheast"),
    ("CANADA_CENTRAL", "canadacentral"),
    ("CANADA_EAST", "canadaeast"),
    ("CHILE_CENTRAL", "chilecentral"),
    ("EUROPE_NORTH", "northeurope"),
    ("EUROPE_WEST", "westeurope"),
    ("FRANCE_CENTRAL", "francecentral"),
    ("FRANCE_SOUTH", "francesouth"),
    ("GERMANY_NORTH", "germanynorth"),
    ("GERMANY_WEST_CENTRAL", "germanywestcentral"),
    ("INDIA_CENTRAL", "centralindia"),
    ("INDIA_SOUTH", "southindia"),
    ("INDIA_WEST", "westindia"),
    ("INDONESIA_CENTRAL", "indonesiacentral"),
    ("ISRAEL_CENTRAL", "israelcentral"),
    ("ITALY_NORTH", "italynorth"),
    ("JAPAN_EAST", "japaneast"),
    ("JAPAN_WEST", "japanwest"),
    ("KOREA_CENTRAL", "koreacentral"),
    ("KOREA_SOUTH", "koreasouth"),
    ("MALAYSIA_WEST", "malaysiawest"),
    ("MEXICO_CENTRAL", "mexicocentral"),
    ("NEW_ZEALAND_NORTH", "newzealandnorth"),
    ("NORWAY_EAST", "norwayeast"),
    ("NORWAY_WEST", "norwaywest"),
    ("POLAND_CENTRAL", "polandcentral"),
    ("QATAR_CENTRAL", "qatarcentral"),
    ("SOUTH_AFRICA_NORTH", "southafricanorth"),
    ("SOUTH_AFRICA_WEST", "southafricawest"),
    ("SPAIN_CENTRAL", "spaincentral"),
    ("SWEDEN_CENTRAL", "swedencentral"),
    ("SWEDEN_SOUTH", "swedensouth"),
    ("SWITZERLAND_NORTH", "switzerlandnorth"),
    ("SWITZERLAND_WEST", "switzerlandwest"),
    ("UAE_CENTRAL", "uaecentral"),
    ("UAE_NORTH", "uaenorth"),
    ("UK_SOUTH", "uksouth"),
    ("UK_WEST", "ukwest"),
    ("US_CENTRAL", "centralus"),
    ("US_EAST", "eastus"),
    ("US_EAST_2", "eastus2"),
    ("US_NORTH_CENTRAL", "northcentralus"),
    ("US_SOUTH_CENTRAL", "southcentralus"),
    ("US_WEST", "westus"),
    ("US_WEST_2", "westus2"),
    ("US_WEST_3", "westus3"),
    ("US_WEST_CENTRAL", "westcentralus"),
];

/// The regions of Google Cloud: some have names of their own in Atlas.
const GCP: [(&str, &str); 41] = [
    ("AFRICA_SOUTH_1", "africa-south1"),
    ("ASIA_EAST_2", "asia-east2"),
    ("ASIA_NORTHEAST_2", "asia-northeast2"),
    ("ASIA_NORTHEAST_3", "asia-northeast3"),
    ("ASIA_SOUTHEAST_2", "asia-southeast2"),
    ("ASIA_SOUTH_1", "asia-south1"),
    ("ASIA_SOUTH_2", "asia-south2"),
    ("AUSTRALIA_SOUTHEAST_1", "australia-southeast1"),
    ("AUSTRALIA_SOUTHEAST_2", "australia-southeast2"),
    ("CENTRAL_US", "us-central1"),
    ("EASTERN_ASIA_PACIFIC", "asia-east1"),
    ("EASTERN_US", "us-east1"),
    ("EUROPE_CENTRAL_2", "europe-central2"),
    ("EUROPE_NORTH_1", "europe-north1"),
    ("EUROPE_SOUTHWEST_1", "europe-southwest1"),
    ("EUROPE_WEST_10", "europe-west10"),
    ("EUROPE_WEST_12", "europe-west12"),
    ("EUROPE_WEST_2", "europe-west2"),
    ("EUROPE_WEST_3", "europe-west3"),
    ("EUROPE_WEST_4", "europe-west4"),
    ("EUROPE_WEST_6", "europe-west6"),
    ("EUROPE_WEST_8", "europe-west8"),
    ("EUROPE_WEST_9", "europe-west9"),
    ("MIDDLE_EAST_CENTRAL_1", "me-central1"),
    ("MIDDLE_EAST_CENTRAL_2", "me-central2"),
    ("MIDDLE_EAST_WEST_1", "me-west1"),
    ("NORTHEASTERN_ASIA_PACIFIC", "asia-northeast1"),
    ("NORTH_AMERICA_NORTHEAST_1", "northamerica-northeast1"),
    ("NORTH_AMERICA_NORTHEAST_2", "northamerica-northeast2"),
    ("NORTH_AMERICA_SOUTH_1", "northamerica-south1"),
    ("SOUTHEASTERN_ASIA_PACIFIC", "asia-southeast1"),
    ("SOUTH_AMERICA_EAST_1", "southamerica-east1"),
    ("SOUTH_AMERICA_WEST_1", "southamerica-west1"),
    ("US_EAST_4", "us-east4"),
    ("US_EAST_5", "us-east5"),
    ("US_SOUTH_1", "us-south1"),
    ("US_WEST_2", "us-west2"),
    ("US_WEST_3", "us-west3"),
    ("US_WEST_4", "us-west4"),
    ("WESTERN_EUROPE", "europe-west1"),
    ("WESTERN_US", "us-west1"),
];

fn all(provider: CloudProvider) -> &'static [(&'static str, &'static str)] {
    match provider {
        CloudProvider::Aws => &AWS,
        CloudProvider::Azure => &AZURE,
        CloudProvider::Gcp => &GCP,
    }
}

/// Returns a region in the spelling of Atlas, from that spelling (`EU_WEST_1`) or the one of its provider (`eu-west-1`).
pub(crate) fn in_atlas_form(provider: CloudProvider, name: &str) -> Option<String> {
    let is_it = |(atlas, own): &&(&str, &str)| *atlas == name || *own == name;
    all(provider).iter().find(is_it).map(|(atlas, _)| (*atlas).to_owned())
}

/// Returns the provider's spelling of a region in the spelling of Atlas; an unknown one stays as it is.
pub(crate) fn in_cloud_form(provider: CloudProvider, region: &str) -> &str {
    all(provider).iter().find(|(atlas, _)| *atlas == region).map_or(region, |(_, own)| own)
}

/// Returns the provider and the region of a cluster, from `EU_WEST_1` (of AWS) or `AZURE/EUROPE_WEST`.
pub(crate) fn of_cluster(place: &str) -> (CloudProvider, &str) {
    let named = place.split_once('/').and_then(|(name, region)| Some((CloudProvider::named(name)?, region)));
    named.unwrap_or((CloudProvider::Aws, place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use CloudProvider::{Aws, Azure, Gcp};

    #[test]
    fn both_spellings_of_a_region_are_read_and_no_other() {
        for (provider, atlas, own) in [
            (Aws, "EU_WEST_1", "eu-west-1"),
            (Azure, "US_EAST_2", "eastus2"),
            (Azure, "ASIA_SOUTH_EAST", "southeastasia"),
            (Gcp, "US_EAST_4", "us-east4"),
            (Gcp, "CENTRAL_US", "us-central1"),
        ] {
            for name in [atlas, own] {
                assert_eq!(in_atlas_form(provider, name).as_deref(), Some(atlas));
            }
            assert_eq!(in_cloud_form(provider, atlas), own);
        }
        for name in ["EU-WEST-1", "eu_west_1", "eu-west-9", "", "Eu-West-1", "westeurope"] {
            assert_eq!(in_atlas_form(Aws, name), None, "{name}");
        }
        assert_eq!((in_atlas_form(Azure, "eu-west-1"), in_atlas_form(Gcp, "eastus2")), (None, None));
    }

    #[test]
    fn no_region_occurs_twice_and_atlas_writes_all_in_capitals() {
        for provider in CloudProvider::ALL {
            let names = all(provider).iter().flat_map(|(atlas, own)| [*atlas, *own]);
            let different: std::collections::BTreeSet<_> = names.clone().collect();
            assert_eq!(different.len(), names.count(), "{provider:?}");
            for (atlas, own) in all(provider) {
                assert!(atlas.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'_')), "{atlas}");
                assert!(own.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')), "{own}");
            }
        }
        for (atlas, own) in AWS {
            assert_eq!(own.to_ascii_uppercase().replace('-', "_"), atlas);
        }
    }

    #[test]
    fn a_cluster_names_its_provider_or_is_on_aws() {
        assert_eq!(of_cluster("EU_WEST_1"), (Aws, "EU_WEST_1"));
        assert_eq!(of_cluster("AZURE/EUROPE_WEST"), (Azure, "EUROPE_WEST"));
        assert_eq!(of_cluster("GCP/CENTRAL_US"), (Gcp, "CENTRAL_US"));
    }
}
