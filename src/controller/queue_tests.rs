//! The order of looks, and what they leave behind.

use super::{PER_CALL, PER_INSTANCE, PER_PROJECT, Place, Queue};

type Names = Queue<String, ()>;

fn place(project: usize, instance: usize) -> Place {
    Place { project: format!("p{project}"), instance: format!("i{instance}") }
}

/// With room for all that the tests begin.
fn queue() -> Names {
    Names::new(64)
}

/// Offers so many objects of one instance.
fn offer(queue: &mut Names, project: usize, instance: usize, objects: usize) {
    for object in 0..objects {
        queue.offer(&format!("{project}/{instance}/{object}"), place(project, instance), || ());
    }
}

/// Begins all looks that may begin.
fn begin(queue: &mut Names) -> Vec<String> {
    std::iter::from_fn(|| queue.next()).map(|(name, ())| name).collect()
}

fn assert_empty(queue: &Names) {
    assert!(queue.looks.is_empty() && queue.lines.is_empty() && queue.projects.is_empty(), "{queue:?}");
    assert!(queue.open.is_empty(), "{queue:?}");
}

#[test]
fn what_waits_already_waits_once() {
    let mut queue = queue();
    offer(&mut queue, 0, 0, 1);
    let mut tickets = 0;
    queue.offer(&"0/0/0".to_owned(), place(0, 0), || tickets += 1);
    assert_eq!(tickets, 0);
    assert_eq!(begin(&mut queue), ["0/0/0"]);
    assert!(!queue.ended(&"0/0/0".to_owned()));
    assert_empty(&queue);
}

#[test]
fn an_object_is_never_looked_at_twice_at_once_and_again_if_something_happened_meanwhile() {
    let mut queue = queue();
    offer(&mut queue, 0, 0, 1);
    assert_eq!(begin(&mut queue), ["0/0/0"]);
    offer(&mut queue, 0, 0, 1);
    offer(&mut queue, 0, 0, 1);
    assert!(begin(&mut queue).is_empty());
    assert!(queue.ended(&"0/0/0".to_owned()));
    assert_empty(&queue);
    offer(&mut queue, 0, 0, 1);
    assert_eq!(begin(&mut queue), ["0/0/0"]);
    assert!(!queue.ended(&"0/0/0".to_owned()));
}

#[test]
fn the_first_to_come_is_the_first_to_be_looked_at_and_instances_take_turns() {
    let mut queue = queue();
    offer(&mut queue, 0, 0, 3);
    offer(&mut queue, 0, 1, 2);
    assert_eq!(begin(&mut queue), ["0/0/0", "0/1/0", "0/0/1", "0/1/1", "0/0/2"]);
}

#[test]
fn an_instance_that_hangs_holds_up_no_other_of_its_project() {
    let mut queue = queue();
    offer(&mut queue, 0, 0, 200);
    assert_eq!(begin(&mut queue).len(), PER_INSTANCE);
    offer(&mut queue, 0, 1, 1);
    assert_eq!(begin(&mut queue), ["0/1/0"]);
}

#[test]
fn a_project_that_hangs_holds_up_no_other() {
    let mut queue = queue();
    for instance in 0..20 {
        offer(&mut queue, 0, instance, 10);
    }
    assert_eq!(begin(&mut queue).len(), PER_PROJECT);
    offer(&mut queue, 1, 0, 1);
    assert_eq!(begin(&mut queue), ["1/0/0"]);
}

#[test]
fn however_many_projects_there_are_no_more_are_looked_at_than_the_calls_need() {
    let mut queue = Names::new(8);
    for project in 0..100 {
        offer(&mut queue, project, 0, 10);
    }
    let running = begin(&mut queue);
    assert_eq!(running.len(), 8 * PER_CALL);
    assert!(!queue.ended(&running[0]));
    assert_eq!(begin(&mut queue), ["32/0/0"]);
}

#[test]
fn whoever_ends_makes_room_for_one_and_in_the_end_all_were_looked_at_and_nothing_is_left() {
    let mut queue = queue();
    for instance in 0..40 {
        offer(&mut queue, 0, instance, 30);
    }
    offer(&mut queue, 1, 0, 30);
    let mut running = begin(&mut queue);
    assert_eq!(running.len(), PER_PROJECT + PER_INSTANCE);
    let mut ended = 0;
    while !running.is_empty() {
        // One by one, and then all that run at once.
        let many = if ended < 600 { 1 } else { running.len() };
        for name in running.drain(..many).collect::<Vec<_>>() {
            assert!(!queue.ended(&name));
            ended += 1;
        }
        running.extend(begin(&mut queue));
        let in_project = |project: &str| running.iter().filter(|name| name.starts_with(project)).count();
        assert!(in_project("0/") == PER_PROJECT.min(1_230 - ended - waiting(&queue) - in_project("1/")));
        assert!(in_project("0/") <= PER_PROJECT && in_project("1/") <= PER_INSTANCE);
    }
    assert_eq!(ended, 1_230);
    assert_empty(&queue);
}

fn waiting(queue: &Names) -> usize {
    queue.lines.values().map(|line| line.waiting.len()).sum()
}
