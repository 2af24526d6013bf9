//! A time of day of its own for a program under test, which a test can step.
//!
//! It is a small library in C, preloaded into the program, because nothing else shifts the time of day of one process:
//! a time namespace of Linux shifts only the clocks that count from the start of the machine. Programs that call the
//! kernel themselves, past the C library, are not affected.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};

use crate::reaper::Reaper;

const SOURCE: &str = include_str!("wall_clock.c");

/// The time of day of the programs that were prepared with [`Self::set`].
#[derive(Debug)]
pub struct WallClock {
    library: PathBuf,
    ahead: PathBuf,
}

impl WallClock {
    /// Returns a clock that shows the machine's time until it is stepped.
    ///
    /// # Errors
    /// Without a C compiler (`cc`).
    pub fn new() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = Reaper::get()?.directory().join(format!("wall-clock-{number}"));
        std::fs::create_dir_all(&directory)?;
        let (source, library) = (directory.join("wall_clock.c"), directory.join("wall_clock.so"));
        std::fs::write(&source, SOURCE)?;
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&library).arg(&source);
        ensure!(compiler.status().context("cc cannot be run")?.success(), "cc refuses {}", source.display());
        let clock = Self { library, ahead: directory.join("ahead") };
        std::fs::write(&clock.ahead, [0; 8])?;
        Ok(clock)
    }

    /// Gives this clock to a program that is about to be started.
    pub fn set(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("WALL_CLOCK_AHEAD", &self.ahead);
    }

    /// Sets the clock so many seconds ahead of the machine's, or behind.
    ///
    /// # Errors
    /// When its file is missing.
    pub fn step(&self, seconds: i64) -> Result<()> {
        let file = OpenOptions::new().write(true).open(&self.ahead)?;
        file.write_all_at(&seconds.to_ne_bytes(), 0).context("the clock cannot be stepped")
    }
}
