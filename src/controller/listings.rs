//! One listing per instance, however many objects it has; while Atlas asks to be left alone, none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use atlas::Operation;
use domain::endpoint::{Endpoint, Instance};
use domain::fault::Fault;
use domain::observed::Sunset;

use crate::clock::Boottime;

use super::bucket::Rate;
use super::context::Context;
use super::credentials::{Key, Keys};
use super::pass::Access;
use super::pauses::{Asker, Pauses};
use super::shared::Shared;

/// An instance is listed once in this time at the most, however many wish it: where polls come oftener, as often as those.
const INTERVAL: Duration = Duration::from_secs(1);

/// As many listings of an instance come one upon the other as a change takes that waits for nothing.
const BURST: u32 = 4;

/// What Atlas said of an instance, and when it was asked.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) sent: Boottime,
    pub(super) result: Result<Arc<Vec<Endpoint>>, Fault>,
    /// The end of this API, if an answer has ever announced it.
    pub(super) sunset: Option<Sunset>,
}

/// The way to Atlas that all reconciles share.
pub(super) struct Listings {
    endpoints: Shared<Result<Arc<Vec<Endpoint>>, Fault>>,
    pauses: Mutex<Pauses>,
    /// What was announced last. An answer that says nothing of it takes nothing back: not every server of Atlas may.
    sunset: Mutex<Option<Sunset>>,
}

impl Listings {
    /// Listings for objects that are polled every `poll_min` at the soonest.
    pub(super) fn new(poll_min: Duration) -> Self {
        let rate = Rate { burst: BURST, interval: INTERVAL.min(poll_min) };
        Self { endpoints: Shared::new(Some(rate)), pauses: Mutex::default(), sunset: Mutex::default() }
    }

    /// All endpoints of an instance, from a listing that was sent at `fresh_after` or later.
    pub(super) async fn get(&self, ctx: &Context, access: &Access, fresh_after: Boottime) -> Listing {
        let Access { namespace, instance, key } = access;
        let held_up = || {
            let fault = self.paused(instance, key);
            fault.map_or(Ok(()), |fault| Err(fault.met_by(Operation::List.attempt(instance, None))))
        };
        let enter = || async {
            held_up()?;
            let permit = ctx.limits.enter(namespace, &instance.project).await;
            held_up().map(|()| permit)
        };
        let ask = |permit| async {
            let sent = Boottime::now();
            // In a box of its own: many wait here for the few that ask.
            let result = Box::pin(key.client.list(instance)).await;
            drop(permit);
            if let Ok(listing) = &result {
                self.announced(listing.sunset.as_ref());
            }
            let result = result.map(|listing| Arc::new(listing.endpoints)).map_err(|error| error.fault());
            self.note(instance, key, &ctx.keys, result.as_ref().err()).await;
            (sent, result)
        };
        let told = self.endpoints.get(access.asking(), fresh_after, enter, ask).await;
        let (sent, result) = told.unwrap_or_else(|fault| (Boottime::now(), Err(fault)));
        Listing { sent, result, sunset: self.sunset().clone() }
    }

    /// Keeps what was announced. A day that was named stays named where another server names none.
    fn announced(&self, sunset: Option<&Sunset>) {
        let mut known = self.sunset();
        if known.is_none() || sunset.is_some_and(|sunset| sunset.day.is_some()) {
            *known = sunset.cloned();
        }
    }

    fn sunset(&self) -> MutexGuard<'_, Option<Sunset>> {
        self.sunset.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault that still holds up calls with `key` for `instance`. It speaks of the call that met it, which may be another
    /// object's: [`Fault::met_by`] says it to whom it holds up.
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
}

fn asker(instance: &Instance, key: &Key) -> Asker {
    Asker { project: instance.project.clone(), key: (*key.source).clone() }
}
