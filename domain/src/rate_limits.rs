//! Pauses: which calls are withheld, and for how long, because Atlas rate limited them or rejected credentials.
//!
//! Only Atlas itself shortens a pause, and refusals of concurrent calls count as one. A pause applies to exactly the callers that
//! Atlas meant: what a tenant writes into its manifest pauses only that tenant. A paused caller learns the reason, and nothing
//! about the call that caused it. Instants are arguments, and nothing here knows what credentials are, only whether they are equal.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::bounded_map::BoundedMap;
use crate::fault::{Concerns, Fault, FaultKind};
use crate::ids::ProjectId;
use crate::instant::SinceBoot;

/// How long rejected credentials are not sent again, unless their Secret changes or a user requests a reconcile.
const REFUSED: Duration = Duration::from_mins(5);

/// The pause after a 429 without `Retry-After`; doubled with each further one.
const RATE_LIMITED: Duration = Duration::from_secs(10);

/// The longest such pause.
const MAX_RATE_LIMITED: Duration = Duration::from_mins(5);

/// How long a served call proves that Atlas accepts credentials in a project.
const ACCEPTED: Duration = Duration::from_hours(1);

/// The shortest time between two reconcile requests that bypass a rate limit.
const PROBE_LIMIT: Duration = Duration::from_mins(1);

/// The shortest time between two reconcile requests that bypass a refusal of credentials.
const PROBE_REFUSAL: Duration = Duration::from_secs(1);

/// How often expired entries are removed.
const SWEEP: Duration = Duration::from_mins(1);

/// The origin of a call. `S` identifies a version of a Secret, `C` the credentials in it: two Secrets may hold the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller<S, C> {
    /// The namespace of the object.
    pub namespace: String,
    /// The project that it calls in.
    pub project: ProjectId,
    /// The version of the Secret that was read.
    pub secret: S,
    /// The credentials in it.
    pub credentials: C,
}

/// The kind of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// It changes nothing.
    Read,
    /// A POST, PATCH or DELETE.
    Write,
}

/// The calls that a refusal withholds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Withheld {
    /// Every call.
    All(Fault),
    /// Writes only.
    Writes(Fault),
}

/// The callers that a pause applies to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum PauseScope<S, C> {
    /// Rate limited: all callers in this project, because the refused caller is known to be served there.
    Project(ProjectId),
    /// Rate limited: these credentials in this project.
    Caller(C, ProjectId),
    /// Rate limited at the token endpoint: this service account, in every project.
    Account(C),
    /// Credentials rejected: this version of a Secret, in this project, or in all if it cannot obtain a token.
    Refused(S, Option<ProjectId>),
    /// Writes forbidden: this version of a Secret, in this project. Reads are allowed.
    Writes(S, ProjectId),
}

impl<S, C> PauseScope<S, C> {
    /// Returns `true` for a rate limit, `false` for a refusal of credentials.
    fn is_limited(&self) -> bool {
        match self {
            Self::Project(_) | Self::Caller(..) | Self::Account(_) => true,
            Self::Refused(..) | Self::Writes(..) => false,
        }
    }
}

struct Pause {
    began: SinceBoot,
    until: SinceBoot,
    fault: Fault,
    repeats: u32,
    /// When a reconcile request last bypassed it, or one that the refused caller relied on before.
    probed: Option<SinceBoot>,
}

/// All pauses.
pub struct RateLimits<S, C> {
    /// Rate limits. All limited callers rely on them, whichever was refused first, so none is removed before its
    /// time. Their number is bounded by the number of requests to Atlas.
    limits: HashMap<PauseScope<S, C>, Pause>,
    /// Refusals, which concern only the credentials that were rejected.
    refusals: BoundedMap<PauseScope<S, C>, Pause>,
    /// The credentials that Atlas has served in a project, and when last.
    accepted: BoundedMap<(C, ProjectId), SinceBoot>,
    swept: Option<SinceBoot>,
}

