//! From a Secret to a client that may ask Atlas.
//!
//! Secrets are read by name and never watched: `get` is the operator's only right to them. What was read is kept for a
//! minute, so that the objects that share a Secret do not each read it, and for two seconds where something is written. One
//! that Atlas refuses is read every 15 seconds; one that is missing ever more rarely. The credentials that last served an
//! object are remembered for its deletion alone, because a deleted namespace may lose its Secrets first: they serve no other
//! object, whatever its name, and never a write but DELETE.

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

/// How long a Secret that was read, and that works, is not read again.
const FRESH: Duration = Duration::from_mins(1);

/// The same where Atlas is to be changed: a Secret that was deleted changes nothing any more.
const FRESH_FOR_WRITES: Duration = Duration::from_secs(2);

/// The same after somebody has changed the object.
const FRESH_IF_ASKED: Duration = Duration::from_secs(1);

/// The same for a Secret whose credentials Atlas refuses, and for one that was missing once; each further time, twice that.
const RECHECK: Duration = Duration::from_secs(15);

/// The same where the API server gave no answer.
const RETRY: Duration = Duration::from_secs(5);

/// Whoever comes back in time for the next read is a little early, never late.
const EARLY: Duration = Duration::from_secs(1);

/// A Secret's place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SecretName {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// What one Secret held.
#[derive(Clone)]
pub(super) struct AtlasKey {
    /// Asks Atlas with it.
    pub(super) client: Client,
    /// The Secret and the version of it that was read: Atlas is asked again as soon as this changes.
    pub(super) source: Arc<(SecretName, String)>,
    /// It is the operator's default, which serves several namespaces.
    pub(super) shared: bool,
    /// It is not there any more, as this says; only deletions use it.
    pub(super) gone: Option<Fault>,
    /// When it was there.
    pub(super) read: Boottime,
}

/// What credentials are wanted for. It says how old the read of their Secret may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To read, by the clock.
    Read,
    /// To read, because somebody has changed the object, or asked for it; `spec`: the change is one of its spec.
    Asked { spec: bool },
    /// To write.
    Write,
    /// To write what credentials that are only remembered may not.
    WriteNow,
}

/// What the last read of a Secret said.
struct Read {
    at: Boottime,
    result: Result<AtlasKey, Fault>,
    /// Atlas refused these credentials.
    refused: bool,
    /// How often in a row the Secret was missing, after the first time.
    repeats: u32,
    /// Somebody asked for it right after it was read.
    soon: bool,
}

type Slot = Arc<tokio::sync::Mutex<Option<Read>>>;

/// The keys of this process.
pub(super) struct CredentialStore {
    cluster: ApiServer,
    transport: Transport,
    /// The operator's own Secret, which no object has to name.
    default: Option<(SecretName, Slot)>,
    uses: Mutex<Uses<Slot, AtlasKey>>,
}

impl CredentialStore {
    pub(super) fn new(cluster: ApiServer, transport: Transport, default: Option<SecretName>) -> Self {
        let default = default.map(|name| (name, Slot::default()));
        Self { cluster, transport, default, uses: Mutex::default() }
    }

    /// The key in the Secret `name`, for `object`. Its deletion may use the one that served it last, once the Secret is gone.
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
            read.soon |= matches!(purpose, Purpose::Asked { .. });
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

    /// Atlas answered a request made with `key`: as asked, or with a fault of this kind.
    pub(super) async fn answered(&self, key: &AtlasKey, fault: Option<FaultKind>) {
        let refused = match fault {
            None => false,
            Some(FaultKind::Unauthorized | FaultKind::Forbidden | FaultKind::NoAccess) => true,
            Some(_) => return,
        };
        let Some(slot) = self.known(&key.source.0) else { return };
        if let Some(read) = slot.lock().await.as_mut()
            && read.result.as_ref().is_ok_and(|held| held.source == key.source)
        {
            read.refused = refused;
        }
    }

    /// Atlas accepted `key` for `object`, which was not being deleted; `recorded`: and had an endpoint. What was read before the
    /// object was there says nothing about what it may use.
    pub(super) fn served(&self, object: &Identity, key: &AtlasKey, recorded: bool) {
        let now = Boottime::now();
        let mut uses = self.uses();
        let since = uses.since(&object.token, &object.uid, now);
        if key.gone.is_none() && (recorded || key.read >= since) {
            uses.served(&object.token, &object.uid, key.clone(), now);
        }
    }

    /// The object is gone.
    pub(super) fn forget(&self, token: &Token) {
        self.uses().forget(token);
    }

    /// What is kept of the Secret, and since when the object has been seen.
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

    /// What is kept of the operator's own Secret, if it is that one.
    fn own(&self, name: &SecretName) -> Option<Slot> {
        self.default.as_ref().filter(|(own, _)| own == name).map(|(_, slot)| Arc::clone(slot))
    }

    fn uses(&self) -> MutexGuard<'_, Uses<Slot, AtlasKey>> {
        // A panic while the lock was held left at worst one object that is read for once more.
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
                    next: "it is tried again".into(),
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
    /// What was read now, after `before`.
    fn after(before: Option<Self>, result: Result<AtlasKey, Fault>, purpose: Purpose, now: Boottime) -> Self {
        let before = before.filter(|before| match (&before.result, &result) {
            (Ok(before), Ok(now)) => before.source == now.source,
            (Err(before), Err(now)) => before == now,
            _ => false,
        });
        let (refused, repeats) = before.map_or((false, 0), |before| {
            // Who asks sooner does not make everybody wait longer.
            let waited = !before.soon && before.is_due(now);
            let grown = if waited { before.repeats.saturating_add(1) } else { before.repeats };
            (before.refused, if purpose == (Purpose::Asked { spec: true }) { 0 } else { grown })
        });
        Self { at: now, result, refused, repeats, soon: false }
    }

    /// Whether it is new enough.
    fn serves(&self, purpose: Purpose, since: Boottime, now: Boottime) -> bool {
        let age = now.since(self.at);
        match purpose {
            Purpose::Read => !self.is_due(now),
            Purpose::Asked { .. } => !self.is_due(now) && age < FRESH_IF_ASKED,
            // A Secret that was deleted before there was the object never served it.
            Purpose::Write => !self.is_due(now) && age < FRESH_FOR_WRITES && self.at >= since,
            Purpose::WriteNow => false,
        }
    }

    fn is_due(&self, now: Boottime) -> bool {
        let lasts = self.lasts();
        now.since(self.at) >= if self.soon { lasts } else { lasts.saturating_sub(EARLY) }
    }

    /// When the Secret is read again without anybody asking for it.
    fn lasts(&self) -> Duration {
        match &self.result {
            Err(_) if self.soon => FRESH_IF_ASKED,
            Ok(_) if self.refused => RECHECK,
            Ok(_) => FRESH,
            Err(fault) if fault.kind == FaultKind::CredentialsNotFound => {
                RECHECK.saturating_mul(2_u32.saturating_pow(self.repeats)).min(LONGEST_RETRY)
            }
            Err(_) => RETRY,
        }
    }

    /// What it said, and when to come back if the Secret was missing.
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

/// The pair that the Secret holds.
fn credentials(secret: &Secret) -> Result<Credentials, String> {
    let entry = |key: &str| -> Result<Option<String>, String> {
        let text = secret.entry(key).map(|value| String::from_utf8(value.to_vec()));
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

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
