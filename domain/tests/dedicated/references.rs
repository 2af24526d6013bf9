//! An endpoint that its object names by a reference is not known to others before the reference is resolved.

use std::time::Duration;

use domain::dedicated::life::{Life, Sort};
use domain::dedicated::names::{Declares, Names, ObjectName, ObjectNames, Rivalry, ServiceName};
use domain::times::Times;

use crate::fixtures::of_endpoint;
use crate::objects::KindAndName;
use crate::world::{cloud_id, pe, service_key};

const NOW: Duration = Duration::from_secs(1000);

/// An endpoint object at the service; `None`: by a reference.
fn named(name: &str, id: Option<u32>, records: Vec<Life>) -> ObjectNames {
    ObjectNames {
        object: ObjectName { namespace: "team-a".to_owned(), name: name.to_owned() },
        uid: format!("uid of {name}"),
        version: Some(1),
        created: 1,
        is_deleting: !records.is_empty(),
        is_observing: false,
        declares: Declares::Endpoint(ServiceName::Key(service_key()), id.map(cloud_id)),
        records,
        claim: None,
        offer: None,
    }
}

/// A deleted object that records an endpoint, beside a living one that has a reference.
fn beside_a_reference() -> (Names, KindAndName, KindAndName) {
    let mut names = Names::default();
    let (deleted, living) = (pe("deleted"), pe("living"));
    names.record(Sort::Endpoint, &deleted.token(), named("deleted", Some(1), vec![of_endpoint(1)]), NOW);
    names.record(Sort::Endpoint, &living.token(), named("living", None, Vec::new()), NOW);
    (names, deleted, living)
}

fn rivalry(names: &Names, of: &KindAndName) -> Rivalry {
    let lives = [of_endpoint(1)];
    let others =
        names.others(Sort::Endpoint, &of.token(), "uid of deleted", &lives, (&Times::default(), NOW));
    let [(_, rivalry)] = &others.recorded[..] else { panic!("not one endpoint: {others:?}") };
    rivalry.clone()
}

#[test]
fn nothing_is_deleted_that_an_unresolved_reference_may_name() {
    let (mut names, deleted, living) = beside_a_reference();
    assert!(rivalry(&names, &deleted).busy.is_some(), "it is waited for");
    names.resolved(&living.token(), Some(&cloud_id(1)), NOW);
    let resolved = rivalry(&names, &deleted);
    assert!(resolved.heir.is_some() && resolved.busy.is_none(), "{resolved:?}");
}

#[test]
fn a_reference_to_something_else_or_to_nothing_hinders_no_deletion() {
    for resolved in [None, Some(cloud_id(2))] {
        let (mut names, deleted, living) = beside_a_reference();
        names.resolved(&living.token(), resolved.as_ref(), NOW);
        assert_eq!(rivalry(&names, &deleted), Rivalry::default());
    }
}

#[test]
fn another_object_of_the_name_has_to_be_resolved_again() {
    let (mut names, deleted, living) = beside_a_reference();
    names.resolved(&living.token(), None, NOW);
    names.remove(Sort::Endpoint, &living.token(), NOW);
    let again = ObjectNames { uid: "another uid".to_owned(), ..named("living", None, Vec::new()) };
    names.record(Sort::Endpoint, &living.token(), again, NOW);
    assert!(rivalry(&names, &deleted).busy.is_some());
}
