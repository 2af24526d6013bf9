//! The scenarios that are searched with the protocol that ships, which keeps every invariant in each of them.

use super::{Budget, Config, Manifest, MarkOwner, Model, Mutation};
use crate::catalog::Scenario;
use crate::run::check;

/// No fault at all.
pub(crate) const NOTHING: Budget = Budget {
    crashes: 0,
    losses: 0,
    refusals: 0,
    lags: 0,
    no_access: 0,
    passing_gone: 0,
    passing_empty: 0,
    outages: 0,
    deletions: 0,
    creations: 0,
    restores: 0,
    status_wipes: 0,
    claim_wipes: 0,
    garbles: 0,
    forced: 0,
    edits: 0,
    touches: 0,
    vanishings: 0,
    unmarkings: 0,
};

/// Only the instance is declared.
pub(crate) const PLAIN: Manifest =
    Manifest { retain: false, observe: false, suspend: false, endpoint: 0, vpc: 0 };

/// One controller without faults.
pub(crate) const QUIET: Config = Config {
    controllers: 1,
    attempts: 2,
    budget: NOTHING,
    manifest: PLAIN,
    edits: &[],
    begun: false,
    preexisting: &[],
    foreign_claim: false,
    take_over: false,
    slow_responses: false,
    slow_removal: false,
    seen_by_all: false,
    unbounded_travel: false,
};

/// The object has its endpoint already.
pub(crate) const BEGUN: Config = Config { begun: true, ..QUIET };

/// Two controllers without faults.
pub(crate) const TWO: Config = Config { controllers: 2, ..QUIET };

