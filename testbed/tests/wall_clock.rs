//! A program's time of day steps on request, and no other program's does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test is a panic")]

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use testbed::WallClock;

fn seconds(command: &mut Command) -> i64 {
    String::from_utf8(command.output().unwrap().stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn a_clock_steps_for_the_programs_that_have_it_and_for_no_others() {
    let clock = WallClock::new().unwrap();
    let now = || i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let shown = || {
        let mut date = Command::new("date");
        clock.set(date.arg("+%s"));
        seconds(&mut date) - now()
    };
    let near = |found: i64, expected: i64| assert!((found - expected).abs() < 30, "{found} for {expected}");
    near(shown(), 0);
    for step in [3600, -3600, 0] {
        clock.step(step).unwrap();
        near(shown(), step);
        near(seconds(Command::new("date").arg("+%s")) - now(), 0);
    }
}
