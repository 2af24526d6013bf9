//! The decision table, line by line: for each state the status, and each tool's verdict.

use std::time::Duration;

use domain::fault::FaultKind;
use domain::reference::VpcEndpoint;
use domain::serverless::decision::ConfirmedAbsence;
use domain::serverless::endpoint::Endpoint;
use domain::serverless::observed::Listing;
use domain::serverless::ownership::{Claim, Nonce};
use serde_json::{Value, json};
use spe_operator::serverless::crd;

use crate::life::{ID, Life, VPC_ENDPOINT, endpoint, endpoint_of, failed, listed, stranger, token};
use crate::tools::{Verdict, judge};

/// The columns: the state; Ready; the reason of Synced while False; the conditions that exist only while True; kstatus,
/// as Flux and Helm wait for it; Flux' rules for conditions; Argo CD.
const TABLE: &str = "
not looked at yet                              | -                              | -                   | -            | InProgress  | none apply      | Progressing
create in flight                               | False Creating                 | -                   | Reconciling  | InProgress  | kept            | Progressing
an endpoint with our mark was found            | False Adopting                 | -                   | Reconciling  | InProgress  | kept            | Progressing
RESERVATION_REQUESTED                          | False ReservationRequested     | -                   | Reconciling  | InProgress  | kept            | Progressing
RESERVED, nothing more declared                | True Reserved                  | -                   | -            | Current     | kept            | Healthy
RESERVED, service not named yet                | False ReservationRequested     | -                   | Reconciling  | InProgress  | kept            | Progressing
RESERVED, readyWhen Reserved                   | True Reserved                  | -                   | -            | Current     | kept            | Healthy
RESERVED, readyWhen Available                  | False AwaitingVpcEndpoint      | -                   | Reconciling  | InProgress  | kept            | Progressing
RESERVED, VPC endpoint declared                | False Connecting               | -                   | Reconciling  | InProgress  | kept            | Progressing
RESERVED, reference without an id              | False AwaitingVpcEndpoint      | -                   | Reconciling  | InProgress  | kept            | Progressing
RESERVED, reference that leads nowhere         | False ReferenceNotFound        | ReferenceNotFound   | Reconciling  | InProgress  | kept            | Progressing
RESERVED, VPC endpoint of a lost service       | False VpcEndpointStale         | VpcEndpointStale    | Stalled      | Failed      | kept            | Degraded
INITIATING                                     | False Connecting               | -                   | Reconciling  | InProgress  | kept            | Progressing
INITIATING, readyWhen Reserved                 | True Reserved                  | -                   | -            | Current     | kept            | Healthy
AVAILABLE                                      | True Available                 | -                   | -            | Current     | kept            | Healthy
AVAILABLE with another VPC endpoint            | False Connecting               | -                   | Reconciling  | InProgress  | kept            | Progressing
AVAILABLE, reference lost later                | True Available                 | ReferenceNotFound   | -            | Current     | kept            | Healthy
FAILED                                         | False AtlasFailed              | -                   | Stalled      | Failed      | kept            | Degraded
a status that is not known                     | False UnknownStatus            | -                   | Reconciling  | InProgress  | kept            | Progressing
DELETING, ours                                 | False Deleting                 | -                   | Reconciling  | Terminating | kept            | Progressing
DELETING, not ours                             | False EndpointLost             | -                   | Reconciling  | InProgress  | kept            | Progressing
gone, not ours: once unseen                    | True Reserved                  | -                   | -            | Current     | kept            | Healthy
gone, not ours: created again                   | False EndpointLost             | -                   | Reconciling  | InProgress  | kept            | Progressing
gone, and endpointId names it                  | False EndpointLost             | EndpointLost        | Stalled      | Failed      | kept            | Degraded

