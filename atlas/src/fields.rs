//! Reads the fields of a JSON object. Every one may be absent, null or empty; text is cleaned here, where it comes in.

use domain::text::kept;
use serde_json::Value;

use super::redact::{self, SecretText};

/// Returns a text, fit to be kept; `None` if it is absent, no text, or empty.
pub(super) fn text(json: &Value, name: &str) -> Option<String> {
    raw_text(json, name).map(kept)
}

/// Returns a text as it came.
pub(super) fn raw_text<'a>(json: &'a Value, name: &str) -> Option<&'a str> {
    json.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Returns `errorMessage`, fit to be shown.
pub(super) fn error_message(json: &Value, secrets: &[SecretText]) -> Option<String> {
    raw_text(json, "errorMessage").map(|message| redact::clean(message, secrets))
}

/// Returns the texts of an array as they came; none if it is absent or null. The error is a message of ours: an array with
/// anything else in it is not taken for a shorter one.
pub(super) fn raw_texts<'a>(json: &'a Value, name: &str) -> Result<Vec<&'a str>, String> {
    let malformed = || format!("the response holds a {name} that is no list of texts");
    match json.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(elements)) => {
            elements.iter().map(|element| element.as_str().ok_or_else(malformed)).collect()
        }
        Some(_) => Err(malformed()),
    }
}

/// Returns the texts of an array, fit to be kept.
pub(super) fn texts(json: &Value, name: &str) -> Result<Vec<String>, String> {
    Ok(raw_texts(json, name)?.into_iter().map(kept).collect())
}
