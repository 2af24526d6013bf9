//! What a controller makes of what it hears: watch events, answers, and time that passes. Its memory is the one that ships.

use std::sync::Arc;
use std::time::Duration;

use domain::fault::FaultKind;
use domain::memory::Memory;
use domain::observed::Times;

use crate::api_server::Refusal;
use crate::atlas::Answer;
use crate::time::{LONG_AGO, OLD, TICK, ago, now, times};
use crate::travels::{Patch, Write};
use crate::words::{self, nonce, to_domain};
use crate::world::{Attempted, Held, Object, Phase, Process, State, View, Wait};

/// What a process that reads or watches the object remembers of it.
pub(crate) fn observe(memory: &mut Arc<Memory>, object: &Object) {
    let recorded = words::id(object.recorded);
    let mut after = Memory::clone(memory);
    after.observe(&object.reading(), recorded.as_ref(), now());
    if after != **memory {
        *memory = Arc::new(after);
    }
}

/// What a response says of the instance is remembered, if it is anything new.
pub(crate) fn responded(memory: &mut Arc<Memory>, failed: Option<FaultKind>, times: &Times) {
    let mut after = Memory::clone(memory);
    after.responded(failed, now(), times);
    if after != **memory {
        *memory = Arc::new(after);
    }
}

/// The answer to a write: the object as it was written. The cache is never behind one's own last write.
pub(crate) fn take_in(s: &mut State, i: usize, held: Held) {
    let process = &mut s.processes[i];
    if let Some(pass) = &mut process.pass {
        pass.held = held;
    }
    if process.cache.is_none_or(|cache| !cache.current) {
        process.cache = Some(held);
    }
}

/// The answer to an accepted claim arrives.
pub(crate) fn acknowledge(s: &mut State, i: usize) {
    let Some(pass) = s.processes[i].pass.as_mut() else { return };
    if let Wait::Claim(held) = pass.wait {
        pass.wait = Wait::Nothing;
        s.processes[i].acknowledged = 0;
        take_in(s, i, held);
    }
}

/// The object is not as it was read: read it anew and decide again.
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
                pass.held = Held { object, current: true };
                pass.view = View::Unread;
            }
        }
        _ => gone(s, i),
    }
}

/// Controller `i` hears of the write that it sent.
pub(crate) fn answered(s: &mut State, i: usize, write: Write, answer: &Answer) {
    let shown = match answer {
        Answer::Made(id) | Answer::Updated(id) => s.endpoints.iter().find(|e| e.id == *id).copied(),
        _ => None,
    };
    let process = &mut s.processes[i];
    let Some(pass) = process.pass.as_mut() else { return };
    pass.wait = Wait::Nothing;
    pass.last_write = match answer {
        Answer::Nothing => Attempted::Uncertain,
        Answer::Refused => Attempted::Refused,
        _ => Attempted::Done,
    };
    let memory = &mut process.memory;
    if pass.last_write == Attempted::Done {
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
            if let Some(id) = words::id(id) {
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

/// The object of controller `i` is gone: its reconcile ends, and its memory stays as long as it matters.
pub(crate) fn gone(s: &mut State, i: usize) {
    let process = &mut s.processes[i];
    process.pass = None;
    if Arc::make_mut(&mut process.memory).prune(&times(), now()) {
        process.memory = Arc::default();
    }
}

/// One tick passes for a controller. What is older than any rule asks for is so old that the differences between it and
/// what is younger do not matter either.
pub(crate) fn age(process: &mut Process) {
    // The rules look from the moment of the listing. While a reconcile holds one, what was before it keeps its distance
    // from it.
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
