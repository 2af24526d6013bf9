//! The scenarios that are searched with the protocol that ships, which keeps every invariant in each of them.

use domain::dedicated::observed::{Adopt, Deletion};

use super::{Budget, Config, Manifest, Model, Mutation};
use crate::catalog::Scenario;
use crate::run::check;

/// No fault at all.
pub(crate) const NOTHING: Budget = Budget {
    crashes: 0,
    losses: 0,
    refusals: 0,
    lags: 0,
    outages: 0,
    deletions: 0,
    creations: 0,
    restores: 0,
    copies: 0,
    status_wipes: 0,
    claim_wipes: 0,
    forced: 0,
    edits: 0,
    strangers: 0,
    vanishings: 0,
};

/// A service, with `deletionPolicy` unset.
pub(crate) const SERVICE: Manifest = Manifest {
    deletion: None,
    adopt: Adopt::IfExists,
    observe: false,
    suspend: false,
    break_before_make: false,
    endpoint: 0,
    direct: false,
};

/// The same, deleted with its object.
pub(crate) const OURS: Manifest = Manifest { deletion: Some(Deletion::Delete), ..SERVICE };

/// The same, and it stays.
pub(crate) const RETAINED: Manifest = Manifest { deletion: Some(Deletion::Retain), ..SERVICE };

/// A service that is not adopted.
const NEVER: Manifest = Manifest { adopt: Adopt::Never, ..SERVICE };

/// A service that is only adopted.
const ONLY: Manifest = Manifest { adopt: Adopt::Only, ..SERVICE };

/// Endpoint 1 at the service of the first object.
pub(crate) const ENDPOINT: Manifest = Manifest { endpoint: 1, ..SERVICE };

/// Endpoint 1 at the service, whoever declares that.
pub(crate) const DIRECT: Manifest = Manifest { direct: true, ..ENDPOINT };

/// The object of the endpoint declares endpoint 2.
pub(crate) const V2: (u8, Manifest) = (1, Manifest { endpoint: 2, ..DIRECT });

/// The object of the endpoint declares endpoint 1 again.
const V1: (u8, Manifest) = (1, DIRECT);

/// One controller and one service, without faults.
pub(crate) const ONE_SERVICE: Config = Config {
    controllers: 1,
    attempts: 3,
    budget: NOTHING,
    manifests: [Some(OURS), None, None, None],
    begins: 1,
    edits: &[],
    begun: false,
    prefix: &[],
    preexisting: &[],
    slow: false,
    last_takes_service: false,
};

/// One controller and one endpoint, at a service of others.
pub(crate) const ONE_ENDPOINT: Config =
    Config { manifests: [None, Some(DIRECT), None, None], begins: 0b10, preexisting: &[0], ..ONE_SERVICE };

/// One controller, a service and an endpoint.
pub(crate) const BOTH: Config =
    Config { attempts: 5, manifests: [Some(OURS), Some(ENDPOINT), None, None], begins: 0b11, ..ONE_SERVICE };

