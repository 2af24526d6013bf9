//! Strings that leave the rules: reasons, events, and the spelling of ids and faults.

use domain::backoff;
use domain::fault::FaultKind;
use domain::reference::VpcEndpoint;
use domain::serverless::decide::decide;
use domain::serverless::decision::{Origin, ReleaseReason, Step};
use domain::serverless::endpoint::{EndpointId, EndpointStatus, Instance};
use domain::serverless::event::{Announced, of_change, of_step};
use domain::serverless::observed::{Listing, Observed, ReadyWhen};
use domain::serverless::status::{Report, report};
use domain::status::EventDraft;
use domain::status::Reported;
use domain::status::{ConditionType, EventReason, Reason};
use domain::token::{ClusterId, Token};

use invariants::fixtures::{
    Mark, cluster, endpoint, fault, id, nonce, observed, secs, shown, shown_conditions, token, vpce,
};

#[test]
fn every_word_is_found_by_its_spelling_and_explained() {
    for reason in Reason::ALL {
        assert_eq!(Reason::parse(&reason.to_string()), Some(*reason));
        assert!(reason.meaning().ends_with('.'), "{reason}");
    }
    assert_eq!(Reason::parse("Nothing"), None);
    assert_eq!(ConditionType::parse("Ready"), Some(ConditionType::Ready));
    assert_eq!(EventReason::AtlasUnauthorized.as_str(), "AtlasUnauthorized");
}

#[test]
fn ids_and_faults_are_written_as_they_came() {
    let text = "5f7cac1adf5d6c6306f4b283";
    let instance = Instance { project: text.parse().unwrap(), name: "orders".parse().unwrap() };
    assert_eq!(instance.to_string(), format!("{text}/orders"));
    assert_eq!(EndpointStatus::from("RESERVED").to_string(), "RESERVED");
    assert_eq!((cluster().as_str(), cluster().to_string().as_str()), ("this-cluster", "this-cluster"));
    assert_eq!(token().as_str(), token().to_string());
    assert_eq!(fault(FaultKind::Refused).to_string(), "Atlas says Refused");
    assert_eq!(nonce(0).as_str(), "a".repeat(26));
    let error = "x".parse::<EndpointId>().unwrap_err();
    assert_eq!(error.to_string(), "expected an endpoint id (24 hexadecimal digits), found \"x\"");
}

#[test]
fn a_cluster_id_and_a_token_are_what_they_promise_or_refused() {
    let long = "x".repeat(64);
    for bad in ["", "a/b", "ä", long.as_str()] {
        assert!(bad.parse::<ClusterId>().is_err(), "{bad:?}");
    }
    for good in ["c", "A.b_c-9", &long[1..]] {
        assert_eq!(good.parse::<ClusterId>().unwrap().as_str(), good);
    }
    for bad in ["", "aaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaa1", "AAAAAAAAAAAAAAAA"] {
        assert!(bad.parse::<Token>().is_err(), "{bad:?}");
    }
}

pub(crate) fn reported(o: &Observed) -> Report {
    report(o, &decide(o))
}

/// Returns the status after `report` was published.
pub(crate) fn published(report: &Report) -> Reported {
    Reported { conditions: shown_conditions(report), current: true }
}

pub(crate) fn events(before: &Reported, o: &Observed) -> Vec<(EventReason, bool)> {
    let (decision, before) = (decide(o), Announced::by_status(before));
    of_change(before, o, &decision.step, &report(o, &decision))
        .iter()
        .map(|notice| (notice.reason, notice.warning))
        .collect()
}

#[test]
fn each_transition_has_one_event() {
    let nothing = Reported::default();
    assert_eq!(events(&nothing, &shown("RESERVATION_REQUESTED")), []);
    let service = (EventReason::EndpointServiceReserved, false);
    let available = (EventReason::EndpointAvailable, false);
    let failed = (EventReason::EndpointFailed, true);
    assert_eq!(events(&nothing, &shown("RESERVED")), [service]);
    assert_eq!(events(&nothing, &shown("AVAILABLE")), [service, available]);
    assert_eq!(events(&nothing, &shown("FAILED")), [service, failed]);
    for status in ["RESERVED", "AVAILABLE", "FAILED"] {
        assert_eq!(events(&published(&reported(&shown(status))), &shown(status)), [], "{status}");
    }
    let reserved = published(&reported(&shown("RESERVED")));
    assert_eq!(events(&reserved, &shown("AVAILABLE")), [available]);
    assert_eq!(events(&reserved, &shown("FAILED")), [failed]);
    // A fault is reported in one event, though Ready and Synced both show it.
    let mut unreachable = shown("AVAILABLE");
    unreachable.listing = Listing::Failed(fault(FaultKind::Unauthorized));
    let connected = published(&reported(&shown("AVAILABLE")));
    assert_eq!(events(&connected, &unreachable), [(EventReason::AtlasUnauthorized, true)]);
    assert_eq!(events(&published(&reported(&unreachable)), &unreachable), []);
    let reserved = shown("RESERVED");
    let service = of_change(Announced::default(), &reserved, &Step::Rest, &reported(&reserved));
    assert!(service[0].message.contains("vpce-svc-1"), "{service:?}");
}