at first: Secret missing                       | False CredentialsNotFound      | CredentialsNotFound | Reconciling  | InProgress  | kept            | Progressing
at first: 401                                  | False Unauthorized             | Unauthorized        | Reconciling  | InProgress  | kept            | Progressing
at first: 403                                  | False Forbidden                | Forbidden           | Reconciling  | InProgress  | kept            | Progressing
at first: project not found                    | False ProjectNotFound          | ProjectNotFound     | Reconciling  | InProgress  | kept            | Progressing
at first: 429                                  | False RateLimited              | RateLimited         | Reconciling  | InProgress  | kept            | Progressing
at first: 5xx                                  | False AtlasUnavailable         | AtlasUnavailable    | Reconciling  | InProgress  | kept            | Progressing
at first: create refused                       | False AtlasRefused             | AtlasRefused        | Reconciling  | InProgress  | kept            | Progressing
too long: Secret missing                       | False CredentialsNotFound      | CredentialsNotFound | Stalled      | Failed      | kept            | Degraded
too long: 403                                  | False Forbidden                | Forbidden           | Stalled      | Failed      | kept            | Degraded
too long: 5xx                                  | False ProgressDeadlineExceeded | ProgressDeadlineExceeded | Stalled | Failed      | kept            | Degraded
too long: INITIATING                           | False ProgressDeadlineExceeded | ProgressDeadlineExceeded | Stalled | Failed      | kept            | Degraded
when Ready: Secret missing                     | True Reserved                  | CredentialsNotFound | -            | Current     | kept            | Healthy
when Ready: 401                                | True Reserved                  | Unauthorized        | -            | Current     | kept            | Healthy
when Ready: 429                                | True Reserved                  | RateLimited         | -            | Current     | kept            | Healthy
when Ready: 5xx                                | True Reserved                  | AtlasUnavailable    | -            | Current     | kept            | Healthy
when Ready, too long: 401                      | False Unauthorized             | Unauthorized        | Stalled      | Failed      | kept            | Degraded
when Ready, too long: 403                      | False Forbidden                | Forbidden           | Stalled      | Failed      | kept            | Degraded
when Ready, ever so long: 5xx                  | True Reserved                  | AtlasUnavailable    | -            | Current     | kept            | Healthy
when Ready, but more is declared now: 5xx      | False AtlasUnavailable         | AtlasUnavailable    | Reconciling  | InProgress  | kept            | Progressing
when Ready, but a change is refused            | False AtlasRefused             | AtlasRefused        | Reconciling  | InProgress  | kept            | Progressing
when Ready, and the output is not written      | True Reserved                  | OutputNotWritten    | -            | Current     | kept            | Healthy
when Ready, and the API's end is announced     | True Reserved                  | -                   | ApiSunset    | Current     | kept            | Healthy
INITIATING, and the API's end is announced     | False Connecting               | -                   | Reconciling+ApiSunset | InProgress | kept    | Progressing
when Ready, and not looked at since a change   | True Reserved                  | -                   | -            | InProgress  | kept on the way | Progressing

at first: API retired                          | False ApiRetired               | ApiRetired          | Stalled      | Failed      | kept            | Degraded
at first: instance gone                        | False InstanceNotFound         | InstanceNotFound    | Stalled      | Failed      | kept            | Degraded
at first: instance migrated                    | False InstanceMigrated         | InstanceMigrated    | Stalled      | Failed      | kept            | Degraded
when Ready: API retired                        | False ApiRetired               | ApiRetired          | Stalled      | Failed      | kept            | Degraded
when Ready: instance gone                      | False InstanceNotFound         | InstanceNotFound    | Stalled      | Failed      | kept            | Degraded
when Ready: instance migrated                  | False InstanceMigrated         | InstanceMigrated    | Stalled      | Failed      | kept            | Degraded
the spec cannot be acted on                    | False InvalidSpec              | InvalidSpec         | Stalled      | Failed      | kept            | Degraded

suspended before creation                      | False Suspended                | -                   | Suspended    | InProgress  | kept            | Suspended
suspended when Ready                           | True Reserved                  | -                   | Suspended    | Current     | kept            | Healthy
suspended when Ready, and Atlas unavailable     | True Reserved                  | AtlasUnavailable    | Suspended    | Current     | kept            | Healthy
suspended at INITIATING                        | False Connecting               | -                   | Suspended    | InProgress  | kept            | Suspended
suspended at FAILED                            | False AtlasFailed              | -                   | Suspended    | InProgress  | kept            | Suspended

