//! The credential store: reads a Secret and returns a client with its credentials.
//!
//! Secrets are read by name and never watched: `get` is the operator's only permission on them. How long a read is valid, and which
//! credentials an object may use, is in `domain::access`. The credentials that Atlas last accepted for an object are kept for its
//! deletion alone, because a deleted namespace may lose its Secrets first: they serve no other object, whatever its name, and no
//! write except DELETE.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use atlas::{Client, Credentials, Transport};
use domain::access::{self, Finding, Purpose, SecretRead, Unread};
use domain::fault::{Fault, FaultKind};
use domain::instant::SinceBoot;
use domain::token::Token;

use crate::clock::Boottime;

use super::api_server::{ApiError, ApiServer};
use super::credential_uses::{CredentialUses, ObjectKey, SecretName};
use super::decode::Secret;
use super::identity::Identity;

/// The credentials in one version of a Secret.
#[derive(Clone)]
pub(crate) struct AtlasKey {
    /// The client that authenticates with these credentials.
    pub(crate) client: Client,
    /// The Secret and its resourceVersion: requests to Atlas resume as soon as this changes.
    pub(crate) secret_version: Arc<(SecretName, String)>,
    /// These are the operator's default credentials, which serve several namespaces.
    pub(crate) shared: bool,
    /// Why the Secret can no longer be read, if it cannot; only deletions may use these credentials.
    pub(crate) retained_because: Option<Fault>,
    /// When the Secret was read.
    pub(crate) read: Boottime,
}

/// The last read of a Secret.
struct Read {
    validity: SecretRead,
    result: Result<AtlasKey, Fault>,
}

type SecretSlot = Arc<tokio::sync::Mutex<Option<Read>>>;

/// The credentials that this process has read.
pub(crate) struct CredentialStore {
    api_server: ApiServer,
    transport: Transport,
    /// The operator's default Secret, which is kept even if no object uses it.
    default: Option<(SecretName, SecretSlot)>,
    uses: Mutex<CredentialUses<SecretSlot, AtlasKey>>,
}

impl CredentialStore {
    pub(crate) fn new(api_server: ApiServer, transport: Transport, default: Option<SecretName>) -> Self {
        let default = default.map(|name| (name, SecretSlot::default()));
        Self { api_server, transport, default, uses: Mutex::default() }
    }

    /// Returns the credentials in the Secret `name` for `object`, from a read that is recent enough for `purpose`.
    pub(crate) async fn get(
        &self,
        name: &SecretName,
        object: &Identity,
        purpose: Purpose,
    ) -> Result<AtlasKey, Fault> {
        let (slot, since) = self.slot(name, object);
        let mut slot = slot.lock().await;
        let now = Boottime::now().since_boot();
        if let Some(read) = slot.as_mut()
            && read.validity.serves(purpose, since.since_boot(), now)
        {
            return read.result(now);
        }
        let result = Box::pin(self.read(name)).await;
        let read = Read::after(slot.take(), result, purpose, now);
        slot.insert(read).result(now)
    }

    /// Returns the credentials from the Secret `name` that Atlas last accepted for `object`; `fault` says why it is missing now.
    pub(crate) fn remembered(&self, name: &SecretName, object: &Identity, fault: &Fault) -> Option<AtlasKey> {
        let remembered = self.uses().remembered(&name_of(object), &object.uid, Boottime::now());
        let retained_because = Some(Fault { retry_after: None, ..fault.clone() });
        remembered.filter(|key| key.secret_version.0 == *name).map(|key| AtlasKey { retained_because, ..key })
    }

    /// Records the response to a request made with `key`: a success, or a fault of this kind.
    pub(crate) async fn record_response(&self, key: &AtlasKey, fault: Option<FaultKind>) {
        let Some(rejected) = access::rejects(fault) else { return };
        let Some(slot) = self.slot_in_use(&key.secret_version.0) else { return };
        if let Some(read) = slot.lock().await.as_mut()
            && read.result.as_ref().is_ok_and(|held| held.secret_version == key.secret_version)
        {
            read.validity.record_response(rejected);
        }
    }

