//! Answers of Atlas about instances, each asked for once for all objects that want it.
//!
//! Knows neither what is asked nor how. A caller names how fresh an answer must be; whoever asks while one is on its way
//! that is fresh enough shares it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use atlas::Fingerprint;
use domain::endpoint::Instance;

use crate::clock::Boottime;

use super::credentials::Key;

/// An answer, and when it was asked for.
pub(super) type Told<T> = (Boottime, T);

type Slot<T> = Arc<tokio::sync::Mutex<Option<Told<T>>>>;

/// The last answer to each key about each instance.
pub(super) struct Shared<T>(Mutex<HashMap<(Instance, Fingerprint), Slot<T>>>);

impl<T: Clone> Shared<T> {
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    /// The answer that was asked for at `fresh_after` or later; else the one that `ask` brings.
    ///
    /// # Errors
    /// What `ask` says instead of asking, which is not kept.
    pub(super) async fn get<E>(
        &self,
        instance: &Instance,
        key: &Key,
        fresh_after: Boottime,
        ask: impl Future<Output = Result<Told<T>, E>>,
    ) -> Result<Told<T>, E> {
        let slot = self.slot(instance, key);
        let mut slot = slot.lock().await;
        if let Some(known) = slot.as_ref().filter(|(sent, _)| *sent >= fresh_after) {
            return Ok(known.clone());
        }
        let told = ask.await?;
        *slot = Some(told.clone());
        Ok(told)
    }

    fn slot(&self, instance: &Instance, key: &Key) -> Slot<T> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A slot that nobody holds and that has grown old belongs to an object that is gone.
        if slots.len() > 64 && slots.len().is_power_of_two() {
            slots.retain(|_, slot| {
                Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|told| is_young(told.as_ref()))
            });
        }
        let fingerprint = key.client.credentials().fingerprint();
        Arc::clone(slots.entry((instance.clone(), fingerprint)).or_default())
    }
}

fn is_young<T>(told: Option<&Told<T>>) -> bool {
    told.is_some_and(|(sent, _)| sent.elapsed() < Duration::from_hours(1))
}
