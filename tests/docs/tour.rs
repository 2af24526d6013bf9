//! The recorded tour shows what the demo would print today.

use std::fs;

use spe_operator::serverless::crd;

use crate::book::root;

/// The lines of text in the picture.
fn lines() -> Vec<String> {
    let picture = fs::read_to_string(root().join("docs/demo.svg")).unwrap();
    let texts = picture.lines().filter(|line| line.starts_with("<text"));
    let words = texts.filter_map(|line| line.split_once('>')?.1.strip_suffix("</text>"));
    words.map(|words| words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")).collect()
}

#[test]
fn the_tour_shows_the_sample_and_the_columns_as_they_are() {
    let lines = lines();
    let sample = fs::read_to_string(root().join("deploy/samples/basic.yaml")).unwrap();
    for line in sample.lines().filter(|line| !line.starts_with('#')) {
        assert!(
            lines.iter().any(|shown| shown.trim_start() == line.trim_start()),
            "{line:?}: run `make tour`"
        );
    }
    let crd = serde_json::to_value(crd::crd()).unwrap();
    let columns = crd["spec"]["versions"][0]["additionalPrinterColumns"].as_array().unwrap().iter();
    let columns = columns.filter(|column| column["priority"].is_null());
    let columns: Vec<_> = columns.map(|column| column["name"].as_str().unwrap().to_uppercase()).collect();
    let heading = |line: &String| line.split_whitespace().skip(1).eq(&columns);
    assert!(lines.iter().any(heading), "{columns:?}: run `make tour`");
}

/// The demo's own output appears in its source, except for the values that it fills in.
#[test]
fn the_tour_shows_the_words_of_the_demo() {
    let script = fs::read_to_string(root().join("testbed/src/bin/demo/script.rs")).unwrap();
    let lines = lines();
    let sentences: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with(char::is_uppercase) && line.ends_with(['.', ':']))
        .collect();
    assert!(sentences.len() >= 3, "{sentences:?}");
    for sentence in sentences {
        let known = sentence.split(|c: char| c.is_ascii_digit()).next().unwrap().trim();
        assert!(script.contains(known), "{sentence:?} is not in the demo: run `make tour`");
    }
}
