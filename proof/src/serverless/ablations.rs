//! The ablations: each rule removed, and the invariants that must be found violated without it.

use super::mutations::Mutation;
use super::scenarios::{BEGUN, NOTHING, PLAIN, QUIET, TWO};
use super::{Budget, Config, Invariant, Manifest, MarkOwner, Model};
use crate::catalog::{Ablation, AblationOf};
use crate::run::{check, shortest};

/// Two endpoints with our mark, none recorded, and a user who removes the mark of one of them.
const TWINS: Config = Config {
    preexisting: &[MarkOwner::Ours, MarkOwner::Ours],
    budget: Budget { unmarkings: 1, ..NOTHING },
    ..TWO
};

/// Returns an ablation. `hole`: the race that the rule closes, if it has a number in `domain/tests/scenarios/known_races.rs`.
fn ablation(
    mutation: Mutation,
    name: &'static str,
    hole: Option<u8>,
    config: Config,
    breaks: &[Invariant],
) -> Ablation {
    let all_rules = Config { unbounded_travel: false, ..config };
    let of = AblationOf {
        name,
        hole,
        breaks: breaks.iter().map(|invariant| invariant.description()).collect(),
        liveness: breaks.contains(&Invariant::Stuck),
        is_deep: false,
    };
    Ablation::new(
        of,
        move |effort| shortest(|| Model::new(config, mutation, effort.liveness), effort),
        move |effort| check(Model::new(all_rules, Mutation::None, effort.liveness), effort),
    )
}

