//! When an object is reconciled again, and how fresh its listing must be then.
//!
//! Instants and hashes of the object's content are arguments: nothing here reads a clock or an object, and nothing depends on
//! what the endpoint is, only on whether it changed. An object without a schedule is due at once, so losing one is safe.

use std::time::Duration;

use crate::backoff;
use crate::instant::SinceBoot;
use crate::requeue::Requeue;
use crate::token::Token;

/// One version of an object, as far as its schedule depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectVersion {
    /// A hash of everything whose change triggers a reconcile, except a reconcile request.
    pub content: u64,
    /// A hash of the reconcile request, unless the status shows it as handled.
    pub request: Option<u64>,
    /// The resourceVersion. Those of one resource are ordered numbers (guaranteed since Kubernetes 1.35); `None` if it is not one.
    pub number: Option<u64>,
    /// It is being deleted.
    pub deleting: bool,
    /// An endpoint is recorded.
    pub recorded: bool,
    /// Its status describes its generation.
    pub current: bool,
}

/// Why a listing is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The schedule, or a step of the protocol.
    Own,
    /// A change of the object or of an object that it refers to.
    Edit,
    /// A reconcile request, in addition to one of the above.
    Also,
    /// A reconcile request alone.
    Request,
}

impl Cause {
    /// Returns this cause with a change added.
    #[must_use]
    pub fn edited(self) -> Self {
        match self {
            Self::Own | Self::Edit => Self::Edit,
            Self::Also | Self::Request => Self::Also,
        }
    }

    /// Returns this cause with a reconcile request if there `is` one, else without.
    #[must_use]
    pub fn requested_if(self, is: bool) -> Self {
        match (self, is) {
            (Self::Own | Self::Edit, true) => Self::Also,
            (Self::Also, false) => Self::Edit,
            (Self::Request, false) => Self::Own,
            (cause, _) => cause,
        }
    }
}

/// Whether an object is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Not before this delay.
    Later(Duration),
    /// Now.
    Now(Start),
}

/// How the reconcile of a due object starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The earliest acceptable send time of a listing.
    pub fresh_after: SinceBoot,
    /// Why a listing is fetched.
    pub cause: Cause,
    /// The cached object is older than this process's own last write to it.
    pub stale: bool,
    /// When the referenced object changed, if that is why the object is due.
    reference_changed: Option<SinceBoot>,
    /// The status was outdated.
    status_outdated: bool,
}

/// What the decision of a reconcile rests on when no step is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// A listing whose request was sent then.
    Listing(SinceBoot),
    /// A listing, and a write to Atlas that only a later listing shows.
    Write,
    /// No listing.
    Nothing,
}

/// How a reconcile ended.
#[derive(Debug, Clone, Copy)]
pub struct ReconcileOutcome<'a> {
    /// The object as the reconcile left it.
    pub object: ObjectVersion,
    /// Its token, by which intervals are spread; `None`: they are exact, so that objects share the requests of one.
    pub token: Option<&'a Token>,
    /// When to reconcile again, by the last decision.
    pub requeue: Requeue,
    /// A hash of what polls wait for: while it changes, they stay frequent.
    pub progress: u64,
    /// What the decision rests on.
    pub basis: Basis,
    /// The longest delay, if something besides the endpoint has to be retried or awaited.
    pub latest: Option<Duration>,
}

/// The delays between polls of one object.
#[derive(Debug, Clone, Copy)]
pub struct PollIntervals {
    /// The shortest delay while the endpoint changes.
    pub poll_min: Duration,
    /// The longest delay while the endpoint changes.
    pub poll_max: Duration,
    /// The delay once it is settled.
    pub interval: Duration,
}

