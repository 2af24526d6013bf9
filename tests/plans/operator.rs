//! One operator as a cluster runs it: behind proxies of its own, and restarted whenever it ends by itself or is killed.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use test_support::{Fixture, PATIENCE, settled};
use testbed::{Exchange, Process, Proxy, Recording, SHORT_TIMES, Signal};
use tokio::task::JoinHandle;

use crate::requests::{ATLAS, CLUSTER};

/// The delay of a restart.
const PAUSE: Duration = Duration::from_millis(200);

/// Longer than any plan.
const LONG: Duration = Duration::from_hours(1);

/// D, T and Q of [`SHORT_TIMES`].
pub(crate) const D: Duration = Duration::from_secs(1);
pub(crate) const T: Duration = Duration::from_secs(2);
pub(crate) const Q: Duration = Duration::from_secs(8);

/// The operator's configuration in one harness.
pub(crate) fn command(fixture: &Fixture, kubeconfig: &Path, atlas: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spe-operator"));
    command
        .arg("run")
        .env("KUBECONFIG", kubeconfig)
        .args(["--atlas-base-url", atlas, "--watch-namespaces", &fixture.namespace])
        .args(SHORT_TIMES)
        .args(["--log-level=spe_operator=debug,atlas=debug,info", "--log-format=text"]);
    command
}

pub(crate) struct ProxiedOperator {
    pub(crate) recording: Arc<Recording>,
    pub(crate) cluster: Proxy,
    pub(crate) atlas: Proxy,
    name: String,
    command: Arc<Command>,
    processes: SharedProcesses,
    kept_alive: Option<JoinHandle<()>>,
}

type SharedProcesses = Arc<Mutex<Processes>>;

/// The history of its processes.
#[derive(Default)]
struct Processes {
    /// The running process.
    current: Option<Arc<Process>>,
    /// How many requests were on the recording when each process was started.
    starts: Vec<usize>,
    /// Unexpected ends, and text that no log should contain.
    complaints: Vec<String>,
}

impl ProxiedOperator {
    /// Prepares it without a start, so that its very first request can be planned for. `name` is unique among those
    /// that run at the same time: it names the log.
    pub(crate) async fn new(fixture: &Fixture, name: &str) -> Self {
        let recording = Arc::new(Recording::default().since(fixture.atlas.started()));
        let config = fixture.control_plane.config().await.unwrap();
        let cluster = Proxy::start(CLUSTER, config, &recording).unwrap();
        let upstream = kube::Config::new(fixture.atlas.url().parse().unwrap());
        let atlas = Proxy::start(ATLAS, upstream, &recording).unwrap();
        let command = Arc::new(command(fixture, &cluster.kubeconfig_file().unwrap(), &atlas.url()));
        let name = name.replace('/', ".");
        Self {
            recording,
            cluster,
            atlas,
            name,
            command,
            processes: SharedProcesses::default(),
            kept_alive: None,
        }
    }

    /// Starts it, also after [`Self::stop`].
    pub(crate) fn launch(&mut self) {
        let start = starter(self.name.clone(), &self.command, &self.recording, &self.processes);
        start().unwrap();
        self.kept_alive = Some(tokio::spawn(keep_alive(start, Arc::clone(&self.processes))));
    }

    /// Kills it for good.
    pub(crate) async fn stop(&mut self) {
        if let Some(kept_alive) = self.kept_alive.take() {
            kept_alive.abort();
            let _ = kept_alive.await;
        }
        self.killer()();
        let process = locked(&self.processes).current.take().unwrap();
        process.wait(PATIENCE).await.unwrap();
    }

    /// Returns a function that kills the process that runs then.
    pub(crate) fn killer(&self) -> impl FnOnce() + Send + use<> {
        let processes = Arc::clone(&self.processes);
        move || locked(&processes).current.as_ref().unwrap().kill().unwrap()
    }

    /// Kills the process that runs now. Returns `false` if it was killed before and is not started yet.
    pub(crate) fn kill(&self) -> bool {
        let current = locked(&self.processes).current.clone();
        current.is_some_and(|process| process.kill().is_ok())
    }

    /// Sends a signal to the process that runs now.
    pub(crate) fn signal(&self, signal: Signal) {
        locked(&self.processes).current.as_ref().unwrap().signal(signal).unwrap();
    }

    /// Returns how its processes ended by themselves, and panics in their logs.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let processes = locked(&self.processes);
        let panics = processes.current.iter().flat_map(|process| panics(process));
        processes.complaints.iter().cloned().chain(panics).collect()
    }

    /// Returns the requests of each of its processes, by the clock of Atlas.
    pub(crate) fn processes(&self) -> Vec<Vec<Exchange>> {
        let mut exchanges = self.recording.exchanges();
        let starts = locked(&self.processes).starts.clone();
        starts.iter().rev().map(|&start| exchanges.split_off(start)).collect()
    }

    /// Returns how many requests of each proxy there were.
    pub(crate) fn counts(&self) -> impl Fn(&str) -> usize + use<> {
        let [cluster, atlas] =
            [CLUSTER, ATLAS].map(|name| self.recording.count(|exchange| exchange.proxy == name));
        move |proxy| if proxy == ATLAS { atlas } else { cluster }
    }

    /// Waits until it has sent no write for a while. A service without endpoints is polled without end.
    pub(crate) async fn until_quiet(&self, quiet: Duration) {
        settled(quiet, || self.recording.effects().len()).await;
    }

    /// Removes the log: only those of failed plans are read.
    pub(crate) fn forget_log(&self) {
        if let Some(process) = &locked(&self.processes).current {
            let _ = std::fs::remove_file(process.log());
        }
    }
}

impl Drop for ProxiedOperator {
    fn drop(&mut self) {
        if let Some(kept_alive) = &self.kept_alive {
            kept_alive.abort();
        }
        // The task that is aborted ends only later.
        locked(&self.processes).current.take();
    }
}

/// Starts the process and records it as the current one.
fn starter(
    name: String,
    command: &Arc<Command>,
    recording: &Arc<Recording>,
    processes: &SharedProcesses,
) -> impl Fn() -> anyhow::Result<()> + Send + use<> {
    let (command, recording, processes) = (Arc::clone(command), Arc::clone(recording), Arc::clone(processes));
    move || {
        // Under the lock, or requests of the new process could be taken for the old one's.
        let mut processes = locked(&processes);
        processes.starts.push(recording.exchanges().len());
        processes.current = Some(Arc::new(Process::spawn(&name, &command)?));
        Ok(())
    }
}

async fn keep_alive(start: impl Fn() -> anyhow::Result<()> + Send, processes: SharedProcesses) {
    loop {
        let Some(process) = locked(&processes).current.clone() else { return };
        let Ok(exit) = process.wait(LONG).await else { return };
        let mut problems = panics(&process);
        // Killed processes have no code.
        if let Some(code) = exit.code() {
            let last = process.output().pop().unwrap_or_default();
            problems.push(format!("ended with code {code}: {last}"));
        }
        locked(&processes).complaints.extend(problems);
        tokio::time::sleep(PAUSE).await;
        if start().is_err() {
            return;
        }
    }
}

fn panics(process: &Process) -> Vec<String> {
    process.output().into_iter().filter(|line| line.contains("panicked")).collect()
}

fn locked(processes: &Mutex<Processes>) -> std::sync::MutexGuard<'_, Processes> {
    processes.lock().unwrap_or_else(PoisonError::into_inner)
}
