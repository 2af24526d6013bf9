//! The chart's README: its table of values is generated from values.yaml. `UPDATE=1` rewrites it, as `make chart` does.

use std::fmt::Write;

use serde_json::Value;

use crate::helm::chart;

const BEGIN: &str = "<!-- values: made by `make chart` -->\n";
const END: &str = "<!-- end of values -->\n";

/// Every value with its description and default, in the order of the file.
fn table(text: &str, defaults: &Value) -> String {
    let mut table = "| value | default | meaning |\n|---|---|---|\n".to_owned();
    let mut path: Vec<String> = Vec::new();
    let mut description = None;
    for line in text.lines() {
        let trimmed = line.trim_start();
        if let Some(comment) = trimmed.strip_prefix("# -- ") {
            description = Some(comment.to_owned());
            continue;
        }
        let Some((key, _)) = trimmed.split_once(':').filter(|_| !trimmed.starts_with('#')) else { continue };
        let depth = (line.len() - trimmed.len()) / 2;
        path.truncate(depth);
        path.push(key.to_owned());
        let Some(meaning) = description.take() else { continue };
        let default = defaults.pointer(&format!("/{}", path.join("/"))).unwrap();
        let meaning = meaning.replace('|', "\\|");
        writeln!(table, "| `{}` | `{default}` | {meaning} |", path.join(".")).unwrap();
    }
    table
}

fn leaves(prefix: &str, value: &Value, table: &str) {
    match value.as_object().filter(|entries| !entries.is_empty()) {
        Some(entries) if !table.contains(&format!("| `{prefix}` |")) => {
            for (key, value) in entries {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                leaves(&path, value, table);
            }
        }
        _ => assert!(table.contains(&format!("| `{prefix}` |")), "{prefix} has no description"),
    }
}

#[test]
fn the_readme_describes_every_value() {
    let values = std::fs::read_to_string(chart().join("values.yaml")).unwrap();
    let defaults: Value = serde_saphyr::from_str(&values).unwrap();
    let table = table(&values, &defaults);
    leaves("", &defaults, &table);
    let file = chart().join("README.md");
    let readme = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the README has no place for the values");
    let (current, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        assert_eq!(current, table, "run `make chart`");
    }
}
