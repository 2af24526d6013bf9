//! The table of `ServerlessPrivateEndpoint`, line by line: for each state the status, and each tool's verdict.

use std::time::Duration;

use domain::fault::FaultKind;
use domain::reference::VpcEndpoint;
use domain::serverless::decision::ConfirmedAbsence;
use domain::serverless::endpoint::{Endpoint, EndpointStatus};
use domain::serverless::observed::Listing;
use domain::serverless::ownership::{Claim, Nonce};
use serde_json::json;
use spe_operator::serverless::crd;

use crate::life::{ID, Lived, VPC_ENDPOINT, endpoint, endpoint_of, failed, listed, stranger, token};
use crate::page::HealthTable;
use crate::tools::judge;

/// The columns are those of [`HealthTable`].
const TABLE: &str = "
* not reconciled yet                             | -                              | -                        | -                     | InProgress  | none apply      | Progressing
* create in flight                               | False Creating                 | -                        | Reconciling           | InProgress  | kept            | Progressing
* an endpoint with our mark was found            | False Adopting                 | -                        | Reconciling           | InProgress  | kept            | Progressing
* RESERVATION_REQUESTED                          | False ReservationRequested     | -                        | Reconciling           | InProgress  | kept            | Progressing
* RESERVED, nothing more declared                | True Reserved                  | -                        | -                     | Current     | kept            | Healthy
* RESERVED, service not named yet                | False ReservationRequested     | -                        | Reconciling           | InProgress  | kept            | Progressing
  RESERVED, readyWhen Reserved                   | True Reserved                  | -                        | -                     | Current     | kept            | Healthy
  RESERVED, readyWhen Available                  | False AwaitingVpcEndpoint      | -                        | Reconciling           | InProgress  | kept            | Progressing
* RESERVED, VPC endpoint declared                | False Connecting               | -                        | Reconciling           | InProgress  | kept            | Progressing
* RESERVED, reference without an id              | False AwaitingVpcEndpoint      | -                        | Reconciling           | InProgress  | kept            | Progressing
* RESERVED, reference that leads nowhere         | False ReferenceNotFound        | ReferenceNotFound        | Reconciling           | InProgress  | kept            | Progressing
* RESERVED, VPC endpoint of a lost service       | False VpcEndpointStale         | VpcEndpointStale         | Stalled               | Failed      | kept            | Degraded
* INITIATING                                     | False Connecting               | -                        | Reconciling           | InProgress  | kept            | Progressing
  INITIATING, readyWhen Reserved                 | True Reserved                  | -                        | -                     | Current     | kept            | Healthy
* AVAILABLE                                      | True Available                 | -                        | -                     | Current     | kept            | Healthy
  AVAILABLE with another VPC endpoint            | False Connecting               | -                        | Reconciling           | InProgress  | kept            | Progressing
  AVAILABLE, reference lost later                | True Available                 | ReferenceNotFound        | -                     | Current     | kept            | Healthy
* FAILED                                         | False AtlasFailed              | -                        | Stalled               | Failed      | kept            | Degraded
* a status that is unknown                       | False UnknownStatus            | -                        | Reconciling           | InProgress  | kept            | Progressing
* DELETING, as the object is deleted             | False Deleting                 | -                        | Reconciling           | Terminating | kept            | Progressing
  DELETING, by others                            | False EndpointLost             | -                        | Reconciling           | InProgress  | kept            | Progressing
* lost: in one listing                           | True Reserved                  | -                        | -                     | Current     | kept            | Healthy
* lost: in two listings, created again           | False EndpointLost             | -                        | Reconciling           | InProgress  | kept            | Progressing
* lost, and endpointId names it                  | False EndpointLost             | EndpointLost             | Stalled               | Failed      | kept            | Degraded

* at first: Secret missing                       | False CredentialsNotFound      | CredentialsNotFound      | Reconciling           | InProgress  | kept            | Progressing
* at first: 401                                  | False Unauthorized             | Unauthorized             | Reconciling           | InProgress  | kept            | Progressing
  at first: 403                                  | False Forbidden                | Forbidden                | Reconciling           | InProgress  | kept            | Progressing
  at first: project not found                    | False ProjectNotFound          | ProjectNotFound          | Reconciling           | InProgress  | kept            | Progressing
  at first: 429                                  | False RateLimited              | RateLimited              | Reconciling           | InProgress  | kept            | Progressing
