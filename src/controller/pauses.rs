//! Who is left alone, and for how long, because Atlas asked for it or refused a key.
//!
//! A map that is told what time it is. A pause is never shortened, ends with its time only, and refusals that were under way
//! together count as one. What an answer means is said by whoever hands it in.

use std::collections::HashMap;
use std::time::Duration;

use domain::endpoint::ProjectId;
use domain::fault::{Fault, FaultKind};

use crate::clock::Boottime;

use super::credentials::SecretName;

/// How long a key that Atlas refused is not sent again, unless its Secret changes.
const REFUSED_KEY: Duration = Duration::from_mins(5);

/// How long a project is left alone after a 429 that names no time; doubled with each further one.
const RATE_LIMITED: Duration = Duration::from_secs(10);

/// The longest such pause.
const LONGEST_RATE_LIMITED: Duration = Duration::from_mins(5);

/// Who asks: in which project, and with which version of a Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asker {
    pub(super) project: ProjectId,
    pub(super) key: (SecretName, String),
}

/// Whom a pause concerns.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Paused {
    /// 429, or a 503 that names a time: the project, whoever asks.
    Project(ProjectId),
    /// 401, 403 or a project unknown to the key: this version of a Secret, for this project.
    Key(SecretName, String, ProjectId),
}

struct Pause {
    until: Boottime,
    fault: Fault,
    repeats: u32,
}

/// All pauses.
#[derive(Default)]
pub(super) struct Pauses(HashMap<Paused, Pause>);

impl Pauses {
    /// The fault that still holds up `asker`, with the time that is left.
    pub(super) fn holding(&mut self, asker: &Asker, now: Boottime) -> Option<Fault> {
        // Repeats are forgotten some time after a pause, not at its end: the next answer may be a 429 again.
        self.0.retain(|_, pause| now.since(pause.until) < LONGEST_RATE_LIMITED);
        whom(asker).iter().find_map(|paused| {
            let pause = self.0.get(paused).filter(|pause| pause.until > now)?;
            Some(Fault { retry_after: Some(pause.until.since(now)), ..pause.fault.clone() })
        })
    }

    /// An answer came: the project's pause, if it is over, is forgotten. What was on its way when one began says nothing
    /// against it.
    pub(super) fn answered(&mut self, asker: &Asker, now: Boottime) {
        let [project, _] = whom(asker);
        if self.0.get(&project).is_some_and(|pause| pause.until <= now) {
            self.0.remove(&project);
        }
    }

    /// Atlas refused, as `fault` says: exactly whom it concerns is left alone.
    pub(super) fn refused(&mut self, asker: &Asker, fault: &Fault, now: Boottime) {
        let [project, key] = whom(asker);
        let (whom, repeats, length) = match fault.kind {
            FaultKind::RateLimited => {
                // Answers to calls that were under way together are one refusal, not many.
                let repeats = match self.0.get(&project) {
                    None => 0,
                    Some(pause) if pause.until > now => pause.repeats,
                    Some(pause) => pause.repeats + 1,
                };
                let own = RATE_LIMITED
                    .saturating_mul(2_u32.saturating_pow(repeats.min(8)))
                    .min(LONGEST_RATE_LIMITED);
                (project, repeats, fault.retry_after.unwrap_or(own))
            }
            FaultKind::Unauthorized | FaultKind::Forbidden | FaultKind::NoAccess => (key, 0, REFUSED_KEY),
            // Whoever says for how long means all of us. Without it, each object waits ever longer by itself.
            FaultKind::Unavailable => match fault.retry_after {
                Some(length) => (project, 0, length),
                None => return,
            },
            _ => return,
        };
        let until = now + length;
        if self.0.get(&whom).is_none_or(|pause| pause.until < until) {
            self.0.insert(whom, Pause { until, fault: fault.clone(), repeats });
        }
    }
}

fn whom(Asker { project, key: (secret, version) }: &Asker) -> [Paused; 2] {
    [Paused::Project(project.clone()), Paused::Key(secret.clone(), version.clone(), project.clone())]
}

#[cfg(test)]
#[path = "pauses_tests.rs"]
mod tests;