    /// Records that Atlas accepted `key` for `object`, which was not being deleted; `recorded`: it has a recorded endpoint.
    pub(crate) fn record_accepted(&self, object: &Identity, key: &AtlasKey, recorded: bool) {
        let now = Boottime::now();
        let mut uses = self.uses();
        let name = name_of(object);
        let since = uses.since(&name, &object.uid, now);
        if key.retained_because.is_none()
            && access::may_remember(recorded, key.read.since_boot(), since.since_boot())
        {
            uses.record_accepted(&name, &object.uid, key.clone(), now);
        }
    }

    /// Removes an object of this kind that no longer exists.
    pub(crate) fn remove(&self, kind: Cow<'static, str>, token: &Token) {
        self.uses().remove(&(kind, token.clone()));
    }

    /// Returns the slot of the Secret, and when the object was first observed.
    fn slot(&self, name: &SecretName, object: &Identity) -> (SecretSlot, Boottime) {
        let (now, object_name) = (Boottime::now(), name_of(object));
        let mut uses = self.uses();
        let slot = match self.default_slot(name) {
            Some(slot) => slot,
            None => uses.slot(&object_name, &object.uid, name, now),
        };
        (slot, uses.since(&object_name, &object.uid, now))
    }

    fn slot_in_use(&self, name: &SecretName) -> Option<SecretSlot> {
        self.default_slot(name).or_else(|| self.uses().used(name))
    }

    /// Returns the slot of the operator's default Secret, if `name` is that Secret.
    fn default_slot(&self, name: &SecretName) -> Option<SecretSlot> {
        self.default.as_ref().filter(|(own, _)| own == name).map(|(_, slot)| Arc::clone(slot))
    }

    fn uses(&self) -> MutexGuard<'_, CredentialUses<SecretSlot, AtlasKey>> {
        // A panic under the lock costs at worst one additional read of a Secret.
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self, name: &SecretName) -> Result<AtlasKey, Fault> {
        let SecretName { namespace, name: secret } = name;
        let sent = Boottime::now();
        let read = self.api_server.secret(namespace, secret).await.map_err(|error| {
            let why = match error {
                ApiError::NotFound => Unread::NotFound,
                ApiError::Forbidden(_) => Unread::Forbidden,
                ApiError::Unreadable(_) => Unread::Undecodable,
                error => Unread::Unavailable(error.to_string()),
            };
            why.fault(namespace, secret)
        })?;
        let credentials = credentials(&read)
            .map_err(|why| Fault::new(FaultKind::CredentialsNotFound, format!("Secret {secret}: {why}")))?;
        let client = Client::new(self.transport.clone(), credentials);
        Ok(AtlasKey {
            client,
            secret_version: Arc::new((name.clone(), read.resource_version)),
            shared: false,
            retained_because: None,
            read: sent,
        })
    }
}

impl Read {
    /// Combines the result of a read with the `previous` read.
    fn after(
        previous: Option<Self>,
        result: Result<AtlasKey, Fault>,
        purpose: Purpose,
        now: SinceBoot,
    ) -> Self {
        let same = previous.filter(|previous| match (&previous.result, &result) {
            (Ok(previous), Ok(now)) => previous.secret_version == now.secret_version,
            (Err(previous), Err(now)) => previous == now,
            _ => false,
        });
        let finding = match &result {
            Ok(_) => Finding::Usable,
            Err(fault) if fault.kind == FaultKind::CredentialsNotFound => Finding::Missing,
            Err(_) => Finding::Unavailable,
        };
        Self { validity: SecretRead::new(same.map(|same| same.validity), finding, purpose, now), result }
    }

    /// Returns the result, with the time until the next read if the Secret is missing.
    fn result(&self, now: SinceBoot) -> Result<AtlasKey, Fault> {
        self.result.clone().map_err(|fault| match fault.kind {
            FaultKind::CredentialsNotFound => Fault { retry_after: Some(self.validity.left(now)), ..fault },
            _ => fault,
        })
    }
}

fn name_of(object: &Identity) -> ObjectKey {
    (object.kind.clone(), object.token.clone())
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
                let created = if id == "clientId" {
                    Credentials::service_account(&id_value, &key_value)
                } else {
                    Credentials::key(&id_value, &key_value)
                };
                return created.map_err(|error| {
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
