//! How a controller's memory follows what it reads, the responses it gets, and the passing of time. The memory is the one that
//! ships.

use std::sync::Arc;
use std::time::Duration;

use domain::fault::FaultKind;
use domain::serverless::memory::Memory;
use domain::serverless::observed::Times;

use crate::convert;
use crate::object::ModelObject;
use crate::state::{Controller, View};
use crate::time::{LONG_AGO, OLD, TICK, ago, now};

/// Updates the memory of a controller that reads or watches the object.
pub(crate) fn observe(memory: &mut Arc<Memory>, object: &ModelObject) {
    let recorded = convert::id(object.recorded);
    let mut after = Memory::clone(memory);
    after.observe(&object.reading(), recorded.as_ref(), now());
    if after != **memory {
        *memory = Arc::new(after);
    }
}

/// Records the state of the instance in a response.
pub(crate) fn responded(memory: &mut Arc<Memory>, failed: Option<FaultKind>, times: &Times) {
    let mut after = Memory::clone(memory);
    after.responded(failed, now(), times);
    if after != **memory {
        *memory = Arc::new(after);
    }
}

/// Lets one tick pass for a controller. Ages above the longest that any rule compares are all the same.
pub(crate) fn age(controller: &mut Controller) {
    // The rules count from the time of the listing. While a reconcile holds one, earlier times keep their distance from
    // it.
    let seen = controller
        .running
        .as_ref()
        .filter(|running| running.view != View::Unread)
        .map_or(0, |running| running.seen);
    let older = |moment: Duration| {
        if seen == OLD && moment <= ago(OLD) {
            moment
        } else if moment <= ago(OLD + seen) {
            ago(LONG_AGO)
        } else {
            moment.saturating_sub(TICK)
        }
    };
    let memory = Memory::clone(&controller.memory).map_instants(older);
    if memory != *controller.memory {
        controller.memory = Arc::new(memory);
    }
    controller.acknowledged = OLD.min(controller.acknowledged + 1);
    if let Some(running) = &mut controller.running {
        running.seen = OLD.min(running.seen + 1);
    }
}
