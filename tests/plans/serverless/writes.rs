//! The operators' writes, as their proxies recorded them, arrived or not: P2, P3 and P6, and of P9 that no write is
//! sent that changes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use atlas_simulator::Endpoint;
use serde_json::Value;
use spe_operator::serverless::crd::CLAIM;
use testbed::Exchange;

use crate::operator::{D, Q, T};
use crate::record::Record;
use crate::requests::{ATLAS, CLUSTER, is_post};

/// A claim that the API server accepted, whether or not its sender got the response.
struct AcceptedClaim {
    nonce: String,
    mark: String,
    sent: Duration,
    responded: Duration,
    /// The object was being deleted.
    terminating: bool,
}

/// Each POST of a process has a claim that this process wrote before, in time, and that no other POST has. After a POST
/// without a rejection there is no claim until it cannot arrive any more, and no POST when the object is being deleted.
pub(crate) fn posts(record: &Record, wrong: &mut Vec<String>) {
    let Record { processes, deleted_at, .. } = record;
    let claims: Vec<Vec<AcceptedClaim>> =
        processes.iter().map(|exchanges| exchanges.iter().filter_map(claim).collect()).collect();
    let mut posted = BTreeSet::new();
    for (exchanges, claims_of_process) in processes.iter().zip(&claims) {
        for post in exchanges.iter().filter(|exchange| is_post(exchange)) {
            if deleted_at.is_some_and(|deleted_at| post.at > deleted_at + D + T) {
                wrong.push(format!("P6: the POST at {:?} is long after the deletion", post.at));
            }
            let before = claims_of_process.iter().filter(|claim| claim.responded <= post.at);
            let Some(claim) = before.max_by_key(|claim| claim.sent) else {
                wrong.push(format!("P2: the POST at {:?} has no claim of its process before it", post.at));
                continue;
            };
            if post.at > claim.sent + D + T || claim.terminating {
                wrong.push(format!("P2: the POST at {:?} has a claim of {:?}", post.at, claim.sent));
            }
            if !String::from_utf8_lossy(&post.body).contains(&claim.mark) {
                wrong.push(format!("P2: the POST at {:?} does not bear {}", post.at, claim.mark));
            }
            if !posted.insert(&claim.nonce) {
                wrong.push(format!("P3: {} is posted twice, again at {:?}", claim.nonce, post.at));
            }
            let known: BTreeSet<_> = claims
                .iter()
                .flatten()
                .filter(|other| other.sent <= post.at)
                .map(|other| &other.nonce)
                .collect();
            let next = claims.iter().flatten().filter(|other| !known.contains(&other.nonce));
            let next = next.map(|other| other.sent).min();
            if !is_refused(post) && next.is_some_and(|next| next < claim.sent + Q) {
                wrong.push(format!("P3: claimed again at {next:?}, with a POST of {:?} in flight", post.at));
            }
        }
    }
}

/// Rejected definitely, by Atlas' own error.
fn is_refused(post: &Exchange) -> bool {
    matches!(post.status, Some(400 | 403 | 404 | 409 | 410 | 429))
}

fn claim(exchange: &Exchange) -> Option<AcceptedClaim> {
    let accepted = exchange.status.is_some_and(|status| (200..300).contains(&status));
    if exchange.proxy != CLUSTER || exchange.method != "PATCH" || !exchange.forwarded || !accepted {
        return None;
    }
    let body: Value = serde_json::from_slice(&exchange.body).ok()?;
    let text = body["metadata"]["annotations"][CLAIM].as_str()?;
    // As in `v1/<token>/<nonce>/…`.
    let mut parts = text.split('/').skip(1);
    let (token, nonce) = (parts.next().unwrap_or_default(), parts.next().unwrap_or(text));
    let object: Value = serde_json::from_slice(&exchange.response).unwrap_or_default();
    Some(AcceptedClaim {
        nonce: nonce.to_owned(),
        mark: format!("[k8s:{token}]"),
        sent: exchange.at,
        responded: exchange.responded_at?,
        terminating: !object["metadata"]["deletionTimestamp"].is_null(),
    })
}

/// No write is sent to a foreign endpoint, and no PATCH that changes nothing.
///
/// The second holds only of an operator with current information: of two, one may change what the other is about to,
/// and a listing that lags is believed more than the response to the last PATCH.
pub(crate) fn changes(record: &Record, wrong: &mut Vec<String>) {
    let to_endpoint = |exchange: &&Exchange| {
        exchange.proxy == ATLAS && matches!(exchange.method.as_str(), "PATCH" | "DELETE")
    };
    for exchange in record.processes.iter().flatten().filter(to_endpoint) {
        let Exchange { method, path, at, .. } = exchange;
        if record.strangers.iter().any(|(stranger, _)| path.contains(&stranger.id)) {
            wrong.push(format!("P4: {method} {path} at {at:?} is for somebody else's endpoint"));
        }
        let life = record.lives.iter().find(|life| path.contains(&life.id));
        let is_met = |endpoint| is_met(&exchange.body, endpoint);
        if record.is_informed && method == "PATCH" && life.and_then(|life| life.at(*at)).is_some_and(is_met) {
            let since =
                life.and_then(|life| life.changes.iter().map(|change| change.at).rfind(|since| since <= at));
            wrong.push(format!("P9: PATCH {path} at {at:?} wants what is there already, since {since:?}"));
        }
    }
}

fn is_met(body: &[u8], endpoint: &Endpoint) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let wants = |field: &str, is: &Option<String>| {
        body.get(field).is_some_and(|value| value.as_str() != is.as_deref())
    };
    !wants("comment", &endpoint.comment) && !wants("cloudProviderEndpointId", &endpoint.vpc_endpoint_id)
}
