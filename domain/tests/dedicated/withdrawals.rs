//! What one response or one fault does not take back, and what two responses do.

use domain::dedicated::cluster::ClusterName;
use domain::dedicated::decide::decide;
use domain::dedicated::endpoint::ConnectionStatus;
use domain::dedicated::life::Provenance;
use domain::dedicated::observed::{ConnectionStrings, Listing, Observed, ServiceRef, Shown, Subject};
use domain::dedicated::service::ServiceStatus;
use domain::dedicated::status::{Fields, report};
use domain::fault::{Fault, FaultKind};
use domain::reference::DeclaredEndpoint;
use domain::status::{Condition, ConditionType, Reason, Reported, ReportedCondition};

use crate::fixtures::*;

fn shown(o: &mut Observed) -> &mut Shown {
    let Listing::Fetched(shown) = &mut o.listing else { panic!("it is listed") };
    shown
}

fn fault() -> Fault {
    Fault::new(FaultKind::Unavailable, "HTTP 503")
}

fn condition(o: &Observed, kind: ConditionType) -> (bool, Reason) {
    let report = report(o, &decide(o));
    let found = report.get(kind).unwrap();
    (found.status, found.reason)
}

/// The status shows what was observed.
fn publish(o: &mut Observed) {
    let as_shown = |condition: &Condition| ReportedCondition {
        kind: condition.kind,
        status: condition.status,
        reason: Some(condition.reason),
        message: condition.message.to_string(),
    };
    let conditions = report(o, &decide(o)).conditions.iter().map(as_shown).collect();
    o.object.reported = Reported { conditions, current: true };
    assert_eq!(condition(o, ConditionType::Ready), (true, Reason::Available));
}

/// The next listing, later than G, shows the same.
fn confirm(o: &mut Observed) {
    let doubt = decide(o).doubt;
    o.memory.doubt = doubt.map(|doubt| (doubt, o.times.confirm_gap));
}

/// An endpoint that is connected and reported so, with the strings of these clusters.
fn connected(clusters: &[&str]) -> Observed {
    let mut o = endpoint();
    record(&mut o, of_endpoint(1), Provenance::Created);
    show(&mut o, &[(1, ConnectionStatus::Available)]);
    for name in clusters {
        let strings = vec![ConnectionStrings {
            kind: "MONGOD".to_owned(),
            standard: None,
            srv: Some(format!("mongodb+srv://{name}")),
            srv_shard_optimized: None,
        }];
        let name: ClusterName = name.parse().unwrap();
        o.spec.as_mut().unwrap().clusters.push(name.clone());
        shown(&mut o).clusters.insert(name.clone(), Ok(Some(strings.clone())));
        o.object.strings.insert(name, strings);
    }
    publish(&mut o);
    o
}

#[test]
fn an_endpoint_that_cannot_be_read_keeps_all_its_conditions() {
    use ConditionType as C;
    let mut o = connected(&["orders"]);
    shown(&mut o).endpoints.insert(of_endpoint(1), Err(fault()));
    shown(&mut o).clusters.clear();
    for kind in [C::Ready, C::ServiceReady, C::EndpointConnected, C::ConnectionStringsReady] {
        assert_eq!(condition(&o, kind), (true, Reason::Available), "{kind}");
    }
}

#[test]
fn an_endpoint_whose_service_object_is_missing_keeps_its_strings_and_says_so() {
    let mut o = connected(&["orders"]);
    let Subject::Endpoint { service, .. } = &mut o.subject else { panic!("it is an endpoint") };
    *service = ServiceRef::Missing { object: "PrivateEndpointService team-a/s".to_owned(), known: None };
    o.listing = Listing::NotFetched;
    assert_eq!(report(&o, &decide(&o)).fields, Fields::Kept);
    assert_eq!(condition(&o, ConditionType::ConnectionStringsReady), (true, Reason::Available));
}

