//! Guarantees that nothing outlives the process that uses this crate: one directory for all its files, one small shell
//! that ends all it started.
//!
//! The shell holds the reading end of a pipe whose other end closes with this process, be it by return, panic, `exit`
//! or SIGKILL. Then it kills every process registered under `processes/` and removes the directories. Neither a
//! destructor (not run for statics, nor on a kill) nor the parent-death signal (sent when the *thread* that forked
//! ends) guarantees as much.
//!
//! It must never signal a process that did not register itself here.

use std::fs::{DirBuilder, create_dir, remove_file};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

/// Registers the process that runs it, then becomes the given program: `sh -c REGISTER <directory of registrations>
/// PROGRAM ARGS…`.
///
/// It fails when that directory is removed: a program that starts too late to be ended does not start.
pub(crate) const REGISTER: &str = r#": > "$0/$$" && exec "$@""#;

/// First waits for the pipe's end. Moving the directory away makes later registrations fail, so that the list is
/// complete. A registration may hold the path of a further directory to remove.
const REAP: &str = r#"
trap '' HUP INT TERM
while read -r _; do :; done
mv "$0" "$0.ending" && cd "$0.ending" || exit 1
sleep 0.1
for registration in processes/*; do
    [ -f "$registration" ] || continue
    kill -KILL "${registration#processes/}" 2>/dev/null
done
attempts=0
while [ "$attempts" -lt 100 ]; do
    for registration in processes/*; do
        [ -s "$registration" ] || continue
        read -r directory < "$registration"
        rm -rf -- "$directory" || continue 2
    done
    rm -rf -- "$0.ending" && exit
    attempts=$((attempts + 1))
    sleep 0.1
done
"#;

/// The directory of this process and the shell that removes it.
#[derive(Clone, Debug)]
pub(crate) struct Reaper {
    directory: PathBuf,
}

/// The writing end of the pipe. It is never written to: it stays open exactly as long as this process lives.
static STARTED: Mutex<Option<(Reaper, ChildStdin)>> = Mutex::new(None);

impl Reaper {
    /// Returns the reaper of this process, started at the first call.
    pub(crate) fn get() -> Result<Self> {
        let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((reaper, _)) = &*started {
            return Ok(reaper.clone());
        }
        let (reaper, pipe) =
            Self::start().context("cannot start the shell that cleans up after this process")?;
        *started = Some((reaper.clone(), pipe));
        Ok(reaper)
    }

    fn start() -> Result<(Self, ChildStdin)> {
        let moment = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
        let directory = std::env::temp_dir().join(format!("testbed-{}-{moment}", std::process::id()));
        // Private: it holds kubeconfigs with an administrator's key.
        DirBuilder::new().mode(0o700).create(&directory)?;
        create_dir(directory.join("processes"))?;
        let mut shell = Command::new("/bin/sh")
            .args(["-c", REAP])
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Out of the terminal's foreground group: Ctrl-C ends the test, and the shell must outlive it.
            .process_group(0)
            .spawn()?;
        let pipe = shell.stdin.take().context("the shell has no standard input")?;
        Ok((Self { directory }, pipe))
    }

    /// Returns the directory for all files of this process; it is removed with the process.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the directory of registrations: one file per process, named by its id.
    pub(crate) fn registrations(&self) -> PathBuf {
        self.directory.join("processes")
    }

    /// Removes a process from the list once it has been waited for: its id may now belong to another process.
    pub(crate) fn forget(&self, process_id: u32) {
        // A missing file is fine: the list only has to be free of it.
        let _ = remove_file(self.registrations().join(process_id.to_string()));
    }
}
