//! The private SRV addresses behind VPC endpoints: one description of an instance serves all of its objects.
//!
//! A courtesy to other tools. Whether a key is good is for listings to say.

use std::sync::Arc;

use atlas::{AtlasError, PrivateConnection};
use domain::fault::FaultKind;

use crate::clock::Boottime;

use super::context::Context;
use super::pass::Access;
use super::shared::Shared;

/// What Atlas has said of the private connections of instances.
pub(super) struct Addresses(Shared<Arc<Vec<PrivateConnection>>>);

impl Addresses {
    pub(super) fn new() -> Self {
        Self(Shared::new())
    }

    /// The address behind this VPC endpoint, if Atlas shows it at `fresh_after` or later.
    pub(super) async fn find(
        &self,
        ctx: &Context,
        access: &Access,
        vpc_endpoint: &str,
        fresh_after: Boottime,
    ) -> Option<String> {
        let ask = async {
            let _permit = ctx.limits.enter(&access.instance.project).await;
            if ctx.listings.paused(&access.instance, &access.key).is_some() {
                return Err(());
            }
            let sent = Boottime::now();
            let description = Box::pin(access.key.client.instance(&access.instance)).await;
            let fault = description.as_ref().err().map(AtlasError::fault);
            if let Some(fault) =
                fault.filter(|f| matches!(f.kind, FaultKind::RateLimited | FaultKind::Unavailable))
            {
                ctx.listings.note(&access.instance, &access.key, &ctx.keys, Some(&fault)).await;
            }
            // One answer for all who wait, a refusal too: each asks again by itself later.
            Ok((sent, Arc::new(description.map(|told| told.private_connections).unwrap_or_default())))
        };
        let (_, connections) = self.0.get(&access.instance, &access.key, fresh_after, ask).await.ok()?;
        let is_behind = |connection: &&PrivateConnection| {
            connection.vpc_endpoint_ids.iter().any(|behind| behind == vpc_endpoint)
        };
        connections.iter().find(is_behind).map(|connection| connection.srv_connection_string.clone())
    }
}
