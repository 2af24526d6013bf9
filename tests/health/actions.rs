//! Argo CD's actions on the object: which, when, and what each changes.

use serde_json::{Value, json};

use crate::life::Lived;
use crate::tools::judge_one;

/// Returns the object without one value, and that value.
fn without(object: &Value, pointer: &str, key: &str) -> (Value, Value) {
    let mut rest = object.clone();
    let taken = rest.pointer_mut(pointer).and_then(|parent| parent.as_object_mut()?.remove(key));
    (rest, taken.unwrap_or_default())
}

/// Lua turns numbers into floats.
fn as_argo_has_it(object: &Value) -> Value {
    match object {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(list) => list.iter().map(as_argo_has_it).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), as_argo_has_it(value))).collect())
        }
        other => other.clone(),
    }
}

#[tokio::test]
async fn the_offered_actions_depend_on_suspension() {
    for (fields, reconcile, suspend, resume) in [
        (json!({}), true, true, false),
        (json!({"suspend": false}), true, true, false),
        (json!({"suspend": true}), false, false, true),
    ] {
        let actions = judge_one(&Lived::new(&fields).object).await.actions;
        let offered = |name: &str| !actions[name].disabled;
        assert_eq!(
            (offered("reconcile"), offered("suspend"), offered("resume")),
            (reconcile, suspend, resume)
        );
        assert_eq!(actions.len(), 3);
    }
}

#[tokio::test]
async fn each_action_changes_one_value_only() {
    let mut object = Lived::reserved().object;
    // Empty maps, which Lua cannot distinguish from empty lists.
    object["metadata"]["managedFields"] = json!([{"fieldsV1": {"f:spec": {".": {}, "f:comment": {}}}}]);
    let before = as_argo_has_it(&object);
    let actions = judge_one(&object).await.actions;
    for (name, wanted) in [("suspend", true), ("resume", false)] {
        let (rest, value) = without(&as_argo_has_it(&actions[name].result), "/spec", "suspend");
        assert_eq!(value, json!(wanted));
        assert_eq!(rest, without(&before, "/spec", "suspend").0);
    }
    let key = "reconcile.fluxcd.io/requestedAt";
    let result = as_argo_has_it(&actions["reconcile"].result);
    let (rest, value) = without(&result, "/metadata/annotations", key);
    assert_eq!(rest, before);
    let requested: jiff::Timestamp = value.as_str().unwrap().parse().unwrap();
    let age = jiff::Timestamp::now().duration_since(requested);
    assert!(age.as_secs() < 60 && age.as_secs() > -60, "{value} is not now");
}

#[tokio::test]
async fn an_object_without_annotations_can_be_reconciled_too() {
    let object = Lived::new(&json!({})).object;
    assert_eq!(object["metadata"].get("annotations"), None);
    let result = &judge_one(&object).await.actions["reconcile"].result;
    assert!(result["metadata"]["annotations"]["reconcile.fluxcd.io/requestedAt"].is_string());
}