* at first: 5xx                                  | False AtlasUnavailable         | AtlasUnavailable         | Reconciling           | InProgress  | kept            | Progressing
  at first: create refused                       | False AtlasRefused             | AtlasRefused             | Reconciling           | InProgress  | kept            | Progressing
  too long: Secret missing                       | False CredentialsNotFound      | CredentialsNotFound      | Stalled               | Failed      | kept            | Degraded
* too long: 403                                  | False Forbidden                | Forbidden                | Stalled               | Failed      | kept            | Degraded
  too long: 5xx                                  | False ProgressDeadlineExceeded | ProgressDeadlineExceeded | Stalled               | Failed      | kept            | Degraded
* too long: INITIATING                           | False ProgressDeadlineExceeded | ProgressDeadlineExceeded | Stalled               | Failed      | kept            | Degraded
  when Ready: Secret missing                     | True Reserved                  | CredentialsNotFound      | -                     | Current     | kept            | Healthy
* when Ready: 401                                | True Reserved                  | Unauthorized             | -                     | Current     | kept            | Healthy
  when Ready: 429                                | True Reserved                  | RateLimited              | -                     | Current     | kept            | Healthy
* when Ready: 5xx                                | True Reserved                  | AtlasUnavailable         | -                     | Current     | kept            | Healthy
* when Ready, too long: 401                      | False Unauthorized             | Unauthorized             | Stalled               | Failed      | kept            | Degraded
  when Ready, too long: 403                      | False Forbidden                | Forbidden                | Stalled               | Failed      | kept            | Degraded
  when Ready, for hours: 5xx                     | True Reserved                  | AtlasUnavailable         | -                     | Current     | kept            | Healthy
* when Ready, but more is declared now: 5xx      | False AtlasUnavailable         | AtlasUnavailable         | Reconciling           | InProgress  | kept            | Progressing
* when Ready, but a change is refused            | False AtlasRefused             | AtlasRefused             | Reconciling           | InProgress  | kept            | Progressing
* when Ready, and the output is not written      | True Reserved                  | OutputNotWritten         | -                     | Current     | kept            | Healthy
* when Ready, and the API's end is announced     | True Reserved                  | -                        | ApiSunset             | Current     | kept            | Healthy
  INITIATING, and the API's end is announced     | False Connecting               | -                        | Reconciling+ApiSunset | InProgress  | kept            | Progressing
* when Ready, and not reconciled since a change  | True Reserved                  | -                        | -                     | InProgress  | kept on the way | Progressing

* at first: API retired                          | False ApiRetired               | ApiRetired               | Stalled               | Failed      | kept            | Degraded
  at first: instance gone                        | False InstanceNotFound         | InstanceNotFound         | Stalled               | Failed      | kept            | Degraded
* at first: instance migrated                    | False InstanceMigrated         | InstanceMigrated         | Stalled               | Failed      | kept            | Degraded
  when Ready: API retired                        | False ApiRetired               | ApiRetired               | Stalled               | Failed      | kept            | Degraded
* when Ready: instance gone                      | False InstanceNotFound         | InstanceNotFound         | Stalled               | Failed      | kept            | Degraded
  when Ready: instance migrated                  | False InstanceMigrated         | InstanceMigrated         | Stalled               | Failed      | kept            | Degraded
* the spec is invalid                            | False InvalidSpec              | InvalidSpec              | Stalled               | Failed      | kept            | Degraded

* suspended before creation                      | False Suspended                | -                        | Suspended             | InProgress  | kept            | Suspended
* suspended when Ready                           | True Reserved                  | -                        | Suspended             | Current     | kept            | Healthy
  suspended when Ready, and Atlas unavailable    | True Reserved                  | AtlasUnavailable         | Suspended             | Current     | kept            | Healthy
* suspended at INITIATING                        | False Connecting               | -                        | Suspended             | InProgress  | kept            | Suspended
  suspended at FAILED                            | False AtlasFailed              | -                        | Suspended             | InProgress  | kept            | Suspended

