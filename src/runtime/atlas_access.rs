//! Access to Atlas, which all reconciles share: credentials, permits to call, and the calls that Atlas' refusals withhold.
//!
//! It never calls Atlas. Which credentials an object may use is in `domain::access`, and whose calls a refusal withholds in
//! `domain::rate_limits`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use atlas::{AtlasError, Fingerprint};
use domain::access::{self, Choice, OwnSecret, Purpose, Remembered};
use domain::fault::{Fault, FaultKind};
use domain::ids::ProjectId;
use domain::instant::SinceBoot;
use domain::rate_limits::{Call, Caller, RateLimits, Withheld};

use crate::clock::Boottime;

use super::concurrency::{Concurrency, Permit};
use super::credential_uses::SecretName;
use super::credentials::{AtlasKey, CredentialStore};
use super::identity::Identity;

/// A Secret, and the version of it that was read.
type SecretVersion = Arc<(SecretName, String)>;

/// The operator's default credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DefaultCredentials {
    /// The namespace of the Secret, which is the operator's own.
    pub(crate) namespace: String,
    /// The name of the Secret.
    pub(crate) name: String,
    /// The namespaces whose objects may use the Secret.
    pub(crate) allowed: Vec<String>,
}

/// Whose credentials an object uses: mostly those of its own namespace.
#[derive(Debug, Clone)]
pub(crate) struct CredentialsOf {
    pub(crate) namespace: String,
    /// The Secret that is named there; `None`: the operator's default credentials, if the namespace may use them.
    pub(crate) named: Option<String>,
}

/// The credentials and the subject of requests to Atlas for one object. A `Subject` is an instance, for example.
pub(crate) struct Access<Subject> {
    /// The namespace of the object.
    pub(crate) namespace: String,
    pub(crate) project: ProjectId,
    pub(crate) subject: Subject,
    pub(crate) key: AtlasKey,
}

/// The access to Atlas of all objects.
pub(crate) struct AtlasAccess {
    pub(crate) credentials: CredentialStore,
    default: Option<DefaultCredentials>,
    permits: Concurrency,
    rate_limits: Mutex<RateLimits<SecretVersion, Fingerprint>>,
}

