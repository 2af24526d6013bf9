//! Tests the fields of an event, and which warnings are folded.

use super::*;

#[test]
fn a_long_note_keeps_its_beginning_its_next_step_and_its_link() {
    let end = "; delete those that you do not need in Atlas (docs/troubleshooting.md#duplicate)";
    for what in ["5f0000000000000000000001, ", "ä", "a€", "𝄞x"] {
        let message = format!("further endpoints carry the mark: {}{end}", what.repeat(1000));
        let note = note(&message);
        assert!(note.len() <= MAX_NOTE && note.len() > MAX_NOTE - 8, "{} bytes", note.len());
        assert!(note.starts_with("further endpoints carry the mark: "), "{note}");
        assert!(note.ends_with(end) && note.contains(ELLIPSIS), "{note}");
    }
    let fits = "a".repeat(MAX_NOTE);
    assert_eq!(note(&fits), fits);
}

#[test]
fn an_event_has_a_valid_name_for_any_object_name() {
    let draft = EventDraft {
        reason: domain::status::EventReason::EndpointCreated,
        warning: false,
        message: "created endpoint 1".to_owned(),
    };
    for name in ["orders".to_owned(), "a".repeat(253), format!("{}-.-{}", "a".repeat(234), "b".repeat(16))] {
        let regarding = ObjectReference {
            name: Some(name.clone()),
            namespace: Some("default".to_owned()),
            ..Default::default()
        };
        let event = single_event(&draft, regarding, Timestamp::now());
        let name_of_event = event.metadata.name.unwrap();
        assert!(name_of_event.len() <= 253, "{} bytes", name_of_event.len());
        assert!(
            name_of_event.split('.').all(|part| !part.is_empty() && !part.ends_with('-')),
            "{name_of_event}"
        );
        assert_eq!(event.regarding.unwrap().name, Some(name));
        assert_eq!(
            (event.type_.as_deref(), event.reason.as_deref()),
            (Some("Normal"), Some("EndpointCreated"))
        );
    }
}

#[test]
fn repeated_warnings_are_folded_up_to_a_bound_per_namespace() {
    let at = |millis: u64| Boottime::from_boot(Duration::from_millis(1_000_000 + millis));
    let mut folded = Folded::default();
    // A hundred a second, for as long as an event is kept.
    let kept = (0..36_000).filter(|number| folded.take("a", at(number * 10))).count();
    assert!((360..=600).contains(&kept), "{kept}");
    assert!(folded.take("b", at(360_000)));
    folded.take("c", at(3_600_000));
    assert_eq!(folded.namespaces.len(), 1, "a namespace without recent warnings is removed");
}
