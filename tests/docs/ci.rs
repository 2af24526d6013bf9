//! The summary of CI, as CONTRIBUTING promises: a skipped check is named there, and never appears as passed. The
//! scripts run in a folder of their own, with stand-ins for slow tools.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::book::root;

/// A folder with copies of these scripts.
fn folder(name: &str, scripts: &[&str]) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    for script in scripts {
        fs::create_dir_all(folder.join(script).parent().unwrap()).unwrap();
        fs::copy(root().join(script), folder.join(script)).unwrap();
    }
    folder
}

fn stand_in(file: &Path, script: &str) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, format!("#!/usr/bin/env bash\n{script}\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

fn run(script: &Path, folder: &Path) -> Output {
    let path = format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap());
    Command::new("bash").arg(script).env("PATH", path).output().unwrap()
}

/// Returns the output and exit code of `hack/deny` with or without the database of advisories.
fn deny(fetches: bool) -> (Vec<String>, bool) {
    let folder = folder(&format!("deny-{fetches}"), &["hack/deny"]);
    let tool = folder.join("cargo-deny");
    stand_in(&folder.join("hack/tool"), &format!("echo {}", tool.display()));
    stand_in(&tool, &format!("case $* in *\"fetch db\"*) {fetches} ;; *) echo checked \"$@\" ;; esac"));
    let output = run(&folder.join("hack/deny"), &folder);
    let text = String::from_utf8(output.stdout).unwrap();
    (text.lines().map(str::to_owned).collect(), output.status.success())
}

/// Returns the last line of CI, where `make deny` prints this.
fn last_line(deny: &str) -> String {
    let folder = folder("ci", &[".ci/run", "hack/part"]);
    stand_in(&folder.join("bin/make"), &format!("[ \"$1\" != deny ] || echo \"{deny}\""));
    let output = run(&folder.join(".ci/run"), &folder);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("Minutes:\n"), "{text}");
    text.lines().last().unwrap().to_owned()
}

#[test]
fn ci_ends_with_the_check_that_could_not_be_made() {
    let (text, passed) = deny(true);
    assert!(passed && text.iter().any(|line| line.contains("advisories")), "{text:?}");
    assert!(!last_line(text.last().unwrap()).contains("ADVISORIES"));
    let (text, passed) = deny(false);
    assert!(
        passed && !text.iter().any(|line| line.contains("checked") && line.contains("advisories")),
        "{text:?}"
    );
    let unchecked = text.last().unwrap();
    assert!(unchecked.starts_with("deny: ADVISORIES NOT CHECKED"), "{text:?}");
    assert_eq!(last_line(unchecked), *unchecked);
}

/// Checks that need other tools are left to CI: cargo-deny alone takes longer to build than the project.
#[test]
fn a_newcomers_test_command_checks_code_alone() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let (_, test) = makefile.split_once("\ntest: ").unwrap();
    let (test, _) = test.split_once("\n\n").unwrap();
    assert!(test.contains("clippy") && !test.contains("deny"), "{test}");
    let ci = fs::read_to_string(root().join(".ci/run")).unwrap();
    assert!(["make test", "make deny", "make e2e-cluster"].iter().all(|part| ci.contains(part)), "{ci}");
}
