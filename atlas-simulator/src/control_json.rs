//! JSON in and out of the control API, and its errors. Knows no call.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The error of a control request, as status and message.
pub(crate) type ControlError = (u16, String);

/// Returns the value as JSON.
pub(crate) fn show<T: Serialize>(value: &T) -> Result<Value, ControlError> {
    serde_json::to_value(value).map_err(|error| (500, error.to_string()))
}

/// Parses a body.
pub(crate) fn read(body: &[u8]) -> Result<Value, ControlError> {
    serde_json::from_slice(body).map_err(|error| (400, format!("the body is not JSON: {error}")))
}

/// Returns the value of this JSON.
pub(crate) fn typed<T: DeserializeOwned>(value: Value) -> Result<T, ControlError> {
    serde_json::from_value(value).map_err(|error| (400, error.to_string()))
}

/// Returns the value with the members that the body has replaced.
pub(crate) fn merged<T: Serialize + DeserializeOwned>(value: &T, body: &[u8]) -> Result<T, ControlError> {
    typed(merge(show(value)?, read(body)?))
}

/// JSON Merge Patch (RFC 7396). A removed member takes its default, or is removed from its map.
pub(crate) fn merge(target: Value, patch: Value) -> Value {
    let Value::Object(patch) = patch else { return patch };
    let mut target = match target {
        Value::Object(target) => target,
        _ => serde_json::Map::new(),
    };
    for (name, value) in patch {
        let before = target.remove(&name).unwrap_or_default();
        if !value.is_null() {
            target.insert(name, merge(before, value));
        }
    }
    Value::Object(target)
}
