//! An observation, a decision and a report in the terms of the invariants, derived from the design, independently of the code.

use std::time::Duration;

use domain::access::CredentialsInUse;
use domain::fault::FaultKind;
use domain::reference::VpcEndpoint;
use domain::serverless::decision::{ConfirmedAbsence, Decision, Origin, Step, Withdrawn};
use domain::serverless::endpoint::{Endpoint, EndpointId, EndpointStatus};
use domain::serverless::observed::{AttemptOutcome, Listing, Observed, Spec};
use domain::serverless::ownership::{ClaimReading, Nonce, mark_of};
use domain::serverless::status::Report;
use domain::status::{Condition, ConditionType, Reason};
use domain::text::is_service_name;
use domain::token::Token;

pub fn wanted(o: &Observed) -> Option<&Spec> {
    o.spec.as_ref().ok()
}

pub fn listing(o: &Observed) -> Option<&[Endpoint]> {
    match &o.listing {
        Listing::Fetched(listing) => Some(listing),
        Listing::NotFetched | Listing::Failed(_) => None,
    }
}

pub fn listed<'a>(o: &'a Observed, id: &EndpointId) -> Option<&'a Endpoint> {
    listing(o)?.iter().find(|e| e.id == *id)
}

pub fn owner(e: &Endpoint) -> Option<Token> {
    mark_of(&e.comment)
}

pub fn is_ours(o: &Observed, e: &Endpoint) -> bool {
    owner(e).as_ref() == Some(&o.object.token)
}

/// An object of another namespace has recorded or named the endpoint, which the default credentials leave to it unless the
/// endpoint carries our mark.
pub fn is_used_elsewhere(o: &Observed, e: &Endpoint) -> bool {
    o.credentials == CredentialsInUse::Default && !is_ours(o, e) && o.elsewhere.contains(&e.id)
}

/// The listing's response reports that the instance or this API is no more.
pub fn reports_gone(o: &Observed) -> Option<FaultKind> {
    let Listing::Failed(fault) = &o.listing else { return None };
    let gone =
        matches!(fault.kind, FaultKind::InstanceNotFound | FaultKind::NotServerless | FaultKind::Retired);
    gone.then_some(fault.kind)
}

/// It is the second such response: one at least G ago reported the same, and none in between the opposite.
pub fn is_confirmed_gone(o: &Observed) -> bool {
    let before = |said: FaultKind| o.memory.gone.iter().find(|(kind, _)| *kind == said).map(|(_, ago)| *ago);
    reports_gone(o).and_then(before).is_some_and(|ago| ago >= o.times.confirm_gap)
}

pub fn announced(o: &Observed) -> Option<(&Nonce, Option<&EndpointId>)> {
    match &o.object.claim {
        ClaimReading::Absent | ClaimReading::Copied | ClaimReading::Foreign(_) => None,
        ClaimReading::Ours { nonce, replaced } | ClaimReading::EarlierLife { nonce, replaced } => {
            Some((nonce, replaced.as_ref()))
        }
        ClaimReading::Unreadable(nonce) => Some((nonce, None)),
    }
}

pub fn claim_is_open(o: &Observed) -> bool {
    announced(o).is_some_and(|(_, replaced)| o.recorded().is_none() || o.recorded() == replaced)
}

/// The attempts whose outcome this process does not know, or whose endpoint is not recorded.
pub fn unproven(o: &Observed) -> Vec<&Nonce> {
    let known = |nonce: &Nonce| o.memory.attempts.iter().any(|attempt| attempt.nonce == *nonce);
    let open =
        |outcome: &AttemptOutcome| matches!(outcome, AttemptOutcome::Unknown | AttemptOutcome::Created(_));
    let remembered = o.memory.attempts.iter().filter(|attempt| open(&attempt.outcome));
    let claimed = announced(o).filter(|(nonce, _)| claim_is_open(o) && !known(nonce));
    remembered.map(|attempt| &attempt.nonce).chain(claimed.map(|(nonce, _)| nonce)).collect()
}

/// The endpoint that the attempt of the open claim is known to have created.
pub fn created(o: &Observed) -> Option<&Endpoint> {
    let (nonce, _) = announced(o).filter(|_| claim_is_open(o))?;
    o.memory.attempts.iter().find(|attempt| attempt.nonce == *nonce).and_then(|attempt| {
        match &attempt.outcome {
            AttemptOutcome::Created(endpoint) => Some(endpoint),
            _ => None,
        }
    })
}

/// An attempt of unknown outcome is younger than Q.
pub fn may_land(o: &Observed) -> bool {
    let age = |nonce: &Nonce| {
        let known = o.memory.attempts.iter().find(|attempt| attempt.nonce == *nonce);
        known.map_or(Duration::ZERO, |attempt| attempt.age)
    };
    unproven(o).into_iter().any(|nonce| age(nonce) < o.times.uncertainty)
}