* the claim of another cluster                   | False AdoptionRequired         | AdoptionRequired         | Stalled               | Failed      | kept            | Degraded
* the mark of another owner                      | False OwnershipConflict        | OwnershipConflict        | Stalled               | Failed      | kept            | Degraded
* another endpoint carries our mark              | True Reserved                  | Duplicate                | -                     | Current     | kept            | Healthy
* deleted, without credentials                   | False CredentialsNotFound      | CredentialsNotFound      | Reconciling           | Terminating | kept            | Progressing
  deleted, while a claim is open                 | False Deleting                 | -                        | Reconciling           | Terminating | kept            | Progressing
  deleted while suspended                        | False Deleting                 | -                        | Reconciling           | Terminating | kept            | Progressing
";

/// Returns the life that leads to the state of that name.
fn life(state: &str) -> Lived {
    let nothing = json!({});
    let connect = json!({"cloudProviderEndpointId": VPC_ENDPOINT});
    let early = json!({"cloudProviderEndpointId": VPC_ENDPOINT, "readyWhen": "Reserved"});
    let named = json!({"endpointId": ID});
    let suspend = json!({"suspend": true});
    let unlisted = &Listing::NotFetched;
    let none = || Listing::Fetched(Vec::new());
    let awaited = || VpcEndpoint::Awaited("VPCEndpoint orders has no status.vpcEndpointID yet".to_owned());
    let missing = || VpcEndpoint::NotFound("there is no VPCEndpoint orders".to_owned());
    let new = || Lived::new(&nothing);
    let reserved = Lived::reserved;
    let settle = |life: Lived| {
        life.with_memory(|memory| {
            memory.absent = Some((ConfirmedAbsence::Everything, Duration::from_mins(1)));
        })
    };
    if let Some((when, what)) = state.split_once(": ").filter(|(when, _)| *when != "lost") {
        return trouble(when, what);
    }
    match state {
        "not reconciled yet" => new(),
        "create in flight" => new().observe(&none()),
        "an endpoint with our mark was found" => reserved()
            .with_memory(|memory| memory.adopted = Some(Duration::ZERO))
            .observe(&listed("RESERVED")),
        "RESERVED, nothing more declared" => reserved(),
        "RESERVED, service not named yet" => {
            new().observe(&Listing::Fetched(vec![Endpoint { service_name: None, ..endpoint("RESERVED") }]))
        }
        "RESERVED, readyWhen Reserved" => Lived::bound(&early, "RESERVED"),
        "RESERVED, readyWhen Available" => Lived::bound(&json!({"readyWhen": "Available"}), "RESERVED"),
        "RESERVED, VPC endpoint declared" => Lived::bound(&connect, "RESERVED"),
        "RESERVED, reference without an id" => new().refers_to(awaited()).observe(&listed("RESERVED")),
        "RESERVED, reference that leads nowhere" => new().refers_to(missing()).observe(&listed("RESERVED")),
        "RESERVED, VPC endpoint of a lost service" => Lived::new(&connect)
            .annotated(crd::STALE_VPC_ENDPOINT_ID, VPC_ENDPOINT)
            .observe(&listed("RESERVED")),
        "INITIATING" => Lived::bound(&connect, "INITIATING"),
        "INITIATING, readyWhen Reserved" => Lived::bound(&early, "INITIATING"),
        "AVAILABLE" => Lived::bound(&connect, "AVAILABLE"),
        "AVAILABLE with another VPC endpoint" => {
            Lived::bound(&json!({"cloudProviderEndpointId": "vpce-2"}), "AVAILABLE")
        }
        "AVAILABLE, reference lost later" => {
            let found = VpcEndpoint::Declared(VPC_ENDPOINT.parse().unwrap());
            let available = new().refers_to(found).observe(&listed("AVAILABLE"));
            available.refers_to(missing()).observe(&listed("AVAILABLE"))
        }
        "FAILED" => Lived::bound(&connect, "FAILED"),
        "a status that is unknown" => Lived::bound(&nothing, "PENDING_ACCEPTANCE"),
        "DELETING, as the object is deleted" => reserved().deleted().observe(&listed("DELETING")),
        "DELETING, by others" => reserved().observe(&listed("DELETING")),
        "lost: in one listing" => reserved().observe(&none()),
        "lost: in two listings, created again" => settle(reserved()).observe(&none()),
        "lost, and endpointId names it" => settle(Lived::bound(&named, "RESERVED")).observe(&none()),
        "when Ready, but a change is refused" => {
            reserved().edited(&connect).refused(&listed("RESERVED"), FaultKind::Refused)
        }
        "when Ready, and the output is not written" => reserved().unwritten().observe(&listed("RESERVED")),
        "when Ready, and the API's end is announced" => reserved().announced().observe(&listed("RESERVED")),
        "INITIATING, and the API's end is announced" => {
            Lived::new(&connect).announced().observe(&listed("INITIATING"))
        }
        "when Ready, and not reconciled since a change" => reserved().edited(&connect),
        "the spec is invalid" => Lived::new(&json!({"progressDeadline": "soon"})).observe(&none()),
        "suspended before creation" => Lived::new(&suspend).observe(unlisted),
        "suspended when Ready" => reserved().edited(&suspend).observe(unlisted),
        "suspended when Ready, and Atlas unavailable" => {
            reserved().observe(&failed(FaultKind::Unavailable)).edited(&suspend).observe(unlisted)
        }
        "suspended at INITIATING" => Lived::bound(&connect, "INITIATING").edited(&suspend).observe(unlisted),
        "suspended at FAILED" => Lived::bound(&connect, "FAILED").edited(&suspend).observe(unlisted),
        "the claim of another cluster" => {
            let mut life = new();
            life.claim(&Claim {
                token: stranger(),
                nonce: Nonce::from_random([2; 16]),
                uid: "another".to_owned(),
                cluster: "that-cluster".parse().unwrap(),
                replaced: None,
            });
            life.observe(&none())
        }
        "the mark of another owner" => {
            reserved().observe(&Listing::Fetched(vec![endpoint_of(&stranger(), ID, "RESERVED")]))
        }
        "another endpoint carries our mark" => {
            let other = endpoint_of(&token(), "0123456789abcdef00000002", "AVAILABLE");
            reserved().observe(&Listing::Fetched(vec![endpoint("RESERVED"), other]))
        }
        "deleted, without credentials" => {
            reserved().deleted().observe(&failed(FaultKind::CredentialsNotFound))
        }
        "deleted, while a claim is open" => new().observe(&none()).deleted().observe(&none()),
        "deleted while suspended" => {
            reserved().edited(&suspend).observe(unlisted).deleted().observe(&listed("DELETING"))
        }
        "RESERVATION_REQUESTED" => Lived::bound(&nothing, state),
        _ => panic!("{state:?} is no state of this table"),
    }
}

