//! What a reconcile has observed so far, what each result changes of it, and what it does next.
//!
//! Which step comes is in [`decide`](crate::serverless::decide), and how a step is performed in
//! [`reconcile`](crate::serverless::reconcile).

use crate::access::CredentialsInUse;
use crate::fault::{Fault, FaultKind};
use crate::ids::VpcEndpointId;
use crate::instant::SinceBoot;
use crate::rate_limits::Withheld;
use crate::reconcile::Permits;
use crate::reconcile::tracked::{ReadResource, Tracked};
use crate::reference::VpcEndpoint;
use crate::schedule::{Basis, Schedule, Start};
use crate::serverless::decide::decide;
use crate::serverless::decision::{Decision, Origin, Step};
use crate::serverless::endpoint::{Endpoint, EndpointId, EndpointStatus};
use crate::serverless::memory::Memory;
use crate::serverless::observed::{Listing, Object, Observed, Spec, Times, WriteOutcome, concerns};
use crate::serverless::status::{Report, report};
use crate::sunset::Sunset;

use super::vocabulary::{Listed, Others, Plan};

/// The custom resource as it was read.
pub trait CustomResource: ReadResource {
    /// Returns the object in the form that the rules use.
    fn object(&self) -> Object;

    /// Returns the spec in that form, with the VPC endpoint that was resolved for it.
    ///
    /// # Errors
    /// If a field is invalid, for this reason.
    fn spec(&self, vpc_endpoint: VpcEndpoint) -> Result<Spec, String>;

    /// Returns `true` if `read` is the same object, and nothing has changed that a write to Atlas rests on: its deletion, its spec, its
    /// recorded endpoint, its claim, and the token that may be replaced.
    fn is_unchanged_in(&self, read: &Self) -> bool;

    /// Returns `true` if the status does not hold `report` yet, or not the reconcile request `handled`.
    fn differs_from(&self, report: &Report, handled: Option<&str>) -> bool;

    /// Returns `true` if its status has the id of an endpoint.
    fn is_recorded(&self) -> bool;
}

/// What a reconcile does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextAction {
    /// Waits for a listing.
    List(Box<Plan>),
    /// Waits for a permit to call Atlas, then decides again.
    AtlasPermit,
    /// Waits for a permit to call the API server, then decides again.
    ApiPermit,
    /// Reports a lost endpoint, before the first step to replace it.
    PublishLoss(Box<Plan>),
    /// Performs the step that was decided.
    Perform(Box<Plan>),
    /// Removes the finalizer.
    Release(Box<Plan>),
    /// No step is left: publishes.
    Rest(Box<Plan>),
}

impl NextAction {
    /// Returns the plan that it follows, unless it waits for a permit.
    #[must_use]
    pub fn plan(&self) -> Option<&Plan> {
        match self {
            Self::AtlasPermit | Self::ApiPermit => None,
            Self::List(plan)
            | Self::PublishLoss(plan)
            | Self::Perform(plan)
            | Self::Release(plan)
            | Self::Rest(plan) => Some(plan),
        }
    }
}

/// What a reconcile has observed so far.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReconcileState<R> {
    tracked: Tracked<R>,
    /// The credentials that the listing was fetched with.
    credentials: CredentialsInUse,
    listing: Listing,
    sunset: Option<Sunset>,
    vpc_endpoint: VpcEndpoint,
    last_write: WriteOutcome,
    /// The status reports that the recorded endpoint is lost.
    loss_published: bool,
}

impl<R: CustomResource> ReconcileState<R> {
    /// Begins the reconcile of `object` now, as its schedule says.
    pub fn begin(object: R, start: &Start, now: SinceBoot) -> Self {
        Self {
            tracked: Tracked::begin(object, start, now),
            credentials: CredentialsInUse::Own,
            listing: Listing::NotFetched,
            sunset: None,
            vpc_endpoint: VpcEndpoint::Undeclared,
            last_write: WriteOutcome::Nothing,
            loss_published: false,
        }
    }

