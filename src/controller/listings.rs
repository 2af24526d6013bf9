//! One listing per instance, however many objects it has; while Atlas asks to be left alone, none.
//!
//! A caller names how fresh a listing must be; whoever asks while one is on its way that is fresh enough shares it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use atlas::Fingerprint;
use domain::endpoint::{Endpoint, Instance};
use domain::fault::Fault;
use domain::observed::Sunset;

use crate::clock::Boottime;

use super::credentials::{Key, Keys};
use super::limits::Limits;
use super::pauses::{Asker, Pauses};

/// What Atlas said of an instance, and when it was asked.
#[derive(Debug, Clone)]
pub(super) struct Listing {
    pub(super) sent: Boottime,
    pub(super) result: Result<Arc<Vec<Endpoint>>, Fault>,
    /// The end of this API, if an answer has ever announced it.
    pub(super) sunset: Option<Sunset>,
}

type Slot = Arc<tokio::sync::Mutex<Option<Listing>>>;

/// The way to Atlas that all reconciles share.
pub(super) struct Listings {
    slots: Mutex<HashMap<(Instance, Fingerprint), Slot>>,
    pauses: Mutex<Pauses>,
    /// What was announced last. An answer that says nothing of it takes nothing back: not every server of Atlas may.
    sunset: Mutex<Option<Sunset>>,
}

impl Listings {
    pub(super) fn new() -> Self {
        Self { slots: Mutex::default(), pauses: Mutex::default(), sunset: Mutex::default() }
    }

    /// All endpoints of `instance`, from a listing that was sent at `fresh_after` or later.
    pub(super) async fn get(
        &self,
        instance: &Instance,
        key: &Key,
        keys: &Keys,
        limits: &Limits,
        fresh_after: Boottime,
    ) -> Listing {
        let slot = self.slot(instance, key);
        let mut slot = slot.lock().await;
        if let Some(known) = slot.as_ref().filter(|known| known.sent >= fresh_after) {
            return known.clone();
        }
        if let Some(fault) = self.paused(instance, key) {
            return Listing { sent: Boottime::now(), result: Err(fault), sunset: self.sunset(None) };
        }
        let permit = limits.enter(&instance.project).await;
        let sent = Boottime::now();
        // In a box of its own: many wait here for the few that ask.
        let result = Box::pin(key.client.list(instance)).await;
        drop(permit);
        let announced = result.as_ref().ok().and_then(|listing| listing.sunset.clone());
        let result = result.map(|listing| Arc::new(listing.endpoints)).map_err(|error| error.fault());
        self.note(instance, key, keys, result.as_ref().err()).await;
        let listing = Listing { sent, result, sunset: self.sunset(announced) };
        *slot = Some(listing.clone());
        listing
    }

    /// What was announced last, now that this was. A day that was named stays named where another server names none.
    fn sunset(&self, announced: Option<Sunset>) -> Option<Sunset> {
        let mut known = self.sunset.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() || announced.as_ref().is_some_and(|sunset| sunset.day.is_some()) {
            *known = announced;
        }
        known.clone()
    }

    /// The fault that still holds up calls with `key` for `instance`.
    pub(super) fn paused(&self, instance: &Instance, key: &Key) -> Option<Fault> {
        self.pauses().holding(&asker(instance, key), Boottime::now())
    }

    /// Draws the consequences of an answer, for the key and for whom it pauses.
    pub(super) async fn note(&self, instance: &Instance, key: &Key, keys: &Keys, fault: Option<&Fault>) {
        match fault {
            None => self.pauses().answered(&asker(instance, key), Boottime::now()),
            Some(fault) => self.pauses().refused(&asker(instance, key), fault, Boottime::now()),
        }
        keys.answered(key, fault.map(|fault| fault.kind)).await;
    }

    fn pauses(&self) -> MutexGuard<'_, Pauses> {
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, instance: &Instance, key: &Key) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        // A slot that nobody holds and that has grown old belongs to an object that is gone.
        if slots.len() > 64 && slots.len().is_power_of_two() {
            slots.retain(|_, slot| {
                Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|listing| is_young(listing.as_ref()))
            });
        }
        let fingerprint = key.client.credentials().fingerprint();
        Arc::clone(slots.entry((instance.clone(), fingerprint)).or_default())
    }
}

fn is_young(listing: Option<&Listing>) -> bool {
    listing.is_some_and(|listing| listing.sent.elapsed() < Duration::from_hours(1))
}

fn asker(instance: &Instance, key: &Key) -> Asker {
    Asker { project: instance.project.clone(), key: key.source.clone() }
}
