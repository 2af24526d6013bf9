//! Reads the fields that the objects of every kind have, for the rules. It does no I/O.

use std::hash::{DefaultHasher, Hash, Hasher};

use domain::schedule::ObjectVersion;
use domain::status::{ConditionType, Reason, Reported, ReportedCondition};
use kube::ResourceExt;

use super::kind::Kind;

/// Maximum length in bytes of a message that is read from a status and may be written again. The operator's own are far shorter.
const MAX_MESSAGE: usize = 4096;

/// Maximum length in bytes of a field that is read from a status.
const MAX_FIELD: usize = 1024;

/// Cuts a field of the status to the maximum length, because any writer of the status may have set it.
pub(crate) fn field(text: &str) -> String {
    cut(text, MAX_FIELD)
}

fn cut(text: &str, max: usize) -> String {
    text[..text.floor_char_boundary(max)].to_owned()
}

/// Returns the value of the annotation `key`.
pub(crate) fn annotation<'a>(object: &'a impl Kind, key: &str) -> Option<&'a str> {
    object.annotations().get(key).map(String::as_str)
}

/// Returns `true` if the object has the operator's finalizer.
pub(crate) fn has_finalizer<K: Kind>(object: &K) -> bool {
    object.finalizers().iter().any(|finalizer| finalizer == K::FINALIZER)
}

/// Returns the conditions in the status. Those of types that this version does not know concern no rule.
pub(crate) fn reported(object: &impl Kind) -> Reported {
    let Some(current) = object.current() else {
        return Reported::default();
    };
    let conditions = current.conditions.iter().filter_map(|condition| {
        Some(ReportedCondition {
            kind: ConditionType::parse(&condition.type_)?,
            status: condition.status == "True",
            reason: Reason::parse(&condition.reason),
            message: cut(&condition.message, MAX_MESSAGE),
        })
    });
    Reported {
        conditions: conditions.collect(),
        current: Some(current.observed_generation) == object.meta().generation,
    }
}

/// Returns `true` if the status says that `progressDeadline` has passed.
pub(crate) fn is_overdue(object: &impl Kind) -> bool {
    let current = object.current();
    let mut conditions = current.iter().flat_map(|current| current.conditions);
    conditions.any(|condition| {
        condition.type_ == ConditionType::Stalled.as_str()
            && condition.reason == Reason::ProgressDeadlineExceeded.as_str()
    })
}

/// Returns the reconcile request of a user, unless the status says that it has been handled.
pub(crate) fn reconcile_request<K: Kind>(object: &K) -> Option<&str> {
    let handled = object.current().and_then(|current| current.last_handled_reconcile_at);
    annotation(object, K::RECONCILE_REQUEST).filter(|requested| handled != Some(requested))
}

/// Hashes the fields whose change triggers a reconcile, but for the annotation of a reconcile request, on which the decision does
/// not depend.
fn content_hash<K: Kind>(object: &K) -> u64 {
    let mut hasher = DefaultHasher::new();
    let meta = object.meta();
    (&meta.uid, meta.generation, meta.deletion_timestamp.is_some(), &meta.finalizers).hash(&mut hasher);
    for key in K::ANNOTATIONS.iter().filter(|key| **key != K::RECONCILE_REQUEST) {
        object.annotations().get(*key).hash(&mut hasher);
    }
    // A wiped status triggers a reconcile, because the recorded id has to be found again.
    object.is_recorded().hash(&mut hasher);
    hasher.finish()
}

/// Hashes the fields whose change triggers a reconcile.
///
/// Status and foreign annotations are left out, so that neither the operator's own status writes nor the annotations of other tools
/// trigger a reconcile.
pub(crate) fn trigger<K: Kind>(object: &K) -> u64 {
    hash(&(content_hash(object), object.annotations().get(K::RECONCILE_REQUEST)))
}

/// Returns the fields that the object's schedule depends on.
pub(crate) fn version(object: &impl Kind) -> ObjectVersion {
    let meta = object.meta();
    ObjectVersion {
        content: content_hash(object),
        request: reconcile_request(object).map(|request| hash(&request)),
        number: meta.resource_version.as_deref().and_then(|number| number.parse().ok()),
        deleting: meta.deletion_timestamp.is_some(),
        recorded: object.is_recorded(),
        current: object.current().map(|current| current.observed_generation) == meta.generation,
    }
}

/// Hashes one value.
fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