#[test]
fn each_step_that_a_person_should_know_of_has_an_event() {
    let record = |origin| Step::Record { endpoint: endpoint(1, Mark::Ours, "RESERVED"), origin };
    let update = |comment: Option<&str>, vpc_endpoint| Step::Update {
        id: id(1),
        comment: comment.map(str::to_owned),
        vpc_endpoint,
    };
    for (step, expected) in [
        (record(Origin::Created), Some((EventReason::EndpointCreated, false))),
        (record(Origin::Adopted), Some((EventReason::EndpointAdopted, false))),
        (record(Origin::Named), Some((EventReason::EndpointAdopted, false))),
        (update(None, Some(vpce(1))), Some((EventReason::VpcEndpointAttached, false))),
        (update(Some("orders"), Some(vpce(1))), Some((EventReason::VpcEndpointAttached, false))),
        (update(Some("orders"), None), Some((EventReason::CommentWritten, false))),
        (update(None, None), None),
        (Step::Delete { id: id(1), excess: true }, Some((EventReason::ExcessEndpointDeleted, true))),
        (Step::Delete { id: id(1), excess: false }, None),
        (Step::Release(ReleaseReason::Deleted), Some((EventReason::EndpointDeleted, false))),
        (Step::Release(ReleaseReason::Retained), Some((EventReason::EndpointRetained, false))),
        (Step::List, None),
        (Step::Rest, None),
    ] {
        let notice: Option<EventDraft> = of_step(&step, &shown("RESERVED"));
        assert!(notice.as_ref().is_none_or(|notice| !notice.message.is_empty()));
        assert_eq!(notice.map(|notice| (notice.reason, notice.warning)), expected, "{step:?}");
    }
    let mut observing = shown("RESERVED");
    observing.spec.as_mut().unwrap().observe = true;
    let event = of_step(&record(Origin::Named), &observing).unwrap();
    assert_eq!((event.reason, event.warning), (EventReason::EndpointObserved, false));
}

#[test]
fn a_user_who_has_to_create_a_vpc_endpoint_gets_command_and_service() {
    let mut waiting = shown("RESERVED");
    waiting.spec.as_mut().unwrap().ready_when = Some(ReadyWhen::Available);
    let mut stale = shown("RESERVED");
    stale.spec.as_mut().unwrap().vpc_endpoint = VpcEndpoint::Declared(vpce(2));
    stale.object.stale_vpc_endpoint = Some(vpce(2));
    for o in [waiting, stale] {
        let message = &reported(&o).conditions[0].message;
        for word in
            ["aws ec2 create-vpc-endpoint ", " --service-name com.amazonaws.vpce.us-east-1.vpce-svc-1 "]
        {
            assert!(message.contains(word), "{word} is not in {message}");
        }
    }
}

#[test]
fn only_ready_and_reconciling_end_in_a_time_and_only_while_there_is_one() {
    let mut settling = observed();
    settling.listing = Listing::Fetched(Vec::new());
    let report = reported(&settling);
    assert_eq!(report.after, Some(settling.times.uncertainty));
    assert_eq!(reported(&shown("AVAILABLE")).after, None);
    for kind in ConditionType::ALL {
        let dated = matches!(kind, ConditionType::Ready | ConditionType::Reconciling);
        assert_eq!(kind.is_dated(), dated, "{kind}");
    }
}

#[test]
fn trouble_beside_the_endpoint_is_reported_only_where_nothing_is_worse() {
    let reasons = |o: &Observed| {
        let mut report = reported(o);
        report.set_synced_false(Reason::OutputNotWritten, "the ConfigMap is another's".to_owned());
        (report.conditions[0].reason, report.get(ConditionType::Synced).unwrap().reason)
    };
    assert_eq!(reasons(&shown("AVAILABLE")), (Reason::Available, Reason::OutputNotWritten));
    let mut unreachable = shown("AVAILABLE");
    unreachable.listing = Listing::Failed(fault(FaultKind::Unavailable));
    assert_eq!(reasons(&unreachable), (Reason::AtlasUnavailable, Reason::AtlasUnavailable));
}

#[test]
fn pauses_are_as_long_as_they_say() {
    assert_eq!(backoff::poll(1, secs(4), secs(60)), secs(6));
    assert_eq!(backoff::retry(0, 1.0), secs(1));
    assert_eq!(backoff::retry(3, 0.0), secs(4));
    assert_eq!(backoff::retry(3, 0.5), secs(6));
    assert_eq!(backoff::spread(secs(100), 0.5), secs(100));
    assert_eq!(backoff::spread(secs(100), 1.0), secs(120));
}
