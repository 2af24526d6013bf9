//! Which object uses which Secret, and the credentials that served it: a table that is told what time it is.
//!
//! Everything in it belongs to an object and ends with it, so that neither names nor Secrets fill the memory, however many an
//! object names one after another. It never reads a Secret, and never lends one object what served another.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::ownership::Token;

use crate::clock::Boottime;

use super::credentials::SecretName;

/// How long credentials are remembered that serve nobody any more.
const REMEMBERED: Duration = Duration::from_hours(24);

/// How often those are looked for that were remembered long enough.
const SWEEP: Duration = Duration::from_hours(1);

/// The table. `S` is kept of each Secret that is in use, `K` of the credentials that served an object.
pub(super) struct Uses<S, K> {
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
    /// What is kept of the Secret `name`, which the object uses from now on, and no other.
    pub(super) fn slot(&mut self, token: &Token, uid: &str, name: &SecretName, now: Boottime) -> S {
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

    /// What is kept of the Secret `name`, if an object uses it.
    pub(super) fn used(&self, name: &SecretName) -> Option<S> {
        self.secrets.get(name).map(|used| used.slot.clone())
    }

    /// When this object was seen first, and no other of its name.
    pub(super) fn since(&mut self, token: &Token, uid: &str, now: Boottime) -> Boottime {
        self.object(token, uid, now).since
    }

    /// Atlas accepted `credentials`, which were asked with for this object while it was not being deleted.
    pub(super) fn served(&mut self, token: &Token, uid: &str, credentials: K, now: Boottime) {
        self.object(token, uid, now).served = Some((now, credentials));
        if self.swept.is_none_or(|swept| now.since(swept) >= SWEEP) {
            self.swept = Some(now);
            for used in self.objects.values_mut() {
                used.served = used.served.take().filter(|(at, _)| now.since(*at) < REMEMBERED);
            }
        }
    }

    /// The credentials that served this object last, less than a day ago.
    pub(super) fn remembered(&self, token: &Token, uid: &str, now: Boottime) -> Option<K> {
        let used = self.objects.get(token).filter(|used| used.uid == uid)?;
        let (_, credentials) = used.served.as_ref().filter(|(at, _)| now.since(*at) < REMEMBERED)?;
        Some(credentials.clone())
    }

    /// The object is gone.
    pub(super) fn forget(&mut self, token: &Token) {
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
