//! Watch health: when data last arrived on each watch, and so whether this process knows the current objects.
//!
//! It records responses and reports problems; it never ends a watch.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Boottime;

/// How long a watch may be closed: its own back-off reaches half a minute and more.
const CLOSED: Duration = Duration::from_secs(90);

/// The health of all watches of our objects. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct WatchHealth(Arc<Mutex<BTreeMap<WatchName, WatchState>>>);

/// The plural name of the resource that is watched, and the namespace; `None` is all namespaces.
type WatchName = (String, Option<String>);

#[derive(Debug)]
struct WatchState {
    /// The objects were listed at least once.
    listed: bool,
    /// Since when no watch is open; `None` while one is.
    closed: Option<Boottime>,
    /// How long the watch may be silent, however often it is opened.
    max_silence: Duration,
    /// When the last byte of a body arrived.
    last_data: Boottime,
    /// The status codes of rejected list and watch requests, by verb.
    rejected: BTreeMap<&'static str, u16>,
}

/// The handle through which one watch reports. Clones report the same watch.
#[derive(Debug, Clone, Default)]
pub(crate) struct WatchReporter {
    health: WatchHealth,
    name: WatchName,
}

impl WatchHealth {
    /// Expects watches of the resource `plural` in these namespaces from now on (none: one of all). A watch may be silent for
    /// `max_silence`.
    pub fn expect<'a>(
        &self,
        plural: &str,
        namespaces: impl IntoIterator<Item = &'a String>,
        max_silence: Duration,
    ) {
        let mut namespaces: Vec<_> = namespaces.into_iter().cloned().map(Some).collect();
        if namespaces.is_empty() {
            namespaces.push(None);
        }
        let now = Boottime::now();
        self.watches().extend(namespaces.into_iter().map(|namespace| {
            (
                (plural.to_owned(), namespace),
                WatchState {
                    listed: false,
                    closed: Some(now),
                    max_silence,
                    last_data: now,
                    rejected: BTreeMap::new(),
                },
            )
        }));
    }

    /// Returns the problems, one line each; none while all watches work.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let now = Boottime::now();
        self.watches()
            .iter()
            .filter_map(|((plural, namespace), state)| state.problem(plural, namespace.as_deref(), now))
            .collect()
    }

    /// Returns how long the most silent watch has received nothing; `None` if nothing is watched.
    #[must_use]
    pub fn silence(&self) -> Option<Duration> {
        let now = Boottime::now();
        self.watches().values().map(|state| now.since(state.last_data)).max()
    }

    pub(crate) fn reporter(&self, plural: &str, namespace: Option<String>) -> WatchReporter {
        WatchReporter { health: self.clone(), name: (plural.to_owned(), namespace) }
    }

    fn watches(&self) -> MutexGuard<'_, BTreeMap<WatchName, WatchState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WatchState {
    fn problem(&self, plural: &str, namespace: Option<&str>, now: Boottime) -> Option<String> {
        let of = namespace.map_or_else(String::new, |namespace| format!(" in namespace {namespace}"));
        if let Some((verb, code)) = self.rejected.first_key_value() {
            let why = match code {
                404 => "the CustomResourceDefinition is not installed; `spe-operator crd | kubectl apply -f -` installs it".to_owned(),
                _ => format!("grant `{verb}` on {plural}, as the chart's role does"),
            };
            return Some(format!("the API server responds {code} to `{verb}`{of}: {why}"));
        }
        if !self.listed {
            return Some(format!("the objects are being listed{of}"));
        }
        let silence = now.since(self.last_data);
        // The pages of a long listing arrive while no watch is open.
        let closed = self.closed.map_or(Duration::ZERO, |closed| now.since(closed).min(silence));
        if closed > CLOSED {
            return Some(format!("the objects{of} are not watched, for {} s by now", closed.as_secs()));
        }
        (silence > self.max_silence)
            .then(|| format!("no data arrived on the watch{of} for {} s", silence.as_secs()))
    }
}

impl WatchReporter {
    /// Records that the objects have been listed.
    pub(crate) fn listed(&self) {
        self.change(|state| state.listed = true);
    }

    /// Records that a part of a body arrived.
    pub(crate) fn data_received(&self) {
        self.change(|state| state.last_data = Boottime::now());
    }

    /// Records the status code of a watch request (or of a list request).
    ///
    /// It says that a watch is open, not that events arrive: a proxy may send it and never a body.
    pub(crate) fn responded(&self, is_watch: bool, status: u16) {
        let verb = if is_watch { "watch" } else { "list" };
        self.change(|state| match status {
            200..300 => {
                state.rejected.remove(verb);
                if is_watch {
                    state.closed = None;
                }
            }
            // A retry does not resolve these.
            401 | 403 | 404 => {
                state.rejected.insert(verb, status);
            }
            _ => {}
        });
    }

