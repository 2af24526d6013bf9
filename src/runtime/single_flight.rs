//! Single-flight requests to Atlas about instances: one response for all objects that want it, with a rate limit.
//!
//! Knows neither the request nor how it is sent. A caller states how fresh a response must be, and shares a request
//! in flight that is fresh enough. A waiting caller holds no permit: each acquires one from its own namespace's
//! share, so that no caller waits for another namespace's.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use atlas::Fingerprint;
use domain::endpoint::Instance;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::clock::Boottime;

use super::token_bucket::{Bucket, Rate};

/// A response, and when its request was sent.
pub(crate) type Stamped<T> = (Boottime, T);

/// How long an unused response is kept.
const KEPT: Duration = Duration::from_hours(1);

/// How often old responses are removed.
const SWEEP: Duration = Duration::from_mins(1);

/// The last response about each instance for each pair of credentials.
pub(crate) struct SingleFlight<T> {
    slots: Mutex<Slots<T>>,
    /// The rate limit of requests; `None`: unlimited.
    rate: Option<Rate>,
}

struct Slots<T> {
    all: HashMap<(Instance, Fingerprint), Arc<Slot<T>>>,
    swept: Boottime,
}

struct Slot<T> {
    state: Mutex<State<T>>,
    changed: Notify,
}

struct State<T> {
    told: Option<Stamped<T>>,
    is_asked: bool,
    bucket: Bucket,
}

/// What a slot offers to a caller.
enum Offer<T> {
    Answer(Stamped<T>),
    /// A request is in flight.
    Asked,
    /// The next request may be sent after this long.
    Later(Duration),
    Nothing,
}

impl<T: Clone> SingleFlight<T> {
    pub(crate) fn new(rate: Option<Rate>) -> Self {
        let slots = Slots { all: HashMap::new(), swept: Boottime::now() };
        Self { slots: Mutex::new(slots), rate }
    }

    /// Returns a response requested at `fresh_after` or later, else the one that `ask` returns, once `enter` returns
    /// a permit.
    ///
    /// # Errors
    /// The error of `enter` or `ask`, which is not kept.
    pub(crate) async fn get<Permit, E, Entering, Asking>(
        &self,
        of: (Instance, Fingerprint),
        fresh_after: Boottime,
        enter: impl Fn() -> Entering,
        ask: impl FnOnce(Permit) -> Asking,
    ) -> Result<Stamped<T>, E>
    where
        Entering: Future<Output = Result<Permit, E>>,
        Asking: Future<Output = Result<Stamped<T>, E>>,
    {
        let slot = self.slot(of);
        loop {
            // Registered before the slot is read, so that no change in between is missed.
            let mut changed = pin!(slot.changed.notified());
            changed.as_mut().enable();
            match slot.offer(fresh_after, self.rate) {
                Offer::Answer(told) => return Ok(told),
                Offer::Asked => changed.await,
                Offer::Later(delay) => tokio::select! {
                    () = sleep(delay) => {}
                    () = changed => {}
                },
                Offer::Nothing => {
                    let permit = tokio::select! {
                        permit = enter() => permit?,
                        () = changed => continue,
                    };
                    if let Some(asking) = slot.begin(fresh_after, self.rate) {
                        let told = ask(permit).await?;
                        asking.end(&told, self.rate);
                        return Ok(told);
                    }
                }
            }
        }
    }

    fn slot(&self, of: (Instance, Fingerprint)) -> Arc<Slot<T>> {
        let now = Boottime::now();
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(slots.swept) >= SWEEP {
            slots.swept = now;
            // An old slot without callers belongs to a deleted object.
            slots.all.retain(|_, slot| Arc::strong_count(slot) > 1 || slot.is_young(now));
            slots.all.shrink_to_fit();
        }
        Arc::clone(slots.all.entry(of).or_insert_with(|| Slot::new(now)))
    }
}

impl<T: Clone> Slot<T> {
    fn new(now: Boottime) -> Arc<Self> {
        let state = State { told: None, is_asked: false, bucket: Bucket::full(now) };
        Arc::new(Self { state: Mutex::new(state), changed: Notify::new() })
    }

    fn offer(&self, fresh_after: Boottime, rate: Option<Rate>) -> Offer<T> {
        self.state().offer(fresh_after, rate)
    }

    /// Returns the right to send the request, if it is still needed.
    fn begin(&self, fresh_after: Boottime, rate: Option<Rate>) -> Option<Asking<'_, T>> {
        let mut state = self.state();
        if !matches!(state.offer(fresh_after, rate), Offer::Nothing) {
            return None;
        }
        state.is_asked = true;
        Some(Asking(self))
    }

    fn is_young(&self, now: Boottime) -> bool {
        self.state().told.as_ref().is_some_and(|(sent, _)| now.since(*sent) < KEPT)
    }
}

impl<T: Clone> State<T> {
    fn offer(&self, fresh_after: Boottime, rate: Option<Rate>) -> Offer<T> {
        if let Some(told) = self.told.as_ref().filter(|(sent, _)| *sent >= fresh_after) {
            return Offer::Answer(told.clone());
        }
        if self.is_asked {
            return Offer::Asked;
        }
        match rate.map(|rate| self.bucket.wait(rate, Boottime::now())) {
            Some(delay) if !delay.is_zero() => Offer::Later(delay),
            _ => Offer::Nothing,
        }
    }
}

impl<T> Slot<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The caller that sends the request for all. If it is dropped, the next caller sends it.
struct Asking<'a, T>(&'a Slot<T>);

impl<T: Clone> Asking<'_, T> {
    fn end(self, told: &Stamped<T>, rate: Option<Rate>) {
        let mut state = self.0.state();
        if let Some(rate) = rate {
            state.bucket.take(rate, told.0);
        }
        state.told = Some(told.clone());
    }
}

impl<T> Drop for Asking<'_, T> {
    fn drop(&mut self) {
        self.0.state().is_asked = false;
        self.0.changed.notify_waiters();
    }
}

#[cfg(test)]
#[path = "single_flight_tests.rs"]
mod tests;
