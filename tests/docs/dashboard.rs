//! The picture of the dashboard shows the dashboard that the chart installs today, and each of its panels has data.

use std::fs;

use serde_json::Value;

use crate::book::root;

#[test]
fn the_picture_shows_every_panel_of_the_dashboard_and_data_in_each() {
    let picture = fs::read_to_string(root().join("docs/dashboard.svg")).unwrap();
    let dashboard = fs::read_to_string(root().join("charts/spe-operator/files/dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 5, "only {} panels", panels.len());
    for panel in panels {
        let title = panel["title"].as_str().unwrap().replace('&', "&amp;");
        assert!(picture.contains(&format!(">{title}</text>")), "{title:?} is missing: run `make dashboard`");
    }
    assert!(!picture.contains(">no data</text>"), "an expression found nothing in a real run");
}
