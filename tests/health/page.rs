//! A table of health: for each state of a kind the conditions, and what each tool makes of them. It is compared with the tools, and
//! docs/concepts/health.md shows the rows with a star. It never decides what is right: the rows do.

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::tools::{ToolVerdicts, judge};
use crate::{dedicated_endpoint, dedicated_service, table};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/concepts/health.md");

/// The rows of one kind.
///
/// The columns: the state; Ready; the reason of Synced while False; the conditions that exist only while True; kstatus, as Flux and Helm
/// wait for it; Flux' rules for conditions; Argo CD.
pub(crate) struct HealthTable {
    /// What the states are states of, as the page says it.
    pub(crate) subject: &'static str,
    /// One row a line, with a star if the page shows it.
    pub(crate) rows: &'static str,
}

impl HealthTable {
    /// Returns the states, in the order of the rows.
    pub(crate) fn states(&self) -> Vec<String> {
        self.lines().map(|(_, line)| line.split(" | ").next().unwrap().to_owned()).collect()
    }

    /// Whether the page shows the row, and its columns with one space around each.
    fn lines(&self) -> impl Iterator<Item = (bool, String)> {
        self.rows.lines().filter(|line| !line.is_empty()).map(|line| {
            let columns: Vec<_> = line[1..].split('|').map(str::trim).collect();
            (line.starts_with('*'), columns.join(" | "))
        })
    }

    /// Returns the reasons of Ready that occur.
    pub(crate) fn reasons_of_ready(&self) -> Vec<String> {
        let of_line = |(_, line): (bool, String)| {
            line.split(" | ")
                .nth(1)
                .and_then(|ready| ready.split_once(' '))
                .map(|(_, reason)| reason.to_owned())
        };
        self.lines().filter_map(of_line).collect()
    }

    /// Fails unless the tools show each of the objects, one a state, as its row says. Returns their verdicts.
    pub(crate) async fn check(&self, objects: &[Value]) -> Vec<ToolVerdicts> {
        let verdicts = judge(objects).await;
        let rows = self.lines().zip(objects.iter().zip(&verdicts));
        let found = rows.map(|((_, row), (object, verdict))| {
            let found = line(row.split(" | ").next().unwrap(), object, verdict);
            (row != found).then(|| format!("the table: {row}\nthe tools: {found}"))
        });
        let wrong: Vec<_> = found.flatten().collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
        assert_eq!(objects.len(), self.lines().count());
        verdicts
    }

    /// Returns the table as the page shows it.
    fn shown(&self) -> String {
        let head = format!(
            "| {} | `Ready` | `Synced` while False | other conditions | Flux, Helm, kstatus | Argo CD |\n",
            self.subject
        );
        let mut table = format!("{head}|---|---|---|---|---|---|\n");
        for (_, line) in self.lines().filter(|(is_shown, _)| *is_shown) {
            let columns: Vec<_> = line.split(" | ").collect();
            let [state, ready, synced, others, kstatus, _, argo] = columns[..] else { panic!("{line}") };
            let code = |text: &str| if text == "-" { String::new() } else { format!("`{text}`") };
            let ready = match ready.split_once(' ') {
                Some(("True", reason)) => format!("**True** `{reason}`"),
                Some((status, reason)) => format!("{status} `{reason}`"),
                None => String::new(),
            };
            let others = others.split('+').map(code).collect::<Vec<_>>().join(", ");
            let synced = code(synced);
            writeln!(table, "| {state} | {ready} | {synced} | {others} | {kstatus} | {argo} |").unwrap();
        }
        table
    }
}

/// Returns the line of a table for an object and its verdicts.
fn line(state: &str, object: &Value, verdict: &ToolVerdicts) -> String {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let find = |kind: &str| conditions.iter().find(|condition| condition["type"] == kind);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let ready = find("Ready").map(|ready| format!("{} {}", text(&ready["status"]), text(&ready["reason"])));
    let synced = find("Synced").filter(|synced| synced["status"] == "False").map(|s| text(&s["reason"]));
    let passing: Vec<_> = ["Reconciling", "Stalled", "Suspended", "ApiSunset"]
        .into_iter()
        .filter(|kind| find(kind).is_some())
        .collect();
    let passing = Some(passing.join("+")).filter(|passing| !passing.is_empty());
    let or_none = |column: Option<String>| column.unwrap_or_else(|| "-".to_owned());
    [
        state.to_owned(),
        or_none(ready),
        or_none(synced),
        or_none(passing),
        verdict.kstatus.status.clone(),
        verdict.flux_rules(object).to_owned(),
        verdict.argo.status.clone(),
    ]
    .join(" | ")
}

#[test]
fn the_page_about_health_shows_the_rows_with_a_star() {
    const END: &str = "<!-- End -->\n";
    let page = fs::read_to_string(PAGE).unwrap();
    let mut made = page.clone();
    for (file, table) in [
        ("table", table::table()),
        ("dedicated_service", dedicated_service::table()),
        ("dedicated_endpoint", dedicated_endpoint::table()),
    ] {
        let begin = format!("<!-- Generated by `make docs` from tests/health/{file}.rs. Edit there. -->\n");
        let (before, rest) = made.split_once(&begin).unwrap_or_else(|| panic!("no place for {file}"));
        let (_, after) = rest.split_once(END).unwrap();
        made = format!("{before}{begin}{}{END}{after}", table.shown());
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(PAGE, made).unwrap();
    } else {
        assert!(page == made, "the tables of {PAGE} are stale: run `make docs` and commit the result");
    }
}
