//! Writes the tables into `docs/performance.md`, between the page's marks for them. People write the prose.

use std::fs::{read_to_string, write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::results::Results;
use crate::{judge, table};

/// Rewrites the page.
pub(crate) fn rewrite(results: &Results, binary_bytes: u64) -> Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let page = docs.join("performance.md");
    let mut text = read_to_string(&page).with_context(|| page.display().to_string())?;
    for (name, content) in parts(results, binary_bytes)? {
        text = replaced(&text, &name, &content)?;
    }
    write(&page, text)?;
    Ok(())
}

/// Returns the tables by the names of their marks.
pub(crate) fn parts(results: &Results, binary_bytes: u64) -> Result<Vec<(String, String)>> {
    let growth = results.growth();
    let verdicts = judge::verdicts(&results.outcomes, &results.isolated, binary_bytes);
    let mut parts = vec![("budgets".to_owned(), table::budgets(&verdicts))];
    for workload in ["idle", "create", "attach", "steady", "restart", "delete"] {
        parts.push((workload.to_owned(), table::workload(&growth, workload)));
    }
    let largest = growth.iter().max_by_key(|outcome| (outcome.objects, outcome.instances));
    parts.push(("kinds".to_owned(), table::kinds(largest.context("nothing was measured")?)));
    parts.push(("speeds".to_owned(), table::speeds(&results.outcomes)));
    parts.push(("isolation".to_owned(), table::isolation(&results.isolated)));
    if let Some(week) = &results.week {
        parts.push(("week".to_owned(), table::week(week)));
    }
    Ok(parts)
}

/// Returns the text with everything between `<!-- name -->` and `<!-- /name -->` replaced.
fn replaced(text: &str, name: &str, content: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let Some((before, rest)) = text.split_once(&begin) else { bail!("the page has no mark {begin:?}") };
    let Some((_, after)) = rest.split_once(&end) else { bail!("the page has no mark {end:?}") };
    Ok(format!("{before}{begin}{content}{end}{after}"))
}

/// The folder of the results until the page is written.
pub(crate) fn results_directory() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).context("a program has a path")?;
    Ok(target.join("bench"))
}
