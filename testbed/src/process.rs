//! A program under test as a child process: its output is kept, it can be signalled, and it never outlives its test.

use std::fmt::Write as _;
use std::fs::{File, create_dir_all};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::io::Errno;
pub use rustix::process::Signal;
use rustix::process::{Pid, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::reaper::{REGISTER, Reaper};

/// A running child process. Dropping it kills it, and so does the end of the process that started it.
///
/// All methods take `&self`: a proxy that kills it at the n-th request may share it in an `Arc` with the test that
/// waits on it.
#[derive(Debug)]
pub struct Process {
    name: String,
    id: Pid,
    log: PathBuf,
    output: Arc<Mutex<Vec<String>>>,
    state: watch::Receiver<ProcessState>,
    child: Arc<Mutex<Child>>,
}

/// The state that is broadcast to waiting tasks: they then check the lines, or take the exit status.
#[derive(Clone, Copy, Debug, Default)]
struct ProcessState {
    lines: usize,
    exit: Option<ExitStatus>,
}

impl Process {
    /// Starts a program. `name` identifies it in messages; both its output streams are kept in memory and in
    /// [`Self::log`].
    ///
    /// Arguments, environment and working directory are taken from `command`; its standard streams are not.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn spawn(name: &str, command: &Command) -> Result<Self> {
        let reaper = Reaper::get()?;
        let log = log_file(name)?;
        let mut registered = Command::new("/bin/sh");
        registered.args(["-c", REGISTER]).arg(reaper.registrations());
        registered.arg(command.get_program()).args(command.get_args());
        for (variable, value) in command.get_envs() {
            match value {
                Some(value) => registered.env(variable, value),
                None => registered.env_remove(variable),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            registered.current_dir(directory);
        }
        registered.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = registered.spawn().with_context(|| format!("cannot start {name}"))?;
        let id = Pid::from_child(&child);
        let output = Arc::new(Mutex::new(Vec::new()));
        let (announce, state) = watch::channel(ProcessState::default());
        let file = Arc::new(Mutex::new(
            File::create(&log).with_context(|| format!("cannot write {}", log.display()))?,
        ));
        let announce = Arc::new(announce);
        let streams: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|stream| Box::new(stream) as _),
            child.stderr.take().map(|stream| Box::new(stream) as _),
        ];
        let readers: Vec<_> = streams
            .into_iter()
            .flatten()
            .map(|stream| {
                let (output, file, announce) =
                    (Arc::clone(&output), Arc::clone(&file), Arc::clone(&announce));
                thread::spawn(move || keep(stream, &output, &file, &announce))
            })
            .collect();
        let child = Arc::new(Mutex::new(child));
        let waiting = Arc::clone(&child);
        thread::spawn(move || {
            // Waits without collecting, so that the id stays this process's own until the child is locked.
            while let Err(Errno::INTR) =
                waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
            {}
            // All of its output is stored before its end is announced.
            for reader in readers {
                let _ = reader.join();
            }
            let exit = locked(&waiting).wait().ok();
            reaper.forget(id.as_raw_nonzero().get().unsigned_abs());
            announce.send_modify(|state| state.exit = exit);
        });
        Ok(Self { name: name.to_owned(), id, log, output, state, child })
    }

    /// Returns the file of all its output. It stays after the test: `target/debug/testbed/<test program>/<name>.log`.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Returns its process id. After its end the id may belong to another process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id.as_raw_nonzero().get().unsigned_abs()
    }

    /// Returns all lines so far, of both streams, in the order in which they were read.
    #[must_use]
    pub fn output(&self) -> Vec<String> {
        locked(&self.output).clone()
    }

    /// Waits for the first line that contains `text`, past or future; returns it.
    ///
    /// # Errors
    /// After `patience`, or when the process ends without it. The error shows its last lines.
    pub async fn wait_for_line(&self, text: &str, patience: Duration) -> Result<String> {
        let mut state = self.state.clone();
        let search = async {
            let mut seen = 0;
            loop {
                let now = *state.borrow_and_update();
                {
                    let output = locked(&self.output);
                    if let Some(line) = output.iter().skip(seen).find(|line| line.contains(text)) {
                        return Ok(line.clone());
                    }
                    seen = output.len();
                }
                if let Some(exit) = now.exit {
                    bail!("{} ended ({exit}) without printing {text:?}{}", self.name, self.last_lines());
                }
                if state.changed().await.is_err() {
                    bail!("the watch on {} has ended", self.name);
                }
            }
        };
        match timeout(patience, search).await {
            Ok(found) => found,
            Err(_) => bail!("{} did not print {text:?} within {patience:?}{}", self.name, self.last_lines()),
        }
    }

    /// Sends a signal; for a process that has ended this does nothing, and is no error.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        // Under this lock an uncollected process keeps its id, so that the signal reaches no other process.
        let mut child = locked(&self.child);
        if self.state.borrow().exit.is_some() || child.try_wait()?.is_some() {
            return Ok(());
        }
        kill_process(self.id, signal).with_context(|| format!("cannot send {signal:?} to {}", self.name))
    }

    /// Ends it at once, by SIGKILL. When this returns it runs no more instructions.
    ///
    /// # Errors
    /// As [`Self::signal`].
    pub fn kill(&self) -> Result<()> {
        self.signal(Signal::KILL)?;
        locked(&self.child).wait().with_context(|| format!("cannot wait for {}", self.name))?;
        Ok(())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// After `patience`; the error shows its last lines. The process keeps running.
    pub async fn wait(&self, patience: Duration) -> Result<ExitStatus> {
        let mut state = self.state.clone();
        let ended = async {
            let ended = state.wait_for(|state| state.exit.is_some()).await;
            ended.ok().and_then(|state| state.exit)
        };
        match timeout(patience, ended).await {
            Ok(Some(exit)) => Ok(exit),
            Ok(None) => bail!("the watch on {} has ended", self.name),
            Err(_) => bail!("{} still runs after {patience:?}{}", self.name, self.last_lines()),
        }
    }

    fn last_lines(&self) -> String {
        let output = locked(&self.output);
        let mut text = format!("; its log is {}, which ends with:", self.log.display());
        for line in output.iter().skip(output.len().saturating_sub(15)) {
            // Writing into a string does not fail.
            let _ = write!(text, "\n  {line}");
        }
        text
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended, or be out of reach; the error can be reported nowhere.
        let _ = self.kill();
    }
}

fn keep(
    stream: impl Read,
    output: &Mutex<Vec<String>>,
    file: &Mutex<File>,
    announce: &watch::Sender<ProcessState>,
) {
    for line in BufReader::new(stream).split(b'\n') {
        let Ok(line) = line else { return };
        let line = String::from_utf8_lossy(&line).into_owned();
        // Tests read the lines from memory; a full disk only shortens the file.
        let _ = writeln!(locked(file), "{line}");
        locked(output).push(line);
        announce.send_modify(|state| state.lines += 1);
    }
}

/// Returns `target/debug/testbed/<test program>/<name>.log`, new for every run. It stays after the test, to read about
/// a failure.
fn log_file(name: &str) -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let stem = program.file_stem().unwrap_or_default().to_string_lossy();
    // Test programs are called `<name>-<hash>` and lie in `target/<profile>/deps`, others directly in `target/<profile>`.
    let stem = stem.rsplit_once('-').map_or(&*stem, |(name, _)| name);
    let target =
        program.ancestors().skip(1).find(|path| !path.ends_with("deps")).context("a program has a path")?;
    let directory = target.join("testbed").join(stem);
    create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    Ok(directory.join(format!("{name}.log")))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
