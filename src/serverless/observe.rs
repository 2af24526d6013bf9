//! Observes the current state, decides, and returns the next action of a reconcile: a step, a listing or permit to wait for, or its end.
//!
//! It never waits itself. Every rule is in `domain::serverless::decide`.

use std::collections::{BTreeMap, BTreeSet};

use domain::reference::VpcEndpoint;
use domain::serverless::decide::decide;
use domain::serverless::decision::Step;
use domain::serverless::endpoint::{Endpoint, EndpointId};
use domain::serverless::observed::{CredentialsInUse, Listing, Observed, Owner};
use domain::serverless::ownership::mark_of;
use domain::serverless::status::{Report, report};
use domain::sunset::Sunset;
use domain::token::Token;
use tracing::debug;

use crate::clock::Boottime;

use super::convert;
use super::output;
use super::plan::Plan;
use super::session::Session;
use super::span::{self, Trace};
use super::status_patch;

/// The next action of a reconcile.
pub(super) enum NextAction {
    /// Wait for a listing.
    List,
    /// Wait for a permit to call Atlas, then decide again.
    AtlasPermit,
    /// Wait for a permit to call the API server, then decide again.
    ApiPermit,
    /// Report a lost endpoint before the first step to replace it.
    PublishLoss(Box<Plan>),
    /// Perform the step that was decided.
    Perform(Box<Plan>),
    /// Remove the finalizer.
    Release(Box<Plan>),
    /// No step is left: publish.
    Rest(Box<Plan>),
}

/// Decides, and returns the next action, which depends on the permits that the reconcile holds. `has_permit`: one to call the API
/// server.
pub(super) fn next(session: &Session, has_permit: bool, trace: &mut Trace) -> NextAction {
    let observed = observe(session);
    let decision = decide(&observed);
    debug!(step = span::step_name(&decision.step), next = %decision.requeue, "decided");
    let mut report = report(&observed, &decision);
    if let VpcEndpoint::Declared(id) = &session.vpc_endpoint
        && let Some(another) =
            session.ctx.directory.other_declarant(&session.identity.token, &session.identity.namespace, id)
    {
        report.shared_with(id, &another);
    }
    let plan = Plan { observed, decision, report };
    match plan.decision.step {
        // The status must not show the service of a lost endpoint while its replacement is being created.
        Step::Claim { .. } if plan.report.lost && !session.loss_published => {
            return NextAction::PublishLoss(Box::new(plan));
        }
        // The POST follows its claim immediately, so the permit is taken before the claim: waiting must not use up the attempt's
        // deadline.
        Step::Claim { .. } | Step::Create { .. } | Step::Update { .. } | Step::Delete { .. }
            if session.permit.is_none() =>
        {
            return NextAction::AtlasPermit;
        }
        Step::Release(_) if !has_permit => return NextAction::ApiPermit,
        Step::Rest if !has_permit && only_writes_status(session, &plan.report) => {
            return NextAction::ApiPermit;
        }
        _ => {}
    }
    if matches!(session.listing, Listing::Fetched(_)) {
        let listed_at = session.listed_at.since_boot();
        // Only after the returns above, because a decision that is repeated must start from the same memory.
        session.ctx.states.with(&session.identity.token, |entry| {
            entry.memory.confirmed(&plan.decision, listed_at, &session.ctx.options.times);
        });
    }
    trace.step(&plan.decision.step);
    match plan.decision.step {
        Step::List => NextAction::List,
        Step::Release(_) => NextAction::Release(Box::new(plan)),
        Step::Rest => NextAction::Rest(Box::new(plan)),
        _ => NextAction::Perform(Box::new(plan)),
    }
}

/// Returns `true` if publishing needs exactly one permit. With an output ConfigMap it needs several, each taken when needed.
fn only_writes_status(session: &Session, report: &Report) -> bool {
    !output::has_output(&session.object)
        && status_patch::differs(&session.object, report, session.handled_request_at_rest())
}

/// Returns the state that the rules decide on, as it is known now.
pub(super) fn observe(session: &Session) -> Observed {
    let Session { ctx, identity, .. } = session;
    let object = convert::object(&session.object, identity, &ctx.cluster_id);
    let now = Boottime::now().since_boot();
    let at = if session.listing == Listing::NotFetched { now } else { session.listed_at.since_boot() };
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

/// Returns the owners of the foreign marks in the listing, as far as they are known.
fn owners(Session { ctx, identity, .. }: &Session, listing: &[Endpoint]) -> BTreeMap<Token, Owner> {
    let marks = listing.iter().filter_map(|endpoint| mark_of(&endpoint.comment));
    let others = marks.filter(|token| *token != identity.token);
    others
        .filter_map(|token| Some((token.clone(), ctx.directory.owner(&token, &identity.namespace)?)))
        .collect()
}

/// Returns the endpoints in the listing that an older object of another namespace uses. Only needed with the default credentials,
/// which several namespaces share.
fn elsewhere(
    Session { ctx, identity, credentials, .. }: &Session,
    listing: &[Endpoint],
) -> BTreeSet<EndpointId> {
    let shared = listing.iter().filter(|_| *credentials == CredentialsInUse::Default);
    let others = shared.filter(|endpoint| mark_of(&endpoint.comment).as_ref() != Some(&identity.token));
    let used = others.filter(|endpoint| ctx.directory.is_used_elsewhere(&identity.token, &endpoint.id));
    used.map(|endpoint| endpoint.id.clone()).collect()
}

/// Returns `true` if a day, such as `2026-01-15`, is over.
fn is_past(day: Option<&str>) -> bool {
    let today = jiff::Timestamp::now().strftime("%F").to_string();
    day.is_some_and(|day| *day < *today)
}
