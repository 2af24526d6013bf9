//! Summaries for a recorded endpoint.

use crate::fault::FaultKind;
use crate::reference::VpcEndpoint;
use crate::serverless::decision::Recorded;
use crate::serverless::endpoint::{Endpoint, EndpointStatus, UsableService};
use crate::serverless::observed::{Observed, ReadyWhen, Spec, WriteOutcome};
use crate::status::Message;
use crate::text::is_service_name;

use super::progress::describe;
use super::{Condition, ConditionType, EndpointView, Progress, Reason, Summary, has_service};

pub(super) fn summary(o: &Observed, state: &Recorded) -> Summary {
    let spec = match &o.spec {
        Ok(spec) => spec,
        Err(why) => return Summary::failing(Reason::InvalidSpec, why.clone(), Progress::Stalled),
    };
    if state.contradicted {
        let message = format!(
            "the listing does not show endpoint {} as the status does; a second listing has to confirm it",
            state.endpoint.id
        );
        return Summary::unconfirmed(&o.object.reported, Reason::Adopting, message);
    }
    let mut summary = apply_ready_when(spec, &state.endpoint, by_status(o, spec, state));
    if let Some(fault) = &state.refused {
        let message = match still_connected(spec, &state.endpoint) {
            Some(connected) if fault.kind == FaultKind::Refused => describe(o, fault).then(&format!(
                "; {connected} is still connected, and to declare it again makes this object Ready"
            )),
            _ => describe(o, fault),
        };
        summary.unsynced = Some((Reason::of(fault.kind), message.clone()));
        let progress = Progress::after(fault);
        let undone = declares_more(o, spec, &state.endpoint) && !is_contradicted(o);
        if !summary.ready || undone || progress == Progress::Stalled {
            return Summary::failing(Reason::of(fault.kind), message, progress);
        }
    } else if summary.unsynced.is_none() && !state.duplicates.is_empty() {
        let mut ids: Vec<_> = state.duplicates.iter().map(ToString::to_string).collect();
        // However Atlas lists them this time.
        ids.sort();
        let message = format!(
            "further endpoints carry the mark of this object and are in use or were not removed yet: {}; delete those \
             that you do not need in Atlas",
            ids.join(", ")
        );
        summary.unsynced = Some((Reason::Duplicate, message.into()));
    }
    summary
}

/// Returns `true` if a ready object's write was refused as if the instance were gone, which the listing just showed. The write
/// was to restore what others changed, so the object stays ready.
fn is_contradicted(o: &Observed) -> bool {
    let gone = matches!(&o.memory.last_write, WriteOutcome::Refused(fault) if fault.kind.reports_gone());
    gone && o.object.reported.current_ready().is_some()
}

/// What is connected although another VPC endpoint is declared.
fn still_connected<'a>(spec: &Spec, endpoint: &'a Endpoint) -> Option<&'a str> {
    let VpcEndpoint::Declared(declared) = &spec.vpc_endpoint else { return None };
    let connected = endpoint.vpc_endpoint_id.as_deref().filter(|id| *id != declared.as_str());
    connected.filter(|_| endpoint.status.facts().is_connected)
}

/// From RESERVED on, an object that is to be ready then is ready, whatever else is in progress. Without the name of its
/// service it cannot be used yet.
fn apply_ready_when(spec: &Spec, endpoint: &Endpoint, summary: Summary) -> Summary {
    let named = endpoint.service_name.is_some();
    let is_reserved = endpoint.status.facts().service == UsableService::Yes;
    let reached = is_reserved && named && summary.reason != Reason::Adopting;
    if !reached || summary.ready || spec.ready_when() != ReadyWhen::Reserved {
        return summary;
    }
    Summary { ready: true, reason: Reason::Reserved, progress: Progress::Settled, ..summary }
}

/// A change of the spec has not reached Atlas yet.
fn declares_more(o: &Observed, spec: &Spec, endpoint: &Endpoint) -> bool {
    let comment = crate::serverless::ownership::marked_comment(spec.comment.as_deref(), &o.object.token);
    let connected = match &spec.vpc_endpoint {
        VpcEndpoint::Declared(id) => endpoint.vpc_endpoint_id.as_deref() == Some(id.as_str()),
        _ => true,
    };
    !spec.observe && (!connected || !crate::serverless::ownership::same_comment(&comment, &endpoint.comment))
}

