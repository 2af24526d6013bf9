//! Answers of Atlas about instances, each asked for once for all objects that want it, and none too often.
//!
//! Knows neither what is asked nor how. A caller names how fresh an answer must be; whoever asks while one is on its way
//! that is fresh enough shares it. Who waits here holds nothing: each gets the right to ask by itself, from its own
//! namespace's share, so that nobody waits for another's.

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

/// An answer, and when it was asked for.
pub(crate) type Stamped<T> = (Boottime, T);

/// How long an answer is kept that nobody asks for.
const KEPT: Duration = Duration::from_hours(1);

/// How often it is looked through what is kept.
const SWEEP: Duration = Duration::from_mins(1);

/// The last answer about each instance to each pair of credentials.
pub(crate) struct SingleFlight<T> {
    slots: Mutex<Slots<T>>,
    /// How often one may be asked for; none: as often as it is wanted.
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

/// What there is for who wants an answer.
enum Offer<T> {
    Answer(Stamped<T>),
    /// One is on its way.
    Asked,
    /// The next may be asked for after this long.
    Later(Duration),
    Nothing,
}

impl<T: Clone> SingleFlight<T> {
    pub(crate) fn new(rate: Option<Rate>) -> Self {
        let slots = Slots { all: HashMap::new(), swept: Boottime::now() };
        Self { slots: Mutex::new(slots), rate }
    }

    /// The answer that was asked for at `fresh_after` or later; else the one that `ask` brings, once `enter` lets it.
    ///
    /// # Errors
    /// What `enter` or `ask` says instead of asking, which is not kept.
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
            // Before it is looked at, so that no change in between is missed.
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
            // What nobody holds and has grown old belongs to an object that is gone.
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

    /// The right to be the one who asks, if that is still to be done.
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

/// Who asks for all. One that is dropped leaves it to the next.
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
