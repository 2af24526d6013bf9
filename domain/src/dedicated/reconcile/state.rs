//! What a reconcile has observed so far, and what each result changes of it.
//!
//! Which step comes is in [`decide`](crate::dedicated::decide), and how a step is performed in
//! [`reconcile`](crate::dedicated::reconcile).

use std::collections::BTreeMap;

use crate::access::CredentialsInUse;
use crate::fault::{Fault, FaultKind};
use crate::instant::SinceBoot;
use crate::rate_limits::Withheld;
use crate::reconcile::WriteOutcome;
use crate::reconcile::tracked::{ReadResource, Tracked};
use crate::schedule::{Basis, Schedule, Start};
use crate::times::Times;

use super::super::cluster::ClusterName;
use super::super::decide::decide;
use super::super::endpoint::{CloudEndpointId, ConnectionStatus, RegisteredEndpoint};
use super::super::fit;
use super::super::kept::KeptState;
use super::super::life::{Life, Sort};
use super::super::names::Others;
use super::super::observed::{Listing, Object, Observed, ServiceRef, Shown, Spec, Subject, is_of_key};
use super::super::service::{EndpointService, ServiceStatus};
use super::super::status::{Report, report};
use super::vocabulary::{Listed, Plan};

/// The custom resource as it was read.
pub trait DedicatedResource: ReadResource {
    /// Returns which kind of thing it declares.
    fn sort(&self) -> Sort;

    /// Returns the object in the form that the rules use.
    fn object(&self) -> Object;

    /// Returns the spec in that form.
    ///
    /// # Errors
    /// If a field is invalid, for this reason.
    fn spec(&self) -> Result<Spec, String>;

    /// Returns `true` if the status does not hold `report` yet, or not the reconcile request `handled`.
    fn differs_from(&self, report: &Report, handled: Option<&str>) -> bool;
}

/// What a reconcile has observed so far.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReconcileState<R> {
    tracked: Tracked<R>,
    /// The credentials that the listing was fetched with.
    credentials: CredentialsInUse,
    listing: Listing,
    subject: Subject,
    last_write: WriteOutcome,
    /// The private connection strings of all clusters were read less than the interval ago.
    strings_are_recent: bool,
}

