//! The verdicts of the tools themselves: the program of `testbed/health`, run once for many objects.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::Value;

/// The Argo CD scripts that users are given.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/argocd");

/// The verdicts of the tools on one object.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ToolVerdicts {
    pub(crate) kstatus: ToolStatus,
    flux_kstatus: ToolStatus,
    finished: Vec<String>,
    on_the_way: Vec<String>,
    pub(crate) argo: ToolStatus,
    pub(crate) actions: BTreeMap<String, ArgoAction>,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct ToolStatus {
    pub(crate) status: String,
    pub(crate) message: String,
}

/// An action of Argo CD, and its result for the given object.
#[derive(Debug, Deserialize)]
pub(crate) struct ArgoAction {
    pub(crate) disabled: bool,
    pub(crate) result: Value,
}

impl ToolVerdicts {
    /// Whether Flux' rules for conditions are kept. While the operator has not observed the latest generation, only
    /// those for a status in progress can be; before its first reconcile none, as there is no status yet.
    pub(crate) fn flux_rules(&self, object: &Value) -> &'static str {
        let observed = &object["status"]["observedGeneration"];
        let (applies, complaints) = if *observed == -1 {
            ("none apply", &Vec::new())
        } else if *observed == object["metadata"]["generation"] {
            ("kept", &self.finished)
        } else {
            ("kept on the way", &self.on_the_way)
        };
        assert!(complaints.is_empty(), "{complaints:?} about {object:#}");
        applies
    }
}

/// Returns the verdict on each object.
pub(crate) async fn judge(objects: &[Value]) -> Vec<ToolVerdicts> {
    let program = testbed::go_tool("health", ".", "health").await.unwrap();
    let input: String = objects.iter().flat_map(|object| [object.to_string(), "\n".to_owned()]).collect();
    let output = tokio::task::spawn_blocking(move || {
        let mut child = Command::new(program)
            .arg(SCRIPTS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut objects = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || objects.write_all(input.as_bytes()));
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        writer.join().unwrap().unwrap();
        String::from_utf8(output.stdout).unwrap()
    })
    .await
    .unwrap();
    let verdicts: Vec<ToolVerdicts> =
        output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(verdicts.len(), objects.len());
    for (verdict, object) in verdicts.iter().zip(objects) {
        assert_eq!(verdict.kstatus, verdict.flux_kstatus, "the two kstatus libraries disagree on {object:#}");
    }
    verdicts
}

/// Returns the verdict on one object.
pub(crate) async fn judge_one(object: &Value) -> ToolVerdicts {
    judge(std::slice::from_ref(object)).await.remove(0)
}
