//! The credential store: reads a Secret and returns a client with its credentials.
//!
//! Secrets are read by name and never watched: `get` is the operator's only permission on them. A Secret is cached for one
//! minute, so that the objects that share it do not each read it; a write to Atlas accepts a Secret cached for at most two
//! seconds. A Secret whose credentials Atlas rejects is read every 15 seconds; a missing Secret with exponential back-off. The
//! credentials that Atlas last accepted for an object are kept for its deletion alone, because a deleted namespace may lose its
//! Secrets first: they serve no other object, whatever its name, and no write except DELETE.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use atlas::{Client, Credentials, Transport};
use domain::backoff::LONGEST_RETRY;
use domain::fault::{Fault, FaultKind};
use domain::ownership::Token;

use crate::clock::Boottime;

use super::api_server::{ApiError, ApiServer};
use super::convert::Identity;
use super::credential_uses::Uses;
use super::decode::Secret;

/// Maximum age of a cached Secret whose credentials work.
const FRESH: Duration = Duration::from_mins(1);

/// Maximum age before a write to Atlas, because the credentials of a deleted Secret must not be used to write.
const FRESH_FOR_WRITES: Duration = Duration::from_secs(2);

/// Maximum age after a user has changed the object or requested a reconcile.
const FRESH_ON_REQUEST: Duration = Duration::from_secs(1);

/// Maximum age of a Secret whose credentials Atlas rejects, and of a missing Secret, where it doubles with each further read.
const RECHECK: Duration = Duration::from_secs(15);

/// Maximum age of a read that failed because the API server was unavailable.
const RETRY: Duration = Duration::from_secs(5);

/// Tolerance for a requeue that comes slightly before the next read is due.
const EARLY: Duration = Duration::from_secs(1);

/// The namespace and name of a Secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SecretName {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// The credentials in one version of a Secret.
#[derive(Clone)]
pub(super) struct AtlasKey {
    /// The client that authenticates with these credentials.
    pub(super) client: Client,
    /// The Secret and its resourceVersion: requests to Atlas resume as soon as this changes.
    pub(super) source: Arc<(SecretName, String)>,
    /// These are the operator's default credentials, which serve several namespaces.
    pub(super) shared: bool,
    /// Why the Secret can no longer be read, if it cannot; only deletions may use these credentials.
    pub(super) gone: Option<Fault>,
    /// When the Secret was read.
    pub(super) read: Boottime,
}

/// What the credentials are used for, which limits the age of the cached Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A scheduled read.
    Read,
    /// A read because a user has changed the object or requested a reconcile; `spec`: the spec was changed.
    Asked { spec: bool },
    /// A write.
    Write,
    /// A write for which the Secret must be read now: the kept credentials of a deleted Secret may not make it.
    WriteNow,
}

/// The result of the last read of a Secret.
struct Read {
    at: Boottime,
    result: Result<AtlasKey, Fault>,
    /// Atlas rejected these credentials.
    rejected: bool,
    /// How many due reads in a row have had the same result, after the first: the exponent of the back-off.
    repeats: u32,
    /// A user requested a reconcile right after this read.
    requested: bool,
}

type Slot = Arc<tokio::sync::Mutex<Option<Read>>>;

/// The credentials that this process has read.
pub(super) struct CredentialStore {
    cluster: ApiServer,
    transport: Transport,
    /// The operator's default Secret, which is kept even if no object uses it.
    default: Option<(SecretName, Slot)>,
    uses: Mutex<Uses<Slot, AtlasKey>>,
}

impl CredentialStore {
    pub(super) fn new(cluster: ApiServer, transport: Transport, default: Option<SecretName>) -> Self {
        let default = default.map(|name| (name, Slot::default()));
        Self { cluster, transport, default, uses: Mutex::default() }
    }