    /// Records that the watch was closed.
    pub(crate) fn closed(&self) {
        self.change(|state| state.closed = Some(Boottime::now()));
    }

    fn change(&self, change: impl FnOnce(&mut WatchState)) {
        if let Some(state) = self.health.watches().get_mut(&self.name) {
            change(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_SILENCE: Duration = Duration::from_mins(6);
    const PLURAL: &str = "examples";

    /// Expects one watch, and returns its problem this long after the last data.
    fn after(passed: Duration, report: impl FnOnce(&WatchReporter)) -> Option<String> {
        let health = WatchHealth::default();
        health.expect(PLURAL, &["shop".to_owned()], MAX_SILENCE);
        report(&health.reporter(PLURAL, Some("shop".to_owned())));
        let watches = health.watches();
        let ((plural, namespace), state) = watches.first_key_value().unwrap();
        state.problem(plural, namespace.as_deref(), state.last_data + passed)
    }

    fn open(reporter: &WatchReporter) {
        reporter.responded(false, 200);
        reporter.listed();
        reporter.responded(true, 200);
    }

    #[test]
    fn a_watch_is_healthy_once_listed_and_while_it_receives_data() {
        let (now, soon) = (Duration::ZERO, Duration::from_secs(1));
        assert_eq!(after(now, |_| {}).unwrap(), "the objects are being listed in namespace shop");
        assert_eq!(after(now, open), None);
        assert_eq!(after(MAX_SILENCE, open), None);
        assert!(
            after(MAX_SILENCE + soon, open)
                .unwrap()
                .contains("no data arrived on the watch in namespace shop for 361 s")
        );
        let closed = |reporter: &WatchReporter| {
            open(reporter);
            reporter.closed();
        };
        assert_eq!(after(CLOSED, closed), None);
        assert!(after(CLOSED + 2 * soon, closed).unwrap().contains("are not watched, for 91 s"));
    }

    #[test]
    fn a_watch_that_is_only_reopened_counts_as_silent() {
        let max_silence = Duration::from_millis(20);
        let health = WatchHealth::default();
        health.expect(PLURAL, &[], max_silence);
        let reporter = health.reporter(PLURAL, None);
        open(&reporter);
        std::thread::sleep(2 * max_silence);
        reporter.closed();
        reporter.responded(true, 200);
        assert!(health.problems()[0].starts_with("no data arrived on the watch for "));
        assert!(health.silence().is_some_and(|silence| silence >= 2 * max_silence));
    }

    #[test]
    fn a_missing_permission_is_a_problem_until_it_is_granted() {
        let rejected = |code| {
            move |reporter: &WatchReporter| {
                open(reporter);
                reporter.responded(true, code);
            }
        };
        assert_eq!(after(Duration::ZERO, rejected(503)), None);
        let problem = after(Duration::ZERO, rejected(403)).unwrap();
        assert!(problem.contains("403 to `watch` in namespace shop: grant `watch`"), "{problem}");
        assert!(after(Duration::ZERO, rejected(404)).unwrap().contains("is not installed"));
        let granted = |reporter: &WatchReporter| {
            rejected(403)(reporter);
            reporter.responded(true, 200);
        };
        assert_eq!(after(Duration::ZERO, granted), None);
    }

    #[test]
    fn every_watch_has_to_be_healthy() {
        let health = WatchHealth::default();
        assert_eq!((health.problems().len(), health.silence()), (0, None));
        health.expect(PLURAL, &["one".to_owned(), "other".to_owned()], MAX_SILENCE);
        open(&health.reporter(PLURAL, Some("one".to_owned())));
        assert_eq!(health.problems(), ["the objects are being listed in namespace other"]);
        open(&health.reporter(PLURAL, Some("other".to_owned())));
        assert!(health.problems().is_empty() && health.silence().is_some());
        // A reporter of an unexpected watch changes nothing.
        WatchReporter::default().responded(true, 403);
        assert!(health.problems().is_empty());
    }

    #[test]
    fn without_namespaces_one_watch_covers_all() {
        let health = WatchHealth::default();
        health.expect(PLURAL, &[], MAX_SILENCE);
        assert_eq!(health.problems(), ["the objects are being listed"]);
        open(&health.reporter(PLURAL, None));
        assert!(health.problems().is_empty());
    }
}
