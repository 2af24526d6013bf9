//! Runs each page that shows commands or manifests from top to bottom, as its reader would: commands by a shell with
//! kubectl, manifests applied, shown output compared with the output.
//!
//! The info string of a fence selects what happens with the block:
//!
//! | fence | what happens |
//! |---|---|
//! | `yaml` | applied, with strict validation |
//! | `yaml file=orders.yaml`, also other languages | written to that file, which a later block uses |
//! | `sh` | run; a command that fails fails the test |
//! | `sh by-hand` | not run, because it takes minutes or needs a missing program: its words are checked |
//! | `output` | each line occurs in the output of the block before; `…` stands for anything |
//! | `text` | a picture: neither a command nor an output |
//!
//! A comment that begins with `run` is run like `sh`, hidden from readers: it plays absent components, and checks what
//! the page promises. A comment that begins with `fixture` configures the fixture ([`Requirements`]).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::book::{Block, ManualPage, page, pages, root, slug};
use crate::fixture::{PageFixture, Requirements};

/// The programs that a command begins with.
const PROGRAMS: [&str; 13] = [
    "cargo",
    "cosign",
    "make",
    "cd",
    "git",
    "terraform",
    "docker",
    "buildah",
    "kubectl",
    "helm",
    "aws",
    "az",
    "gcloud",
];

/// Begins the output of a block; its line follows.
const SEPARATOR: char = '\u{1e}';

macro_rules! run {
    ($($name:ident: $path:literal,)+) => {
        /// The pages that are run.
        const RUN: &[&str] = &[$($path,)+];
        $(
            #[tokio::test]
            async fn $name() {
                run($path).await;
            }
        )+
    };
}

run! {
    readme_works: "README.md",
    installing_works: "docs/tasks/install.md",
    dedicated_works: "docs/tasks/dedicated.md",
    azure_cli_works: "docs/tasks/azure-cli.md",
    gcloud_works: "docs/tasks/gcloud.md",
    aws_cli_works: "docs/tasks/serverless/aws-cli.md",
    ack_works: "docs/tasks/ack.md",
    azure_service_operator_works: "docs/tasks/azure-service-operator.md",
    config_connector_works: "docs/tasks/config-connector.md",
    crossplane_works: "docs/tasks/crossplane.md",
    kro_works: "docs/tasks/kro.md",
    terraform_works: "docs/tasks/terraform.md",
    flux_works: "docs/tasks/flux.md",
    argo_cd_works: "docs/tasks/argo-cd.md",
    terraform_takeover_works: "docs/tasks/from-terraform.md",
    ako_takeover_works: "docs/tasks/from-ako.md",
    atlas_takeover_works: "docs/tasks/from-atlas.md",
    leaving_serverless_works: "docs/tasks/from-serverless.md",
    moving_dedicated_works: "docs/tasks/move-dedicated.md",
    adopting_works: "docs/tasks/serverless/adopt.md",
    moving_works: "docs/tasks/serverless/move.md",
    rotating_keys_works: "docs/tasks/rotate-keys.md",
    deleting_works: "docs/tasks/delete.md",
    serverless_ack_works: "docs/tasks/serverless/ack.md",
    serverless_crossplane_works: "docs/tasks/serverless/crossplane.md",
    serverless_kro_works: "docs/tasks/serverless/kro.md",
    serverless_terraform_works: "docs/tasks/serverless/terraform.md",
    serverless_flux_works: "docs/tasks/serverless/flux.md",
    serverless_argo_cd_works: "docs/tasks/serverless/argo-cd.md",
    examples_work: "docs/reference/examples.md",
    troubleshooting_works: "docs/troubleshooting.md",
    health_works: "docs/concepts/health.md",
}

#[test]
fn every_page_with_something_to_run_is_run() {
    for page in pages().into_iter().filter(|page| !page.path.starts_with("atlas-simulator")) {
        let runs = page.blocks.iter().any(|block| match block.language() {
            "" | "text" => false,
            "hidden" => block.text.contains("<!-- run"),
            _ => !block.is("by-hand"),
        });
        let known = RUN.iter().any(|run| Path::new(run) == page.path);
        assert_eq!(known, runs, "{}", page.path.display());
    }
}

#[test]
fn every_fence_has_a_known_kind() {
    for page in pages().into_iter().filter(|page| !page.path.starts_with("atlas-simulator")) {
        for block in &page.blocks {
            let here = format!("{}:{}", page.path.display(), block.line);
            match block.language() {
                "hidden" | "sh" | "yaml" | "output" => {}
                "hcl" => {
                    let parsed = hcl_edit::parser::parse_body(&block.text);
                    assert!(parsed.is_ok(), "{here}: {parsed:?}");
                    assert!(block.file().is_some(), "{here}: no file");
                }
                "" | "text" => {
                    let command = block
                        .text
                        .lines()
                        .find(|line| PROGRAMS.iter().any(|p| line.starts_with(&format!("{p} "))));
                    assert_eq!(command, None, "{here}: a command in a picture; fence it with `sh`");
                }
                other => panic!("{here}: {other:?} is no language of the manual"),
            }
        }
    }
}

