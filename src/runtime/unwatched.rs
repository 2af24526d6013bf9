//! Reports objects of a kind with our finalizer that no watch of ours shows, on the object and in the log, because no operator
//! may be reconciling them. An object that left the selector keeps its endpoint until it is deleted.
//!
//! Reads the objects and publishes events; never writes an object, which another operator may own by now.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use domain::status::{Unwatched, not_watched};
use domain::token::ClusterId;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use tracing::{debug, info, warn};

use super::api_server::{ApiError, ApiPermit};
use super::cached::Cached;
use super::identity::Identity;
use super::kind::Kind;
use super::object_fields::has_finalizer;
use super::objects::Objects;

/// The delay between two attempts to read the object, and the number of attempts.
const RETRY_PERIOD: Duration = Duration::from_secs(5);
const MAX_ATTEMPTS: usize = 5;

/// How often the objects that left the selector are read again.
const FOLLOW_PERIOD: Duration = Duration::from_mins(5);

/// The maximum number of objects in a page of the survey. A user may give an object metadata of a mebibyte: a page that is
/// too large is requested again with half as many objects.
const PAGE_SIZE: u32 = 50;

/// The maximum number of requests for pages that the survey sends.
const MAX_PAGES: usize = 1000;

/// The maximum number of objects that the survey inspects individually.
const MAX_INSPECTED: usize = 1000;

/// How long an object with pending work must stay unwritten, so that no other operator seems to watch it.
const MIN_UNWRITTEN: Duration = Duration::from_secs(30);

/// Reports `object`, which left the selector and its watch, if it exists, has our finalizer, and is not `watched`
/// again.
pub(super) async fn report_left<K: Kind>(
    objects: Arc<Objects<K>>,
    watched: Store<Cached<K>>,
    selector: String,
    object: ObjectRef<Cached<K>>,
) {
    let (namespace, name) = (object.namespace.clone().unwrap_or_default(), object.name.clone());
    let shared = &objects.shared;
    let identity = Identity::of_name::<K>(&shared.cluster_id, namespace, name);
    for _ in 0..MAX_ATTEMPTS {
        let api_permit = shared.api_server.permit(&identity.namespace).await;
        match shared.api_server.get::<K>(&api_permit, &identity).await {
            Ok(found) => {
                if !has_finalizer(&found) {
                    objects.directory.remove_if_unselected(&identity.token);
                } else if watched.get(&object).is_none() {
                    report(&objects, &api_permit, &found, &Unwatched::Labels(selector)).await;
                }
                return;
            }
            Err(ApiError::NotFound) => {
                objects.directory.remove_if_unselected(&identity.token);
                return;
            }
            // Also if the API server does not know the kind, which may be so for a moment only.
            Err(error) => debug!(%error, "failed to read an object that left the watch"),
        }
        drop(api_permit);
        tokio::time::sleep(RETRY_PERIOD).await;
    }
}

/// Checks periodically which of the objects that left the selector are deleted, or were released by another operator.
pub(super) async fn follow<K: Kind>(objects: Arc<Objects<K>>) {
    let shared = &objects.shared;
    loop {
        tokio::time::sleep(FOLLOW_PERIOD).await;
        for (namespace, name) in objects.directory.all_unselected() {
            let identity = Identity::of_name::<K>(&shared.cluster_id, namespace, name);
            let api_permit = shared.api_server.permit(&identity.namespace).await;
            let is_released = match shared.api_server.get::<K>(&api_permit, &identity).await {
                Ok(found) => !has_finalizer(&found),
                Err(error) => matches!(error, ApiError::NotFound),
            };
            if is_released {
                objects.directory.remove_if_unselected(&identity.token);
            }
        }
    }
}

