//! Properties of the schedule over any sequence of triggers, reconciles and restarts: nothing is reconciled without a reason,
//! no reason is lost, and no listing is older than what it has to show. A small model of its own says what that is.
//!
//! A reconcile takes time: whatever may happen to an object also happens while it runs.

#![allow(clippy::unchecked_time_subtraction, reason = "time only goes on here")]

use std::time::Duration;

use domain::requeue::Requeue;
use domain::schedule::{Basis, Cause, Due, ObjectVersion, PollIntervals, ReconcileOutcome, Schedule, Start};

use crate::fixtures::{Draw, MINUTE, secs, token};

const PACE: PollIntervals =
    PollIntervals { poll_min: Duration::from_secs(5), poll_max: MINUTE, interval: Duration::from_mins(10) };

/// A sequence of events, as many as there are bytes for.
pub fn check(bytes: &[u8]) {
    let mut draw = Draw::from(bytes);
    let mut history = ScheduleHistory::default();
    while !draw.is_empty() {
        history.happen(&mut draw);
    }
}

struct ScheduleHistory {
    schedule: Schedule,
    now: Duration,
    /// The object, and as the cache shows it.
    object: ObjectVersion,
    cached: ObjectVersion,
    /// The number of different contents and requests so far.
    fresh: u64,
    /// When a user changed the object last, and requested a reconcile.
    edited: Duration,
    requested: Duration,
    /// When the referenced object changed, and no reconcile that started since has ended; and which change that was.
    reference: Option<(Duration, u64)>,
    /// Another object changed what the status says, and no reconcile that started since has ended: which change that was.
    outdated: Option<u64>,
    enqueued: Option<Duration>,
    running: Option<ScheduleRun>,
    /// This process's last write to the object.
    written: Option<u64>,
    atlas_written: Option<Duration>,
    /// The object as the last reconcile that ended left it; none: it failed, or there was none.
    left: Option<Left>,
    /// The content that was last listed for, or that a reconcile with a listing left.
    listed: Option<u64>,
}

/// A running reconcile.
struct ScheduleRun {
    start: Start,
    fresh_after: Duration,
    object: ObjectVersion,
    reference: Option<(Duration, u64)>,
    outdated: Option<u64>,
    wrote: bool,
}

/// What the last reconcile left.
struct Left {
    content: u64,
    due: Option<Duration>,
    /// The earliest time of the listing of a reconcile that the timer triggers.
    fresh: Duration,
}

impl Default for ScheduleHistory {
    fn default() -> Self {
        let object = ObjectVersion {
            content: 0,
            request: None,
            number: Some(1),
            deleting: false,
            recorded: false,
            current: false,
        };
        Self {
            schedule: Schedule::default(),
            now: secs(1_000),
            object,
            cached: object,
            fresh: 0,
            edited: secs(1_000),
            requested: Duration::ZERO,
            reference: None,
            outdated: None,
            enqueued: Some(secs(1_000)),
            running: None,
            written: None,
            atlas_written: None,
            left: None,
            listed: None,
        }
    }
}

impl ScheduleHistory {
    fn happen(&mut self, draw: &mut Draw<'_>) {
        match draw.byte() % 10 {
            0 => self.now += secs(draw.one_of(&[1, 3, 30, 700])),
            1 => self.edit(draw),
            2 => {
                self.requested = self.now;
                self.object.request = Some(self.next());
                self.show();
            }
            3 => {
                self.reference = Some((self.now, self.next()));
                self.schedule.reference_changed(self.now);
                self.enqueued = Some(self.now);
            }
            4 => {
                self.outdated = Some(self.next());
                self.schedule.status_outdated();
                self.enqueued = Some(self.now);
            }
            5 => self.show(),
            6 if draw.byte() == 0 => self.restart(),
            6 | 7 => self.write(draw),
            _ => match self.running.take() {
                None => self.start(),
                Some(run) => self.end(&run, draw),
            },
        }
    }

    fn next(&mut self) -> u64 {
        self.fresh += 1;
        self.fresh
    }

    /// A user changes the object, or deletes it.
    fn edit(&mut self, draw: &mut Draw<'_>) {
        self.edited = self.now;
        self.object.content = self.next();
        self.object.current = false;
        self.object.deleting |= draw.byte() % 8 == 7;
        self.show();
    }