    /// Returns the credentials in the Secret `name` for `object`. Once the Secret is deleted, the deletion of the object may use
    /// those that Atlas last accepted for it.
    pub(super) async fn of(
        &self,
        name: &SecretName,
        object: &Identity,
        purpose: Purpose,
        deleting: bool,
    ) -> Result<AtlasKey, Fault> {
        let (slot, since) = self.slot(name, object);
        let mut slot = slot.lock().await;
        let now = Boottime::now();
        let result = if let Some(read) = slot.as_mut().filter(|read| read.serves(purpose, since, now)) {
            read.requested |= matches!(purpose, Purpose::Asked { .. });
            read.result(now)
        } else {
            let result = Box::pin(self.read(name)).await;
            let read = Read::after(slot.take(), result, purpose, now);
            slot.insert(read).result(now)
        };
        drop(slot);
        match result {
            Err(fault) if deleting && fault.kind == FaultKind::CredentialsNotFound => {
                let remembered = self.uses().remembered(&object.token, &object.uid, now);
                let remembered = remembered.filter(|key| key.source.0 == *name);
                let gone = Fault { retry_after: None, ..fault.clone() };
                remembered.map(|key| AtlasKey { gone: Some(gone), ..key }).ok_or(fault)
            }
            result => result,
        }
    }

    /// Records the response to a request made with `key`: a success, or a fault of this kind.
    pub(super) async fn answered(&self, key: &AtlasKey, fault: Option<FaultKind>) {
        let rejected = match fault {
            None => false,
            Some(FaultKind::Unauthorized | FaultKind::Forbidden | FaultKind::NoAccess) => true,
            Some(_) => return,
        };
        let Some(slot) = self.known(&key.source.0) else { return };
        if let Some(read) = slot.lock().await.as_mut()
            && read.result.as_ref().is_ok_and(|held| held.source == key.source)
        {
            read.rejected = rejected;
        }
    }

    /// Records that Atlas accepted `key` for `object`, which was not being deleted; `recorded`: it has a recorded endpoint.
    /// Without one, a Secret that was read before the object existed does not count: it may have been deleted before that.
    pub(super) fn served(&self, object: &Identity, key: &AtlasKey, recorded: bool) {
        let now = Boottime::now();
        let mut uses = self.uses();
        let since = uses.since(&object.token, &object.uid, now);
        if key.gone.is_none() && (recorded || key.read >= since) {
            uses.served(&object.token, &object.uid, key.clone(), now);
        }
    }

    /// Removes an object that no longer exists.
    pub(super) fn forget(&self, token: &Token) {
        self.uses().forget(token);
    }

    /// Returns the slot of the Secret, and when the object was first seen.
    fn slot(&self, name: &SecretName, Identity { token, uid, .. }: &Identity) -> (Slot, Boottime) {
        let now = Boottime::now();
        let mut uses = self.uses();
        let slot = match self.own(name) {
            Some(slot) => slot,
            None => uses.slot(token, uid, name, now),
        };
        (slot, uses.since(token, uid, now))
    }

    fn known(&self, name: &SecretName) -> Option<Slot> {
        self.own(name).or_else(|| self.uses().used(name))
    }

    /// Returns the slot of the operator's default Secret, if `name` is that Secret.
    fn own(&self, name: &SecretName) -> Option<Slot> {
        self.default.as_ref().filter(|(own, _)| own == name).map(|(_, slot)| Arc::clone(slot))
    }

    fn uses(&self) -> MutexGuard<'_, Uses<Slot, AtlasKey>> {
        // A panic under the lock costs at worst one additional read of a Secret.
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self, name: &SecretName) -> Result<AtlasKey, Fault> {
        let SecretName { namespace, name: secret } = name;
        let sent = Boottime::now();
        let read = match self.cluster.secret(namespace, secret).await {
            Ok(read) => read,
            Err(ApiError::NotFound) => {
                return Err(missing(format!(
                    "Secret {secret} does not exist in namespace {namespace}; create it with the entries publicApiKey and \
                     privateApiKey, or clientId and clientSecret"
                )));
            }
            Err(ApiError::Forbidden(_)) => {
                return Err(missing(format!(
                    "the operator may not read Secret {secret} in namespace {namespace}; grant its service account `get` on it"
                )));
            }
            Err(ApiError::Unreadable(_)) => {
                return Err(missing(format!(
                    "Secret {secret} in namespace {namespace} is there and cannot be read; delete it and create it again"
                )));
            }
            Err(error) => {
                return Err(Fault {
                    detail: error.to_string().into(),
                    next: "retrying".into(),
                    ..Fault::new(FaultKind::Unavailable, format!("failed to read Secret {secret}"))
                });
            }
        };
        let credentials = credentials(&read).map_err(|why| missing(format!("Secret {secret}: {why}")))?;
        let client = Client::new(self.transport.clone(), credentials);
        Ok(AtlasKey {
            client,
            source: Arc::new((name.clone(), read.resource_version)),
            shared: false,
            gone: None,
            read: sent,
        })
    }
}

