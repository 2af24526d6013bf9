//! Leader election by a `coordination.k8s.io` Lease, by client-go's rules.
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
    pub lease_duration: Duration,
    /// A holder that could not renew for this long starts nothing until it can, well before others may take over.
    pub renew_deadline: Duration,
    /// The interval between two attempts.
    pub retry_period: Duration,
}

impl Default for LeaderElectionConfig {
    fn default() -> Self {
        Self {
            lease_duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }
}

/// The API server forbids this process to use the Lease.
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
enum LeaseAction {
    /// It is ours: renew it.
    Renew,
    /// It has no holder, or its holder has expired: acquire it.
    Acquire,
    /// Another process holds it.
    Wait,
}

/// The rules of the election, as one candidate applies them.
#[derive(Debug)]
struct Candidate {
    identity: String,
    config: LeaderElectionConfig,
    /// The last observed version of the Lease, and when it was first observed.
    observed: Option<(LeaseSpec, Boottime)>,
}

impl Candidate {
    /// Decides the next action from the Lease as it was read and this process's clock.
    fn next_action(&mut self, found: &LeaseSpec, now: Boottime) -> LeaseAction {
        let changed = match &self.observed {
            Some((spec, at)) if spec == found => *at,
            _ => {
                self.observed = Some((found.clone(), now));
                now
            }
        };
        match found.holder_identity.as_deref() {
            None | Some("") => LeaseAction::Acquire,
            Some(holder) if holder == self.identity => LeaseAction::Renew,
            Some(_) => {
                let promised = found.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
                let expiry = promised.map_or(self.config.lease_duration, Duration::from_secs);
                if now.since(changed) < expiry { LeaseAction::Wait } else { LeaseAction::Acquire }
            }
        }
    }

    /// Returns the holder of the Lease as last read.
    fn holder(&self) -> String {
        self.observed.as_ref().and_then(|(spec, _)| spec.holder_identity.clone()).unwrap_or_default()
    }

    /// Returns the Lease held by us. Its time of day serves only human readers.
    fn renewed_spec(&self, current: &LeaseSpec, time: Timestamp) -> LeaseSpec {
        let ours = current.holder_identity.as_deref() == Some(self.identity.as_str());
        // As in client-go, the first holder is no transition.
        let transitions = current.lease_transitions.map_or(0, |count| count.saturating_add(i32::from(!ours)));
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(
                i32::try_from(self.config.lease_duration.as_secs()).unwrap_or(i32::MAX),
            ),
            acquire_time: current.acquire_time.clone().filter(|_| ours).or(Some(MicroTime(time))),
            renew_time: Some(MicroTime(time)),
            lease_transitions: Some(transitions),
            ..current.clone()
        }
    }

