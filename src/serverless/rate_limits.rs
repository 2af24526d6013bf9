//! Who is left alone, and for how long, because Atlas asked for it or refused credentials.
//!
//! A table that is told what time it is. A pause is never shortened but by Atlas itself, and refusals that were under way
//! together count as one. It rests on whom Atlas meant: what a tenant writes into its manifest pauses nobody but itself. Who is
//! paused is told why, and nothing of the call that met it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use atlas::{Concerns, Fingerprint};
use domain::endpoint::ProjectId;
use domain::fault::{Fault, FaultKind};

use crate::clock::Boottime;

use super::credentials::SecretName;
use crate::runtime::bounded_map::BoundedMap;

/// How long a key that Atlas refused is not sent again, unless its Secret changes or somebody asks for it.
const REFUSED: Duration = Duration::from_mins(5);

/// How long is waited after a 429 that names no time; doubled with each further one.
const RATE_LIMITED: Duration = Duration::from_secs(10);

/// The longest such pause.
const LONGEST_RATE_LIMITED: Duration = Duration::from_mins(5);

/// How long Atlas' word counts that it serves credentials in a project.
const ACCEPTED: Duration = Duration::from_hours(1);

/// How often somebody's word breaks a pause that Atlas asked for.
const PROBE_LIMIT: Duration = Duration::from_mins(1);

/// How often it breaks the pause of who was refused.
const PROBE_REFUSAL: Duration = Duration::from_secs(1);

/// How often it is looked through what is over.
const SWEEP: Duration = Duration::from_mins(1);

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// Whose object it is.
    pub(super) namespace: String,
    pub(super) project: ProjectId,
    /// A Secret, and the version of it that was read.
    pub(super) secret: Arc<(SecretName, String)>,
    pub(super) credentials: Fingerprint,
}

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Read,
    Write,
}

/// On whom a pause rests.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum PauseScope {
    /// Too many requests: all in this project, because who was refused is somebody whom Atlas serves there.
    Project(ProjectId),
    /// Too many requests: these credentials in this project.
    Caller(Fingerprint, ProjectId),
    /// Too many requests for a token: this account, wherever it calls.
    Account(Fingerprint),
    /// Refused: this version of a Secret, in this project or, where no token is to be had, in all.
    Refused(Arc<(SecretName, String)>, Option<ProjectId>),
    /// May not write: this version of a Secret, in this project. It may read.
    Writes(Arc<(SecretName, String)>, ProjectId),
}

impl PauseScope {
    /// By a rate limit, not by a refusal of credentials.
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
    /// When somebody's word broke it last.
    probed: Option<Boottime>,
}

/// All pauses.
#[derive(Default)]
pub(super) struct RateLimits {
    /// Too many requests. Those whom Atlas limits rely on them, whoever was refused first, so none goes before its time. How many
    /// there are is bounded by how often Atlas is asked.
    limits: HashMap<PauseScope, Pause>,
    /// Refusals, which concern the credentials alone that were refused.
    refusals: BoundedMap<PauseScope, Pause>,
    /// Where Atlas has served whom, and when last.
    accepted: BoundedMap<(Fingerprint, ProjectId), Boottime>,
    swept: Option<Boottime>,
}

impl RateLimits {
    /// The fault that still holds up `caller`, with the time that is left. `asked`: somebody has asked for this call, which
    /// breaks a pause now and then.
    pub(super) fn holding(&self, caller: &Caller, call: Call, asked: bool, now: Boottime) -> Option<Fault> {
        on(caller, call).iter().find_map(|paused| {
            let pause = self.get(paused).filter(|pause| pause.until > now)?;
            let until = if asked { pause.until.min(pause.probe_at(paused)) } else { pause.until };
            (until > now).then(|| Fault { retry_after: Some(until.since(now)), ..pause.fault.clone() })
        })
    }

    /// `caller` calls now: what pauses it all the same is broken by somebody's word.
    pub(super) fn called(&mut self, caller: &Caller, call: Call, now: Boottime) {
        for paused in on(caller, call) {
            if let Some(pause) = self.get_mut(&paused).filter(|pause| pause.until > now) {
                pause.probed = Some(now);
            }
        }
    }

    /// Atlas served a call that was `sent` then. What was on its way when a pause began says nothing against it.
    pub(super) fn served(&mut self, caller: &Caller, call: Call, sent: Boottime, now: Boottime) {
        self.sweep(now);
        for paused in on(caller, call) {
            let ends =
                |pause: &Pause| pause.until <= now || pause.probed.is_some_and(|probed| probed <= sent);
            if self.get(&paused).is_some_and(ends) {
                self.limits.remove(&paused);
                self.refusals.remove(&paused);
            }
        }
        let place = (caller.credentials, caller.project.clone());
        self.accepted.insert(&caller.namespace, place, now);
    }

    /// Atlas refused: whom that concerns is left alone, and nobody else.
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
        let (whom, length) = match (fault.kind, fault.retry_after) {
            (FaultKind::RateLimited, length) => (limited, length),
            // Whoever says for how long means all of us. Without it, each object waits ever longer by itself.
            (FaultKind::Unavailable, Some(length)) => (limited, Some(length)),
            (FaultKind::Unauthorized | FaultKind::Forbidden | FaultKind::NoAccess, _) => {
                let whom = match concerns {
                    Concerns::Credentials => PauseScope::Refused(Arc::clone(secret), None),
                    Concerns::Project if call == Call::Write && is_served => {
                        PauseScope::Writes(Arc::clone(secret), project.clone())
                    }
                    Concerns::Project => PauseScope::Refused(Arc::clone(secret), Some(project.clone())),
                };
                (whom, Some(REFUSED))
            }
            // Whom Atlas tells about an instance or an endpoint, it serves.
            (FaultKind::InstanceNotFound | FaultKind::EndpointNotFound | FaultKind::NotServerless, _) => {
                return self.served(caller, call, now, now);
            }
            _ => return,
        };
        // Repeats are forgotten some time after a pause, not at its end: the next answer may be a 429 again.
        let known = self.get(&whom).filter(|pause| now.since(pause.until) < LONGEST_RATE_LIMITED);
        let repeats = match known {
            None => 0,
            // Answers to calls that were under way together are one refusal, not many.
            Some(pause) if pause.until > now => pause.repeats,
            Some(pause) => pause.repeats + 1,
        };
        let own = RATE_LIMITED.saturating_mul(2_u32.saturating_pow(repeats.min(8))).min(LONGEST_RATE_LIMITED);
        let until = now + length.unwrap_or(own);
        if known.is_none_or(|pause| pause.until < until) {
            let probed = known.and_then(|pause| pause.probed);
            let pause = Pause { until, fault: fault.clone(), repeats, probed };
            if whom.is_limited() {
                self.limits.insert(whom, pause);
            } else {
                self.refusals.insert(&caller.namespace, whom, pause);
            }
        }
    }

    fn get(&self, paused: &PauseScope) -> Option<&Pause> {
        if paused.is_limited() { self.limits.get(paused) } else { self.refusals.get(paused) }
    }

    fn get_mut(&mut self, paused: &PauseScope) -> Option<&mut Pause> {
        if paused.is_limited() { self.limits.get_mut(paused) } else { self.refusals.get_mut(paused) }
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
    /// From when on somebody's word breaks it.
    fn probe_at(&self, paused: &PauseScope) -> Boottime {
        let between = if paused.is_limited() { PROBE_LIMIT } else { PROBE_REFUSAL };
        self.probed.map_or(Boottime::from_boot(Duration::ZERO), |probed| probed + between)
    }
}

/// What would hold up this call, each found at once.
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
