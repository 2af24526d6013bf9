//! The attributes in the body of a write: which may be there, and of what type; and the members of a response that a fault may
//! change. Knows no operation.

use serde_json::{Map, Value};

use crate::errors::{self, ErrorResponse};

/// The members of an object that a fault may change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldNames {
    pub(crate) id: &'static str,
    pub(crate) status: &'static str,
}

/// Returns the members of a JSON object, if it has only the allowed ones.
pub(crate) fn attributes(body: &[u8], allowed: &[&str]) -> Result<Map<String, Value>, ErrorResponse> {
    let Ok(Value::Object(attributes)) = serde_json::from_slice(body) else {
        return Err(errors::malformed_json());
    };
    match attributes.keys().find(|name| !allowed.contains(&name.as_str())) {
        Some(unknown) => Err(errors::invalid_attribute(unknown)),
        None => Ok(attributes),
    }
}

/// Returns an attribute that has to be a text; `None` if it is absent or `null`.
pub(crate) fn text(attributes: &Map<String, Value>, name: &str) -> Result<Option<String>, ErrorResponse> {
    match attributes.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(errors::invalid_attribute(name)),
    }
}

/// Returns whether this may be the id of a VPC endpoint. Atlas may be stricter.
pub(crate) fn is_vpc_endpoint_id(text: &str) -> bool {
    text.strip_prefix("vpce-")
        .is_some_and(|hex| !hex.is_empty() && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}
