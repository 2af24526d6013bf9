//! A supervised process: its output is read, signals reach it, and waiting for it is bounded.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test is a panic")]

use std::fs::read_to_string;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use testbed::{Process, Signal};

const PATIENCE: Duration = Duration::from_secs(30);
const BRIEFLY: Duration = Duration::from_millis(100);

fn shell(name: &str, script: &str) -> Process {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    Process::spawn(name, &command).unwrap()
}

/// The state letter of `/proc/<id>/stat`: `T` when stopped, `Z` when dead and not collected.
fn state(process: &Process) -> Option<char> {
    let stat = read_to_string(format!("/proc/{}/stat", process.id())).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the condition did not come true");
}

#[tokio::test]
async fn lines_of_both_streams_are_received_and_kept_in_memory_and_file() {
    let process = shell("both-streams", "echo to the one; echo to the other >&2; sleep 600");
    assert_eq!(process.wait_for_line("to the one", PATIENCE).await.unwrap(), "to the one");
    assert_eq!(process.wait_for_line("other", PATIENCE).await.unwrap(), "to the other");
    let mut lines = process.output();
    lines.sort();
    assert_eq!(lines, ["to the one", "to the other"]);
    let file = read_to_string(process.log()).unwrap();
    assert!(file.contains("to the one\n") && file.contains("to the other\n"), "{file}");
}

#[tokio::test]
async fn arguments_environment_and_directory_reach_the_program() {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "echo \"$0|$1|$GREETING|${HOME-unset}|$PWD\"", "two words", "it's"]);
    command.env("GREETING", "hello").env_remove("HOME").current_dir("/usr");
    let process = Process::spawn("arguments", &command).unwrap();
    assert!(process.wait(PATIENCE).await.unwrap().success());
    assert_eq!(process.output(), ["two words|it's|hello|unset|/usr"]);
}

#[tokio::test]
async fn the_last_words_are_in_before_the_end_is_announced() {
    let process = shell("last-words", "echo first; echo last; exit 3");
    assert_eq!(process.wait(PATIENCE).await.unwrap().code(), Some(3));
    assert_eq!(process.output(), ["first", "last"]);
}

#[tokio::test]
async fn waiting_for_a_line_ends_with_the_process_and_shows_its_words() {
    let process = shell("ends-early", "echo something else; exit 1");
    let error = process.wait_for_line("never said", PATIENCE).await.unwrap_err().to_string();
    assert!(error.contains("never said") && error.contains("something else"), "{error}");
}

#[tokio::test]
async fn waiting_is_bounded() {
    let process = shell("bounded", "exec sleep 600");
    assert!(process.wait_for_line("never said", BRIEFLY).await.is_err());
    assert!(process.wait(BRIEFLY).await.is_err());
}

#[tokio::test]
async fn a_termination_request_reaches_the_program_itself() {
    let process =
        shell("terminated", "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done");
    process.wait_for_line("ready", PATIENCE).await.unwrap();
    process.signal(Signal::TERM).unwrap();
    assert!(process.wait(PATIENCE).await.unwrap().success());
    assert_eq!(process.output(), ["ready", "bye"]);
}

#[tokio::test]
async fn a_process_can_be_paused_and_resumed() {
    let process = shell("paused", "exec sleep 600");
    until(|| state(&process) == Some('S')).await;
    process.signal(Signal::STOP).unwrap();
    until(|| state(&process) == Some('T')).await;
    process.signal(Signal::CONT).unwrap();
    until(|| state(&process) == Some('S')).await;
}

#[tokio::test]
async fn a_killed_process_runs_no_more_when_the_call_returns() {
    let process = shell("killed", "exec sleep 600");
    process.kill().unwrap();
    assert_eq!(state(&process), None);
    assert_eq!(process.wait(PATIENCE).await.unwrap().signal(), Some(9));
    process.kill().unwrap();
    process.signal(Signal::TERM).unwrap();
}

#[tokio::test]
async fn a_dropped_process_is_killed() {
    let process = shell("dropped", "exec sleep 600");
    let directory = format!("/proc/{}", process.id());
    assert!(Path::new(&directory).exists());
    drop(process);
    assert!(!Path::new(&directory).exists());
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let process = Process::spawn("absent", &Command::new("/no/such/program")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let status = runtime.block_on(process.wait(PATIENCE)).unwrap();
    assert_eq!(status.code(), Some(127));
    assert!(process.output().concat().contains("/no/such/program"), "{:?}", process.output());
}