the claim of another cluster                   | False AdoptionRequired         | AdoptionRequired    | Stalled      | Failed      | kept            | Degraded
the mark of another owner                      | False OwnershipConflict        | OwnershipConflict   | Stalled      | Failed      | kept            | Degraded
another endpoint carries our mark              | True Reserved                  | Duplicate           | -            | Current     | kept            | Healthy
deleted, without credentials                   | False CredentialsNotFound      | CredentialsNotFound | Reconciling  | Terminating | kept            | Progressing
deleted, while a claim is open                 | False Deleting                 | -                   | Reconciling  | Terminating | kept            | Progressing
deleted while suspended                        | False Deleting                 | -                   | Reconciling  | Terminating | kept            | Progressing
";

/// Returns the life that leads to the state of that name.
fn life(state: &str) -> Life {
    let nothing = json!({});
    let connect = json!({"cloudProviderEndpointId": VPC_ENDPOINT});
    let early = json!({"cloudProviderEndpointId": VPC_ENDPOINT, "readyWhen": "Reserved"});
    let named = json!({"endpointId": ID});
    let suspend = json!({"suspend": true});
    let none = || Listing::Fetched(Vec::new());
    let awaited = || VpcEndpoint::Awaited("VPCEndpoint orders has no status.vpcEndpointID yet".to_owned());
    let missing = || VpcEndpoint::NotFound("there is no VPCEndpoint orders".to_owned());
    let new = || Life::new(&nothing);
    let reserved = Life::reserved;
    let settle = |life: Life| {
        life.remembers(|memory| {
            memory.absent = Some((ConfirmedAbsence::Everything, Duration::from_mins(1)));
        })
    };
    if let Some((when, what)) = state.split_once(": ").filter(|(when, _)| !when.starts_with("gone")) {
        return trouble(when, what);
    }
    match state {
        "not looked at yet" => new(),
        "create in flight" => new().sees(&none()),
        "an endpoint with our mark was found" => {
            reserved().remembers(|memory| memory.adopted = Some(Duration::ZERO)).sees(&listed("RESERVED"))
        }
        "RESERVED, nothing more declared" => reserved(),
        "RESERVED, service not named yet" => {
            new().sees(&Listing::Fetched(vec![Endpoint { service_name: None, ..endpoint("RESERVED") }]))
        }
        "RESERVED, readyWhen Reserved" => Life::bound(&early, "RESERVED"),
        "RESERVED, readyWhen Available" => Life::bound(&json!({"readyWhen": "Available"}), "RESERVED"),
        "RESERVED, VPC endpoint declared" => Life::bound(&connect, "RESERVED"),
        "RESERVED, reference without an id" => new().refers_to(awaited()).sees(&listed("RESERVED")),
        "RESERVED, reference that leads nowhere" => new().refers_to(missing()).sees(&listed("RESERVED")),
        "RESERVED, VPC endpoint of a lost service" => {
            Life::new(&connect).annotated(crd::STALE_VPC_ENDPOINT_ID, VPC_ENDPOINT).sees(&listed("RESERVED"))
        }
        "INITIATING" => Life::bound(&connect, "INITIATING"),
        "INITIATING, readyWhen Reserved" => Life::bound(&early, "INITIATING"),
        "AVAILABLE" => Life::bound(&connect, "AVAILABLE"),
        "AVAILABLE with another VPC endpoint" => {
            Life::bound(&json!({"cloudProviderEndpointId": "vpce-2"}), "AVAILABLE")
        }
        "AVAILABLE, reference lost later" => {
            let found = VpcEndpoint::Declared(VPC_ENDPOINT.parse().unwrap());
            let available = new().refers_to(found).sees(&listed("AVAILABLE"));
            available.refers_to(missing()).sees(&listed("AVAILABLE"))
        }
        "FAILED" => Life::bound(&connect, "FAILED"),
        "a status that is not known" => Life::bound(&nothing, "PENDING_ACCEPTANCE"),
        "DELETING, ours" => reserved().deleted().sees(&listed("DELETING")),
        "DELETING, not ours" => reserved().sees(&listed("DELETING")),
        "gone, not ours: once unseen" => reserved().sees(&none()),
        "gone, not ours: created again" => settle(reserved()).sees(&none()),
        "gone, and endpointId names it" => settle(Life::bound(&named, "RESERVED")).sees(&none()),
        "when Ready, but a change is refused" => {
            reserved().edited(&connect).refused(&listed("RESERVED"), FaultKind::Refused)
        }
        "when Ready, and the output is not written" => reserved().unwritten().sees(&listed("RESERVED")),
        "when Ready, and the API's end is announced" => reserved().announced().sees(&listed("RESERVED")),
        "INITIATING, and the API's end is announced" => {
            Life::new(&connect).announced().sees(&listed("INITIATING"))
        }
        "when Ready, and not looked at since a change" => reserved().edited(&connect),
        "the spec cannot be acted on" => Life::new(&json!({"progressDeadline": "soon"})).sees(&none()),
        "suspended before creation" => Life::new(&suspend).sees(&Listing::NotFetched),
        "suspended when Ready" => reserved().edited(&suspend).sees(&Listing::NotFetched),
        "suspended when Ready, and Atlas unavailable" => {
            reserved().sees(&failed(FaultKind::Unavailable)).edited(&suspend).sees(&Listing::NotFetched)
        }
        "suspended at INITIATING" => {
            Life::bound(&connect, "INITIATING").edited(&suspend).sees(&Listing::NotFetched)
        }
        "suspended at FAILED" => Life::bound(&connect, "FAILED").edited(&suspend).sees(&Listing::NotFetched),
        "the claim of another cluster" => {
            let mut life = new();
            life.claim(&Claim {
                token: stranger(),
                nonce: Nonce::from_random([2; 16]),
                uid: "another".to_owned(),
                cluster: "that-cluster".parse().unwrap(),
                replaced: None,
            });
            life.sees(&none())
        }
        "the mark of another owner" => {
            reserved().sees(&Listing::Fetched(vec![endpoint_of(&stranger(), ID, "RESERVED")]))
        }
        "another endpoint carries our mark" => {
            let other = endpoint_of(&token(), "0123456789abcdef00000002", "AVAILABLE");
            reserved().sees(&Listing::Fetched(vec![endpoint("RESERVED"), other]))
        }
        "deleted, without credentials" => reserved().deleted().sees(&failed(FaultKind::CredentialsNotFound)),
        "deleted, while a claim is open" => new().sees(&none()).deleted().sees(&none()),
        "deleted while suspended" => {
            reserved().edited(&suspend).sees(&Listing::NotFetched).deleted().sees(&listed("DELETING"))
        }
        "RESERVATION_REQUESTED" => Life::bound(&nothing, state),
        _ => panic!("{state:?} is no state of this table"),
    }
}

