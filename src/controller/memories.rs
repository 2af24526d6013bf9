//! What this process remembers of each token, and when each object is due.
//!
//! A map behind a lock that is never held across an await. Rules about what is remembered stand in `domain::memory`.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::event::Announced;
use domain::memory::{Memory, SinceBoot};
use domain::observed::{Object, Times};
use domain::ownership::{Nonce, Token};

use crate::clock::{Boottime, Stamp};

use super::counting::Counted;

/// Everything that is kept of one token between two reconciles.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// What the rules remember.
    pub(super) memory: Memory,
    /// The attempt that this process claimed last and has not sent, and when it began to.
    pub(super) claimed: Option<(Nonce, Stamp)>,
    /// When what the object refers to changed, if no listing was fetched for it yet.
    pub(super) woken: Option<Boottime>,
    /// What is said of the object depends on others, and has changed. What Atlas says has not.
    pub(super) republish: bool,
    /// When the listing was sent that the last reconcile rested on.
    pub(super) listing: Option<Boottime>,
    /// What the object was like for which the last listing was fetched, and whether it was being deleted.
    pub(super) listed: Option<(u64, bool)>,
    /// An edit for which no listing was fetched yet, as what it made of the object, and when it was heard of.
    pub(super) edit: Option<(u64, Boottime)>,
    /// When the object is due without any event.
    pub(super) due: Option<Boottime>,
    /// A listing sent before this is too old for the next look.
    pub(super) fresh_after: Option<Boottime>,
    /// When a write to Atlas was answered last.
    pub(super) answered: Option<Boottime>,
    /// Somebody's word that Atlas was not asked for yet, as its hash, and when it was heard of.
    pub(super) word: Option<(u64, Boottime)>,
    /// What the object was like that the last reconcile left behind.
    pub(super) handled: Option<u64>,
    /// The resourceVersion of this process's last write.
    pub(super) written: Option<String>,
    /// Polls in a row without a change of what Atlas says.
    pub(super) polls: u32,
    /// The last look wrote to Atlas.
    pub(super) wrote: bool,
    /// What the last poll saw.
    pub(super) seen: Option<String>,
    /// Failures in a row.
    pub(super) failures: u32,
    /// A VPC endpoint, and the private SRV address behind it as Atlas told it to this process.
    pub(super) private_address: Option<(String, String)>,
    /// What this process has told of the object.
    pub(super) told: Option<Announced>,
    /// What the log was warned of last, while it lasts.
    pub(super) warned: Option<Box<str>>,
    /// What was counted of the object.
    pub(super) counted: Counted,
    /// There is an object of this name.
    pub(super) exists: bool,
    /// The watch has shown that it is being deleted, or no longer shows whether it is.
    leaving: bool,
    /// Why it cannot be read.
    unreadable: Option<String>,
}

/// The memory of this process.
#[derive(Debug, Default)]
pub(super) struct Memories(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    /// In boxes, because half of a map is room to grow.
    all: HashMap<Token, Box<Entry>>,
    /// Tokens whose object was gone when their memory still mattered, the first to go first.
    left: VecDeque<Token>,
}

impl Entry {
    /// Notes what the object shows, in a watch event or in a reconcile.
    pub(super) fn observe(&mut self, seen: &Object, now: SinceBoot) {
        self.exists = true;
        let recorded = seen.recorded.as_ref().map(|recorded| &recorded.id);
        self.memory.observe(&seen.claim, recorded, now);
    }
}

impl Memories {
    /// Reads or changes what is kept of `token`.
    pub(super) fn with<T>(&self, token: &Token, act: impl FnOnce(&mut Entry) -> T) -> T {
        act(self.lock().all.entry(token.clone()).or_default())
    }

    /// Notes what a watch event shows.
    pub(super) fn watched(&self, token: &Token, seen: &Object) {
        self.with(token, |entry| {
            (entry.leaving, entry.unreadable) = (seen.deleting, None);
            entry.observe(seen, Boottime::now().since_boot());
        });
    }

    /// Notes that a watch event shows an object, and not what it says: it may be about to go, and what is remembered of it
    /// stays. `true` if that is news.
    pub(super) fn hidden(&self, token: &Token, why: &str) -> bool {
        self.with(token, |entry| {
            (entry.exists, entry.leaving) = (true, true);
            let is_known = entry.unreadable.as_deref() == Some(why);
            entry.unreadable = Some(why.to_owned());
            !is_known
        })
    }

    /// `true` once the watch has shown that the object is being deleted, or gone, or shows it no longer.
    pub(super) fn knows_it_leaves(&self, token: &Token) -> bool {
        self.lock().all.get(token).is_none_or(|entry| entry.leaving || !entry.exists)
    }

    /// The object is gone. Its memory stays as long as it matters to the next one of its name.
    pub(super) fn gone(&self, token: &Token, times: &Times) {
        let now = Boottime::now().since_boot();
        let mut entries = self.lock();
        let Entries { all, left } = &mut *entries;
        if let Some(entry) = all.get_mut(token) {
            **entry = Entry { memory: std::mem::take(&mut entry.memory), ..Entry::default() };
        }
        if !forget(all, token, times, now) {
            left.push_back(token.clone());
        }
        // Not beyond the first that still matters, or a thousand that go would each be looked at a thousand times.
        while let Some(first) = left.front()
            && forget(all, first, times, now)
        {
            left.pop_front();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // A panic while the lock was held left at worst one entry half updated; the rules survive a loss of memory.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the token if it has no object and its memory does not matter any more. `false` if it still does.
fn forget(all: &mut HashMap<Token, Box<Entry>>, token: &Token, times: &Times, now: SinceBoot) -> bool {
    let Some(entry) = all.get_mut(token).filter(|entry| !entry.exists) else { return true };
    let is_over = entry.memory.prune(times, now);
    if is_over {
        all.remove(token);
    }
    is_over
}

#[cfg(test)]
#[path = "memories_tests.rs"]
mod tests;