fn by_status(o: &Observed, spec: &Spec, state: &Recorded) -> Summary {
    let endpoint = &state.endpoint;
    if state.unconfirmed {
        let message = format!(
            "found endpoint {} with the mark of this object; a second listing has to confirm it",
            endpoint.id
        );
        return Summary::new(false, Reason::Adopting, message, Progress::Working);
    }
    match &endpoint.status {
        EndpointStatus::ReservationRequested => Summary::new(
            false,
            Reason::ReservationRequested,
            "Atlas is preparing the endpoint service; this takes a minute or two".to_owned(),
            Progress::Working,
        ),
        EndpointStatus::Reserved => match &endpoint.service_name {
            Some(service) => reserved(spec, o, service),
            None => Summary::new(
                false,
                Reason::ReservationRequested,
                "Atlas calls the endpoint RESERVED and has not named its endpoint service yet".to_owned(),
                Progress::Working,
            ),
        },
        EndpointStatus::Initiating => {
            let id = endpoint.vpc_endpoint_id.as_deref().unwrap_or("the VPC endpoint");
            let message = format!("Atlas is connecting {id}; this takes a minute or two");
            Summary::new(false, Reason::Connecting, message, Progress::Working)
        }
        EndpointStatus::Available => available(spec, o, endpoint),
        EndpointStatus::Failed => {
            let why = endpoint.error_message.as_deref().unwrap_or("Atlas gave no reason");
            let recreate = "delete this object and create it again for a new endpoint service";
            let next = if spec.observe {
                "With managementPolicy Observe nothing is sent to Atlas".to_owned()
            } else if endpoint.service_name.is_some() {
                format!("Fix the VPC endpoint and declare its id, or {recreate}")
            } else {
                // Nothing can be connected to a service that was never handed out.
                format!("To try again, {recreate}")
            };
            let message = Message::from(format!("Atlas reports endpoint {} as FAILED", endpoint.id))
                .varying(&format!(": {}", why.trim_end_matches(['.', ' '])))
                .then(&format!(". {next}"));
            Summary::new(false, Reason::AtlasFailed, message, Progress::Stalled)
        }
        EndpointStatus::Deleting => {
            let next = if spec.endpoint_id.is_some() {
                "; with spec.endpointId set no other is created"
            } else {
                "; once it is gone a new one is created, with another endpoint service"
            };
            let message =
                format!("endpoint {} is being deleted in Atlas, but not by this operator{next}", endpoint.id);
            Summary::new(false, Reason::EndpointLost, message, Progress::Working)
        }
        EndpointStatus::Other(status) => {
            let id = &endpoint.id;
            let message = if status.is_empty() {
                format!("Atlas reports no status of endpoint {id}; waiting for another response")
            } else {
                format!(
                    "Atlas reports the status {status:?} of endpoint {id}, which this version does not know; waiting for another one"
                )
            };
            Summary::new(false, Reason::UnknownStatus, message, Progress::Working)
        }
    }
}

fn reserved(spec: &Spec, o: &Observed, service: &str) -> Summary {
    match &spec.vpc_endpoint {
        VpcEndpoint::Declared(id) if spec.observe => only_watched(id.as_str(), "no VPC endpoint"),
        VpcEndpoint::Undeclared if spec.observe => Summary::new(
            false,
            Reason::AwaitingVpcEndpoint,
            format!(
                "no VPC endpoint is connected to {service} yet; with managementPolicy Observe nothing is sent to Atlas"
            ),
            Progress::Waiting,
        ),
        VpcEndpoint::Declared(id) if o.object.stale_vpc_endpoint.as_ref() == Some(id) => {
            stale(id.as_str(), service)
        }
        VpcEndpoint::Declared(id) => Summary::new(
            false,
            Reason::Connecting,
            format!("connecting {id} to {service} was requested"),
            Progress::Working,
        ),
        VpcEndpoint::Awaited(what) => Summary::new(
            false,
            Reason::AwaitingVpcEndpoint,
            format!(
                "{what}; it has to connect to {service}. If it is applied in a later wave, set spec.readyWhen to Reserved"
            ),
            Progress::Waiting,
        ),
        VpcEndpoint::NotFound(what) => {
            Summary::failing(Reason::ReferenceNotFound, what.clone(), Progress::Waiting)
        }
        VpcEndpoint::Undeclared => Summary::new(
            false,
            Reason::AwaitingVpcEndpoint,
            format!(
                "waiting for a VPC endpoint to {service}; {}, and set spec.cloudProviderEndpointId to its id",
                next_command(service)
            ),
            Progress::Waiting,
        ),
    }
}