/// The same where Atlas, or the credentials, have a fault.
fn trouble(when: &str, what: &str) -> Life {
    let connect = json!({"cloudProviderEndpointId": VPC_ENDPOINT});
    let new = || Life::new(&json!({}));
    let reserved = Life::reserved;
    let none = || Listing::Fetched(Vec::new());
    let atlas = || match what {
        "INITIATING" => listed("INITIATING"),
        _ => failed(kind(what)),
    };
    match when {
        "at first" if what == "create refused" => new().refused(&none(), FaultKind::Refused),
        "at first" => new().sees(&atlas()),
        "too long" => Life::new(&connect).sees(&atlas()).overdue().sees(&atlas()),
        "when Ready" => reserved().sees(&atlas()),
        "when Ready, too long" => reserved().sees(&atlas()).overdue().sees(&atlas()),
        "when Ready, ever so long" => {
            let life = reserved().sees(&atlas());
            assert!(life.memory.working.is_none(), "an outage is nobody's work: no deadline counts");
            life.sees(&atlas())
        }
        "when Ready, but more is declared now" => reserved().edited(&connect).sees(&atlas()),
        _ => panic!("{when:?} is no beginning of a state of this table"),
    }
}

fn kind(what: &str) -> FaultKind {
    match what {
        "Secret missing" => FaultKind::CredentialsNotFound,
        "401" => FaultKind::Unauthorized,
        "403" => FaultKind::Forbidden,
        "project not found" => FaultKind::NoAccess,
        "429" => FaultKind::RateLimited,
        "5xx" => FaultKind::Unavailable,
        "API retired" => FaultKind::Retired,
        "instance gone" => FaultKind::InstanceNotFound,
        "instance migrated" => FaultKind::NotServerless,
        _ => panic!("{what:?} is no fault of this table"),
    }
}