    /// Returns the object, and what its next listing has to show.
    pub fn tracked(&self) -> &Tracked<R> {
        &self.tracked
    }

    /// Returns the object as it was last read or written.
    pub fn object(&self) -> &R {
        self.tracked.object()
    }

    /// Returns the endpoints in the listing; none without one.
    pub fn listed(&self) -> &[Endpoint] {
        match &self.listing {
            Listing::Fetched(listed) => listed,
            Listing::NotFetched | Listing::Failed(_) => &[],
        }
    }

    /// Returns the VPC endpoint that the spec declares, as it was resolved.
    pub fn vpc_endpoint(&self) -> &VpcEndpoint {
        &self.vpc_endpoint
    }

    /// Returns the credentials in use.
    pub fn credentials(&self) -> &CredentialsInUse {
        &self.credentials
    }

    /// Returns `true` if the object is being deleted.
    pub fn is_deleting(&self) -> bool {
        self.object().is_deleting()
    }

    /// Returns whether credentials that Atlas accepts are retained for the deletion of the object, and then whether an endpoint is
    /// recorded.
    pub fn retains_credentials(&self) -> Option<bool> {
        (!self.is_deleting()).then(|| self.object().is_recorded())
    }

    /// Returns `true` if the VPC endpoint has to be resolved before the next decision ([`Tracked::begin_resolving`]).
    pub fn begin_resolving(&mut self, now: SinceBoot) -> bool {
        let begins = self.tracked.begin_resolving(now);
        if begins {
            self.listing = Listing::NotFetched;
        }
        begins
    }

    /// Stores the VPC endpoint that the spec declares.
    pub fn resolved(&mut self, vpc_endpoint: VpcEndpoint) {
        self.vpc_endpoint = vpc_endpoint;
    }

    /// Returns the VPC endpoint that the object claims for itself: one that only observes an endpoint connects nothing to it.
    pub fn declared(&self) -> Option<&VpcEndpointId> {
        match &self.vpc_endpoint {
            VpcEndpoint::Declared(id) => {
                let observes = self.object().spec(VpcEndpoint::Undeclared).is_ok_and(|spec| spec.observe);
                Some(id).filter(|_| !observes)
            }
            _ => None,
        }
    }

    /// Decides. `other_declarant`: as in [`Others`].
    pub fn plan(&self, observed: Observed, other_declarant: Option<&str>) -> Plan {
        let decision = decide(&observed);
        self.report(observed, decision, other_declarant)
    }

    /// Returns the plan with the status that reports the decision.
    pub fn report(&self, observed: Observed, decision: Decision, other_declarant: Option<&str>) -> Plan {
        let mut report = report(&observed, &decision);
        if let (VpcEndpoint::Declared(id), Some(another)) = (&self.vpc_endpoint, other_declarant) {
            report.shared_with(id, another);
        }
        Plan { observed, decision, report }
    }

    /// Returns what to do next by the plan, which depends on the permits that the reconcile holds.
    pub fn next(&self, plan: Plan, permits: Permits) -> NextAction {
        let plan = Box::new(plan);
        match plan.decision.step {
            Step::List => NextAction::List(plan),
            // The status must not show the service of a lost endpoint while its replacement is being created.
            Step::Claim { .. } if plan.report.lost && !self.loss_published => NextAction::PublishLoss(plan),
            // The POST follows its claim immediately, so the permit is taken before the claim: waiting must not use up the
            // attempt's deadline.
            Step::Claim { .. } | Step::Create { .. } | Step::Update { .. } | Step::Delete { .. }
                if !permits.atlas =>
            {
                NextAction::AtlasPermit
            }
            Step::Claim { .. }
            | Step::Create { .. }
            | Step::Record { .. }
            | Step::Update { .. }
            | Step::Delete { .. } => NextAction::Perform(plan),
            Step::Release(_) if !permits.api_server => NextAction::ApiPermit,
            Step::Release(_) => NextAction::Release(plan),
            Step::Rest if !permits.api_server && self.only_writes_status(&plan.report) => {
                NextAction::ApiPermit
            }
            Step::Rest => NextAction::Rest(plan),
        }
    }

