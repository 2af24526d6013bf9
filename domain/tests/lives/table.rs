//! The lives, as data: what users and Atlas do, and how each ends.

use std::time::Duration;

use domain::serverless::observed::Spec;
use invariants::fixtures::{MINUTE, vpce};

use crate::atlas::EndpointStore;
use crate::stored_object::StoredSpec;

/// The name of the output ConfigMap.
pub(crate) const OUTPUT: &str = "orders-endpoint";

/// The name of a ConfigMap that belongs to somebody else.
pub(crate) const TAKEN: &str = "taken";

/// Something that happens from outside. Then all has time to settle.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LifeAction {
    /// A user creates the object.
    Create(fn() -> StoredSpec),
    /// A user changes its spec.
    Edit(fn(&mut StoredSpec)),
    /// A user requests a reconcile.
    Request,
    /// A user deletes it.
    Delete,
    /// A user removes its claim and its finalizer.
    Unclaim,
    /// Another process takes over.
    Restart,
    /// Somebody else creates an endpoint with the object's mark.
    AddMarked,
    /// The endpoint is removed from Atlas.
    Lose,
    /// Its mark is removed in Atlas.
    Unmark,
}

impl LifeAction {
    /// Returns `true` if it creates an object whose deletion leaves its endpoint in Atlas.
    pub(crate) fn retains(&self) -> bool {
        matches!(self, Self::Create(spec) if spec().rules.retain)
    }
}

/// A life.
#[derive(Debug)]
pub(crate) struct ObjectLife {
    pub(crate) name: &'static str,
    /// What happens before, without faults.
    pub(crate) before: &'static [LifeAction],
    /// What happens while effects have faults.
    pub(crate) actions: &'static [LifeAction],
    /// The reason of `Ready` in the end; `None`: the object is gone.
    pub(crate) ready: Option<&'static str>,
    /// The statuses of the endpoints with the object's mark in the end.
    pub(crate) ours: &'static [&'static str],
    /// How many endpoints with the object's mark there may be at once.
    pub(crate) at_most: usize,
    /// How many of the two endpoints of others stay as they are.
    pub(crate) untouched: usize,
    /// The time that everything gets to settle after a fault.
    pub(crate) recovers: Duration,
}

const LIFE: ObjectLife = ObjectLife {
    name: "",
    before: &[],
    actions: &[],
    ready: Some("Reserved"),
    ours: &["RESERVED"],
    at_most: 1,
    untouched: 2,
    recovers: Duration::from_mins(25),
};

const CREATE: LifeAction = LifeAction::Create(plain);
const CONNECT: LifeAction = LifeAction::Edit(connect);

fn plain() -> StoredSpec {
    let rules =
        Spec { comment: Some("orders".to_owned()), progress_deadline: 60 * MINUTE, ..Spec::default() };
    StoredSpec { rules, ..StoredSpec::default() }
}

fn retained() -> StoredSpec {
    with(|rules| rules.retain = true)
}

fn observed() -> StoredSpec {
    with(|rules| (rules.observe, rules.endpoint_id) = (true, Some(EndpointStore::unmarked())))
}

fn named() -> StoredSpec {
    with(|rules| rules.endpoint_id = Some(EndpointStore::unmarked()))
}

fn with(change: impl FnOnce(&mut Spec)) -> StoredSpec {
    let mut spec = plain();
    change(&mut spec.rules);
    spec
}

fn with_output() -> StoredSpec {
    StoredSpec { output: Some(OUTPUT.to_owned()), vpc_endpoint: Some(vpce(1)), ..plain() }
}

fn connect(spec: &mut StoredSpec) {
    spec.vpc_endpoint = Some(vpce(1));
}

fn rename(spec: &mut StoredSpec) {
    spec.output = Some("orders-renamed".to_owned());
}

fn take(spec: &mut StoredSpec) {
    spec.output = Some(TAKEN.to_owned());
}

fn forget_output(spec: &mut StoredSpec) {
    spec.output = None;
}

fn comment(spec: &mut StoredSpec) {
    spec.rules.comment = Some("other".to_owned());
}