fn available(spec: &Spec, o: &Observed, endpoint: &Endpoint) -> Summary {
    let connected = endpoint.vpc_endpoint_id.as_deref().unwrap_or("(unnamed)");
    let ready = Summary::new(true, Reason::Available, format!("{connected} is connected"), Progress::Settled);
    match &spec.vpc_endpoint {
        VpcEndpoint::Declared(id) if id.as_str() != connected => {
            if spec.observe {
                return only_watched(id.as_str(), connected);
            }
            if o.object.stale_vpc_endpoint.as_ref() == Some(id) {
                return stale(id.as_str(), endpoint.service_name.as_deref().unwrap_or("(unnamed)"));
            }
            let message = format!("{connected} is connected, and connecting {id} instead was requested");
            Summary::new(false, Reason::Connecting, message, Progress::Working)
        }
        VpcEndpoint::Declared(_) | VpcEndpoint::Undeclared => ready,
        VpcEndpoint::Awaited(what) | VpcEndpoint::NotFound(what) => {
            // What was connected stays connected; only a new generation has something undone.
            let unsynced = Some((Reason::ReferenceNotFound, what.as_str().into()));
            if o.object.reported.current_ready().is_some() {
                Summary { unsynced, ..ready }
            } else {
                Summary::failing(Reason::ReferenceNotFound, what.clone(), Progress::Waiting)
            }
        }
    }
}

fn only_watched(declared: &str, connected: &str) -> Summary {
    let message = format!(
        "{connected} is connected and {declared} is declared; with managementPolicy Observe nothing is sent to Atlas"
    );
    Summary::new(false, Reason::AwaitingVpcEndpoint, message, Progress::Waiting)
}

fn stale(id: &str, service: &str) -> Summary {
    let message = format!(
        "{id} belonged to an endpoint service that is gone and is not sent again; {}, and declare its id",
        next_command(service)
    );
    Summary::failing(Reason::VpcEndpointStale, message, Progress::Stalled)
}

/// Returns what a person does at RESERVED. A name that AWS cannot have assigned is not shown in a command that people paste.
fn next_command(service: &str) -> String {
    if !is_service_name(service) {
        return "create one for the endpoint service whose name the Atlas UI shows (the one that Atlas sent is no name of AWS)"
            .to_owned();
    }
    format!(
        "create one with: aws ec2 create-vpc-endpoint --vpc-endpoint-type Interface --service-name {service} \
         --vpc-id <vpc> --subnet-ids <subnets> --security-group-ids <groups>"
    )
}

/// `EndpointServiceAvailable`.
pub(super) fn service(known: EndpointView<'_>) -> Condition {
    let kind = ConditionType::EndpointServiceAvailable;
    let name = match known {
        EndpointView::Shown(endpoint) if has_service(endpoint) => endpoint.service_name.as_deref(),
        _ => None,
    };
    if let Some(name) = name {
        return Condition { kind, status: true, reason: Reason::ServiceReserved, message: name.into() };
    }
    let (reason, message) = match known {
        EndpointView::Nothing(reason, message) => (reason, message),
        EndpointView::Lost => (Reason::EndpointLost, "the endpoint service is gone"),
        EndpointView::Shown(endpoint) => match endpoint.status {
            EndpointStatus::Deleting => (Reason::Deleting, "Atlas is removing the endpoint"),
            EndpointStatus::Failed => (Reason::AtlasFailed, "Atlas reports FAILED"),
            EndpointStatus::ReservationRequested
            | EndpointStatus::Reserved
            | EndpointStatus::Initiating
            | EndpointStatus::Available
            | EndpointStatus::Other(_) => {
                (Reason::ServiceProvisioning, "Atlas has not named the endpoint service yet")
            }
        },
    };
    Condition { kind, status: false, reason, message: message.into() }
}

/// `EndpointConnected`.
pub(super) fn connected(known: EndpointView<'_>) -> Condition {
    let (status, reason, message) = match known {
        EndpointView::Nothing(reason, message) => (false, reason, message),
        EndpointView::Lost => (false, Reason::EndpointLost, "the endpoint is gone"),
        EndpointView::Shown(endpoint) => match endpoint.status {
            EndpointStatus::Available => (true, Reason::Available, "traffic can flow"),
            EndpointStatus::Failed => (false, Reason::AtlasFailed, "Atlas reports FAILED"),
            EndpointStatus::Initiating => (false, Reason::Connecting, "Atlas is connecting the VPC endpoint"),
            EndpointStatus::Reserved => {
                (false, Reason::AwaitingVpcEndpoint, "no VPC endpoint is connected yet")
            }
            EndpointStatus::Deleting => (false, Reason::Deleting, "Atlas is removing the endpoint"),
            EndpointStatus::Other(_) => (false, Reason::UnknownStatus, "Atlas reports an unknown status"),
            EndpointStatus::ReservationRequested => {
                (false, Reason::ServiceProvisioning, "there is no endpoint service yet")
            }
        },
    };
    Condition { kind: ConditionType::EndpointConnected, status, reason, message: message.into() }
}