impl Read {
    /// Combines the result of a read with the one `before`.
    fn after(before: Option<Self>, result: Result<AtlasKey, Fault>, purpose: Purpose, now: Boottime) -> Self {
        let before = before.filter(|before| match (&before.result, &result) {
            (Ok(before), Ok(now)) => before.source == now.source,
            (Err(before), Err(now)) => before == now,
            _ => false,
        });
        let (rejected, repeats) = before.map_or((false, 0), |before| {
            // An early read on request does not lengthen the back-off for all objects that use the Secret.
            let waited = !before.requested && before.is_due(now);
            let grown = if waited { before.repeats.saturating_add(1) } else { before.repeats };
            (before.rejected, if purpose == (Purpose::Asked { spec: true }) { 0 } else { grown })
        });
        Self { at: now, result, rejected, repeats, requested: false }
    }

    /// Returns `true` if this read is recent enough for `purpose`.
    fn serves(&self, purpose: Purpose, since: Boottime, now: Boottime) -> bool {
        let age = now.since(self.at);
        match purpose {
            Purpose::Read => !self.is_due(now),
            Purpose::Asked { .. } => !self.is_due(now) && age < FRESH_ON_REQUEST,
            // A Secret that was deleted before the object existed must not serve it.
            Purpose::Write => !self.is_due(now) && age < FRESH_FOR_WRITES && self.at >= since,
            Purpose::WriteNow => false,
        }
    }

    fn is_due(&self, now: Boottime) -> bool {
        let lasts = self.lasts();
        now.since(self.at) >= if self.requested { lasts } else { lasts.saturating_sub(EARLY) }
    }

    /// Returns the age at which the Secret is read again on schedule.
    fn lasts(&self) -> Duration {
        match &self.result {
            Err(_) if self.requested => FRESH_ON_REQUEST,
            Ok(_) if self.rejected => RECHECK,
            Ok(_) => FRESH,
            Err(fault) if fault.kind == FaultKind::CredentialsNotFound => {
                RECHECK.saturating_mul(2_u32.saturating_pow(self.repeats)).min(LONGEST_RETRY)
            }
            Err(_) => RETRY,
        }
    }

    /// Returns the result, with the time until the next read if the Secret is missing.
    fn result(&self, now: Boottime) -> Result<AtlasKey, Fault> {
        self.result.clone().map_err(|fault| match fault.kind {
            FaultKind::CredentialsNotFound => {
                let left = self.lasts().saturating_sub(now.since(self.at)).max(EARLY);
                Fault { retry_after: Some(left), ..fault }
            }
            _ => fault,
        })
    }
}

fn missing(message: String) -> Fault {
    Fault::new(FaultKind::CredentialsNotFound, message)
}

/// Returns the pair of credentials in the Secret.
fn credentials(secret: &Secret) -> Result<Credentials, String> {
    let entry = |key: &str| -> Result<Option<String>, String> {
        let text = secret.entry(key).map(|value| String::from_utf8(value.to_vec()));
        text.transpose()
            .map_err(|_| format!("the entry {key} is not text; store the key as it was shown in Atlas"))
    };
    let pairs = [("publicApiKey", "privateApiKey"), ("clientId", "clientSecret")];
    let mut missing_entries =
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
            (Some(_), None) => missing_entries = format!("the entry {key} is missing; add it"),
            (None, Some(_)) => missing_entries = format!("the entry {id} is missing; add it"),
            (None, None) => {}
        }
    }
    Err(missing_entries)
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
