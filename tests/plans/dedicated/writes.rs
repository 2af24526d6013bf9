//! The operators' writes to Atlas and their claims: of W4 that each write has its claim, and that one is over before the next begins.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::claims::{AcceptedWriteClaim, SentWrite, is_success};
use super::judge::JudgedRun;
use super::objects::JudgedObject;
use crate::operator::{D, Q, T};
use crate::record::Record;
use crate::requests::CLUSTER;

/// By how much the arrival of one request at the proxy may be later than that of another.
const ARRIVAL: Duration = Duration::from_millis(300);

/// A write to Atlas with its claim.
pub(super) struct ClaimedRequest<'a> {
    pub(super) write: &'a SentWrite,
    pub(super) claim: &'a AcceptedWriteClaim,
    pub(super) object: &'a JudgedObject<'a>,
}

/// Returns the writes with their claims. Each has a claim that its process wrote before, in time, and that no other write has.
pub(super) fn claimed<'a>(run: &'a JudgedRun<'a>, wrong: &mut Vec<String>) -> Vec<ClaimedRequest<'a>> {
    let (mut requests, mut used) = (Vec::new(), BTreeSet::new());
    for write in &run.writes {
        let claim = run.claim_of(write);
        let object = claim.and_then(|claim| run.objects.iter().find(|object| object.uid == claim.uid));
        let Some((claim, object)) = claim.zip(object) else {
            wrong.push(format!("W4: the {write} has no claim of its process before it"));
            continue;
        };
        if write.at > claim.sent + D + T || (claim.is_terminating && write.what.is_create()) {
            wrong.push(format!("W4: the {write} has a claim of {:?}", claim.sent));
        }
        if !used.insert(&claim.nonce) {
            wrong.push(format!("W4: {} is sent twice, again as the {write}", claim.nonce));
        }
        requests.push(ClaimedRequest { write, claim, object });
    }
    requests
}

/// While a request may take effect, there is no further claim on its object.
pub(super) fn one_at_a_time(run: &JudgedRun<'_>, requests: &[ClaimedRequest<'_>], wrong: &mut Vec<String>) {
    let settled = settled(run.record);
    for object in &run.objects {
        let claims: Vec<_> = run.claims.iter().filter(|claim| claim.uid == object.uid).collect();
        for (former, next) in claims.iter().zip(claims.iter().skip(1)) {
            let request = requests.iter().find(|request| request.claim.nonce == former.nonce);
            let is_known_to_be_over = match request.map(|request| request.write) {
                None => true,
                Some(write) => write.is_refused() || (write.is_answered() && !write.what.is_create()),
            };
            let is_over = (former.process == next.process && is_known_to_be_over)
                || settled.iter().any(|(nonce, at)| *nonce == former.nonce && *at <= next.sent)
                || next.sent + ARRIVAL >= former.sent + Q;
            if former.nonce != next.nonce && !is_over {
                let (name, at, before) = (object.name(), next.sent, former.sent);
                wrong.push(format!(
                    "W4: {name} is claimed again at {at:?}, while its request of {before:?} is in flight"
                ));
            }
        }
    }
}

/// Returns the nonces that a status says to be settled, and since when.
fn settled(record: &Record) -> Vec<(String, Duration)> {
    let mut found = Vec::new();
    for exchange in record.processes.iter().flatten() {
        let is_status = exchange.proxy == CLUSTER && exchange.path.contains("/status");
        if is_status && exchange.forwarded && exchange.status.is_some_and(is_success) {
            let object: Value = serde_json::from_slice(&exchange.response).unwrap_or_default();
            let nonce = object["status"]["settledClaim"].as_str();
            found.extend(nonce.map(|nonce| (nonce.to_owned(), exchange.at)));
        }
    }
    found
}

/// One DELETE a life: a process does not delete again what Atlas, as it knows, has deleted. Another process may not know it.
pub(super) fn repeated(requests: &[ClaimedRequest<'_>], wrong: &mut Vec<String>) {
    for (n, later) in requests.iter().enumerate().filter(|(_, request)| !request.write.what.is_create()) {
        let is_known = |former: &&ClaimedRequest<'_>| {
            let is_same = former.write.what == later.write.what && former.object.uid == later.object.uid;
            is_same && former.write.process == later.write.process && former.write.is_answered()
        };
        if requests[..n].iter().any(|former| is_known(&former)) {
            wrong.push(format!("W3: the {} is about what was deleted before", later.write));
        }
    }
}
