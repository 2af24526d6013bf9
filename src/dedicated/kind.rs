//! The trait of the two kinds of dedicated clusters: what their resources declare, record and show. It does no I/O.
//!
//! No function of this trait is a step of a reconcile: both kinds have the same machine.

use std::time::Duration;

use domain::claim::Nonce;
use domain::dedicated::claim::ClaimReading;
use domain::dedicated::kept::KeptState;
use domain::dedicated::life::{Entry, Life, Provenance, Sort};
use domain::dedicated::names::{Declares, ObjectName, ObjectNames, Offer};
use domain::dedicated::observed::{Adopt, Deletion, Object, Spec, StringsByCluster};
use domain::dedicated::service::{Provider, ProviderServices, ServiceKey};
use domain::dedicated::status::Report;
use domain::instant::SinceBoot;
use domain::schedule::Schedule;
use domain::token::ClusterId;
use kube::core::object::HasStatus;
use serde::Serialize;
use serde_json::Value;

use crate::runtime::identity::Identity;
use crate::runtime::kind::Kind;
use crate::runtime::object_fields;
use crate::runtime::references::endpoint::DeclaredFields;
use crate::runtime::states::Kept;
use crate::schema::{self, AdoptionPolicy, DeletionOverride, GcpServiceKey, OutputConfigMap, ProviderName};

/// One of the two kinds.
pub(crate) trait DedicatedKind:
    Kind<Kept = KeptState, Details = ()> + HasStatus<Status: Serialize + Default>
{
    /// Which kind of thing it declares.
    const SORT: Sort;

    /// The fields of the status that record an entry: a record is guarded by their values.
    const RECORDED: &'static [&'static str];

    /// Returns the value of one of [`Self::RECORDED`] as it is stored, if its type does not preserve that.
    fn stored(&self, _field: &str) -> Option<&Value> {
        None
    }

    /// Returns what the status records.
    fn records(&self) -> Vec<StoredRecord<'_>>;

    /// Returns `status.settledClaim`.
    fn settled_claim(&self) -> Option<&str>;

    /// Returns the spec in the form that the rules use.
    ///
    /// # Errors
    /// If a field is invalid, or not supported by this version, for this reason.
    fn rules(&self) -> Result<Spec, String>;

    /// Returns what the spec alone declares.
    fn declares(&self) -> Declares;

    /// Returns the services among which the status records an endpoint.
    fn recorded_services(&self) -> Option<ProviderServices>;

    /// Returns what the object offers to endpoints, if it declares a service.
    fn offer(&self) -> Option<Offer>;

    /// Returns the Secret that the spec names.
    fn secret(&self) -> Option<&str>;

    /// Returns the output ConfigMap that the spec names.
    fn output(&self) -> Option<&OutputConfigMap>;

    /// Returns the private connection strings that the status shows.
    fn strings(&self) -> StringsByCluster {
        StringsByCluster::new()
    }

    /// Returns the fields that declare an endpoint.
    fn endpoint(&self) -> DeclaredFields<'_>;

    /// Returns `true` if nothing may be written to Atlas.
    fn is_observing(&self) -> bool;

    /// Returns the status that shows `report`, but for what the status of every kind has.
    fn shown(&self, report: &Report, uid: &str) -> Self::Status;
}

/// What a status records of one life, as it is stored.
pub(crate) struct StoredRecord<'a> {
    pub(crate) life: Life,
    pub(crate) provenance: Option<&'a str>,
    /// The uid of the object that recorded it.
    pub(crate) recorded_by: Option<&'a str>,
    /// The project of an endpoint.
    pub(crate) project: Option<&'a str>,
}

impl Kept for KeptState {
    type Remains = ();

    fn schedule(&mut self) -> &mut Schedule {
        &mut self.schedule
    }

    fn remains(self, (): &(), _now: SinceBoot) -> Option<()> {
        // Claims outlive their objects in `domain::dedicated::names`.
        None
    }
}

