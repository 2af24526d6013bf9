//! The program: settings → log → run. Exit code 2 for a setting that cannot be used, 1 for a cluster that cannot be.

use std::process::ExitCode;

use spe_operator::api;
use spe_operator::service::program::{self, ProgramError};
use spe_operator::service::settings::{self, Command, Refusal, Settings};
use spe_operator::service::telemetry;

fn main() -> ExitCode {
    match settings::parse(std::env::args_os()) {
        Ok(Command::Run(settings)) => run(*settings),
        Ok(Command::Crd) => match api::crd_yaml() {
            Ok(yaml) => {
                print!("{yaml}");
                ExitCode::SUCCESS
            }
            Err(error) => end(1, &error),
        },
        Err(Refusal::Asked(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(refusal) => end(2, &refusal),
    }
}

fn run(settings: Settings) -> ExitCode {
    telemetry::start(&settings);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return end(1, &error),
    };
    match runtime.block_on(program::run(settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(ProgramError::Settings(refusal)) => end(2, &refusal),
        Err(ProgramError::Run(line)) => end(1, &line),
    }
}

fn end(code: u8, line: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("spe-operator: {line}");
    ExitCode::from(code)
}