impl<R: DedicatedResource> ReconcileState<R> {
    /// Begins the reconcile of `object` now, as its schedule says. `strings_read`: when the private connection strings of all clusters
    /// were read last.
    pub fn begin(object: R, start: &Start, strings_read: Option<SinceBoot>, now: SinceBoot) -> Self {
        let subject = Subject::Nothing(object.sort());
        let strings_are_recent =
            strings_read.is_some_and(|read| now.saturating_sub(read) < object.interval());
        Self {
            tracked: Tracked::begin(object, start, now),
            credentials: CredentialsInUse::Own,
            listing: Listing::NotFetched,
            subject,
            last_write: WriteOutcome::Nothing,
            strings_are_recent,
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

    /// Returns what the object declares, as it was resolved.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Returns the lives that other objects may name, too.
    pub fn lives(&self) -> Vec<Life> {
        self.object().object().entries.into_iter().map(|entry| entry.life).collect()
    }

    /// Returns whether credentials that Atlas accepts are retained for the deletion of the object, and then whether something is
    /// recorded.
    pub fn retains_credentials(&self) -> Option<bool> {
        let object = self.object();
        (!object.is_deleting()).then(|| !object.object().entries.is_empty())
    }

    /// Returns `true` if the references have to be resolved before the next decision ([`Tracked::begin_resolving`]).
    pub fn begin_resolving(&mut self, now: SinceBoot) -> bool {
        let begins = self.tracked.begin_resolving(now);
        if begins {
            self.listing = Listing::NotFetched;
        }
        begins
    }

    /// Stores what the object declares.
    pub fn resolved(&mut self, subject: Subject, kept: &mut KeptState) {
        if let Some(services) = subject.services() {
            kept.services = Some(services.clone());
        }
        self.subject = match subject {
            Subject::Endpoint { service: ServiceRef::Missing { object, known }, endpoint } => {
                let known = known.or_else(|| kept.services.clone());
                Subject::Endpoint { service: ServiceRef::Missing { object, known }, endpoint }
            }
            subject => subject,
        };
    }

    /// Returns the endpoint that the object declares to others.
    pub fn declared(&self) -> Option<CloudEndpointId> {
        self.subject.endpoint_id()
    }

    /// Decides.
    pub fn plan(&self, others: Others, kept: &mut KeptState, (times, now): (&Times, SinceBoot)) -> Plan {
        let observed = self.observe(others, kept, (times, now));
        let decision = decide(&observed);
        let report = report(&observed, &decision);
        Plan { observed, decision, report }
    }

    /// Returns what the next decision rests on.
    pub fn observe(
        &self,
        mut others: Others,
        kept: &mut KeptState,
        (times, now): (&Times, SinceBoot),
    ) -> Observed {
        let object = self.object().object();
        let at = self.measured_at().unwrap_or(now);
        kept.memory.observe(&object, now);
        let seen = std::mem::take(&mut others.attempts);
        // An edit that came after the claim is not decided on yet.
        let versions = others.version.zip(self.object().version().number);
        others.is_current &= versions.is_none_or(|(watched, read)| watched == read);
        let memory = kept.memory.snapshot(&object, seen, (at, now), self.last_write.clone());
        let is_deleting = object.is_deleting;
        // What does not fit is not sent, but what was sent before is deleted.
        let fits = |spec: &Spec| if is_deleting { Ok(()) } else { fit::check(&self.subject, spec) };
        Observed {
            object,
            spec: self.object().spec().and_then(|spec| fits(&spec).map(|()| spec)),
            subject: self.subject.clone(),
            credentials: self.credentials.clone(),
            listing: self.listing.clone(),
            others,
            memory,
            times: *times,
            is_requested: self.tracked.handled_request().is_some(),
            has_output: self.object().output().declared.is_some(),
        }
    }

    /// Stores that there are no credentials for a listing.
    pub fn not_listed(&mut self, fault: Fault) {
        if fault.kind == FaultKind::CredentialsNotFound {
            self.tracked.handle_request();
        }
        self.listing = Listing::Failed(fault);
    }

    /// Stores what Atlas shows. Of the services, those are kept that concern the object; of the clusters that were not read, what the
    /// status shows.
    pub fn list(&mut self, listed: Listed, kept: &mut KeptState) {
        let Listed { sent, result, was_requested, endpoints, mut clusters } = listed;
        self.tracked.listed(sent, was_requested, &mut kept.schedule);
        if let Some((life, _, wanted)) = self.clusters(&endpoints) {
            let object = self.object().object();
            let known = object.strings_behind(life);
            let lacks_strings = |name| match clusters.get(name) {
                Some(Ok(read)) => read.as_ref().is_none_or(Vec::is_empty),
                Some(Err(_)) | None => false,
            };
            // What the status shows and one response lacks is read again, so that another one can confirm it.
            if wanted.iter().all(|name| clusters.contains_key(name)) && !known.keys().any(lacks_strings) {
                kept.strings_read = Some(sent);
            }
            for (name, strings) in known.iter() {
                if wanted.contains(name) {
                    clusters.entry(name.clone()).or_insert_with(|| Ok(Some(strings.clone())));
                }
            }
        }
        self.listing = match result {
            Ok(services) => {
                let services = services.iter().filter(|service| self.concerns(service)).cloned().collect();
                Listing::Fetched(Shown { services, endpoints, clusters })
            }
            Err(fault) => Listing::Failed(fault),
        };
    }

    /// Returns `true` if a rule may depend on the service.
    fn concerns(&self, service: &EndpointService) -> bool {
        let is_declared = match &self.subject {
            Subject::Service(key)
            | Subject::Endpoint { service: ServiceRef::Key(key) | ServiceRef::Object { key, .. }, .. } => {
                is_of_key(service, key)
            }
            Subject::Endpoint { .. } | Subject::Nothing(_) => false,
        };
        let object = self.object().object();
        let claimed = object.claim.target().and_then(|target| target.life());
        let mut lives = object.entries.iter().map(|entry| &entry.life).chain(claimed);
        is_declared || lives.any(|life| life.service == service.id)
    }

    /// Returns the endpoints to read, given all services: those of the object that the listing shows.
    pub fn endpoints_to_read(&self, services: &[EndpointService]) -> Vec<Life> {
        if self.object().sort() == Sort::Service {
            return Vec::new();
        }
        let object = self.object().object();
        let declared = self.declared();
        let shown = Shown {
            services: services.iter().filter(|service| self.concerns(service)).cloned().collect(),
            ..Shown::default()
        };
        let of_services = shown.services.iter().filter_map(|service| {
            let endpoint = declared.clone()?;
            Some(Life { service: service.id.clone(), endpoint: Some(endpoint) })
        });
        let mut lives: Vec<_> =
            of_services.chain(object.entries.iter().map(|entry| entry.life.clone())).collect();
        lives.sort();
        lives.dedup();
        lives.iter().filter_map(|life| shown.as_listed(life)).collect()
    }

    /// Returns the clusters whose private connection strings are to be read, now that this was read of the endpoints, and the endpoint
    /// behind which they are. While some are missing, those that were found are read at the interval only.
    pub fn clusters_to_read(
        &self,
        endpoints: &BTreeMap<Life, Result<Option<RegisteredEndpoint>, Fault>>,
    ) -> Option<(CloudEndpointId, Vec<ClusterName>)> {
        let (life, id, mut clusters) = self.clusters(endpoints)?;
        let object = self.object().object();
        let known = object.strings_behind(life);
        let is_known = |name: &ClusterName| known.contains_key(name);
        if self.strings_are_recent && !clusters.iter().all(is_known) {
            clusters.retain(|name| !is_known(name));
        }
        Some((id, clusters))
    }

    /// Returns the declared endpoint, if it is available, and the clusters whose private connection strings behind it are wanted.
    fn clusters<'a>(
        &self,
        endpoints: &'a BTreeMap<Life, Result<Option<RegisteredEndpoint>, Fault>>,
    ) -> Option<(&'a Life, CloudEndpointId, Vec<ClusterName>)> {
        let declared = self.declared()?;
        let (life, _) = endpoints.iter().find(|(life, read)| {
            life.endpoint.as_ref() == Some(&declared)
                && matches!(read, Ok(Some(endpoint)) if endpoint.status == ConnectionStatus::Available)
        })?;
        let clusters = self.object().spec().ok()?.clusters;
        (!self.object().is_deleting()).then_some((life, declared, clusters))
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

    /// Replaces the object by a newer version, which voids everything decided on the old one.
    pub fn start_over(&mut self, object: R, schedule: &Schedule, now: SinceBoot) {
        self.tracked.start_over(object, schedule, now);
        self.listing = Listing::NotFetched;
    }

    /// Stores the object as this process has written it.
    pub fn own_write(&mut self, written: R, schedule: &mut Schedule) {
        self.tracked.own_write(written, schedule);
    }

    /// Returns when the request for the listing was sent, if there is one, fetched or failed: every age is measured then.
    pub fn measured_at(&self) -> Option<SinceBoot> {
        Some(self.tracked.listed_at()).filter(|_| self.listing != Listing::NotFetched)
    }

    /// Returns `true` if the listing was fetched.
    pub fn is_listed(&self) -> bool {
        matches!(self.listing, Listing::Fetched(_))
    }

    /// Stores the service that a POST created.
    pub fn service_created(&mut self, service: EndpointService) {
        if let Listing::Fetched(shown) = &mut self.listing {
            shown.services.retain(|known| known.id != service.id);
            shown.services.push(service);
        }
    }

    /// Stores the endpoint that a POST registered.
    pub fn endpoint_created(&mut self, life: &Life, endpoint: RegisteredEndpoint) {
        let Listing::Fetched(shown) = &mut self.listing else { return };
        let service = shown.services.iter_mut().find(|service| service.id == life.service);
        if let Some(service) = service.filter(|service| endpoint.id.listed_in(service).is_none()) {
            service.endpoint_ids.push(endpoint.id.as_str().to_owned());
        }
        shown.endpoints.insert(life.clone(), Ok(Some(endpoint)));
    }

    /// Stores that a DELETE was accepted: the response has no status.
    pub fn deleted(&mut self, life: &Life) {
        let Listing::Fetched(shown) = &mut self.listing else { return };
        match &life.endpoint {
            None => {
                let service = shown.services.iter_mut().find(|service| service.id == life.service);
                if let Some(service) = service {
                    service.status = ServiceStatus::Deleting;
                }
            }
            Some(_) => {
                if let Some(Ok(Some(endpoint))) = shown.endpoints.get_mut(life) {
                    endpoint.is_delete_requested = true;
                }
            }
        }
    }

    /// Stores the outcome of a write to Atlas that ended now.
    pub fn wrote_atlas(&mut self, outcome: WriteOutcome, schedule: &mut Schedule, now: SinceBoot) {
        schedule.atlas_written(now);
        self.last_write = outcome;
    }

    /// Requires a listing sent from now on for the next decision: a response contradicts the one there is.
    pub fn invalidate_listing(&mut self, now: SinceBoot) {
        self.tracked.invalidate(now);
        self.listing = Listing::NotFetched;
    }

    /// Returns the same with the object and the time of the listing replaced ([`Tracked::map`]).
    #[must_use]
    pub fn map(self, object: impl FnOnce(R) -> R, instant: impl FnOnce(SinceBoot) -> SinceBoot) -> Self {
        Self { tracked: self.tracked.map(object, instant), ..self }
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
}
