//! One listing per instance, however many objects it has, and the pauses that Atlas asked for.
//!
//! A caller names how fresh a listing must be; whoever asks while one is on its way that is fresh enough shares it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use atlas::Fingerprint;
use domain::endpoint::{Endpoint, Instance, ProjectId};
use domain::fault::{Fault, FaultKind};
use domain::observed::Sunset;

use crate::clock::Boottime;

use super::credentials::{Key, Keys, SecretName};
use super::limits::Limits;

/// How long a key that Atlas refused is not sent again, unless its Secret changes.
const REFUSED_KEY: Duration = Duration::from_mins(5);

/// How long a project is left alone after a 429 that names no time; doubled with each further one.
const RATE_LIMITED: Duration = Duration::from_secs(10);

/// The longest such pause.
const LONGEST_RATE_LIMITED: Duration = Duration::from_mins(5);

/// What Atlas said of an instance, and when it was asked.
#[derive(Debug, Clone)]
pub(super) struct Listing {
    pub(super) sent: Boottime,
    pub(super) result: Result<Arc<Vec<Endpoint>>, Fault>,
    /// The end of this API, if an answer has ever announced it.
    pub(super) sunset: Option<Sunset>,
}

/// Whom a pause concerns.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Paused {
    /// 429, or a 503 that names a time: the project, whoever asks.
    Project(ProjectId),
    /// 401, 403 or a project unknown to the key: this version of a Secret, for this project.
    Key(SecretName, String, ProjectId),
}

struct Pause {
    until: Boottime,
    fault: Fault,
    repeats: u32,
}

type Slot = Arc<tokio::sync::Mutex<Option<Listing>>>;

/// The way to Atlas that all reconciles share.
pub(super) struct Listings {
    slots: Mutex<HashMap<(Instance, Fingerprint), Slot>>,
    pauses: Mutex<HashMap<Paused, Pause>>,
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
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        // Repeats are forgotten some time after a pause, not at its end: the next answer may be a 429 again.
        pauses.retain(|_, pause| pause.until.elapsed() < LONGEST_RATE_LIMITED);
        let now = Boottime::now();
        whom(instance, key).iter().find_map(|paused| {
            let pause = pauses.get(paused).filter(|pause| pause.until > now)?;
            Some(Fault { retry_after: Some(pause.until.since(now)), ..pause.fault.clone() })
        })
    }

    /// Draws the consequences of an answer: pauses exactly whom it concerns.
    pub(super) async fn note(&self, instance: &Instance, key: &Key, keys: &Keys, fault: Option<&Fault>) {
        match fault.map(|fault| fault.kind) {
            None => {
                let [project, _] = whom(instance, key);
                self.end_pause(&project);
                keys.answered(key, true).await;
            }
            Some(FaultKind::Unauthorized | FaultKind::Forbidden | FaultKind::NoAccess) => {
                keys.answered(key, false).await;
            }
            Some(_) => {}
        }
        if let Some(fault) = fault {
            self.pause(instance, key, fault);
        }
    }

    /// An answer came: a pause that is over is forgotten. What was on its way when one began says nothing against it.
    fn end_pause(&self, project: &Paused) {
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        if pauses.get(project).is_some_and(|pause| pause.until <= Boottime::now()) {
            pauses.remove(project);
        }
    }

    fn pause(&self, instance: &Instance, key: &Key, fault: &Fault) {
        let [project, secret] = whom(instance, key);
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Boottime::now();
        let (whom, repeats, length) = match fault.kind {
            FaultKind::RateLimited => {
                // Answers to calls that were under way together are one refusal, not many.
                let repeats = match pauses.get(&project) {
                    None => 0,
                    Some(pause) if pause.until > now => pause.repeats,
                    Some(pause) => pause.repeats + 1,
                };
                let own = RATE_LIMITED
                    .saturating_mul(2_u32.saturating_pow(repeats.min(8)))
                    .min(LONGEST_RATE_LIMITED);
                (project, repeats, fault.retry_after.unwrap_or(own))
            }
            FaultKind::Unauthorized | FaultKind::Forbidden | FaultKind::NoAccess => (secret, 0, REFUSED_KEY),
            // Whoever says for how long means all of us. Without it, each object waits ever longer by itself.
            FaultKind::Unavailable => match fault.retry_after {
                Some(length) => (project, 0, length),
                None => return,
            },
            _ => return,
        };
        let until = now + length;
        if pauses.get(&whom).is_none_or(|pause| pause.until < until) {
            pauses.insert(whom, Pause { until, fault: fault.clone(), repeats });
        }
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

fn whom(instance: &Instance, key: &Key) -> [Paused; 2] {
    let (secret, version) = key.source.clone();
    [Paused::Project(instance.project.clone()), Paused::Key(secret, version, instance.project.clone())]
}
