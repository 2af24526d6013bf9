//! What the messages of several states share: the text about a fault, and whether there is a VPC endpoint.

use crate::fault::{Fault, FaultKind};
use crate::reference::VpcEndpoint;
use crate::serverless::observed::Observed;
use crate::status::{Message, page_link};

/// Returns `true` if a VPC endpoint is connected or declared.
pub(crate) fn has_vpc_endpoint(o: &Observed) -> bool {
    let connected = o.object.recorded.as_ref().is_some_and(|recorded| recorded.vpc_endpoint_id.is_some());
    match &o.spec {
        Ok(spec) => !spec.observe && (connected || spec.vpc_endpoint != VpcEndpoint::Undeclared),
        Err(_) => connected,
    }
}

/// The page about what follows a serverless instance.
const FROM_SERVERLESS: &str = "docs/tasks/from-serverless.md";

/// Returns the message of `fault`. If it is final, it adds where the way goes on, and what the user has to delete.
pub(super) fn describe(o: &Observed, fault: &Fault) -> Message {
    let message = fault.message();
    if !fault.kind.reports_gone() {
        return message;
    }
    let message = match fault.kind {
        FaultKind::NotServerless | FaultKind::Retired => message.then(&format!(
            "; if the instance is a dedicated cluster now, declare a PrivateEndpointService and a PrivateEndpoint for it ({})",
            page_link(FROM_SERVERLESS)
        )),
        _ => message,
    };
    match (o.object.recorded.is_some(), fault.kind) {
        (true, _) if has_vpc_endpoint(o) => {
            message.then("; delete this object, and the VPC endpoint in AWS, which is billed until you do")
        }
        (false, FaultKind::InstanceNotFound) => {
            message.then("; if instanceName is wrong, delete this object and create one with the right name")
        }
        _ => message.then("; delete this object"),
    }
}
