//! `make dashboard`: some minutes in the life of a few endpoints, on a real API server with the simulated Atlas,
//! scraped by a real Prometheus; its response to each expression of the chart's dashboard is drawn as
//! `docs/dashboard.svg`.
//!
//! It evaluates no expression itself and invents no number. It is a drawing, no screenshot: there is no Grafana in it.

mod draw;
mod panels;
mod prometheus;
mod script;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

#[tokio::main]
async fn main() -> ExitCode {
    match picture().await {
        Ok(svg) => {
            print!("{svg}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("dashboard: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn picture() -> Result<String> {
    let file = root().join("charts/spe-operator/files/dashboard.json");
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let panels = panels::of(&serde_json::from_str(&text)?)?;
    let fixture = script::DashboardFixture::build().await?;
    let prometheus = prometheus::Prometheus::start(fixture.metrics).await?;
    fixture.run().await?;
    let mut drawn = Vec::new();
    for panel in panels {
        let mut lines = Vec::new();
        for target in &panel.targets {
            lines.extend(prometheus.evaluate(target).await?);
        }
        drawn.push((panel, lines));
    }
    Ok(draw::svg(&drawn, &script::caption()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
