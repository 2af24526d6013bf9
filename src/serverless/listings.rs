//! Fetches one listing per instance, however many objects it has, and none during a back-off or rate limit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use atlas::{Fingerprint, Operation};
use domain::fault::Fault;
use domain::rate_limits::Call;
use domain::reconcile::ListRequest;
use domain::request_rate::{ListingRate, UserTrigger};
use domain::schedule::Cause;
use domain::serverless::endpoint::{Endpoint, Instance};
use domain::serverless::observed::Times;
use domain::serverless::reconcile::vocabulary::Listed;
use domain::token_bucket::Rate;

use crate::clock::Boottime;

use crate::runtime::atlas_access::{Access, AtlasAccess};
use crate::runtime::single_flight::SingleFlight;

/// Minimum interval between two listings of an instance, however many callers request one. A shorter poll interval shortens it.
const INTERVAL: Duration = Duration::from_secs(1);

/// Maximum burst of listings of an instance: as many as one uninterrupted change needs.
const BURST: u32 = 4;

/// Why no request for a listing was sent.
enum NotSent {
    /// Requests are backed off, because of this fault.
    BackedOff(Fault),
    /// Users request too many listings: the next is allowed after this delay.
    RateLimited(Duration),
}

/// The listings of all instances.
pub(super) struct Listings {
    endpoints: SingleFlight<Instance, Result<Arc<[Endpoint]>, Fault>>,
    listing_rate: Mutex<ListingRate<Fingerprint>>,
    confirm_gap: Duration,
}

impl Listings {
    /// Creates the listings for objects that are polled at most every `poll_min`.
    pub(super) fn new(poll_min: Duration, times: Times) -> Self {
        let interval = INTERVAL.min(poll_min);
        Self {
            endpoints: SingleFlight::new(Some(Rate { burst: BURST, interval }), Result::is_err),
            listing_rate: Mutex::new(ListingRate::new(interval, Boottime::now().since_boot())),
            confirm_gap: times.confirm_gap,
        }
    }

    /// Returns all endpoints of an instance, from a listing that is as fresh as requested, or why there is none.
    ///
    /// # Errors
    /// If a user requested it and it is rate-limited: the delay after which it is allowed.
    pub(super) async fn get(
        &self,
        atlas: &AtlasAccess,
        access: &Access<Instance>,
        ListRequest { fresh_after, cause, .. }: ListRequest,
    ) -> Result<Listed, Duration> {
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
            let result = Box::pin(access.key.client.list(&access.subject)).await;
            drop(permit);
            if let Ok(listing) = &result {
                if let Some(sunset) = &listing.sunset {
                    atlas.announced(sunset.day.as_deref(), sent);
                }
                if let Some(trigger) = counted_as {
                    self.listing_rate().refund(trigger, &access.namespace);
                }
            }
            atlas.record_response(access, (Call::Read, sent), result.as_ref().err()).await;
            let result = result.map(|listing| Arc::from(listing.endpoints)).map_err(|error| error.fault());
            Ok((sent, result))
        };
        let (sent, result, was_requested) =
            match self.endpoints.get(access.single_flight_key(), fresh_after, enter, fetch).await {
                Ok((sent, result)) => (sent, result, true),
                Err(NotSent::BackedOff(Fault { retry_after: Some(remaining), .. }))
                    if cause == Cause::Request =>
                {
                    return Err(remaining);
                }
                Err(NotSent::BackedOff(fault)) => {
                    let attempt = Operation::List.attempt(&access.subject, None);
                    (Boottime::now(), Err(fault.met_by(attempt)), false)
                }
                Err(NotSent::RateLimited(delay)) => return Err(delay),
            };
        let (sent, sunset) = (sent.since_boot(), atlas.sunset(self.confirm_gap));
        Ok(Listed { sent, result, was_requested, sunset })
    }

    /// Checks back-off and rate limits, and records that a listing is requested now. Returns the trigger of a user that it
    /// counts as.
    fn begin(
        &self,
        atlas: &AtlasAccess,
        access: &Access<Instance>,
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
        access: &Access<Instance>,
        is_requested: bool,
    ) -> Result<(), NotSent> {
        let withheld = atlas.withheld_read(access, is_requested);
        withheld.map_or(Ok(()), |fault| Err(NotSent::BackedOff(fault)))
    }

    fn listing_rate(&self) -> MutexGuard<'_, ListingRate<Fingerprint>> {
        self.listing_rate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
