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
use super::session::Session;
use super::span::{self, Trace};
use super::status_patch;

/// A decision, what it rests on, and what the status is to say of it.
pub(super) struct Plan {
    pub(super) observed: Observed,
    pub(super) decision: Decision,
    pub(super) report: Report,
}

/// What comes next.
pub(super) enum NextAction {
    /// Wait for a listing.
    List,
    /// Wait for the right to call Atlas, then decide anew.
    Enter,
    /// Wait for one's turn to call the API server, then decide anew.
    ApiPermit,
    /// Report a loss, before anything else is done about it.
    Announce(Box<Plan>),
    /// Carry out what was decided.
    CarryOut(Box<Plan>),
    /// Let the object go.
    Release(Box<Plan>),
    /// Nothing is left to do: conclude.
    Rest(Box<Plan>),
}

/// Decides, and says what comes of it for who holds a turn to call the API server or does not.
pub(super) fn next(session: &Session, has_turn: bool, trace: &mut Trace) -> NextAction {
    let observed = observe(session);
    let decision = decide(&observed);
    debug!(step = span::step_name(&decision.step), next = %decision.requeue, "decided");
    let mut report = report(&observed, &decision);
    if let VpcEndpoint::Declared(id) = &session.vpc_endpoint
        && let Some(another) =
            session.ctx.directory.another(&session.identity.token, &session.identity.namespace, id)
    {
        report.shared_with(id, &another);
    }
    let plan = Plan { observed, decision, report };
    match plan.decision.step {
        // Nothing may name the service of an endpoint that is gone while another is made in its place.
        Step::Claim { .. } if plan.report.lost && !session.announced => {
            return NextAction::Announce(Box::new(plan));
        }
        // A claim is followed by its POST, so the right to call comes before it: an attempt's deadline is not spent waiting.
        Step::Claim { .. } | Step::Create { .. } | Step::Update { .. } | Step::Delete { .. }
            if session.permit.is_none() =>
        {
            return NextAction::Enter;
        }
        Step::Release(_) if !has_turn => return NextAction::ApiPermit,
        Step::Rest if !has_turn && only_writes_status(session, &plan.report) => return NextAction::ApiPermit,
        _ => {}
    }
    if matches!(session.listing, Listing::Fetched(_)) {
        let seen = session.seen.since_boot();
        // Only now: what is decided anew must find the memory as it was.
        session.ctx.states.with(&session.identity.token, |entry| {
            entry.memory.confirmed(&plan.decision, seen);
        });
    }
    trace.step(&plan.decision.step);
    match plan.decision.step {
        Step::List => NextAction::List,
        Step::Release(_) => NextAction::Release(Box::new(plan)),
        Step::Rest => NextAction::Rest(Box::new(plan)),
        _ => NextAction::CarryOut(Box::new(plan)),
    }
}

/// Concluding takes one turn. With an output ConfigMap it takes several, each when it is needed.
fn only_writes_status(session: &Session, report: &Report) -> bool {
    !output::is_concerned(&session.object)
        && status_patch::differs(&session.object, report, session.heard_at_rest())
}

/// Everything that is known now.
pub(super) fn observe(session: &Session) -> Observed {
    let Session { ctx, identity, .. } = session;
    let object = convert::object(&session.object, identity, &ctx.cluster_id);
    let now = Boottime::now().since_boot();
    let at = if session.listing == Listing::NotFetched { now } else { session.seen.since_boot() };
    let memory = ctx.states.with(&identity.token, |entry| {
        entry.observe(&object, now);
        entry.memory.snapshot(at, now, session.last_write.clone())
    });
    let spec = convert::spec(&session.object, session.vpc_endpoint.clone());
    let (credentials, listing) = (session.credentials.clone(), session.listing.clone());
    let (owners, elsewhere) = match &listing {
        Listing::Fetched(listing) => (owners(session, listing), elsewhere(session, listing)),
        Listing::NotFetched | Listing::Failed(_) => (BTreeMap::new(), BTreeSet::new()),
    };
    let times = ctx.options.times;
    let sunset =
        session.sunset.clone().map(|sunset| Sunset { is_over: is_past(sunset.day.as_deref()), ..sunset });
    Observed { object, spec, credentials, listing, owners, elsewhere, sunset, memory, times }
}

/// Whose the other marks in the listing are, as far as that is known.
fn owners(Session { ctx, identity, .. }: &Session, listing: &[Endpoint]) -> BTreeMap<Token, Owner> {
    let marks = listing.iter().filter_map(|endpoint| mark_of(&endpoint.comment));
    let others = marks.filter(|token| *token != identity.token);
    others
        .filter_map(|token| Some((token.clone(), ctx.directory.owner(&token, &identity.namespace)?)))
        .collect()
}

/// What of the listing an older object of another namespace uses. Only the default credentials have to know.
fn elsewhere(
    Session { ctx, identity, credentials, .. }: &Session,
    listing: &[Endpoint],
) -> BTreeSet<EndpointId> {
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
