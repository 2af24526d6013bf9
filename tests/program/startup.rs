//! The start of the program: a missing part of the cluster is waited for and reported, or ends it with one clear line.

use std::process::Command;
use std::time::Duration;

use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, PostParams};
use serde_json::{Value, json};
use spe_operator::app::definitions::definitions;
use testbed::{ControlPlane, Process, Signal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The timeout of every condition. Only a failing test waits that long.
const PATIENCE: Duration = Duration::from_mins(1);

fn operator(kubeconfig: &str, arguments: &[&str]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spe-operator"));
    command.env("KUBECONFIG", kubeconfig).args(["run", "--admin-address=127.0.0.1:0"]).args(arguments);
    Process::spawn("startup", &command).unwrap()
}

/// The address of the admin server.
async fn admin_address(operator: &Process) -> String {
    let line = operator.wait_for_line("serving /livez", PATIENCE).await.unwrap();
    let address = line.split("address=\"").nth(1).unwrap_or_else(|| panic!("no address in {line}"));
    address.split('"').next().unwrap().to_owned()
}

/// Returns status and body of the response to GET.
async fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Polls until the response satisfies `holds`.
async fn until(address: &str, path: &str, holds: impl Fn(u16, &str) -> bool) -> String {
    let held = async {
        loop {
            let (status, body) = get(address, path).await;
            if holds(status, &body) {
                return body;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, held).await.unwrap_or_else(|_| panic!("{path} never was as it should"))
}

/// Asserts that the operator ends with this code, and that its last line holds these words and stands alone.
async fn assert_ends(operator: &Process, code: i32, words: &[&str]) {
    let end = operator.wait(PATIENCE).await.unwrap();
    let output = operator.output();
    assert_eq!(end.code(), Some(code), "{output:#?}");
    let lines: Vec<_> = output.iter().filter(|line| line.starts_with("spe-operator: ")).collect();
    assert_eq!(lines.len(), 1, "{output:#?}");
    for word in words {
        assert!(lines[0].contains(word), "{word:?} is not in {:?}", lines[0]);
    }
}

/// A kubeconfig of another user.
fn kubeconfig(control_plane: &ControlPlane, name: &str, user: &Value) -> String {
    let mut config: Value = serde_saphyr::from_str(control_plane.kubeconfig()).unwrap();
    for known in config["users"].as_array_mut().unwrap() {
        known["user"] = user.clone();
    }
    let file = control_plane.kubeconfig_file().with_file_name(name);
    std::fs::write(&file, config.to_string()).unwrap();
    file.display().to_string()
}

async fn service_account(control_plane: &ControlPlane, namespace: &str) -> Value {
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> =
        Api::namespaced(control_plane.client().await.unwrap(), namespace);
    let account = serde_json::from_value(json!({"metadata": {"name": "nobody"}})).unwrap();
    accounts.create(&PostParams::default(), &account).await.unwrap();
    let request = serde_json::from_value(json!({"spec": {"audiences": []}})).unwrap();
    let response = accounts.create_token_request("nobody", &PostParams::default(), &request).await.unwrap();
    json!({"token": response.status.unwrap().token})
}

#[tokio::test]
async fn it_raises_its_limit_of_open_files() {
    // It waits for an API server that is not there.
    let kubeconfig = concat!(env!("CARGO_TARGET_TMPDIR"), "/nobody.kubeconfig");
    let nobody = json!({
        "clusters": [{"name": "nobody", "cluster": {"server": "http://127.0.0.1:1"}}],
        "contexts": [{"name": "nobody", "context": {"cluster": "nobody", "user": "nobody"}}],
        "users": [{"name": "nobody", "user": {}}],
        "current-context": "nobody",
    });
    std::fs::write(kubeconfig, nobody.to_string()).unwrap();
    let mut command = Command::new("sh");
    let few = "ulimit -S -n 256; exec \"$0\" run --admin-address=127.0.0.1:0";
    command.args(["-c", few, env!("CARGO_BIN_EXE_spe-operator")]).env("KUBECONFIG", kubeconfig);
    let operator = Process::spawn("files", &command).unwrap();
    admin_address(&operator).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", operator.id())).unwrap();
    let files: Vec<_> =
        limits.lines().find(|line| line.starts_with("Max open files")).unwrap().split_whitespace().collect();
    assert_eq!(files[3], files[4], "{limits}");
    assert_ne!(files[3], "256");
}

/// An account that may list objects of ours and not watch them.
async fn may_only_list(control_plane: &ControlPlane) -> Value {
    let client = control_plane.client().await.unwrap();
    let user = service_account(control_plane, "kube-public").await;
    for (manifest, resource) in [
        (
            json!({"kind": "ClusterRole", "metadata": {"name": "lists"}, "rules": [
                {"apiGroups": ["atlas.spe-operator.io"], "resources": ["serverlessprivateendpoints"], "verbs": ["list"]},
            ]}),
            "clusterroles",
        ),
        (
            json!({"kind": "ClusterRoleBinding", "metadata": {"name": "lists"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "lists"},
                "subjects": [{"kind": "ServiceAccount", "name": "nobody", "namespace": "kube-public"}],
            }),
            "clusterrolebindings",
        ),
    ] {
        let kind = testbed::kinds::kind(
            "rbac.authorization.k8s.io/v1",
            manifest["kind"].as_str().unwrap(),
            resource,
        );
        let mut manifest = manifest;
        manifest["apiVersion"] = json!(kind.api_version);
        let objects: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
        objects.create(&PostParams::default(), &serde_json::from_value(manifest).unwrap()).await.unwrap();
    }
    user
}

/// One control plane for all of it, since the definition is installed and deleted.
#[tokio::test]
async fn a_missing_crd_is_waited_for_and_a_missing_right_ends_the_program() {
    let control_plane = ControlPlane::start().await.unwrap();
    let admin = control_plane.kubeconfig_file().display().to_string();

    // The definition is missing: it waits, alive and not ready, and reports it everywhere.
    let waiting = operator(&admin, &["--watch-namespaces=default"]);
    let address = admin_address(&waiting).await;
    let pending = until(&address, "/readyz", |status, body| status == 503 && body.contains("crd: ")).await;
    assert!(
        pending.contains("the CustomResourceDefinition is not installed; `spe-operator crd"),
        "{pending}"
    );
    assert_eq!(get(&address, "/livez").await.0, 200);
    let metrics = get(&address, "/metrics").await.1;
    assert!(metrics.contains("\natlas_spe_not_ready{waits_for=\"crd\"} 1\n"), "{metrics}");
    waiting.wait_for_line("the CustomResourceDefinition is not installed", PATIENCE).await.unwrap();
    for definition in definitions() {
        control_plane.install_crd(&definition).await.unwrap();
    }
    until(&address, "/readyz", |status, body| status == 200 && body == "ok\n").await;
    assert!(!get(&address, "/metrics").await.1.contains("atlas_spe_not_ready{"));
    waiting.wait_for_line("the custom resource is served", PATIENCE).await.unwrap();
    waiting.signal(Signal::TERM).unwrap();
    assert!(waiting.wait(PATIENCE).await.unwrap().success());

    // An account that may not list the objects, or an unknown one, ends it at once, and it names the missing right.
    let powerless =
        kubeconfig(&control_plane, "powerless", &service_account(&control_plane, "default").await);
    let words = ["refuses to list serverlessprivateendpoints", "grant the rights of the chart's role"];
    assert_ends(&operator(&powerless, &[]), 1, &words).await;
    let unknown = kubeconfig(&control_plane, "unknown", &json!({"token": "nonsense"}));
    let words = ["does not accept the operator's credentials", "check the service account or kubeconfig"];
    assert_ends(&operator(&unknown, &[]), 1, &words).await;

    // To list without watching would be to see the beginning and nothing after it.
    let lists = kubeconfig(&control_plane, "lists", &may_only_list(&control_plane).await);
    let words = ["refuses to watch serverlessprivateendpoints", "grant the rights of the chart's role"];
    assert_ends(&operator(&lists, &["--watch-namespaces=default"]), 1, &words).await;

    // A selector that only the API server can read is a setting.
    let words = ["--watch-selector (SPE_WATCH_SELECTOR)", "a in"];
    assert_ends(&operator(&admin, &["--watch-selector=a in"]), 2, &words).await;

    // Without a definition again, the running operator continues.
    let running = operator(&admin, &["--watch-namespaces=default"]);
    let address = admin_address(&running).await;
    until(&address, "/readyz", |status, _| status == 200).await;
    let definitions = ApiResource::erase::<
        k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    >(&());
    let definitions: Api<DynamicObject> = Api::all_with(control_plane.client().await.unwrap(), &definitions);
    let name = "serverlessprivateendpoints.atlas.spe-operator.io";
    definitions.delete(name, &DeleteParams::default()).await.unwrap();
    running.wait_for_line("the watch was interrupted", PATIENCE).await.unwrap();
    // It is alive, and ready no longer.
    let pending = until(&address, "/readyz", |status, _| status == 503).await;
    assert!(pending.contains("is not installed"), "{pending}");
    assert_eq!(get(&address, "/livez").await.0, 200);
    running.signal(Signal::TERM).unwrap();
    assert!(running.wait(PATIENCE).await.unwrap().success());
}

#[tokio::test]
async fn an_unreachable_api_server_is_waited_for_and_reported() {
    let nowhere = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {}}],
    });
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("nowhere.kubeconfig");
    std::fs::write(&file, nowhere.to_string()).unwrap();
    let operator = operator(&file.display().to_string(), &[]);
    let address = admin_address(&operator).await;
    let pending = until(&address, "/readyz", |status, body| status == 503 && body.contains("crd: ")).await;
    assert!(pending.contains("the API server cannot be reached"), "{pending}");
    assert_eq!(get(&address, "/livez").await.0, 200);
    operator.signal(Signal::TERM).unwrap();
    assert!(operator.wait(PATIENCE).await.unwrap().success());
}

#[tokio::test]
async fn a_proxy_of_the_environment_that_is_not_used_is_named_once() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spe-operator"));
    command.env("KUBECONFIG", "/nowhere").env("HTTPS_PROXY", "http://user:hidden@proxy.example:3128");
    command.args(["run", "--admin-address=127.0.0.1:0"]);
    let operator = Process::spawn("startup", &command).unwrap();
    assert_eq!(operator.wait(PATIENCE).await.unwrap().code(), Some(1));
    let lines = operator.output();
    let named: Vec<_> = lines.iter().filter(|line| line.contains("HTTPS_PROXY")).collect();
    assert!(matches!(named.as_slice(), [line] if line.contains("--atlas-proxy")), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("hidden")), "{lines:#?}");
}
