//! Tests the order in which waiting items are served, and that nothing of them is kept.

use super::{Lane, Queue};

type Names = Queue<String, (), 3>;

const PER_PROJECT: usize = 24;
const PER_INSTANCE: usize = 8;

fn lane(namespace: &str, project: usize, instance: usize) -> Lane<3> {
    [namespace.into(), format!("p{project}").into(), format!("i{instance}").into()]
}

/// A queue with this many slots.
fn queue(most: usize) -> Names {
    Names::new(most, [usize::MAX, PER_PROJECT, PER_INSTANCE])
}

/// Adds this many objects of one instance.
fn add_to(queue: &mut Names, namespace: &str, (project, instance): (usize, usize), objects: usize) {
    for object in 0..objects {
        let name = format!("{namespace}/{project}/{instance}/{object}");
        queue.add(&name, || lane(namespace, project, instance), || ());
    }
}

fn add(queue: &mut Names, instance: (usize, usize), objects: usize) {
    add_to(queue, "a", instance, objects);
}

/// Gets every item that may be served.
fn get_all(queue: &mut Names) -> Vec<String> {
    std::iter::from_fn(|| queue.get()).map(|(name, ())| name).collect()
}

fn of<'a>(namespace: &str, names: &'a [String]) -> Vec<&'a String> {
    names.iter().filter(|name| name.starts_with(namespace)).collect()
}

fn assert_empty(queue: &Names) {
    let all = &queue.all;
    assert!(queue.lanes.is_empty() && all.children.is_empty() && all.ready.is_empty(), "{queue:?}");
    assert_eq!(all.served, 0);
}

#[test]
fn a_waiting_item_is_queued_once() {
    let mut queue = queue(512);
    add(&mut queue, (0, 0), 1);
    let mut tickets = 0;
    queue.add(&"a/0/0/0".to_owned(), || lane("a", 0, 0), || tickets += 1);
    assert_eq!(tickets, 0);
    assert_eq!(get_all(&mut queue), ["a/0/0/0"]);
    queue.done(&"a/0/0/0".to_owned());
    assert_empty(&queue);
}

#[test]
fn no_item_is_served_twice_at_once() {
    let mut queue = queue(512);
    add(&mut queue, (0, 0), 1);
    assert_eq!(get_all(&mut queue), ["a/0/0/0"]);
    add(&mut queue, (0, 0), 1);
    assert!(get_all(&mut queue).is_empty());
    queue.done(&"a/0/0/0".to_owned());
    assert_empty(&queue);
    add(&mut queue, (0, 0), 1);
    assert_eq!(get_all(&mut queue), ["a/0/0/0"]);
}

#[test]
fn a_lane_is_first_in_first_out_and_instances_are_round_robin() {
    let mut queue = queue(512);
    add(&mut queue, (0, 0), 3);
    add(&mut queue, (0, 1), 2);
    assert_eq!(get_all(&mut queue), ["a/0/0/0", "a/0/1/0", "a/0/0/1", "a/0/1/1", "a/0/0/2"]);
}

#[test]
fn a_hanging_instance_delays_no_other_of_its_project() {
    let mut queue = queue(512);
    add(&mut queue, (0, 0), 200);
    assert_eq!(get_all(&mut queue).len(), PER_INSTANCE);
    add(&mut queue, (0, 1), 1);
    assert_eq!(get_all(&mut queue), ["a/0/1/0"]);
}

#[test]
fn a_hanging_project_delays_no_other_of_its_namespace() {
    let mut queue = queue(512);
    for instance in 0..20 {
        add(&mut queue, (0, instance), 10);
    }
    assert_eq!(get_all(&mut queue).len(), PER_PROJECT);
    add(&mut queue, (1, 0), 1);
    assert_eq!(get_all(&mut queue), ["a/1/0/0"]);
}