/// Searches once, after all watches have listed, for objects that left while no operator ran. Reports nothing without
/// the right to list in all namespaces.
pub(super) async fn survey<K: Kind>(objects: Arc<Objects<K>>) {
    let shared = &objects.shared;
    // Without namespaces and selector, everything is watched.
    if shared.options.namespaces.is_empty() && shared.options.selector.is_none() {
        return;
    }
    let search = async {
        tokio::time::sleep(shared.options.survey_after).await;
        find_unwatched(&objects).await
    };
    match shared.work.unless_stopped(pin!(search)).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error @ ApiError::Forbidden(_))) => debug!(%error, "not searching for unwatched objects"),
        Ok(Err(error)) => warn!(%error, "failed to search for unwatched objects"),
    }
}

async fn find_unwatched<K: Kind>(objects: &Objects<K>) -> Result<(), ApiError> {
    let shared = &objects.shared;
    let (mut found, mut candidates, mut from, mut limit) = (0_usize, Vec::new(), None, PAGE_SIZE);
    for _ in 0..MAX_PAGES {
        let (page, next) = match shared.api_server.with_finalizer::<K>(from.clone(), limit).await {
            Err(ApiError::Unreadable(_)) if limit > 1 => {
                limit /= 2;
                continue;
            }
            read => read?,
        };
        limit = (limit * 2).min(PAGE_SIZE);
        for metadata in page {
            let version = metadata.resource_version.clone();
            let identity = identity::<K>(&shared.cluster_id, metadata);
            if objects.directory.is_unknown(&identity.token) {
                found += 1;
                if candidates.len() < MAX_INSPECTED {
                    candidates.push((identity, version));
                }
            }
        }
        from = next;
        if from.is_none() {
            break;
        }
    }
    if from.is_some() {
        warn!(requests = MAX_PAGES, "too many objects to search all of them for unwatched ones");
    }
    shared.options.metrics.unwatched_at_start(found);
    if found == 0 {
        return Ok(());
    }
    info!(objects = found, "found objects with the finalizer that this operator does not watch");
    tokio::time::sleep(MIN_UNWRITTEN).await;
    for (identity, version) in candidates {
        let api_permit = shared.api_server.permit(&identity.namespace).await;
        // An unreadable object is reported by its own operator, or is being deleted.
        if let Ok(object) = shared.api_server.get::<K>(&api_permit, &identity).await
            && object.meta().resource_version == version
            && has_pending_work(&object)
            && objects.directory.is_unknown(&identity.token)
        {
            let namespaces = &shared.options.namespaces;
            let elsewhere = !namespaces.is_empty() && !namespaces.contains(&identity.namespace);
            let why = match &shared.options.selector {
                Some(selector) if !elsewhere => Unwatched::Labels(selector.clone()),
                _ => Unwatched::Namespace,
            };
            report(objects, &api_permit, &object, &why).await;
        }
    }
    Ok(())
}

fn identity<K: Kind>(cluster_id: &ClusterId, metadata: ObjectMeta) -> Identity {
    let (namespace, name) = (metadata.namespace.unwrap_or_default(), metadata.name.unwrap_or_default());
    Identity { uid: metadata.uid.unwrap_or_default(), ..Identity::of_name::<K>(cluster_id, namespace, name) }
}

/// Returns `true` if an operator has pending work: the object is being deleted, or was edited since its last
/// reconcile.
fn has_pending_work(object: &impl Kind) -> bool {
    let metadata = object.meta();
    let observed = object.current().map(|current| current.observed_generation);
    has_finalizer(object) && (metadata.deletion_timestamp.is_some() || observed != metadata.generation)
}

async fn report<K: Kind>(objects: &Objects<K>, api_permit: &ApiPermit, object: &K, why: &Unwatched) {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    match why {
        Unwatched::Labels(selector) => {
            warn!(namespace, name, selector, "not watching the object: it does not match the selector");
        }
        Unwatched::Namespace => {
            warn!(namespace, name, "not watching the object: its namespace is not watched");
        }
    }
    objects.shared.options.metrics.unwatched();
    objects.publish(api_permit, object.object_ref(&()), &not_watched(why)).await;
}
