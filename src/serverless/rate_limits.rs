//! Pauses: which calls are withheld, and for how long, because Atlas rate limited them or rejected credentials.
//!
//! A table that gets the time as a parameter. Only Atlas itself shortens a pause, and refusals of concurrent calls
//! count as one. A pause applies to exactly the callers that Atlas meant: what a tenant writes into its manifest
//! pauses only that tenant. A paused caller learns the reason, and nothing about the call that caused it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use atlas::{Concerns, Fingerprint};
use domain::endpoint::ProjectId;
use domain::fault::{Fault, FaultKind};

use crate::clock::Boottime;

use super::credentials::SecretName;
use crate::runtime::bounded_map::BoundedMap;

/// How long rejected credentials are not sent again, unless their Secret changes or a user requests a reconcile.
const REFUSED: Duration = Duration::from_mins(5);

/// The pause after a 429 without `Retry-After`; doubled with each further one.
const RATE_LIMITED: Duration = Duration::from_secs(10);

/// The longest such pause.
const LONGEST_RATE_LIMITED: Duration = Duration::from_mins(5);

/// How long a served call proves that Atlas accepts credentials in a project.
const ACCEPTED: Duration = Duration::from_hours(1);

/// The shortest time between two reconcile requests that bypass a rate limit.
const PROBE_LIMIT: Duration = Duration::from_mins(1);

/// The shortest time between two reconcile requests that bypass a refusal of credentials.
const PROBE_REFUSAL: Duration = Duration::from_secs(1);

/// How often expired entries are removed.
const SWEEP: Duration = Duration::from_mins(1);

/// The origin of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// The namespace of the object.
    pub(super) namespace: String,
    pub(super) project: ProjectId,
    /// The Secret, and the version of it that was read.
    pub(super) secret: Arc<(SecretName, String)>,
    pub(super) credentials: Fingerprint,
}

/// The kind of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Read,
    Write,
}

/// The callers that a pause applies to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum PauseScope {
    /// Rate limited: all callers in this project, because the refused caller is known to be served there.
    Project(ProjectId),
    /// Rate limited: these credentials in this project.
    Caller(Fingerprint, ProjectId),
    /// Rate limited at the token endpoint: this service account, in every project.
    Account(Fingerprint),
    /// Credentials rejected: this version of a Secret, in this project, or in all if it cannot obtain a token.
    Refused(Arc<(SecretName, String)>, Option<ProjectId>),
    /// Writes forbidden: this version of a Secret, in this project. Reads are allowed.
    Writes(Arc<(SecretName, String)>, ProjectId),
}

impl PauseScope {
    /// Returns `true` for a rate limit, `false` for a refusal of credentials.
    fn is_limited(&self) -> bool {
        match self {
            Self::Project(_) | Self::Caller(..) | Self::Account(_) => true,
            Self::Refused(..) | Self::Writes(..) => false,
        }
    }
}

struct Pause {
    until: Boottime,
    fault: Fault,
    repeats: u32,
    /// When a reconcile request last bypassed it.
    probed: Option<Boottime>,
}

/// All pauses.
#[derive(Default)]
pub(super) struct RateLimits {
    /// Rate limits. All limited callers rely on them, whichever was refused first, so none is removed before its
    /// time. Their number is bounded by the number of requests to Atlas.
    limits: HashMap<PauseScope, Pause>,
    /// Refusals, which concern only the credentials that were rejected.
    refusals: BoundedMap<PauseScope, Pause>,
    /// The credentials that Atlas has served in a project, and when last.
    accepted: BoundedMap<(Fingerprint, ProjectId), Boottime>,
    swept: Option<Boottime>,
}

impl RateLimits {
    /// Returns the fault that pauses `caller`, with the time left.
    ///
    /// `requested`: a user requested this call, which bypasses a pause at a limited rate.
    pub(super) fn holding(
        &self,
        caller: &Caller,
        call: Call,
        requested: bool,
        now: Boottime,
    ) -> Option<Fault> {
        on(caller, call).iter().find_map(|scope| {
            let pause = self.get(scope).filter(|pause| pause.until > now)?;
            let until = if requested { pause.until.min(pause.probe_at(scope)) } else { pause.until };
            (until > now).then(|| Fault { retry_after: Some(until.since(now)), ..pause.fault.clone() })
        })
    }

    /// Records that `caller` calls now: a reconcile request bypasses any pause that is in force.
    pub(super) fn called(&mut self, caller: &Caller, call: Call, now: Boottime) {
        for scope in on(caller, call) {
            if let Some(pause) = self.get_mut(&scope).filter(|pause| pause.until > now) {
                pause.probed = Some(now);
            }
        }
    }

    /// Records that Atlas served a call that was `sent` at that time. A call in flight when a pause began does not
    /// end it.
    pub(super) fn served(&mut self, caller: &Caller, call: Call, sent: Boottime, now: Boottime) {
        self.sweep(now);
        for scope in on(caller, call) {
            let ends =
                |pause: &Pause| pause.until <= now || pause.probed.is_some_and(|probed| probed <= sent);
            if self.get(&scope).is_some_and(ends) {
                self.limits.remove(&scope);
                self.refusals.remove(&scope);
            }
        }
        let place = (caller.credentials, caller.project.clone());
        self.accepted.insert(&caller.namespace, place, now);
    }

