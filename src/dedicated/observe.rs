//! Reads what a decision rests on: the services of a project and provider, the object's endpoints, the clusters it names; and waits until
//! the index of names is as new as a claim. It decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use atlas::{ClusterDescription, Operation, PrivateStrings};
use domain::dedicated::claim::ClaimTarget;
use domain::dedicated::cluster::{Cluster, ClusterName};
use domain::dedicated::endpoint::{CloudEndpointId, RegisteredEndpoint};
use domain::dedicated::life::{Life, Sort};
use domain::dedicated::observed::ConnectionStrings;
use domain::dedicated::reconcile::state::DedicatedResource;
use domain::dedicated::reconcile::vocabulary::Listed;
use domain::dedicated::service::{ProviderServices, ServiceAddress};
use domain::fault::Fault;
use domain::rate_limits::Call;
use domain::reconcile::ListRequest;
use domain::reconcile::tracked::ReadResource;

use crate::clock::Boottime;
use crate::runtime::api_server::ApiError;
use crate::runtime::atlas_access::Access;
use crate::runtime::executor::{KindReconcile, ListResult};

use super::kind::DedicatedKind;
use super::running::DedicatedReconcile;

/// Lists the services, or shares the listing that another has requested, and reads what the object needs besides.
pub(super) async fn list<K: DedicatedKind>(
    reconcile: &DedicatedReconcile<K>,
    access: &Access<ProviderServices>,
    request: ListRequest,
) -> ListResult<DedicatedReconcile<K>> {
    let (atlas, common) = (&reconcile.ctx.shared.atlas, &reconcile.ctx.common);
    let list = async || Ok((access.key.client.list_services(&access.subject).await?, None));
    let attempt = || Operation::ListServices.attempt(&access.subject, None);
    let response = match common.listings.get(atlas, access, request, list, attempt).await {
        Ok(response) => response,
        Err(delay) => return (Err(delay), false),
    };
    let mut listed = Listed {
        sent: response.sent,
        result: response.result,
        was_requested: response.was_requested,
        endpoints: BTreeMap::new(),
        clusters: BTreeMap::new(),
    };
    if let Ok(services) = &listed.result {
        common.listed(&access.subject, listed.sent, services);
        let state = reconcile.machine.state();
        for life in state.endpoints_to_read(services) {
            if let Some(read) = read_endpoint(reconcile, access, &life).await {
                listed.endpoints.insert(life, read);
            }
        }
        if let Some((endpoint, clusters)) = state.clusters_to_read(&listed.endpoints) {
            let mut failed = None;
            let began = Boottime::now();
            for cluster in clusters {
                // An edit or a deletion is not noticed meanwhile: once one request has taken so long and failed, no other is sent.
                let is_late = Boottime::now().since(began) >= reconcile.ctx.settings.times.create_deadline;
                let read = match failed.filter(|_| is_late) {
                    Some(fault) => Err(fault),
                    None => read_cluster(reconcile, access, &cluster, &endpoint, listed.sent).await,
                };
                failed = read.as_ref().err().cloned();
                listed.clusters.insert(cluster, read);
            }
        }
    }
    let is_accepted = listed.result.is_ok();
    (Ok(listed), is_accepted)
}

/// Reads an endpoint; `None` if it is none.
async fn read_endpoint<K: DedicatedKind>(
    reconcile: &DedicatedReconcile<K>,
    access: &Access<ProviderServices>,
    life: &Life,
) -> Option<Result<Option<RegisteredEndpoint>, Fault>> {
    let atlas = &reconcile.ctx.shared.atlas;
    let id = life.endpoint.as_ref()?;
    let address = ServiceAddress { services: access.subject.clone(), id: life.service.clone() };
    let permit = atlas.enter(&access.namespace, &access.project).await;
    if let Some(fault) = atlas.withheld_read(access, false) {
        return Some(Err(fault.met_by(Operation::GetEndpoint.attempt(&address, Some(id)))));
    }
    let sent = Boottime::now();
    let read = access.key.client.endpoint(&address, id).await;
    drop(permit);
    atlas.record_response(access, (Call::Read, sent), read.as_ref().err()).await;
    Some(read.map_err(|error| error.fault()))
}