/// Returns the object in the form that the rules use.
pub(super) fn object<K: DedicatedKind>(object: &K, identity: &Identity, cluster: &ClusterId) -> Object {
    let Identity { token, uid, .. } = identity;
    let entry = |StoredRecord { life, provenance, recorded_by, project }: StoredRecord<'_>| Entry {
        life,
        provenance: Provenance::recorded(provenance, recorded_by, uid),
        project: project.and_then(|project| project.parse().ok()),
    };
    Object {
        token: token.clone(),
        uid: uid.clone(),
        is_deleting: object.meta().deletion_timestamp.is_some(),
        finalizer: object_fields::has_finalizer(object),
        claim: ClaimReading::of(object_fields::annotation(object, K::CLAIM), token, cluster),
        settled: object.settled_claim().map(Nonce::recorded),
        entries: object.records().into_iter().map(entry).collect(),
        strings: object.strings(),
        reported: object_fields::reported(object),
    }
}

/// Returns what the object names, for the reconciles of others.
pub(super) fn names<K: DedicatedKind>(object: &K, identity: &Identity, cluster: &ClusterId) -> ObjectNames {
    let Identity { namespace, name, token, uid, .. } = identity;
    let meta = object.meta();
    let claim = ClaimReading::of(object_fields::annotation(object, K::CLAIM), token, cluster);
    let settled = object.settled_claim();
    ObjectNames {
        object: ObjectName { namespace: namespace.clone(), name: name.clone() },
        uid: uid.clone(),
        version: meta.resource_version.as_deref().and_then(|version| version.parse().ok()),
        created: meta.creation_timestamp.as_ref().map_or(0, |created| created.0.as_second()),
        is_deleting: meta.deletion_timestamp.is_some(),
        is_observing: object.is_observing(),
        declares: object.declares(),
        records: object.records().into_iter().map(|record| record.life).collect(),
        claim: claim
            .nonce()
            .map(|nonce| (nonce.clone(), claim.target().cloned(), settled == Some(nonce.as_str()))),
        offer: object.offer(),
    }
}

/// Returns the key of a service, from the fields that both kinds have for it.
///
/// # Errors
/// If a field is invalid, or not supported by this version, for this reason.
pub(crate) fn service_key(
    project: &str,
    provider: ProviderName,
    region: &str,
    gcp: Option<&GcpServiceKey>,
) -> Result<ServiceKey, String> {
    let provider = match provider {
        ProviderName::Aws => Provider::Aws,
        ProviderName::Azure => Provider::Azure,
        ProviderName::Gcp => Provider::Gcp,
    };
    Ok(ServiceKey {
        services: ProviderServices {
            project: project.parse().map_err(|error| format!("`projectId`: {error}"))?,
            provider,
        },
        region: region.parse().map_err(|error| format!("`region`: {error}"))?,
        is_port_mapped: gcp.is_some_and(|gcp| gcp.port_mapping),
    })
}

/// Returns `adopt` in the form that the rules use.
pub(crate) fn adoption(adopt: AdoptionPolicy) -> Adopt {
    match adopt {
        AdoptionPolicy::IfExists => Adopt::IfExists,
        AdoptionPolicy::Never => Adopt::Never,
        AdoptionPolicy::Only => Adopt::Only,
    }
}

/// Returns `deletionPolicy` in the form that the rules use.
pub(crate) fn deletion(policy: DeletionOverride) -> Deletion {
    match policy {
        DeletionOverride::Delete => Deletion::Delete,
        DeletionOverride::Retain => Deletion::Retain,
    }
}

/// Returns a duration of the spec.
///
/// # Errors
/// If it is none, with the name of the field.
pub(crate) fn duration(field: &str, text: &str) -> Result<Duration, String> {
    schema::parse_duration(text).map_err(|error| format!("`{field}`: {error}"))
}

/// Returns how often a settled object is polled.
pub(crate) fn interval(text: &str) -> Duration {
    // A value that the API server accepted but that does not parse is reported with the spec; until then the default applies.
    schema::parse_duration(text).unwrap_or(Duration::from_mins(10))
}