    /// Records a refusal: pauses the callers that it concerns, and no others.
    pub(super) fn refused(
        &mut self,
        caller: &Caller,
        call: Call,
        (fault, concerns): (&Fault, Concerns),
        now: Boottime,
    ) {
        self.sweep(now);
        let Caller { project, secret, credentials, .. } = caller;
        let served = self.accepted.get(&(*credentials, project.clone()));
        let is_served = served.is_some_and(|at| now.since(*at) < ACCEPTED);
        let limited = match concerns {
            Concerns::Credentials => PauseScope::Account(*credentials),
            Concerns::Project if is_served => PauseScope::Project(project.clone()),
            Concerns::Project => PauseScope::Caller(*credentials, project.clone()),
        };
        let (scope, length) = match (fault.kind, fault.retry_after) {
            (FaultKind::RateLimited, length) => (limited, length),
            // Unavailability with a `Retry-After` concerns all callers. Without it, each object backs off by itself.
            (FaultKind::Unavailable, Some(length)) => (limited, Some(length)),
            (FaultKind::Unauthorized | FaultKind::Forbidden | FaultKind::NoAccess, _) => {
                let scope = match concerns {
                    Concerns::Credentials => PauseScope::Refused(Arc::clone(secret), None),
                    Concerns::Project if call == Call::Write && is_served => {
                        PauseScope::Writes(Arc::clone(secret), project.clone())
                    }
                    Concerns::Project => PauseScope::Refused(Arc::clone(secret), Some(project.clone())),
                };
                (scope, Some(REFUSED))
            }
            // A response about an instance or endpoint proves that the caller is served.
            (FaultKind::InstanceNotFound | FaultKind::EndpointNotFound | FaultKind::NotServerless, _) => {
                return self.served(caller, call, now, now);
            }
            _ => return,
        };
        // Repeats are forgotten some time after a pause, not at its end: the next response may be a 429 again.
        let known = self.get(&scope).filter(|pause| now.since(pause.until) < LONGEST_RATE_LIMITED);
        let repeats = match known {
            None => 0,
            // Responses to concurrent calls are one refusal, not many.
            Some(pause) if pause.until > now => pause.repeats,
            Some(pause) => pause.repeats + 1,
        };
        let own = RATE_LIMITED.saturating_mul(2_u32.saturating_pow(repeats.min(8))).min(LONGEST_RATE_LIMITED);
        let until = now + length.unwrap_or(own);
        if known.is_none_or(|pause| pause.until < until) {
            let probed = known.and_then(|pause| pause.probed);
            let pause = Pause { until, fault: fault.clone(), repeats, probed };
            if scope.is_limited() {
                self.limits.insert(scope, pause);
            } else {
                self.refusals.insert(&caller.namespace, scope, pause);
            }
        }
    }

    fn get(&self, scope: &PauseScope) -> Option<&Pause> {
        if scope.is_limited() { self.limits.get(scope) } else { self.refusals.get(scope) }
    }

    fn get_mut(&mut self, scope: &PauseScope) -> Option<&mut Pause> {
        if scope.is_limited() { self.limits.get_mut(scope) } else { self.refusals.get_mut(scope) }
    }

    fn sweep(&mut self, now: Boottime) {
        if self.swept.is_none_or(|swept| now.since(swept) >= SWEEP) {
            self.swept = Some(now);
            let matters = |pause: &Pause| now.since(pause.until) < LONGEST_RATE_LIMITED;
            self.limits.retain(|_, pause| matters(pause));
            self.limits.shrink_to_fit();
            self.refusals.retain(matters);
            self.accepted.retain(|at| now.since(*at) < ACCEPTED);
        }
    }
}

impl Pause {
    /// Returns the earliest time at which a reconcile request bypasses it.
    fn probe_at(&self, scope: &PauseScope) -> Boottime {
        let between = if scope.is_limited() { PROBE_LIMIT } else { PROBE_REFUSAL };
        self.probed.map_or(Boottime::from_boot(Duration::ZERO), |probed| probed + between)
    }
}

/// Returns every scope whose pause applies to this call; each is one map lookup.
fn on(caller: &Caller, call: Call) -> Vec<PauseScope> {
    let Caller { project, secret, credentials, .. } = caller;
    let mut on = vec![
        PauseScope::Project(project.clone()),
        PauseScope::Caller(*credentials, project.clone()),
        PauseScope::Account(*credentials),
        PauseScope::Refused(Arc::clone(secret), None),
        PauseScope::Refused(Arc::clone(secret), Some(project.clone())),
    ];
    if call == Call::Write {
        on.push(PauseScope::Writes(Arc::clone(secret), project.clone()));
    }
    on
}

#[cfg(test)]
#[path = "rate_limits_tests.rs"]
mod tests;
