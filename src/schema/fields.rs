//! The types of the fields that the specs of several kinds share. They never decide anything.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct, with its `pub`, into a function")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::IS_OBJECT_NAME;

/// A Secret in the same namespace that holds an Atlas API key.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct CredentialsRef {
    /// Name of the Secret, in the same namespace. It holds `publicApiKey` and `privateApiKey`, or `clientId` and
    /// `clientSecret`. Required. May be changed.
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new(IS_OBJECT_NAME)
        .message("`name` must be the name of a Secret: lower-case letters, digits, '-' and '.'"))]
    pub name: String,
}

/// A ConfigMap in the same namespace that the operator writes and owns.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct OutputConfigMap {
    /// Name of the ConfigMap, in the same namespace. The operator creates it; it never changes one that it did
    /// not create. Required. May be changed.
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new(IS_OBJECT_NAME)
        .message("`name` must be the name of a ConfigMap: lower-case letters, digits, '-' and '.'"))]
    pub name: String,
}

/// Whether what the object declares is managed or only observed.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ManagementPolicy {
    /// It is created, connected and deleted.
    #[default]
    Manage,
    /// It is read only: nothing is written to Atlas.
    Observe,
}

/// What happens in Atlas when the object is deleted, said by the user. Unset is a meaning of its own: then provenance decides.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeletionOverride {
    /// What the object has recorded is deleted, whoever created it.
    Delete,
    /// What the object has recorded stays.
    Retain,
}

/// What happens if what the object declares already exists in Atlas.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AdoptionPolicy {
    /// It is adopted; if it does not exist, it is created.
    #[default]
    IfExists,
    /// It is reported and never adopted; if it does not exist, it is created.
    Never,
    /// It is adopted; if it does not exist, that is reported and nothing is created.
    Only,
}