    /// The watch shows the object as it is.
    fn show(&mut self) {
        self.object.number = self.object.number.map(|number| number + 1);
        self.cached = self.object;
        self.enqueued = Some(self.now);
    }

    /// The reconcile writes the object or Atlas; the cache does not show it yet.
    fn write(&mut self, draw: &mut Draw<'_>) {
        if self.running.is_none() {
            return;
        }
        let (is_object, content) = (!draw.bool(), self.object.content);
        if is_object {
            self.object.number = self.object.number.map(|number| number + 1);
            self.object.content = self.next();
            self.object.recorded = true;
            self.written = self.object.number;
            self.schedule.object_written(self.object.number);
        } else {
            self.schedule.atlas_written(self.now);
            self.atlas_written = Some(self.now);
        }
        let object = self.object;
        if let Some(run) = &mut self.running {
            // A write without a version covers an edit that the reconcile has not seen; then it lists again.
            let is_edited = is_object && content != run.object.content;
            run.fresh_after = if is_edited { self.now } else { run.fresh_after };
            (run.object, run.wrote) = (object, true);
        }
    }

    /// Another process takes over, which has seen nothing and is shown the object.
    fn restart(&mut self) {
        let Self { now, object, fresh, edited, requested, .. } = *self;
        *self = Self {
            now,
            object,
            fresh,
            edited,
            requested,
            enqueued: Some(now),
            cached: object,
            ..Self::default()
        };
        let due = self.schedule.clone().due(&object, now, now);
        let Due::Now(start) = due else { panic!("an object that this process does not know is due") };
        let is_edited = matches!(start.cause, Cause::Edit);
        assert!(!(is_edited && (object.current || object.deleting)), "a restart edits nothing: {start:?}");
    }

    fn start(&mut self) {
        let (now, cached) = (self.now, self.cached);
        let enqueued = self.enqueued.take().unwrap_or(now);
        let is_stale = self.written.zip(cached.number).is_some_and(|(written, cached)| cached < written);
        let start = match self.schedule.due(&cached, enqueued, now) {
            Due::Now(start) => start,
            Due::Later(delay) => {
                let left = self.left.as_ref().unwrap();
                assert!(is_stale || left.content == cached.content, "a change is due");
                assert!(is_stale || cached.request.is_none(), "a request is due");
                assert!(
                    self.reference.is_none() && self.outdated.is_none(),
                    "what it depends on has changed"
                );
                assert_eq!(left.due, Some(now + delay), "it is due when the last reconcile said");
                return;
            }
        };
        if let Some(Left { content, due: Some(due), .. }) = self.left {
            let has_reason = (content != cached.content || cached.request.is_some()) && !is_stale
                || self.reference.is_some()
                || self.outdated.is_some();
            assert!(has_reason || now >= due, "nothing has changed, and it is not due");
        }
        assert_eq!(start.stale, is_stale);
        self.judge(&start, is_stale, enqueued);
        // What is stale is read again first, and listed for after that.
        let (object, fresh_after) = if is_stale { (self.object, now) } else { (cached, start.fresh_after) };
        let (reference, outdated) = (self.reference, self.outdated);
        self.running = Some(ScheduleRun { start, fresh_after, object, reference, outdated, wrote: false });
    }

    /// What the listing of a reconcile has to show.
    fn judge(&self, start: &Start, is_stale: bool, enqueued: Duration) {
        let Start { fresh_after, cause, .. } = *start;
        assert!(fresh_after <= self.now, "it waits for no listing of the future");
        assert!(Some(fresh_after) >= self.atlas_written, "a listing shows our last write");
        assert!(
            self.reference.is_none_or(|(at, _)| fresh_after >= at),
            "a listing is younger than the reference"
        );
        if is_stale {
            assert!(
                matches!(cause, Cause::Own) || self.reference.is_some(),
                "a stale object requests nothing"
            );
            return;
        }
        let is_handled = self.left.as_ref().is_some_and(|left| left.content == self.cached.content);
        // What was listed for after the edit needs no younger listing, however the next reconcile ends.
        let is_seen = is_handled || self.listed == Some(self.cached.content);
        assert!(is_seen || fresh_after >= self.edited, "a listing is younger than the object");
        let is_requested = self.cached.request.is_some();
        assert!(!is_requested || fresh_after >= self.requested, "a listing is younger than the request");
        assert_eq!(is_requested, matches!(cause, Cause::Also | Cause::Request), "{cause:?}");
        // However long it was queued, it shares a listing that was sent since its trigger.
        let is_shared = fresh_after <= enqueued || Some(fresh_after) == self.atlas_written;
        assert!(is_shared || self.outdated.is_some() || self.is_timed(), "{start:?}");
        if self.listed == Some(self.cached.content) && self.reference.is_none() {
            assert!(!matches!(cause, Cause::Edit), "what was listed for is not edited");
        }
        if let Some(left) = self.left.as_ref().filter(|left| left.due.is_some() && self.is_timed()) {
            assert!(fresh_after >= left.fresh, "a mandatory delay is kept, and a poll at least half");
        }
    }

