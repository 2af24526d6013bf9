//! Folds repeated warnings into one event, for a bounded number of objects.
//!
//! A recorder keeps each of its events for six minutes, and scans all of them for each new one: a tenant that creates
//! objects without end would fill it. Warnings beyond the bound of a namespace are still published, each as a
//! separate event.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::runtime::events::Recorder;

use crate::clock::Boottime;

use crate::runtime::token_bucket::{Bucket, Rate};

/// Limits a namespace to 600 events in the six minutes for which an event is kept.
const RATE: Rate = Rate { burst: 360, interval: Duration::from_millis(1_500) };

/// How often full buckets are removed.
const SWEEP: Duration = Duration::from_mins(1);

/// The recorder of warnings.
pub(super) struct Warnings {
    recorder: Recorder,
    folded: Mutex<Folded>,
}

#[derive(Default)]
struct Folded {
    namespaces: HashMap<Box<str>, Bucket>,
    swept: Option<Boottime>,
}

impl Warnings {
    pub(super) fn new(recorder: Recorder) -> Self {
        Self { recorder, folded: Mutex::default() }
    }

    /// Returns the recorder that folds a warning about an object of `namespace`; `None`: publish it as a separate
    /// event.
    pub(super) fn folding(&self, namespace: &str, now: Boottime) -> Option<&Recorder> {
        let mut folded = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
        folded.take(namespace, now).then_some(&self.recorder)
    }
}

impl Folded {
    fn take(&mut self, namespace: &str, now: Boottime) -> bool {
        if self.swept.is_none_or(|swept| now.since(swept) >= SWEEP) {
            self.swept = Some(now);
            self.namespaces.retain(|_, bucket| !bucket.is_full(now));
            self.namespaces.shrink_to_fit();
        }
        let bucket = self.namespaces.entry(namespace.into()).or_insert_with(|| Bucket::full(now));
        let is_in = bucket.wait(RATE, now).is_zero();
        if is_in {
            bucket.take(RATE, now);
        }
        is_in
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_that_is_warned_of_without_end_is_folded_to_a_bound_and_no_other_is() {
        let at = |millis: u64| Boottime::from_boot(Duration::from_millis(1_000_000 + millis));
        let mut folded = Folded::default();
        // A hundred a second, for as long as an event is kept.
        let kept = (0..36_000).filter(|number| folded.take("a", at(number * 10))).count();
        assert!((360..=600).contains(&kept), "{kept}");
        assert!(folded.take("b", at(360_000)));
        folded.take("c", at(3_600_000));
        assert_eq!(folded.namespaces.len(), 1, "nothing is kept of who is not warned of any more");
    }
}