/// Returns all ablations.
#[must_use]
#[allow(clippy::too_many_lines, reason = "a table")]
pub fn ablations() -> Vec<Ablation> {
    use Invariant as P;
    use Mutation as W;
    let one_loss = Config { budget: Budget { losses: 1, ..NOTHING }, ..QUIET };
    let deleted = Budget { losses: 1, deletions: 1, ..NOTHING };
    let named =
        Config { manifest: Manifest { endpoint: 1, ..PLAIN }, preexisting: &[MarkOwner::Foreign], ..QUIET };
    let deletion = |config: Config| Config { budget: Budget { deletions: 1, ..config.budget }, ..config };
    let retained = Config {
        edits: &[Manifest { retain: true, ..PLAIN }],
        budget: Budget { losses: 1, crashes: 1, edits: 1, deletions: 1, creations: 1, ..NOTHING },
        ..QUIET
    };
    vec![
        ablation(W::NoResourceVersion, "without the claim's resourceVersion", None, TWO, &[P::Doubled]),
        ablation(W::NoListing, "without the listing", None, one_loss, &[P::Doubled]),
        ablation(W::NoDeadline, "without D", None, TWO, &[P::Doubled]),
        ablation(
            W::None,
            "requests stay in flight without limit (Q too short for them)",
            None,
            Config { unbounded_travel: true, ..one_loss },
            &[P::Doubled],
        ),
        ablation(W::ShortUncertainty, "Q is nothing", None, one_loss, &[P::Doubled]),
        ablation(
            W::NoWaitInDelete,
            "without the wait in delete",
            None,
            Config { budget: deleted, ..QUIET },
            &[P::Leaked],
        ),
        ablation(
            W::NoGet,
            "without GET before PATCH and DELETE",
            Some(1),
            Config {
                controllers: 2,
                edits: &[Manifest { retain: true, ..PLAIN }],
                budget: Budget { deletions: 1, creations: 1, edits: 1, ..NOTHING },
                ..BEGUN
            },
            &[P::Destroyed],
        ),
        ablation(
            W::ReplacedNotNamed,
            "the claim does not name what it replaces",
            Some(2),
            Config { controllers: 2, attempts: 3, budget: Budget { vanishings: 1, ..NOTHING }, ..BEGUN },
            &[P::Doubled, P::Stuck],
        ),
        ablation(
            W::RecordIgnoresClaim,
            "the record does not test the claim",
            Some(2),
            Config { budget: Budget { vanishings: 1, ..NOTHING }, ..TWO },
            // Where the claim changes, the recorded id does too; and V is longer than D and the travel time, so that an
            // endpoint hidden by a claim that is closed too early has landed before any controller gives it up.
            &[],
        ),
        ablation(
            W::MarkLost,
            "a long comment pushes the mark out",
            Some(3),
            Config { budget: Budget { unmarkings: 1, ..NOTHING }, ..QUIET },
            &[P::MarkKept],
        ),
        ablation(
            W::RecordIgnoresId,
            "the record does not test the recorded id",
            Some(4),
            TWINS,
            &[P::RecordedReplacedAlive],
        ),
        ablation(
            W::RecordUntested,
            "the record tests neither",
            Some(2),
            Config { budget: Budget { vanishings: 1, ..NOTHING }, ..TWO },
            &[P::RecordedReplacedAlive],
        ),
        ablation(
            W::ExcessBeforeRecorded,
            "one is excess before the other is recorded",
            Some(4),
            TWINS,
            &[P::Destroyed],
        ),
        ablation(
            W::DeadlineFromResponse,
            "D is counted from the response to the claim",
            Some(5),
            Config { slow_responses: true, ..TWO },
            &[P::Doubled],
        ),
        ablation(
            W::NotFoundBelieved,
            "a 404 on a new id is believed",
            Some(6),
            Config { budget: Budget { lags: 3, deletions: 1, ..NOTHING }, ..QUIET },
            &[P::Leaked, P::Doubled],
        ),
        ablation(
            W::LongVisibility,
            "V is longer than a listing lags: all takes too long",
            None,
            Config { budget: Budget { crashes: 1, deletions: 1, ..NOTHING }, ..QUIET },
            &[P::Stuck],
        ),
        ablation(
            W::DeleteOnlyListed,
            "only what is listed is deleted",
            Some(6),
            Config { budget: Budget { lags: 2, deletions: 1, ..NOTHING }, ..QUIET },
            &[P::Leaked],
        ),
        ablation(
            W::OneListing,
            "one listing is enough",
            Some(6),
            Config { budget: Budget { lags: 1, losses: 1, ..NOTHING }, ..QUIET },
            &[P::Doubled],
        ),
        ablation(W::NoSettling, "Retain does not wait for open attempts", Some(7), retained, &[P::Doubled]),
        ablation(
            W::AnyNotFoundIsGone,
            "any 404 means gone",
            Some(8),
            Config { budget: Budget { no_access: 2, deletions: 1, ..NOTHING }, ..QUIET },
            &[P::Leaked],
        ),
        ablation(
            W::OneGone,
            "one 404 of the instance means gone",
            None,
            Config { budget: Budget { passing_gone: 1, deletions: 1, ..NOTHING }, ..QUIET },
            &[P::Leaked],
        ),
        ablation(
            W::RunNotBroken,
            "a 404 of the instance outlives another failure",
            None,
            Config { budget: Budget { passing_gone: 2, losses: 1, deletions: 1, ..NOTHING }, ..BEGUN },
            &[P::Leaked],
        ),
        ablation(
            W::RunNeverEnds,
            "a 404 of the instance is confirmed however late",
            None,
            Config { budget: Budget { passing_gone: 2, deletions: 1, ..NOTHING }, ..BEGUN },
            &[P::Leaked],
        ),
        ablation(
            W::RunNotBroken,
            "an empty listing outlives a failure",
            None,
            Config { budget: Budget { passing_empty: 2, losses: 1, ..NOTHING }, ..BEGUN },
            &[P::Doubled],
        ),
        ablation(
            W::RunNeverEnds,
            "an empty listing is confirmed however late",
            None,
            Config { budget: Budget { passing_empty: 2, ..NOTHING }, ..BEGUN },
            &[P::Doubled],
        ),
        ablation(
            W::NoncesForgotten,
            "nonces are forgotten with the claim",
            Some(10),
            Config { seen_by_all: true, budget: Budget { losses: 1, claim_wipes: 1, ..NOTHING }, ..QUIET },
            &[P::Doubled],
        ),
        ablation(
            W::NamedIsOurs,
            "endpointId permits everything",
            Some(11),
            deletion(named),
            &[P::ForeignDeleted],
        ),
        ablation(
            W::AdoptedIsSettled,
            "what was adopted counts as seen",
            Some(12),
            Config { budget: Budget { lags: 1, deletions: 1, creations: 1, forced: 1, ..NOTHING }, ..BEGUN },
            &[P::ReadyLies],
        ),
        ablation(
            W::NoSettling,
            "Observe does not wait for open attempts",
            Some(13),
            Config {
                edits: &[Manifest { observe: true, endpoint: 1, ..PLAIN }],
                preexisting: &[MarkOwner::None],
                budget: Budget { losses: 1, edits: 1, deletions: 1, ..NOTHING },
                ..QUIET
            },
            &[P::Stuck, P::Doubled, P::Leaked],
        ),
        ablation(
            W::NamedMayBePosted,
            "endpointId does not forbid a POST",
            Some(14),
            Config { budget: Budget { vanishings: 1, ..NOTHING }, ..named },
            &[P::PostUnwanted],
        ),
        ablation(
            W::ForeignClaimIgnored,
            "another cluster's claim is overlooked",
            Some(15),
            Config { foreign_claim: true, ..QUIET },
            &[P::PostUnwanted, P::Stuck],
        ),
        ablation(
            W::UnreadableIsAbsent,
            "an unreadable claim is none",
            Some(16),
            Config {
                seen_by_all: true,
                budget: Budget { garbles: 1, losses: 1, crashes: 1, ..NOTHING },
                ..QUIET
            },
            &[P::Doubled],
        ),
        ablation(
            W::PostAgain,
            "a nonce may be posted again",
            None,
            Config { budget: Budget { refusals: 1, losses: 1, ..NOTHING }, ..QUIET },
            &[P::PostTwice],
        ),
        ablation(
            W::ClaimAssumed,
            "a claim without a response counts as accepted",
            None,
            Config { budget: Budget { outages: 1, ..NOTHING }, ..QUIET },
            &[P::PostUnclaimed],
        ),
        ablation(
            W::NoDeletionCheck,
            "what the watch shows before the POST is not checked",
            None,
            deletion(QUIET),
            &[P::PostAfterDeletion],
        ),
        ablation(
            W::NoGet,
            "without GET, after the VPC endpoint was changed",
            Some(1),
            Config {
                manifest: Manifest { vpc: 1, ..PLAIN },
                edits: &[Manifest { vpc: 2, ..PLAIN }],
                budget: Budget { edits: 1, ..NOTHING },
                ..BEGUN
            },
            &[P::StalePatch],
        ),
        ablation(
            W::OldListing,
            "a listing need not be fresh",
            None,
            Config { budget: Budget { lags: 1, deletions: 1, creations: 1, ..NOTHING }, ..BEGUN },
            &[P::DeadRecorded],
        ),
        ablation(
            W::RecordForgotten,
            "what was recorded is forgotten with the object",
            None,
            Config {
                manifest: Manifest { retain: true, ..PLAIN },
                budget: Budget { lags: 1, deletions: 1, creations: 1, ..NOTHING },
                ..QUIET
            },
            &[P::Doubled],
        ),
    ]
}
