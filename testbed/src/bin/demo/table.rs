//! The object as `kubectl get` prints it: the API server itself renders the row.

use anyhow::{Context, Result};
use kube::Client;
use serde_json::Value;

/// The columns that `kubectl get` prints without `-o wide`, and one row.
pub(crate) struct Row {
    /// The names of the columns.
    pub(crate) columns: Vec<String>,
    /// One text for each.
    pub(crate) cells: Vec<String>,
}

impl Row {
    /// Requests the row of one object.
    pub(crate) async fn of(client: &Client, path: &str) -> Result<Self> {
        let request = http::Request::get(path)
            .header(http::header::ACCEPT, "application/json;as=Table;v=v1;g=meta.k8s.io")
            .body(Vec::new())?;
        let table: Value = client.request(request).await.context("no table")?;
        let columns: Vec<_> = table["columnDefinitions"].as_array().into_iter().flatten().collect();
        let cells = table["rows"][0]["cells"].as_array().into_iter().flatten();
        let shown = columns.iter().zip(cells).filter(|(column, _)| column["priority"] == 0);
        let (columns, cells) = shown
            .map(|(column, cell)| {
                let name = column["name"].as_str().unwrap_or_default().to_uppercase();
                (name, cell.as_str().unwrap_or_default().to_owned())
            })
            .unzip();
        Ok(Self { columns, cells })
    }

    /// Returns the cell of a column.
    pub(crate) fn cell(&self, column: &str) -> &str {
        let place = self.columns.iter().position(|name| name == column);
        place.and_then(|place| self.cells.get(place)).map_or("", String::as_str)
    }

    /// Returns what distinguishes two rows for a person: everything but the age.
    pub(crate) fn state(&self) -> Vec<&str> {
        self.columns
            .iter()
            .zip(&self.cells)
            .filter(|(name, _)| *name != "AGE")
            .map(|(_, cell)| cell.as_str())
            .collect()
    }
}

/// Returns one line of a table.
pub(crate) fn line(cells: &[String]) -> String {
    let widths = [8, 7, 22, 20, 10, 10, 6];
    let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}