/// Returns which facts of the recorded endpoint's status the listing withdraws.
pub fn withdrawn(o: &Observed) -> Option<Withdrawn> {
    let known = o.object.recorded.as_ref()?;
    let shown = listed(o, &known.id)?;
    let leaves = |e: &Endpoint| e.status == EndpointStatus::Deleting;
    let usable = |e: &Endpoint| e.service_name.as_ref().is_some_and(|name| is_service_name(name));
    let place = |e: &Endpoint| match e.status {
        EndpointStatus::ReservationRequested => Some(0),
        EndpointStatus::Reserved => Some(1),
        EndpointStatus::Initiating => Some(2),
        EndpointStatus::Available => Some(3),
        EndpointStatus::Failed | EndpointStatus::Deleting | EndpointStatus::Other(_) => None,
    };
    let back = match (place(known), place(shown)) {
        (Some(known), shown_at) => !leaves(shown) && shown_at.is_none_or(|at| at < known),
        (None, at) => at.is_none() && shown.status.as_str().is_empty() && !known.status.as_str().is_empty(),
    };
    let spec = wanted(o)?;
    let stranger = owner(shown).filter(|by| *by != o.object.token && owner(known).as_ref() != Some(by));
    let allowed = spec.endpoint_id.as_ref() == Some(&known.id) && o.object.take_over == stranger;
    let protected = stranger.as_ref().is_some_and(|by| {
        o.credentials == CredentialsInUse::Default
            && matches!(o.owners.get(by), None | Some(domain::serverless::observed::Owner::Elsewhere))
    });
    // The mark that says otherwise is missing.
    let claimed = owner(shown) != owner(known) && is_used_elsewhere(o, shown);
    let other = known.vpc_endpoint_id != shown.vpc_endpoint_id;
    let declared = match &spec.vpc_endpoint {
        VpcEndpoint::Declared(id) => Some(id.as_str()),
        _ => None,
    };
    let expected = other && declared.is_some() && shown.vpc_endpoint_id.as_deref() == declared;
    let withdrawn = Withdrawn {
        service_name: !leaves(shown) && usable(known) && shown.service_name != known.service_name,
        vpc_endpoint_id: known.status == shown.status
            && known.vpc_endpoint_id.is_some()
            && other
            && !expected,
        status: back && !expected,
        deleting: leaves(shown) && !leaves(known),
        mark: !spec.observe && (claimed || (stranger.is_some() && (!allowed || protected))),
    };
    (withdrawn != Withdrawn::default()).then_some(withdrawn)
}

/// Returns the same observation for a process that had G ago the response which this listing is to confirm.
pub fn second(o: &Observed, d: &Decision) -> Option<Observed> {
    let mut second = o.clone();
    second.memory.absent = Some((d.absent?, o.times.confirm_gap));
    (second != *o).then_some(second)
}

/// The listing withdraws something that no listing at least G ago withdrew.
pub fn is_contradicted(o: &Observed) -> bool {
    withdrawn(o).is_some_and(|withdrawn| !confirmed(o, ConfirmedAbsence::Known(withdrawn)))
}

/// The listing does not show the recorded endpoint.
pub fn is_missing(o: &Observed) -> bool {
    o.recorded().is_some_and(|id| listing(o).is_some_and(|listing| listing.iter().all(|e| e.id != *id)))
}

/// The recorded endpoint is so new that a listing may not show it yet.
pub fn lags(o: &Observed) -> bool {
    let begun = o.object.recorded.as_ref().is_some_and(|e| e.status == EndpointStatus::ReservationRequested);
    begun && o.memory.recorded < o.times.visibility
}

/// A listing at least G ago showed the same absence.
pub fn confirmed(o: &Observed, absence: ConfirmedAbsence) -> bool {
    matches!(o.memory.absent, Some((what, ago)) if what == absence && ago >= o.times.confirm_gap)
}

pub fn create(d: &Decision) -> Option<(&Nonce, &str)> {
    match &d.step {
        Step::Create { nonce, comment } => Some((nonce, comment)),
        _ => None,
    }
}

pub fn delete(d: &Decision) -> Option<(&EndpointId, bool)> {
    match &d.step {
        Step::Delete { id, excess } => Some((id, *excess)),
        _ => None,
    }
}

pub fn update(d: &Decision) -> Option<(&EndpointId, Option<&str>, Option<&str>)> {
    match &d.step {
        Step::Update { id, comment, vpc_endpoint } => {
            Some((id, comment.as_deref(), vpc_endpoint.as_ref().map(domain::ids::VpcEndpointId::as_str)))
        }
        _ => None,
    }
}

pub fn record(d: &Decision) -> Option<(&Endpoint, Origin)> {
    match &d.step {
        Step::Record { endpoint, origin } => Some((endpoint, *origin)),
        _ => None,
    }
}

pub fn claim(d: &Decision) -> Option<(Option<&Nonce>, Option<&EndpointId>, Option<&str>)> {
    match &d.step {
        Step::Claim { nonce, replaced, stale_vpc_endpoint } => {
            Some((nonce.as_ref(), replaced.as_ref(), stale_vpc_endpoint.as_deref()))
        }
        _ => None,
    }
}

pub fn writes_to_atlas(d: &Decision) -> bool {
    matches!(d.step, Step::Create { .. } | Step::Update { .. } | Step::Delete { .. })
}

pub fn ready(r: &Report) -> &Condition {
    r.get(ConditionType::Ready).unwrap()
}

pub fn has(r: &Report, kind: ConditionType) -> bool {
    r.get(kind).is_some()
}

/// Returns whether a reason reports a final response of Atlas, and whether missing access.
pub fn classes(reason: Reason) -> (bool, bool) {
    let terminal = matches!(reason, Reason::ApiRetired | Reason::InstanceMigrated | Reason::InstanceNotFound);
    let access = matches!(
        reason,
        Reason::CredentialsNotFound | Reason::Unauthorized | Reason::Forbidden | Reason::ProjectNotFound
    );
    (terminal, access)
}