/// Reads a cluster, or shares the response that another has requested, and returns its strings behind `endpoint`.
async fn read_cluster<K: DedicatedKind>(
    reconcile: &DedicatedReconcile<K>,
    access: &Access<ProviderServices>,
    name: &ClusterName,
    endpoint: &CloudEndpointId,
    fresh_after: std::time::Duration,
) -> Result<Option<Vec<ConnectionStrings>>, Fault> {
    let atlas = &reconcile.ctx.shared.atlas;
    let cluster = Cluster { project: access.project.clone(), name: name.clone() };
    let enter = || async {
        let permit = atlas.enter(&access.namespace, &access.project).await;
        match atlas.withheld_read(access, false) {
            Some(fault) => Err(fault.met_by(Operation::GetCluster.attempt(&cluster, None))),
            None => Ok(permit),
        }
    };
    let request = |_permit| async {
        let sent = Boottime::now();
        let read = Box::pin(access.key.client.cluster(&cluster)).await;
        atlas.record_response(access, (Call::Read, sent), read.as_ref().err()).await;
        Ok((sent, read.map(|found| found.map(Arc::new)).map_err(|error| error.fault())))
    };
    let key = (cluster.clone(), access.fingerprint());
    let fresh_after = Boottime::from_boot(fresh_after);
    let (_, read) = reconcile.ctx.common.clusters.get(key, fresh_after, enter, request).await?;
    Ok(read?.map(|cluster| strings(&cluster, endpoint)))
}

/// Returns the private connection strings of a cluster behind an endpoint: by its id, never by their position.
fn strings(cluster: &ClusterDescription, endpoint: &CloudEndpointId) -> Vec<ConnectionStrings> {
    let is_behind = |strings: &&PrivateStrings| strings.endpoint_ids.iter().any(|id| endpoint.is(id));
    let found = cluster.private_strings.iter().filter(is_behind);
    found
        .map(|strings| ConnectionStrings {
            kind: strings.kind.clone(),
            standard: strings.standard.clone(),
            srv: strings.srv.clone(),
            srv_shard_optimized: strings.srv_shard_optimized.clone(),
        })
        .collect()
}

/// Waits until the index of names is as new as the claim that was just written, at most for the deadline of a claim. Returns `false` if it
/// is not.
///
/// One watch delivers in order: what it shows after the claim includes all that was written before. What other watches show is listed.
pub(super) async fn catch_up<K: DedicatedKind>(reconcile: &DedicatedReconcile<K>) -> bool {
    let deadline = reconcile.ctx.settings.times.create_deadline;
    let caught_up = async {
        watch_shows_claim(reconcile).await;
        list_others(reconcile).await
    };
    tokio::time::timeout(deadline, caught_up).await.unwrap_or(false)
}

/// Waits until the watch shows the object as it was claimed, or a later version of it, or none.
async fn watch_shows_claim<K: DedicatedKind>(reconcile: &DedicatedReconcile<K>) {
    let common = &reconcile.ctx.common;
    let written = reconcile.machine.object().version().number;
    loop {
        // Registered before the index is read, so that no change in between is missed.
        let mut watched = std::pin::pin!(common.watched.notified());
        watched.as_mut().enable();
        let is_shown = common.names().get(K::SORT, &reconcile.identity.token).is_none_or(|names| {
            names.uid != reconcile.identity.uid
                || names.version.zip(written).is_some_and(|(shown, own)| shown >= own)
        });
        if is_shown {
            return;
        }
        watched.await;
    }
}

/// Lists the objects of other watches that the claimed write may concern. Returns `false` if a list fails.
async fn list_others<K: DedicatedKind>(reconcile: &DedicatedReconcile<K>) -> bool {
    let Some(links) = reconcile.ctx.common.links() else { return false };
    let scopes = reconcile.ctx.shared.scopes();
    let own = (scopes.len() > 1).then(|| reconcile.identity().namespace.clone());
    let others = scopes.iter().filter(|scope| own.is_some() && **scope != own);
    let mut lists: Vec<_> = others.map(|scope| (K::SORT, scope.clone())).collect();
    let object = reconcile.machine.object().object();
    if K::SORT == Sort::Service && matches!(object.claim.target(), Some(ClaimTarget::Delete(_))) {
        // The endpoints that use the service.
        lists.extend(scopes.iter().map(|scope| (Sort::Endpoint, scope.clone())));
    }
    for (sort, scope) in lists {
        match (links.list)(sort)(scope).await {
            // A namespace without the kind, or without the right to list it, is as one that is not watched.
            Ok(()) | Err(ApiError::NotFound | ApiError::KindNotInstalled | ApiError::Forbidden(_)) => {}
            Err(_) => return false,
        }
    }
    true
}
