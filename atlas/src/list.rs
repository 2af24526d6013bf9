//! Reads the list in a response: a bare array, or `{results}`. Complete, or an error, never a part.

use serde_json::Value;

/// Returns every element of a list as `element` reads it. `things` names them in the error, which is a message of ours.
pub(super) fn complete<T>(
    json: &Value,
    things: &str,
    element: impl Fn(&Value) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let results = json
        .as_array()
        .or_else(|| json.get("results")?.as_array())
        .ok_or_else(|| format!("the response is no list of {things}"))?;
    let total = json.get("totalCount").and_then(Value::as_u64).and_then(|total| usize::try_from(total).ok());
    if let Some(total) = total.filter(|total| *total > results.len()) {
        return Err(format!("the response holds only {} of {total} {things}", results.len()));
    }
    let links = json.get("links").and_then(Value::as_array);
    if links.into_iter().flatten().any(|link| link.get("rel").and_then(Value::as_str) == Some("next")) {
        return Err(format!("the response holds only the first page of the {things}"));
    }
    results.iter().map(element).collect()
}
