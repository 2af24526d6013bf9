//! The results, a file for each run, so that runs may be made one by one and the page be written from all of them.

use std::fs::{create_dir_all, read_dir, read_to_string, write};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::isolation::Isolated;
use crate::runs::RunResult;
use crate::soak::SoakResult;

/// All results.
#[derive(Default)]
pub(crate) struct Results {
    pub(crate) outcomes: Vec<RunResult>,
    pub(crate) isolated: Vec<Isolated>,
    pub(crate) week: Option<SoakResult>,
}

impl Results {
    /// Reads the results of earlier runs.
    pub(crate) fn read(directory: &Path) -> Result<Self> {
        let mut results = Self::default();
        for entry in read_dir(directory).with_context(|| directory.display().to_string())? {
            let path = entry?.path();
            let text = read_to_string(&path)?;
            match path.file_stem().unwrap_or_default().to_string_lossy().as_ref() {
                "isolation" => results.isolated = serde_json::from_str(&text)?,
                "week" => results.week = Some(serde_json::from_str(&text)?),
                _ => results.outcomes.push(serde_json::from_str(&text)?),
            }
        }
        results
            .outcomes
            .sort_by_key(|outcome| (!outcome.name.starts_with("fast"), outcome.objects, outcome.instances));
        Ok(results)
    }

    /// Returns the runs of the growth series.
    pub(crate) fn growth(&self) -> Vec<RunResult> {
        self.outcomes.iter().filter(|outcome| outcome.name.starts_with("growth")).cloned().collect()
    }
}

/// Stores one result, in place of the last one of this name.
pub(crate) fn keep(directory: &Path, name: &str, result: &impl Serialize) -> Result<()> {
    create_dir_all(directory)?;
    write(directory.join(format!("{name}.json")), serde_json::to_vec_pretty(result)?)?;
    Ok(())
}
