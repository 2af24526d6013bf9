//! Checks the layering: dependencies point downwards only, and the core stays pure.

#![allow(clippy::unwrap_used, reason = "clippy takes only the test functions themselves for tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each folder of `src/`, and the modules of the crate that it may use.
const MAY_USE: [(&str, &[&str]); 5] = [
    ("src/metrics", &["clock", "metrics"]),
    ("src/runtime", &["clock", "metrics", "runtime"]),
    ("src/serverless/crd", &["runtime::references", "serverless::crd"]),
    ("src/serverless", &["clock", "metrics", "runtime", "serverless"]),
    ("src/app", &["app", "clock", "metrics", "runtime", "serverless"]),
];

/// What the core may use besides itself.
const CORE_MAY_DEPEND_ON: [&str; 4] = ["data-encoding", "jiff", "serde", "sha2"];

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.clone(), fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn dependencies_between_folders_point_downwards_only() {
    for (folder, allowed) in MAY_USE {
        for (path, text) in sources(&root().join(folder)) {
            for used in text.split("crate::").skip(1) {
                let known = allowed.iter().any(|module| used.starts_with(module));
                let line = used.lines().next().unwrap_or_default();
                assert!(known, "{} uses crate::{line}", path.display());
            }
        }
    }
}

/// Returns the files of the same folder that a file imports.
fn neighbors(path: &Path, text: &str) -> Vec<PathBuf> {
    let imports = text.lines().filter_map(|line| line.strip_prefix("use super::"));
    let files = imports.map(|import| {
        let module = import.split([':', ';']).next().unwrap();
        path.with_file_name(format!("{module}.rs"))
    });
    files.filter(|file| file.is_file()).collect()
}

#[test]
fn no_files_of_one_folder_import_each_other_in_a_circle() {
    let is_mod = |path: &Path| path.ends_with("mod.rs");
    let files: Vec<_> = sources(&root().join("src")).into_iter().filter(|(path, _)| !is_mod(path)).collect();
    let mut left: BTreeMap<_, _> =
        files.iter().map(|(path, text)| (path.clone(), neighbors(path, text))).collect();
    loop {
        let before = left.len();
        let known: BTreeSet<_> = left.keys().cloned().collect();
        left.retain(|_, imports| imports.iter().any(|import| known.contains(import)));
        if left.len() == before {
            break;
        }
    }
    assert!(left.is_empty(), "a circle is among {:?}", left.keys());
}

/// Returns the dependencies of the crate in this folder, tests aside.
fn dependencies(folder: &str) -> Vec<String> {
    let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let section = manifest.split("[dependencies]").nth(1).unwrap();
    let section = section.split("\n[").next().unwrap();
    let lines = section.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split(['.', ' ', '=']).next().unwrap().to_owned()).collect()
}

#[test]
fn the_client_knows_neither_kubernetes_nor_the_resource_and_the_resource_not_the_client() {
    for name in dependencies("atlas") {
        assert!(
            !["kube", "k8s-openapi", "spe-operator"].contains(&name.as_str()),
            "the client depends on {name}"
        );
    }
    for (path, text) in sources(&root().join("src/serverless/crd")) {
        assert!(!text.contains("atlas::"), "{} uses the client", path.display());
    }
}

#[test]
fn the_core_depends_on_nothing_that_acts() {
    for name in dependencies("domain") {
        assert!(CORE_MAY_DEPEND_ON.contains(&name.as_str()), "the core depends on {name}");
    }
    for (path, text) in sources(&root().join("domain/src")) {
        for word in [
            "std::time::Instant",
            "SystemTime::now",
            "Timestamp::now",
            "std::fs",
            "std::net",
            "std::env",
            "std::thread",
        ] {
            assert!(!text.contains(word), "{} uses {word}", path.display());
        }
    }
}

#[test]
fn every_file_opens_by_saying_what_it_does() {
    for folder in ["src", "domain/src", "atlas/src", "atlas-simulator/src", "testbed/src"] {
        for (path, text) in sources(&root().join(folder)) {
            let is_test = path.file_name().is_some_and(|name| name.to_string_lossy().ends_with("tests.rs"));
            assert!(is_test || text.starts_with("//! "), "{} opens without a word on itself", path.display());
        }
    }
}
