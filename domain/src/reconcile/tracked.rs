//! The object of a reconcile as it was last read or written, and how fresh the next listing has to be for it.
//!
//! It knows no kind: what a listing shows, and what follows from it, is elsewhere.

use std::fmt::Debug;
use std::time::Duration;

use crate::access::Purpose;
use crate::instant::SinceBoot;
use crate::schedule::{Cause, ObjectVersion, Schedule, Start};

use super::output::OutputNames;

/// The custom resource as it was read, as far as no rule of a kind depends on it.
pub trait ReadResource: Debug {
    /// Returns what its schedule depends on.
    fn version(&self) -> ObjectVersion;

    /// Returns its generation.
    fn generation(&self) -> Option<i64>;

    /// Returns the value of the annotation that requests a reconcile, handled or not.
    fn reconcile_request(&self) -> Option<&str>;

    /// Returns the request that the status does not show as handled.
    fn open_request(&self) -> Option<&str>;

    /// Returns `true` if `read` is the same object, and not another one of its name.
    fn is_same_object(&self, read: &Self) -> bool;

    /// Returns `true` if it is being deleted.
    fn is_deleting(&self) -> bool;

    /// Returns `true` if its status says that the progress deadline is exceeded.
    fn is_overdue(&self) -> bool;

    /// Returns the delay between two polls once nothing changes.
    fn interval(&self) -> Duration;

    /// Returns the names of its output ConfigMaps.
    fn output(&self) -> OutputNames<'_>;
}

/// The generation and the reconcile request that a listing is fetched for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SpecVersion {
    generation: Option<i64>,
    request: Option<String>,
}

/// The object, and what its next listing has to show.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tracked<R> {
    object: R,
    /// When the request for the listing was sent; until there is one, when the reconcile started.
    listed_at: SinceBoot,
    /// The earliest acceptable send time of the next listing.
    fresh_after: SinceBoot,
    /// The trigger of the next listing.
    cause: Cause,
    /// The reconcile request that was handled: Atlas was listed for it, or cannot be, and no rate limit postponed it.
    handled_request: Option<String>,
    /// The spec that the references were resolved for.
    resolved: Option<SpecVersion>,
}

impl<R: ReadResource> Tracked<R> {
    /// Begins the reconcile of `object` now, as its schedule says.
    pub fn begin(object: R, start: &Start, now: SinceBoot) -> Self {
        Self {
            object,
            listed_at: now,
            fresh_after: start.fresh_after,
            cause: start.cause,
            handled_request: None,
            resolved: None,
        }
    }

    /// Returns the object as it was last read or written.
    pub fn object(&self) -> &R {
        &self.object
    }

    /// Returns when the request for the listing was sent; without one, when the reconcile began.
    pub fn listed_at(&self) -> SinceBoot {
        self.listed_at
    }

    /// Returns `true` if the references have to be resolved before the next decision, because the spec has changed, or a reconcile was
    /// requested.
    ///
    /// The listing was fetched for the earlier spec: it is to be discarded, and the next one is sent from now on. So the status never
    /// reports a request as handled by a listing from before it.
    pub fn begin_resolving(&mut self, now: SinceBoot) -> bool {
        let generation = self.object.generation();
        let request = self.object.reconcile_request();
        if let Some(resolved) = &self.resolved {
            let is_edited = resolved.generation != generation;
            let is_requested = resolved.request.as_deref() != request;
            if !is_edited && !is_requested {
                return false;
            }
            self.fresh_after = now;
            self.cause = if is_edited { self.cause.edited() } else { self.cause };
            self.cause = if is_requested { self.cause.requested_if(true) } else { self.cause };
        }
        self.resolved = Some(SpecVersion { generation, request: request.map(str::to_owned) });
        true
    }

    /// Returns what the credentials for a listing are needed for: a scheduled read, or one that a user requested by a change or a
    /// reconcile request.
    pub fn read_purpose(&self) -> Purpose {
        let edited = !self.object.version().current;
        if edited || self.object.open_request().is_some() {
            Purpose::OnRequest { edited }
        } else {
            Purpose::Read
        }
    }

    /// Returns the earliest acceptable send time of the next listing, and why it is fetched.
    pub fn wanted_listing(&self) -> (SinceBoot, Cause) {
        (self.fresh_after, self.cause.requested_if(self.unhandled_request().is_some()))
    }

    /// Returns the request of a user that this reconcile has not handled.
    fn unhandled_request(&self) -> Option<&str> {
        self.object.open_request().filter(|request| self.handled_request.as_deref() != Some(request))
    }

    /// Records that the reconcile request is handled, although nothing can be listed.
    pub fn handle_request(&mut self) {
        self.handled_request = self.unhandled_request().map(str::to_owned).or(self.handled_request.take());
    }

    /// Records a listing whose request was sent at `sent`, for this reconcile if `was_requested`.
    pub fn listed(&mut self, sent: SinceBoot, was_requested: bool, schedule: &mut Schedule) {
        if was_requested {
            self.handle_request();
            // Any further listing in this reconcile is a step of the protocol.
            self.cause = Cause::Own;
            schedule.listed(&self.object.version());
        }
        self.listed_at = sent;
    }

    /// Stores the object as it was just read, without a change that matters.
    pub fn reread(&mut self, object: R) {
        self.object = object;
    }

    /// Replaces the object by a newer version, which voids everything decided on the old one: the next listing is sent from now on.
    pub fn start_over(&mut self, object: R, schedule: &Schedule, now: SinceBoot) {
        let content = object.version().content;
        if content != self.object.version().content && !schedule.is_handled(content) {
            self.cause = self.cause.edited();
        }
        self.object = object;
        self.invalidate(now);
    }

    /// Requires the next listing to be sent from now on.
    pub fn invalidate(&mut self, now: SinceBoot) {
        self.fresh_after = now;
    }

    /// Stores the object as this process has written it.
    pub fn own_write(&mut self, written: R, schedule: &mut Schedule) {
        self.object = written;
        schedule.object_written(self.object.version().number);
    }

    /// Returns the handled reconcile request.
    pub fn handled_request(&self) -> Option<&str> {
        self.handled_request.as_deref()
    }

    /// Returns the handled reconcile request once no step is left: Atlas was listed for it, or needs no listing at all.
    pub fn handled_request_at_rest(&self, needs_listing: bool) -> Option<&str> {
        let without_listing = || self.object.open_request().filter(|_| !needs_listing);
        self.handled_request.as_deref().or_else(without_listing)
    }

    /// Returns the same with the object and the time of the listing replaced, for checks without a clock and an API server. There
    /// every listing is sent when it is requested, so it is forgotten how fresh the next one has to be.
    #[must_use]
    pub fn map(self, object: impl FnOnce(R) -> R, instant: impl FnOnce(SinceBoot) -> SinceBoot) -> Self {
        let (object, listed_at) = (object(self.object), instant(self.listed_at));
        Self { object, listed_at, fresh_after: SinceBoot::ZERO, ..self }
    }
}
