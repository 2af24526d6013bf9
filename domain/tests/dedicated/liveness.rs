//! Whatever happened, everything comes to rest, and at rest nothing is written.

use domain::status::Reason;

use crate::world::*;

#[test]
fn a_fresh_service_and_its_endpoint_come_to_rest() {
    let (mut world, service) = World::with_service();
    world.api.create(&pe("e"), endpoint_spec(1));
    world.come_to_rest(A);
    for key in [&service, &pe("e")] {
        assert_eq!(world.object(key).ready(), Some((true, Reason::Available)));
        assert_eq!(world.object(key).provenances(), ["Created"]);
    }
}
