//! The plot of the page, as SVG: three panels over the number of objects, a line for each number of instances.
//!
//! Drawn by hand, because three panels need less code than a library.

use std::fmt::Write as _;

use crate::judge::{least_requests, requests};
use crate::measure::Figures;
use crate::runs::RunResult;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 330.0;
const PANEL: (f64, f64) = (250.0, 200.0);
const LEFT: f64 = 50.0;
const TOP: f64 = 80.0;
const BETWEEN: f64 = 65.0;

/// Numbers of objects on the axis below, one decade after the other but for the first.
const OBJECTS: [usize; 4] = [1, 100, 1_000, 10_000];

/// Instances, and the colour and the marker of their line: the marker distinguishes them without colour too.
const LINES: [(usize, &str, Marker); 3] =
    [(1, "#0072b2", Marker::Circle), (100, "#d55e00", Marker::Square), (1_000, "#117733", Marker::Triangle)];

#[derive(Clone, Copy)]
enum Marker {
    Circle,
    Square,
    Triangle,
}

/// The value of a run that a panel shows.
type Value = fn(&RunResult) -> Option<f64>;

struct PlotPanel {
    title: &'static str,
    value: Value,
    /// Returns the budget for so many objects.
    budgets: &'static [(usize, f64)],
}

const PANELS: [PlotPanel; 3] = [
    PlotPanel { title: "requests to Atlas, × the least", value: over_the_least, budgets: &[] },
    PlotPanel { title: "CPU an object, ms", value: cpu, budgets: &[] },
    PlotPanel {
        title: "peak memory, MiB (– – budget)",
        value: peak,
        budgets: &[(1, 12.0), (1_000, 24.0), (10_000, 80.0)],
    },
];

/// The whole life: create, attach, delete.
fn life(outcome: &RunResult) -> Vec<&Figures> {
    outcome
        .workloads
        .iter()
        .filter(|figures| ["create", "attach", "delete"].contains(&figures.workload.as_str()))
        .collect()
}

fn over_the_least(outcome: &RunResult) -> Option<f64> {
    let life = life(outcome);
    let least: u64 = life
        .iter()
        .filter_map(|workload| least_requests(&workload.workload, outcome.objects, outcome.instances))
        .sum();
    let spent: u64 = life.iter().map(|workload| requests(workload)).sum();
    (least > 0).then(|| spent as f64 / least as f64)
}

fn cpu(outcome: &RunResult) -> Option<f64> {
    let life = life(outcome);
    let seconds: f64 = life.iter().map(|workload| workload.cpu_seconds).sum();
    // The kernel's accounting ticks in hundredths of a second: one object alone is below its resolution.
    (outcome.objects >= 100).then_some(seconds * 1e3 / outcome.objects as f64)
}

fn peak(outcome: &RunResult) -> Option<f64> {
    outcome.workloads.iter().map(|figures| figures.peak_mib).reduce(f64::max)
}

/// Returns the picture.
pub(crate) fn draw(outcomes: &[RunResult]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    for (place, (instances, colour, mark)) in LINES.iter().enumerate() {
        let x = LEFT + 170.0 * step(place);
        line(&mut svg, (x, 24.0), (x + 26.0, 24.0), colour, "");
        symbol(&mut svg, *mark, (x + 13.0, 24.0), colour);
        let plural = if *instances == 1 { "instance" } else { "instances" };
        text(&mut svg, (x + 34.0, 28.0), "start", &format!("{} {plural}", grouped(*instances)));
    }
    for (place, panel) in PANELS.iter().enumerate() {
        draw_panel(&mut svg, panel, LEFT + step(place) * (PANEL.0 + BETWEEN), outcomes);
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw_panel(svg: &mut String, panel: &PlotPanel, left: f64, outcomes: &[RunResult]) {
    let values = outcomes.iter().filter_map(|outcome| (panel.value)(outcome));
    let most = values.chain(panel.budgets.iter().map(|(_, budget)| *budget)).fold(0.0, f64::max);
    let (top, tick) = scale(most);
    let x = |objects: usize| {
        let place = OBJECTS.iter().position(|known| *known == objects)?;
        Some(left + (step(place) + 0.5) * PANEL.0 / step(OBJECTS.len()))
    };
    let y = |value: f64| TOP + PANEL.1 * (1.0 - value / top);
    let head =
        format!("<text x=\"{left}\" y=\"{}\" font-weight=\"bold\">{}</text>\n", TOP - 18.0, panel.title);
    svg.push_str(&head);
    let mut value = 0.0;
    while value <= top + tick / 2.0 {
        line(svg, (left, y(value)), (left + PANEL.0, y(value)), "#ddd", "");
        text(svg, (left - 6.0, y(value) + 4.0), "end", &short(value));
        value += tick;
    }
    for objects in OBJECTS {
        if let Some(x) = x(objects) {
            text(svg, (x, TOP + PANEL.1 + 18.0), "middle", &grouped(objects));
        }
    }
    text(svg, (left + PANEL.0 / 2.0, TOP + PANEL.1 + 38.0), "middle", "objects");
    for (objects, budget) in panel.budgets {
        if let Some(x) = x(*objects) {
            line(svg, (x - 24.0, y(*budget)), (x + 24.0, y(*budget)), "#666", "5 4");
        }
    }
    for (instances, colour, mark) in LINES {
        let points: Vec<(f64, f64)> = OBJECTS
            .iter()
            .filter_map(|objects| {
                let run =
                    outcomes.iter().find(|run| run.objects == *objects && run.instances == instances)?;
                Some((x(*objects)?, y((panel.value)(run)?)))
            })
            .collect();
        for pair in points.windows(2) {
            if let [from, to] = pair {
                line(svg, *from, *to, colour, "");
            }
        }
        for point in points {
            symbol(svg, mark, point, colour);
        }
    }
}

/// Returns the end of an axis that holds `most`, and the distance of its ticks.
fn scale(most: f64) -> (f64, f64) {
    let power = 10_f64.powf((most.max(1e-9) / 4.0).log10().floor());
    let tick = [1.0, 2.0, 5.0, 10.0].iter().map(|step| step * power).find(|tick| tick * 5.0 >= most);
    let tick = tick.unwrap_or(power * 10.0);
    ((most / tick).ceil() * tick, tick)
}

fn step(place: usize) -> f64 {
    u32::try_from(place).map_or(0.0, f64::from)
}

fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn grouped(count: usize) -> String {
    crate::table::thousands(count as u64)
}

// Writing into a string does not fail.

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), colour: &str, dashes: &str) {
    let _ = writeln!(
        svg,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" stroke-width=\"{}\" stroke-dasharray=\"{dashes}\"/>",
        from.0,
        from.1,
        to.0,
        to.1,
        if colour == "#ddd" { 1 } else { 2 },
    );
}

fn symbol(svg: &mut String, mark: Marker, (x, y): (f64, f64), colour: &str) {
    let _ = match mark {
        Marker::Circle => writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\" fill=\"{colour}\"/>"),
        Marker::Square => {
            let (x, y) = (x - 4.0, y - 4.0);
            writeln!(svg, "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"8\" height=\"8\" fill=\"{colour}\"/>")
        }
        Marker::Triangle => {
            writeln!(svg, "<path d=\"M{x:.1} {:.1}l5.5 9.5h-11z\" fill=\"{colour}\"/>", y - 5.5)
        }
    };
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
}
