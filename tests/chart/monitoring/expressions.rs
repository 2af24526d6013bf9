//! Extracts names and labels from the expressions of alerts and dashboard. promtool checks whether Prometheus can parse
//! them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::helm::chart;

/// One expression, and its source.
#[derive(Debug)]
pub(super) struct Expression {
    pub(super) place: String,
    pub(super) text: String,
    /// The labels that a legend or an annotation shows.
    pub(super) shown: BTreeSet<String>,
}

/// The names in an expression.
#[derive(Debug, Default)]
pub(super) struct ExpressionNames {
    /// Metrics, each with the labels that it is selected by, and the values that they are compared with.
    pub(super) metrics: Vec<(String, BTreeMap<String, Vec<String>>)>,
    /// Labels that results are grouped or matched by.
    pub(super) grouped: BTreeSet<String>,
}

/// The words of the language beside metrics and labels.
const WORDS: [&str; 17] = [
    "absent",
    "and",
    "by",
    "histogram_quantile",
    "increase",
    "m",
    "max",
    "max_over_time",
    "min",
    "on",
    "or",
    "rate",
    "sum",
    "time",
    "vector",
    "h",
    "__rate_interval",
];

fn read(file: &str) -> Value {
    serde_saphyr::from_str(&std::fs::read_to_string(chart().join("files").join(file)).unwrap()).unwrap()
}

pub(super) fn alerts() -> Vec<Expression> {
    let file = read("alerts.yaml");
    let rules =
        file["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    rules
        .map(|rule| Expression {
            place: rule["alert"].as_str().unwrap().to_owned(),
            text: rule["expr"].as_str().unwrap().to_owned(),
            shown: placeholders(&rule["annotations"].to_string(), "$labels."),
        })
        .collect()
}

pub(super) fn dashboard() -> Vec<Expression> {
    let file = read("dashboard.json");
    let panels = file["panels"].as_array().unwrap().iter();
    panels
        .flat_map(|panel| {
            let title = panel["title"].as_str().unwrap();
            panel["targets"].as_array().into_iter().flatten().map(move |target| Expression {
                place: format!("{title} {}", target["refId"].as_str().unwrap()),
                text: target["expr"].as_str().unwrap().to_owned(),
                shown: placeholders(target["legendFormat"].as_str().unwrap(), "{{"),
            })
        })
        .collect()
}

/// Returns the words that follow `mark`.
fn placeholders(text: &str, mark: &str) -> BTreeSet<String> {
    let word = |rest: &str| rest.split(|c: char| !is_word(c)).next().unwrap_or_default().to_owned();
    text.split(mark).skip(1).map(word).filter(|word| !word.is_empty()).collect()
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Extracts the names of an expression.
pub(super) fn names(expression: &Expression) -> ExpressionNames {
    let mut names = ExpressionNames::default();
    let mut rest = expression.text.as_str();
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_') {
        rest = &rest[start..];
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        let list = after.trim_start();
        if let Some(selector) = after.strip_prefix('{') {
            let (inside, after) = selector.split_once('}').unwrap();
            // A comma inside a value would be a second matcher: there is none.
            let matcher = |matcher: &str| {
                let (label, rest) = matcher.split_once(['=', '!']).unwrap();
                let values = rest.split('"').nth(1).unwrap().split('|');
                (label.trim().to_owned(), values.map(str::to_owned).collect())
            };
            names.metrics.push((word.to_owned(), inside.split(',').map(matcher).collect()));
            rest = after;
        } else if ["by", "on"].contains(&word) {
            let (inside, after) = list.strip_prefix('(').unwrap().split_once(')').unwrap();
            names.grouped.extend(inside.split(',').map(|label| label.trim().to_owned()));
            rest = after;
        } else if !WORDS.contains(&word) {
            names.metrics.push((word.to_owned(), BTreeMap::new()));
        }
    }
    assert!(!names.metrics.is_empty(), "{}: no metric", expression.place);
    names
}

#[test]
fn an_expression_is_split_into_metrics() {
    let text = r#"sum by (le, to) (rate(a_total{job=~"$job", code!~"429|503"}[5m])) / on (job) b > 0.5 or vector(0)"#;
    let names =
        names(&Expression { place: String::new(), text: text.to_owned(), shown: BTreeSet::default() });
    let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
    let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    let selected = [("job", values(&["$job"])), ("code", values(&["429", "503"]))];
    let selected = selected.map(|(label, values)| (label.to_owned(), values)).into();
    assert_eq!(names.metrics, [("a_total".to_owned(), selected), ("b".to_owned(), BTreeMap::new())]);
    assert_eq!(names.grouped, set(&["job", "le", "to"]));
}