    /// Remembers what the listing of this decision confirms. A decision that is made again after a wait confirms nothing yet, because
    /// it must start from the same memory.
    pub fn confirm(&self, next: &NextAction, memory: &mut Memory, times: &Times) {
        let (NextAction::List(plan)
        | NextAction::Perform(plan)
        | NextAction::Release(plan)
        | NextAction::Rest(plan)) = next
        else {
            return;
        };
        if self.is_listed() {
            memory.confirmed(&plan.decision, self.tracked.listed_at(), times);
        }
    }

    /// Returns `true` if publishing needs exactly one permit. With an output ConfigMap it needs several, each taken when needed.
    fn only_writes_status(&self, report: &Report) -> bool {
        self.object().output().is_empty()
            && self.object().differs_from(report, self.handled_request_at_rest())
    }

    /// Returns the state that the rules decide on, as it is known now, and shows the object to the memory.
    pub fn observe(&self, others: Others, memory: &mut Memory, times: &Times, now: SinceBoot) -> Observed {
        let object = self.object().object();
        let at = self.measured_at().unwrap_or(now);
        let memory = memory.recall(&object, at, now, self.last_write.clone());
        Observed {
            object,
            spec: self.object().spec(self.vpc_endpoint.clone()),
            credentials: self.credentials.clone(),
            listing: self.listing.clone(),
            owners: others.owners,
            elsewhere: others.elsewhere,
            sunset: self.sunset.clone(),
            memory,
            times: *times,
        }
    }

    /// Stores that there are no credentials for a listing.
    pub fn not_listed(&mut self, fault: Fault) {
        if fault.kind == FaultKind::CredentialsNotFound {
            self.tracked.handle_request();
        }
        self.listing = Listing::Failed(fault);
    }

    /// Stores the response to a request for a listing. Of the endpoints, those are kept that concern the object.
    pub fn list(&mut self, listed: Listed, (memory, schedule): (&mut Memory, &mut Schedule), times: &Times) {
        let Listed { sent, result, was_requested, sunset } = listed;
        self.tracked.listed(sent, was_requested, schedule);
        memory.responded(result.as_ref().err().map(|fault| fault.kind), sent, times);
        self.sunset = sunset;
        self.listing = match result {
            Ok(endpoints) => {
                let (object, spec) = (self.object().object(), self.object().spec(VpcEndpoint::Undeclared));
                let concerning = endpoints.iter().filter(|endpoint| concerns(&object, &spec, endpoint));
                Listing::Fetched(concerning.cloned().collect())
            }
            Err(fault) => Listing::Failed(fault),
        };
    }

    /// Stores the source of the credentials for a request. Returns `true` if the last decision was based on others: it has to be made
    /// again.
    pub fn use_credentials(&mut self, credentials: CredentialsInUse) -> bool {
        let others = self.credentials != credentials;
        self.credentials = credentials;
        others
    }

    /// Stores that a refusal withholds a write. The next decision observes the reason.
    pub fn withhold(&mut self, withheld: Withheld) {
        match withheld {
            Withheld::All(fault) => self.listing = Listing::Failed(fault),
            Withheld::Writes(fault) => self.last_write = WriteOutcome::Refused(fault),
        }
    }

    /// Compares the object with an uncached read of it, before a write that rests on it. Returns `true` if nothing has changed that
    /// matters to the write; otherwise everything starts over from what was read.
    pub fn verify(&mut self, read: R, schedule: &Schedule, now: SinceBoot) -> bool {
        let is_unchanged = self.object().is_unchanged_in(&read);
        if is_unchanged {
            self.tracked.reread(read);
        } else {
            self.start_over(read, schedule, now);
        }
        is_unchanged
    }

    /// Replaces the object by a newer version, which voids everything decided on the old one.
    pub fn start_over(&mut self, object: R, schedule: &Schedule, now: SinceBoot) {
        self.tracked.start_over(object, schedule, now);
        self.listing = Listing::NotFetched;
        // Its status may show the lost endpoint again.
        self.loss_published = false;
    }

