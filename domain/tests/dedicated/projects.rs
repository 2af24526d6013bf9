//! An endpoint that is recorded in another project than the one that its object refers to now: no listing shows it, so that nothing is
//! concluded from its absence.

use domain::dedicated::decide::decide;
use domain::dedicated::decision::{Deleting, State, Step};
use domain::dedicated::endpoint::ConnectionStatus;
use domain::dedicated::life::{Entry, Provenance};
use domain::dedicated::observed::{Deletion, Observed};
use domain::dedicated::status::report;
use domain::status::{ConditionType, Reason};

use crate::fixtures::*;
use crate::world::service_key;

/// Endpoint `number`, created by the object in project `letter`.
fn created_in(letter: &str, number: u32) -> Entry {
    let project = Some(letter.repeat(24).parse().unwrap());
    Entry { project, ..entry(of_endpoint(number), Provenance::Created) }
}

fn deleted(entries: Vec<Entry>) -> Observed {
    let mut o = endpoint();
    o.object.is_deleting = true;
    o.object.entries = entries;
    o
}

#[test]
fn a_deleted_object_does_not_take_it_for_gone() {
    let o = deleted(vec![created_in("b", 1)]);
    let decision = decide(&o);
    assert_eq!(decision.step, Step::Rest);
    assert!(matches!(decision.state, State::Deleting(Deleting::Unreachable(_))), "{decision:?}");
    let report = report(&o, &decision);
    let ready = report.get(ConditionType::Ready).unwrap();
    assert_eq!((ready.status, ready.reason), (false, Reason::ServiceNotFound));
    let message = ready.message.to_string();
    for part in ["b".repeat(24), service_key().services.project.to_string(), "'Retain'".to_owned()] {
        assert!(message.contains(&part), "{message}");
    }
}

#[test]
fn retain_leaves_it_and_what_is_in_reach_is_deleted_first() {
    let mut o = deleted(vec![created_in("b", 1)]);
    o.spec.as_mut().unwrap().deletion = Some(Deletion::Retain);
    assert_eq!(decide(&o).step, Step::Release);

    let mut o = deleted(vec![created_in("b", 1), created_in("a", 2)]);
    show(&mut o, &[(2, ConnectionStatus::Available)]);
    assert_eq!(decide(&o).step.name(), "claim a delete");
}

#[test]
fn a_living_object_removes_none_in_another_project() {
    for breaks in [false, true] {
        let mut o = endpoint();
        o.spec.as_mut().unwrap().break_before_make = breaks;
        o.object.entries = vec![created_in("b", 2)];
        let step = decide(&o).step;
        assert_eq!(step.name(), "claim a create", "the declared endpoint is registered: {step:?}");
        show(&mut o, &[(1, ConnectionStatus::Available)]);
        o.object.entries.insert(0, created_in("a", 1));
        let decision = decide(&o);
        assert_eq!(decision.step, Step::Rest);
        assert_eq!(report(&o, &decision).entries.len(), 2, "it stays recorded");
    }
}

#[test]
fn the_project_of_what_an_earlier_version_recorded_is_added() {
    let mut o = endpoint();
    show(&mut o, &[(1, ConnectionStatus::Available)]);
    record(&mut o, of_endpoint(1), Provenance::Created);
    record(&mut o, of_endpoint(2), Provenance::Created);
    for entry in &mut o.object.entries {
        entry.project = None;
    }
    let report = report(&o, &decide(&o));
    let projects: Vec<_> = report.entries.iter().map(|entry| entry.project.clone()).collect();
    assert_eq!(projects, [Some(service_key().services.project), None], "of what is listed");
}

#[test]
fn what_is_recorded_says_its_project() {
    let mut o = endpoint();
    show(&mut o, &[(1, ConnectionStatus::Available)]);
    let Step::Record(found, _) = decide(&o).step else { panic!("it is adopted") };
    assert_eq!(found.project, Some(service_key().services.project));
}