/// Returns all scenarios of the full run.
#[must_use]
#[allow(clippy::too_many_lines, reason = "a table")]
pub fn scenarios() -> Vec<Scenario> {
    let scenario = |name, config| {
        Scenario::new(name, move |effort| check(Model::new(config, Mutation::None, effort.liveness), effort))
    };
    vec![
        scenario(
            "one controller, many faults",
            Config {
                attempts: 3,
                budget: Budget { crashes: 2, losses: 2, lags: 2, deletions: 1, status_wipes: 1, ..NOTHING },
                ..QUIET
            },
        ),
        scenario(
            "one controller, two lives of the name",
            Config {
                attempts: 3,
                budget: Budget { crashes: 2, losses: 1, lags: 1, deletions: 2, creations: 1, ..NOTHING },
                ..QUIET
            },
        ),
        scenario(
            "one controller, the API server fails",
            Config {
                attempts: 3,
                slow_responses: true,
                budget: Budget { crashes: 1, losses: 1, outages: 2, deletions: 1, touches: 1, ..NOTHING },
                ..QUIET
            },
        ),
        scenario(
            "one controller, the endpoint vanishes",
            Config {
                attempts: 3,
                manifest: Manifest { vpc: 1, ..PLAIN },
                edits: &[Manifest { vpc: 2, ..PLAIN }],
                budget: Budget {
                    crashes: 1,
                    losses: 1,
                    lags: 1,
                    vanishings: 1,
                    edits: 1,
                    deletions: 1,
                    ..NOTHING
                },
                ..QUIET
            },
        ),
        scenario(
            "two controllers, one life",
            Config { budget: Budget { crashes: 1, losses: 1, lags: 1, status_wipes: 1, ..NOTHING }, ..TWO },
        ),
        scenario(
            "two controllers, deletion",
            Config { budget: Budget { losses: 1, lags: 1, deletions: 1, ..NOTHING }, ..TWO },
        ),
        scenario(
            "two controllers, two lives of the name",
            Config { budget: Budget { losses: 1, deletions: 1, creations: 1, ..NOTHING }, ..TWO },
        ),
        scenario(
            "two controllers, restored from a backup",
            Config { budget: Budget { crashes: 1, losses: 1, deletions: 1, restores: 1, ..NOTHING }, ..TWO },
        ),
        scenario(
            "two controllers, late writes to the object",
            Config {
                slow_responses: true,
                budget: Budget { outages: 1, losses: 1, deletions: 1, ..NOTHING },
                ..TWO
            },
        ),
        scenario(
            "two controllers, the endpoint vanishes",
            Config { begun: true, budget: Budget { losses: 1, vanishings: 1, crashes: 1, ..NOTHING }, ..TWO },
        ),
        scenario(
            "two controllers, claim wiped or unreadable",
            Config {
                seen_by_all: true,
                budget: Budget { losses: 1, claim_wipes: 1, garbles: 1, deletions: 1, ..NOTHING },
                ..TWO
            },
        ),
        scenario(
            "finalizer forced off, name created again",
            Config {
                seen_by_all: true,
                budget: Budget { losses: 1, forced: 1, deletions: 1, creations: 1, ..NOTHING },
                ..TWO
            },
        ),
        scenario(
            "finalizer forced off, and deleted again",
            Config {
                attempts: 3,
                seen_by_all: true,
                budget: Budget { losses: 1, forced: 1, deletions: 2, creations: 1, ..NOTHING },
                ..QUIET
            },
        ),
        scenario(
            "two controllers, forced off or retained, and deleted again",
            Config {
                begun: true,
                seen_by_all: true,
                edits: &[Manifest { retain: true, ..PLAIN }, PLAIN],
                budget: Budget { forced: 1, edits: 1, deletions: 2, creations: 1, ..NOTHING },
                ..TWO
            },
        ),
        scenario(
            "Retain and suspend",
            Config {
                edits: &[Manifest { retain: true, ..PLAIN }, Manifest { suspend: true, ..PLAIN }, PLAIN],
                budget: Budget { losses: 1, crashes: 1, edits: 2, deletions: 2, creations: 1, ..NOTHING },
                ..QUIET
            },
        ),
        scenario(
            "two controllers, Retain",
            Config {
                edits: &[Manifest { retain: true, ..PLAIN }],
                budget: Budget { losses: 1, edits: 1, deletions: 1, creations: 1, ..NOTHING },
                ..TWO
            },
        ),
        scenario(
            "listings lag, retained, name created again",
            Config {
                manifest: Manifest { retain: true, ..PLAIN },
                budget: Budget { losses: 1, lags: 2, deletions: 1, creations: 1, ..NOTHING },
                ..QUIET
            },
        ),
        scenario(
            "listings lag, finalizer forced off, name created again",
            Config {
                seen_by_all: true,
                budget: Budget { losses: 1, lags: 1, forced: 1, deletions: 1, creations: 1, ..NOTHING },
                ..QUIET
            },
        ),
        scenario(
            "listings lag, status and claim wiped, deleted",
            Config {
                seen_by_all: true,
                budget: Budget { lags: 2, status_wipes: 1, claim_wipes: 1, deletions: 1, ..NOTHING },
                ..QUIET
            },
        ),
        scenario(
            "Observe and endpointId",
            Config {
                edits: &[
                    Manifest { observe: true, endpoint: 1, ..PLAIN },
                    Manifest { endpoint: 1, ..PLAIN },
                    PLAIN,
                ],
                preexisting: &[MarkOwner::None],
                budget: Budget { losses: 1, crashes: 1, edits: 2, deletions: 1, vanishings: 1, ..NOTHING },
                ..QUIET
            },
        ),
        scenario(
            "endpointId names a stranger's endpoint",
            Config {
                manifest: Manifest { endpoint: 1, ..PLAIN },
                edits: &[PLAIN],
                preexisting: &[MarkOwner::Foreign],
                budget: Budget { losses: 1, crashes: 1, edits: 1, deletions: 1, creations: 1, ..NOTHING },
                ..TWO
            },
        ),
        scenario(
            "another cluster's claim",
            Config {
                foreign_claim: true,
                seen_by_all: true,
                budget: Budget { claim_wipes: 1, losses: 1, deletions: 1, creations: 1, ..NOTHING },
                ..TWO
            },
        ),
        scenario(
            "refusals, an unknown project, a mark taken off",
            Config {
                slow_removal: true,
                budget: Budget {
                    refusals: 1,
                    no_access: 1,
                    unmarkings: 1,
                    crashes: 1,
                    losses: 1,
                    deletions: 1,
                    ..NOTHING
                },
                ..QUIET
            },
        ),
        scenario(
            "two controllers, the instance seems gone for a moment",
            Config {
                budget: Budget {
                    passing_gone: 1,
                    refusals: 1,
                    losses: 1,
                    deletions: 1,
                    creations: 1,
                    ..NOTHING
                },
                ..TWO
            },
        ),
        scenario(
            "one controller, listings seem empty twice",
            Config {
                budget: Budget {
                    passing_empty: 2,
                    losses: 1,
                    no_access: 1,
                    crashes: 1,
                    deletions: 1,
                    ..NOTHING
                },
                ..QUIET
            },
        ),
        scenario(
            "one controller, the instance seems gone twice",
            Config {
                budget: Budget {
                    passing_gone: 2,
                    losses: 1,
                    no_access: 1,
                    crashes: 1,
                    deletions: 1,
                    ..NOTHING
                },
                ..QUIET
            },
        ),
        scenario(
            "Atlas removes slowly, the name comes back",
            Config {
                slow_removal: true,
                budget: Budget { lags: 1, losses: 1, deletions: 1, creations: 1, ..NOTHING },
                ..TWO
            },
        ),
    ]
}
