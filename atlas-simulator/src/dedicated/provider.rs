//! Cloud providers, and the words in which the API differs between them, as one table. Knows no object: what a service or an
//! endpoint has besides on its provider is in `service` and `endpoint`.

use serde::{Deserialize, Serialize};

use super::phase::EndpointPhase;
use crate::attributes::{FieldNames, is_vpc_endpoint_id};

/// A cloud provider, as paths and bodies name it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CloudProvider {
    /// Amazon Web Services: an endpoint is a VPC endpoint.
    #[default]
    Aws,
    /// Microsoft Azure: an endpoint is a private endpoint, whose id is a path.
    Azure,
    /// Google Cloud: an endpoint is a group of forwarding rules.
    Gcp,
}

/// The words of one provider.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// Its name in paths and bodies.
    name: &'static str,
    /// Its name in the text of errors.
    pub(crate) in_text: &'static str,
    /// The member of a service that lists its endpoints.
    pub(crate) endpoint_ids: &'static str,
    /// The members of an endpoint that hold its id and its status.
    pub(crate) of_endpoint: FieldNames,
    /// The statuses of an endpoint until it is `AVAILABLE`, in their order.
    pub(crate) waiting: &'static [EndpointPhase],
    /// The status of an endpoint that Atlas cannot connect.
    pub(crate) refused: EndpointPhase,
    /// What an endpoint stands for in the user's cloud, as messages begin.
    pub(crate) cloud_endpoint: &'static str,
    /// The same in paths of the control API.
    pub(crate) collection: &'static str,
}

static AWS: Dialect = Dialect {
    name: "AWS",
    in_text: "AWS",
    endpoint_ids: "interfaceEndpoints",
    of_endpoint: FieldNames { id: "interfaceEndpointId", status: "connectionStatus" },
    waiting: &[EndpointPhase::PendingAcceptance, EndpointPhase::Pending],
    refused: EndpointPhase::Rejected,
    cloud_endpoint: "Interface endpoint",
    collection: "vpc-endpoints",
};

static AZURE: Dialect = Dialect {
    name: "AZURE",
    in_text: "Azure",
    endpoint_ids: "privateEndpoints",
    of_endpoint: FieldNames { id: "privateEndpointResourceId", status: "status" },
    waiting: &[EndpointPhase::Initiating],
    refused: EndpointPhase::Failed,
    cloud_endpoint: "Private endpoint",
    collection: "private-endpoints",
};

static GCP: Dialect = Dialect {
    name: "GCP",
    in_text: "GCP",
    endpoint_ids: "endpointGroupNames",
    of_endpoint: FieldNames { id: "endpointGroupName", status: "status" },
    waiting: &[EndpointPhase::Initiating, EndpointPhase::Verified],
    refused: EndpointPhase::Failed,
    cloud_endpoint: "Forwarding rule",
    collection: "forwarding-rules",
};

impl CloudProvider {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Aws, Self::Azure, Self::Gcp];

    /// Returns the provider of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.name() == name)
    }

    /// Returns the provider whose endpoints the control API has at this path.
    pub(crate) fn of_collection(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.dialect().collection == path)
    }

    /// Returns its name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.dialect().name
    }

    pub(crate) fn dialect(self) -> &'static Dialect {
        match self {
            Self::Aws => &AWS,
            Self::Azure => &AZURE,
            Self::Gcp => &GCP,
        }
    }

    /// Returns whether this may be the id of an endpoint in Atlas. Atlas may be stricter.
    pub(crate) fn is_endpoint_id(self, text: &str) -> bool {
        match self {
            Self::Aws => is_vpc_endpoint_id(text),
            Self::Azure => is_private_endpoint_id(text),
            // Any identifier will do.
            Self::Gcp => !text.is_empty(),
        }
    }

    /// Returns whether this may be the id of an endpoint in the user's cloud.
    pub(crate) fn is_cloud_id(self, text: &str) -> bool {
        match self {
            Self::Gcp => is_resource(text, &["projects", "*", "regions", "*", "forwardingRules", "*"]),
            _ => self.is_endpoint_id(text),
        }
    }
}

/// Returns whether this may be the resource id of a private endpoint of Azure, which has no regard for upper and lower case.
fn is_private_endpoint_id(text: &str) -> bool {
    const FORM: [&str; 8] = [
        "subscriptions",
        "*",
        "resourceGroups",
        "*",
        "providers",
        "Microsoft.Network",
        "privateEndpoints",
        "*",
    ];
    text.strip_prefix('/').is_some_and(|path| is_resource(path, &FORM))
}

/// Returns whether a path has these segments, where `*` stands for any.
fn is_resource(path: &str, form: &[&str]) -> bool {
    let segments: Vec<&str> = path.split('/').collect();
    let fits = |(segment, wanted): (&&str, &&str)| {
        !segment.is_empty() && (*wanted == "*" || segment.eq_ignore_ascii_case(wanted))
    };
    segments.len() == form.len() && segments.iter().zip(form).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_provider_has_ids_of_its_own_form() {
        use CloudProvider::{Aws, Azure, Gcp};
        let azure = "/subscriptions/1/resourcegroups/a_B.c/providers/Microsoft.Network/privateEndpoints/shop";
        for (provider, id, is_endpoint, is_cloud) in [
            (Aws, "vpce-0a1b", true, true),
            (Aws, "vpce-", false, false),
            (Azure, azure, true, true),
            (Azure, &azure[1..], false, false),
            (
                Azure,
                "/subscriptions/1/resourceGroups//providers/Microsoft.Network/privateEndpoints/x",
                false,
                false,
            ),
            (Azure, "vpce-0a1b", false, false),
            (Gcp, "group", true, false),
            (Gcp, "projects/users/regions/us-east4/forwardingRules/rule", true, true),
            (Gcp, "", false, false),
        ] {
            assert_eq!(
                (provider.is_endpoint_id(id), provider.is_cloud_id(id)),
                (is_endpoint, is_cloud),
                "{id}"
            );
        }
        for provider in CloudProvider::ALL {
            assert_eq!(CloudProvider::named(provider.name()), Some(provider));
            assert_eq!(CloudProvider::of_collection(provider.dialect().collection), Some(provider));
        }
    }
}
