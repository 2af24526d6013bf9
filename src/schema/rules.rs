//! The CEL rules that several fields share. They are only ever loosened: an object that violates a rule of a later version
//! could neither get a status nor lose its finalizer.

use kube::core::Rule;

/// Rule: this is the name of an object, a DNS subdomain. As a pattern, because CEL's library `format` is younger than the
/// oldest Kubernetes that must take the definition: a server of 1.31 stores no rule that 1.30 could not evaluate.
pub(crate) const IS_OBJECT_NAME: &str =
    "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')";

/// Returns the rule that a value never changes. On a field that may be absent it says nothing about setting or removing it.
pub(crate) fn immutable(message: &str) -> Rule {
    Rule::new("self == oldSelf").message(message)
}

/// Returns the rule of the field `projectId`.
pub(crate) fn project_id_rule() -> Rule {
    Rule::new("self.matches('^[a-f0-9]{24}$')")
        .message("`projectId` must be the id of an Atlas project: 24 lower-case hexadecimal digits")
}
