//! Every link of the manual has a target, and so does every place that messages and other files refer users to.

use std::path::{Component, Path, PathBuf};

use domain::status::{Reason, TROUBLESHOOTING};

use crate::book::{page, pages, root, slug};
use crate::reference::WARNINGS_WITHOUT_A_REASON;

/// `a/b/../c` as `a/c`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(plain.pop(), "{} leaves the repository", path.display()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

#[test]
fn every_link_inside_the_repository_leads_to_a_file_and_a_heading() {
    let mut followed = 0;
    for from in pages() {
        for link in from.links.iter().filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => from.path.clone(),
                file => plain(&from.path.parent().unwrap().join(file)),
            };
            let here = from.path.display();
            assert!(
                root().join(&target).exists(),
                "{here} links to {link}: there is no {}",
                target.display()
            );
            if !anchor.is_empty() {
                let anchors = page(&target).anchors;
                assert!(
                    anchors.iter().any(|known| known == anchor),
                    "{here} links to {link}: no such heading"
                );
            }
            followed += 1;
        }
    }
    assert!(followed > 20, "only {followed} links were followed");
}

#[test]
fn every_reason_has_its_place_in_troubleshooting() {
    let anchors = page(Path::new(TROUBLESHOOTING)).anchors;
    for reason in Reason::ALL {
        let anchor = slug(reason.as_str());
        assert!(anchors.contains(&anchor), "{TROUBLESHOOTING} has no heading {reason}");
    }
}

/// The links at the end of messages exist, from the root of the repository.
#[test]
fn every_link_in_a_message_leads_to_its_heading() {
    let links: Vec<_> = Reason::ALL.iter().filter_map(|reason| reason.page()).collect();
    assert!(links.len() > 15, "only {links:?}");
    for link in links {
        let (file, anchor) = link.split_once('#').unwrap();
        assert!(page(Path::new(file)).anchors.iter().any(|known| known == anchor), "{link} leads nowhere");
    }
}

#[test]
fn every_alert_has_its_place_in_troubleshooting() {
    let anchors = page(Path::new(TROUBLESHOOTING)).anchors;
    let alerts = std::fs::read_to_string(root().join("charts/spe-operator/files/alerts.yaml")).unwrap();
    let names: Vec<_> = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() > 1, "only {names:?}");
    for name in names {
        assert!(anchors.contains(&slug(name)), "{TROUBLESHOOTING} has no heading {name}");
    }
}

/// A warning event that no condition explains is explained there by name.
#[test]
fn every_warning_without_a_condition_is_named_in_troubleshooting() {
    let text = std::fs::read_to_string(root().join(TROUBLESHOOTING)).unwrap();
    for event in WARNINGS_WITHOUT_A_REASON {
        assert!(text.contains(&format!("`{event}`")) || text.contains(&format!("says {event}\n")), "{event}");
    }
}

/// The links in alerts and the other files that are not Markdown.
#[test]
fn every_runbook_has_its_place_in_troubleshooting() {
    let anchors = page(Path::new(TROUBLESHOOTING)).anchors;
    let mut files = Vec::new();
    for folder in ["charts", "deploy", "src"] {
        find(&root().join(folder), &mut files);
    }
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        for rest in text.split("troubleshooting.md#").skip(1) {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
            let anchor = rest[..end.unwrap_or(rest.len())].to_owned();
            // A template fills in the rest.
            if !anchor.is_empty() {
                assert!(anchors.contains(&anchor), "{} sends people to #{anchor}", file.display());
            }
        }
    }
}

fn find(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            find(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn headings_become_the_anchors_that_github_makes() {
    assert_eq!(slug("Is this still for me?"), "is-this-still-for-me");
    assert_eq!(slug("`CredentialsNotFound`"), "`credentialsnotfound`".trim_matches('`'));
    assert_eq!(slug("Argo CD: one Application, two waves"), "argo-cd-one-application-two-waves");
}
