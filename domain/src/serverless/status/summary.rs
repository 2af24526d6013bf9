//! The table: for each state its reason, its message, and who has to act.
//!
//! Does not know how these become conditions.

use super::progress::{describe, has_vpc_endpoint};
use super::{ConditionType, Progress, Reason, Summary, recorded};
use crate::fault::Fault;
use crate::serverless::decision::{Creating, Deleting, Rival, State};
use crate::serverless::endpoint::EndpointId;
use crate::serverless::observed::Observed;
use crate::serverless::ownership::ClaimReading;
use crate::status::Message;

pub(super) fn summarize(o: &Observed, state: &State) -> Summary {
    match state {
        State::Suspended => suspended(o),
        State::Invalid(why) => Summary::failing(Reason::InvalidSpec, why.clone(), Progress::Stalled),
        State::ListingFailed(fault) => listing_failed(o, fault),
        State::Unconfirmed(fault) => {
            let message = fault.message().then("; a second response has to confirm it");
            Summary::unconfirmed(&o.object.reported, Reason::Creating, message)
        }
        State::Creating(creating) => creating_summary(o, creating),
        State::Recorded(state) => recorded::summary(o, state),
        State::AdoptionRequired { cluster, token } => Summary::failing(
            Reason::AdoptionRequired,
            format!(
                "this object carries the claim of cluster {cluster}, which may own an endpoint for it. To take that \
                 endpoint over, set spec.endpointId to its id and the annotation atlas.spe-operator.io/take-over to \
                 {token}; to create a new one, remove the annotation atlas.spe-operator.io/claim"
            ),
            Progress::Stalled,
        ),
        State::OwnershipConflict { id, owner } => {
            Summary::failing(Reason::OwnershipConflict, conflict(id, owner), Progress::Stalled)
        }
        State::Lost(id) => lost(o, id),
        State::Deleting(deleting) => deleting_summary(o, deleting),
    }
}

/// Returns the message of a conflict. Only an owner in the same namespace is named.
fn conflict(id: &EndpointId, owner: &Rival) -> String {
    let (whose, token) = match owner {
        Rival::Neighbor { name, token } => (format!("ServerlessPrivateEndpoint {name}"), token),
        Rival::Unknown(token) => (format!("another owner ({token})"), token),
        Rival::Protected => {
            return format!(
                "endpoint {id} belongs to an object in another namespace, so the operator does not change it: its \
                 default credentials take nothing over from another namespace. Fix spec.endpointId, or name a \
                 Secret with an API key of that project in spec.credentialsRef"
            );
        }
    };
    format!(
        "endpoint {id} carries the mark of {whose}, so the operator does not change it. To take it over, set spec.endpointId to {id} and the \
         annotation atlas.spe-operator.io/take-over to {token}"
    )
}

/// Summarizes an `endpointId` that names nothing. An object that only observes can name another while none is recorded.
fn lost(o: &Observed, id: &EndpointId) -> Summary {
    let observe = o.spec.as_ref().is_ok_and(|spec| spec.observe);
    let (reason, what, next) = match (o.object.recorded.is_some(), observe) {
        (true, true) => {
            (Reason::EndpointLost, "is gone from this instance", "To observe another, create another object")
        }
        (true, false) => (
            Reason::EndpointLost,
            "is gone from this instance",
            "Remove spec.endpointId, and a new endpoint is created",
        ),
        (false, true) => (Reason::EndpointNotFound, "does not exist in this instance", "Fix spec.endpointId"),
        (false, false) => (
            Reason::EndpointNotFound,
            "does not exist in this instance",
            "Fix spec.endpointId, or remove it, and a new endpoint is created",
        ),
    };
    let message = format!("endpoint {id}, which spec.endpointId names, {what}. {next}");
    Summary::failing(reason, message, Progress::Stalled)
}

/// Summarizes a suspended object: what was true stays true; without a reconcile before, it is not ready.
fn suspended(o: &Observed) -> Summary {
    match o.object.reported.get(ConditionType::Ready) {
        Some(ready) if o.object.recorded.is_some() => {
            let reason = ready.reason.unwrap_or(Reason::Suspended);
            let synced = o.object.reported.get(ConditionType::Synced);
            let unsynced = synced
                .filter(|synced| !synced.status)
                .and_then(|synced| Some((synced.reason?, synced.message.as_str().into())))
                // The publisher of the output reports it again, while it holds.
                .filter(|(reason, _)| *reason != Reason::OutputNotWritten);
            let kept = Summary::new(ready.status, reason, ready.message.as_str(), Progress::Settled);
            Summary { unsynced, ..kept }
        }
        _ => Summary::new(
            false,
            Reason::Suspended,
            "spec.suspend is true: no endpoint is created until it is removed".to_owned(),
            Progress::Settled,
        ),
    }
}

