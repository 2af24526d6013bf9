//! The client against a simulator that misbehaves: all of its terminations and malformed responses.

use std::collections::BTreeSet;
use std::time::Duration;

use atlas::{ListResponse, Update as Change, WriteResult};
use atlas_simulator as sim;
use atlas_simulator::{InjectedFault, Malformed, Rule, Settings, Simulator, Termination};
use domain::fault::FaultKind;
use domain::serverless::endpoint::Instance;

use super::simulated::{api_key, at, client, created};

/// Every termination of the simulator, with the class of error that a read gets.
fn endings() -> Vec<(Termination, FaultKind)> {
    use FaultKind::*;
    vec![
        (Termination::Cut, Unavailable),
        (Termination::Hang, Unavailable),
        (Termination::CutInBody, Unavailable),
        (Termination::NotServerless, NotServerless),
        (Termination::InvalidAttribute, Refused),
        (Termination::MissingAttribute, Refused),
        (Termination::CommentTooLong, Refused),
        (Termination::Unauthenticated, Unauthorized),
        (Termination::UserUnauthorized, Unauthorized),
        (Termination::NotInGroup, Unauthorized),
        (Termination::PaymentRequired, Refused),
        (Termination::AccessForbidden, Forbidden),
        (Termination::IpNotOnAccessList, Forbidden),
        (Termination::OrgRequiresAccessList, Forbidden),
        (Termination::GroupNotFound, NoAccess),
        (Termination::InvalidGroupId, NoAccess),
        (Termination::ClusterNotFound, InstanceNotFound),
        (Termination::ServerlessInstanceNotFound, InstanceNotFound),
        (Termination::EndpointNotFound(404), EndpointNotFound),
        (Termination::EndpointNotFound(400), EndpointNotFound),
        (Termination::HtmlNotFound, Unavailable),
        (Termination::UnexpectedNotFound, NoAccess),
        (Termination::Maintenance, Unavailable),
        (Termination::Conflict, Refused),
        (Termination::VersionGone, Retired),
        (Termination::RateLimited { retry_after: Some("7".to_owned()) }, RateLimited),
        (Termination::RateLimited { retry_after: None }, RateLimited),
        (Termination::RateLimitedUntil { seconds: 5 }, RateLimited),
        (Termination::ServerError, Unavailable),
        (Termination::BadGateway, Unavailable),
        (Termination::HtmlUnavailable, Unavailable),
        (Termination::Unavailable { retry_after: Some("7".to_owned()) }, Unavailable),
        (Termination::GatewayTimeout, Unavailable),
        (Termination::Redirect { status: 307, location: "http://127.0.0.1:9/".to_owned() }, Unavailable),
    ]
}