#[test]
fn nothing_that_was_true_of_another_manifest_is_reported_of_this_one_during_an_outage() {
    let edited = |edit: fn(&mut Observed)| {
        let mut o = connected(&["orders"]);
        edit(&mut o);
        (o.object.reported.current, o.listing) = (false, Listing::Failed(fault()));
        [ConditionType::EndpointConnected, ConditionType::ConnectionStringsReady]
            .map(|kind| condition(&o, kind).0)
    };
    assert_eq!(edited(|o| o.spec.as_mut().unwrap().break_before_make = true), [true, true]);
    assert_eq!(
        edited(|o| o.spec.as_mut().unwrap().clusters.push("other".parse().unwrap())),
        [true, false],
        "another cluster"
    );
    let another = edited(|o| {
        let Subject::Endpoint { endpoint, .. } = &mut o.subject else { panic!("it is an endpoint") };
        *endpoint = declared(2);
    });
    assert_eq!(another, [false, false], "another endpoint");
}

#[test]
fn a_cluster_that_cannot_be_read_does_not_hide_that_another_has_no_strings() {
    for names in [["a", "b"], ["b", "a"]] {
        let mut o = connected(&names);
        shown(&mut o).clusters.insert("a".parse().unwrap(), Err(fault()));
        assert_eq!(condition(&o, ConditionType::Ready), (true, Reason::Available));
        shown(&mut o).clusters.insert("b".parse().unwrap(), Ok(None));
        confirm(&mut o);
        assert_eq!(condition(&o, ConditionType::Ready), (false, Reason::AwaitingConnectionString));
    }
}

#[test]
fn what_is_being_removed_is_reported_once_two_listings_say_so() {
    let mut of_service = service();
    record(&mut of_service, crate::fixtures::of_service(1), Provenance::Created);
    show_service(&mut of_service, ServiceStatus::Available);
    publish(&mut of_service);
    show_service(&mut of_service, ServiceStatus::Deleting);
    let mut of_endpoint = connected(&["orders"]);
    show(&mut of_endpoint, &[(1, ConnectionStatus::Deleting)]);
    for mut o in [of_service, of_endpoint] {
        assert!(report(&o, &decide(&o)).unchanged);
        confirm(&mut o);
        assert_eq!(condition(&o, ConditionType::Ready), (false, Reason::BeingRemoved));
    }
}

#[test]
fn an_endpoint_that_is_not_ready_loses_its_strings_only_by_two_listings() {
    let mut o = connected(&["orders"]);
    o.spec.as_mut().unwrap().clusters.push("other".parse().unwrap());
    o.object.reported.conditions[0].status = false;
    for status in [ConnectionStatus::Pending, ConnectionStatus::Rejected, ConnectionStatus::Deleting] {
        show(&mut o, &[(1, status.clone())]);
        o.memory.doubt = None;
        assert!(report(&o, &decide(&o)).unchanged, "{status}");
        confirm(&mut o);
        let Fields::Endpoint(_, strings) = report(&o, &decide(&o)).fields else { panic!("it is shown") };
        assert!(strings.is_empty(), "{status}");
    }
}

#[test]
fn an_endpoint_whose_reference_leads_nowhere_is_lost_by_two_listings() {
    let why = || "there is none".to_owned();
    for (declared, reason) in [
        (DeclaredEndpoint::Awaited(why()), Reason::AwaitingVpcEndpoint),
        (DeclaredEndpoint::NotFound(why()), Reason::ReferenceNotFound),
    ] {
        let mut o = connected(&["orders"]);
        let Subject::Endpoint { endpoint, .. } = &mut o.subject else { panic!("it is an endpoint") };
        *endpoint = declared;
        assert_eq!(condition(&o, ConditionType::Ready), (false, reason));
        assert_eq!(report(&o, &decide(&o)).fields, Fields::Kept, "it serves on");
        for lacks_service in [false, true] {
            show(&mut o, &[]);
            if lacks_service {
                shown(&mut o).services.clear();
            }
            o.memory.doubt = None;
            assert!(report(&o, &decide(&o)).unchanged, "{reason:?}");
            confirm(&mut o);
            assert_eq!(report(&o, &decide(&o)).fields, Fields::Withdrawn, "{reason:?}");
        }
    }
}
