//! The private SRV addresses behind VPC endpoints: one description of an instance serves all of its objects.
//!
//! It is a convenience for other tools: it never decides whether credentials are valid, which only listings do.

use std::sync::Arc;

use atlas::PrivateConnection;
use domain::fault::FaultKind;
use domain::rate_limits::Call;
use domain::serverless::endpoint::Instance;

use crate::clock::Boottime;

use crate::runtime::atlas_access::{Access, AtlasAccess};
use crate::runtime::single_flight::SingleFlight;

/// The private connections of instances, as Atlas last returned them.
pub(super) struct Addresses(SingleFlight<Instance, Arc<Vec<PrivateConnection>>>);

impl Addresses {
    pub(super) fn new() -> Self {
        Self(SingleFlight::new(None, |_| false))
    }

    /// Returns the address behind this VPC endpoint, if Atlas shows it at `fresh_after` or later.
    pub(super) async fn find(
        &self,
        atlas: &AtlasAccess,
        access: &Access<Instance>,
        vpc_endpoint: &str,
        fresh_after: Boottime,
    ) -> Option<String> {
        let enter = || async {
            let permit = atlas.enter(&access.namespace, &access.project).await;
            if atlas.withheld_read(access, false).is_some() { Err(()) } else { Ok(permit) }
        };
        let request = |_permit| async {
            let sent = Boottime::now();
            let description = Box::pin(access.key.client.instance(&access.subject)).await;
            if let Err(error) = &description
                && matches!(error.kind(), FaultKind::RateLimited | FaultKind::Unavailable)
            {
                atlas.record_response(access, (Call::Read, sent), Some(error)).await;
            }
            // All waiting callers share one response, a refusal included; each requests again by itself later.
            Ok((sent, Arc::new(description.map(|response| response.private_connections).unwrap_or_default())))
        };
        let response = self.0.get(access.single_flight_key(), fresh_after, enter, request).await;
        let (_, connections) = response.ok()?;
        let is_behind = |connection: &&PrivateConnection| {
            connection.vpc_endpoint_ids.iter().any(|behind| behind == vpc_endpoint)
        };
        connections.iter().find(is_behind).map(|connection| connection.srv_connection_string.clone())
    }
}
