//! Leader election by a `coordination.k8s.io` Lease, with client-go's rules, so that a second replica stands by.
//!
//! An optimisation and nothing more: it does not fence, and the creation protocol holds with two leaders.
//! Nothing here trusts a time that another process wrote. Whether a holder is alive is judged by when *this* process
//! last saw the Lease change, on its own clock; every write carries the resourceVersion that was read.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use thiserror::Error;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::clock::Boottime;
use crate::metrics::Metrics;

/// How long things take; client-go's values by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaderElectionConfig {
    /// A holder that did not renew for this long has lost the Lease. Whole seconds.
    pub duration: Duration,
    /// A holder that could not renew for this long begins nothing until it can, well before others may take over.
    pub renew_deadline: Duration,
    /// Between two attempts.
    pub retry: Duration,
}

impl Default for LeaderElectionConfig {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

/// Why the Lease can never be held.
#[derive(Debug, Error)]
#[error("failed to use Lease {namespace}/{name}: {cause}; grant get, create and update of leases there")]
pub struct LeaseForbidden {
    namespace: String,
    name: String,
    cause: String,
}

/// Another holds the Lease that was ours.
#[derive(Debug, Error)]
#[error("lost Lease {namespace}/{name}: {holder} leads now")]
pub struct Superseded {
    namespace: String,
    name: String,
    holder: String,
}

/// What is to be done about the Lease as it was just read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It is ours: write a new time.
    Renew,
    /// It is nobody's, or its holder is silent: take it.
    Take,
    /// Somebody else holds it.
    Wait,
}

/// What one candidate knows.
#[derive(Debug)]
struct Candidate {
    identity: String,
    terms: LeaderElectionConfig,
    /// The Lease as it last changed before our eyes, and when.
    seen: Option<(LeaseSpec, Boottime)>,
}

impl Candidate {
    /// The decision, from the Lease as it was read and this process's clock.
    fn step(&mut self, found: &LeaseSpec, now: Boottime) -> Step {
        let changed = match &self.seen {
            Some((spec, at)) if spec == found => *at,
            _ => {
                self.seen = Some((found.clone(), now));
                now
            }
        };
        match found.holder_identity.as_deref() {
            None | Some("") => Step::Take,
            Some(holder) if holder == self.identity => Step::Renew,
            Some(_) => {
                let promised = found.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
                let patience = promised.map_or(self.terms.duration, Duration::from_secs);
                if now.since(changed) < patience { Step::Wait } else { Step::Take }
            }
        }
    }

    /// Who held the Lease when it was read last.
    fn holder(&self) -> String {
        self.seen.as_ref().and_then(|(spec, _)| spec.holder_identity.clone()).unwrap_or_default()
    }

    /// The Lease as we hold it. The time of day is for people who read it.
    fn held(&self, before: &LeaseSpec, time: Timestamp) -> LeaseSpec {
        let ours = before.holder_identity.as_deref() == Some(self.identity.as_str());
        // As client-go counts: the first holder is no transition.
        let transitions = before.lease_transitions.map_or(0, |count| count.saturating_add(i32::from(!ours)));
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(self.terms.duration.as_secs()).unwrap_or(i32::MAX)),
            acquire_time: before.acquire_time.clone().filter(|_| ours).or(Some(MicroTime(time))),
            renew_time: Some(MicroTime(time)),
            lease_transitions: Some(transitions),
            ..before.clone()
        }
    }

    /// The Lease as we leave it: nobody's, and not worth waiting for.
    fn released(&self, before: &LeaseSpec, time: Timestamp) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            ..self.held(before, time)
        }
    }
}

/// One replica's part in the election.
#[derive(Debug)]
pub struct LeaderElector {
    api: Api<Lease>,
    namespace: String,
    name: String,
    candidate: Candidate,
    metrics: Metrics,
    /// When the last renewal that succeeded was begun.
    renewed: Boottime,
}