    /// Returns the Lease released by us: without holder, and with the shortest duration.
    fn released_spec(&self, current: &LeaseSpec, time: Timestamp) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            ..self.renewed_spec(current, time)
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
    /// Creates an elector that is not a candidate yet. `identity` must be unique to the process, also between two runs in
    /// one pod.
    #[must_use]
    pub fn new(
        client: Client,
        namespace: &str,
        name: &str,
        identity: String,
        config: LeaderElectionConfig,
        metrics: Metrics,
    ) -> Self {
        metrics.set_leader(name, false);
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            candidate: Candidate { identity, config, observed: None },
            metrics,
            renewed: Boottime::now(),
        }
    }

    /// Waits until this process holds the Lease.
    ///
    /// If the future is dropped, the Lease may have been acquired all the same, so the caller must release it.
    ///
    /// # Errors
    /// If the API server forbids us the Lease, since waiting would not help.
    pub async fn acquire(&mut self) -> Result<(), LeaseForbidden> {
        let (mut holder, mut logged) = (None, false);
        loop {
            match self.try_acquire_or_renew(self.candidate.config.renew_deadline).await {
                Ok(true) => break,
                Ok(false) => {
                    let found = self.candidate.holder();
                    if holder.as_ref() != Some(&found) {
                        info!(
                            holder = found,
                            lease = self.name,
                            "waiting until the holder releases the Lease or it expires"
                        );
                        holder = Some(found);
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
                    warn!(%error, lease = self.name, "failed to read or write the Lease; retrying");
                    logged = true;
                }
                Err(_) => {}
            }
            sleep(self.candidate.config.retry_period).await;
        }
        info!(identity = self.candidate.identity, lease = self.name, "leading");
        self.metrics.set_leader(&self.name, true);
        Ok(())
    }

    /// Renews the Lease until another process holds it, and returns that process.
    ///
    /// Calls `on_change` when the Lease could not be renewed in time and when it is ours again: an outage of the API
    /// server alone does not end leadership for good.
    pub async fn renew(&mut self, on_change: impl Fn(bool)) -> Superseded {
        let LeaderElectionConfig { renew_deadline, retry_period, .. } = self.candidate.config;
        let (mut leading, mut logged) = (true, false);
        let holder = loop {
            let remaining = renew_deadline.saturating_sub(self.renewed.elapsed());
            if leading && remaining.is_zero() {
                warn!(
                    lease = self.name,
                    "could not renew the Lease in time; nothing starts until it is renewed"
                );
                self.set_leader(false, &on_change);
                leading = false;
            }
            sleep(if leading { retry_period.min(remaining) } else { retry_period }).await;
            let remaining = renew_deadline.saturating_sub(self.renewed.elapsed());
            match self.try_acquire_or_renew(if leading { remaining } else { renew_deadline }).await {
                Ok(true) => {
                    if !leading {
                        info!(identity = self.candidate.identity, lease = self.name, "leading again");
                        self.set_leader(true, &on_change);
                    }
                    (leading, logged) = (true, false);
                }
                Ok(false) => break self.candidate.holder(),
                Err(error) if !logged => {
                    warn!(%error, lease = self.name, "failed to renew the Lease; retrying");
                    logged = true;
                }
                Err(_) => {}
            }
        };
        self.set_leader(false, &on_change);
        Superseded { namespace: self.namespace.clone(), name: self.name.clone(), holder }
    }

    fn set_leader(&self, is_leader: bool, on_change: impl Fn(bool)) {
        self.metrics.set_leader(&self.name, is_leader);
        on_change(is_leader);
    }

    /// Releases the Lease if it is ours, so that no process has to wait for its expiry. To be called once nothing
    /// starts any more.
    pub async fn release(mut self) {
        self.metrics.set_leader(&self.name, false);
        let limit = self.candidate.config.renew_deadline;
        let release = async {
            loop {
                match self.try_release().await {
                    // A renewal that was dropped in flight took effect in between.
                    Err(kube::Error::Api(status)) if status.is_conflict() => {}
                    result => return result,
                }
            }
        };
        match timeout(limit, release).await {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => info!(lease = self.name, "released the Lease"),
            Ok(Err(error)) => warn!(%error, lease = self.name, "failed to release the Lease; it expires"),
            Err(_) => warn!(lease = self.name, "failed to release the Lease in time; it expires"),
        }
    }

    async fn try_release(&mut self) -> Result<bool, kube::Error> {
        let Some(mut lease) = self.api.get_opt(&self.name).await? else { return Ok(false) };
        let spec = lease.spec.take().unwrap_or_default();
        let is_ours = self.candidate.next_action(&spec, Boottime::now()) == LeaseAction::Renew;
        if is_ours {
            lease.spec = Some(self.candidate.released_spec(&spec, Timestamp::now()));
            self.api.replace(&self.name, &PostParams::default(), &lease).await?;
        }
        Ok(is_ours)
    }

    /// Reads the Lease, and writes it if needed. Returns whether it is ours now.
    ///
    /// A conflicting write is an error like any other: the next attempt reads the Lease again.
    async fn try_acquire_or_renew(&mut self, bound: Duration) -> Result<bool, kube::Error> {
        let sent = Boottime::now();
        let held = timeout(bound, self.read_and_write(sent))
            .await
            .map_err(|_| kube::Error::Service("the API server did not respond in time".into()))??;
        if held {
            // Counted from before the request: others count from when they saw its effect, which is later.
            self.renewed = sent;
        }
        Ok(held)
    }

    async fn read_and_write(&mut self, now: Boottime) -> Result<bool, kube::Error> {
        let time = Timestamp::now();
        let Some(mut lease) = self.api.get_opt(&self.name).await? else {
            let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
            let spec = Some(self.candidate.renewed_spec(&LeaseSpec::default(), time));
            let lease = Lease { metadata, spec };
            self.api.create(&PostParams::default(), &lease).await?;
            return Ok(true);
        };
        let spec = lease.spec.take().unwrap_or_default();
        if self.candidate.next_action(&spec, now) == LeaseAction::Wait {
            return Ok(false);
        }
        // `lease` still carries the resourceVersion that was read, so a concurrent write makes this fail.
        lease.spec = Some(self.candidate.renewed_spec(&spec, time));
        self.api.replace(&self.name, &PostParams::default(), &lease).await?;
        Ok(true)
    }
}

#[cfg(test)]
#[path = "leader_election_tests.rs"]
mod tests;
