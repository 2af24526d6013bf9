//! When to decide again.
//!
//! `schedule` makes a time of it.

use std::fmt;
use std::time::Duration;

use crate::fault::{Fault, FaultKind};

/// How often a Secret is read again whose key Atlas does not accept, or that was missing once. Secrets are not watched.
const SECRET_RECHECK: Duration = Duration::from_secs(15);

/// When to requeue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Requeue {
    /// Only when something changes.
    OnChange,
    /// Often at first, then ever more rarely: something is changing in Atlas.
    Poll,
    /// At the slowest polling pace: the user has to act.
    Await,
    /// After the object's interval.
    Interval,
    /// After this long.
    After(Duration),
    /// With growing delays, and no earlier than this: something failed.
    Retry(Duration),
}

impl Requeue {
    /// Returns when to retry after `fault`: at the object's own interval if it is final, and as often as Secrets are read if a
    /// corrected Secret would help.
    #[must_use]
    pub fn after_fault(fault: &Fault) -> Self {
        match fault.kind {
            kind if kind.reports_gone() => Self::Interval,
            // The credential store decides when it reads this Secret next: ever more rarely while it stays missing.
            FaultKind::CredentialsNotFound => {
                Self::After(fault.retry_after.filter(|pause| !pause.is_zero()).unwrap_or(SECRET_RECHECK))
            }
            FaultKind::Unauthorized | FaultKind::Forbidden | FaultKind::NoAccess => {
                Self::After(SECRET_RECHECK)
            }
            _ => Self::Retry(fault.retry_after.unwrap_or(Duration::ZERO)),
        }
    }

    /// Returns when to retry a write that was refused. Credentials that may read but not write wait for a user to grant the role.
    #[must_use]
    pub fn after_refusal(fault: &Fault) -> Self {
        match fault.kind {
            FaultKind::Unauthorized
            | FaultKind::Forbidden
            | FaultKind::NoAccess
            | FaultKind::MultipleRegions => Self::Await,
            _ => Self::after_fault(fault),
        }
    }
}

/// Why a reconcile ended early although nothing failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlyEnd {
    /// The object is released: it is checked again, in case the finalizers of others keep it.
    Released,
    /// The referenced object is not read yet; its first read triggers the reconcile sooner.
    ReferenceNotRead,
    /// Something changed meanwhile, and everything has to be decided again.
    Changed,
    /// Nothing may start now; the remaining steps follow as soon as they may.
    Stopped,
}

impl EarlyEnd {
    /// Returns the delay before the next reconcile.
    #[must_use]
    pub fn delay(self) -> Duration {
        match self {
            Self::Released => Duration::from_mins(1),
            Self::ReferenceNotRead => Duration::from_secs(15),
            Self::Changed => Duration::from_secs(1),
            Self::Stopped => Duration::ZERO,
        }
    }
}

impl fmt::Display for Requeue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OnChange => "on change",
            Self::Poll => "poll",
            Self::Await => "slow poll",
            Self::Interval => "interval",
            Self::After(delay) => return write!(f, "after {} s", delay.as_secs()),
            Self::Retry(least) => return write!(f, "retry after {} s or more", least.as_secs()),
        })
    }
}
