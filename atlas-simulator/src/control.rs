//! The control API, `/control/…`: the same as the typed handle, for processes outside.

use crate::{answer::Answer, server::Shared, state::Received};

pub(crate) fn answer(_shared: &Shared, _request: &Received) -> Answer {
    Answer { status: 404, ..Answer::default() }
}
