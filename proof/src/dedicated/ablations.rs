//! The ablations: each rule removed, and the invariants that must be found violated without it.

use super::scenarios::{BOTH, DIRECT, NOTHING, ONE_ENDPOINT, ONE_SERVICE, RETAINED, SERVICE, V2};
use super::{
    Budget, Config, Invariant, Model, ModelAction, ModelLife, Mutation, RequestOutcome, StepOutcome,
};
use crate::catalog::{Ablation, AblationOf};
use crate::run::{check, shortest};

/// The holes that are found only among many states.
const DEEP: [Option<u8>; 4] = [Some(3), Some(6), Some(7), Some(22)];

/// Returns an ablation. `hole`: its number in `domain/tests/dedicated/holes.rs`.
fn ablation(
    mutation: Mutation,
    name: &'static str,
    hole: Option<u8>,
    config: Config,
    breaks: &[Invariant],
) -> Ablation {
    let of = AblationOf {
        name,
        hole,
        breaks: breaks.iter().map(|invariant| invariant.description()).collect(),
        liveness: breaks.contains(&Invariant::Stuck),
        is_deep: DEEP.contains(&hole),
    };
    Ablation::new(
        of,
        move |effort| shortest(|| Model::new(config, mutation, effort.liveness), effort),
        move |effort| check(Model::new(config, Mutation::None, effort.liveness), effort),
    )
}

/// The POST of the service gets no response, and may land.
const LOST_POST: &[ModelAction] =
    &[step(0), step(0), step(0), ModelAction::Deliver(0, RequestOutcome::GivenUp), step(0)];

/// Others remove the service, and two listings show it.
const LOST_SERVICE: &[ModelAction] = &[
    ModelAction::Vanish(ModelLife { service: 1, endpoint: 0 }),
    step(0),
    step(0),
    ModelAction::Tick,
    step(0),
];

/// A holds the response to its POST, what it created is gone, and B has created and recorded the next one.
const HELD_RESPONSE: &[ModelAction] = &[
    step(0),
    step(0),
    step(0),
    ModelAction::Watch(1, true),
    ModelAction::Deliver(0, RequestOutcome::Responded),
    ModelAction::Vanish(ModelLife { service: 1, endpoint: 0 }),
    ModelAction::Tick,
    ModelAction::Tick,
    ModelAction::Tick,
    step_of_b(0),
    step_of_b(0),
    step_of_b(0),
    ModelAction::Deliver(0, RequestOutcome::Responded),
    step_of_b(0),
];

/// The object of the endpoint is deleted, and the DELETE gets no response and may land.
const LOST_DELETE: &[ModelAction] = &[
    ModelAction::Delete(1),
    ModelAction::Watch(0, false),
    step(1),
    step(1),
    step(1),
    ModelAction::Deliver(0, RequestOutcome::GivenUp),
    step(1),
];

/// Controller B takes its next step with the object of this slot.
const fn step_of_b(slot: u8) -> ModelAction {
    ModelAction::Step(1, slot, StepOutcome::Well)
}

/// Controller A takes its next step with the object of this slot.
const fn step(slot: u8) -> ModelAction {
    ModelAction::Step(0, slot, StepOutcome::Well)
}

