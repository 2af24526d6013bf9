//! The release: the workflows are valid, and each step of theirs is a target of make, which is run here against a registry on loopback.
//! Only the build of the image is played, and outside of `make release-check` the signatures.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use testbed::Process;

use crate::book::root;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the steps of a workflow may run that is no target of make: what the other steps need.
const BESIDE_MAKE: [&str; 2] = ["sudo apt-get update && sudo apt-get install", ".ci/run"];

const COSIGN: [&str; 3] = ["cosign", "github.com/sigstore/cosign/v2/cmd/cosign", "cosign"];
const CRANE: [&str; 3] = ["release", "github.com/google/go-containerregistry/cmd/crane", "crane"];
const HELM: [&str; 3] = ["helm", "helm.sh/helm/v4/cmd/helm", "helm"];
const ACTIONLINT: [&str; 3] = ["release", "github.com/rhysd/actionlint/cmd/actionlint", "actionlint"];

async fn tool([module, package, name]: [&str; 3]) -> PathBuf {
    testbed::go_tool(module, package, name).await.unwrap()
}

fn workflows() -> Vec<(PathBuf, Value)> {
    let files = fs::read_dir(root().join(".github/workflows")).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| (path.clone(), serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()))
        .collect()
}

/// Returns the steps of all jobs.
fn steps(workflow: &Value) -> Vec<&Value> {
    let jobs = workflow["jobs"].as_object().unwrap().values();
    jobs.flat_map(|job| job["steps"].as_array().unwrap()).collect()
}

#[tokio::test]
async fn the_workflows_are_valid() {
    let actionlint = tool(ACTIONLINT).await;
    let files = workflows().into_iter().map(|(path, _)| path);
    let output = Command::new(&actionlint).args(files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    // It finds what is wrong.
    let wrong = folder("actionlint").join("wrong.yml");
    fs::write(&wrong, "on: push\njobs: {a: {runs-on: ubuntu-24.04, steps: [{run: a, with: {b: c}}]}}\n")
        .unwrap();
    assert!(!Command::new(actionlint).arg(wrong).output().unwrap().status.success());
}

#[test]
fn each_step_of_a_workflow_is_a_target_or_a_pinned_action() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let page = fs::read_to_string(root().join("docs/tasks/release.md")).unwrap();
    let mut targets = 0;
    for (path, workflow) in workflows() {
        let here = path.display();
        for step in steps(&workflow) {
            if let Some(action) = step["uses"].as_str() {
                let (_, commit) = action.split_once('@').unwrap();
                let is_commit = commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit());
                assert!(is_commit, "{here}: {action}: a tag may move");
                continue;
            }
            let run = step["run"].as_str().unwrap();
            if let Some(target) = run.strip_prefix("make ") {
                assert!(makefile.contains(&format!("\n{target}:")), "{here}: there is no target {target}");
                assert!(page.contains(&format!("`make {target}`")), "{target} is not explained");
                targets += 1;
            } else {
                assert!(BESIDE_MAKE.iter().any(|known| run.starts_with(known)), "{here}: {run}");
            }
        }
    }
    assert!(targets > 4, "only {targets} targets");
}

/// A fresh folder.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("release").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn script(file: &Path, text: &str) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, format!("#!/usr/bin/env bash\nset -eu\n{text}\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

#[track_caller]
fn succeed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A copy of what a release is made of, with stand-ins for what takes long, and a registry.
struct ReleaseFixture {
    folder: PathBuf,
    registry: String,
    crane: PathBuf,
    helm: PathBuf,
    _server: Process,
}

