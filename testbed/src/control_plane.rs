//! A real kube-apiserver and etcd for one test process, through the `envtest` crate.
//!
//! envtest starts them, but would leave them running when this process ends without a destructor. So it gets small
//! shell scripts in place of the programs: each registers itself with the [reaper](crate::reaper), then becomes the
//! program.
//!
//! There is no controller manager: namespaces never finish terminating and nothing is garbage-collected.
//! An API server started with an audit log records every request: measurements count requests there. It must never
//! listen on anything but loopback, nor connect to a cluster that it did not start.

use std::fs::{create_dir_all, read_to_string, write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use envtest::{BinaryAssetsSettings, Environment, Server};
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::sync::OnceCell;

use crate::assets;
use crate::reaper::Reaper;

/// Any exact version: envtest expects a directory of this name, and downloads nothing when the programs are in it. (The
/// settings without a version would do too, if `KUBEBUILDER_ASSETS` and `TEST_ASSET_…` did not bypass the scripts.)
const VERSION: &str = "1.0.0";

/// The audit policy: user, verb and object of every completed request, except the API server's own.
const AUDIT_POLICY: &str = r#"{
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [{"level": "None", "users": ["system:apiserver"]}, {"level": "Metadata"}]
}"#;

/// A running API server. Dropping it stops it; the end of the process does too.
#[derive(Debug)]
pub struct ControlPlane {
    server: Server,
    directory: PathBuf,
}

/// Returns the one control plane of this test process, started by the first call. A test gets a namespace of its own by
/// [`ControlPlane::create_namespace`].
///
/// # Errors
/// As [`ControlPlane::start`].
pub async fn control_plane() -> Result<&'static ControlPlane> {
    static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
    SHARED.get_or_try_init(ControlPlane::start).await
}

impl ControlPlane {
    /// Starts a control plane of its own; about five seconds with the programs at hand.
    ///
    /// # Errors
    /// When the programs can neither be found nor built, or when they do not start; the error ends with their last
    /// output.
    pub async fn start() -> Result<Self> {
        Self::started(false).await
    }

    /// The same with an audit log, at [`Self::audit_log`]. A request is in it before its response is sent.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_audited() -> Result<Self> {
        Self::started(true).await
    }

    async fn started(audited: bool) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let programs = assets::find_or_make().await?;
        let reaper = Reaper::get()?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = reaper.directory().join(format!("control-plane-{number}"));
        write_scripts(&programs, &directory, &reaper.registrations(), audited)?;
        let environment = Environment {
            binary_assets_settings: BinaryAssetsSettings {
                download_binary_assets: true,
                download_binary_assets_version: Some(VERSION.to_owned()),
                download_binary_assets_index_url: None,
                binary_assets_directory: Some(directory.display().to_string()),
            },
            ..Environment::default()
        };
        let server = environment.create().await.with_context(|| {
            let log_of = |program| last_lines(&directory.join(format!("{program}.log")));
            format!(
                "the control plane does not start.\netcd:\n{}\nkube-apiserver:\n{}",
                log_of("etcd"),
                log_of("kube-apiserver")
            )
        })?;
        let control_plane = Self { server, directory };
        write(control_plane.kubeconfig_file(), control_plane.kubeconfig())?;
        Ok(control_plane)
    }

    /// Returns the administrator's kubeconfig, as JSON (which is YAML too).
    #[must_use]
    pub fn kubeconfig(&self) -> &str {
        self.server.as_ref()
    }

    /// Returns the same, in a file for child processes and kubectl.
    #[must_use]
    pub fn kubeconfig_file(&self) -> PathBuf {
        self.directory.join("kubeconfig")
    }

    /// Returns the audit log of an audited API server: a line of JSON for each request.
    #[must_use]
    pub fn audit_log(&self) -> PathBuf {
        audit_log(&self.directory)
    }

    /// Returns the configuration of a client with the administrator's rights. It uses no HTTP proxy, whatever the
    /// environment sets.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read, which would be a defect of this crate.
    pub async fn config(&self) -> Result<kube::Config> {
        config_from(self.kubeconfig()).await
    }

    /// Returns a new client with the administrator's rights. Clients belong to the runtime they were created in: one
    /// for each test.
    ///
    /// # Errors
    /// As [`Self::config`].
    pub async fn client(&self) -> Result<kube::Client> {
        Ok(kube::Client::try_from(self.config().await?)?)
    }
}

/// Returns a client configuration from the text of a kubeconfig.
pub(crate) async fn config_from(kubeconfig: &str) -> Result<kube::Config> {
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig)?;
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.proxy_url = None;
    Ok(config)
}

/// Lays out the scripts as envtest lays out a download, so that it accepts them as one.
fn write_scripts(programs: &Path, directory: &Path, registrations: &Path, audited: bool) -> Result<()> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let scripts = directory.join(format!("{VERSION}-linux-{architecture}"));
    create_dir_all(&scripts).with_context(|| format!("cannot create {}", scripts.display()))?;
    for program in ["etcd", "kube-apiserver", "kubectl"] {
        let flags =
            if audited && program == "kube-apiserver" { audit_flags(directory)? } else { String::new() };
        let log = directory.join(format!("{program}.log"));
        let text = script(&programs.join(program), &flags, &log, registrations);
        let script = scripts.join(program);
        write(&script, text).with_context(|| format!("cannot write {}", script.display()))?;
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o700))?;
    }
    Ok(())
}

/// A server gets its directory by a flag: that identifies it as a server, and the directory is removed with it. Other
/// calls, as for `--help`, pass through.
fn script(program: &Path, flags: &str, log: &Path, registrations: &Path) -> String {
    let [program, log, registrations] = [program, log, registrations].map(quoted);
    format!(
        r#"#!/bin/sh
for argument in "$@"; do
    case "$argument" in
    --data-dir=* | --cert-dir=*)
        echo "${{argument#*=}}" > {registrations}/$$ || exit 1
        exec {program} "$@"{flags} >> {log} 2>&1
        ;;
    esac
done
exec {program} "$@"
"#
    )
}

/// Writes the policy; returns the flags for it, each after a space.
fn audit_flags(directory: &Path) -> Result<String> {
    let policy = directory.join("audit-policy.json");
    write(&policy, AUDIT_POLICY).with_context(|| format!("cannot write {}", policy.display()))?;
    let (policy, log) = (quoted(&policy), quoted(&audit_log(directory)));
    // One file of any length: entries to be counted must not be rotated away.
    Ok(format!(" --audit-policy-file={policy} --audit-log-path={log} --audit-log-maxsize=100000"))
}

fn audit_log(directory: &Path) -> PathBuf {
    directory.join("audit.log")
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

fn last_lines(log: &Path) -> String {
    let text = read_to_string(log).unwrap_or_else(|error| format!("({}: {error})", log.display()));
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(15)..).unwrap_or_default().join("\n")
}