/// All lives.
pub(crate) const LIVES: &[ObjectLife] = &[
    ObjectLife { name: "create", actions: &[CREATE], ..LIFE },
    ObjectLife {
        name: "attach",
        before: &[CREATE],
        actions: &[CONNECT],
        ready: Some("Available"),
        ours: &["AVAILABLE"],
        ..LIFE
    },
    ObjectLife {
        name: "delete",
        before: &[CREATE],
        actions: &[LifeAction::Delete],
        ready: None,
        ours: &[],
        ..LIFE
    },
    ObjectLife { name: "adopt", before: &[LifeAction::AddMarked], actions: &[CREATE], ..LIFE },
    ObjectLife {
        name: "adopt by id",
        actions: &[LifeAction::Create(named)],
        ours: &["AVAILABLE"],
        untouched: 1,
        ready: Some("Available"),
        ..LIFE
    },
    ObjectLife {
        name: "restart",
        before: &[CREATE, CONNECT],
        actions: &[LifeAction::Restart],
        ready: Some("Available"),
        ours: &["AVAILABLE"],
        ..LIFE
    },
    ObjectLife { name: "request", before: &[CREATE], actions: &[LifeAction::Request], ..LIFE },
    ObjectLife { name: "edit", before: &[CREATE], actions: &[LifeAction::Edit(comment)], ..LIFE },
    ObjectLife { name: "unclaim", before: &[CREATE], actions: &[LifeAction::Unclaim], ..LIFE },
    ObjectLife { name: "lose", before: &[CREATE], actions: &[LifeAction::Lose], ..LIFE },
    ObjectLife {
        name: "lose connected",
        before: &[LifeAction::Create(with_output)],
        actions: &[LifeAction::Lose],
        ready: Some("VpcEndpointStale"),
        ..LIFE
    },
    ObjectLife { name: "unmark", before: &[CREATE], actions: &[LifeAction::Unmark], ..LIFE },
    ObjectLife {
        name: "unmark and delete",
        before: &[CREATE],
        actions: &[LifeAction::Unmark, LifeAction::Delete],
        ready: None,
        ours: &[],
        ..LIFE
    },
    ObjectLife {
        name: "duplicate",
        before: &[CREATE],
        actions: &[LifeAction::AddMarked],
        at_most: 2,
        // An excess endpoint is deleted once an hour at most.
        recovers: Duration::from_mins(80),
        ..LIFE
    },
    ObjectLife {
        name: "output",
        actions: &[LifeAction::Create(with_output)],
        ready: Some("Available"),
        ours: &["AVAILABLE"],
        ..LIFE
    },
    ObjectLife {
        name: "rename the output",
        before: &[LifeAction::Create(with_output)],
        actions: &[LifeAction::Edit(rename), LifeAction::Edit(forget_output)],
        ready: Some("Available"),
        ours: &["AVAILABLE"],
        ..LIFE
    },
    ObjectLife {
        name: "take an output",
        before: &[LifeAction::Create(with_output)],
        actions: &[LifeAction::Edit(take)],
        ready: Some("Available"),
        ours: &["AVAILABLE"],
        ..LIFE
    },
    ObjectLife {
        name: "delete with output",
        before: &[LifeAction::Create(with_output)],
        actions: &[LifeAction::Delete],
        ready: None,
        ours: &[],
        ..LIFE
    },
    ObjectLife {
        name: "retain",
        before: &[LifeAction::Create(retained)],
        actions: &[LifeAction::Delete],
        ready: None,
        ..LIFE
    },
    ObjectLife {
        name: "retain and return",
        before: &[LifeAction::Create(retained)],
        actions: &[LifeAction::Delete, CREATE],
        ..LIFE
    },
    ObjectLife {
        name: "delete and return",
        before: &[CREATE],
        actions: &[LifeAction::Delete, CREATE],
        ..LIFE
    },
    ObjectLife {
        name: "observe",
        actions: &[LifeAction::Create(observed)],
        ready: Some("Available"),
        ours: &[],
        ..LIFE
    },
    ObjectLife {
        name: "observe and delete",
        actions: &[LifeAction::Create(observed), LifeAction::Delete],
        ready: None,
        ours: &[],
        ..LIFE
    },
];
