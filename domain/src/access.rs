//! Which credentials may be used for an object, and how long the last read of a Secret counts.
//!
//! A deleted namespace may lose its Secrets first, so a deletion may go on with what nothing else may use. Instants are arguments,
//! and nothing here holds credentials or reads a Secret.

use std::time::Duration;

use crate::backoff::MAX_RETRY;
use crate::fault::{Fault, FaultKind};
use crate::instant::SinceBoot;

/// Maximum age of a Secret whose credentials work.
const FRESH: Duration = Duration::from_mins(1);

/// Maximum age before a write to Atlas, because the credentials of a deleted Secret must not be used to write.
const FRESH_FOR_WRITES: Duration = Duration::from_secs(2);

/// Maximum age after a user has changed the object or requested a reconcile.
const FRESH_ON_REQUEST: Duration = Duration::from_secs(1);

/// Maximum age of a Secret whose credentials Atlas rejects, and of a missing Secret, where it doubles with each further read.
const RECHECK: Duration = Duration::from_secs(15);

/// Maximum age of a read that failed because the API server was unavailable.
const RETRY: Duration = Duration::from_secs(5);

/// Tolerance for a requeue that comes slightly before the next read is due.
const EARLY: Duration = Duration::from_secs(1);

/// How long credentials are remembered after Atlas last accepted them for an object.
pub const RETENTION: Duration = Duration::from_hours(24);

/// What the credentials are used for, which limits the age of the Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A scheduled read.
    Read,
    /// A read because a user has changed the object or requested a reconcile.
    OnRequest {
        /// The spec was changed.
        edited: bool,
    },
    /// A write.
    Write,
    /// A write for which the Secret must be read now: the remembered credentials of a deleted Secret may not make it.
    WriteNow,
}

impl Purpose {
    /// Returns the purpose of a write. A deleted namespace may lose its Secrets at any moment, and an update must not use
    /// remembered credentials.
    #[must_use]
    pub fn of_write(deleting: bool, is_update: bool) -> Self {
        if deleting && is_update { Self::WriteNow } else { Self::Write }
    }
}

/// What the Secret that an object names holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnSecret {
    /// The object names none.
    Unnamed,
    /// Credentials.
    Usable,
    /// None: the Secret, or an entry of it, is missing.
    Missing,
    /// Unknown: the API server is unavailable.
    Unavailable,
}

/// The credentials that Atlas last accepted for the object, from the Secret that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remembered {
    /// There are none.
    Nothing,
    /// Atlas has not rejected them.
    Usable,
    /// Calls with them are withheld in the object's project, because Atlas rejected them.
    Rejected,
}

/// The credentials to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Those in the Secret that the object names, or why there are none.
    Own,
    /// The remembered ones.
    Remembered,
    /// The operator's default for the object's namespace.
    Default,
    /// The default if it can be read, else the remembered ones.
    DefaultOrRemembered,
    /// None: the object names no Secret, and its namespace has no default.
    Nothing,
}

/// Where the credentials in use come from, which decides what they may be used for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub enum CredentialsInUse {
    /// From the Secret that the manifest names: everything.
    #[default]
    Own,
    /// The operator's default, which several namespaces share: everything, but it takes over nothing that a living object
    /// of another namespace owns, has recorded or names.
    Default,
    /// From memory, because the Secret is gone, for the reason in the fault. They worked last, and may only list and delete.
    Remembered(Fault),
}

/// Returns the credentials to use for an object. `has_default`: the operator has default credentials for its namespace.
///
/// A Secret that the object names is never replaced but for a deletion, and then only if it is missing. The default replaces
/// remembered credentials while Atlas rejects those: a 401 may be temporary or concern another project, and nobody can restore
/// the Secret in a namespace that is being deleted.
#[must_use]
pub fn choose(own: OwnSecret, remembered: Remembered, has_default: bool, deleting: bool) -> Choice {
    match own {
        OwnSecret::Unnamed if has_default => Choice::Default,
        OwnSecret::Unnamed => Choice::Nothing,
        OwnSecret::Missing if deleting => match (remembered, has_default) {
            (Remembered::Usable, _) | (Remembered::Rejected, false) => Choice::Remembered,
            (Remembered::Rejected, true) => Choice::DefaultOrRemembered,
            (Remembered::Nothing, true) => Choice::Default,
            (Remembered::Nothing, false) => Choice::Own,
        },
        OwnSecret::Usable | OwnSecret::Missing | OwnSecret::Unavailable => Choice::Own,
    }
}

/// Returns whether a response with this fault (`None`: a success) says that Atlas rejects the credentials; `None` if it says nothing of
/// them.
#[must_use]
pub fn rejects(fault: Option<FaultKind>) -> Option<bool> {
    match fault {
        None => Some(false),
        Some(FaultKind::Unauthorized | FaultKind::Forbidden | FaultKind::NoAccess) => Some(true),
        Some(_) => None,
    }
}

