//! A table of the Secret that each object uses, and of the credentials that Atlas last accepted for it. Callers pass the time.
//!
//! Every entry belongs to an object and is removed with it, so that memory stays bounded, however many Secrets an object names
//! one after another. The table never reads a Secret, and never gives one object the credentials of another.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::ownership::Token;

use crate::clock::Boottime;

/// How long credentials are kept after Atlas last accepted them for the object.
const REMEMBERED: Duration = Duration::from_hours(24);

/// How often expired credentials are removed.
const SWEEP: Duration = Duration::from_hours(1);

/// The namespace and name of a Secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SecretName {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// The table. `S` is stored per Secret in use, `K` per object: the credentials that Atlas accepted for it.
pub(crate) struct Uses<S, K> {
    secrets: HashMap<Arc<SecretName>, Used<S>>,
    objects: HashMap<Token, Use<K>>,
    swept: Option<Boottime>,
}

struct Used<S> {
    slot: S,
    objects: usize,
}

struct Use<K> {
    uid: String,
    since: Boottime,
    secret: Option<Arc<SecretName>>,
    served: Option<(Boottime, K)>,
}

impl<S, K> Default for Uses<S, K> {
    fn default() -> Self {
        Self { secrets: HashMap::new(), objects: HashMap::new(), swept: None }
    }
}

impl<S: Clone + Default, K: Clone> Uses<S, K> {
    /// Records that the object now uses the Secret `name` and no other. Returns the slot of that Secret.
    pub(crate) fn slot(&mut self, token: &Token, uid: &str, name: &SecretName, now: Boottime) -> S {
        let before = self.object(token, uid, now).secret.clone();
        if before.as_deref() != Some(name) {
            let kept = self.secrets.get_key_value(name).map(|(kept, _)| Arc::clone(kept));
            let name = kept.unwrap_or_else(|| Arc::new(name.clone()));
            self.secrets
                .entry(Arc::clone(&name))
                .or_insert_with(|| Used { slot: S::default(), objects: 0 })
                .objects += 1;
            self.object(token, uid, now).secret = Some(name);
            self.release(before);
        }
        self.secrets.get(name).map(|used| used.slot.clone()).unwrap_or_default()
    }

    /// Returns the slot of the Secret `name`, if an object uses it.
    pub(crate) fn used(&self, name: &SecretName) -> Option<S> {
        self.secrets.get(name).map(|used| used.slot.clone())
    }

    /// Returns when this object was first seen. Another uid of the same name is another object.
    pub(crate) fn since(&mut self, token: &Token, uid: &str, now: Boottime) -> Boottime {
        self.object(token, uid, now).since
    }

    /// Records that Atlas accepted `credentials` in a request for this object, which was not being deleted.
    pub(crate) fn served(&mut self, token: &Token, uid: &str, credentials: K, now: Boottime) {
        self.object(token, uid, now).served = Some((now, credentials));
        if self.swept.is_none_or(|swept| now.since(swept) >= SWEEP) {
            self.swept = Some(now);
            for used in self.objects.values_mut() {
                used.served = used.served.take().filter(|(at, _)| now.since(*at) < REMEMBERED);
            }
        }
    }

    /// Returns the credentials that Atlas last accepted for this object, if that was less than a day ago.
    pub(crate) fn remembered(&self, token: &Token, uid: &str, now: Boottime) -> Option<K> {
        let used = self.objects.get(token).filter(|used| used.uid == uid)?;
        let (_, credentials) = used.served.as_ref().filter(|(at, _)| now.since(*at) < REMEMBERED)?;
        Some(credentials.clone())
    }

    /// Removes an object that no longer exists.
    pub(crate) fn forget(&mut self, token: &Token) {
        let secret = self.objects.remove(token).and_then(|used| used.secret);
        self.release(secret);
    }

    fn object(&mut self, token: &Token, uid: &str, now: Boottime) -> &mut Use<K> {
        let used = self.objects.entry(token.clone()).or_insert_with(|| Use::new(uid, now));
        if used.uid != uid {
            let secret = used.secret.take();
            *used = Use { secret, ..Use::new(uid, now) };
        }
        used
    }

    fn release(&mut self, secret: Option<Arc<SecretName>>) {
        if let Some(secret) = secret
            && let Some(used) = self.secrets.get_mut(&secret)
        {
            used.objects -= 1;
            if used.objects == 0 {
                self.secrets.remove(&secret);
            }
        }
    }
}

impl<K> Use<K> {
    fn new(uid: &str, now: Boottime) -> Self {
        Self { uid: uid.to_owned(), since: now, secret: None, served: None }
    }
}

#[cfg(test)]
#[path = "credential_uses_tests.rs"]
mod tests;
