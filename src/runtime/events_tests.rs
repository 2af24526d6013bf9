//! What an event holds, and which warnings are folded.

use super::*;

#[test]
fn a_note_that_is_too_long_keeps_its_beginning_its_next_step_and_the_place_to_read_on() {
    let end = "; delete those that you do not need in Atlas (docs/troubleshooting.md#duplicate)";
    for what in ["5f0000000000000000000001, ", "ä", "a€", "𝄞x"] {
        let said = format!("further endpoints carry the mark: {}{end}", what.repeat(1000));
        let note = note(&said);
        assert!(note.len() <= LONGEST_NOTE && note.len() > LONGEST_NOTE - 8, "{} bytes", note.len());
        assert!(note.starts_with("further endpoints carry the mark: "), "{note}");
        assert!(note.ends_with(end) && note.contains(LEFT_OUT), "{note}");
    }
    let fits = "a".repeat(LONGEST_NOTE);
    assert_eq!(note(&fits), fits);
}

#[test]
fn an_event_fits_its_name_however_long_the_object_is_called() {
    let notice = EventDraft {
        reason: domain::conditions::EventReason::EndpointCreated,
        warning: false,
        message: "created endpoint 1".to_owned(),
    };
    for name in ["orders".to_owned(), "a".repeat(253), format!("{}-.-{}", "a".repeat(234), "b".repeat(16))] {
        let about = ObjectReference {
            name: Some(name.clone()),
            namespace: Some("default".to_owned()),
            ..Default::default()
        };
        let event = single_event(&notice, about, Timestamp::now());
        let called = event.metadata.name.unwrap();
        assert!(called.len() <= 253, "{} bytes", called.len());
        assert!(called.split('.').all(|part| !part.is_empty() && !part.ends_with('-')), "{called}");
        assert_eq!(event.regarding.unwrap().name, Some(name));
        assert_eq!(
            (event.type_.as_deref(), event.reason.as_deref()),
            (Some("Normal"), Some("EndpointCreated"))
        );
    }
}

#[test]
fn a_namespace_that_is_warned_of_without_end_is_folded_to_a_bound_and_no_other_is() {
    let at = |millis: u64| Boottime::from_boot(Duration::from_millis(1_000_000 + millis));
    let mut folded = Folded::default();
    // A hundred a second, for as long as an event is kept.
    let kept = (0..36_000).filter(|number| folded.take("a", at(number * 10))).count();
    assert!((360..=600).contains(&kept), "{kept}");
    assert!(folded.take("b", at(360_000)));
    folded.take("c", at(3_600_000));
    assert_eq!(folded.namespaces.len(), 1, "nothing is kept of who is not warned of any more");
}
