//! Watch health: when data last arrived on each watch, so whether this process knows the current objects.
//!
//! It records responses and reports problems; it never ends a watch.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Boottime;

/// How long a watch may be closed: its own back-off reaches half a minute and more.
const CLOSED: Duration = Duration::from_secs(90);

/// The health of all watches of our objects, by namespace; `None` is all namespaces. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct WatchHealth(Arc<Mutex<BTreeMap<Option<String>, State>>>);

#[derive(Debug)]
struct State {
    /// The objects were listed at least once.
    listed: bool,
    /// Since when no watch is open; `None` while one is.
    closed: Option<Boottime>,
    /// How long the watch may be silent, however often it is opened.
    patience: Duration,
    /// When the last byte of a body arrived.
    heard: Boottime,
    /// The status codes of refused list and watch requests, by verb.
    refused: BTreeMap<&'static str, u16>,
}

/// The handle through which one watch reports. Clones report the same watch.
#[derive(Debug, Clone, Default)]
pub(crate) struct WatchReporter {
    heard: WatchHealth,
    namespace: Option<String>,
}

impl WatchHealth {
    /// Expects watches of these namespaces from now on (none: one of all). A watch may be silent for
    /// `patience`.
    pub fn expect<'a>(&self, namespaces: impl IntoIterator<Item = &'a String>, patience: Duration) {
        let mut namespaces: Vec<_> = namespaces.into_iter().cloned().map(Some).collect();
        if namespaces.is_empty() {
            namespaces.push(None);
        }
        let now = Boottime::now();
        self.watches().extend(namespaces.into_iter().map(|namespace| {
            (
                namespace,
                State { listed: false, closed: Some(now), patience, heard: now, refused: BTreeMap::new() },
            )
        }));
    }

    /// Returns the problems, one line each; none while all watches work.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let now = Boottime::now();
        self.watches()
            .iter()
            .filter_map(|(namespace, state)| state.problem(namespace.as_deref(), now))
            .collect()
    }

    /// Returns how long the most silent watch has received nothing; `None` if nothing is watched.
    #[must_use]
    pub fn silence(&self) -> Option<Duration> {
        let now = Boottime::now();
        self.watches().values().map(|state| now.since(state.heard)).max()
    }

    pub(crate) fn line(&self, namespace: Option<String>) -> WatchReporter {
        WatchReporter { heard: self.clone(), namespace }
    }

    fn watches(&self) -> MutexGuard<'_, BTreeMap<Option<String>, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn problem(&self, namespace: Option<&str>, now: Boottime) -> Option<String> {
        let of = namespace.map_or_else(String::new, |namespace| format!(" in namespace {namespace}"));
        if let Some((verb, code)) = self.refused.first_key_value() {
            let why = match code {
                404 => "the CustomResourceDefinition is not installed; `spe-operator crd | kubectl apply -f -` installs it".to_owned(),
                _ => format!("grant `{verb}` on serverlessprivateendpoints, as the chart's role does"),
            };
            return Some(format!("the API server answers {code} to `{verb}`{of}: {why}"));
        }
        if !self.listed {
            return Some(format!("the objects are being listed{of}"));
        }
        let silence = now.since(self.heard);
        // The pages of a long listing arrive while no watch is open.
        let closed = self.closed.map_or(Duration::ZERO, |closed| now.since(closed).min(silence));
        if closed > CLOSED {
            return Some(format!("the objects{of} are not watched, for {} s by now", closed.as_secs()));
        }
        (silence > self.patience)
            .then(|| format!("nothing was heard on the watch{of} for {} s", silence.as_secs()))
    }
}

impl WatchReporter {
    /// Records that the objects have been listed.
    pub(crate) fn listed(&self) {
        self.change(|state| state.listed = true);
    }

    /// Records that a part of a body arrived.
    pub(crate) fn heard(&self) {
        self.change(|state| state.heard = Boottime::now());
    }

    /// Records the status code of a watch request (or of a list request).
    ///
    /// It says that a watch is open, not that events arrive: a proxy may send it and never a body.
    pub(crate) fn answered(&self, is_watch: bool, status: u16) {
        let verb = if is_watch { "watch" } else { "list" };
        self.change(|state| match status {
            200..300 => {
                state.refused.remove(verb);
                if is_watch {
                    state.closed = None;
                }
            }
            // A retry does not resolve these.
            401 | 403 | 404 => {
                state.refused.insert(verb, status);
            }
            _ => {}
        });
    }