impl<S, C> Default for RateLimits<S, C> {
    fn default() -> Self {
        Self {
            limits: HashMap::new(),
            refusals: BoundedMap::default(),
            accepted: BoundedMap::default(),
            swept: None,
        }
    }
}

impl<S: Clone + Eq + Hash, C: Copy + Eq + Hash> RateLimits<S, C> {
    /// Returns the fault that pauses `caller`, with the time left.
    ///
    /// `requested`: a user requested this call, which bypasses a pause at a limited rate.
    #[must_use]
    pub fn holding(
        &self,
        caller: &Caller<S, C>,
        call: Call,
        requested: bool,
        now: SinceBoot,
    ) -> Option<Fault> {
        on(caller, call).iter().find_map(|scope| {
            let pause = self.get(scope).filter(|pause| pause.until > now)?;
            let until = if requested { pause.until.min(pause.probe_at(scope)) } else { pause.until };
            (until > now)
                .then(|| Fault { retry_after: Some(until.saturating_sub(now)), ..pause.fault.clone() })
        })
    }

    /// Returns what withholds a write of `caller`. If nothing does, records that the write begins. `requested`: because of a reconcile
    /// request.
    pub fn begin_write(
        &mut self,
        caller: &Caller<S, C>,
        requested: bool,
        now: SinceBoot,
    ) -> Option<Withheld> {
        if let Some(fault) = self.holding(caller, Call::Read, requested, now) {
            return Some(Withheld::All(fault));
        }
        if let Some(fault) = self.holding(caller, Call::Write, requested, now) {
            return Some(Withheld::Writes(fault));
        }
        self.called(caller, Call::Write, now);
        None
    }

    /// Records that `caller` calls now: a reconcile request bypasses any pause that is in force.
    pub fn called(&mut self, caller: &Caller<S, C>, call: Call, now: SinceBoot) {
        for scope in on(caller, call) {
            if let Some(pause) = self.get_mut(&scope).filter(|pause| pause.until > now) {
                pause.probed = Some(now);
            }
        }
    }

    /// Records that Atlas served a call that was `sent` at that time. A call in flight when a pause began does not
    /// end it.
    pub fn served(&mut self, caller: &Caller<S, C>, call: Call, sent: SinceBoot, now: SinceBoot) {
        self.sweep(now);
        for scope in on(caller, call) {
            let is_probed = |pause: &Pause| pause.probed.is_some_and(|at| at >= pause.began && at <= sent);
            let ends = |pause: &Pause| pause.until <= now || is_probed(pause);
            if self.get(&scope).is_some_and(ends) {
                self.limits.remove(&scope);
                self.refusals.remove(&scope);
            }
        }
        let place = (caller.credentials, caller.project.clone());
        self.accepted.insert(&caller.namespace, place, now);
    }

