//! Nothing outlives a test program: no etcd, no API server, no supervised process, no directory, however the program ends.
//!
//! Each case runs this very program once more as the program that ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test is a panic")]

use std::fs::{read_dir, read_to_string};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testbed::{ControlPlane, Process, control_plane};

/// How the inner program ends; unset in an ordinary run.
const ENDING: &str = "TESTBED_ENDING";

/// Prints what it has started on standard output, waits for a line on standard input, then ends. Alone it does nothing.
#[tokio::test]
async fn inner_program() {
    let Ok(ending) = std::env::var(ENDING) else { return };
    // A control plane that is dropped in good order, beside the shared one, which never is.
    let own = ControlPlane::start().await.unwrap();
    let shared = control_plane().await.unwrap();
    let sleeper =
        Process::spawn("sleeper", Command::new("/bin/sh").args(["-c", "echo up; exec sleep 600"])).unwrap();
    sleeper.wait_for_line("up", Duration::from_secs(30)).await.unwrap();
    println!("\nSTARTED {}", shared.kubeconfig_file().display());
    std::io::stdin().read_line(&mut String::new()).unwrap();
    match ending.as_str() {
        "returns" => drop((own, sleeper)),
        "panics" => panic!("as planned"),
        "exits" => std::process::exit(0),
        other => panic!("no such ending: {other}"),
    }
}

/// The processes and files of the inner program while it ran.
struct Traces {
    processes: Vec<PathBuf>,
    directories: Vec<PathBuf>,
}

impl Traces {
    /// From the path of a kubeconfig, `<directory of the program>/control-plane-<n>/kubeconfig`.
    fn of(kubeconfig: &Path) -> Self {
        let directory = kubeconfig.ancestors().nth(2).unwrap();
        let registrations: Vec<_> =
            read_dir(directory.join("processes")).unwrap().map(|entry| entry.unwrap().path()).collect();
        let processes = registrations.iter().map(|file| Path::new("/proc").join(file.file_name().unwrap()));
        let mut directories = vec![directory.to_owned()];
        for registration in &registrations {
            let temporary = read_to_string(registration).unwrap();
            directories.extend((!temporary.is_empty()).then(|| PathBuf::from(temporary.trim())));
        }
        Self { processes: processes.collect(), directories }
    }

    fn left(&self) -> Vec<&PathBuf> {
        let runs = |process: &&PathBuf| {
            let status = read_to_string(process.join("status")).unwrap_or_default();
            // A zombie runs no more; collecting it is its adopter's business.
            !status.is_empty() && !status.contains("State:\tZ")
        };
        let processes = self.processes.iter().filter(runs);
        processes.chain(self.directories.iter().filter(|directory| directory.exists())).collect()
    }
}

fn nothing_is_left_when_it(ending: &str) {
    let mut program = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "inner_program", "--nocapture"])
        .env(ENDING, ending)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines().map(Result::unwrap);
    let kubeconfig = lines.find_map(|line| line.strip_prefix("STARTED ").map(PathBuf::from)).unwrap();
    let traces = Traces::of(&kubeconfig);
    // An etcd and an API server for each of two control planes, and the sleeper.
    assert_eq!(traces.processes.len(), 5);
    assert_eq!(traces.directories.len(), 5);
    assert_eq!(traces.left().len(), 10);
    if ending == "is killed" {
        program.kill().unwrap();
    }
    drop(program.stdin.take());
    for _ in lines {}
    program.wait().unwrap();
    gone(&traces);
}

fn gone(traces: &Traces) {
    let started = Instant::now();
    while !traces.left().is_empty() {
        assert!(started.elapsed() < Duration::from_secs(20), "left behind: {:?}", traces.left());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn nothing_is_left_when_the_program_is_killed() {
    nothing_is_left_when_it("is killed");
}

#[test]
fn nothing_is_left_when_the_program_returns() {
    nothing_is_left_when_it("returns");
}

#[test]
fn nothing_is_left_when_a_test_panics() {
    nothing_is_left_when_it("panics");
}

#[test]
fn nothing_is_left_when_the_program_exits() {
    nothing_is_left_when_it("exits");
}
