//! From a Secret to a client that may ask Atlas.
//!
//! Secrets are read by name and never watched: `get` is the operator's only right to them. What was read is kept for a
//! minute, so that the objects that share a Secret do not each read it; a Secret that is missing, or that Atlas does
//! not accept, is read again sooner. Keys that Atlas last accepted stay in memory for deletions, because a deleted
//! namespace may lose its Secrets first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use atlas::{Client, Credentials, Transport};
use domain::fault::{Fault, FaultKind};
use k8s_openapi::api::core::v1::Secret;

use crate::clock::Boottime;

use super::cluster::{Cluster, ClusterError};

/// How long a Secret that was read, and that works, is not read again.
const FRESH: Duration = Duration::from_mins(1);

/// The same for one that does not.
const FRESH_IF_UNUSABLE: Duration = Duration::from_secs(14);

/// A Secret's place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SecretName {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// What one Secret held.
#[derive(Clone)]
pub(super) struct Key {
    /// Asks Atlas with it.
    pub(super) client: Client,
    /// The Secret and the version of it that was read: Atlas is asked again as soon as this changes.
    pub(super) source: (SecretName, String),
    /// It is not there any more, as this says; only deletions use it.
    pub(super) gone: Option<Fault>,
}

#[derive(Default)]
struct Kept {
    read: Option<(Boottime, Result<Key, Fault>)>,
    /// Atlas refused the key that was read last.
    refused: bool,
    /// The key that Atlas accepted last.
    accepted: Option<Key>,
}

/// The keys of this process.
pub(super) struct Keys {
    cluster: Cluster,
    transport: Transport,
    kept: Mutex<HashMap<SecretName, Arc<tokio::sync::Mutex<Kept>>>>,
}

impl Keys {
    pub(super) fn new(cluster: Cluster, transport: Transport) -> Self {
        Self { cluster, transport, kept: Mutex::default() }
    }

    /// The key in the Secret `name`. A deletion may use the last one that worked, once the Secret is gone.
    pub(super) async fn of(&self, name: &SecretName, deleting: bool) -> Result<Key, Fault> {
        let kept = self.kept(name);
        let mut kept = kept.lock().await;
        let fresh = if kept.refused { FRESH_IF_UNUSABLE } else { FRESH };
        let known = kept
            .read
            .as_ref()
            .filter(|(at, result)| at.elapsed() < if result.is_ok() { fresh } else { FRESH_IF_UNUSABLE });
        let result = if let Some((_, result)) = known {
            result.clone()
        } else {
            let result = Box::pin(self.read(name)).await;
            let changed = kept.read.as_ref().is_none_or(|(_, before)| !same(before, &result));
            kept.refused = kept.refused && !changed;
            kept.read = Some((Boottime::now(), result.clone()));
            result
        };
        match (&result, &kept.accepted) {
            (Err(fault), Some(accepted)) if deleting && fault.kind == FaultKind::CredentialsNotFound => {
                Ok(Key { gone: Some(fault.clone()), ..accepted.clone() })
            }
            _ => result,
        }
    }

    /// The next one who asks gets what the Secret `name` holds then.
    pub(super) async fn read_anew(&self, name: &SecretName) {
        self.kept(name).lock().await.read = None;
    }

    /// Atlas answered a request made with `key`: as asked, or with a fault of this kind.
    pub(super) async fn answered(&self, key: &Key, fault: Option<FaultKind>) {
        let kept = self.kept(&key.source.0);
        let mut kept = kept.lock().await;
        match fault {
            None => {
                kept.refused = false;
                kept.accepted = Some(Key { gone: None, ..key.clone() });
            }
            Some(FaultKind::Unauthorized | FaultKind::Forbidden | FaultKind::NoAccess) => {
                kept.refused = true;
            }
            Some(_) => {}
        }
    }

    fn kept(&self, name: &SecretName) -> Arc<tokio::sync::Mutex<Kept>> {
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(name.clone()).or_default())
    }

    async fn read(&self, name: &SecretName) -> Result<Key, Fault> {
        let SecretName { namespace, name: secret } = name;
        let read = match self.cluster.read::<Secret>(namespace, secret).await {
            Ok(read) => read,
            Err(ClusterError::NotFound) => {
                return Err(missing(format!(
                    "Secret {secret} does not exist in namespace {namespace}; create it with the entries publicApiKey and \
                     privateApiKey, or clientId and clientSecret"
                )));
            }
            Err(ClusterError::Forbidden(_)) => {
                return Err(missing(format!(
                    "the operator may not read Secret {secret} in namespace {namespace}; grant its service account `get` on it"
                )));
            }
            Err(error) => {
                return Err(Fault {
                    detail: error.to_string().into(),
                    next: "it is tried again".into(),
                    ..Fault::new(FaultKind::Unavailable, format!("failed to read Secret {secret}"))
                });
            }
        };
        let credentials = credentials(&read).map_err(|why| missing(format!("Secret {secret}: {why}")))?;
        let version = read.metadata.resource_version.unwrap_or_default();
        let client = Client::new(self.transport.clone(), credentials);
        Ok(Key { client, source: (name.clone(), version), gone: None })
    }
}

fn same(one: &Result<Key, Fault>, other: &Result<Key, Fault>) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => one.source == other.source,
        (Err(one), Err(other)) => one == other,
        _ => false,
    }
}

fn missing(message: String) -> Fault {
    Fault::new(FaultKind::CredentialsNotFound, message)
}

/// The pair that the Secret holds.
fn credentials(secret: &Secret) -> Result<Credentials, String> {
    let entry = |key: &str| -> Result<Option<String>, String> {
        let value = secret.data.as_ref().and_then(|data| data.get(key));
        let text = value.map(|value| String::from_utf8(value.0.clone()));
        text.transpose()
            .map_err(|_| format!("the entry {key} is not text; store the key as it was shown in Atlas"))
    };
    let pairs = [("publicApiKey", "privateApiKey"), ("clientId", "clientSecret")];
    let mut lacking =
        "the entries publicApiKey and privateApiKey, or clientId and clientSecret, are missing; add one pair"
            .to_owned();
    for (id, key) in pairs {
        match (entry(id)?, entry(key)?) {
            (Some(id_value), Some(key_value)) => {
                let made = if id == "clientId" {
                    Credentials::service_account(&id_value, &key_value)
                } else {
                    Credentials::key(&id_value, &key_value)
                };
                return made.map_err(|error| {
                    format!("the entries {id} and {key} cannot be used: {error}; correct them")
                });
            }
            (Some(_), None) => lacking = format!("the entry {key} is missing; add it"),
            (None, Some(_)) => lacking = format!("the entry {id} is missing; add it"),
            (None, None) => {}
        }
    }
    Err(lacking)
}
