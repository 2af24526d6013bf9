//! What a reconcile does next: what is known, what the rules say to it, and what has to be waited for first.
//!
//! Never waits itself. Every rule stands in `domain::decide`.

use std::collections::{BTreeMap, BTreeSet};

use domain::conditions::{Report, report};
use domain::decide::decide;
use domain::decision::{Decision, Step};
use domain::endpoint::{Endpoint, EndpointId};
use domain::observed::{CredentialsInUse, Listing, Observed, Owner, Sunset, VpcEndpoint};
use domain::ownership::{Token, mark_of};
use tracing::debug;

use crate::clock::Boottime;

use super::convert;
use super::output;
use super::session::Pass;
use super::span::{self, Trace};
use super::status_patch;

/// A decision, what it rests on, and what the status is to say of it.
pub(super) struct Decided {
    pub(super) observed: Observed,
    pub(super) decision: Decision,
    pub(super) report: Report,
}

/// What comes next.
pub(super) enum Next {
    /// Wait for a listing.
    List,
    /// Wait for the right to call Atlas, then decide anew.
    Enter,
    /// Wait for one's turn to call the API server, then decide anew.
    Turn,
    /// Report a loss, before anything else is done about it.
    Announce(Box<Decided>),
    /// Carry out what was decided.
    CarryOut(Box<Decided>),
    /// Let the object go.
    Release(Box<Decided>),
    /// Nothing is left to do: conclude.
    Rest(Box<Decided>),
}

/// Decides, and says what comes of it for who holds a turn to call the API server or does not.
pub(super) fn next(pass: &Pass, has_turn: bool, trace: &mut Trace) -> Next {
    let observed = observe(pass);
    let decision = decide(&observed);
    debug!(step = span::word(&decision.step), next = %decision.requeue, "decided");
    let mut report = report(&observed, &decision);
    if let VpcEndpoint::Declared(id) = &pass.vpc_endpoint
        && let Some(another) = pass.ctx.directory.another(&pass.identity.token, &pass.identity.namespace, id)
    {
        report.shared_with(id, &another);
    }
    let decided = Decided { observed, decision, report };
    match decided.decision.step {
        // Nothing may name the service of an endpoint that is gone while another is made in its place.
        Step::Claim { .. } if decided.report.lost && !pass.announced => {
            return Next::Announce(Box::new(decided));
        }
        // A claim is followed by its POST, so the right to call comes before it: an attempt's deadline is not spent waiting.
        Step::Claim { .. } | Step::Create { .. } | Step::Update { .. } | Step::Delete { .. }
            if pass.permit.is_none() =>
        {
            return Next::Enter;
        }
        Step::Release(_) if !has_turn => return Next::Turn,
        Step::Rest if !has_turn && only_writes_status(pass, &decided.report) => return Next::Turn,
        _ => {}
    }
    if matches!(pass.listing, Listing::Fetched(_)) {
        let seen = pass.seen.since_boot();
        // Only now: what is decided anew must find the memory as it was.
        pass.ctx.memories.with(&pass.identity.token, |entry| {
            entry.memory.confirmed(&decided.decision, seen);
        });
    }
    trace.step(&decided.decision.step);
    match decided.decision.step {
        Step::List => Next::List,
        Step::Release(_) => Next::Release(Box::new(decided)),
        Step::Rest => Next::Rest(Box::new(decided)),
        _ => Next::CarryOut(Box::new(decided)),
    }
}

/// Concluding takes one turn. With an output ConfigMap it takes several, each when it is needed.
fn only_writes_status(pass: &Pass, report: &Report) -> bool {
    !output::is_concerned(&pass.object) && status_patch::differs(&pass.object, report, pass.heard_at_rest())
}

/// Everything that is known now.
pub(super) fn observe(pass: &Pass) -> Observed {
    let Pass { ctx, identity, .. } = pass;
    let object = convert::object(&pass.object, identity, &ctx.cluster_id);
    let now = Boottime::now().since_boot();
    let at = if pass.listing == Listing::NotFetched { now } else { pass.seen.since_boot() };
    let memory = ctx.memories.with(&identity.token, |entry| {
        entry.observe(&object, now);
        entry.memory.snapshot(at, now, pass.last_write.clone())
    });
    let spec = convert::spec(&pass.object, pass.vpc_endpoint.clone());
    let (credentials, listing) = (pass.credentials.clone(), pass.listing.clone());
    let (owners, elsewhere) = match &listing {
        Listing::Fetched(listing) => (owners(pass, listing), elsewhere(pass, listing)),
        Listing::NotFetched | Listing::Failed(_) => (BTreeMap::new(), BTreeSet::new()),
    };
    let times = ctx.options.times;
    let sunset =
        pass.sunset.clone().map(|sunset| Sunset { is_over: is_past(sunset.day.as_deref()), ..sunset });
    Observed { object, spec, credentials, listing, owners, elsewhere, sunset, memory, times }
}

/// Whose the other marks in the listing are, as far as that is known.
fn owners(Pass { ctx, identity, .. }: &Pass, listing: &[Endpoint]) -> BTreeMap<Token, Owner> {
    let marks = listing.iter().filter_map(|endpoint| mark_of(&endpoint.comment));
    let others = marks.filter(|token| *token != identity.token);
    others
        .filter_map(|token| Some((token.clone(), ctx.directory.owner(&token, &identity.namespace)?)))
        .collect()
}

/// What of the listing an older object of another namespace uses. Only the default credentials have to know.
fn elsewhere(Pass { ctx, identity, credentials, .. }: &Pass, listing: &[Endpoint]) -> BTreeSet<EndpointId> {
    let shared = listing.iter().filter(|_| *credentials == CredentialsInUse::Default);
    let others = shared.filter(|endpoint| mark_of(&endpoint.comment).as_ref() != Some(&identity.token));
    let used = others.filter(|endpoint| ctx.directory.is_used_elsewhere(&identity.token, &endpoint.id));
    used.map(|endpoint| endpoint.id.clone()).collect()
}

/// Whether a day, as in `2026-01-15`, is over.
fn is_past(day: Option<&str>) -> bool {
    let today = jiff::Timestamp::now().strftime("%F").to_string();
    day.is_some_and(|day| *day < *today)
}