impl LeaderElector {
    /// Takes no part yet. `identity` must differ between all processes, also between two runs in one pod.
    #[must_use]
    pub fn new(
        client: Client,
        namespace: &str,
        name: &str,
        identity: String,
        terms: LeaderElectionConfig,
        metrics: Metrics,
    ) -> Self {
        metrics.leads(name, false);
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            candidate: Candidate { identity, terms, seen: None },
            metrics,
            renewed: Boottime::now(),
        }
    }

    /// Ends once this process holds the Lease. Dropped, it may have taken it all the same, so it is to be released.
    ///
    /// # Errors
    /// If the API server refuses the Lease to us, since no waiting would help.
    pub async fn acquire(&mut self) -> Result<(), LeaseForbidden> {
        let (mut holder, mut told) = (None, false);
        loop {
            match self.attempt(self.candidate.terms.renew_deadline).await {
                Ok(true) => break,
                Ok(false) => {
                    let holds = self.candidate.holder();
                    if holder.as_ref() != Some(&holds) {
                        info!(
                            holder = holds,
                            lease = self.name,
                            "standing by until its holder ends or falls silent"
                        );
                        holder = Some(holds);
                    }
                }
                Err(kube::Error::Api(status)) if matches!(status.code, 401 | 403) => {
                    let cause = status.message.clone();
                    return Err(LeaseForbidden {
                        namespace: self.namespace.clone(),
                        name: self.name.clone(),
                        cause,
                    });
                }
                // Another candidate was faster.
                Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => {}
                Err(error) if !told => {
                    warn!(%error, lease = self.name, "cannot read or write the Lease; trying again");
                    told = true;
                }
                Err(_) => {}
            }
            sleep(self.candidate.terms.retry).await;
        }
        info!(identity = self.candidate.identity, lease = self.name, "leading");
        self.metrics.leads(&self.name, true);
        Ok(())
    }

    /// Keeps the Lease, and tells `leads` when it could not be renewed in time and when it is ours again: an outage of the
    /// API server alone takes it from nobody. Ends once another holds it, with who.
    pub async fn hold(&mut self, leads: impl Fn(bool)) -> Superseded {
        let LeaderElectionConfig { renew_deadline, retry, .. } = self.candidate.terms;
        let (mut leading, mut told) = (true, false);
        let holder = loop {
            let left = renew_deadline.saturating_sub(self.renewed.elapsed());
            if leading && left.is_zero() {
                warn!(lease = self.name, "could not renew the Lease in time; working again when it is ours");
                self.lead(false, &leads);
                leading = false;
            }
            sleep(if leading { retry.min(left) } else { retry }).await;
            let left = renew_deadline.saturating_sub(self.renewed.elapsed());
            match self.attempt(if leading { left } else { renew_deadline }).await {
                Ok(true) => {
                    if !leading {
                        info!(identity = self.candidate.identity, lease = self.name, "leading again");
                        self.lead(true, &leads);
                    }
                    (leading, told) = (true, false);
                }
                Ok(false) => break self.candidate.holder(),
                Err(error) if !told => {
                    warn!(%error, lease = self.name, "could not renew the Lease; trying again");
                    told = true;
                }
                Err(_) => {}
            }
        };
        self.lead(false, &leads);
        Superseded { namespace: self.namespace.clone(), name: self.name.clone(), holder }
    }

    fn lead(&self, leads: bool, tell: impl Fn(bool)) {
        self.metrics.leads(&self.name, leads);
        tell(leads);
    }

    /// Gives the Lease up if it is ours, so that nobody has to wait for its end. To be called once nothing begins any more.
    pub async fn release(mut self) {
        self.metrics.leads(&self.name, false);
        let patience = self.candidate.terms.renew_deadline;
        let given_up = async {
            loop {
                match self.give_up().await {
                    // A renewal that was dropped in flight took effect in between.
                    Err(kube::Error::Api(status)) if status.is_conflict() => {}
                    result => return result,
                }
            }
        };
        match timeout(patience, given_up).await {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => info!(lease = self.name, "gave up the Lease"),
            Ok(Err(error)) => warn!(%error, lease = self.name, "could not give up the Lease; it runs out"),
            Err(_) => warn!(lease = self.name, "could not give up the Lease in time; it runs out"),
        }
    }

    async fn give_up(&mut self) -> Result<bool, kube::Error> {
        let Some(mut lease) = self.api.get_opt(&self.name).await? else { return Ok(false) };
        let spec = lease.spec.take().unwrap_or_default();
        let is_ours = self.candidate.step(&spec, Boottime::now()) == Step::Renew;
        if is_ours {
            lease.spec = Some(self.candidate.released(&spec, Timestamp::now()));
            self.api.replace(&self.name, &PostParams::default(), &lease).await?;
        }
        Ok(is_ours)
    }

    /// One look, and one write if it is called for. Whether the Lease is ours now. Somebody else's write in between is
    /// an error like any other: the next attempt looks anew.
    async fn attempt(&mut self, bound: Duration) -> Result<bool, kube::Error> {
        let begun = Boottime::now();
        let held = timeout(bound, self.look_and_write(begun))
            .await
            .map_err(|_| kube::Error::Service("the API server did not answer in time".into()))??;
        if held {
            // Counted from before the request: others count from when they saw its effect, which is later.
            self.renewed = begun;
        }
        Ok(held)
    }

    async fn look_and_write(&mut self, now: Boottime) -> Result<bool, kube::Error> {
        let time = Timestamp::now();
        let Some(mut lease) = self.api.get_opt(&self.name).await? else {
            let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
            let spec = Some(self.candidate.held(&LeaseSpec::default(), time));
            let lease = Lease { metadata, spec };
            self.api.create(&PostParams::default(), &lease).await?;
            return Ok(true);
        };
        let spec = lease.spec.take().unwrap_or_default();
        if self.candidate.step(&spec, now) == Step::Wait {
            return Ok(false);
        }
        // `lease` still carries the resourceVersion that was read, so this fails if anybody was faster.
        lease.spec = Some(self.candidate.held(&spec, time));
        self.api.replace(&self.name, &PostParams::default(), &lease).await?;
        Ok(true)
    }
}

#[cfg(test)]
#[path = "leader_election_tests.rs"]
mod tests;
