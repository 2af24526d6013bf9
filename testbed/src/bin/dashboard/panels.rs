//! The panels of a Grafana dashboard, as far as they are drawn.

use anyhow::{Context, Result};
use serde_json::Value;

/// The position of a panel, in the units of the grid that is 24 wide.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GridPosition {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) w: u32,
    pub(crate) h: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A heading over the panels below it.
    Row,
    /// The last value, large.
    Stat,
    /// Lines over time.
    Lines,
    /// The same, stacked.
    Stack,
    /// The labels of the last values.
    Table,
}

pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) form: Form,
    pub(crate) place: GridPosition,
    pub(crate) unit: String,
    pub(crate) targets: Vec<Query>,
}

/// An expression, and the names of its results.
pub(crate) struct Query {
    pub(crate) expression: String,
    pub(crate) legend: String,
}

pub(crate) fn of(dashboard: &Value) -> Result<Vec<Panel>> {
    let panels = dashboard["panels"].as_array().context("a dashboard without panels")?;
    panels.iter().map(panel).collect()
}

fn panel(value: &Value) -> Result<Panel> {
    let title = value["title"].as_str().context("a panel without a title")?.to_owned();
    let number = |name: &str| {
        let number = value["gridPos"][name].as_u64().and_then(|number| u32::try_from(number).ok());
        number.with_context(|| format!("{title}: gridPos.{name}"))
    };
    let place = GridPosition { x: number("x")?, y: number("y")?, w: number("w")?, h: number("h")? };
    let defaults = &value["fieldConfig"]["defaults"];
    let form = match value["type"].as_str().unwrap_or_default() {
        "row" => Form::Row,
        "stat" => Form::Stat,
        "table" => Form::Table,
        "timeseries" if defaults["custom"]["stacking"]["mode"] == "normal" => Form::Stack,
        "timeseries" => Form::Lines,
        other => anyhow::bail!("{title}: a panel of the type {other:?} is not drawn"),
    };
    let targets = value["targets"].as_array().into_iter().flatten();
    let targets = targets.map(|target| Query {
        expression: target["expr"].as_str().unwrap_or_default().to_owned(),
        legend: target["legendFormat"].as_str().unwrap_or_default().to_owned(),
    });
    Ok(Panel {
        form,
        place,
        unit: defaults["unit"].as_str().unwrap_or_default().to_owned(),
        targets: targets.collect(),
        title,
    })
}
