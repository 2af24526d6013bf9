//! A table of the Secret that each object uses, and of the credentials that Atlas last accepted for it. Callers pass the time.
//!
//! Every entry belongs to an object and is removed with it, so that memory stays bounded, however many Secrets an object names
//! one after another. The table never reads a Secret, and never gives one object the credentials of another.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::access::RETENTION;
use domain::token::Token;

use crate::clock::Boottime;

/// How often expired credentials are removed.
const SWEEP: Duration = Duration::from_hours(1);

/// The namespace and name of a Secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SecretName {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// Names an object: its kind, and its token.
pub(crate) type ObjectKey = (Cow<'static, str>, Token);

/// The table. `S` is stored per Secret in use, `K` per object: the credentials that Atlas accepted for it.
pub(crate) struct CredentialUses<S, K> {
    secrets: HashMap<Arc<SecretName>, SecretUse<S>>,
    objects: HashMap<ObjectKey, ObjectUse<K>>,
    swept: Option<Boottime>,
}

struct SecretUse<S> {
    slot: S,
    objects: usize,
}

struct ObjectUse<K> {
    uid: String,
    since: Boottime,
    secret: Option<Arc<SecretName>>,
    accepted: Option<(Boottime, K)>,
}

impl<S, K> Default for CredentialUses<S, K> {
    fn default() -> Self {
        Self { secrets: HashMap::new(), objects: HashMap::new(), swept: None }
    }
}

impl<S: Clone + Default, K: Clone> CredentialUses<S, K> {
    /// Records that the object now uses the Secret `name` and no other. Returns the slot of that Secret.
    pub(crate) fn slot(&mut self, object: &ObjectKey, uid: &str, name: &SecretName, now: Boottime) -> S {
        let before = self.object(object, uid, now).secret.clone();
        if before.as_deref() != Some(name) {
            let existing = self.secrets.get_key_value(name).map(|(existing, _)| Arc::clone(existing));
            let name = existing.unwrap_or_else(|| Arc::new(name.clone()));
            self.secrets
                .entry(Arc::clone(&name))
                .or_insert_with(|| SecretUse { slot: S::default(), objects: 0 })
                .objects += 1;
            self.object(object, uid, now).secret = Some(name);
            self.release(before);
        }
        self.secrets.get(name).map(|usage| usage.slot.clone()).unwrap_or_default()
    }

    /// Returns the slot of the Secret `name`, if an object uses it.
    pub(crate) fn used(&self, name: &SecretName) -> Option<S> {
        self.secrets.get(name).map(|usage| usage.slot.clone())
    }

    /// Returns when this object was first observed. Another uid of the same name is another object.
    pub(crate) fn since(&mut self, object: &ObjectKey, uid: &str, now: Boottime) -> Boottime {
        self.object(object, uid, now).since
    }

    /// Records that Atlas accepted `credentials` in a request for this object, which was not being deleted.
    pub(crate) fn record_accepted(&mut self, object: &ObjectKey, uid: &str, credentials: K, now: Boottime) {
        self.object(object, uid, now).accepted = Some((now, credentials));
        if self.swept.is_none_or(|swept| now.since(swept) >= SWEEP) {
            self.swept = Some(now);
            for usage in self.objects.values_mut() {
                usage.accepted = usage.accepted.take().filter(|(at, _)| now.since(*at) < RETENTION);
            }
        }
    }

    /// Returns the credentials that Atlas last accepted for this object, if that was less than a day ago.
    pub(crate) fn remembered(&self, object: &ObjectKey, uid: &str, now: Boottime) -> Option<K> {
        let usage = self.objects.get(object).filter(|usage| usage.uid == uid)?;
        let (_, credentials) = usage.accepted.as_ref().filter(|(at, _)| now.since(*at) < RETENTION)?;
        Some(credentials.clone())
    }

    /// Removes an object that no longer exists.
    pub(crate) fn remove(&mut self, object: &ObjectKey) {
        let secret = self.objects.remove(object).and_then(|usage| usage.secret);
        self.release(secret);
    }

    fn object(&mut self, object: &ObjectKey, uid: &str, now: Boottime) -> &mut ObjectUse<K> {
        let usage = self.objects.entry(object.clone()).or_insert_with(|| ObjectUse::new(uid, now));
        if usage.uid != uid {
            let secret = usage.secret.take();
            *usage = ObjectUse { secret, ..ObjectUse::new(uid, now) };
        }
        usage
    }

    fn release(&mut self, secret: Option<Arc<SecretName>>) {
        if let Some(secret) = secret
            && let Some(usage) = self.secrets.get_mut(&secret)
        {
            usage.objects -= 1;
            if usage.objects == 0 {
                self.secrets.remove(&secret);
            }
        }
    }
}

impl<K> ObjectUse<K> {
    fn new(uid: &str, now: Boottime) -> Self {
        Self { uid: uid.to_owned(), since: now, secret: None, accepted: None }
    }
}

#[cfg(test)]
#[path = "credential_uses_tests.rs"]
mod tests;
