//! Tests that pages and events are decoded as kube does it, with any content of their objects.

use kube::ResourceExt;
use kube::core::{ObjectList, WatchEvent};
use serde_json::json;

use super::*;
use crate::runtime::example::Example;

fn object(name: &str) -> String {
    json!({
        "apiVersion": "atlas.spe-operator.io/v1alpha1",
        "kind": "Example",
        "metadata": {"namespace": "shop", "name": name, "resourceVersion": "7"},
        "spec": {"projectId": "32b6e34b3d91647abb20e7b8"},
    })
    .to_string()
}

/// Objects whose metadata no general decoder accepts, because of a time, its depth, or a field that the operator reads. The flag:
/// the operator can decode the object.
fn poisoned() -> [(String, bool); 3] {
    let managed = |fields: &str| {
        object("poisoned").replace("\"name\"", &format!("\"managedFields\":[{fields}],\"name\""))
    };
    let deep = format!("{{\"fieldsV1\":{}1{}}}", "{\"f:a\":".repeat(300), "}".repeat(300));
    let odd = object("poisoned").replace("\"name\"", "\"finalizers\":7,\"name\"");
    [(managed("{\"time\":\"9999-12-31T23:59:59Z\"}"), true), (managed(&deep), true), (odd, false)]
}

#[test]
fn a_page_is_decoded_despite_a_poisoned_object() {
    for (poisoned, readable) in poisoned() {
        let page = format!(
            r#"{{"apiVersion": "a/v1", "kind": "L", "metadata": {{"resourceVersion": "9", "continue": "c"}}, "items": [{}, {poisoned}, {}]}}"#,
            object("one"),
            object("other"),
        );
        let page: ObjectList<Cached<Example>> = serde_json::from_str(&page).unwrap();
        assert_eq!(page.metadata.continue_.as_deref(), Some("c"));
        let names: Vec<_> = page.items.iter().map(ResourceExt::name_any).collect();
        assert_eq!(names, ["one", "poisoned", "other"]);
        let read: Vec<_> = page.items.iter().map(|object| object.object().is_some()).collect();
        assert_eq!(read, [true, readable, true]);
    }
}

#[test]
fn an_event_is_decoded_despite_a_poisoned_object() {
    for (poisoned, readable) in poisoned() {
        for kind in ["ADDED", "MODIFIED", "DELETED"] {
            let event = format!(r#"{{"type":"{kind}","object":{poisoned}}}"#);
            let event: WatchEvent<Cached<Example>> = serde_json::from_str(&event).unwrap();
            let (WatchEvent::Added(object) | WatchEvent::Modified(object) | WatchEvent::Deleted(object)) =
                event
            else {
                panic!("{event:?}");
            };
            assert_eq!(object.name_any(), "poisoned");
            assert_eq!(object.resource_version().as_deref(), Some("7"), "the watch continues from there");
            assert_eq!(object.object().is_some(), readable);
        }
    }
}
