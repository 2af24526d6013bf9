//! One operator as a cluster runs it: behind proxies of its own, and started again whenever it ends.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use testbed::{Process, Proxy, SHORT_TIMES, Tape};
use tokio::task::JoinHandle;

use crate::bench::Bench;
use crate::requests::{ATLAS, CLUSTER};

/// Until an operator that ended is started again.
const PAUSE: Duration = Duration::from_millis(200);

/// Longer than any plan.
const LONG: Duration = Duration::from_hours(1);

/// The operator as it is started for one bench.
pub(crate) fn command(bench: &Bench, kubeconfig: &Path, atlas: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spe-operator"));
    command
        .arg("run")
        .env("KUBECONFIG", kubeconfig)
        .args(["--atlas-base-url", atlas, "--watch-namespaces", &bench.namespace])
        .args(SHORT_TIMES)
        .args(["--log-level=spe_operator=debug,atlas=debug,info", "--log-format=text"]);
    command
}

pub(crate) struct Operator {
    pub(crate) tape: Arc<Tape>,
    pub(crate) cluster: Proxy,
    pub(crate) atlas: Proxy,
    name: String,
    /// Until it is launched.
    command: Option<Command>,
    current: Current,
    /// Ends that nobody asked for, and words that no log should hold.
    complaints: Arc<Mutex<Vec<String>>>,
    kept_alive: Option<JoinHandle<()>>,
}

/// The process that runs now.
type Current = Arc<Mutex<Option<Arc<Process>>>>;

impl Operator {
    /// Not running yet, so that its very first request can be planned for. `name` is unique among those that run at the same
    /// time: it names the log.
    pub(crate) async fn new(bench: &Bench, name: &str) -> Self {
        let tape = Arc::new(Tape::default());
        let config = bench.control_plane.config().await.unwrap();
        let cluster = Proxy::start(CLUSTER, config, &tape).unwrap();
        let upstream = kube::Config::new(bench.atlas.url().parse().unwrap());
        let atlas = Proxy::start(ATLAS, upstream, &tape).unwrap();
        let command = Some(command(bench, &cluster.kubeconfig_file().unwrap(), &atlas.url()));
        let (current, complaints) = (Current::default(), Arc::default());
        Self {
            tape,
            cluster,
            atlas,
            name: name.replace('/', "."),
            command,
            current,
            complaints,
            kept_alive: None,
        }
    }

    pub(crate) fn launch(&mut self) {
        let (name, command) = (self.name.clone(), self.command.take().unwrap());
        let process = Arc::new(Process::spawn(&name, &command).unwrap());
        *locked(&self.current) = Some(Arc::clone(&process));
        let (current, complaints) = (Arc::clone(&self.current), Arc::clone(&self.complaints));
        self.kept_alive = Some(tokio::spawn(keep_alive(name, command, process, current, complaints)));
    }

    /// What kills whichever process runs then.
    pub(crate) fn killer(&self) -> impl FnOnce() + Send + use<> {
        let current = Arc::clone(&self.current);
        move || locked(&current).as_ref().unwrap().kill().unwrap()
    }

    /// How its processes ended by themselves, and panics in their logs.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut complaints = locked(&self.complaints).clone();
        complaints.extend(locked(&self.current).iter().flat_map(|process| panics(process)));
        complaints
    }

    /// How many requests of each proxy there were.
    pub(crate) fn counts(&self) -> impl Fn(&str) -> usize + use<> {
        let [cluster, atlas] =
            [CLUSTER, ATLAS].map(|name| self.tape.count(|exchange| exchange.proxy == name));
        move |proxy| if proxy == ATLAS { atlas } else { cluster }
    }

    /// Waits until it has asked for nothing for a while. A watch that is opened again is no question.
    pub(crate) async fn until_quiet(&self, quiet: Duration) {
        loop {
            let before = self.tape.exchanges().len();
            tokio::time::sleep(quiet).await;
            if self.tape.exchanges().len() == before {
                return;
            }
        }
    }

    /// Removes the log: nobody reads the logs of plans that passed.
    pub(crate) fn forget_log(&self) {
        if let Some(process) = &*locked(&self.current) {
            let _ = std::fs::remove_file(process.log());
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if let Some(kept_alive) = &self.kept_alive {
            kept_alive.abort();
        }
        // The task that is aborted ends only later.
        locked(&self.current).take();
    }
}

async fn keep_alive(
    name: String,
    command: Command,
    mut process: Arc<Process>,
    current: Current,
    complaints: Arc<Mutex<Vec<String>>>,
) {
    loop {
        let Ok(exit) = process.wait(LONG).await else { return };
        let mut said = panics(&process);
        // Killed processes have no code.
        if let Some(code) = exit.code() {
            let last = process.output().pop().unwrap_or_default();
            said.push(format!("ended with code {code}: {last}"));
        }
        locked(&complaints).extend(said);
        tokio::time::sleep(PAUSE).await;
        let Ok(next) = Process::spawn(&name, &command) else { return };
        process = Arc::new(next);
        *locked(&current) = Some(Arc::clone(&process));
    }
}

fn panics(process: &Process) -> Vec<String> {
    process.output().into_iter().filter(|line| line.contains("panicked")).collect()
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
