//! `make bench`: the operator's cost to Atlas, the cluster and its node, measured from outside on real parts and
//! compared with the minimum that the protocol allows and the budgets.
//!
//! ```text
//! bench PROGRAM [--quick] [NAME…]   measures that program: all runs, or those of these names (growth: all growth-…)
//! bench PROGRAM --page              writes docs/performance.md from what was measured
//! ```
//! | file | what it holds |
//! |---|---|
//! | `scenarios`, `plan` | what is measured, and its objects, as data |
//! | `runs`, `isolation`, `soak` | how it is run |
//! | `fixture`, `operator` | what it runs on |
//! | `measure`, `audit`, `observations`, `lives` | what is counted, and where |
//! | `judge`, `judge_serverless`, `judge_dedicated` | the least that the protocol allows, the budgets |
//! | `results`, `table`, `page` | the results, and how they are shown |
//!
//! It only observes: the API server's audit log, the simulator's journal, the kernel's accounting of the process.

#![allow(clippy::cast_precision_loss, reason = "what is counted here stays far below 2^52")]

mod audit;
mod fixture;
mod isolation;
mod judge;
mod judge_dedicated;
mod judge_serverless;
mod lives;
mod measure;
mod observations;
mod operator;
mod page;
mod plan;
mod results;
mod runs;
mod scenarios;
mod soak;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;

use crate::fixture::Environment;
use crate::results::{Results, keep};
use crate::scenarios::BenchScenario;

#[tokio::main]
async fn main() -> ExitCode {
    match bench(std::env::args().skip(1).collect()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(arguments: Vec<String>) -> Result<()> {
    let (flags, names): (Vec<_>, Vec<_>) =
        arguments.into_iter().partition(|argument| argument.starts_with("--"));
    let (program, names) =
        names.split_first().context("which program? bench PROGRAM [--quick | --page] [NAME…]")?;
    let (program, directory) = (PathBuf::from(program), page::results_directory()?);
    let binary_bytes = std::fs::metadata(&program).with_context(|| program.display().to_string())?.len();
    match flags.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--page"] => page::rewrite(&Results::read(&directory)?, binary_bytes),
        [] | ["--quick"] => {
            measure(&program, &directory, !flags.is_empty(), names).await?;
            for (name, table) in page::parts(&Results::read(&directory)?, binary_bytes)? {
                println!("\n{name}\n{table}");
            }
            Ok(())
        }
        _ => bail!("{flags:?} is not --quick or --page"),
    }
}

async fn measure(program: &Path, directory: &Path, quick: bool, names: &[String]) -> Result<()> {
    // Up to a dash, so that growth-1000x100 is not growth-1000x1000 as well.
    let is_called = |name: &str, wanted: &str| {
        name.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| is_called(name, wanted));
    let wanted = scenarios::all(quick).into_iter().filter(|scenario| is_wanted(&scenario.name()));
    // Runs in which hardly anything happens for minutes run in parallel.
    let (slow, fast): (Vec<BenchScenario>, Vec<_>) = wanted.partition(BenchScenario::is_slow);
    let environment = Environment::start(program).await?;
    for scenario in &fast {
        println!("{}", scenario.name());
        keep(directory, &scenario.name(), &runs::run(&environment, scenario).await?)?;
    }
    for outcome in try_join_all(slow.iter().map(|scenario| runs::run(&environment, scenario))).await? {
        keep(directory, &outcome.name.clone(), &outcome)?;
    }
    if is_wanted("isolation") {
        keep(directory, "isolation", &isolation::run(&environment).await?)?;
    }
    if is_wanted("week") {
        keep(directory, "week", &soak::run(&environment).await?)?;
    }
    Ok(())
}
