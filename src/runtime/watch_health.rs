//! When the API server was last heard on each watch: whether this process knows what happens.
//!
//! It keeps what it is told and says what is amiss; it never ends a watch.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Boottime;

/// For so long a watch may be closed: its own back-off reaches half a minute and more.
const CLOSED: Duration = Duration::from_secs(90);

/// All watches of objects of ours, by namespace; `None` is all namespaces. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct WatchHealth(Arc<Mutex<BTreeMap<Option<String>, State>>>);

#[derive(Debug)]
struct State {
    /// The objects have been listed once.
    listed: bool,
    open: bool,
    /// For so long it may say nothing while it is open.
    patience: Duration,
    heard: Boottime,
    /// What the API server said when it refused to list or to watch, by verb.
    refused: BTreeMap<&'static str, u16>,
}

/// One watch, for who has to tell of it. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct WatchReporter {
    heard: WatchHealth,
    namespace: Option<String>,
}

impl WatchHealth {
    /// From now on the objects of these namespaces are to be watched; none: of all. An open watch may say nothing for `patience`.
    pub fn expect<'a>(&self, namespaces: impl IntoIterator<Item = &'a String>, patience: Duration) {
        let mut namespaces: Vec<_> = namespaces.into_iter().cloned().map(Some).collect();
        if namespaces.is_empty() {
            namespaces.push(None);
        }
        let now = Boottime::now();
        self.watches().extend(namespaces.into_iter().map(|namespace| {
            (namespace, State { listed: false, open: false, patience, heard: now, refused: BTreeMap::new() })
        }));
    }

    /// What is amiss, one line each; none when all that happens is known.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let now = Boottime::now();
        self.watches()
            .iter()
            .filter_map(|(namespace, state)| state.problem(namespace.as_deref(), now))
            .collect()
    }

    /// For how long nothing was heard on the watch that has been silent longest; `None` if nothing is watched.
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
        let silence = now.since(self.heard);
        let seconds = silence.as_secs();
        if !self.listed {
            return Some(format!("the objects are being listed{of}"));
        }
        if !self.open && silence > CLOSED {
            return Some(format!("the objects{of} are not watched, for {seconds} s by now"));
        }
        (silence > self.patience).then(|| format!("nothing was heard on the watch{of} for {seconds} s"))
    }
}

impl WatchReporter {
    /// The objects have been listed.
    pub(crate) fn listed(&self) {
        self.change(|state| state.listed = true);
    }

    /// Something of an answer arrived.
    pub(crate) fn heard(&self) {
        self.change(|state| state.heard = Boottime::now());
    }

    /// A request to watch (or else to list) was answered with this status.
    pub(crate) fn answered(&self, is_watch: bool, status: u16) {
        let verb = if is_watch { "watch" } else { "list" };
        self.change(|state| match status {
            200..300 => {
                state.refused.remove(verb);
                (state.open, state.heard) = (is_watch, Boottime::now());
            }
            // What another attempt does not cure.
            401 | 403 | 404 => {
                state.refused.insert(verb, status);
            }
            _ => {}
        });
    }

    /// A watch is open no longer.
    pub(crate) fn closed(&self) {
        self.change(|state| state.open = false);
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

    /// One watch that is expected, and what is amiss so long after it.
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
        assert!(after(CLOSED + soon, closed).unwrap().contains("are not watched, for 91 s"));
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
        // Whoever watches something else tells nobody.
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