impl ReleaseFixture {
    /// `cosign` signs; without it a stand-in writes its arguments to `.cosign`.
    async fn build(name: &str, cosign: Option<&Path>) -> Self {
        let folder = folder(name);
        let (crane, helm) = (tool(CRANE).await, tool(HELM).await);
        fs::create_dir_all(folder.join("hack")).unwrap();
        for file in ["hack/release", "hack/release-chart", "Cargo.toml", "CHANGELOG.md"] {
            fs::copy(root().join(file), folder.join(file)).unwrap();
        }
        std::os::unix::fs::symlink(root().join("charts"), folder.join("charts")).unwrap();
        let records = folder.join(".cosign");
        let stand_in = folder.join("cosign");
        script(&stand_in, &format!("printf '%s\\n' \"$*\" >> {}", records.display()));
        let cosign = cosign.unwrap_or(&stand_in);
        script(
            &folder.join("hack/tool"),
            &format!(
                "case $1 in crane) echo {};; helm) echo {};; cosign) echo {};; esac",
                crane.display(),
                helm.display(),
                cosign.display()
            ),
        );
        // An image of one file, for the architecture that uname names.
        script(
            &folder.join("hack/image-archive"),
            &format!(
                "echo $(uname -m) > program\ntar -cf layer.tar program\nrm -rf \"$1\"\n\
                 case $(uname -m) in x86_64) arch=amd64 ;; *) arch=arm64 ;; esac\n\
                 {crane} append --oci-empty-base --new_layer layer.tar --new_tag \"${{RELEASE_REGISTRY,,}}/part:a\" > /dev/null 2>&1\n\
                 {crane} mutate \"${{RELEASE_REGISTRY,,}}/part:a\" --set-platform linux/$arch --entrypoint /spe-operator \
                 --tag \"${{RELEASE_REGISTRY,,}}/part:b\" > /dev/null 2>&1\n\
                 {crane} pull \"${{RELEASE_REGISTRY,,}}/part:b\" \"$1\" > /dev/null 2>&1",
                crane = crane.display()
            ),
        );
        script(
            &folder.join("hack/sbom"),
            "mkdir -p target/sbom\necho '{\"bomFormat\": \"CycloneDX\"}' > target/sbom/spe-operator.cdx.json",
        );
        let mut command = Command::new(&crane);
        command.args(["registry", "serve", "--address", "127.0.0.1:0"]).env_remove("PORT");
        let server = Process::spawn(&format!("registry-{name}"), &command).unwrap();
        let registry = port(&server).await;
        Self { folder, registry: format!("127.0.0.1:{registry}/Owner"), crane, helm, _server: server }
    }

    /// Runs a step on a machine of this architecture.
    fn step(&self, step: &str, machine: &str) -> Output {
        let programs = self.folder.join("bin");
        script(&programs.join("uname"), &format!("echo {machine}"));
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        Command::new("bash")
            .arg(self.folder.join("hack/release"))
            .arg(step)
            .envs([
                ("PATH", path.as_str()),
                ("RELEASE_REGISTRY", &self.registry),
                ("COSIGN_KEY", &self.folder.join("cosign.key").display().to_string()),
                ("COSIGN_PASSWORD", ""),
                ("GITHUB_SERVER_URL", "https://git.example"),
                ("GITHUB_REPOSITORY", "Owner/spe-operator"),
                ("GITHUB_REF_NAME", &format!("v{VERSION}")),
                ("HELM_CONFIG_HOME", &self.folder.display().to_string()),
                ("HELM_CACHE_HOME", &self.folder.display().to_string()),
                ("HELM_DATA_HOME", &self.folder.display().to_string()),
                ("DOCKER_CONFIG", &self.folder.display().to_string()),
            ])
            .output()
            .unwrap()
    }