/// A block that is not run at least names existing things.
#[test]
fn commands_to_run_by_hand_name_existing_files() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    for page in pages() {
        for block in page.blocks.iter().filter(|block| block.is("by-hand")) {
            let joined = block.text.replace("\\\n", " ");
            for line in
                joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
            {
                let here = format!("{}:{}: {line}", page.path.display(), block.line);
                let words: Vec<&str> = line.split_whitespace().collect();
                assert!(PROGRAMS.contains(&words[0]), "{here}: an unknown program");
                if words[0] == "make" {
                    let target = format!("\n{}:", words[1]);
                    assert!(makefile.contains(&target), "{here}: no such target");
                }
                for (flag, package) in words.iter().zip(words.iter().skip(1)) {
                    if matches!(*flag, "-p" | "--package") && words[0] == "cargo" {
                        assert!(root().join(package).join("Cargo.toml").exists(), "{here}: no such package");
                    }
                }
            }
        }
    }
}

async fn run(path: &str) {
    let page = page(Path::new(path));
    let name = path.trim_end_matches(".md").trim_start_matches("docs/").trim_start_matches("tasks/");
    let name = slug(&name.replace('/', "-"));
    let fixture = PageFixture::build(&name, &requirements(&page)).await;
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pages").join(&name);
    // The files of the last run, if there was one.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    for link in ["deploy", "crds", "charts"] {
        if root().join(link).exists() {
            std::os::unix::fs::symlink(root().join(link), folder.join(link)).unwrap();
        }
    }
    let ended = fixture.play(&format!("page-{name}"), &folder, &script(&page)).await;
    let output = std::fs::read_to_string(folder.join(".output")).unwrap_or_default();
    let outputs = outputs(&output);
    if let Err(problem) = ended {
        let (line, output) = outputs.last_key_value().unwrap();
        panic!("{path}:{line}: {problem}\nits output:\n{output}");
    }
    compare(&page, &outputs);
}

fn requirements(page: &ManualPage) -> Requirements {
    let mut requirements = Requirements::default();
    for block in page.blocks.iter().filter(|block| block.text.starts_with("<!-- fixture")) {
        for line in block.text.lines().skip(1).filter(|line| *line != "-->") {
            let (name, values) = line.split_once(':').unwrap();
            let values = values.split_whitespace().map(str::to_owned).collect();
            match name {
                "clusters" => requirements.clusters = values,
                "namespaces" => requirements.namespaces = values,
                "definition" => requirements.bare = values == ["none"],
                other => panic!("{}: {other}?", page.path.display()),
            }
        }
    }
    requirements
}

fn script(page: &ManualPage) -> String {
    let mut script = String::new();
    for block in &page.blocks {
        let _ = write!(script, "\nprintf '{SEPARATOR}%s\\n' {}\n", block.line);
        match block.language() {
            "sh" if !block.is("by-hand") => script.push_str(&block.text),
            "hidden" => script.push_str(hidden(block).unwrap_or_default()),
            "yaml" | "hcl" => {
                let target = match block.file() {
                    Some(file) => format!("cat > {file}"),
                    None => "kubectl apply --validate=strict --filename -".to_owned(),
                };
                let _ = write!(script, "{target} <<'END OF BLOCK'\n{}END OF BLOCK\n", block.text);
            }
            _ => {}
        }
    }
    script
}

/// Returns the script of a comment.
fn hidden(block: &Block) -> Option<&str> {
    Some(block.text.strip_prefix("<!-- run\n")?.trim_end().trim_end_matches("-->"))
}

/// Line of a block → its output.
fn outputs(text: &str) -> BTreeMap<usize, String> {
    text.split(SEPARATOR)
        .skip(1)
        .filter_map(|part| part.split_once('\n'))
        .map(|(line, output)| (line.parse().unwrap(), output.to_owned()))
        .collect()
}

/// Fails unless each line that the page shows was printed.
fn compare(page: &ManualPage, outputs: &BTreeMap<usize, String>) {
    let mut before = "";
    for block in &page.blocks {
        if block.language() != "output" {
            if block.language() != "hidden" {
                before = &outputs[&block.line];
            }
            continue;
        }
        for line in block.text.lines().filter(|line| !line.trim().is_empty()) {
            let found = before.lines().any(|real| fits(line, real));
            assert!(
                found,
                "{}:{}: {line:?} is not in the output:\n{before}",
                page.path.display(),
                block.line
            );
        }
    }
}

/// Whether the line is the pattern, where `…` stands for anything and any white space is as good as any other.
fn fits(pattern: &str, line: &str) -> bool {
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = plain(line);
    let pattern = plain(pattern);
    let parts: Vec<&str> = pattern.split('…').map(str::trim).collect();
    let mut rest = line.as_str();
    for (place, part) in parts.iter().enumerate() {
        let Some(at) = rest.find(part) else { return false };
        if place == 0 && at != 0 {
            return false;
        }
        rest = &rest[at + part.len()..];
    }
    parts.last().is_some_and(|last| last.is_empty()) || rest.is_empty()
}

#[test]
fn an_output_matches_with_its_placeholders() {
    assert!(fits("orders  True  RESERVED …", "orders   True    RESERVED   Reserved  12s"));
    assert!(fits("… is reserved", "it is reserved"));
    assert!(!fits("orders True", "orders True RESERVED"));
    assert!(!fits("orders … AVAILABLE …", "orders True RESERVED 12s"));
}
