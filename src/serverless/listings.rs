//! One listing per instance, however many objects it has; while Atlas asks to be left alone, none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use atlas::{AtlasError, Operation};
use domain::endpoint::{Endpoint, EndpointId};
use domain::fault::{Fault, FaultKind};
use domain::observed::Sunset;

use crate::clock::Boottime;

use super::context::Context;
use super::rate_limits::{Call, Caller, RateLimits};
use super::request_rate::{Act, ListingRate};
use super::session::Access;
use crate::runtime::single_flight::SingleFlight;
use crate::runtime::token_bucket::Rate;

/// An instance is listed once in this time at the most, however many wish it: where polls come oftener, as often as those.
const INTERVAL: Duration = Duration::from_secs(1);

/// As many listings of an instance come one upon the other as a change takes that waits for nothing.
const BURST: u32 = 4;

/// What Atlas said of an instance, and when it was asked.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) sent: Boottime,
    pub(super) result: Result<Arc<Vec<Endpoint>>, Fault>,
    /// Atlas was asked; else `result` says why it was not.
    pub(super) is_asked: bool,
    /// The end of this API, if an answer has ever announced it.
    pub(super) sunset: Option<Sunset>,
}

/// What a listing is fetched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The schedule, or a step of the protocol.
    Own,
    /// An edit, of the object or of what it refers to.
    Edit,
    /// Somebody's word, besides one of these.
    Also,
    /// Somebody's word alone.
    Word,
}

impl Cause {
    /// The same, with an edit too.
    pub(super) fn edited(self) -> Self {
        match self {
            Self::Own | Self::Edit => Self::Edit,
            Self::Also | Self::Word => Self::Also,
        }
    }

    /// The same, with a word too if there `is` one, else without any.
    pub(super) fn worded_if(self, is: bool) -> Self {
        match (self, is) {
            (Self::Own | Self::Edit, true) => Self::Also,
            (Self::Also, false) => Self::Edit,
            (Self::Word, false) => Self::Own,
            (cause, _) => cause,
        }
    }
}

/// Why no listing was asked for.
enum NotAsked {
    /// Atlas is left alone, as this says.
    PauseScope(Fault),
    /// Users list too often: this one's turn comes after so long.
    Later(Duration),
}

/// The way to Atlas that all reconciles share.
pub(super) struct Listings {
    endpoints: SingleFlight<Result<Arc<Vec<Endpoint>>, Fault>>,
    pauses: Mutex<RateLimits>,
    words: Mutex<ListingRate>,
    /// What was announced last. An answer that says nothing of it takes nothing back: not every server of Atlas may.
    sunset: Mutex<Option<Sunset>>,
}

impl Listings {
    /// Listings for objects that are polled every `poll_min` at the soonest.
    pub(super) fn new(poll_min: Duration) -> Self {
        let interval = INTERVAL.min(poll_min);
        Self {
            endpoints: SingleFlight::new(Some(Rate { burst: BURST, interval })),
            pauses: Mutex::default(),
            words: Mutex::new(ListingRate::new(interval, Boottime::now())),
            sunset: Mutex::default(),
        }
    }

    /// All endpoints of an instance, from a listing that was sent at `fresh_after` or later.
    ///
    /// # Errors
    /// A user asks for it, and its turn comes after so long.
    pub(super) async fn get(
        &self,
        ctx: &Context,
        access: &Access,
        fresh_after: Boottime,
        cause: Cause,
    ) -> Result<Listing, Duration> {
        let enter = || async {
            // So that a thousand objects that are paused do not wait for permits.
            if matches!(cause, Cause::Own | Cause::Edit) {
                self.held(access, Call::Read, false)?;
            }
            Ok(ctx.limits.enter(&access.namespace, &access.instance.project).await)
        };
        let ask = |permit| async {
            self.begin(access, cause)?;
            let sent = Boottime::now();
            // In a box of its own: many wait here for the few that ask.
            let result = Box::pin(access.key.client.list(&access.instance)).await;
            drop(permit);
            if let Ok(listing) = &result {
                self.announced(listing.sunset.as_ref());
            }
            self.note(ctx, access, (Call::Read, sent), result.as_ref().err()).await;
            let result = result.map(|listing| Arc::new(listing.endpoints)).map_err(|error| error.fault());
            Ok((sent, result))
        };
        let (sent, result, is_asked) =
            match self.endpoints.get(access.asking(), fresh_after, enter, ask).await {
                Ok((sent, result)) => (sent, result, true),
                Err(NotAsked::PauseScope(Fault { retry_after: Some(left), .. })) if cause == Cause::Word => {
                    return Err(left);
                }
                Err(NotAsked::PauseScope(fault)) => {
                    let attempt = Operation::List.attempt(&access.instance, None);
                    (Boottime::now(), Err(fault.met_by(attempt)), false)
                }
                Err(NotAsked::Later(delay)) => return Err(delay),
            };
        Ok(Listing { sent, result, is_asked, sunset: self.sunset().clone() })
    }