/// When one object is due, and what its next listing has to show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Schedule {
    /// When the timer triggers the next reconcile.
    due: Option<SinceBoot>,
    /// The earliest acceptable send time of a listing for a reconcile that the timer triggers.
    fresh_after: Option<SinceBoot>,
    /// When the last write to Atlas ended.
    atlas_written: Option<SinceBoot>,
    /// The number of this process's last write to the object.
    object_written: Option<u64>,
    /// When the referenced object changed, if no listing was fetched since.
    reference_changed: Option<SinceBoot>,
    /// The status is outdated because of another object, and no reconcile has started since. Atlas' own data has not changed.
    status_outdated: bool,
    /// When the listing of the last reconcile was sent.
    listing: Option<SinceBoot>,
    /// The content for which the last listing was fetched, and whether the object was being deleted.
    listed: Option<(u64, bool)>,
    /// An edit without a listing so far: the edited content, and when the edit was noticed.
    edit: Option<(u64, SinceBoot)>,
    /// A reconcile request without a listing so far, and when it was noticed.
    request: Option<(u64, SinceBoot)>,
    /// The content as the last reconcile left it.
    handled: Option<u64>,
    /// What the last poll waited for.
    progress: Option<u64>,
    /// Consecutive polls without progress.
    polls: u32,
    /// The last reconcile wrote to Atlas.
    wrote: bool,
    /// Consecutive failures.
    failures: u32,
}

impl Schedule {
    /// Returns whether the object is due, and what its listing has to show. `enqueued_at` is when the object was last enqueued.
    ///
    /// However long the object waited in the queue, a listing sent after it was enqueued is fresh enough: it is younger than the
    /// object's content.
    pub fn due(&mut self, object: &ObjectVersion, enqueued_at: SinceBoot, now: SinceBoot) -> Due {
        let stale = self.object_written.zip(object.number).is_some_and(|(written, cached)| cached < written);
        // A reconcile that was running when it was triggered may have started from the earlier content.
        let reference_changed = self.reference_changed.take();
        let status_outdated = std::mem::take(&mut self.status_outdated);
        let unchanged = reference_changed.is_none() && (self.handled == Some(object.content) || stale);
        let is_edited = !stale && self.is_edited(object);
        self.edit = is_edited.then(|| first_noticed(self.edit, object.content, enqueued_at));
        let request = object.request.filter(|_| !stale);
        self.request = request.map(|request| first_noticed(self.request, request, enqueued_at));
        let edited = self.edit.map(|(_, noticed)| noticed).max(reference_changed);
        let cause = edited.map_or(Cause::Own, |_| Cause::Edit).requested_if(self.request.is_some());
        // Changed only by its deletion, it needs a listing sent for that.
        let is_only_deleted = object.deleting && !is_edited;
        let start = Start {
            fresh_after: edited.filter(|_| !is_only_deleted).unwrap_or(enqueued_at),
            cause,
            stale,
            reference_changed,
            status_outdated,
        };
        let start = match (self.due, self.request) {
            (_, None) if unchanged && status_outdated => {
                Start { fresh_after: self.listing.unwrap_or(enqueued_at), ..start }
            }
            (Some(due), None) if unchanged && now < due => return Due::Later(due.saturating_sub(now)),
            (Some(due), Some((_, noticed))) if unchanged && now < due => {
                Start { fresh_after: noticed, cause: Cause::Request, ..start }
            }
            // Due by the timer, with an endpoint recorded: the latest listing that the object's neighbours used is fresh
            // enough. A create or a delete requires a listing sent for this reconcile.
            (Some(_), None) if unchanged && object.recorded && !object.deleting => {
                Start { fresh_after: self.fresh_after.unwrap_or(enqueued_at), ..start }
            }
            _ => start,
        };
        // A queued object accepts any listing sent since its trigger, except one sent before a reconcile request or our last write.
        let requested = self.request.map(|(_, noticed)| noticed);
        let least = requested.max(self.atlas_written).unwrap_or_default();
        Due::Now(Start { fresh_after: start.fresh_after.max(least), ..start })
    }

    /// Returns `true` if a user has changed the object since its last listing, or created it.
    ///
    /// A deletion is no edit: it ends the object.
    fn is_edited(&self, object: &ObjectVersion) -> bool {
        if let Some((listed, was_deleting)) = self.listed {
            return listed != object.content && (was_deleting || !object.deleting);
        }
        // A restart reconciles all objects and edits none.
        !object.current && !object.deleting
    }

    /// Returns `true` if the last reconcile left the object with this content.
    #[must_use]
    pub fn is_handled(&self, content: u64) -> bool {
        self.handled == Some(content)
    }

    /// Records that the referenced object changed.
    pub fn reference_changed(&mut self, now: SinceBoot) {
        self.reference_changed = Some(now);
    }

    /// Records that the status has to be published again, because it depends on what another object declares.
    pub fn status_outdated(&mut self) {
        self.status_outdated = true;
    }

    /// Records that a listing was requested for this version of the object.
    pub fn listed(&mut self, object: &ObjectVersion) {
        self.listed = Some((object.content, object.deleting));
    }