    /// Stores the object as this process has written it.
    pub fn own_write(&mut self, written: R, schedule: &mut Schedule) {
        self.tracked.own_write(written, schedule);
    }

    /// Returns the time from which an endpoint counts as recorded that was recorded now: one that a listing showed counts from the
    /// listing.
    pub fn recorded_at(&self, origin: Origin, now: SinceBoot) -> SinceBoot {
        if origin == Origin::Adopted { self.tracked.listed_at() } else { now }
    }

    /// Returns when the request for the listing was sent, if there is one, fetched or failed: every age is measured then.
    pub fn measured_at(&self) -> Option<SinceBoot> {
        Some(self.tracked.listed_at()).filter(|_| self.listing != Listing::NotFetched)
    }

    /// Returns `true` if the listing was fetched.
    pub fn is_listed(&self) -> bool {
        matches!(self.listing, Listing::Fetched(_))
    }

    /// Stores the response to a PATCH: the endpoint as it is now.
    pub fn updated(&mut self, endpoint: Endpoint) {
        if let Some(shown) = self.shown(&endpoint.id) {
            *shown = endpoint;
        }
    }

    /// Stores the response to a DELETE.
    ///
    /// Listing after each DELETE would cost as many listings as there are objects. The next poll shows its effect; only a response
    /// that contradicts the listing is followed up at once.
    pub fn deleted(&mut self, id: &EndpointId, not_found: bool, memory: &mut Memory, now: SinceBoot) {
        memory.deleted(id.clone(), not_found, now);
        if not_found {
            self.invalidate_listing(now);
        } else if let Some(shown) = self.shown(id) {
            // The response has no status.
            shown.status = EndpointStatus::Deleting;
        }
    }

    /// Stores the outcome of a write to Atlas whose request was sent at `sent` and ended now.
    pub fn wrote_atlas(
        &mut self,
        outcome: WriteOutcome,
        (memory, schedule): (&mut Memory, &mut Schedule),
        (sent, now): (SinceBoot, SinceBoot),
        times: &Times,
    ) {
        schedule.atlas_written(now);
        if outcome == WriteOutcome::Done {
            memory.responded(None, sent, times);
        }
        self.last_write = outcome;
    }

    /// Stores that the status reports the loss of the endpoint.
    pub fn loss_published(&mut self) {
        self.loss_published = true;
    }

    /// Returns the handled reconcile request once no step is left ([`Tracked::handled_request_at_rest`]).
    pub fn handled_request_at_rest(&self) -> Option<&str> {
        self.tracked.handled_request_at_rest(self.listing != Listing::NotFetched)
    }

    /// Returns what the last decision rests on.
    pub fn basis(&self) -> Basis {
        match (&self.listing, &self.last_write) {
            (_, WriteOutcome::Done | WriteOutcome::Refused(_)) => Basis::Write,
            (Listing::Fetched(_) | Listing::Failed(_), WriteOutcome::Nothing) => {
                Basis::Listing(self.tracked.listed_at())
            }
            (Listing::NotFetched, WriteOutcome::Nothing) => Basis::Nothing,
        }
    }

    /// Returns the same with the object and the time of the listing replaced ([`Tracked::map`]).
    #[must_use]
    pub fn map(self, object: impl FnOnce(R) -> R, instant: impl FnOnce(SinceBoot) -> SinceBoot) -> Self {
        Self { tracked: self.tracked.map(object, instant), ..self }
    }

    /// Requires a listing sent from now on for the next decision.
    fn invalidate_listing(&mut self, now: SinceBoot) {
        self.tracked.invalidate(now);
        self.listing = Listing::NotFetched;
    }

    fn shown(&mut self, id: &EndpointId) -> Option<&mut Endpoint> {
        match &mut self.listing {
            Listing::Fetched(listed) => listed.iter_mut().find(|shown| shown.id == *id),
            Listing::NotFetched | Listing::Failed(_) => None,
        }
    }
}
