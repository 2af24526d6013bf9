//! Writes the tables into `docs/performance.md`, between the page's marks for them. People write the prose.

use std::fs::{read_to_string, write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::judge::BudgetVerdict;
use crate::results::Results;
use crate::runs::RunResult;
use crate::{judge_dedicated, judge_serverless, table};

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
    let Results { serverless, dedicated, isolated, week } = results;
    let mut parts = Vec::new();
    if !serverless.is_empty() {
        let verdicts = judge_serverless::verdicts(serverless, isolated, binary_bytes);
        let workloads = ["idle", "create", "attach", "steady", "restart", "delete"];
        parts.extend(of_family(serverless, "", &verdicts, &workloads)?);
    }
    if !dedicated.is_empty() {
        let verdicts = judge_dedicated::verdicts(dedicated);
        let workloads = ["whole", "steady", "restart", "delete"];
        parts.extend(of_family(dedicated, "dedicated-", &verdicts, &workloads)?);
        parts.push(("dedicated-hours".to_owned(), table::hours(dedicated)));
    }
    if !isolated.is_empty() {
        parts.push(("isolation".to_owned(), table::isolation(isolated)));
    }
    if let Some(week) = week {
        parts.push(("week".to_owned(), table::week(week)));
    }
    Ok(parts)
}

/// Returns the tables that the serverless kind and those of dedicated clusters both have.
fn of_family(
    outcomes: &[RunResult],
    prefix: &str,
    verdicts: &[BudgetVerdict],
    workloads: &[&str],
) -> Result<Vec<(String, String)>> {
    let mut parts = vec![(format!("{prefix}budgets"), table::budgets(verdicts))];
    for workload in workloads {
        parts.push((format!("{prefix}{workload}"), table::workload(outcomes, workload)));
    }
    let largest = outcomes.iter().max_by_key(|outcome| (outcome.objects.count(), outcome.objects));
    parts.push((format!("{prefix}kinds"), table::kinds(largest.context("nothing was measured")?)));
    parts.push((format!("{prefix}speeds"), table::speeds(outcomes)));
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