    /// Only the timer triggers it.
    fn is_timed(&self) -> bool {
        let is_known = self.left.as_ref().is_some_and(|left| left.content == self.cached.content);
        let kept = self.cached.recorded && !self.cached.deleting;
        is_known
            && kept
            && self.cached.request.is_none()
            && self.reference.is_none()
            && self.outdated.is_none()
    }

    fn end(&mut self, run: &ScheduleRun, draw: &mut Draw<'_>) {
        let start = run.start;
        match draw.byte() % 8 {
            0 => {
                self.schedule.interrupted(&start);
                let delay = self.schedule.failed(0.5);
                assert!(delay >= Duration::from_millis(500));
                self.left = None;
            }
            1 => self.schedule.interrupted(&start),
            _ => self.finish(run, draw),
        }
    }

    fn finish(&mut self, run: &ScheduleRun, draw: &mut Draw<'_>) {
        let basis = match draw.byte() % 4 {
            0 => Basis::Nothing,
            _ if run.wrote => Basis::Write,
            1 => Basis::Listing(self.now),
            _ => Basis::Listing(run.fresh_after),
        };
        let mut object = run.object;
        if basis != Basis::Nothing {
            self.schedule.listed(&object);
            // The status then shows what was handled.
            if self.object.content == object.content && self.object.request == object.request {
                self.object.request = None;
                self.object.current = true;
                object = self.object;
                self.cached = ObjectVersion { number: self.cached.number, ..object };
            }
        }
        let requeue = draw.one_of(&[
            Requeue::Poll,
            Requeue::Interval,
            Requeue::Await,
            Requeue::OnChange,
            Requeue::After(secs(100)),
            Requeue::Retry(secs(20)),
        ]);
        let latest = draw.maybe(|draw| secs(draw.one_of(&[60, 300])));
        let (progress, token) = (u64::from(draw.byte() % 3), token());
        let outcome = ReconcileOutcome { object, token: Some(&token), requeue, progress, basis, latest };
        let delay = self.schedule.finished(&outcome, PACE, 0.5, self.now);
        let base = if let Basis::Listing(sent) = basis { sent } else { self.now };
        let due = delay.map(|delay| self.now + delay);
        let (least, most) = match requeue {
            Requeue::Poll => (PACE.poll_min, PACE.poll_max),
            Requeue::Await => (PACE.poll_max, PACE.poll_max),
            Requeue::Interval => (PACE.interval.mul_f64(0.8), PACE.interval.mul_f64(1.2)),
            Requeue::After(delay) => (delay, delay),
            Requeue::Retry(least) => (least, domain::backoff::MAX_RETRY),
            Requeue::OnChange => (Duration::MAX, Duration::MAX),
        };
        let bound = |delay: Duration| delay.min(latest.unwrap_or(Duration::MAX));
        let (least, most) = (bound(least), bound(most));
        if let Some(due) = due {
            let from = base.max(self.now.saturating_sub(most));
            assert!(
                due >= self.now && due <= (base + most).max(self.now),
                "{requeue:?} is {due:?} from {from:?}"
            );
            assert!(due >= base + least, "{requeue:?} is not sooner than {least:?}");
        } else {
            assert_eq!(least, Duration::MAX, "{requeue:?} comes back");
        }
        let is_poll = matches!(requeue, Requeue::Poll | Requeue::Await | Requeue::Interval);
        let fresh = if is_poll { base + least / 2 } else { base.saturating_add(least) };
        self.left = Some(Left { content: object.content, due, fresh });
        self.listed = if basis == Basis::Nothing { self.listed } else { Some(object.content) };
        self.written = object.number;
        // What came while it ran is still to be done.
        self.reference = self.reference.filter(|_| self.reference != run.reference);
        self.outdated = self.outdated.filter(|_| self.outdated != run.outdated);
    }
}