fn listing_failed(o: &Observed, fault: &Fault) -> Summary {
    let (reason, message) = (Reason::of(fault.kind), describe(o, fault));
    let progress = Progress::after(fault);
    match Summary::of_ready_object(&o.object.reported).filter(|_| progress != Progress::Stalled) {
        Some(kept) => Summary { unsynced: Some((reason, message)), ..kept },
        None => Summary::failing(reason, message, progress),
    }
}

fn creating_summary(o: &Observed, creating: &Creating) -> Summary {
    let lost = o.object.recorded.as_ref().map(|recorded| {
        format!(
            "endpoint {} is gone from Atlas; a new one is created, with another endpoint service: ",
            recorded.id
        )
    });
    let reason = if lost.is_some() { Reason::EndpointLost } else { Reason::Creating };
    let lost = lost.unwrap_or_default();
    match creating {
        Creating::Pending => {
            Summary::new(false, reason, format!("{lost}the create request comes next"), Progress::Working)
        }
        Creating::AwaitingOutcome(_) if matches!(o.object.claim, ClaimReading::EarlierLife { .. }) => {
            Summary::new(
                false,
                reason,
                format!(
                    "{lost}the manifest carries the claim of an earlier object of this name, whose create request may still be in \
                 flight. No action needed: if its endpoint does not appear, a new request is sent"
                ),
                Progress::Waiting,
            )
        }
        Creating::AwaitingOutcome(_) => Summary::new(
            false,
            reason,
            format!(
                "{lost}the outcome of an earlier create request is unknown. No action needed: if its endpoint does not \
                 appear, a new request is sent"
            ),
            Progress::Waiting,
        ),
        Creating::AwaitingVisibility(_) => Summary::new(
            false,
            reason,
            format!(
                "{lost}Atlas may still show the endpoint that was recorded before. No action needed: if it appears, it is \
                 adopted; otherwise the create request is sent"
            ),
            Progress::Waiting,
        ),
        Creating::AwaitingPredecessor(id) => Summary::new(
            false,
            reason,
            format!("{lost}waiting until Atlas has removed the predecessor {id}"),
            Progress::Working,
        ),
        Creating::AwaitingNamed(id) => Summary::new(
            false,
            Reason::Adopting,
            format!(
                "the listing does not show endpoint {id}, which spec.endpointId names; a second one has to confirm that it does not exist"
            ),
            Progress::Working,
        ),
        Creating::Refused(fault) => {
            let message = Message::from(lost).join(&describe(o, fault));
            Summary::failing(Reason::of(fault.kind), message, Progress::after(fault))
        }
    }
}

fn deleting_summary(o: &Observed, deleting: &Deleting) -> Summary {
    match deleting {
        Deleting::InProgress => {
            let message = match (o.object.recorded.is_some(), has_vpc_endpoint(o)) {
                (true, true) => {
                    "the endpoint is being removed from Atlas; the AWS VPC endpoint is not, and is billed until you delete it"
                }
                (true, false) => "the endpoint is being removed from Atlas",
                (false, _) => "the operator is making sure that no endpoint of this object is left in Atlas",
            };
            Summary::new(false, Reason::Deleting, message, Progress::Working)
        }
        Deleting::AwaitingOutcome(_) => Summary::new(
            false,
            Reason::Deleting,
            "the outcome of a create request is unknown. No action needed: once no endpoint can appear any more, the \
             object is released"
                .to_owned(),
            Progress::Waiting,
        ),
        Deleting::Blocked(fault) => Summary::failing(
            Reason::of(fault.kind),
            fault.message().then(
                ". The object is released once the endpoint is gone from Atlas; to release it now and keep the endpoint, \
                 set spec.deletionPolicy to Retain",
            ),
            Progress::Waiting,
        ),
        Deleting::MarkMissing(id, fault) => Summary::failing(
            Reason::of(fault.kind),
            Message::from(format!(
                "endpoint {id} no longer carries the mark of this object, so it is not deleted, and a key that is only \
                 remembered may not restore the mark: "
            ))
            .join(&fault.message())
            .then(
                ". Or delete the endpoint in Atlas; to release the object now and keep the endpoint, set \
                 spec.deletionPolicy to Retain",
            ),
            Progress::Waiting,
        ),
    }
}