#[test]
fn invented_names_give_a_namespace_no_larger_share() {
    let mut queue = queue(2);
    // Two hundred projects, and as many instances of one more, beside a single object of another namespace.
    for invented in 0..200 {
        add(&mut queue, (invented, 0), 1);
        add(&mut queue, (1_000, invented), 1);
    }
    assert_eq!(get_all(&mut queue), ["a/0/0/0"]);
    let (mut hostile, mut own) = ("a/0/0/0".to_owned(), None);
    let mut served = [0, 0];
    for _ in 0..100 {
        // Each is added again as soon as it was served, so that both always wait.
        add_to(&mut queue, "b", (0, 0), 1);
        if own.is_none() {
            assert_eq!(get_all(&mut queue), ["b/0/0/0"], "it is next, however many are queued before it");
            own = Some("b/0/0/0".to_owned());
        }
        queue.done(&hostile);
        served[0] += 1;
        queue.done(&own.take().unwrap());
        served[1] += 1;
        add_to(&mut queue, "b", (0, 0), 1);
        let begun = get_all(&mut queue);
        assert_eq!((of("a", &begun).len(), of("b", &begun).len()), (1, 1), "{begun:?}");
        hostile.clone_from(of("a", &begun)[0]);
        own = of("b", &begun).first().map(|name| (*name).clone());
    }
    assert_eq!(served, [100, 100]);
}

#[test]
fn namespaces_that_hang_one_by_one_leave_slots_to_others() {
    for (most, namespaces) in [(64, 32), (256, 32), (40, 20)] {
        hang_one_by_one(most, namespaces);
    }
}

fn hang_one_by_one(most: usize, namespaces: usize) {
    let mut queue = queue(most);
    let mut begun = vec![];
    for hostile in 0..namespaces {
        let hostile = &format!("h{hostile}h");
        for invented in 0..200 {
            add_to(&mut queue, hostile, (invented, 0), 1);
        }
        begun.extend(get_all(&mut queue));
        // None of them ever ends, and yet each newcomer is served at once.
        for object in 0..2 {
            let instance = (object, 0);
            add_to(&mut queue, "z", instance, 1);
            assert_eq!(get_all(&mut queue), [format!("z/{object}/0/0")], "after {hostile}");
            queue.done(&format!("z/{object}/0/0"));
        }
    }
    assert_eq!(of("h0h", &begun).len(), most / 2, "alone, it takes half");
}

#[test]
fn namespaces_that_hang_together_leave_slots_to_another() {
    let mut queue = queue(64);
    for project in 0..200 {
        for hostile in 0..19 {
            add_to(&mut queue, &format!("h{hostile}h"), (project, 0), 1);
        }
    }
    assert_eq!(get_all(&mut queue).len(), 32);
    add_to(&mut queue, "z", (0, 0), 1);
    assert_eq!(get_all(&mut queue), ["z/0/0/0"]);
}

#[test]
fn the_last_slot_is_reserved_for_a_namespace_without_slots() {
    let mut queue = queue(3);
    for project in 0..9 {
        add(&mut queue, (project, 0), 1);
    }
    assert_eq!(get_all(&mut queue).len(), 2);
    add_to(&mut queue, "b", (0, 0), 9);
    assert_eq!(get_all(&mut queue), ["b/0/0/0"]);
    // A free slot is taken by the next lane that may be served.
    queue.done(&"b/0/0/0".to_owned());
    assert_eq!(get_all(&mut queue), ["b/0/0/1"]);
}

#[test]
fn one_slot_serves_all_namespaces_round_robin() {
    let mut queue = queue(1);
    for namespace in ["a", "b", "c"] {
        add_to(&mut queue, namespace, (0, 0), 2);
    }
    let mut order = String::new();
    while let Some((name, ())) = queue.get() {
        assert!(queue.get().is_none());
        order.push_str(&name[..1]);
        queue.done(&name);
    }
    assert_eq!(order, "abcabc");
    assert_empty(&queue);
}

#[test]
fn all_items_are_served_within_the_bounds_and_nothing_is_kept() {
    let mut queue = queue(40);
    for instance in 0..40 {
        add_to(&mut queue, "a", (0, instance), 10);
        add_to(&mut queue, "a", (instance, 0), 1);
    }
    add_to(&mut queue, "b", (1, 0), 30);
    let mut running = get_all(&mut queue);
    let mut ended = 0;
    while !running.is_empty() {
        let below = |prefix: &str| of(prefix, &running).len();
        assert!(running.len() <= 40 && below("a/0/") <= PER_PROJECT && below("b/1/0/") <= PER_INSTANCE);
        assert!((0..40).all(|instance| below(&format!("a/0/{instance}/")) <= PER_INSTANCE));
        // One by one, and then all running items at once.
        let many = if ended < 200 { 1 } else { running.len() };
        for name in running.drain(..many).collect::<Vec<_>>() {
            queue.done(&name);
            ended += 1;
        }
        running.extend(get_all(&mut queue));
    }
    // Two names of the first project's first instance were added twice.
    assert_eq!(ended, 400 + 39 + 30);
    assert_empty(&queue);
}
