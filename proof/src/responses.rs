//! How a controller handles watch events, responses, and the passing of time. Its memory is the one that ships.

use std::sync::Arc;

use crate::convert::{self, nonce, to_domain};
use crate::in_flight::{AtlasWrite, ObjectPatch};
use crate::memory::responded;
use crate::object::CachedObject;
use crate::outcomes::{AtlasResponse, Rejection};
use crate::state::{ModelState, Phase, View, Wait, WriteResult};
use crate::time::{now, times};

/// Stores the object that a write returned. The cache is never behind the controller's own last write.
pub(crate) fn store_written(s: &mut ModelState, i: usize, held: CachedObject) {
    let controller = &mut s.controllers[i];
    if let Some(running) = &mut controller.running {
        running.held = held;
    }
    if controller.cache.is_none_or(|cache| !cache.current) {
        controller.cache = Some(held);
    }
}

/// Delivers the response to an accepted claim.
pub(crate) fn acknowledge(s: &mut ModelState, i: usize) {
    let Some(running) = s.controllers[i].running.as_mut() else { return };
    if let Wait::Claim(held) = running.wait {
        running.wait = Wait::Nothing;
        s.controllers[i].acknowledged = 0;
        store_written(s, i, held);
    }
}

/// Handles a conflict: the object is read again, and a new decision is due.
pub(crate) fn handle_rejection(s: &mut ModelState, i: usize, patch: ObjectPatch, rejection: &Rejection) {
    let controller = &mut s.controllers[i];
    if let Some(n) = patch.fresh_nonce() {
        Arc::make_mut(&mut controller.memory).withdraw_claim(&nonce(n));
    }
    let life = controller.running.as_ref().map(|running| running.held.object.life);
    let same_life = s.object.filter(|object| Some(object.life) == life);
    match (same_life, rejection) {
        (Some(object), Rejection::Conflict) => {
            if let Some(running) = &mut controller.running {
                running.held = CachedObject { object, current: true };
                running.view = View::Unread;
            }
        }
        _ => object_gone(s, i),
    }
}

/// Delivers the response to a write of controller `i`.
pub(crate) fn deliver_response(s: &mut ModelState, i: usize, write: AtlasWrite, response: &AtlasResponse) {
    let shown = match response {
        AtlasResponse::Created(id) | AtlasResponse::Updated(id) => {
            s.endpoints.iter().find(|e| e.id == *id).copied()
        }
        _ => None,
    };
    let controller = &mut s.controllers[i];
    let Some(running) = controller.running.as_mut() else { return };
    running.wait = Wait::Nothing;
    running.last_write = match response {
        AtlasResponse::Nothing => WriteResult::Uncertain,
        AtlasResponse::Rejected => WriteResult::Refused,
        _ => WriteResult::Done,
    };
    let memory = &mut controller.memory;
    if running.last_write == WriteResult::Done {
        responded(memory, None, &times());
    }
    match (write, response) {
        (AtlasWrite::Post(n), AtlasResponse::Created(_)) => {
            if let Some(endpoint) = shown.and_then(to_domain) {
                Arc::make_mut(memory).created(&nonce(n), endpoint);
            }
        }
        (AtlasWrite::Post(n), AtlasResponse::Rejected) => Arc::make_mut(memory).settle(&nonce(n)),
        (AtlasWrite::Patch { .. }, AtlasResponse::Updated(id)) => {
            if let View::Listed(listing) = &mut running.view
                && let (Some(known), Some(shown)) = (listing.iter_mut().find(|e| e.id == *id), shown)
            {
                *known = shown.shown();
            }
        }
        (AtlasWrite::Delete(id), AtlasResponse::Deleted { found }) => {
            if let Some(id) = convert::id(id) {
                Arc::make_mut(memory).deleted(id, !found, now());
            }
            match &mut running.view {
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
pub(crate) fn object_gone(s: &mut ModelState, i: usize) {
    let controller = &mut s.controllers[i];
    controller.running = None;
    if Arc::make_mut(&mut controller.memory).prune(&times(), now()) {
        controller.memory = Arc::default();
    }
}