    /// Records a refusal: pauses the callers that it concerns, and no others.
    pub fn refused(
        &mut self,
        caller: &Caller<S, C>,
        call: Call,
        (fault, concerns): (&Fault, Concerns),
        now: SinceBoot,
    ) {
        self.sweep(now);
        let Caller { project, secret, credentials, .. } = caller;
        let served = self.accepted.get(&(*credentials, project.clone()));
        let is_served = served.is_some_and(|at| now.saturating_sub(*at) < ACCEPTED);
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
                    Concerns::Credentials => PauseScope::Refused(secret.clone(), None),
                    Concerns::Project if call == Call::Write && is_served => {
                        PauseScope::Writes(secret.clone(), project.clone())
                    }
                    Concerns::Project => PauseScope::Refused(secret.clone(), Some(project.clone())),
                };
                (scope, Some(REFUSED))
            }
            // A response about an instance, service or endpoint proves that the caller is served.
            (
                FaultKind::InstanceNotFound
                | FaultKind::EndpointNotFound
                | FaultKind::ServiceNotFound
                | FaultKind::Conflict
                | FaultKind::MultipleRegions
                | FaultKind::NotServerless,
                _,
            ) => {
                return self.served(caller, call, now, now);
            }
            _ => return,
        };
        // Repeats are forgotten some time after a pause, not at its end: the next response may be a 429 again.
        let known = self.get(&scope).filter(|pause| now.saturating_sub(pause.until) < MAX_RATE_LIMITED);
        let repeats = match known {
            None => 0,
            // Responses to concurrent calls are one refusal, not many.
            Some(pause) if pause.until > now => pause.repeats,
            Some(pause) => pause.repeats + 1,
        };
        let own = RATE_LIMITED.saturating_mul(2_u32.saturating_pow(repeats.min(8))).min(MAX_RATE_LIMITED);
        let until = now.saturating_add(length.unwrap_or(own));
        if known.is_none_or(|pause| pause.until < until) {
            // The refused call may have bypassed a pause of another scope: this one is not bypassed at once, too.
            let probed = on(caller, call).iter().filter_map(|scope| self.get(scope)?.probed).max();
            let began = known.filter(|pause| pause.until > now).map_or(now, |pause| pause.began);
            let pause = Pause { began, until, fault: fault.clone(), repeats, probed };
            if scope.is_limited() {
                self.limits.insert(scope, pause);
            } else {
                self.refusals.insert(&caller.namespace, scope, pause);
            }
        }
    }

    fn get(&self, scope: &PauseScope<S, C>) -> Option<&Pause> {
        if scope.is_limited() { self.limits.get(scope) } else { self.refusals.get(scope) }
    }

    fn get_mut(&mut self, scope: &PauseScope<S, C>) -> Option<&mut Pause> {
        if scope.is_limited() { self.limits.get_mut(scope) } else { self.refusals.get_mut(scope) }
    }

    fn sweep(&mut self, now: SinceBoot) {
        if self.swept.is_none_or(|swept| now.saturating_sub(swept) >= SWEEP) {
            self.swept = Some(now);
            let matters = |pause: &Pause| now.saturating_sub(pause.until) < MAX_RATE_LIMITED;
            self.limits.retain(|_, pause| matters(pause));
            self.limits.shrink_to_fit();
            self.refusals.retain(matters);
            self.accepted.retain(|at| now.saturating_sub(*at) < ACCEPTED);
        }
    }
}

impl Pause {
    /// Returns the earliest time at which a reconcile request bypasses it.
    fn probe_at<S, C>(&self, scope: &PauseScope<S, C>) -> SinceBoot {
        let between = if scope.is_limited() { PROBE_LIMIT } else { PROBE_REFUSAL };
        self.probed.map_or(SinceBoot::ZERO, |probed| probed.saturating_add(between))
    }
}

/// Returns every scope whose pause applies to this call; each is one map lookup.
fn on<S: Clone, C: Copy>(caller: &Caller<S, C>, call: Call) -> Vec<PauseScope<S, C>> {
    let Caller { project, secret, credentials, .. } = caller;
    let mut on = vec![
        PauseScope::Project(project.clone()),
        PauseScope::Caller(*credentials, project.clone()),
        PauseScope::Account(*credentials),
        PauseScope::Refused(secret.clone(), None),
        PauseScope::Refused(secret.clone(), Some(project.clone())),
    ];
    if call == Call::Write {
        on.push(PauseScope::Writes(secret.clone(), project.clone()));
    }
    on
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_cleared_away() {
        let mut pauses = RateLimits::<u64, u8>::default();
        let project: ProjectId = "a".repeat(24).parse().unwrap();
        for secret in 0..100 {
            let caller =
                Caller { namespace: "team-a".into(), project: project.clone(), secret, credentials: 1 };
            pauses.served(&caller, Call::Read, Duration::ZERO, Duration::ZERO);
            for kind in [FaultKind::Unauthorized, FaultKind::RateLimited] {
                let fault = (&Fault::new(kind, ""), Concerns::Project);
                pauses.refused(&caller, Call::Read, fault, Duration::ZERO);
            }
        }
        pauses.sweep(ACCEPTED);
        assert!(pauses.limits.is_empty() && pauses.refusals.is_empty() && pauses.accepted.is_empty());
    }
}