/// Returns all ablations.
#[must_use]
#[allow(clippy::too_many_lines, reason = "a table")]
pub fn ablations() -> Vec<Ablation> {
    use Invariant as W;
    use Mutation as M;
    let service = |budget| Config { budget, ..ONE_SERVICE };
    let endpoint = |budget| Config { budget, ..ONE_ENDPOINT };
    let begun = |config: Config, attempts| Config { begun: true, attempts, ..config };
    let two = |config: Config| Config { controllers: 2, ..config };
    let after = |config: Config, prefix| Config { prefix, ..config };
    let heir = |config: Config| Config { manifests: [None, Some(DIRECT), None, Some(DIRECT)], ..config };
    let unset = |config: Config| Config { manifests: [Some(SERVICE), None, None, None], ..config };
    let deleted = Budget { deletions: 1, ..NOTHING };
    let lost = Budget { losses: 1, ..deleted };
    let again = Budget { creations: 1, ..deleted };
    vec![
        ablation(
            M::PostUnclaimed,
            "a POST is not claimed",
            Some(1),
            two(service(deleted)),
            &[W::AfterRelease],
        ),
        ablation(
            M::NoResourceVersion,
            "the claim does not test the resourceVersion",
            Some(2),
            two(begun(endpoint(deleted), 3)),
            &[W::TwoWriters],
        ),
        ablation(M::NoDeadline, "without D", Some(3), two(service(deleted)), &[W::AfterRelease]),
        ablation(
            M::ClaimAgain,
            "an attempt is claimed while another may land",
            Some(4),
            after(service(Budget { crashes: 1, ..lost }), LOST_POST),
            &[W::TwoWriters],
        ),
        ablation(
            M::ClaimAgain,
            "the same, and a crash forgets the first",
            Some(4),
            after(service(Budget { crashes: 1, ..lost }), LOST_POST),
            &[W::AfterRelease],
        ),
        ablation(
            M::NoSettling,
            "a release does not wait for what may land",
            Some(5),
            service(lost),
            &[W::AfterRelease],
        ),
        ablation(
            M::ClosedByBinding,
            "what is recorded settles an attempt",
            Some(6),
            after(service(Budget { strangers: 1, ..lost }), LOST_POST),
            &[W::AfterRelease],
        ),
        ablation(
            M::ClosedByAnyNonce,
            "any settled nonce settles the claim",
            Some(7),
            after(begun(service(Budget { vanishings: 1, ..lost }), 3), LOST_SERVICE),
            &[W::AfterRelease, W::Leaked],
        ),
        ablation(
            M::FoundIsCreated,
            "what is found under a claim counts as created",
            Some(8),
            service(Budget { crashes: 1, strangers: 1, ..NOTHING }),
            &[W::OthersRecordedCreated],
        ),
        ablation(
            M::BornIsCreated,
            "the same, if it was created since the claim",
            Some(9),
            service(Budget { losses: 1, strangers: 1, ..NOTHING }),
            &[W::OthersRecordedCreated],
        ),
        ablation(
            M::AnyoneRecorded,
            "an entry of another object counts",
            Some(10),
            unset(begun(service(Budget { forced: 1, deletions: 2, restores: 1, ..NOTHING }), 4)),
            &[W::OthersServiceDeleted],
        ),
        ablation(
            M::RecordIgnoresClaim,
            "a record tests neither claim nor entries",
            Some(11),
            after(two(service(Budget { vanishings: 1, ..deleted })), HELD_RESPONSE),
            // What the record hides is the target of a claim that it does not settle: it is looked for, and recorded again.
            &[],
        ),
        ablation(
            M::DeleteUnclaimed,
            "a DELETE of an endpoint is not claimed",
            Some(12),
            after(begun(endpoint(Budget { losses: 1, crashes: 1, ..again }), 4), LOST_DELETE),
            &[W::TwoWriters],
        ),
        ablation(
            M::DeleteUnclaimed,
            "a DELETE of a service is not claimed",
            Some(13),
            Config { edits: &[(0, RETAINED)], ..two(begun(service(Budget { edits: 1, ..deleted }), 2)) },
            &[W::AfterRelease],
        ),
        ablation(
            M::NoLookAgain,
            "rivals are not read after the claim",
            Some(14),
            heir(begun(endpoint(again), 2)),
            &[W::NamedDeleted],
        ),
        ablation(
            M::NoHeir,
            "an heir does not count",
            Some(15),
            heir(begun(endpoint(again), 2)),
            &[W::NamedDeleted],
        ),
        ablation(
            M::OwnNotSeen,
            "the object is not read after the claim",
            Some(16),
            begun(endpoint(Budget { forced: 1, ..again }), 2),
            &[W::NamedDeleted],
        ),
        ablation(M::NoTarget, "a claim does not say what it aims at", Some(17), endpoint(lost), &[W::Leaked]),
        ablation(
            M::ClaimsForgotten,
            "a claim is forgotten with its object",
            Some(18),
            after(begun(endpoint(Budget { losses: 1, forced: 1, vanishings: 1, ..again }), 3), LOST_DELETE),
            &[W::LaterLifeDeleted],
        ),
        ablation(
            M::ClaimsByName,
            "only claims of the same name count",
            Some(19),
            after(
                heir(begun(endpoint(Budget { losses: 1, forced: 1, vanishings: 1, ..again }), 3)),
                LOST_DELETE,
            ),
            &[W::TwoWriters, W::LaterLifeDeleted],
        ),
        ablation(
            M::BreakBeforeMake,
            "the former endpoint is removed first",
            Some(20),
            Config { edits: &[V2], ..begun(endpoint(Budget { edits: 1, ..NOTHING }), 3) },
            &[W::BrokenBeforeMade],
        ),
        ablation(
            M::DeleteOnlyListed,
            "what no listing shows is not deleted",
            Some(21),
            endpoint(Budget { lags: 1, ..deleted }),
            &[W::Leaked],
        ),
        ablation(
            M::UnsentIsAttempt,
            "a claim that was never sent is an attempt",
            Some(22),
            Config {
                edits: &[V2],
                preexisting: &[0, 2],
                ..endpoint(Budget { lags: 2, edits: 1, ..deleted })
            },
            &[W::Leaked],
        ),
        ablation(
            M::LandedIsSettled,
            "a response that was recorded settles a claim without end",
            Some(23),
            endpoint(Budget { status_wipes: 1, ..deleted }),
            &[W::Leaked],
        ),
        ablation(
            M::DeleteNotLookedFor,
            "what a DELETE aims at is not looked for",
            Some(24),
            begun(endpoint(Budget { crashes: 1, status_wipes: 1, ..deleted }), 3),
            &[W::Leaked],
        ),
        ablation(
            M::NoVisibility,
            "V is nothing",
            Some(25),
            endpoint(Budget { lags: 3, status_wipes: 1, ..deleted }),
            &[W::Leaked],
        ),
        ablation(
            M::UsersNotListed,
            "the endpoints are not listed after the claim",
            Some(26),
            Config { begins: 1, ..begun(Config { budget: again, ..BOTH }, 2) },
            &[W::NamedDeleted],
        ),
        ablation(
            M::StaleRegistered,
            "an old VPC endpoint is registered at a new service",
            Some(27),
            begun(Config { budget: Budget { vanishings: 1, ..NOTHING }, ..BOTH }, 4),
            &[W::StaleRegistered],
        ),
        ablation(
            M::RecordsWhatStays,
            "a terminating object records what stays",
            Some(28),
            unset(service(lost)),
            &[W::Stuck],
        ),
        ablation(
            M::EntryByService,
            "an entry is known by its service only",
            Some(29),
            Config { edits: &[V2], ..endpoint(Budget { edits: 1, ..deleted }) },
            &[W::Leaked, W::Stuck],
        ),
        ablation(
            M::UnprovenStays,
            "endpoints that may be ours stay by default",
            Some(30),
            endpoint(lost),
            &[W::Leaked],
        ),
        ablation(
            M::ListedIsRecorded,
            "whatever is registered counts as recorded",
            None,
            begun(endpoint(Budget { strangers: 1, ..deleted }), 3),
            &[W::NeverNamed],
        ),
        ablation(
            M::ShortUncertainty,
            "Q is as long as a request travels",
            None,
            endpoint(lost),
            &[W::AfterRelease, W::Leaked],
        ),
    ]
}
