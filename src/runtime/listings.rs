//! Fetches one listing per subject, however many objects need it, and none during a back-off or rate limit.
//!
//! It knows neither what is listed nor how: a caller gives it the request. It never returns a listing older than the caller allows.

use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use atlas::{AtlasError, Fingerprint};
use domain::fault::Fault;
use domain::instant::SinceBoot;
use domain::rate_limits::Call;
use domain::reconcile::ListRequest;
use domain::request_rate::{ListingRate, UserTrigger};
use domain::schedule::Cause;
use domain::sunset::{Announcements, Sunset};
use domain::token_bucket::Rate;

use crate::clock::Boottime;

use super::atlas_access::{Access, AtlasAccess};
use super::single_flight::SingleFlight;

/// Minimum interval between two listings of a subject, however many callers request one. A shorter poll interval shortens it.
const INTERVAL: Duration = Duration::from_secs(1);

/// Maximum burst of listings of a subject: as many as one uninterrupted change needs.
const BURST: u32 = 4;

/// Why no request for a listing was sent.
enum NotSent {
    /// Requests are backed off, because of this fault.
    BackedOff(Fault),
    /// Users request too many listings: the next is allowed after this delay.
    RateLimited(Duration),
}

/// A listing, or why there is none.
pub(crate) struct ListingResponse<Item> {
    /// When its request was sent.
    pub(crate) sent: SinceBoot,
    /// All items of the subject, or the fault.
    pub(crate) result: Result<Arc<[Item]>, Fault>,
    /// A request was sent for it.
    pub(crate) was_requested: bool,
    /// The announced end of the API, as far as the response to any listing has announced it.
    pub(crate) sunset: Option<Sunset>,
}

/// The listings of all subjects: of the endpoints of instances, for example.
pub(crate) struct Listings<Subject, Item> {
    responses: SingleFlight<Subject, Result<Arc<[Item]>, Fault>>,
    listing_rate: Mutex<ListingRate<Fingerprint>>,
    /// The announced ends of the API, by the response to any listing.
    announcements: Mutex<Announcements>,
    confirm_gap: Duration,
}

impl<Subject: Clone + Eq + Hash, Item> Listings<Subject, Item> {
    /// Creates the listings for objects that are polled at most every `poll_min`. Two announcements of an end at least `confirm_gap`
    /// apart confirm each other.
    pub(crate) fn new(poll_min: Duration, confirm_gap: Duration) -> Self {
        let interval = INTERVAL.min(poll_min);
        Self {
            responses: SingleFlight::new(Some(Rate { burst: BURST, interval }), Result::is_err),
            listing_rate: Mutex::new(ListingRate::new(interval, Boottime::now().since_boot())),
            announcements: Mutex::default(),
            confirm_gap,
        }
    }

    /// Returns all items of a subject, from a listing that is as fresh as requested, or why there is none.
    ///
    /// `list` sends the request, and returns the items and the end of the API, if the response announces it. `attempt` describes the
    /// request if it is withheld.
    ///
    /// # Errors
    /// If a user requested it and it is rate-limited: the delay after which it is allowed.
    pub(crate) async fn get<Response>(
        &self,
        atlas: &AtlasAccess,
        access: &Access<Subject>,
        ListRequest { fresh_after, cause, .. }: ListRequest,
        list: impl FnOnce() -> Response,
        attempt: impl FnOnce() -> String,
    ) -> Result<ListingResponse<Item>, Duration>
    where
        Response: Future<Output = Result<(Vec<Item>, Option<Sunset>), AtlasError>>,
    {
        let fresh_after = Boottime::from_boot(fresh_after);
        let enter = || async {
            // Checked before the permit, so that a thousand objects in back-off do not wait for permits.
            if matches!(cause, Cause::Own | Cause::Edit) {
                Self::check_withheld(atlas, access, false)?;
            }
            Ok(atlas.enter(&access.namespace, &access.project).await)
        };
        let fetch = |permit| async {
            let counted_as = self.begin(atlas, access, cause)?;
            let sent = Boottime::now();
            // Boxed, to keep this future small: many callers wait here for the few that send a request.
            let result = Box::pin(list()).await;
            drop(permit);
            if let Ok((_, sunset)) = &result {
                if let Some(sunset) = sunset {
                    self.announcements().announced(sunset.day.as_deref(), sent.since_boot());
                }
                if let Some(trigger) = counted_as {
                    self.listing_rate().refund(trigger, &access.namespace);
                }
            }
            atlas.record_response(access, (Call::Read, sent), result.as_ref().err()).await;
            let result = result.map(|(items, _)| Arc::from(items)).map_err(|error| error.fault());
            Ok((sent, result))
        };
        let (sent, result, was_requested) =
            match self.responses.get(access.single_flight_key(), fresh_after, enter, fetch).await {
                Ok((sent, result)) => (sent, result, true),
                Err(NotSent::BackedOff(Fault { retry_after: Some(remaining), .. }))
                    if cause == Cause::Request =>
                {
                    return Err(remaining);
                }
                Err(NotSent::BackedOff(fault)) => (Boottime::now(), Err(fault.met_by(attempt())), false),
                Err(NotSent::RateLimited(delay)) => return Err(delay),
            };
        Ok(ListingResponse { sent: sent.since_boot(), result, was_requested, sunset: self.sunset() })
    }

    /// Checks back-off and rate limits, and records that a listing is requested now. Returns the trigger of a user that it
    /// counts as.
    fn begin(
        &self,
        atlas: &AtlasAccess,
        access: &Access<Subject>,
        cause: Cause,
    ) -> Result<Option<UserTrigger>, NotSent> {
        let now = Boottime::now().since_boot();
        let take = |trigger| {
            let project = (access.project.clone(), access.fingerprint());
            let wait = self.listing_rate().take(trigger, &access.namespace, project, now);
            if wait.is_zero() { Ok(trigger) } else { Err(NotSent::RateLimited(wait)) }
        };
        let requested = match cause {
            Cause::Own | Cause::Edit => None,
            Cause::Also => take(UserTrigger::Request).ok(),
            Cause::Request => Some(take(UserTrigger::Request)?),
        };
        Self::check_withheld(atlas, access, requested.is_some())?;
        let counted_as = match cause {
            Cause::Edit | Cause::Also if requested.is_none() => Some(take(UserTrigger::Edit)?),
            _ => requested,
        };
        atlas.begin_read(access);
        Ok(counted_as)
    }

    fn check_withheld(
        atlas: &AtlasAccess,
        access: &Access<Subject>,
        is_requested: bool,
    ) -> Result<(), NotSent> {
        let withheld = atlas.withheld_read(access, is_requested);
        withheld.map_or(Ok(()), |fault| Err(NotSent::BackedOff(fault)))
    }

    /// Returns the announced end of the API, if a response of the last day has announced it.
    fn sunset(&self) -> Option<Sunset> {
        let sunset = self.announcements().current(self.confirm_gap, Boottime::now().since_boot())?;
        let today = jiff::Timestamp::now().strftime("%F").to_string();
        Some(Sunset { is_over: sunset.day.as_deref().is_some_and(|day| *day < *today), ..sunset })
    }

    fn announcements(&self) -> MutexGuard<'_, Announcements> {
        self.announcements.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listing_rate(&self) -> MutexGuard<'_, ListingRate<Fingerprint>> {
        self.listing_rate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
