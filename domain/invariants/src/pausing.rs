//! Invariants of requeueing.

use domain::requeue::Requeue;
use domain::serverless::decision::{Decision, Deleting, State, Step};
use domain::serverless::observed::{Listing, Observed};
use domain::serverless::ownership::ClaimReading;

use crate::Verdict;
use crate::view::{is_confirmed_gone, reports_gone, unproven, wanted};

pub(crate) fn suspending_stops_listing_unless_an_attempt_is_open(o: &Observed, d: &Decision) -> Verdict {
    wanted(o).filter(|spec| spec.suspend && !o.object.deleting)?;
    (d.step == Step::List).then(|| !unproven(o).is_empty())
}

pub(crate) fn what_was_listed_is_not_listed_again(o: &Observed, d: &Decision) -> Verdict {
    (o.listing != Listing::NotFetched).then(|| d.step != Step::List)
}

pub(crate) fn a_rest_without_a_requeue_is_one_that_only_the_user_can_end(
    o: &Observed,
    d: &Decision,
) -> Verdict {
    (d.step == Step::Rest && d.requeue == Requeue::OnChange).then_some(match &d.state {
        State::Suspended | State::Invalid(_) | State::AdoptionRequired { .. } => true,
        State::Deleting(Deleting::InProgress) => !o.object.finalizer,
        _ => false,
    })
}

pub(crate) fn one_response_that_all_is_gone_is_followed_by_a_request_within_the_gap(
    o: &Observed,
    d: &Decision,
) -> Verdict {
    reports_gone(o).filter(|_| !is_confirmed_gone(o))?;
    let waits = match &d.state {
        State::ListingFailed(_) => return Some(false),
        State::Unconfirmed(_) => true,
        State::Deleting(_) => {
            wanted(o).is_some_and(|spec| !spec.retain && !spec.observe) && o.object.finalizer
        }
        _ => false,
    };
    let foreign = matches!(o.object.claim, ClaimReading::Foreign(_)) && o.recorded().is_none();
    (waits && d.step == Step::Rest && !foreign)
        .then(|| matches!(d.requeue, Requeue::After(pause) if pause <= o.times.confirm_gap))
}

pub(crate) fn no_pause_is_empty(_: &Observed, d: &Decision) -> Verdict {
    let Requeue::After(pause) = d.requeue else { return None };
    Some(!pause.is_zero())
}
