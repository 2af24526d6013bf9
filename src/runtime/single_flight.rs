//! Single-flight requests to Atlas: one response about a subject for all its callers, with a rate limit.
//!
//! It knows neither the request nor how it is sent, and compares subjects (instances, for example) only for equality. A caller
//! states how fresh a response must be, and shares a request in flight that is fresh enough. A waiting caller holds no permit: each
//! acquires one from its own namespace's share, so that no caller waits for another namespace's.

use std::collections::HashMap;
use std::hash::Hash;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use atlas::Fingerprint;
use domain::token_bucket::{Bucket, Rate};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::clock::Boottime;

/// A response, and when its request was sent.
pub(crate) type Stamped<T> = (Boottime, T);

/// How long an unused response is kept.
const RESPONSE_TTL: Duration = Duration::from_hours(1);

/// How long an unused failure is kept: any user who may create objects can cause failures for instances that do not exist.
const FAILURE_TTL: Duration = Duration::from_mins(1);

/// How often old responses are removed.
const SWEEP: Duration = Duration::from_mins(1);

/// The last response about each subject for each pair of credentials.
pub(crate) struct SingleFlight<Subject, T> {
    slots: Mutex<ResponseSlots<Subject, T>>,
    /// The rate limit of requests; `None`: unlimited.
    rate: Option<Rate>,
    is_failure: fn(&T) -> bool,
}

struct ResponseSlots<Subject, T> {
    all: HashMap<(Subject, Fingerprint), Arc<ResponseSlot<T>>>,
    swept: Boottime,
}

struct ResponseSlot<T> {
    state: Mutex<SlotState<T>>,
    changed: Notify,
}

struct SlotState<T> {
    response: Option<Stamped<T>>,
    in_flight: bool,
    bucket: Bucket,
}

/// The state of a slot for one caller.
enum Available<T> {
    Response(Stamped<T>),
    /// A request is in flight.
    InFlight,
    /// The next request may be sent after this long.
    RateLimited(Duration),
    Nothing,
}

impl<Subject: Eq + Hash, T: Clone> SingleFlight<Subject, T> {
    /// Creates it for responses that are failures if `is_failure` returns `true`.
    pub(crate) fn new(rate: Option<Rate>, is_failure: fn(&T) -> bool) -> Self {
        let slots = ResponseSlots { all: HashMap::new(), swept: Boottime::now() };
        Self { slots: Mutex::new(slots), rate, is_failure }
    }

    /// Returns a response requested at `fresh_after` or later, else the response that `send` returns, once `enter` returns
    /// a permit.
    ///
    /// # Errors
    /// The error of `enter` or `send`, which is not kept.
    pub(crate) async fn get<Permit, E, Entering, Request>(
        &self,
        key: (Subject, Fingerprint),
        fresh_after: Boottime,
        enter: impl Fn() -> Entering,
        send: impl FnOnce(Permit) -> Request,
    ) -> Result<Stamped<T>, E>
    where
        Entering: Future<Output = Result<Permit, E>>,
        Request: Future<Output = Result<Stamped<T>, E>>,
    {
        let slot = self.slot(key);
        loop {
            // Registered before the slot is read, so that no change in between is missed.
            let mut changed = pin!(slot.changed.notified());
            changed.as_mut().enable();
            match slot.available(fresh_after, self.rate) {
                Available::Response(response) => return Ok(response),
                Available::InFlight => changed.await,
                Available::RateLimited(delay) => tokio::select! {
                    () = sleep(delay) => {}
                    () = changed => {}
                },
                Available::Nothing => {
                    let permit = tokio::select! {
                        permit = enter() => permit?,
                        () = changed => continue,
                    };
                    if let Some(request) = slot.begin(fresh_after, self.rate) {
                        let response = send(permit).await?;
                        request.end(&response, self.rate);
                        return Ok(response);
                    }
                }
            }
        }
    }

    fn slot(&self, key: (Subject, Fingerprint)) -> Arc<ResponseSlot<T>> {
        let now = Boottime::now();
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(slots.swept) >= SWEEP {
            slots.sweep(now, self.is_failure);
        }
        Arc::clone(slots.all.entry(key).or_insert_with(|| ResponseSlot::new(now)))
    }
}

impl<Subject: Eq + Hash, T> ResponseSlots<Subject, T> {
    /// Removes old responses. A slot with neither callers nor a response belongs to a deleted object, or to an object that is
    /// seldom reconciled.
    fn sweep(&mut self, now: Boottime, is_failure: fn(&T) -> bool) {
        self.swept = now;
        self.all.retain(|_, slot| Arc::strong_count(slot) > 1 || slot.is_unexpired(now, is_failure));
        self.all.shrink_to_fit();
    }
}

impl<T: Clone> ResponseSlot<T> {
    fn new(now: Boottime) -> Arc<Self> {
        let state = SlotState { response: None, in_flight: false, bucket: Bucket::full(now.since_boot()) };
        Arc::new(Self { state: Mutex::new(state), changed: Notify::new() })
    }

    fn available(&self, fresh_after: Boottime, rate: Option<Rate>) -> Available<T> {
        self.state().available(fresh_after, rate)
    }

    /// Returns the right to send the request, if it is still needed.
    fn begin(&self, fresh_after: Boottime, rate: Option<Rate>) -> Option<RequestSender<'_, T>> {
        let mut state = self.state();
        if !matches!(state.available(fresh_after, rate), Available::Nothing) {
            return None;
        }
        state.in_flight = true;
        Some(RequestSender(self))
    }
}

impl<T: Clone> SlotState<T> {
    fn available(&self, fresh_after: Boottime, rate: Option<Rate>) -> Available<T> {
        if let Some(response) = self.response.as_ref().filter(|(sent, _)| *sent >= fresh_after) {
            return Available::Response(response.clone());
        }
        if self.in_flight {
            return Available::InFlight;
        }
        match rate.map(|rate| self.bucket.wait(rate, Boottime::now().since_boot())) {
            Some(delay) if !delay.is_zero() => Available::RateLimited(delay),
            _ => Available::Nothing,
        }
    }
}

impl<T> ResponseSlot<T> {
    fn is_unexpired(&self, now: Boottime, is_failure: fn(&T) -> bool) -> bool {
        self.state().response.as_ref().is_some_and(|(sent, response)| {
            now.since(*sent) < if is_failure(response) { FAILURE_TTL } else { RESPONSE_TTL }
        })
    }

    fn state(&self) -> MutexGuard<'_, SlotState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The caller that sends the request for all. If it is dropped, the next caller sends it.
struct RequestSender<'a, T>(&'a ResponseSlot<T>);

impl<T: Clone> RequestSender<'_, T> {
    fn end(self, response: &Stamped<T>, rate: Option<Rate>) {
        let mut state = self.0.state();
        if let Some(rate) = rate {
            state.bucket.take(rate, response.0.since_boot());
        }
        state.response = Some(response.clone());
    }
}

impl<T> Drop for RequestSender<'_, T> {
    fn drop(&mut self) {
        self.0.state().in_flight = false;
        self.0.changed.notify_waiters();
    }
}

#[cfg(test)]
#[path = "single_flight_tests.rs"]
mod tests;
