//! How a controller handles watch events, responses, and the passing of time. Its memory is the one that ships.

use std::sync::Arc;
use std::time::Duration;

use domain::fault::FaultKind;
use domain::memory::Memory;
use domain::observed::Times;

use crate::api_server::Refusal;
use crate::atlas::Answer;
use crate::convert::{self, nonce, to_domain};
use crate::in_flight::{Patch, Write};
use crate::state::{CachedObject, Object, Phase, Process, State, View, Wait, WriteResult};
use crate::time::{LONG_AGO, OLD, TICK, ago, now, times};

/// Updates the memory of a process that reads or watches the object.
pub(crate) fn observe(memory: &mut Arc<Memory>, object: &Object) {
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

/// Stores the object that a write returned. The cache is never behind the controller's own last write.
pub(crate) fn take_in(s: &mut State, i: usize, held: CachedObject) {
    let process = &mut s.processes[i];
    if let Some(pass) = &mut process.pass {
        pass.held = held;
    }
    if process.cache.is_none_or(|cache| !cache.current) {
        process.cache = Some(held);
    }
}

/// Delivers the response to an accepted claim.
pub(crate) fn acknowledge(s: &mut State, i: usize) {
    let Some(pass) = s.processes[i].pass.as_mut() else { return };
    if let Wait::Claim(held) = pass.wait {
        pass.wait = Wait::Nothing;
        s.processes[i].acknowledged = 0;
        take_in(s, i, held);
    }
}

/// Handles a conflict: the object is read again, and a new decision is due.
pub(crate) fn refused(s: &mut State, i: usize, patch: Patch, refusal: &Refusal) {
    let process = &mut s.processes[i];
    if let Some(n) = patch.fresh_nonce() {
        Arc::make_mut(&mut process.memory).withdraw_claim(&nonce(n));
    }
    let life = process.pass.as_ref().map(|pass| pass.held.object.life);
    let same_life = s.object.filter(|object| Some(object.life) == life);
    match (same_life, refusal) {
        (Some(object), Refusal::Changed) => {
            if let Some(pass) = &mut process.pass {
                pass.held = CachedObject { object, current: true };
                pass.view = View::Unread;
            }
        }
        _ => gone(s, i),
    }
}

/// Delivers the response to a write of controller `i`.
pub(crate) fn answered(s: &mut State, i: usize, write: Write, answer: &Answer) {
    let shown = match answer {
        Answer::Made(id) | Answer::Updated(id) => s.endpoints.iter().find(|e| e.id == *id).copied(),
        _ => None,
    };
    let process = &mut s.processes[i];
    let Some(pass) = process.pass.as_mut() else { return };
    pass.wait = Wait::Nothing;
    pass.last_write = match answer {
        Answer::Nothing => WriteResult::Uncertain,
        Answer::Refused => WriteResult::Refused,
        _ => WriteResult::Done,
    };
    let memory = &mut process.memory;
    if pass.last_write == WriteResult::Done {
        responded(memory, None, &times());
    }
    match (write, answer) {
        (Write::Post(n), Answer::Made(_)) => {
            if let Some(endpoint) = shown.and_then(to_domain) {
                Arc::make_mut(memory).created(&nonce(n), endpoint);
            }
        }
        (Write::Post(n), Answer::Refused) => Arc::make_mut(memory).settle(&nonce(n)),
        (Write::Patch { .. }, Answer::Updated(id)) => {
            if let View::Listed(listing) = &mut pass.view
                && let (Some(known), Some(shown)) = (listing.iter_mut().find(|e| e.id == *id), shown)
            {
                *known = shown.shown();
            }
        }
        (Write::Delete(id), Answer::Removed { found }) => {
            if let Some(id) = convert::id(id) {
                Arc::make_mut(memory).deleted(id, !found, now());
            }
            match &mut pass.view {
                View::Listed(listing) if *found => {
                    for shown in listing.iter_mut().filter(|shown| shown.id == id) {
                        shown.phase = Phase::Deleting;
                    }
                }
                view => *view = View::Unread,
            }
        }
        _ => {}
    }
}

/// Ends the reconcile of controller `i` because its object is gone. Its memory stays as long as it matters.
pub(crate) fn gone(s: &mut State, i: usize) {
    let process = &mut s.processes[i];
    process.pass = None;
    if Arc::make_mut(&mut process.memory).prune(&times(), now()) {
        process.memory = Arc::default();
    }
}

/// Lets one tick pass for a controller. Ages above the longest that any rule compares are all the same.
pub(crate) fn age(process: &mut Process) {
    // The rules count from the time of the listing. While a reconcile holds one, earlier times keep their distance from
    // it.
    let seen = process.pass.as_ref().filter(|pass| pass.view != View::Unread).map_or(0, |pass| pass.seen);
    let older = |moment: Duration| {
        if seen == OLD && moment <= ago(OLD) {
            moment
        } else if moment <= ago(OLD + seen) {
            ago(LONG_AGO)
        } else {
            moment.saturating_sub(TICK)
        }
    };
    let memory = Memory::clone(&process.memory).map_instants(older);
    if memory != *process.memory {
        process.memory = Arc::new(memory);
    }
    process.acknowledged = OLD.min(process.acknowledged + 1);
    if let Some(pass) = &mut process.pass {
        pass.seen = OLD.min(pass.seen + 1);
    }
}
