//! Invariants of creation: what is claimed, posted and recorded, and that it happens once.

use domain::ids::VpcEndpointId;
use domain::reference::VpcEndpoint;
use domain::serverless::decision::{ConfirmedAbsence, Decision, Origin};
use domain::serverless::endpoint::EndpointStatus;
use domain::serverless::observed::{AttemptOutcome, Observed};
use domain::serverless::ownership::{ClaimReading, mark_of};

use crate::Verdict;
use crate::view::{
    announced, claim, claim_is_open, confirmed, create, created, is_ours, listed, listing, may_land, record,
    unproven, wanted,
};

pub(crate) fn a_create_is_decided_for_a_living_object_with_our_finalizer_that_wants_an_endpoint(
    o: &Observed,
    d: &Decision,
) -> Verdict {
    create(d)?;
    let spec = o.spec.as_ref();
    let wanted = spec.is_ok_and(|spec| !spec.suspend && !spec.observe && spec.endpoint_id.is_none());
    Some(!o.object.deleting && o.object.finalizer && wanted)
}

pub(crate) fn a_create_is_decided_only_for_our_own_unsent_attempt_that_the_open_claim_announces_and_before_its_deadline(
    o: &Observed,
    d: &Decision,
) -> Verdict {
    let (sent, _) = create(d)?;
    let claimed = matches!(&o.object.claim, ClaimReading::Ours { nonce, .. } if nonce == sent);
    let unsent = o.memory.attempts.iter().any(|attempt| {
        attempt.nonce == *sent
            && attempt.outcome == AttemptOutcome::NotSent
            && attempt.age < o.times.create_deadline
    });
    Some(claimed && claim_is_open(o) && unsent)
}

pub(crate) fn a_create_is_decided_only_while_no_other_attempt_may_land(
    o: &Observed,
    d: &Decision,
) -> Verdict {
    create(d)?;
    Some(!may_land(o) && (unproven(o).is_empty() || confirmed(o, ConfirmedAbsence::Everything)))
}

pub(crate) fn a_create_is_decided_only_while_the_listing_shows_nothing_with_our_mark_not_even_deleting(
    o: &Observed,
    d: &Decision,
) -> Verdict {
    create(d)?;
    Some(listing(o).is_some_and(|listing| !listing.iter().any(|e| is_ours(o, e))) && created(o).is_none())
}

pub(crate) fn a_create_replaces_a_recorded_endpoint_only_once_it_is_lost(
    o: &Observed,
    d: &Decision,
) -> Verdict {
    create(d)?;
    let recorded = o.recorded()?;
    let known_long_enough = o.memory.recorded >= o.times.visibility;
    Some(listed(o, recorded).is_none() && known_long_enough && confirmed(o, ConfirmedAbsence::Everything))
}

pub(crate) fn a_created_endpoint_carries_our_mark(o: &Observed, d: &Decision) -> Verdict {
    let (_, comment) = create(d)?;
    Some(mark_of(comment).as_ref() == Some(&o.object.token) && comment.len() <= 79)
}

pub(crate) fn what_is_recorded_was_created_or_is_listed_with_our_mark_or_was_named(
    o: &Observed,
    d: &Decision,
) -> Verdict {
    let (endpoint, origin) = record(d)?;
    let shown = || listed(o, &endpoint.id) == Some(endpoint);
    Some(match origin {
        Origin::Created => created(o) == Some(endpoint),
        Origin::Adopted => shown() && is_ours(o, endpoint),
        Origin::Named => shown() && wanted(o)?.endpoint_id.as_ref() == Some(&endpoint.id),
    })
}

pub(crate) fn nothing_that_is_being_deleted_is_recorded(_: &Observed, d: &Decision) -> Verdict {
    let (endpoint, origin) = record(d)?;
    // Nobody knows the endpoint of our own POST until it is recorded, so it is recorded even while it is deleted.
    Some(origin == Origin::Created || endpoint.status != EndpointStatus::Deleting)
}

pub(crate) fn a_recorded_id_is_replaced_only_when_it_is_gone(o: &Observed, d: &Decision) -> Verdict {
    let (endpoint, origin) = record(d)?;
    let recorded = o.recorded()?;
    let gone = origin == Origin::Created || listed(o, recorded).is_none();
    Some(endpoint.id != *recorded && claim_is_open(o) && gone)
}

pub(crate) fn nothing_is_claimed_before_a_listing_unless_to_hold_what_is_recorded(
    o: &Observed,
    d: &Decision,
) -> Verdict {
    claim(d)?;
    let held = matches!(o.object.claim, ClaimReading::Ours { .. }) && o.object.finalizer;
    Some(listing(o).is_some() || (o.recorded().is_some() && !held))
}

pub(crate) fn a_claim_is_written_only_for_a_living_object(o: &Observed, d: &Decision) -> Verdict {
    claim(d)?;
    Some(!o.object.deleting && wanted(o).is_some())
}

pub(crate) fn a_claim_announces_again_what_may_still_land(o: &Observed, d: &Decision) -> Verdict {
    let (announced, ..) = claim(d)?;
    Some(match announced {
        Some(nonce) => unproven(o).contains(&nonce),
        None => !may_land(o),
    })
}

pub(crate) fn a_claim_replaces_only_the_recorded_endpoint(o: &Observed, d: &Decision) -> Verdict {
    let (_, Some(replaced), _) = claim(d)? else { return None };
    Some(o.recorded() == Some(replaced))
}

pub(crate) fn a_fresh_claim_for_a_lost_endpoint_notes_the_vpc_endpoint_that_goes_with_it(
    o: &Observed,
    d: &Decision,
) -> Verdict {
    let (None, Some(_), stale) = claim(d)? else { return None };
    let known = o.object.recorded.as_ref()?.vpc_endpoint_id.as_deref();
    let expected = match &wanted(o)?.vpc_endpoint {
        VpcEndpoint::Declared(id) => Some(id.as_str()),
        // A stale id stays stale.
        _ => known.or(o.object.stale_vpc_endpoint.as_ref().map(VpcEndpointId::as_str)),
    };
    Some(stale == expected)
}

pub(crate) fn a_created_endpoint_is_recorded_before_anything_else(o: &Observed, d: &Decision) -> Verdict {
    let created = created(o)?;
    // A write that the API server rejects delays no deletion.
    let due = !o.object.deleting || (o.object.finalizer && !o.memory.unrecorded);
    due.then(|| record(d) == Some((created, Origin::Created)))
}

pub(crate) fn what_another_attempt_made_is_recorded_only_if_a_listing_shows_it(
    o: &Observed,
    d: &Decision,
) -> Verdict {
    let (endpoint, _) = record(d)?;
    let others =
        o.memory.attempts.iter().filter(|attempt| announced(o).map(|(own, _)| own) != Some(&attempt.nonce));
    let made_by_another =
        others.into_iter().any(|attempt| attempt.outcome == AttemptOutcome::Created(endpoint.clone()));
    made_by_another.then(|| listed(o, &endpoint.id) == Some(endpoint))
}
