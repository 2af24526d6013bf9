//! Invariants of writes to Atlas: what is written, and to which endpoint.

use std::time::Duration;

use domain::access::CredentialsInUse;
use domain::reference::VpcEndpoint;
use domain::serverless::decision::Decision;
use domain::serverless::endpoint::{Endpoint, EndpointStatus};
use domain::serverless::observed::{Observed, Owner, WriteOutcome};
use domain::serverless::ownership::{ClaimReading, mark_of};

use crate::Verdict;
use crate::view::{delete, is_ours, listed, listing, owner, update, wanted, writes_to_atlas};

pub(crate) fn a_delete_hits_only_what_carries_our_mark_or_the_recorded_id_that_no_listing_shows(
    o: &Observed,
    d: &Decision,
) -> Verdict {
    let (id, _) = delete(d)?;
    Some(if let Some(endpoint) = listed(o, id) {
        is_ours(o, endpoint)
    } else {
        let known = o.object.recorded.as_ref().filter(|known| known.id == *id);
        known.is_some_and(|known| owner(known).is_none_or(|owner| owner == o.object.token))
    })
}

pub(crate) fn a_delete_of_a_living_object_hits_only_an_unused_excess_endpoint_and_at_most_one_an_hour(
    o: &Observed,
    d: &Decision,
) -> Verdict {
    let (id, excess) = delete(d).filter(|_| !o.object.deleting)?;
    let unused = listed(o, id).is_some_and(|e| match e.status {
        EndpointStatus::ReservationRequested | EndpointStatus::Reserved => true,
        EndpointStatus::Initiating
        | EndpointStatus::Available
        | EndpointStatus::Failed
        | EndpointStatus::Deleting
        | EndpointStatus::Other(_) => false,
    });
    let kept = o.recorded().is_some_and(|kept| kept != id && listed(o, kept).is_some());
    let due = o.memory.excess_deleted.is_none_or(|ago| ago >= Duration::from_hours(1));
    Some(excess && unused && kept && due)
}

pub(crate) fn a_delete_for_a_deleted_object_needs_its_policy(o: &Observed, d: &Decision) -> Verdict {
    let (_, excess) = delete(d).filter(|_| o.object.deleting)?;
    let leave = o.spec.as_ref().is_ok_and(|spec| !spec.retain && !spec.observe);
    let foreign_claim = matches!(o.object.claim, ClaimReading::Foreign(_)) && o.recorded().is_none();
    Some(leave && !excess && o.object.finalizer && !foreign_claim)
}

pub(crate) fn an_update_hits_only_the_recorded_or_the_named_endpoint_and_never_a_foreign_one_without_the_take_over_word(
    o: &Observed,
    d: &Decision,
) -> Verdict {
    let (id, ..) = update(d)?;
    let named = wanted(o).and_then(|spec| spec.endpoint_id.as_ref()) == Some(id);
    let word = |owner| named && !o.object.deleting && o.object.take_over.as_ref() == Some(&owner);
    let free = |e: &Endpoint| owner(e).is_none_or(|owner| owner == o.object.token || word(owner));
    Some((named || o.recorded() == Some(id)) && listed(o, id).is_some_and(free))
}

pub(crate) fn default_credentials_take_nothing_over_from_another_namespace(
    o: &Observed,
    d: &Decision,
) -> Verdict {
    let (id, ..) = update(d).filter(|_| o.credentials == CredentialsInUse::Default)?;
    let shown = listed(o, id)?;
    if o.elsewhere.contains(&shown.id) {
        return Some(is_ours(o, shown));
    }
    let other = listed(o, id).and_then(owner).filter(|owner| *owner != o.object.token)?;
    Some(matches!(o.owners.get(&other), Some(Owner::Neighbor(_) | Owner::Nobody)))
}

pub(crate) fn an_update_never_loses_our_mark(o: &Observed, d: &Decision) -> Verdict {
    let (id, comment, _) = update(d)?;
    let kept = || listed(o, id).is_some_and(|e| is_ours(o, e));
    Some(
        comment.map_or_else(kept, |text| text.len() <= 79 && mark_of(text).as_ref() == Some(&o.object.token)),
    )
}

pub(crate) fn an_update_is_decided_only_if_something_differs(o: &Observed, d: &Decision) -> Verdict {
    let (id, comment, vpc_endpoint) = update(d)?;
    let shown = listed(o, id)?;
    let comment_differs = comment.is_some_and(|text| text.trim() != shown.comment.trim());
    let vpc_endpoint_differs = vpc_endpoint.is_some() && vpc_endpoint != shown.vpc_endpoint_id.as_deref();
    Some(
        (comment_differs || vpc_endpoint_differs)
            && comment_differs == comment.is_some()
            && vpc_endpoint_differs == vpc_endpoint.is_some(),
    )
}

pub(crate) fn a_vpc_endpoint_is_sent_only_to_a_service_that_it_may_belong_to(
    o: &Observed,
    d: &Decision,
) -> Verdict {
    let (id, _, Some(sent)) = update(d)? else { return None };
    let declared =
        matches!(&wanted(o)?.vpc_endpoint, VpcEndpoint::Declared(declared) if declared.as_str() == sent);
    let stale = o.object.stale_vpc_endpoint.as_ref().is_some_and(|stale| stale.as_str() == sent);
    // From RESERVED on there is one by Atlas' own report, listed or not.
    let has_service = listed(o, id).is_some_and(|e| match e.status {
        EndpointStatus::Reserved | EndpointStatus::Initiating | EndpointStatus::Available => true,
        EndpointStatus::Failed => e.service_name.is_some(),
        EndpointStatus::ReservationRequested | EndpointStatus::Deleting | EndpointStatus::Other(_) => false,
    });
    Some(declared && !stale && has_service && !o.object.deleting)
}

pub(crate) fn observing_never_writes_to_atlas(o: &Observed, d: &Decision) -> Verdict {
    wanted(o).filter(|spec| spec.observe)?;
    Some(!writes_to_atlas(d))
}

pub(crate) fn suspending_stops_writing_to_atlas(o: &Observed, d: &Decision) -> Verdict {
    wanted(o).filter(|spec| spec.suspend && !o.object.deleting)?;
    Some(!writes_to_atlas(d))
}

pub(crate) fn there_is_at_most_one_write_to_atlas_in_a_reconcile(o: &Observed, d: &Decision) -> Verdict {
    (o.memory.last_write != WriteOutcome::Nothing).then(|| !writes_to_atlas(d))
}

pub(crate) fn a_key_that_is_only_remembered_writes_nothing_but_deletes(
    o: &Observed,
    d: &Decision,
) -> Verdict {
    matches!(o.credentials, CredentialsInUse::Remembered(_))
        .then(|| !writes_to_atlas(d) || delete(d).is_some())
}

pub(crate) fn atlas_is_never_written_to_without_a_listing(o: &Observed, d: &Decision) -> Verdict {
    listing(o).is_none().then(|| !writes_to_atlas(d))
}
