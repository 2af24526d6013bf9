//! Parses the response of `/metrics`: names, and labels with their values.

use std::collections::{BTreeMap, BTreeSet};

/// One line with a number.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

pub(super) fn samples(text: &str) -> Vec<Sample> {
    text.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
    let (name, rest) = series.split_once('{').unwrap_or((series, ""));
    let mut labels = BTreeMap::new();
    // No value holds a quotation mark: they are words, numbers and addresses.
    for pair in rest.trim_end_matches('}').split("\",").filter(|pair| !pair.is_empty()) {
        let (label, value) = pair.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
        labels.insert(label.to_owned(), value.trim_end_matches('"').to_owned());
    }
    let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
    Sample { name: name.to_owned(), labels, value }
}

/// Returns each metric that has series, with all labels that they carry.
pub(super) fn labels_by_name(samples: &[Sample]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut known: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for sample in samples {
        known.entry(&sample.name).or_default().extend(sample.labels.keys().map(String::as_str));
    }
    known
}
