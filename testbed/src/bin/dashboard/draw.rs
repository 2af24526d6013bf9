//! Draws panels and their lines as a picture.

use std::fmt::Write as _;

use crate::panels::{Form, Panel};
use crate::prometheus::Series;

/// Pixels of a unit of the grid.
const UNIT: (u32, u32) = (50, 24);
/// Pixels around a panel.
const GAP: u32 = 4;
const COLOURS: [&str; 10] = [
    "#73bf69", "#5794f2", "#f2cc0c", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff", "#96d98d", "#ffb357",
    "#ca95e5",
];

pub(crate) fn svg(panels: &[(Panel, Vec<Series>)], caption: &[String]) -> String {
    let rows = panels.iter().map(|(panel, _)| panel.place.y + panel.place.h).max().unwrap_or_default();
    let (width, height) = (24 * UNIT.0, rows * UNIT.1);
    let all = height + 24 + 16 * u32::try_from(caption.len()).unwrap_or_default();
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {all}" width="{width}" height="{all}" role="img">
<title>The dashboard of the chart, drawn from a run</title>
<style>
text {{ font: 11px system-ui, "DejaVu Sans", sans-serif; fill: #ccccdc; }}
.title {{ font-weight: 600; }} .long {{ font-size: 10px; }} .row {{ font-size: 14px; font-weight: 600; }} .large {{ font-size: 34px; font-weight: 600; }}
.axis {{ fill: #8e8e99; font-size: 9px; }} .legend {{ font-size: 10px; }}
polyline {{ fill: none; stroke-width: 1.5; }} polygon {{ fill-opacity: 0.6; }} .grid {{ stroke: #2c2f38; }}
</style>
<rect width="100%" height="100%" fill="#111217"/>
"##
    );
    for (panel, lines) in panels {
        draw(&mut svg, panel, lines);
    }
    for (place, line) in (0..).zip(caption) {
        text(&mut svg, GAP, height + 20 + 16 * place, "axis", "start", line);
    }
    svg.push_str("</svg>\n");
    svg
}

/// A rectangle.
#[derive(Clone, Copy)]
struct Area {
    x: u32,
    y: u32,
    w: u32,
    h: u32,
}

fn draw(svg: &mut String, panel: &Panel, lines: &[Series]) {
    let place = panel.place;
    let area = Area {
        x: place.x * UNIT.0 + GAP,
        y: place.y * UNIT.1 + GAP,
        w: place.w * UNIT.0 - 2 * GAP,
        h: place.h * UNIT.1 - 2 * GAP,
    };
    if panel.form == Form::Row {
        text(svg, area.x, area.y + 13, "row", "start", &panel.title);
        return;
    }
    let Area { x, y, w, h } = area;
    let _ = writeln!(svg, r##"<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="3" fill="#181b1f"/>"##);
    let letters = u32::try_from(panel.title.chars().count()).unwrap_or(u32::MAX);
    let class = if letters > w / 7 { "long title" } else { "title" };
    text(svg, x + 8, y + 15, class, "start", &panel.title);
    let last = |line: &Series| line.values.iter().rev().find_map(|value| *value);
    match panel.form {
        Form::Row => {}
        Form::Stat => {
            let value =
                lines.iter().find_map(last).map_or_else(|| "no data".to_owned(), |v| number(v, &panel.unit));
            text(svg, x + w / 2, y + h / 2 + 20, "large", "middle", &value);
        }
        Form::Table => {
            for (place, line) in (0..).zip(lines.iter().filter(|line| last(line).is_some())) {
                text(svg, x + 8, y + 38 + 16 * place, "legend", "start", &line.name);
            }
        }
        Form::Lines | Form::Stack => plot(svg, panel, lines, area),
    }
}

fn plot(svg: &mut String, panel: &Panel, lines: &[Series], area: Area) {
    // A line that is never above zero would only fill the legend.
    let shown: Vec<_> =
        lines.iter().filter(|line| line.values.iter().flatten().any(|value| *value != 0.0)).collect();
    if shown.is_empty() {
        let known = lines.iter().any(|line| line.values.iter().any(Option::is_some));
        let content = if known { "0 all the time" } else { "no data" };
        text(svg, area.x + area.w / 2, area.y + area.h / 2, "axis", "middle", content);
        return;
    }
    let legend = legend(shown.iter().map(|line| line.name.as_str()), area);
    let legend_rows = legend.last().map_or(0, |(_, y)| *y + 1);
    let inner = Area { x: area.x + 46, y: area.y + 26, w: area.w - 58, h: area.h - 34 - 13 * legend_rows };
    let stacked = panel.form == Form::Stack;
    let curves = curves(&shown, stacked);
    let highest = curves.iter().flat_map(|(_, top)| top.iter().flatten()).copied().fold(0.0, f64::max);
    let top = ceiling(highest);
    for part in 0..=2 {
        let y = inner.y + inner.h - inner.h * part / 2;
        let _ = writeln!(
            svg,
            r#"<line class="grid" x1="{}" y1="{y}" x2="{}" y2="{y}"/>"#,
            inner.x,
            inner.x + inner.w
        );
        text(svg, inner.x - 4, y + 3, "axis", "end", &number(top * f64::from(part) / 2.0, &panel.unit));
    }
    for ((bottom, curve), colour) in curves.iter().zip(COLOURS.iter().cycle()) {
        let points = |values: &[Option<f64>]| points(values, inner, top);
        if stacked {
            let mut around = points(curve);
            let mut back = points(bottom);
            back.reverse();
            around.append(&mut back);
            let _ = writeln!(svg, r#"<polygon fill="{colour}" points="{}"/>"#, around.join(" "));
        } else {
            let _ = writeln!(svg, r#"<polyline stroke="{colour}" points="{}"/>"#, points(curve).join(" "));
        }
    }
    let from = area.y + area.h - 13 * legend_rows;
    for (((x, row), line), colour) in legend.iter().zip(&shown).zip(COLOURS.iter().cycle()) {
        let y = from + 13 * row + 5;
        let _ = writeln!(svg, r#"<rect x="{x}" y="{}" width="8" height="3" fill="{colour}"/>"#, y - 5);
        text(svg, x + 11, y, "legend", "start", &line.name);
    }
}

type Values = Vec<Option<f64>>;

/// Returns the lower and the upper edge of each line.
fn curves(lines: &[&Series], stacked: bool) -> Vec<(Values, Values)> {
    let count = lines.iter().map(|line| line.values.len()).max().unwrap_or_default();
    let mut below = vec![Some(0.0); count];
    let mut curves = Vec::new();
    for line in lines {
        if stacked {
            let above: Values = below
                .iter()
                .zip(&line.values)
                .map(|(below, value)| Some(below.unwrap_or_default() + value.unwrap_or_default()))
                .collect();
            curves.push((below, above.clone()));
            below = above;
        } else {
            curves.push((Vec::new(), line.values.clone()));
        }
    }
    curves
}

fn points(values: &[Option<f64>], inner: Area, top: f64) -> Vec<String> {
    let steps = u32::try_from(values.len()).unwrap_or(u32::MAX).saturating_sub(1).max(1);
    let values = (0_u32..).zip(values).filter_map(|(place, value)| Some((place, (*value)?)));
    values
        .map(|(place, value)| {
            let x = f64::from(inner.x) + f64::from(inner.w) * f64::from(place) / f64::from(steps);
            let y = f64::from(inner.y + inner.h) - f64::from(inner.h) * (value / top).clamp(0.0, 1.0);
            format!("{x:.0},{y:.1}")
        })
        .collect()
}

/// Returns the positions of the legend's entries: their x, and their row.
fn legend<'a>(names: impl Iterator<Item = &'a str>, area: Area) -> Vec<(u32, u32)> {
    let (mut x, mut row) = (area.x + 8, 0);
    let mut places = Vec::new();
    for name in names {
        let width = 22 + 6 * u32::try_from(name.chars().count()).unwrap_or_default();
        if x + width > area.x + area.w && x > area.x + 8 {
            (x, row) = (area.x + 8, row + 1);
        }
        places.push((x, row));
        x += width;
    }
    places
}

/// Returns a round number that is not less.
fn ceiling(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let magnitude = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 4.0, 6.0, 8.0, 10.0]
        .iter()
        .map(|factor| factor * magnitude)
        .find(|round| *round >= value)
        .unwrap_or(value)
}

fn number(value: f64, unit: &str) -> String {
    let plain = |value: f64| {
        let text = format!("{value:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match unit {
        "percentunit" => format!("{:.0} %", value * 100.0),
        "s" if value != 0.0 && value.abs() < 1.0 => format!("{} ms", plain(value * 1000.0)),
        "s" => format!("{} s", plain(value)),
        "reqps" | "ops" => format!("{}/s", plain(value)),
        _ => plain(value),
    }
}

fn text(svg: &mut String, x: u32, y: u32, class: &str, anchor: &str, content: &str) {
    let content = content.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(svg, r#"<text x="{x}" y="{y}" class="{class}" text-anchor="{anchor}">{content}</text>"#);
}
