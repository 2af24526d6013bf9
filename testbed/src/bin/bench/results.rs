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
    pub(crate) serverless: Vec<RunResult>,
    pub(crate) dedicated: Vec<RunResult>,
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
                _ => {
                    let run: RunResult = serde_json::from_str(&text)?;
                    let of_family = if run.objects.is_dedicated() {
                        &mut results.dedicated
                    } else {
                        &mut results.serverless
                    };
                    of_family.push(run);
                }
            }
        }
        for of_family in [&mut results.serverless, &mut results.dedicated] {
            of_family.sort_by_key(|run| (run.part, run.speed, run.objects));
        }
        Ok(results)
    }
}

/// Stores one result, in place of the last one of this name.
pub(crate) fn keep(directory: &Path, name: &str, result: &impl Serialize) -> Result<()> {
    create_dir_all(directory)?;
    write(directory.join(format!("{name}.json")), serde_json::to_vec_pretty(result)?)?;
    Ok(())
}
