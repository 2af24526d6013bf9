//! Words for lives, targets and objects, in traces.

use super::object::{ModelLife, ModelTarget};

/// The names of the slots.
const SLOTS: [&str; 4] = ["s", "e", "s2", "e2"];

/// Returns the name of the object in a slot.
pub(crate) fn slot(slot: u8) -> &'static str {
    SLOTS.get(usize::from(slot)).copied().unwrap_or_default()
}

/// Returns the name of a controller.
pub(crate) fn controller(i: u8) -> char {
    char::from(b'A' + i)
}

/// Describes a life.
pub(crate) fn life(life: ModelLife) -> String {
    match life.endpoint {
        0 => format!("S{}", life.service),
        id => format!("v{id} at S{}", life.service),
    }
}

/// Describes a request.
pub(crate) fn target(target: ModelTarget) -> String {
    match target {
        ModelTarget::CreateService => "POST of the service".to_owned(),
        ModelTarget::Create(created) => format!("POST {}", life(created)),
        ModelTarget::Delete(deleted) => format!("DELETE {}", life(deleted)),
    }
}
