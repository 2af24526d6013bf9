//! Objects in the index of names that no watch shows: they count until a read shows that they are gone.

use std::time::Duration;

use domain::dedicated::life::Sort::{Endpoint, Service};
use domain::dedicated::names::{Declares, Names, ObjectNames, ServiceName};
use domain::times::Times;

use crate::objects::KindAndName;
use crate::world::{cloud_id, pe, pes, service_key};

const NOW: Duration = Duration::from_secs(1000);

fn named(key: &KindAndName, created: i64, declares: Declares) -> ObjectNames {
    ObjectNames {
        object: key.names.clone(),
        uid: format!("uid of {}", key.names.name),
        version: Some(1),
        created,
        is_deleting: false,
        is_observing: false,
        declares,
        records: Vec::new(),
        claim: None,
        offer: None,
    }
}

fn service(name: &str, created: i64) -> (KindAndName, ObjectNames) {
    let key = pes(name);
    let names = named(&key, created, Declares::Service(service_key()));
    (key, names)
}

/// Returns whether `main` has an older rival, and its users.
fn others_of_main(names: &Names) -> (bool, Vec<String>) {
    let times = Times::default();
    let others = names.others(Service, &pes("main").token(), "uid of main", &[], (&times, NOW));
    (others.declared.older.is_some(), others.users)
}

#[test]
fn a_rival_that_left_its_watch_counts_until_it_is_gone() {
    let (mut names, (main, of_main), (rival, of_rival)) =
        (Names::default(), service("main", 2), service("rival", 1));
    names.record(Service, &main.token(), of_main, NOW);
    names.record(Service, &rival.token(), of_rival.clone(), NOW);
    assert!(names.followed(Service).is_empty());
    names.left(Service, &rival.token());
    assert_eq!(names.followed(Service), std::slice::from_ref(&rival.names));
    assert!(others_of_main(&names).0);
    assert!(names.remove_unwatched(Service, &rival.token(), "another uid", NOW).is_empty());
    assert!(others_of_main(&names).0, "the read was of an earlier object");
    let affected = names.remove_unwatched(Service, &rival.token(), &of_rival.uid, NOW);
    assert_eq!(affected, [(Service, main.names)]);
    assert!(!others_of_main(&names).0 && names.followed(Service).is_empty());
}

#[test]
fn an_object_that_its_watch_shows_again_is_removed_by_its_watch_alone() {
    let (mut names, (main, of_main), (rival, of_rival)) =
        (Names::default(), service("main", 2), service("rival", 1));
    names.record(Service, &main.token(), of_main, NOW);
    names.record(Service, &rival.token(), of_rival.clone(), NOW);
    names.left(Service, &rival.token());
    names.record(Service, &rival.token(), of_rival.clone(), NOW);
    names.remove_unwatched(Service, &rival.token(), &of_rival.uid, NOW);
    assert!(others_of_main(&names).0 && names.unwatched(Service).is_empty());
}

#[test]
fn what_only_a_list_has_shown_is_followed_if_it_concerns_an_object_of_a_watch() {
    let (mut names, (main, of_main)) = (Names::default(), service("main", 1));
    let (user, stranger) = (pe("user"), pe("stranger"));
    let at = |service: &str| ServiceName::Object(pes(service).names);
    let endpoint = |key: &KindAndName, service: &str, id: u32| {
        named(key, 2, Declares::Endpoint(at(service), Some(cloud_id(id))))
    };
    names.record(Service, &main.token(), of_main, NOW);
    names.record_listed(Endpoint, &user.token(), endpoint(&user, "main", 1), NOW);
    names.record_listed(Endpoint, &stranger.token(), endpoint(&stranger, "unknown", 2), NOW);
    assert_eq!(names.unwatched(Endpoint).len(), 2);
    assert_eq!(names.followed(Endpoint), std::slice::from_ref(&user.names));
    assert_eq!(others_of_main(&names).1.len(), 1);
    let affected = names.remove_unwatched(Endpoint, &user.token(), "uid of user", NOW);
    assert_eq!(affected, [(Service, main.names)]);
    assert!(others_of_main(&names).1.is_empty());
    assert!(!names.record_listed(Endpoint, &user.token(), endpoint(&user, "main", 1), NOW), "a late list");
}