/// Returns `true` if credentials that Atlas accepted for an object are remembered for its deletion. Without a recorded endpoint, a
/// Secret that was `read` before the object was first seen (`since`) does not count: it may have been deleted before that.
#[must_use]
pub fn may_remember(recorded: bool, read: SinceBoot, since: SinceBoot) -> bool {
    recorded || read >= since
}

/// Why a Secret could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// It does not exist.
    NotFound,
    /// The operator may not read it.
    Forbidden,
    /// It exists and cannot be decoded.
    Undecodable,
    /// Unknown: the API server failed to respond, as this text says.
    Unavailable(String),
}

impl Unread {
    /// Returns the fault of an object that names this Secret, with the remedy. Only [`Unread::Unavailable`] ends by itself.
    #[must_use]
    pub fn fault(self, namespace: &str, name: &str) -> Fault {
        let missing = |message| Fault::new(FaultKind::CredentialsNotFound, message);
        match self {
            Self::NotFound => missing(format!(
                "Secret {name} does not exist in namespace {namespace}; create it with the entries publicApiKey and privateApiKey, \
                 or clientId and clientSecret"
            )),
            Self::Forbidden => missing(format!(
                "the operator may not read Secret {name} in namespace {namespace}; grant its service account `get` on it"
            )),
            Self::Undecodable => missing(format!(
                "Secret {name} in namespace {namespace} cannot be decoded; delete it and create it again"
            )),
            Self::Unavailable(error) => Fault {
                detail: error.into(),
                next: "retrying".into(),
                ..Fault::new(FaultKind::Unavailable, format!("failed to read Secret {name}"))
            },
        }
    }
}

/// What a read of a Secret found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finding {
    /// Credentials.
    Usable,
    /// None.
    Missing,
    /// Nothing: the API server is unavailable.
    Unavailable,
}

/// The last read of a Secret: how long it counts, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretRead {
    at: SinceBoot,
    finding: Finding,
    /// Atlas rejected these credentials.
    rejected: bool,
    /// How many due reads in a row have had the same result, after the first: the exponent of the back-off.
    repeats: u32,
    /// A user requested a reconcile right after this read.
    requested: bool,
}

impl SecretRead {
    /// A read now, for this purpose. `same`: the one before, if it had the same result.
    #[must_use]
    pub fn new(same: Option<Self>, finding: Finding, purpose: Purpose, now: SinceBoot) -> Self {
        let (rejected, repeats) = same.map_or((false, 0), |before| {
            // An early read on request does not lengthen the back-off for all objects that use the Secret.
            let waited = !before.requested && before.is_due(now);
            let grown = if waited { before.repeats.saturating_add(1) } else { before.repeats };
            (before.rejected, if purpose == (Purpose::OnRequest { edited: true }) { 0 } else { grown })
        });
        Self { at: now, finding, rejected, repeats, requested: false }
    }

    /// Returns `true` if this read is recent enough for `purpose`, of an object first seen at `since`; if so, records its use.
    pub fn serves(&mut self, purpose: Purpose, since: SinceBoot, now: SinceBoot) -> bool {
        let is_recent = self.is_recent(purpose, since, now);
        self.requested |= is_recent && matches!(purpose, Purpose::OnRequest { .. });
        is_recent
    }

    fn is_recent(&self, purpose: Purpose, since: SinceBoot, now: SinceBoot) -> bool {
        let age = now.saturating_sub(self.at);
        match purpose {
            Purpose::Read => !self.is_due(now),
            Purpose::OnRequest { .. } => !self.is_due(now) && age < FRESH_ON_REQUEST,
            // A Secret that was deleted before the object existed must not serve it.
            Purpose::Write => !self.is_due(now) && age < FRESH_FOR_WRITES && self.at >= since,
            Purpose::WriteNow => false,
        }
    }

    /// Records whether Atlas rejects these credentials.
    pub fn record_response(&mut self, rejected: bool) {
        self.rejected = rejected;
    }

    /// Returns the time until the next scheduled read, for a caller that has to wait for it.
    #[must_use]
    pub fn left(&self, now: SinceBoot) -> Duration {
        self.lasts().saturating_sub(now.saturating_sub(self.at)).max(EARLY)
    }

    fn is_due(&self, now: SinceBoot) -> bool {
        let lasts = self.lasts();
        now.saturating_sub(self.at) >= if self.requested { lasts } else { lasts.saturating_sub(EARLY) }
    }

    /// Returns the age at which the Secret is read again on schedule.
    fn lasts(&self) -> Duration {
        match self.finding {
            Finding::Missing | Finding::Unavailable if self.requested => FRESH_ON_REQUEST,
            Finding::Usable if self.rejected => RECHECK,
            Finding::Usable => FRESH,
            Finding::Missing => RECHECK.saturating_mul(2_u32.saturating_pow(self.repeats)).min(MAX_RETRY),
            Finding::Unavailable => RETRY,
        }
    }
}
