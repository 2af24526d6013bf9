//! The program: settings → log → run. Exit code 2 for an invalid setting, 1 for an unusable cluster.

use std::process::ExitCode;

use spe_operator::app::check;
use spe_operator::app::definitions::definitions_yaml;
use spe_operator::app::error::ProgramError;
use spe_operator::app::logging;
use spe_operator::app::run as program;
use spe_operator::app::settings::{self, Command, Settings, UsageError};
use tokio::runtime::Runtime;

/// Its settings are in `.cargo/config.toml`.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match settings::parse(std::env::args_os()) {
        Ok(Command::Run(settings)) => run(*settings),
        Ok(Command::Crd) => match definitions_yaml() {
            Ok(yaml) => {
                print!("{yaml}");
                ExitCode::SUCCESS
            }
            Err(error) => end(1, &error),
        },
        Ok(Command::Check { host, port }) => check(&host, port),
        Err(UsageError::CommandLine(error)) => {
            // If the output is closed, nothing can be reported.
            let _ = error.print();
            u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(UsageError::Value(line)) => end(2, &line),
    }
}

fn check(host: &str, port: u16) -> ExitCode {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return end(1, &error),
    };
    match runtime.block_on(check::ready(host, port)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => end(1, &error),
    }
}

fn run(settings: Settings) -> ExitCode {
    logging::start(&settings);
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return end(1, &error),
    };
    let ended = runtime.block_on(program::run(settings));
    // Waits for nothing, such as a resolver that does not respond.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(ProgramError::Settings(error)) => end(2, &error),
        Err(ProgramError::Run(line)) => end(1, &line),
    }
}

fn end(code: u8, line: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("spe-operator: {line}");
    ExitCode::from(code)
}
