//! The recording of all exchanges of some proxies, in one numbering, and the actions planned for them.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use hyper::body::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::action::Action;
use super::exchange::Exchange;

/// Shared by the proxies in front of all servers of a program, so that its effects have one numbering.
///
/// An exchange is numbered, and its action chosen, when the whole request has arrived. Each planned action is used once
/// unless planned by [`Recording::always`]; the oldest that matches is taken.
///
/// From the moment an [`Action::CallBefore`] or [`Action::CallAfter`] is chosen until its call has returned, no later
/// request on any proxy is numbered or forwarded; those that arrive meanwhile lose their connection. So after a kill at
/// effect n, exactly the first n effects (n − 1 for `CallBefore`) have happened.
pub struct Recording {
    started: Instant,
    counts: Box<dyn Fn(&Exchange) -> bool + Send + Sync>,
    state: Mutex<RecordingState>,
    /// How many exchanges have arrived or got a response; only its changes matter.
    changed: watch::Sender<u64>,
    /// Whether a call is running.
    halted: watch::Sender<bool>,
}

#[derive(Default)]
struct RecordingState {
    exchanges: Vec<Exchange>,
    effects: usize,
    plan: Vec<PlannedAction>,
}

struct PlannedAction {
    when: When,
    action: Supply,
}

enum When {
    Request(usize),
    Effect(usize),
    AtProxy(String, usize),
    Matching(Predicate),
}

type Predicate = Box<dyn Fn(&Exchange) -> bool + Send>;

enum Supply {
    Once(Action),
    Always(Box<dyn Fn() -> Action + Send>),
}

impl Default for Recording {
    fn default() -> Self {
        Self::counting(Exchange::is_write)
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Recording")
            .field("exchanges", &state.exchanges.len())
            .field("plan", &state.plan.len())
            .finish()
    }
}

impl Recording {
    /// Returns an empty recording. `counts` defines an effect; by default every write is one, so give another rule where
    /// some writes depend on time and not on work, as the renewals of a lease do.
    #[must_use]
    pub fn counting(counts: impl Fn(&Exchange) -> bool + Send + Sync + 'static) -> Self {
        Self {
            started: Instant::now(),
            counts: Box::new(counts),
            state: Mutex::default(),
            changed: watch::Sender::new(0),
            halted: watch::Sender::new(false),
        }
    }

    /// Returns it with the times of its exchanges on the clock that began then, so that two records can be compared.
    #[must_use]
    pub fn since(self, started: Instant) -> Self {
        Self { started, ..self }
    }

    /// Plans this for the n-th exchange, from 1.
    pub fn at_request(&self, number: usize, action: Action) {
        self.plan(When::Request(number), Supply::Once(action));
    }

    /// Plans this for the n-th exchange of the proxy of this name, from 1.
    pub fn at_proxy(&self, proxy: &str, number: usize, action: Action) {
        self.plan(When::AtProxy(proxy.to_owned(), number), Supply::Once(action));
    }

    /// Plans this for the n-th effect, from 1.
    pub fn at_effect(&self, number: usize, action: Action) {
        self.plan(When::Effect(number), Supply::Once(action));
    }

    /// Plans this for the next exchange that matches. Planned twice, it applies to the next two.
    pub fn next(&self, matches: impl Fn(&Exchange) -> bool + Send + 'static, action: Action) {
        self.plan(When::Matching(Box::new(matches)), Supply::Once(action));
    }

    /// Plans this for every exchange that matches, until [`Recording::forget_plan`].
    pub fn always(
        &self,
        matches: impl Fn(&Exchange) -> bool + Send + 'static,
        action: impl Fn() -> Action + Send + 'static,
    ) {
        self.plan(When::Matching(Box::new(matches)), Supply::Always(Box::new(action)));
    }

    /// Lets everything pass from now on.
    pub fn forget_plan(&self) {
        self.state().plan.clear();
    }

    fn plan(&self, when: When, action: Supply) {
        self.state().plan.push(PlannedAction { when, action });
    }