/// Returns the line of the table for an object and its verdicts.
fn line(state: &str, object: &Value, verdict: &Verdict) -> String {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let find = |kind: &str| conditions.iter().find(|condition| condition["type"] == kind);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let ready = find("Ready").map(|ready| format!("{} {}", text(&ready["status"]), text(&ready["reason"])));
    let synced = find("Synced").filter(|synced| synced["status"] == "False").map(|s| text(&s["reason"]));
    let passing: Vec<_> = ["Reconciling", "Stalled", "Suspended", "ApiSunset"]
        .into_iter()
        .filter(|kind| find(kind).is_some())
        .collect();
    let passing = Some(passing.join("+")).filter(|passing| !passing.is_empty());
    let or_none = |column: Option<String>| column.unwrap_or_else(|| "-".to_owned());
    [
        state.to_owned(),
        or_none(ready),
        or_none(synced),
        or_none(passing),
        verdict.kstatus.status.clone(),
        verdict.flux_rules(object).to_owned(),
        verdict.argo.status.clone(),
    ]
    .join(" | ")
}

/// A line with one space around each column.
fn squeezed(line: &str) -> String {
    line.split('|').map(str::trim).collect::<Vec<_>>().join(" | ")
}

#[tokio::test]
async fn every_tool_shows_every_state_as_in_the_table() {
    let lines: Vec<_> = TABLE.lines().filter(|line| !line.is_empty()).map(squeezed).collect();
    let states: Vec<_> = lines.iter().map(|line| line.split(" | ").next().unwrap()).collect();
    let objects: Vec<_> = states.iter().map(|state| life(state).object).collect();
    let verdicts = judge(&objects).await;
    let found: Vec<_> = states
        .iter()
        .zip(objects.iter().zip(&verdicts))
        .map(|(state, (object, verdict))| line(state, object, verdict))
        .collect();
    let wrong: Vec<_> = lines
        .iter()
        .zip(&found)
        .filter(|(line, found)| line != found)
        .map(|(line, found)| format!("the table: {line}\nthe tools: {found}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
#[should_panic(expected = "\"RESERVATION_REQUESTD\" is no state of this table")]
fn a_misspelled_state_is_no_unknown_status() {
    life("RESERVATION_REQUESTD");
}

#[tokio::test]
async fn argo_cd_shows_the_message_of_the_deciding_condition() {
    let saying = |state: &'static str, kind: &'static str, prefix: &'static str| {
        let object = life(state).object;
        let conditions = object["status"]["conditions"].as_array().unwrap();
        let condition = conditions.iter().find(|condition| condition["type"] == kind).unwrap();
        let expected = format!("{prefix}{}", condition["message"].as_str().unwrap());
        (object, expected)
    };
    let (objects, expected): (Vec<_>, Vec<_>) = [
        saying("FAILED", "Stalled", ""),
        saying("INITIATING", "Ready", ""),
        saying("RESERVED, nothing more declared", "Ready", ""),
        saying("suspended when Ready", "Ready", "Suspended: "),
        saying("suspended at INITIATING", "Suspended", ""),
    ]
    .into_iter()
    .unzip();
    for (verdict, expected) in judge(&objects).await.iter().zip(expected) {
        assert_eq!(verdict.argo.message, expected);
    }
}
