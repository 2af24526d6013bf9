//! The typed handle on a running simulator: everything the control API can do, for tests in the same process.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;

use crate::{
    endpoint::{Deviation, Endpoint},
    faults::Operation,
    journal::JournalEntry,
    rules::Rule,
    server,
    settings::{Key, Pace, Settings},
    shared::Shared,
    state::SimulatorState,
    timeline::Timeline,
    tls::Tls,
};

/// A simulator that runs until it is shut down or dropped.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use atlas_simulator::{Termination, InjectedFault, Operation, Rule, Settings, Simulator};
///
/// let atlas = Simulator::start(Settings::default()).await?;
/// atlas.inject(Rule::next_of(Operation::Create, InjectedFault::Executed(Termination::Cut)));
/// // … let a client talk to atlas.url() …
/// assert_eq!(atlas.executed(Operation::Create), 1);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Simulator {
    pub(crate) shared: Arc<Shared>,
    scheme: &'static str,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Simulator {
    /// Starts on a free port of the loopback interface.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(settings: Settings) -> std::io::Result<Self> {
        Self::start_on((Ipv4Addr::LOCALHOST, 0).into(), settings).await
    }

    /// Starts on this address. It has no protection at all: loopback only.
    ///
    /// # Errors
    /// The address is in use or cannot be listened on.
    pub async fn start_on(address: SocketAddr, settings: Settings) -> std::io::Result<Self> {
        Self::serve(address, settings, None).await
    }

    /// Starts on a free port of the loopback interface, with TLS.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start_tls(settings: Settings, tls: &Tls) -> std::io::Result<Self> {
        Self::serve((Ipv4Addr::LOCALHOST, 0).into(), settings, Some(tls.acceptor.clone())).await
    }

    async fn serve(
        address: SocketAddr,
        settings: Settings,
        tls: Option<TlsAcceptor>,
    ) -> std::io::Result<Self> {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = server::listen(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(SimulatorState::new(settings)));
        let serving = tokio::spawn(server::serve(listener, tls, shared.clone()));
        Ok(Self { shared, scheme, address, serving })
    }

    /// Returns the base URL, `http://127.0.0.1:<port>` or with `https`: clients append `/api/atlas/v1.0/…`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Returns its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes all connections and frees the port.
    pub async fn shutdown(mut self) {
        self.serving.abort();
        // It was cancelled: it ends in no other way.
        let _ = (&mut self.serving).await;
    }

    /// Returns when its clock began, so that others can record on the same one.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.shared.started()
    }

    /// Returns the time since the start: the clock of the journal and of all timelines.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.shared.now()
    }

    /// Returns the current settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.shared.lock().0.settings.clone()
    }

    /// Changes settings, effective at once.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        let (mut state, now) = self.shared.lock();
        let mut settings = state.settings.clone();
        change(&mut settings);
        state.configure(now, settings);
    }

    /// Sets the pace; it also holds for phases that are running.
    pub fn set_pace(&self, pace: Pace) {
        self.configure(|settings| settings.pace = pace);
    }

    /// Accepts a programmatic API key.
    pub fn add_key(&self, public: &str, key: Key) {
        self.configure(|settings| {
            settings.keys.insert(public.to_owned(), key);
        });
    }

    /// Rejects a programmatic API key from now on.
    pub fn remove_key(&self, public: &str) {
        self.configure(|settings| {
            settings.keys.remove(public);
        });
    }

    /// Adds a serverless instance, and its project if that is new.
    pub fn add_instance(&self, project: &str, instance: &str) {
        self.configure(|settings| settings.add_instance(project, instance));
    }

    /// Revokes all access tokens.
    pub fn revoke_tokens(&self) {
        self.shared.lock().0.tokens.revoke_all();
    }

    /// Adds a rule after the existing ones.
    pub fn inject(&self, rule: Rule) {
        self.shared.lock().0.rules.push(rule);
    }

    /// Returns the rules that are not spent, with what is left of them.
    #[must_use]
    pub fn rules(&self) -> Vec<Rule> {
        self.shared.lock().0.rules.clone()
    }

    /// Drops the rules that satisfy this predicate.
    pub fn withdraw(&self, of_interest: impl Fn(&Rule) -> bool) {
        self.shared.lock().0.rules.retain(|rule| !of_interest(rule));
    }

    /// Drops all rules: Atlas behaves again.
    pub fn clear_rules(&self) {
        self.shared.lock().0.rules.clear();
    }

    /// Returns every request so far, oldest first.
    #[must_use]
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.shared.lock().0.journal.entries().cloned().collect()
    }

    /// Returns how many requests of the journal satisfy this predicate.
    #[must_use]
    pub fn count(&self, of_interest: impl Fn(&JournalEntry) -> bool) -> usize {
        self.shared.lock().0.journal.entries().filter(|entry| of_interest(entry)).count()
    }

    /// Returns how many requests for this operation were executed.
    #[must_use]
    pub fn executed(&self, operation: Operation) -> usize {
        self.count(|entry| entry.is(operation) && entry.executed())
    }

    /// Clears the journal.
    pub fn clear_journal(&self) {
        self.shared.lock().0.journal.clear();
    }

    /// Returns the timeline of every endpoint so far, deleted ones too, instance by instance in the order of creation.
    #[must_use]
    pub fn timelines(&self) -> Vec<Timeline> {
        let (mut state, now) = self.shared.lock();
        state.timelines(now).cloned().collect()
    }

    /// Returns the present endpoints of an instance, in the order of creation.
    #[must_use]
    pub fn endpoints(&self, project: &str, instance: &str) -> Vec<Endpoint> {
        let (mut state, now) = self.shared.lock();
        state
            .timelines(now)
            .filter(|timeline| timeline.project == project && timeline.instance == instance)
            .filter_map(|timeline| timeline.now().cloned())
            .collect()
    }

    /// Returns the endpoint with this id, if it exists.
    #[must_use]
    pub fn endpoint(&self, id: &str) -> Option<Endpoint> {
        let (mut state, now) = self.shared.lock();
        state.timeline_mut(now, id)?.now().cloned()
    }

    /// Inserts an endpoint into an instance out of band and returns its id.
    #[allow(clippy::must_use_candidate, reason = "the id is a convenience, not the purpose")]
    pub fn insert_endpoint(&self, project: &str, instance: &str, endpoint: Endpoint) -> String {
        let id = endpoint.id.clone();
        let (mut state, now) = self.shared.lock();
        state.insert(now, project, instance, endpoint);
        id
    }

    /// Edits an endpoint out of band; `false` if there is none with this id.
    #[must_use]
    pub fn edit_endpoint(&self, id: &str, edit: impl FnOnce(&mut Endpoint)) -> bool {
        let (mut state, now) = self.shared.lock();
        state.edit(now, id, |mut endpoint| {
            edit(&mut endpoint);
            Some(endpoint)
        })
    }

    /// Removes an endpoint at once, without a trace in the API; `false` if there is none with this id.
    #[must_use]
    pub fn remove_endpoint(&self, id: &str) -> bool {
        let (mut state, now) = self.shared.lock();
        state.edit(now, id, |_| None)
    }

    /// Gives an existing endpoint another course; `false` if there is none with this id.
    #[must_use]
    pub fn add_deviation(&self, id: &str, deviation: Deviation) -> bool {
        let (mut state, now) = self.shared.lock();
        let Some(timeline) = state.timeline_mut(now, id).filter(|timeline| timeline.now().is_some()) else {
            return false;
        };
        timeline.deviations.push(deviation);
        true
    }

    /// Drops endpoints, timelines, journal, rules, nonces and tokens; settings stay.
    pub fn reset(&self) {
        self.shared.lock().0.forget();
    }

    /// Waits until the simulator satisfies this predicate; bound it with [`tokio::time::timeout`].
    pub async fn until(&self, condition: impl Fn(&Self) -> bool) {
        while !condition(self) {
            sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
