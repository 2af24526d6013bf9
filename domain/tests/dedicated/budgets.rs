//! How many writes a life takes when nothing goes wrong.

use domain::dedicated::life::Sort;
use domain::status::Reason;

use crate::objects::KindAndName;
use crate::world::*;

fn words(world: &DedicatedWorld, key: &KindAndName) -> Vec<&'static str> {
    world.api.writes.iter().filter(|(_, written)| written == key).map(|(word, _)| *word).collect()
}

#[test]
fn a_life_takes_one_claim_and_one_write_per_visible_change() {
    let (mut world, service) = DedicatedWorld::with_service();
    let endpoint = pe("e");
    world.api.create(&endpoint, endpoint_spec(1));
    for _ in 0..60 {
        world.live(A, 1, 1);
    }
    assert_eq!(world.object(&service).ready(), Some((true, Reason::Available)));
    assert_eq!(world.object(&endpoint).ready(), Some((true, Reason::Available)));
    assert_eq!(world.atlas.requests, 2, "one POST each");
    // The claim, the service as it was created, and as it is available; its list of endpoints.
    assert_eq!(words(&world, &service), ["claim", "record", "status", "status"]);
    // It waits for the service, and then it is as the service.
    assert_eq!(words(&world, &endpoint), ["status", "claim", "record", "status"]);
    assert_eq!(service.sort(), Sort::Service);

    world.api.delete(&endpoint);
    world.api.delete(&service);
    world.live(A, 60, 1);
    assert!(world.api.objects.is_empty());
    assert_eq!(world.atlas.requests, 4, "one DELETE each");
    assert_eq!(words(&world, &endpoint)[4..], ["claim", "status", "record", "release"]);
    world.assert_no_service();
}

#[test]
fn a_restart_writes_nothing() {
    let (mut world, service) = DedicatedWorld::with_service();
    world.api.create(&pe("e"), endpoint_spec(1));
    world.live(A, 60, 1);
    let (writes, requests) = (world.api.writes.len(), world.atlas.requests);
    world.restart(A);
    world.live(A, 60, 5);
    assert_eq!((world.api.writes.len(), world.atlas.requests), (writes, requests));
    // Nothing has to be waited for, either.
    world.api.delete(&pe("e"));
    world.api.delete(&service);
    world.live(A, 60, 1);
    assert!(world.api.objects.is_empty());
}