/// The same where Atlas, or the credentials, have a fault.
fn trouble(when: &str, what: &str) -> Lived {
    let connect = json!({"cloudProviderEndpointId": VPC_ENDPOINT});
    let new = || Lived::new(&json!({}));
    let reserved = Lived::reserved;
    let none = || Listing::Fetched(Vec::new());
    let atlas = || match what {
        "INITIATING" => listed("INITIATING"),
        _ => failed(kind(what)),
    };
    match when {
        "at first" if what == "create refused" => new().refused(&none(), FaultKind::Refused),
        "at first" => new().observe(&atlas()),
        "too long" => Lived::new(&connect).observe(&atlas()).overdue().observe(&atlas()),
        "when Ready" => reserved().observe(&atlas()),
        "when Ready, too long" => reserved().observe(&atlas()).overdue().observe(&atlas()),
        "when Ready, for hours" => {
            let life = reserved().observe(&atlas());
            assert!(life.memory.working.is_none(), "an outage is nobody's work: no deadline counts");
            life.observe(&atlas())
        }
        "when Ready, but more is declared now" => reserved().edited(&connect).observe(&atlas()),
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

/// Returns the table.
pub(crate) fn table() -> HealthTable {
    HealthTable { subject: "the endpoint", rows: TABLE }
}

#[tokio::test]
async fn every_tool_shows_every_state_as_in_the_table() {
    let objects: Vec<_> = table().states().iter().map(|state| life(state).object).collect();
    table().check(&objects).await;
}

#[test]
fn every_status_word_has_a_row() {
    let states = table().states();
    for word in EndpointStatus::KNOWN.iter().filter_map(EndpointStatus::known) {
        let is_about_it = |state: &String| state.split([' ', ',']).next() == Some(word);
        assert!(states.iter().any(is_about_it), "the table has no row about {word}");
    }
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