    /// Records that the watch was closed.
    pub(crate) fn closed(&self) {
        self.change(|state| state.closed = Some(Boottime::now()));
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        if let Some(state) = self.heard.watches().get_mut(&self.namespace) {
            change(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENT: Duration = Duration::from_mins(6);

    /// Expects one watch, and returns its problem this long after the last data.
    fn after(passed: Duration, told: impl FnOnce(&WatchReporter)) -> Option<String> {
        let heard = WatchHealth::default();
        heard.expect(&["shop".to_owned()], SILENT);
        told(&heard.line(Some("shop".to_owned())));
        let watches = heard.watches();
        let (namespace, state) = watches.first_key_value().unwrap();
        state.problem(namespace.as_deref(), state.heard + passed)
    }

    fn open(line: &WatchReporter) {
        line.answered(false, 200);
        line.listed();
        line.answered(true, 200);
    }

    #[test]
    fn a_watch_is_well_once_it_has_listed_and_for_as_long_as_it_is_heard() {
        let (now, soon) = (Duration::ZERO, Duration::from_secs(1));
        assert_eq!(after(now, |_| {}).unwrap(), "the objects are being listed in namespace shop");
        assert_eq!(after(now, open), None);
        assert_eq!(after(SILENT, open), None);
        assert!(
            after(SILENT + soon, open)
                .unwrap()
                .contains("nothing was heard on the watch in namespace shop for 361 s")
        );
        let closed = |line: &WatchReporter| {
            open(line);
            line.closed();
        };
        assert_eq!(after(CLOSED, closed), None);
        assert!(after(CLOSED + 2 * soon, closed).unwrap().contains("are not watched, for 91 s"));
    }

    #[test]
    fn a_watch_that_is_only_opened_again_and_again_is_silent() {
        let patience = Duration::from_millis(20);
        let heard = WatchHealth::default();
        heard.expect(&[], patience);
        let line = heard.line(None);
        open(&line);
        std::thread::sleep(2 * patience);
        line.closed();
        line.answered(true, 200);
        assert!(heard.problems()[0].starts_with("nothing was heard on the watch for "));
        assert!(heard.silence().is_some_and(|silence| silence >= 2 * patience));
    }

    #[test]
    fn what_no_patience_cures_is_amiss_at_once_until_it_is_granted() {
        let refused = |code| {
            move |line: &WatchReporter| {
                open(line);
                line.answered(true, code);
            }
        };
        assert_eq!(after(Duration::ZERO, refused(503)), None);
        let said = after(Duration::ZERO, refused(403)).unwrap();
        assert!(said.contains("403 to `watch` in namespace shop: grant `watch`"), "{said}");
        assert!(after(Duration::ZERO, refused(404)).unwrap().contains("is not installed"));
        let cured = |line: &WatchReporter| {
            refused(403)(line);
            line.answered(true, 200);
        };
        assert_eq!(after(Duration::ZERO, cured), None);
    }

    #[test]
    fn every_watch_has_to_be_well() {
        let heard = WatchHealth::default();
        assert_eq!((heard.problems().len(), heard.silence()), (0, None));
        heard.expect(&["one".to_owned(), "other".to_owned()], SILENT);
        open(&heard.line(Some("one".to_owned())));
        assert_eq!(heard.problems(), ["the objects are being listed in namespace other"]);
        open(&heard.line(Some("other".to_owned())));
        assert!(heard.problems().is_empty() && heard.silence().is_some());
        // A reporter of an unexpected watch changes nothing.
        WatchReporter::default().answered(true, 403);
        assert!(heard.problems().is_empty());
    }

    #[test]
    fn without_namespaces_there_is_one_watch_of_all() {
        let heard = WatchHealth::default();
        heard.expect(&[], SILENT);
        assert_eq!(heard.problems(), ["the objects are being listed"]);
        open(&heard.line(None));
        assert!(heard.problems().is_empty());
    }
}
