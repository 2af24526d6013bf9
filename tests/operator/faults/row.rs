//! A row of the tables: a fault, and the expectations of an object that meets it. Data only.

use atlas_simulator::{CatalogueEntry, Operation};
use domain::status::{ConditionType, EventReason, Reason};

/// The expected condition: type, status, reason, and words of its message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Says(
    pub(crate) ConditionType,
    pub(crate) bool,
    pub(crate) Reason,
    pub(crate) &'static [&'static str],
);

/// When the fault begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum FaultStart {
    /// Before the object is created.
    Created,
    /// When it is Ready.
    Ready,
    /// When it is Ready and about to be deleted.
    Deleted,
}

/// The content of its Secret.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum SecretContents {
    /// The key of a Project Owner.
    Owner,
    /// A key that may only read.
    Reader,
    /// A key of another project.
    Stranger,
    /// A key with an access list that excludes this address.
    Elsewhere,
    /// A service account.
    Account,
    /// No Secret.
    Nothing,
}

/// How the fault ends. Afterwards Atlas has no rules against the row, and a reconcile of the object is requested.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Recovery {
    /// Atlas behaves again, and the key is good (and its Secret rewritten).
    Behave,
    /// Without any action.
    ByItself,
    /// Somebody changes the spec; the rules stay.
    Edit(&'static str),
    /// Something happens out of band, and Atlas behaves.
    OutOfBand(&'static str),
}

/// How the object ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum FaultEnd {
    /// Ready; afterwards it is deleted.
    Ready,
    /// With this reason, until it is deleted.
    Stays(Reason),
    /// Released; so many endpoints are left.
    Gone(usize),
}

/// One fault, met by one object in a project of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FaultRow {
    /// Its name in the simulator's catalogue.
    pub(crate) fault: &'static str,
    /// The operations that it affects, if it affects requests.
    pub(crate) on: &'static [Operation],
    /// Additional faults at the same time.
    pub(crate) also: &'static [&'static str],
    /// Annotations and spec besides project, instance and Secret.
    pub(crate) annotations: &'static str,
    pub(crate) spec: &'static str,
    /// `ConfigMap`s that exist before.
    pub(crate) maps: &'static [&'static str],
    pub(crate) key: SecretContents,
    pub(crate) when: FaultStart,
    /// A change of the spec right after the fault began.
    pub(crate) edit: &'static str,
    pub(crate) says: &'static [Says],
    /// The user requests a reconcile every other second: nothing else would trigger one.
    pub(crate) polls: bool,
    /// Ready stays True meanwhile.
    pub(crate) stays_ready: bool,
    /// Requests of a kind, executed or not, that must arrive before the fault ends.
    pub(crate) requests: &'static [(Operation, usize)],
    pub(crate) recovery: Recovery,
    /// The conditions after that, before the end.
    pub(crate) then: &'static [Says],
    pub(crate) end: FaultEnd,
    /// POSTs that Atlas executed.
    pub(crate) posts: usize,
    /// Endpoints that carry the object's mark in the end.
    pub(crate) endpoints: usize,
    /// The maximum number of endpoints that were alive at once.
    pub(crate) most: usize,
    /// Endpoints that are left after the object's deletion.
    pub(crate) left: usize,
    /// Events that are published.
    pub(crate) events: &'static [EventReason],
}

/// The default row.
pub(crate) const ROW: FaultRow = FaultRow {
    fault: "as documented",
    on: &[],
    also: &[],
    annotations: "{}",
    spec: "{}",
    maps: &[],
    key: SecretContents::Owner,
    when: FaultStart::Created,
    edit: "",
    says: &[],
    polls: false,
    stays_ready: false,
    requests: &[],
    recovery: Recovery::Behave,
    then: &[],
    end: FaultEnd::Ready,
    posts: 1,
    endpoints: 1,
    most: 1,
    left: 0,
    events: &[],
};

/// An Atlas and an operator, and the rows that run with them.
pub(crate) struct FaultTable {
    /// Settings of the simulator, by their names in the catalogue.
    pub(crate) settings: &'static [&'static str],
    pub(crate) flags: &'static [&'static str],
    pub(crate) rows: &'static [&'static [FaultRow]],
}

impl FaultTable {
    pub(crate) fn rows(&self) -> impl Iterator<Item = &'static FaultRow> {
        self.rows.iter().copied().flatten()
    }
}

pub(crate) fn known(name: &str) -> CatalogueEntry {
    CatalogueEntry::named(name).unwrap_or_else(|| panic!("{name} is not in the catalogue"))
}
