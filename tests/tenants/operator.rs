//! The operator under attack: for all namespaces, with the allocator's settings of its image, and its memory by the
//! kernel's accounting.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use test_support::{Fixture, PATIENCE};
use testbed::{Process, SHORT_TIMES};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

pub(crate) struct SharedOperator {
    process: Process,
    admin: SocketAddr,
}

impl SharedOperator {
    /// Starts one and waits until it is ready.
    pub(crate) async fn start(fixture: &Fixture, name: &str) -> Self {
        // Free now, and hardly taken by anybody else in the next moment.
        let admin = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let image = include_str!("../../Dockerfile").lines();
        let mut command = Command::new(env!("CARGO_BIN_EXE_spe-operator"));
        command
            .arg("run")
            .env("KUBECONFIG", fixture.control_plane.kubeconfig_file())
            .envs(image.filter_map(|line| line.strip_prefix("ENV ")?.split_once('=')))
            .args(["--atlas-base-url", &fixture.atlas.url()])
            .args(SHORT_TIMES.iter().filter(|flag| !flag.starts_with("--admin-address")))
            .arg(format!("--admin-address={admin}"));
        let operator = Self { process: Process::spawn(name, &command).unwrap(), admin };
        let ready = async {
            while !operator.is_ready().await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, ready).await.expect("the operator never was ready");
        operator
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Returns whether `/readyz` succeeds within a second, the kubelet's timeout.
    pub(crate) async fn is_ready(&self) -> bool {
        let response = async {
            let mut stream = TcpStream::connect(self.admin).await.ok()?;
            stream
                .write_all(b"GET /readyz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
                .await
                .ok()?;
            let mut text = String::new();
            stream.read_to_string(&mut text).await.ok()?;
            Some(text.starts_with("HTTP/1.1 200"))
        };
        timeout(Duration::from_secs(1), response).await.ok().flatten().unwrap_or(false)
    }

    /// Returns its maximum resident memory, in MiB.
    pub(crate) fn peak_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let peak =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the operator has ended");
        peak.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }

    pub(crate) async fn kill(self) {
        self.process.kill().unwrap();
        self.process.wait(PATIENCE).await.unwrap();
    }
}
