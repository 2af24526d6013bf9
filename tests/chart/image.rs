//! The image as far as it can be checked without a build: the builder's context holds all sources of the program, and
//! version and labels are those of the project. `hack/image` builds it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::helm::chart;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns what .dockerignore lets through: it excludes everything, then names what the builder sees.
fn context() -> Vec<PathBuf> {
    let text = std::fs::read_to_string(root().join(".dockerignore")).unwrap();
    let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(lines.next(), Some("*"));
    let allowed = |line: &str| {
        let path = line.strip_prefix('!').unwrap_or_else(|| panic!("{line}: this test reads only !path"));
        assert!(!path.contains(['*', '?', '[']), "{line}: this test reads no patterns");
        PathBuf::from(path)
    };
    lines.map(allowed).collect()
}

/// Copies a file or a folder.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    if from.is_dir() {
        for entry in std::fs::read_dir(from).unwrap() {
            let name = entry.unwrap().file_name();
            copy(&from.join(&name), &to.join(&name));
        }
    } else {
        std::fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    }
}

#[test]
fn the_context_of_the_image_holds_all_that_the_program_is_built_from() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("image-context");
    let _ = std::fs::remove_dir_all(&folder);
    for path in context() {
        copy(&root().join(&path), &folder.join(&path));
    }
    assert!(folder.join("hack/static").is_file());
    // Cargo needs each member of the workspace, each file that a manifest names, and an up-to-date lock file.
    let text = resolve(&folder);
    assert!(text.is_ok(), "{text:?}");
    // Any one of them is missed.
    for path in
        ["Cargo.lock", "domain", "atlas", "proof", "atlas-simulator", "testbed", "tests/support", "src"]
    {
        let (there, away) = (folder.join(path), folder.with_extension("away"));
        std::fs::rename(&there, &away).unwrap();
        assert!(resolve(&folder).is_err(), "nobody misses {path}");
        let _ = std::fs::remove_file(&there);
        std::fs::rename(away, there).unwrap();
    }
}

/// Makes cargo read everything but the sources themselves.
fn resolve(folder: &Path) -> Result<(), String> {
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version=1", "--filter-platform", &platform])
        .current_dir(folder)
        .output()
        .unwrap();
    if cargo.status.success() { Ok(()) } else { Err(String::from_utf8(cargo.stderr).unwrap()) }
}

#[test]
fn chart_and_image_have_the_version_of_the_program() {
    let version = env!("CARGO_PKG_VERSION");
    let chart: Value =
        serde_saphyr::from_str(&std::fs::read_to_string(chart().join("Chart.yaml")).unwrap()).unwrap();
    assert_eq!((chart["version"].as_str(), chart["appVersion"].as_str()), (Some(version), Some(version)));
    let dockerfile = include_str!("../../Dockerfile");
    assert!(dockerfile.contains(&format!("\nARG VERSION={version}\n")), "the Dockerfile has another version");
    // The chart pulls its own version: a user who follows the text has pushed that.
    let command =
        format!("docker build --platform linux/amd64 --tag registry.example/spe-operator:{version} .\n");
    for text in [dockerfile, include_str!("../../README.md"), include_str!("../../docs/tasks/install.md")] {
        assert!(text.contains(&command), "{command}");
    }
}

/// In the stage that becomes the image, the last one.
#[test]
fn the_image_has_labels_and_runs_as_a_numeric_user() {
    let (_, image) = include_str!("../../Dockerfile").rsplit_once("\nFROM scratch\n").unwrap();
    for (label, value) in [
        ("title", env!("CARGO_PKG_NAME")),
        ("description", env!("CARGO_PKG_DESCRIPTION")),
        ("licenses", env!("CARGO_PKG_LICENSE")),
        ("version", "${VERSION}"),
        ("revision", "${REVISION}"),
    ] {
        let wanted = format!("org.opencontainers.image.{label}=\"{value}\"");
        assert!(image.contains(&wanted), "{wanted} is missing");
    }
    assert!(image.contains("\nUSER 65532:65532\n"), "runAsNonRoot needs a number");
}

/// On a node of another architecture it ends with `exec format error`.
#[test]
fn an_image_without_the_architecture_of_a_node_is_documented() {
    let texts = [
        std::fs::read_to_string(chart().join("values.yaml")).unwrap(),
        include_str!("../../docs/tasks/install.md").to_owned(),
    ];
    for text in texts {
        assert!(text.contains("`kubernetes.io/arch: amd64`"));
    }
    assert!(include_str!("../../docs/troubleshooting.md").contains("`exec format error`"));
}