    /// A listing is asked for now, if nothing is against it.
    fn begin(&self, access: &Access, cause: Cause) -> Result<(), NotAsked> {
        let now = Boottime::now();
        let take = |act| {
            let project = (access.instance.project.clone(), access.key.client.credentials().fingerprint());
            let wait = self.words().take(act, &access.namespace, project, now);
            if wait.is_zero() { Ok(()) } else { Err(NotAsked::Later(wait)) }
        };
        let is_worded = match cause {
            Cause::Own | Cause::Edit => false,
            Cause::Also => take(Act::Word).is_ok(),
            Cause::Word => take(Act::Word).map(|()| true)?,
        };
        self.held(access, Call::Read, is_worded)?;
        if matches!(cause, Cause::Edit | Cause::Also) && !is_worded {
            take(Act::Edit)?;
        }
        self.pauses().called(&caller(access), Call::Read, now);
        Ok(())
    }

    /// Keeps what was announced. A day that was named stays named where another server names none.
    fn announced(&self, sunset: Option<&Sunset>) {
        let mut known = self.sunset();
        if known.is_none() || sunset.is_some_and(|sunset| sunset.day.is_some()) {
            *known = sunset.cloned();
        }
    }

    fn sunset(&self) -> MutexGuard<'_, Option<Sunset>> {
        self.sunset.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self, access: &Access, call: Call, asked: bool) -> Result<(), NotAsked> {
        let held = self.pauses().holding(&caller(access), call, asked, Boottime::now());
        held.map_or(Ok(()), |fault| Err(NotAsked::PauseScope(fault)))
    }

    /// Why Atlas may not be read for `access` now, if it may not.
    pub(super) fn paused(&self, access: &Access) -> Option<FaultKind> {
        let held = self.pauses().holding(&caller(access), Call::Read, false, Boottime::now());
        held.map(|fault| fault.kind)
    }

    /// This write begins, if nothing holds it up. `asked`: by somebody's word.
    ///
    /// # Errors
    /// What holds it up.
    pub(super) fn begin_write(
        &self,
        access: &Access,
        operation: Operation,
        id: Option<&EndpointId>,
        asked: bool,
    ) -> Result<(), Held> {
        let (caller, now) = (caller(access), Boottime::now());
        let mut pauses = self.pauses();
        if let Some(fault) = pauses.holding(&caller, Call::Read, asked, now) {
            return Err(Held::All(fault.met_by(Operation::List.attempt(&access.instance, None))));
        }
        if operation == Operation::List {
            return Ok(());
        }
        if let Some(fault) = pauses.holding(&caller, Call::Write, asked, now) {
            return Err(Held::Writes(fault.met_by(operation.attempt(&access.instance, id))));
        }
        pauses.called(&caller, Call::Write, now);
        Ok(())
    }

    /// Draws the consequences of an answer to a call that was sent then, for the key and for whom it pauses.
    pub(super) async fn note(
        &self,
        ctx: &Context,
        access: &Access,
        (call, sent): (Call, Boottime),
        error: Option<&AtlasError>,
    ) {
        let (caller, now) = (caller(access), Boottime::now());
        match error {
            None => self.pauses().served(&caller, call, sent, now),
            Some(error) => self.pauses().refused(&caller, call, (&error.fault(), error.concerns()), now),
        }
        ctx.keys.answered(&access.key, error.map(AtlasError::kind)).await;
    }

    fn pauses(&self) -> MutexGuard<'_, RateLimits> {
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn words(&self) -> MutexGuard<'_, ListingRate> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a pause holds up.
pub(super) enum Held {
    /// Every call.
    All(Fault),
    /// Writes alone.
    Writes(Fault),
}

fn caller(Access { namespace, instance, key }: &Access) -> Caller {
    Caller {
        namespace: namespace.clone(),
        project: instance.project.clone(),
        secret: Arc::clone(&key.source),
        credentials: key.client.credentials().fingerprint(),
    }
}
