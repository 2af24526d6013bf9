//! Observes what other objects contribute to a decision, and gets the next action of a reconcile.
//!
//! It never waits. Every rule is in `domain::serverless`.

use std::collections::{BTreeMap, BTreeSet};

use domain::reference::VpcEndpoint;
use domain::serverless::endpoint::EndpointId;
use domain::serverless::observed::{CredentialsInUse, Observed, Owner};
use domain::serverless::ownership::mark_of;
use domain::serverless::reconcile::{NextAction, Permits, Plan};
use domain::token::Token;
use tracing::debug;

use crate::clock::Boottime;

use super::session::Session;
use super::span::{self, Trace};

/// Decides, and returns the next action. `has_permit`: the reconcile holds one to call the API server.
pub(super) fn next(session: &Session, has_permit: bool, trace: &mut Trace) -> NextAction {
    let Session { ctx, identity, run, permit } = session;
    let (now, times, token) = (Boottime::now().since_boot(), &ctx.options.times, &identity.token);
    let observed = run.observe(times, now, |object, at, last_write| {
        ctx.states.with(token, |entry| {
            entry.exists = true;
            entry.memory.recall(object, at, now, last_write)
        })
    });
    let (owners, elsewhere) = (owners(session), elsewhere(session));
    let permits = Permits { atlas: permit.is_some(), api_server: has_permit };
    let next = run.next(Observed { owners, elsewhere, ..observed }, other_declarant(session), permits);
    ctx.states.with(token, |entry| run.confirm(&next, &mut entry.memory, times));
    if let Some(Plan { decision, .. }) = next.plan() {
        debug!(step = span::step_name(&decision.step), next = %decision.requeue, "decided");
    }
    trace.step(&next);
    next
}

/// Returns another object that declares the same VPC endpoint.
fn other_declarant(Session { ctx, identity, run, .. }: &Session) -> Option<String> {
    match run.vpc_endpoint() {
        VpcEndpoint::Declared(id) => ctx.directory.other_declarant(&identity.token, &identity.namespace, id),
        _ => None,
    }
}

/// Returns the owners of the foreign marks in the listing, as far as they are known.
fn owners(Session { ctx, identity, run, .. }: &Session) -> BTreeMap<Token, Owner> {
    let marks = run.listed().iter().filter_map(|endpoint| mark_of(&endpoint.comment));
    let others = marks.filter(|token| *token != identity.token);
    others
        .filter_map(|token| Some((token.clone(), ctx.directory.owner(&token, &identity.namespace)?)))
        .collect()
}

/// Returns the endpoints in the listing that an older object of another namespace uses. Only needed with the default credentials,
/// which several namespaces share.
fn elsewhere(Session { ctx, identity, run, .. }: &Session) -> BTreeSet<EndpointId> {
    let shared = run.listed().iter().filter(|_| *run.credentials() == CredentialsInUse::Default);
    let others = shared.filter(|endpoint| mark_of(&endpoint.comment).as_ref() != Some(&identity.token));
    let used = others.filter(|endpoint| ctx.directory.is_used_elsewhere(&identity.token, &endpoint.id));
    used.map(|endpoint| endpoint.id.clone()).collect()
}