    /// Pushes everything, and returns what each step named.
    fn release(&self) -> Vec<String> {
        let steps = [("image", "x86_64"), ("image", "aarch64"), ("index", "x86_64"), ("chart", "x86_64")];
        let outputs = steps.iter().map(|(step, machine)| succeed(&self.step(step, machine)));
        outputs.map(|output| output.lines().last().unwrap().to_owned()).collect()
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> String {
        succeed(&Command::new(program).args(arguments).current_dir(&self.folder).output().unwrap())
    }
}

/// Waits until the registry serves, and returns its port.
async fn port(server: &Process) -> String {
    for _ in 0..200 {
        let lines = server.output();
        let port =
            lines.iter().find_map(|line| line.rsplit_once("port ").map(|(_, port)| port.trim().to_owned()));
        if let Some(port) = port {
            return port;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the registry does not serve: {:?}", server.output());
}

#[tokio::test]
async fn a_release_is_one_image_for_two_architectures_and_a_chart_that_pulls_it() {
    let fixture = ReleaseFixture::build("stand-in", None).await;
    let references = fixture.release();
    let registry = fixture.registry.to_lowercase();
    // The image, for both.
    let index = fixture.run(&fixture.crane, &["manifest", &format!("{registry}/spe-operator:{VERSION}")]);
    let index: Value = serde_saphyr::from_str(&index).unwrap();
    let manifests = index["manifests"].as_array().unwrap();
    let of = |architecture: &str| {
        let one = manifests.iter().find(|one| one["platform"]["architecture"] == architecture).unwrap();
        format!("{registry}/spe-operator@{}", one["digest"].as_str().unwrap())
    };
    assert_eq!(
        (references[0].as_str(), references[1].as_str()),
        (of("amd64").as_str(), of("arm64").as_str())
    );
    assert_eq!(manifests.len(), 2);
    // The chart, as a user installs it.
    let chart = format!("oci://{registry}/charts/spe-operator");
    let chart = [chart.as_str(), "--version", VERSION, "--plain-http"];
    let rendered = fixture.run(&fixture.helm, &[&["template", "spe-operator"][..], &chart].concat());
    assert!(rendered.contains(&format!("image: \"{registry}/spe-operator:{VERSION}\"")), "{rendered}");
    let pages = format!("--docs-base-url=https://git.example/Owner/spe-operator/blob/v{VERSION}/");
    assert!(rendered.contains(&pages), "{rendered}");
    let shown = fixture.run(&fixture.helm, &[&["show", "chart"][..], &chart].concat());
    let shown: Value = serde_saphyr::from_str(&shown).unwrap();
    assert_eq!(shown["home"], "https://git.example/Owner/spe-operator");
    assert_eq!(shown["sources"][0], shown["home"]);
    let icon = format!("{}/raw/v{VERSION}/", shown["home"].as_str().unwrap());
    let icon = shown["icon"].as_str().unwrap().strip_prefix(&icon).unwrap().to_owned();
    assert!(root().join(&icon).is_file(), "{icon}");
    for annotation in ["links", "images", "crds", "crdsExamples", "license", "category"] {
        assert!(shown["annotations"][format!("artifacthub.io/{annotation}")].is_string(), "{annotation}");
    }
    // Everything is signed by its digest, with its provenance; the images with their components.
    let signed = fs::read_to_string(fixture.folder.join(".cosign")).unwrap();
    for (place, reference) in references.iter().enumerate() {
        let lines: Vec<_> = signed.lines().filter(|line| line.ends_with(reference.as_str())).collect();
        let has = |words: &str| lines.iter().any(|line| line.contains(words));
        assert!(reference.contains("@sha256:"), "{reference}");
        assert!(
            lines.iter().any(|line| line.starts_with("sign ")) && has("--type slsaprovenance1"),
            "{lines:?}"
        );
        assert_eq!(has("--type cyclonedx"), place < 2, "{lines:?}");
    }
    let provenance = fs::read_to_string(fixture.folder.join("target/release-files/provenance.json")).unwrap();
    let provenance: Value = serde_saphyr::from_str(&provenance).unwrap();
    assert!(provenance["runDetails"]["builder"]["id"].is_string());
}

#[tokio::test]
async fn an_image_that_is_not_signed_is_not_released() {
    let fixture = ReleaseFixture::build("unsigned", None).await;
    for machine in ["x86_64", "aarch64"] {
        succeed(&fixture.step("image", machine));
    }
    script(&fixture.folder.join("cosign"), "[ \"$1\" != verify ]");
    assert!(!fixture.step("index", "x86_64").status.success());
    let listed =
        fixture.run(&fixture.crane, &["ls", &format!("{}/spe-operator", fixture.registry.to_lowercase())]);
    assert!(!listed.lines().any(|tag| tag == VERSION), "{listed}");
}

#[tokio::test]
async fn a_tag_is_released_only_from_its_own_sources() {
    let fixture = ReleaseFixture::build("tag", None).await;
    let changes = fixture.folder.join("CHANGELOG.md");
    fs::write(&changes, format!("# Changes\n\n## {VERSION}, not released yet\n")).unwrap();
    let output = fixture.step("tag", "x86_64");
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("CHANGELOG.md"));
    fs::write(&changes, format!("# Changes\n\n## {VERSION}, 2027-01-31\n")).unwrap();
    succeed(&fixture.step("tag", "x86_64"));
    let text = fs::read_to_string(fixture.folder.join("Cargo.toml")).unwrap();
    let text = text.replace(&format!("version = \"{VERSION}\"\nedition"), "version = \"99.0.0\"\nedition");
    fs::write(fixture.folder.join("Cargo.toml"), text).unwrap();
    let output = fixture.step("tag", "x86_64");
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("v99.0.0"));
}

/// With the real cosign, whose build takes minutes: `make release-check` runs it.
#[tokio::test]
#[ignore = "builds cosign"]
async fn cosign_verifies_what_was_released() {
    let cosign = tool(COSIGN).await;
    let fixture = ReleaseFixture::build("cosign", Some(&cosign)).await;
    let generated = Command::new(&cosign)
        .args(["generate-key-pair", "--output-key-prefix", "cosign"])
        .env("COSIGN_PASSWORD", "")
        .current_dir(&fixture.folder)
        .output()
        .unwrap();
    succeed(&generated);
    let by = ["--key", "cosign.pub", "--insecure-ignore-tlog"];
    for (place, reference) in fixture.release().iter().enumerate() {
        fixture.run(&cosign, &[&["verify", reference.as_str()][..], &by].concat());
        let types = if place < 2 { &["slsaprovenance1", "cyclonedx"][..] } else { &["slsaprovenance1"] };
        for kind in types {
            let verify = ["verify-attestation", "--type", kind, reference.as_str()];
            fixture.run(&cosign, &[&verify[..], &by].concat());
        }
    }
}
