//! Leader election by a `coordination.k8s.io` Lease, by client-go's rules, with a standby replica.
//!
//! An optimisation only: it does not fence, and the creation protocol is safe with two leaders. Nothing here trusts a
//! time written by another process. A holder counts as alive by when *this* process last saw the Lease change, on its
//! own clock; every write carries the resourceVersion that was read.

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

/// The times of the election; client-go's values by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaderElectionConfig {
    /// A holder that did not renew for this long has lost the Lease. Whole seconds.
    pub duration: Duration,
    /// A holder that could not renew for this long starts nothing until it can, well before others may take over.
    pub renew_deadline: Duration,
    /// The interval between two attempts.
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

/// The API server refuses this process the Lease.
#[derive(Debug, Error)]
#[error("failed to use Lease {namespace}/{name}: {cause}; grant get, create and update of leases there")]
pub struct LeaseForbidden {
    namespace: String,
    name: String,
    cause: String,
}

/// Another process holds the Lease that was ours.
#[derive(Debug, Error)]
#[error("lost Lease {namespace}/{name}: {holder} leads now")]
pub struct Superseded {
    namespace: String,
    name: String,
    holder: String,
}

/// The next action on the Lease as it was just read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It is ours: renew it.
    Renew,
    /// It has no holder, or its holder has expired: acquire it.
    Take,
    /// Another process holds it.
    Wait,
}

/// The knowledge of one candidate.
#[derive(Debug)]
struct Candidate {
    identity: String,
    terms: LeaderElectionConfig,
    /// The last observed version of the Lease, and when it was first observed.
    seen: Option<(LeaseSpec, Boottime)>,
}

impl Candidate {
    /// Decides the next action from the Lease as it was read and this process's clock.
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
                let expiry = promised.map_or(self.terms.duration, Duration::from_secs);
                if now.since(changed) < expiry { Step::Wait } else { Step::Take }
            }
        }
    }

    /// Returns the holder of the Lease as last read.
    fn holder(&self) -> String {
        self.seen.as_ref().and_then(|(spec, _)| spec.holder_identity.clone()).unwrap_or_default()
    }

    /// Returns the Lease held by us. Its time of day serves only human readers.
    fn held(&self, before: &LeaseSpec, time: Timestamp) -> LeaseSpec {
        let ours = before.holder_identity.as_deref() == Some(self.identity.as_str());
        // As in client-go, the first holder is no transition.
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

    /// Returns the Lease released by us: without holder, and with the shortest duration.
    fn released(&self, before: &LeaseSpec, time: Timestamp) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            ..self.held(before, time)
        }
    }
}

/// Leader election of one replica.
#[derive(Debug)]
pub struct LeaderElector {
    api: Api<Lease>,
    namespace: String,
    name: String,
    candidate: Candidate,
    metrics: Metrics,
    /// When the last successful renewal was started.
    renewed: Boottime,
}

impl LeaderElector {
    /// Creates an elector that takes no part yet. `identity` must be unique to the process, also between two runs in
    /// one pod.
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

    /// Waits until this process holds the Lease.
    ///
    /// If the future is dropped, the Lease may have been acquired all the same, so the caller must release it.
    ///
    /// # Errors
    /// If the API server refuses us the Lease, since waiting would not help.
    pub async fn acquire(&mut self) -> Result<(), LeaseForbidden> {
        let (mut holder, mut logged) = (None, false);
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
                Err(error) if !logged => {
                    warn!(%error, lease = self.name, "cannot read or write the Lease; trying again");
                    logged = true;
                }
                Err(_) => {}
            }
            sleep(self.candidate.terms.retry).await;
        }
        info!(identity = self.candidate.identity, lease = self.name, "leading");
        self.metrics.leads(&self.name, true);
        Ok(())
    }

    /// Renews the Lease until another process holds it, and returns that.
    ///
    /// Calls `leads` when the Lease could not be renewed in time and when it is ours again: an outage of the API
    /// server alone does not end leadership for good.
    pub async fn hold(&mut self, leads: impl Fn(bool)) -> Superseded {
        let LeaderElectionConfig { renew_deadline, retry, .. } = self.candidate.terms;
        let (mut leading, mut logged) = (true, false);
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
                    (leading, logged) = (true, false);
                }
                Ok(false) => break self.candidate.holder(),
                Err(error) if !logged => {
                    warn!(%error, lease = self.name, "could not renew the Lease; trying again");
                    logged = true;
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

    /// Releases the Lease if it is ours, so that no process has to wait for its expiry. To be called once nothing
    /// starts any more.
    pub async fn release(mut self) {
        self.metrics.leads(&self.name, false);
        let limit = self.candidate.terms.renew_deadline;
        let given_up = async {
            loop {
                match self.give_up().await {
                    // A renewal that was dropped in flight took effect in between.
                    Err(kube::Error::Api(status)) if status.is_conflict() => {}
                    result => return result,
                }
            }
        };
        match timeout(limit, given_up).await {
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

    /// Reads the Lease, and writes it if needed. Returns whether it is ours now.
    ///
    /// A conflicting write is an error like any other: the next attempt reads again.
    async fn attempt(&mut self, bound: Duration) -> Result<bool, kube::Error> {
        let begun = Boottime::now();
        let held = timeout(bound, self.read_and_write(begun))
            .await
            .map_err(|_| kube::Error::Service("the API server did not answer in time".into()))??;
        if held {
            // Counted from before the request: others count from when they saw its effect, which is later.
            self.renewed = begun;
        }
        Ok(held)
    }

    async fn read_and_write(&mut self, now: Boottime) -> Result<bool, kube::Error> {
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
        // `lease` still carries the resourceVersion that was read, so a concurrent write makes this fail.
        lease.spec = Some(self.candidate.held(&spec, time));
        self.api.replace(&self.name, &PostParams::default(), &lease).await?;
        Ok(true)
    }
}

#[cfg(test)]
#[path = "leader_election_tests.rs"]
mod tests;