    /// Returns all exchanges so far, in order.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.state().exchanges.clone()
    }

    /// Returns the exchanges that count as effects, in order.
    #[must_use]
    pub fn effects(&self) -> Vec<Exchange> {
        let state = self.state();
        state.exchanges.iter().filter(|exchange| exchange.effect.is_some()).cloned().collect()
    }

    /// Returns how many exchanges match.
    #[must_use]
    pub fn count(&self, matches: impl Fn(&Exchange) -> bool) -> usize {
        self.state().exchanges.iter().filter(|exchange| matches(exchange)).count()
    }

    /// Waits until this many exchanges match.
    ///
    /// # Errors
    /// After `patience`; the error lists the exchanges so far.
    pub async fn wait_for(
        &self,
        count: usize,
        matches: impl Fn(&Exchange) -> bool,
        patience: Duration,
    ) -> Result<()> {
        let mut changed = self.changed.subscribe();
        let enough = async {
            // The recording holds the sender, so that `changed` never fails while it is borrowed.
            while self.count(&matches) < count && changed.changed().await.is_ok() {}
        };
        if timeout(patience, enough).await.is_err() {
            let found = self.count(&matches);
            bail!("{found} of {count} awaited exchanges within {patience:?}; there were:{}", self.listing());
        }
        Ok(())
    }

    /// Returns one line for each exchange, for messages.
    #[must_use]
    pub fn listing(&self) -> String {
        let line = |exchange: &Exchange| {
            let status = exchange.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
            let effect = exchange.effect.map_or_else(String::new, |effect| format!(" (effect {effect})"));
            let Exchange { number, proxy, at, method, path, .. } = exchange;
            format!("\n  {number}{effect} {proxy} {:.3}s {method} {path} -> {status}", at.as_secs_f64())
        };
        self.state().exchanges.iter().map(line).collect::<Vec<_>>().concat()
    }

    /// Numbers an exchange and chooses its action. `None`: it arrived during a call, and must not be forwarded.
    pub(super) async fn admit(&self, exchange: Exchange) -> Option<(Exchange, Option<Action>)> {
        let admitted = self.admit_unless_halted(exchange);
        if admitted.is_none() {
            // The sender is part of the recording, so this cannot fail.
            let _ = self.halted.subscribe().wait_for(|halted| !halted).await;
        }
        admitted
    }

    fn admit_unless_halted(&self, mut exchange: Exchange) -> Option<(Exchange, Option<Action>)> {
        let mut state = self.state();
        // Read and written under the lock only, or a request could slip in behind the one that halts.
        if *self.halted.borrow() {
            return None;
        }
        exchange.number = state.exchanges.len() + 1;
        exchange.at_proxy = 1 + state.exchanges.iter().filter(|other| other.proxy == exchange.proxy).count();
        exchange.at = self.started.elapsed();
        if (self.counts)(&exchange) {
            state.effects += 1;
            exchange.effect = Some(state.effects);
        }
        let action = state.take_action(&exchange);
        exchange.planned = action.is_some();
        if action.as_ref().is_some_and(Action::is_call) {
            self.halted.send_replace(true);
        }
        state.exchanges.push(exchange.clone());
        drop(state);
        self.changed.send_modify(|count| *count += 1);
        Some((exchange, action))
    }

    /// Resumes after the call that halted the recording.
    pub(super) fn resume(&self) {
        self.halted.send_replace(false);
    }

    /// Records the outcome of an exchange.
    pub(super) fn note(&self, number: usize, change: impl FnOnce(&mut Exchange)) {
        if let Some(exchange) = self.state().exchanges.get_mut(number - 1) {
            change(exchange);
            if exchange.status.is_some() && exchange.responded_at.is_none() {
                exchange.responded_at = Some(self.started.elapsed());
            }
        }
        self.changed.send_modify(|count| *count += 1);
    }

    /// Returns the newest exchange with the same request that got a success from the upstream other than its
    /// present response.
    pub(super) fn earlier(&self, like: &Exchange, now: &Bytes) -> Option<Exchange> {
        let same = |other: &&Exchange| {
            other.number != like.number
                && other.forwarded
                && other.status.is_some_and(|status| (200..300).contains(&status))
                && other.proxy == like.proxy
                && other.method == like.method
                && other.path == like.path
                && other.response != *now
        };
        self.state().exchanges.iter().rev().find(same).cloned()
    }

    fn state(&self) -> MutexGuard<'_, RecordingState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecordingState {
    fn take_action(&mut self, exchange: &Exchange) -> Option<Action> {
        let fits = |planned: &PlannedAction| match &planned.when {
            When::Request(number) => exchange.number == *number,
            When::AtProxy(proxy, number) => exchange.proxy == *proxy && exchange.at_proxy == *number,
            When::Effect(number) => exchange.effect == Some(*number),
            When::Matching(matches) => matches(exchange),
        };
        let index = self.plan.iter().position(fits)?;
        if let Supply::Always(action) = &self.plan.get(index)?.action {
            return Some(action());
        }
        match self.plan.remove(index).action {
            Supply::Once(action) => Some(action),
            Supply::Always(action) => Some(action()),
        }
    }
}
