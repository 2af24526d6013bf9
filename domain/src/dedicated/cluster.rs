//! The name of a dedicated cluster, whose private connection strings an endpoint leads to.

use std::fmt;

use crate::ids::{ProjectId, checked_string};

checked_string!(
    /// The name of a cluster: `^[a-zA-Z0-9][a-zA-Z0-9-]*$`.
    ClusterName,
    "a cluster name (letters, digits and hyphens, not starting with a hyphen)",
    |text| {
        text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && text.bytes().next().is_some_and(|b| b != b'-')
    }
);

/// One cluster of one project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cluster {
    /// The project that the cluster belongs to.
    pub project: ProjectId,
    /// The cluster's name within the project.
    pub name: ClusterName,
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.project, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_name_cannot_leave_its_path_segment() {
        assert!("orders-1".parse::<ClusterName>().is_ok());
        for bad in ["", "-orders", "a/b", "a b", "..", "ä"] {
            assert!(bad.parse::<ClusterName>().is_err(), "{bad:?}");
        }
    }
}
