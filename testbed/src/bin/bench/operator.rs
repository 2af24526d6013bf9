//! The operator under measurement, as a child process: its resources by the kernel's accounting, and its metrics.

use std::fs::{read_to_string, write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use testbed::{Process, Signal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

/// How long it may take to start or to end.
const PATIENCE: Duration = Duration::from_mins(2);

/// Where it is started: the cluster, Atlas and namespace.
pub(crate) struct OperatorEnvironment<'a> {
    pub(crate) program: &'a Path,
    pub(crate) kubeconfig: &'a Path,
    pub(crate) atlas: &'a str,
    pub(crate) namespace: &'a str,
}

/// A running operator.
pub(crate) struct Operator {
    process: Process,
    admin: SocketAddr,
}

/// The resources that the process has used so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) cpu_seconds: f64,
    pub(crate) resident_mib: f64,
    pub(crate) peak_mib: f64,
}

impl Operator {
    /// Starts it with its real settings; `flags` are the changes of a scenario. Returns at once.
    pub(crate) async fn start(
        name: &str,
        environment: &OperatorEnvironment<'_>,
        flags: &[&str],
    ) -> Result<Self> {
        // Free now, and hardly taken by another program in the next moment.
        let admin = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        let mut command = Command::new(environment.program);
        command
            .arg("run")
            .env("KUBECONFIG", environment.kubeconfig)
            .envs(image_env())
            .args(["--atlas-base-url", environment.atlas, "--watch-namespaces", environment.namespace])
            .arg(format!("--admin-address={admin}"))
            .args(flags);
        Ok(Self { process: Process::spawn(&format!("operator-{name}"), &command)?, admin })
    }

    /// Waits until it is ready.
    pub(crate) async fn until_ready(&self) -> Result<()> {
        let begun = Instant::now();
        while !self.get("/readyz").await.is_ok_and(|response| response.starts_with("HTTP/1.1 200")) {
            ensure!(
                begun.elapsed() < PATIENCE,
                "the operator is not ready; see {}",
                self.process.log().display()
            );
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Returns how many objects it has reconciled since its start.
    pub(crate) async fn reconciled(&self) -> Result<usize> {
        let metrics = self.get("/metrics").await?;
        let counts = metrics.lines().filter(|line| line.starts_with("atlas_spe_objects{"));
        let counts = counts.filter_map(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok());
        Ok(counts.sum())
    }

    /// Reads processor time and memory.
    pub(crate) fn usage(&self) -> Result<Usage> {
        let stat = read_to_string(self.file("stat"))?;
        // After the name in parentheses, which may hold anything: state is the first field, utime the 12th, stime the 13th.
        let fields: Vec<&str> =
            stat.rsplit_once(')').context("no name in stat")?.1.split_whitespace().collect();
        let ticks =
            |index: usize| -> Result<f64> { Ok(fields.get(index).context("stat is short")?.parse()?) };
        let per_second = rustix::param::clock_ticks_per_second() as f64;
        let status = read_to_string(self.file("status"))?;
        let mib = |name: &str| -> Result<f64> {
            let line =
                status.lines().find_map(|line| line.strip_prefix(name)).context("no such line in status")?;
            let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
            Ok(kib / 1024.0)
        };
        Ok(Usage {
            cpu_seconds: (ticks(11)? + ticks(12)?) / per_second,
            resident_mib: mib("VmRSS:")?,
            peak_mib: mib("VmHWM:")?,
        })
    }

    /// Resets the peak of the memory.
    pub(crate) fn forget_peak(&self) -> Result<()> {
        write(self.file("clear_refs"), "5").context("cannot reset the peak of the memory")
    }

    /// Ends it as Kubernetes does.
    pub(crate) async fn stop(self) -> Result<()> {
        self.process.signal(Signal::TERM)?;
        let exit = self.process.wait(PATIENCE).await?;
        ensure!(exit.success(), "the operator ended with {exit}; see {}", self.process.log().display());
        Ok(())
    }

    fn file(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.process.id())
    }

    async fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.admin).await?;
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n").as_bytes())
            .await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        if response.is_empty() {
            bail!("no response");
        }
        Ok(response)
    }
}

/// The environment of the image, so that the measured program is the one that runs.
fn image_env() -> impl Iterator<Item = (&'static str, &'static str)> {
    let dockerfile = include_str!("../../../../Dockerfile");
    dockerfile.lines().filter_map(|line| line.strip_prefix("ENV ")?.split_once('='))
}