#[tokio::test]
async fn every_ending_has_its_class() {
    let atlas = Simulator::start(Settings::default()).await.unwrap();
    let client = client(&atlas, api_key(), |settings| settings.timeout = Duration::from_secs(2));
    for (ending, kind) in endings() {
        atlas.clear_rules();
        atlas.inject(Rule::always(InjectedFault::NotExecuted(ending.clone())).of([sim::Operation::List]));
        let error = client.list(&at()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{ending:?}: {error}");
    }
}

#[tokio::test]
async fn a_create_that_is_called_refused_was_never_executed() {
    let atlas = Simulator::start(Settings::default()).await.unwrap();
    let client = client(&atlas, api_key(), |settings| settings.timeout = Duration::from_secs(2));
    let mut seen = BTreeSet::new();
    for (ending, kind) in endings() {
        // Atlas itself never rejects a create that it executed; an intermediary may return anything.
        let by_atlas = kind != FaultKind::Unavailable || ending == Termination::Maintenance;
        for fault in [InjectedFault::NotExecuted(ending.clone()), InjectedFault::Executed(ending.clone())] {
            if by_atlas && matches!(fault, InjectedFault::Executed(_)) {
                continue;
            }
            atlas.clear_rules();
            let before = atlas.executed(sim::Operation::Create);
            atlas.inject(Rule::always(fault.clone()).of([sim::Operation::Create]));
            let creation = client.create(&at(), "c", || true).await;
            let executed = atlas.executed(sim::Operation::Create) - before;
            match &creation {
                WriteResult::Refused(_) => assert!(by_atlas && executed == 0, "{fault:?}: {creation:?}"),
                WriteResult::Uncertain(_) => assert!(!by_atlas && executed <= 1, "{fault:?}: {creation:?}"),
                WriteResult::Executed(_) => panic!("{fault:?}: {creation:?}"),
            }
            seen.insert((matches!(creation, WriteResult::Refused(_)), executed));
        }
    }
    assert_eq!(seen, BTreeSet::from([(true, 0), (false, 0), (false, 1)]));
}

#[tokio::test]
async fn a_stale_nonce_is_no_refusal_and_the_post_is_executed_once() {
    let atlas = Simulator::start(Settings::default()).await.unwrap();
    let client = client(&atlas, api_key(), |_| {});
    client.list(&at()).await.unwrap();
    // In a row: the second one strikes a nonce that was issued to this very call, and may be another gateway's.
    for (stale, requests) in [(1, 2), (2, 4)] {
        let fault = InjectedFault::NotExecuted(Termination::StaleNonce);
        atlas.clear_journal();
        atlas.inject(Rule::next_of(sim::Operation::Create, fault).times(Some(stale)));
        created(&client, "c").await;
        assert_eq!(atlas.executed(sim::Operation::Create), 1);
        assert_eq!(atlas.count(|entry| entry.is(sim::Operation::Create)), requests);
    }
}

#[tokio::test]
async fn an_odd_listing_is_the_whole_listing_or_an_error() {
    let atlas = Simulator::start(Settings::default()).await.unwrap();
    let client = client(&atlas, api_key(), |_| {});
    for comment in ["one", "two", "three"] {
        created(&client, comment).await;
    }
    for (oddity, is_readable) in [
        (Malformed::Truncated, false),
        (Malformed::Empty, false),
        (Malformed::Oversized, false),
        (Malformed::Binary, false),
        (Malformed::Html, false),
        (Malformed::NoId, false),
        (Malformed::PlainText, true),
        (Malformed::Status("PENDING_ACCEPTANCE".to_owned()), true),
        (Malformed::NoStatus, true),
        (Malformed::ExtraFields, true),
        (Malformed::NoNulls, true),
        (Malformed::JunkVpcEndpoint, true),
        (Malformed::PagedList, true),
        (Malformed::Accepted, true),
        (Malformed::Deprecated, true),
    ] {
        atlas.inject(Rule::next_of(sim::Operation::List, InjectedFault::Shown(oddity.clone())));
        match client.list(&at()).await {
            Ok(ListResponse { endpoints, sunset }) => {
                let comments: Vec<_> = endpoints.iter().map(|endpoint| endpoint.comment.as_str()).collect();
                assert!(is_readable && comments == ["one", "two", "three"], "{oddity:?}: {comments:?}");
                let day = sunset.map(|sunset| sunset.day);
                let announced = Some(Some("2026-01-15".to_owned()));
                assert_eq!(day, announced.filter(|_| oddity == Malformed::Deprecated), "{oddity:?}");
            }
            Err(error) => {
                assert!(!is_readable && error.kind() == FaultKind::Unavailable, "{oddity:?}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn an_odd_response_to_a_create_is_the_endpoint_or_uncertain() {
    let atlas = Simulator::start(Settings::default()).await.unwrap();
    let client = client(&atlas, api_key(), |_| {});
    for oddity in [
        Malformed::Truncated,
        Malformed::Empty,
        Malformed::Oversized,
        Malformed::Binary,
        Malformed::Html,
        Malformed::NoId,
    ] {
        atlas.inject(Rule::next_of(sim::Operation::Create, InjectedFault::Shown(oddity.clone())));
        let creation = client.create(&at(), "c", || true).await;
        assert!(matches!(creation, WriteResult::Uncertain(_)), "{oddity:?}: {creation:?}");
    }
    for oddity in [
        Malformed::PlainText,
        Malformed::NoStatus,
        Malformed::ExtraFields,
        Malformed::NoNulls,
        Malformed::Accepted,
        Malformed::Deprecated,
    ] {
        atlas.inject(Rule::next_of(sim::Operation::Create, InjectedFault::Shown(oddity.clone())));
        created(&client, "c").await;
    }
}

#[tokio::test]
async fn an_instance_that_is_no_serverless_one_any_more_says_so() {
    let atlas = Simulator::start(Settings::default()).await.unwrap();
    let client = client(&atlas, api_key(), |_| {});
    for (kind, code) in [
        (sim::InstanceKind::Flex, "NOT_SERVERLESS_TENANT_CLUSTER"),
        (sim::InstanceKind::Dedicated, "CANNOT_USE_CLUSTER_IN_SERVERLESS_INSTANCE_API"),
    ] {
        atlas.configure(|settings| {
            let instances = settings.projects.get_mut(sim::DEFAULT_PROJECT).unwrap();
            instances.insert(sim::DEFAULT_INSTANCE.to_owned(), kind);
        });
        let error = client.list(&at()).await.unwrap_err();
        assert_eq!((error.kind(), error.error_code()), (FaultKind::NotServerless, Some(code)));
    }
    let nowhere = Instance { name: "nowhere".parse().unwrap(), ..at() };
    assert_eq!(client.list(&nowhere).await.unwrap_err().kind(), FaultKind::InstanceNotFound);
}

/// The catalogue's rules for requests, from the client's side: a read gets an error for the fault, or it is harmless.
#[tokio::test]
async fn every_fault_of_the_catalogue_is_parsed_or_an_error_that_names_the_attempt() {
    use sim::Operation::{Create, Delete, GetInstance, List, Update};
    let settings = Settings::at_pace(sim::Pace::of(Duration::ZERO));
    let atlas = Simulator::start(settings).await.unwrap();
    let client = client(&atlas, api_key(), |settings| settings.timeout = Duration::from_secs(1));
    for known in sim::catalogue() {
        let sim::How::Requests { on, .. } = known.how else { continue };
        for operation in on.iter().copied() {
            atlas.clear_rules();
            let id = created(&client, "c").await.id;
            for rule in known.rules(&[operation]) {
                atlas.inject(rule);
            }
            let change = Change { comment: Some("d".to_owned()), ..Change::default() };
            let error = match operation {
                List => client.list(&at()).await.err(),
                GetInstance => client.instance(&at()).await.err(),
                Update => client.update(&at(), &id, &change).await.err(),
                Delete => client.delete(&at(), &id).await.err(),
                Create => match client.create(&at(), "c", || true).await {
                    WriteResult::Executed(_) => None,
                    WriteResult::Refused(error) | WriteResult::Uncertain(error) => Some(error),
                },
                _ => continue,
            };
            if let Some(error) = error {
                let message = error.to_string();
                assert!(
                    message.starts_with("failed to ") && message.contains("; "),
                    "{}: {message}",
                    known.name
                );
                let responded = message.contains("HTTP ");
                let code = error.error_code().is_none_or(|code| message.contains(code));
                assert!(!responded || code, "{}: {message}", known.name);
            }
        }
    }
}
