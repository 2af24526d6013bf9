//! Sends one write to Atlas, and returns the response as the machine takes it.
//!
//! It decides nothing. An update or delete may be dropped, because the next listing shows its outcome; a create may not.

use atlas::{AtlasError, DeleteOutcome, Update, WriteResult};
use domain::ids::VpcEndpointId;
use domain::serverless::endpoint::{EndpointId, Instance};
use domain::serverless::reconcile::vocabulary::CallResponse;
use tracing::info;

use crate::metrics::PostOutcome;
use crate::runtime::atlas_access::Access;

/// Sends the POST, unless `may_send` forbids it at the last moment.
pub(super) async fn create(
    access: &Access<Instance>,
    comment: &str,
    may_send: impl Fn() -> bool + Send + Sync + 'static,
) -> (PostOutcome, CallResponse, Option<AtlasError>) {
    match access.key.client.create(&access.subject, comment, may_send).await {
        WriteResult::Executed(endpoint) => {
            info!(endpoint.id = %endpoint.id, "created the endpoint");
            (PostOutcome::Created, CallResponse::Created(endpoint), None)
        }
        WriteResult::Refused(error) => {
            (PostOutcome::Refused, CallResponse::Refused(error.fault()), Some(error))
        }
        WriteResult::Uncertain(error) => {
            (PostOutcome::Uncertain, CallResponse::Uncertain(error.fault()), Some(error))
        }
    }
}

/// Sends the PATCH.
pub(super) async fn update(
    access: &Access<Instance>,
    id: &EndpointId,
    comment: Option<String>,
    vpc_endpoint: Option<VpcEndpointId>,
) -> (CallResponse, Option<AtlasError>) {
    let update = Update { comment, cloud_provider_endpoint_id: vpc_endpoint };
    match access.key.client.update(&access.subject, id, &update).await {
        Ok(endpoint) => {
            let comment = update.comment.is_some();
            let vpc_endpoint = update.cloud_provider_endpoint_id.as_ref().map(tracing::field::display);
            info!(endpoint.id = %id, comment, vpc_endpoint, "updated the endpoint");
            (CallResponse::Updated(endpoint), None)
        }
        Err(error) => (CallResponse::Uncertain(error.fault()), Some(error)),
    }
}

/// Sends the DELETE.
pub(super) async fn delete(
    access: &Access<Instance>,
    id: &EndpointId,
    excess: bool,
) -> (CallResponse, Option<AtlasError>) {
    match access.key.client.delete(&access.subject, id).await {
        Ok(deletion) => {
            let not_found = deletion == DeleteOutcome::NotFound;
            info!(endpoint.id = %id, not_found, excess, "deleted the endpoint");
            (CallResponse::Deleted { not_found }, None)
        }
        Err(error) => (CallResponse::Uncertain(error.fault()), Some(error)),
    }
}