    /// Records that this process has written the object; `number` is the resourceVersion that resulted.
    pub fn object_written(&mut self, number: Option<u64>) {
        self.object_written = number;
    }

    /// Records the end of a write to Atlas, whatever its outcome: the next reconcile rests on no earlier listing, however this
    /// one ends.
    pub fn atlas_written(&mut self, now: SinceBoot) {
        (self.fresh_after, self.atlas_written) = (Some(now), Some(now));
    }

    /// Records that the reconcile that started so ended early: what triggered it triggers another.
    pub fn interrupted(&mut self, start: &Start) {
        self.reference_changed = self.reference_changed.max(start.reference_changed);
        self.status_outdated |= start.status_outdated;
    }

    /// Records that the reconcile failed: the object is due. Returns the delay before the next one; `jitter` is in 0..1.
    pub fn failed(&mut self, jitter: f64) -> Duration {
        (self.handled, self.due) = (None, None);
        self.failures = self.failures.saturating_add(1);
        backoff::retry(self.failures - 1, jitter)
    }

    /// Returns how many reconciles have failed in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Records that the reconcile ended. Returns the delay before the next one, or `None` if only an event triggers it. `jitter`
    /// is in 0..1.
    ///
    /// Polls are counted from the listing, not from now, so that the objects of one instance align and share their listings.
    pub fn finished(
        &mut self,
        outcome: &ReconcileOutcome<'_>,
        pace: PollIntervals,
        jitter: f64,
        now: SinceBoot,
    ) -> Option<Duration> {
        let ReconcileOutcome { object, token, requeue, progress, basis, latest } = *outcome;
        let listing = match basis {
            Basis::Listing(sent) => Some(sent),
            Basis::Write | Basis::Nothing => None,
        };
        // The same listing again does not count as another poll.
        let is_another = listing.is_none() || self.listing != listing;
        self.count_polls(progress, basis == Basis::Write, is_another);
        self.listing = listing;
        self.handled = Some(object.content);
        if basis != Basis::Nothing {
            self.listed(&object);
        }
        self.object_written = object.number;
        self.failures = match requeue {
            Requeue::Retry(_) => self.failures.saturating_add(u32::from(is_another)),
            _ => 0,
        };
        let delay = match requeue {
            Requeue::OnChange => None,
            Requeue::Poll => Some(backoff::poll(self.polls, pace.poll_min, pace.poll_max)),
            Requeue::Await => Some(pace.poll_max),
            Requeue::Interval => Some(
                token.map_or(pace.interval, |token| backoff::spread(pace.interval, steady_jitter(token))),
            ),
            Requeue::After(delay) => Some(delay),
            Requeue::Retry(least) => Some(backoff::retry(self.failures.saturating_sub(1), jitter).max(least)),
        };
        let delay = delay.into_iter().chain(latest).min();
        let base = listing.unwrap_or(now);
        self.due = delay.map(|delay| base.saturating_add(delay));
        // A poll may run a little early, together with the polls of its neighbours; a mandatory delay may not.
        self.fresh_after = delay.map(|delay| match requeue {
            Requeue::Poll | Requeue::Await | Requeue::Interval => base.saturating_add(delay / 2),
            _ => base.saturating_add(delay),
        });
        self.due.map(|due| due.saturating_sub(now))
    }

    /// Counts a poll without progress. A write is polled closely; a write that is repeated because it does not show is not.
    fn count_polls(&mut self, progress: u64, wrote: bool, is_another: bool) {
        let progress = Some(progress);
        if self.progress == progress && (!wrote || self.wrote) {
            self.polls = self.polls.saturating_add(u32::from(is_another));
        } else {
            self.polls = 0;
        }
        (self.wrote, self.progress) = (wrote, progress);
    }
}

/// Returns the hash with the time when it was noticed first: as `known`, or now.
fn first_noticed(known: Option<(u64, SinceBoot)>, hash: u64, now: SinceBoot) -> (u64, SinceBoot) {
    known.filter(|(known, _)| *known == hash).unwrap_or((hash, now))
}

/// Returns a number in 0..1 that is constant for one object, so that its polls stay evenly spaced.
fn steady_jitter(token: &Token) -> f64 {
    let sum: u32 = token.as_str().bytes().map(u32::from).sum();
    f64::from(sum % 97) / 97.0
}
