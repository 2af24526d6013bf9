//! The control API, and the program.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use atlas_simulator::{
    DEFAULT_INSTANCE, DEFAULT_PROJECT, InjectedFault, JournalEntry, Operation, Pace, Rule, Settings,
    Simulator, Termination, Timeline,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Got, TestClient, endpoints, got, slow, until};

async fn control(atlas: &Simulator, method: Method, path: &str, body: &Value) -> Got {
    let client = TestClient::new(atlas);
    let text = (!body.is_null()).then(|| body.to_string());
    got(client.raw(method, &format!("/control{path}"), None, text.as_deref()).await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn rules_are_scheduled_shown_and_dropped() {
    let atlas = slow().await;
    let rule = json!({
        "on": {"operations": ["create"], "project": DEFAULT_PROJECT}, "skip": 1, "times": null,
        "fault": {"executed_late": {"after": 1.5, "ending": "cut"}},
    });
    assert_eq!(control(&atlas, Method::POST, "/rules", &rule).await.status, 200);
    let late = InjectedFault::ExecutedLate { after: Duration::from_millis(1500), ending: Termination::Cut };
    let typed = Rule::always(late).of([Operation::Create]).in_project(DEFAULT_PROJECT).after(1);
    assert_eq!(atlas.rules(), [typed]);
    let several = json!([{"fault": {"shown": "truncated"}}, {"fault": {"deviation": "stalls"}}]);
    let shown = control(&atlas, Method::POST, "/rules", &several).await.json;
    assert_eq!(serde_json::from_value::<Vec<Rule>>(shown).unwrap(), atlas.rules());
    assert_eq!(atlas.rules()[1].times, Some(1));
    control(&atlas, Method::DELETE, "/rules", &Value::Null).await;
    assert!(atlas.rules().is_empty());
}

#[tokio::test]
async fn every_fault_survives_the_way_through_json() {
    let second = Duration::from_secs(1);
    let text = || "text".to_owned();
    let faults = [
        InjectedFault::NotExecuted(Termination::RateLimited { retry_after: Some(text()) }),
        InjectedFault::Executed(Termination::EndpointNotFound(400)),
        InjectedFault::Executed(Termination::Redirect { status: 302, location: text() }),
        InjectedFault::NotExecuted(Termination::Error { status: 400, code: text(), detail: text() }),
        InjectedFault::ExecutedLate { after: second, ending: Termination::RateLimitedUntil { seconds: 1 } },
        InjectedFault::Shown(atlas_simulator::Malformed::Status(text())),
        InjectedFault::Deviation(atlas_simulator::Deviation::Breaks { after: second, message: text() }),
        InjectedFault::delayed(second),
        InjectedFault::StaleRead { by: second },
    ];
    for fault in faults {
        let json = serde_json::to_value(&fault).unwrap();
        assert_eq!(serde_json::from_value::<InjectedFault>(json).unwrap(), fault);
    }
}

#[tokio::test]
async fn settings_are_changed_in_parts() {
    let atlas = slow().await;
    let patch =
        json!({"pace": {"reserving": 0.25}, "keys": {"new": {"secret": "s", "roles": {"*": "read_only"}}}});
    assert_eq!(control(&atlas, Method::PATCH, "/settings", &patch).await.status, 200);
    let settings = atlas.settings();
    assert_eq!(settings.pace.reserving, Duration::from_millis(250));
    assert_eq!((settings.pace.deleting, settings.keys.len()), (Duration::from_hours(1), 2));
    assert_eq!(TestClient::with_key(&atlas, "new", "s").get(&endpoints()).await.status, 200);
    let shown = control(&atlas, Method::PATCH, "/settings", &json!({"keys": {"new": null}})).await.json;
    assert_eq!(serde_json::from_value::<Settings>(shown).unwrap(), atlas.settings());
    assert_eq!(TestClient::with_key(&atlas, "new", "s").get(&endpoints()).await.status, 401);
}

#[tokio::test]
async fn the_journal_is_filtered_and_forgotten() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    client.post(&endpoints(), r#"{"comment": "mine"}"#).await;
    client.get(&endpoints()).await;
    let entries = async |query: &str| {
        let json = control(&atlas, Method::GET, &format!("/journal{query}"), &Value::Null).await.json;
        serde_json::from_value::<Vec<JournalEntry>>(json).unwrap()
    };
    assert_eq!(entries("").await, atlas.journal());
    let created = entries("?operation=create&executed=true").await;
    assert_eq!((created.len(), created[0].seq), (1, 2));
    assert_eq!(entries("?after=3").await.len(), 1);
    assert!(entries("?project=other").await.is_empty());
    control(&atlas, Method::DELETE, "/journal", &Value::Null).await;
    assert!(atlas.journal().is_empty());
    client.get(&endpoints()).await;
    assert_eq!(entries("").await[0].seq, 5, "the numbers go on");
}

#[tokio::test]
async fn endpoints_are_inserted_edited_fated_and_removed_from_outside() {
    let atlas = slow().await;
    let insert = json!({
        "project": DEFAULT_PROJECT, "instance": DEFAULT_INSTANCE, "endpoint": {"comment": "by hand", "status": "ODD"},
    });
    let id = control(&atlas, Method::POST, "/endpoints", &insert).await.json["endpoint"]["_id"].clone();
    let one = format!("/endpoints/{}", id.as_str().unwrap());
    let path = format!("/endpoints?project={DEFAULT_PROJECT}&instance={DEFAULT_INSTANCE}");
    let listed = control(&atlas, Method::GET, &path, &Value::Null).await.json;
    assert_eq!(
        (&listed[0]["endpoint"]["status"], &listed[0]["endpoint"]["comment"]),
        (&json!("ODD"), &json!("by hand"))
    );

    let edit = json!({"status": "RESERVATION_REQUESTED", "comment": null});
    let edited = control(&atlas, Method::PATCH, &one, &edit).await.json;
    assert_eq!((&edited["_id"], &edited["comment"]), (&id, &json!(null)));
    let deviation = json!({"reservation_fails": {"message": "no"}});
    control(&atlas, Method::POST, &format!("{one}/deviations"), &deviation).await;
    atlas.set_pace(Pace::of(Duration::ZERO));
    assert_eq!(atlas.endpoint(id.as_str().unwrap()).unwrap().error_message.as_deref(), Some("no"));

    assert_eq!(control(&atlas, Method::DELETE, &one, &Value::Null).await.status, 200);
    assert_eq!(control(&atlas, Method::DELETE, &one, &Value::Null).await.status, 404);
    let timelines = control(&atlas, Method::GET, "/timelines", &Value::Null).await.json;
    assert_eq!(
        serde_json::from_value::<Vec<Timeline>>(timelines).unwrap()[0].changes,
        atlas.timelines()[0].changes
    );
    let most = control(&atlas, Method::GET, "/max-live?comment=by%20hand", &Value::Null).await.json;
    assert_eq!(most, json!(1));
    control(&atlas, Method::POST, "/reset", &Value::Null).await;
    assert!(atlas.timelines().is_empty());
}

#[tokio::test]
async fn a_wrong_control_request_says_what_is_wrong() {
    let atlas = slow().await;
    for (method, path, body, status, part) in [
        (Method::GET, "/nothing", Value::Null, 404, "GET /control lists them"),
        (Method::POST, "/rules", json!({"fault": "nonsense"}), 400, "unknown variant `nonsense`"),
        (Method::PATCH, "/settings", json!({"pase": {}}), 400, "unknown field `pase`"),
        (
            Method::PATCH,
            "/settings",
            json!({"pace": {"reserving": -1}}),
            400,
            "-1 is not a number of seconds",
        ),
        (Method::POST, "/endpoints", json!({}), 400, "project is missing"),
        (Method::PATCH, "/endpoints/1", json!({}), 404, "there is no endpoint 1"),
        (Method::GET, "/journal?after=x", Value::Null, 400, "after=x"),
    ] {
        let got = control(&atlas, method, path, &body).await;
        assert!(got.status == status && got.text.contains(part), "{path}: {got:?}");
    }
}

/// The program on a free port, ended with the test.
struct SimulatorProgram(Child);

impl Drop for SimulatorProgram {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_printed_curl_line_of_the_seed_page_creates_an_endpoint() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atlas-simulator"));
    command.args(["--listen", "127.0.0.1:0", "--instance", "first", "--instance", "second"]);
    let mut program = SimulatorProgram(command.stdout(Stdio::piped()).spawn().unwrap());
    let lines = BufReader::new(program.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let printed: Vec<String> = lines.take(7).collect();
    let script = printed[2..].join("\n");
    assert!(script.starts_with("curl --user") && script.contains("--digest"), "{script}");
    let output =
        Command::new("sh").args(["-c", &format!("{script} --silent --noproxy '*'")]).output().unwrap();
    let created: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(created["comment"], "example comment");
    assert_eq!(created["status"], "RESERVATION_REQUESTED");
}

#[tokio::test]
async fn a_simulator_that_is_shut_down_frees_its_port_and_cuts_its_clients() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    atlas.inject(Rule::always(InjectedFault::NotExecuted(Termination::Hang)));
    let address = atlas.address();
    let waiting = tokio::spawn(async move { client.attempt(Method::GET, &endpoints(), None).await.is_err() });
    until(&atlas, "a hanging request", |atlas| atlas.count(|entry| entry.key.is_some()) == 1).await;
    atlas.shutdown().await;
    assert!(waiting.await.unwrap());
    Simulator::start_on(address, Settings::default()).await.unwrap();
}
