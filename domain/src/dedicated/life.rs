//! A life: what stands in Atlas under a key from its POST to its end, and what a status records of one.
//!
//! Plain data. The id of a service is new in each life; that of an endpoint is not, so its URL comes back in the next.

use std::fmt;

use crate::ids::ProjectId;

use super::endpoint::CloudEndpointId;
use super::service::ServiceId;

/// The two kinds of things, and where their rules differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sort {
    /// An endpoint service.
    Service,
    /// An endpoint.
    Endpoint,
}

impl Sort {
    /// Returns `true` if what was recorded with this provenance is deleted with its object while `deletionPolicy` is unset.
    ///
    /// A service may serve others who never told: it has to be proven that this object created it. An endpoint has the very id that the
    /// manifest names, and nobody was seen to have registered it before.
    #[must_use]
    pub fn is_deleted_by_default(self, provenance: Provenance) -> bool {
        match self {
            Self::Service => provenance == Provenance::Created,
            Self::Endpoint => provenance != Provenance::Adopted,
        }
    }
}

/// One life of a service, or of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Life {
    /// The service.
    pub service: ServiceId,
    /// The endpoint that is registered at it; `None` for the life of the service itself.
    pub endpoint: Option<CloudEndpointId>,
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            None => write!(f, "endpoint service {}", self.service),
            Some(endpoint) => write!(f, "endpoint {endpoint} of endpoint service {}", self.service),
        }
    }
}

/// How an object came to a life. It counts for the object that recorded it only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provenance {
    /// Atlas responded to this object's own POST that it created it.
    Created,
    /// It was found while a POST of this object for it had no response: it may be its own.
    Unproven,
    /// It was found otherwise.
    Adopted,
}

impl Provenance {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Created, Self::Unproven, Self::Adopted];

    /// Returns the word in the status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::Unproven => "Unproven",
            Self::Adopted => "Adopted",
        }
    }

    /// Returns the provenance that a status records, for the object `uid`. What another object recorded (a copied or restored status),
    /// and a word that this version does not know, count as adopted.
    #[must_use]
    pub fn recorded(word: Option<&str>, recorded_by: Option<&str>, uid: &str) -> Self {
        let own = Self::ALL.into_iter().find(|known| Some(known.as_str()) == word);
        own.filter(|_| recorded_by == Some(uid)).unwrap_or(Self::Adopted)
    }
}

/// What a status records of one life.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The life.
    pub life: Life,
    /// How the object came to it.
    pub provenance: Provenance,
    /// The project of an endpoint; `None` if the status does not say it. That of a service is in the spec and never changes.
    pub project: Option<ProjectId>,
}