impl DefaultCredentials {
    pub(crate) fn secret(&self) -> SecretName {
        SecretName { namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

impl<Subject: Clone> Access<Subject> {
    /// Returns the subject of a request and the credentials that it is sent with.
    pub(crate) fn single_flight_key(&self) -> (Subject, Fingerprint) {
        (self.subject.clone(), self.fingerprint())
    }
}

impl<Subject> Access<Subject> {
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.key.client.credentials().fingerprint()
    }

    fn caller(&self) -> Caller<SecretVersion, Fingerprint> {
        caller(&self.namespace, &self.project, &self.key)
    }
}

impl AtlasAccess {
    /// Allows at most `concurrency` calls at once.
    pub(crate) fn new(
        credentials: CredentialStore,
        default: Option<DefaultCredentials>,
        concurrency: usize,
    ) -> Self {
        Self { credentials, default, permits: Concurrency::new(concurrency), rate_limits: Mutex::default() }
    }

    /// Waits for the permit to call Atlas about `project` for an object of `namespace`.
    pub(crate) async fn enter(&self, namespace: &str, project: &ProjectId) -> Option<Permit<2>> {
        self.permits.enter(namespace, project).await
    }

    /// Returns the credentials that `domain::access` chooses for an object: those of the Secret that is `named`, or those that
    /// `namespace` may use by default. What is remembered for the deletion of the object is its own, whatever the namespace.
    pub(crate) async fn key(
        &self,
        object: &Identity,
        CredentialsOf { namespace, named }: CredentialsOf,
        project: &ProjectId,
        purpose: Purpose,
        deleting: bool,
    ) -> Result<AtlasKey, Fault> {
        let default = self.default_secret(&namespace);
        let (own, remembered) = match named {
            None => (None, None),
            Some(name) => {
                let (own, remembered) = self.secret(&SecretName { namespace, name }, object, purpose).await;
                (Some(own), remembered)
            }
        };
        let memory = match &remembered {
            None => Remembered::Nothing,
            Some(key) if self.is_unauthorized(object, project, key) => Remembered::Rejected,
            Some(_) => Remembered::Usable,
        };
        let own_secret = own.as_ref().map_or(OwnSecret::Unnamed, own_secret);
        match (access::choose(own_secret, memory, default.is_some(), deleting), own, remembered, default) {
            (Choice::Remembered, _, Some(key), _) => Ok(key),
            (Choice::Default, .., Some(secret)) => self.default_key(&secret, object, purpose, deleting).await,
            (Choice::DefaultOrRemembered, _, Some(key), Some(secret)) => {
                self.default_key(&secret, object, purpose, deleting).await.or(Ok(key))
            }
            (_, Some(own), ..) => own,
            (_, None, ..) => Err(Fault::new(
                FaultKind::CredentialsNotFound,
                "spec.credentialsRef is not set, and the operator has no default credentials for this namespace; \
                 name a Secret with an Atlas API key in spec.credentialsRef",
            )),
        }
    }

    /// Returns the operator's default credentials for an object.
    async fn default_key(
        &self,
        secret: &SecretName,
        object: &Identity,
        purpose: Purpose,
        deleting: bool,
    ) -> Result<AtlasKey, Fault> {
        let (read, remembered) = self.secret(secret, object, purpose).await;
        let memory = if remembered.is_some() { Remembered::Usable } else { Remembered::Nothing };
        let key = match (access::choose(own_secret(&read), memory, false, deleting), remembered) {
            (Choice::Remembered, Some(key)) => Ok(key),
            _ => read,
        };
        key.map(|key| AtlasKey { shared: true, ..key })
    }

    /// Returns the credentials in a Secret, and if it is missing those from it that Atlas last accepted for the object.
    async fn secret(
        &self,
        name: &SecretName,
        object: &Identity,
        purpose: Purpose,
    ) -> (Result<AtlasKey, Fault>, Option<AtlasKey>) {
        let read = self.credentials.get(name, object, purpose).await;
        let missing = read.as_ref().err().filter(|fault| fault.kind == FaultKind::CredentialsNotFound);
        let remembered = missing.and_then(|fault| self.credentials.remembered(name, object, fault));
        (read, remembered)
    }

    /// Returns `true` while requests with these credentials are backed off in this project after a 401 from Atlas.
    fn is_unauthorized(&self, object: &Identity, project: &ProjectId, key: &AtlasKey) -> bool {
        let caller = caller(&object.namespace, project, key);
        let held = self.rate_limits().holding(&caller, Call::Read, false, now());
        held.is_some_and(|fault| fault.kind == FaultKind::Unauthorized)
    }

    fn default_secret(&self, namespace: &str) -> Option<SecretName> {
        let default = self.default.as_ref()?;
        default.allowed.iter().any(|allowed| allowed == namespace).then(|| default.secret())
    }

    /// Returns the fault that withholds reads, if one does. `requested`: a user requested the read.
    pub(crate) fn withheld_read<S>(&self, access: &Access<S>, requested: bool) -> Option<Fault> {
        self.rate_limits().holding(&access.caller(), Call::Read, requested, now())
    }

    /// Records that a read begins.
    pub(crate) fn begin_read<S>(&self, access: &Access<S>) {
        self.rate_limits().called(&access.caller(), Call::Read, now());
    }

    /// Returns what withholds a write. If nothing does, records that the write begins. `requested`: because of a reconcile request.
    pub(crate) fn begin_write<S>(&self, access: &Access<S>, requested: bool) -> Option<Withheld> {
        self.rate_limits().begin_write(&access.caller(), requested, now())
    }

    /// Applies the response to a call that was sent at that time: to the calls that are withheld, and to the credentials.
    pub(crate) async fn record_response<S>(
        &self,
        access: &Access<S>,
        (call, sent): (Call, Boottime),
        error: Option<&AtlasError>,
    ) {
        let (caller, now) = (access.caller(), now());
        match error {
            None => self.rate_limits().served(&caller, call, sent.since_boot(), now),
            Some(error) => self.rate_limits().refused(&caller, call, (&error.fault(), error.concerns()), now),
        }
        self.credentials.record_response(&access.key, error.map(AtlasError::kind)).await;
    }

    fn rate_limits(&self) -> MutexGuard<'_, RateLimits<SecretVersion, Fingerprint>> {
        self.rate_limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn own_secret(read: &Result<AtlasKey, Fault>) -> OwnSecret {
    match read {
        Ok(_) => OwnSecret::Usable,
        Err(fault) if fault.kind == FaultKind::CredentialsNotFound => OwnSecret::Missing,
        Err(_) => OwnSecret::Unavailable,
    }
}

fn caller(namespace: &str, project: &ProjectId, key: &AtlasKey) -> Caller<SecretVersion, Fingerprint> {
    Caller {
        namespace: namespace.to_owned(),
        project: project.clone(),
        secret: Arc::clone(&key.secret_version),
        credentials: key.client.credentials().fingerprint(),
    }
}

fn now() -> SinceBoot {
    Boottime::now().since_boot()
}