/// Returns all scenarios of the full run.
#[must_use]
#[allow(clippy::too_many_lines, reason = "a table")]
pub fn scenarios() -> Vec<Scenario> {
    let scenario = |name, config| {
        Scenario::new(name, move |effort| check(Model::new(config, Mutation::None, effort.liveness), effort))
    };
    vec![
        scenario(
            "one endpoint, many faults",
            Config {
                attempts: 4,
                budget: Budget { crashes: 1, losses: 2, lags: 1, deletions: 1, ..NOTHING },
                ..ONE_ENDPOINT
            },
        ),
        scenario(
            "one service, many faults",
            Config {
                attempts: 4,
                budget: Budget { crashes: 1, losses: 2, lags: 1, deletions: 1, ..NOTHING },
                ..ONE_SERVICE
            },
        ),
        scenario(
            "a service and its endpoint, both deleted",
            Config { budget: Budget { losses: 1, crashes: 1, deletions: 2, ..NOTHING }, ..BOTH },
        ),
        scenario(
            "the last endpoint takes the service with it",
            Config {
                last_takes_service: true,
                budget: Budget { losses: 1, lags: 1, deletions: 2, ..NOTHING },
                ..BOTH
            },
        ),
        scenario(
            "the id of the endpoint changes",
            Config {
                slow: true,
                begun: true,
                attempts: 5,
                edits: &[V2, V1],
                budget: Budget { losses: 1, crashes: 1, lags: 1, edits: 2, deletions: 1, ..NOTHING },
                ..ONE_ENDPOINT
            },
        ),
        scenario(
            "the former endpoint is removed first",
            Config {
                slow: true,
                attempts: 5,
                manifests: [None, Some(Manifest { break_before_make: true, ..DIRECT }), None, None],
                edits: &[(1, Manifest { break_before_make: true, endpoint: 2, ..DIRECT })],
                budget: Budget { losses: 1, crashes: 1, edits: 1, deletions: 1, ..NOTHING },
                ..ONE_ENDPOINT
            },
        ),
        scenario(
            "deletionPolicy of a service changes",
            Config {
                edits: &[(0, RETAINED), (0, SERVICE), (0, OURS)],
                manifests: [Some(SERVICE), None, None, None],
                budget: Budget { losses: 1, crashes: 1, edits: 2, deletions: 1, strangers: 1, ..NOTHING },
                ..ONE_SERVICE
            },
        ),
        scenario(
            "adopt changes, others create and remove the service",
            Config {
                edits: &[(0, NEVER), (0, ONLY), (0, SERVICE)],
                manifests: [Some(NEVER), None, None, None],
                budget: Budget { losses: 1, edits: 2, deletions: 1, strangers: 1, vanishings: 1, ..NOTHING },
                ..ONE_SERVICE
            },
        ),
        scenario(
            "others register and remove the same endpoint",
            Config {
                attempts: 4,
                edits: &[V2],
                budget: Budget { losses: 1, edits: 1, deletions: 1, strangers: 2, vanishings: 1, ..NOTHING },
                ..ONE_ENDPOINT
            },
        ),
        scenario(
            "a service is restored from a backup with its status",
            Config {
                attempts: 5,
                manifests: [Some(SERVICE), None, None, None],
                begun: true,
                edits: &[(0, RETAINED)],
                budget: Budget { losses: 1, edits: 1, deletions: 2, restores: 1, ..NOTHING },
                ..ONE_SERVICE
            },
        ),
        scenario(
            "an endpoint is copied with its status",
            Config {
                attempts: 5,
                begun: true,
                budget: Budget { losses: 1, lags: 1, copies: 1, deletions: 2, ..NOTHING },
                ..ONE_ENDPOINT
            },
        ),
        scenario(
            "a status is wiped, listings lag",
            Config {
                attempts: 4,
                budget: Budget { losses: 1, lags: 2, status_wipes: 1, deletions: 1, crashes: 1, ..NOTHING },
                ..ONE_ENDPOINT
            },
        ),
        scenario(
            "a finalizer is forced off, the name comes back",
            Config {
                attempts: 5,
                begun: true,
                budget: Budget { losses: 1, forced: 1, deletions: 2, creations: 1, ..NOTHING },
                ..ONE_ENDPOINT
            },
        ),
        scenario(
            "a finalizer is forced off, another object has the key",
            Config {
                attempts: 5,
                begun: true,
                manifests: [None, Some(DIRECT), None, Some(DIRECT)],
                budget: Budget { losses: 1, forced: 1, deletions: 2, creations: 1, ..NOTHING },
                ..ONE_ENDPOINT
            },
        ),
        scenario(
            "the API server fails",
            Config {
                attempts: 4,
                budget: Budget { losses: 1, outages: 2, deletions: 1, crashes: 1, ..NOTHING },
                ..ONE_ENDPOINT
            },
        ),
        scenario(
            "the service is lost and created again",
            Config {
                attempts: 6,
                begun: true,
                edits: &[(1, Manifest { endpoint: 2, ..ENDPOINT })],
                budget: Budget { losses: 1, vanishings: 1, edits: 1, deletions: 1, ..NOTHING },
                ..BOTH
            },
        ),
        scenario(
            "Observe and suspend",
            Config {
                attempts: 4,
                edits: &[
                    (1, Manifest { observe: true, ..DIRECT }),
                    (1, Manifest { suspend: true, ..DIRECT }),
                    (1, DIRECT),
                ],
                budget: Budget { losses: 1, crashes: 1, edits: 2, deletions: 1, ..NOTHING },
                ..ONE_ENDPOINT
            },
        ),
        scenario(
            "two services with one key",
            Config {
                attempts: 4,
                manifests: [Some(SERVICE), None, Some(OURS), None],
                budget: Budget { losses: 1, crashes: 1, creations: 1, deletions: 2, ..NOTHING },
                ..ONE_SERVICE
            },
        ),
        scenario(
            "two endpoints with one id",
            Config {
                attempts: 4,
                manifests: [None, Some(DIRECT), None, Some(DIRECT)],
                budget: Budget { losses: 1, crashes: 1, creations: 1, deletions: 2, ..NOTHING },
                ..ONE_ENDPOINT
            },
        ),
        scenario(
            "an endpoint appears while its service is deleted",
            Config {
                attempts: 5,
                begins: 1,
                begun: true,
                budget: Budget { losses: 1, creations: 1, deletions: 2, ..NOTHING },
                ..BOTH
            },
        ),
        scenario(
            "two controllers, one service",
            Config {
                controllers: 2,
                budget: Budget { losses: 1, crashes: 1, deletions: 1, ..NOTHING },
                ..ONE_SERVICE
            },
        ),
        scenario(
            "two controllers, one endpoint",
            Config {
                controllers: 2,
                budget: Budget { losses: 1, lags: 1, deletions: 1, ..NOTHING },
                ..ONE_ENDPOINT
            },
        ),
        scenario(
            "two controllers, two lives of the name",
            Config {
                controllers: 2,
                begun: true,
                attempts: 4,
                budget: Budget { losses: 1, deletions: 1, creations: 1, ..NOTHING },
                ..ONE_ENDPOINT
            },
        ),
        scenario(
            "two controllers, two endpoints with one id",
            Config {
                controllers: 2,
                begun: true,
                attempts: 4,
                manifests: [None, Some(DIRECT), None, Some(DIRECT)],
                budget: Budget { losses: 1, creations: 1, deletions: 1, ..NOTHING },
                ..ONE_ENDPOINT
            },
        ),
        scenario(
            "two controllers, the id changes",
            Config {
                controllers: 2,
                begun: true,
                attempts: 4,
                edits: &[V2],
                budget: Budget { losses: 1, edits: 1, deletions: 1, ..NOTHING },
                ..ONE_ENDPOINT
            },
        ),
        scenario(
            "two controllers, Retain",
            Config {
                controllers: 2,
                begun: true,
                attempts: 3,
                manifests: [Some(SERVICE), None, None, None],
                edits: &[(0, RETAINED), (0, SERVICE)],
                budget: Budget { losses: 1, edits: 1, deletions: 1, creations: 1, ..NOTHING },
                ..ONE_SERVICE
            },
        ),
        scenario(
            "two controllers, the service vanishes",
            Config {
                controllers: 2,
                begun: true,
                attempts: 3,
                budget: Budget { losses: 1, vanishings: 1, strangers: 1, ..NOTHING },
                ..ONE_SERVICE
            },
        ),
        scenario(
            "two controllers, both kinds are deleted",
            Config {
                controllers: 2,
                begun: true,
                budget: Budget { losses: 1, deletions: 2, ..NOTHING },
                ..BOTH
            },
        ),
        scenario(
            "two controllers, late writes to the object",
            Config {
                controllers: 2,
                budget: Budget { outages: 1, losses: 1, deletions: 1, ..NOTHING },
                ..ONE_ENDPOINT
            },
        ),
        scenario(
            "two controllers, forced off and created again",
            Config {
                controllers: 2,
                begun: true,
                attempts: 4,
                budget: Budget { losses: 1, forced: 1, deletions: 1, creations: 1, ..NOTHING },
                ..ONE_ENDPOINT
            },
        ),
    ]
}
