//! Builds etcd, kube-apiserver and kubectl from the Go modules pinned in `control-plane/go.mod`, and other Go programs
//! from their modules. Needs Go and a module proxy.
//!
//! It must never touch the module files: the versions are the repository's decision.

use std::fs::{create_dir_all, remove_dir_all, rename};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// The module whose tools are the control plane.
pub(crate) const GO_MOD: &str = include_str!("../control-plane/go.mod");
const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/control-plane");

/// Program and Go package, the quickest build first.
const PROGRAMS: [(&str, &str); 3] = [
    ("etcd", "go.etcd.io/etcd/server/v3"),
    ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
];

/// The interval of the progress messages of a long build.
const REPORT: Duration = Duration::from_secs(10);

/// Returns the version, as in `v1.37.2`.
pub(crate) fn kubernetes_version() -> &'static str {
    GO_MOD.lines().find_map(|line| line.strip_prefix("require k8s.io/kubernetes ")).unwrap_or("unknown")
}

/// Returns the minor version, as in `1.37`.
pub(crate) fn kubernetes_series() -> String {
    kubernetes_version().trim_start_matches('v').split('.').take(2).collect::<Vec<_>>().join(".")
}

/// Without the stamps the API server reports v0.0.0, which misleads clients that check the version.
pub(crate) fn linker_flags() -> String {
    let version = kubernetes_version();
    let series = kubernetes_series();
    let (major, minor) = series.split_once('.').unwrap_or_default();
    let stamp = |name: &str, value: &str| format!(" -X k8s.io/component-base/version.{name}={value}");
    let stamps =
        [("gitVersion", version), ("gitMajor", major), ("gitMinor", minor), ("gitTreeState", "clean")];
    "-s -w".to_owned() + &stamps.map(|(name, value)| stamp(name, value)).concat()
}

/// Builds all programs into `directory`, which appears only when it is complete. Takes about eight minutes on two cold cores.
///
/// # Errors
/// When Go is absent or fails; the compiler's own output is part of the error.
pub(crate) fn build(directory: &Path) -> Result<()> {
    let mut unfinished = directory.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    create_dir_all(&unfinished).with_context(|| format!("cannot create {}", unfinished.display()))?;
    let started = Instant::now();
    for (program, package) in PROGRAMS {
        build_program(Path::new(MODULE), package, &linker_flags(), &unfinished.join(program))?;
    }
    if directory.exists() {
        // Only an incomplete directory gets here, from which files were removed by hand.
        remove_dir_all(directory).with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    rename(&unfinished, directory).with_context(|| format!("cannot create {}", directory.display()))?;
    report(&format!("all programs built in {} s: {}", started.elapsed().as_secs(), directory.display()));
    Ok(())
}

/// Builds the Go package into the file `program`, at the versions that `module` pins. Prints progress every few
/// seconds.
///
/// # Errors
/// When Go is absent or fails; the compiler's own output is part of the error.
pub(crate) fn build_program(module: &Path, package: &str, linker_flags: &str, program: &Path) -> Result<()> {
    let output = program;
    let program = program.file_name().unwrap_or_default().to_string_lossy();
    report(&format!("building {program} ({package})"));
    let started = Instant::now();
    let mut go = Command::new("go")
        .args(["build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags"])
        .arg(linker_flags)
        .arg("-o")
        .arg(output)
        .arg(package)
        .current_dir(module)
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run `go`, which builds what the tests run on: install Go 1.26 or later (instead of a control plane: set KUBEBUILDER_ASSETS)")?;
    let output = go.stderr.take().context("go has no standard error")?;
    let mut reported = started;
    let mut packages = 0_u32;
    let mut lines = Vec::new();
    // `-v` prints the name of each package as it is compiled; downloads and errors are the lines that are not names.
    for line in BufReader::new(output).lines() {
        let line = line.context("cannot read the output of go")?;
        let is_package = !line.contains([' ', '\t']) && !line.starts_with('#');
        if is_package {
            packages += 1;
        } else {
            lines.push(line.clone());
        }
        if reported.elapsed() >= REPORT {
            reported = Instant::now();
            report(&format!(
                "{program}: {} s, {packages} packages compiled, now {line}",
                started.elapsed().as_secs()
            ));
        }
    }
    let status = go.wait().context("cannot wait for go")?;
    let tail = lines.split_off(lines.len().saturating_sub(40)).join("\n");
    ensure!(status.success(), "go could not build {package} ({status}):\n{tail}");
    report(&format!("{program} built in {} s", started.elapsed().as_secs()));
    Ok(())
}

/// Prints one line of progress. Written to the stream itself, because the test harness hides what `eprintln!` prints.
pub(crate) fn report(line: &str) {
    // A closed stream is no reason to fail.
    let _ = writeln!(std::io::stderr().lock(), "control plane: {line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_module_file() {
        assert!(kubernetes_version().starts_with("v1."), "{}", kubernetes_version());
        assert!(kubernetes_version().starts_with(&format!("v{}.", kubernetes_series())));
    }

    #[test]
    fn every_program_is_a_tool_of_the_module() {
        for (_, package) in PROGRAMS {
            assert!(GO_MOD.lines().any(|line| line.trim() == package), "{package} is not pinned in go.mod");
        }
    }
}
