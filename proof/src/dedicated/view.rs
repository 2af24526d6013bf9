//! What a controller knows of the objects: the index of names that ships, `domain::dedicated::names::Names`, as its watches feed it.
//!
//! The index has no form in which two of them can be compared. So the model keeps what went into it, builds it again for each event and
//! each look-up, and reads from it what it remembers.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use domain::dedicated::life::{Life, Sort};
use domain::dedicated::names::{Declares, Names, ObjectNames, Others, ServiceName};
use domain::times::Times;

use super::convert::{from_target, key, nonce, nonce_number, object_name, to_life, to_target, token, uid};
use super::object::{ModelObject, SLOTS, sort};
use super::state::{ModelSeenClaim, Slots, View};
use super::times::{OLD, TICK, ago, now};
use crate::interned::{Interned, Interner};

/// A view, which of the watches shows something, and what.
type WatchedKey = (u32, bool, Slots<Option<ModelObject>>);

/// The views of all states, and what was looked up in them.
#[derive(Default)]
pub(crate) struct Views {
    all: Interner<View>,
    found: Mutex<HashMap<(u32, u8, ModelObject), Others>>,
    older: Mutex<HashMap<u32, Interned<View>>>,
    watched: Mutex<HashMap<WatchedKey, Interned<View>>>,
}

impl Views {
    /// Returns a view as it is shared.
    pub(crate) fn intern(&self, view: View) -> Interned<View> {
        self.all.intern(view)
    }

    /// Returns the view in which the watch of one sort has shown all its objects as they are now.
    pub(crate) fn watched(
        &self,
        view: &Interned<View>,
        objects: &Slots<Option<ModelObject>>,
        of: Sort,
        times: &Times,
    ) -> Interned<View> {
        let of_sort = || (0..SLOTS).filter(|slot| sort(*slot) == of);
        if of_sort().all(|slot| view.objects[slot] == objects[slot]) {
            return view.clone();
        }
        let mut shown = Slots::default();
        of_sort().for_each(|slot| shown[slot] = objects[slot]);
        let mut known = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = known.entry((view.number(), of == Sort::Service, shown));
        entry.or_insert_with(|| self.watch(view, &shown, of, times)).clone()
    }

    fn watch(
        &self,
        view: &Interned<View>,
        objects: &Slots<Option<ModelObject>>,
        of: Sort,
        times: &Times,
    ) -> Interned<View> {
        let mut names = index(view);
        let mut new = View::clone(view);
        for slot in (0..SLOTS).filter(|slot| sort(*slot) == of) {
            if let Some(object) = &objects[slot] {
                names.record(of, token(slot), ObjectNames { version: None, ..object.as_named(slot) }, now());
            } else if new.objects[slot].is_some() {
                names.remove(of, token(slot), now());
            }
            new.objects[slot] = objects[slot];
        }
        self.remember(names, new, times)
    }

    /// Returns the view without an object, which is known to be gone.
    pub(crate) fn without(&self, view: &Interned<View>, slot: usize, times: &Times) -> Interned<View> {
        let mut names = index(view);
        let mut new = View::clone(view);
        new.objects[slot] = None;
        names.remove(sort(slot), token(slot), now());
        self.remember(names, new, times)
    }

    /// Returns the view of a process that starts: it sees the claims that the objects carry.
    pub(crate) fn seen_first(&self, view: View, times: &Times) -> Interned<View> {
        self.remember(index(&view), view, times)
    }

    /// Returns the view a tick later.
    pub(crate) fn older(&self, view: &Interned<View>, times: &Times) -> Interned<View> {
        let mut known = self.older.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(older) = known.get(&view.number()) {
            return older.clone();
        }
        let mut older = View::clone(view);
        for claim in &mut older.claims {
            claim.age = OLD.min(claim.age + 1);
        }
        let older = self.remember(index(&older), older, times);
        known.insert(view.number(), older.clone());
        older
    }

    /// Returns the view with the claims that the index remembers now.
    fn remember(&self, mut names: Names, mut view: View, times: &Times) -> Interned<View> {
        names.prune(times, now());
        let known = std::mem::take(&mut view.claims);
        for slot in 0..SLOTS {
            let number = u8::try_from(slot).unwrap_or_default();
            for seen in names.others(sort(slot), token(slot), "", &[], (times, now())).attempts {
                let nonce = nonce_number(&seen.nonce);
                let before = known.iter().find(|claim| claim.slot == number && claim.nonce == nonce);
                let life = before.map(|claim| claim.life).or(view.objects[slot].map(|object| object.life));
                let (Some(life), Some(target)) = (life, &seen.target) else { continue };
                let age = now().saturating_sub(seen.since).as_secs() / TICK.as_secs();
                let age = OLD.min(u8::try_from(age).unwrap_or(OLD));
                view.claims.push(ModelSeenClaim {
                    slot: number,
                    nonce,
                    life,
                    target: from_target(target),
                    age,
                });
            }
        }
        view.claims.sort_unstable();
        self.all.intern(view)
    }

    /// Returns what other objects contribute to a decision about `object`.
    pub(crate) fn look_up(
        &self,
        view: &Interned<View>,
        slot: usize,
        object: &ModelObject,
        times: &Times,
    ) -> Others {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let number = u8::try_from(slot).unwrap_or_default();
        let entry = found.entry((view.number(), number, *object));
        let look_up = || {
            let lives: Vec<Life> = object.entries.iter().map(|entry| to_life(entry.life)).collect();
            index(view).others(sort(slot), token(slot), &uid(object.life), &lives, (times, now()))
        };
        entry.or_insert_with(look_up).clone()
    }
}

/// Builds the index that a view stands for.
fn index(view: &View) -> Names {
    let mut names = Names::default();
    for claim in &view.claims {
        let slot = usize::from(claim.slot);
        let claimed = ObjectNames {
            object: object_name(slot),
            uid: uid(claim.life),
            version: None,
            created: i64::from(claim.life),
            is_deleting: false,
            is_observing: false,
            declares: declares(sort(slot)),
            records: Vec::new(),
            claim: Some((nonce(claim.nonce), Some(to_target(claim.target)), false)),
            offer: None,
        };
        names.record(sort(slot), token(slot), claimed, ago(claim.age));
    }
    for (slot, object) in view.objects.iter().enumerate() {
        if let Some(object) = object {
            names.record(sort(slot), token(slot), object.as_named(slot), now());
        } else {
            names.remove(sort(slot), token(slot), now());
        }
    }
    names
}

/// Returns what an object of a sort declares, as far as it decides what a claim of it writes to.
fn declares(sort: Sort) -> Declares {
    match (sort, key()) {
        (Sort::Service, Some(key)) => Declares::Service(key),
        (Sort::Endpoint, Some(key)) => Declares::Endpoint(ServiceName::Key(key), None),
        (_, None) => Declares::Nothing,
    }
}
