//! `make tour`: runs the demo and draws its output with its timing as an animated picture (`docs/demo.svg`).
//!
//! It draws only what was printed. Only the pauses are its own: a long one is cut, and the picture notes it.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// The maximum pause that is drawn.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Pixels between two lines.
const LINE: usize = 18;

/// The margin around all lines in pixels.
const MARGIN: usize = 16;

fn main() -> ExitCode {
    match record().map(|lines| print!("{}", draw(&lines))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tour: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A line of the demo, and its time.
struct OutputLine {
    at: Duration,
    text: String,
}

fn record() -> Result<Vec<OutputLine>> {
    let demo = std::env::current_exe()?.with_file_name("demo");
    let mut demo = Command::new(demo).arg("--exit").stdout(Stdio::piped()).spawn().context("the demo")?;
    let output = demo.stdout.take().context("the demo has no output")?;
    let started = Instant::now();
    let mut lines = vec![OutputLine { at: Duration::ZERO, text: "$ make demo EXIT=1".to_owned() }];
    for text in BufReader::new(output).lines() {
        lines.push(OutputLine { at: started.elapsed(), text: text?.trim_end().to_owned() });
    }
    let status = demo.wait()?;
    ensure!(status.success(), "the demo failed: {status}");
    Ok(lines)
}

/// Returns the times at which the lines are drawn.
fn moments(lines: &[OutputLine]) -> Vec<Duration> {
    let mut now = Duration::ZERO;
    let mut before = Duration::ZERO;
    let moment = |line: &OutputLine| {
        now += line.at.saturating_sub(before).min(MAX_PAUSE);
        before = line.at;
        now
    };
    lines.iter().map(moment).collect()
}

fn draw(lines: &[OutputLine]) -> String {
    let columns = lines.iter().map(|line| line.text.chars().count()).max().unwrap_or_default();
    let width = pixels(columns) + 2 * MARGIN;
    let height = (lines.len() + 2) * LINE + 2 * MARGIN;
    let took = lines.last().map_or(0, |line| line.at.as_secs());
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">
<title>What make demo prints</title>
<style>
text {{ font: 13px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #d4d4d4; white-space: pre; }}
.command {{ fill: #7ee787; }} .note {{ fill: #8b949e; }}
.line {{ opacity: 0; animation: show 1ms forwards; }}
@keyframes show {{ to {{ opacity: 1; }} }}
@media (prefers-reduced-motion: reduce) {{ .line {{ opacity: 1; animation: none; }} }}
</style>
<rect width="100%" height="100%" rx="6" fill="#0d1117"/>
"##
    );
    for (place, (line, moment)) in lines.iter().zip(moments(lines)).enumerate() {
        let class = if line.text.starts_with('$') { "line command" } else { "line" };
        text(&mut svg, place, class, &line.text, Some(moment));
    }
    let note = format!("recorded in {took} s; pauses of more than {} s are cut", MAX_PAUSE.as_secs());
    text(&mut svg, lines.len() + 1, "note", &note, None);
    svg.push_str("</svg>\n");
    svg
}

fn text(svg: &mut String, place: usize, class: &str, content: &str, moment: Option<Duration>) {
    if content.is_empty() {
        return;
    }
    let y = MARGIN + (place + 1) * LINE;
    let delay = moment.map_or_else(String::new, |moment| {
        format!(r#" style="animation-delay:{}.{:03}s""#, moment.as_secs(), moment.subsec_millis())
    });
    let content = content.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(
        svg,
        r#"<text x="{MARGIN}" y="{y}" class="{class}" xml:space="preserve"{delay}>{content}</text>"#
    );
}

/// Returns the width of so many characters, at 13 pixels in a monospaced face (0.6 em, as in most of them).
fn pixels(columns: usize) -> usize {
    columns * 78 / 10 + 1
}
