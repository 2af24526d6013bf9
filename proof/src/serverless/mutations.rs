//! Ablations: the protocol with one rule removed, in the model around the rules, or in their inputs and outputs. Each
//! must be found to violate an invariant, or the search would find nothing.
//!
//! Nothing here ships, and the code that ships has no switch for it.

use std::time::Duration;

use domain::fault::FaultKind;
use domain::reconcile::{Effect, Input};
use domain::serverless::decision::{ConfirmedAbsence, Decision, Step};
use domain::serverless::kept::KeptState;
use domain::serverless::memory::Memory;
use domain::serverless::observed::{Attempt, AttemptOutcome, Deleted, Listing, Observed, Times};
use domain::serverless::ownership::{ClaimReading, mark_of, marked_comment};
use domain::serverless::reconcile::vocabulary::Listed;
use domain::serverless::reconcile::vocabulary::Serverless;

use super::convert::{GARBLED, nonce, token};
use super::object::{Annotation, CachedObject};
use super::state::Machine;
use super::times::{OLD, TICK, moment, stamp, times};

/// The rule that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mutation {
    /// None: the protocol that ships.
    #[default]
    None,
    /// The API server accepts a claim whatever its resourceVersion.
    NoResourceVersion,
    /// No listing is checked while no endpoint is recorded.
    NoListing,
    /// A claimed attempt may be sent at any later time.
    NoDeadline,
    /// D is counted from the response to the claim.
    DeadlineFromResponse,
    /// Q is shorter than requests stay in flight.
    ShortUncertainty,
    /// A deletion does not wait for attempts of unknown outcome.
    NoWaitInDelete,
    /// PATCH and DELETE without reading the object first.
    NoGet,
    /// A claim does not name the endpoint that it replaces.
    ReplacedNotNamed,
    /// A record does not test the claim.
    RecordIgnoresClaim,
    /// A record does not test the recorded id.
    RecordIgnoresId,
    /// A record tests neither.
    RecordUntested,
    /// An attempt is dropped as soon as the object does not show it.
    NoncesForgotten,
    /// One listing is enough to confirm an absence.
    OneListing,
    /// Retain, suspend, Observe and release do not wait for open attempts.
    NoSettling,
    /// One response that the instance is no more is enough.
    OneGone,
    /// Another failure between two responses that the instance is no more does not end the run.
    RunNotBroken,
    /// The first of two responses that the instance is no more may be from long ago.
    RunNeverEnds,
    /// An adopted endpoint counts as seen.
    AdoptedIsSettled,
    /// A 404 for a new id is believed.
    NotFoundBelieved,
    /// V is longer than a listing lags.
    LongVisibility,
    /// An endpoint is not deleted unless a listing shows it.
    DeleteOnlyListed,
    /// A long comment truncates the mark.
    MarkLost,
    /// Any 404 means that the endpoint is deleted.
    AnyNotFoundIsGone,
    /// `endpointId` permits everything.
    NamedIsOurs,
    /// `endpointId` does not forbid a POST.
    NamedMayBePosted,
    /// The claim of another cluster is ignored.
    ForeignClaimIgnored,
    /// An unreadable claim counts as none.
    UnreadableIsAbsent,
    /// The recorded endpoint need not be the one that is kept.
    ExcessBeforeRecorded,
    /// An attempt may be sent again.
    PostAgain,
    /// A claim without a response counts as accepted.
    ClaimAssumed,
    /// The events of the watch since the claim are not checked before the POST.
    NoDeletionCheck,
    /// A listing may be from long ago.
    OldListing,
    /// The recorded endpoint is forgotten with the object, or with the status.
    RecordForgotten,
}

impl Mutation {
    /// Returns the times of the protocol, or others.
    pub(crate) fn times(self) -> Times {
        match self {
            Self::NoDeadline => Times { create_deadline: Duration::MAX, ..times() },
            Self::ShortUncertainty => Times { uncertainty: Duration::ZERO, ..times() },
            Self::RunNeverEnds => Times { confirm_within: Duration::MAX, ..times() },
            Self::NotFoundBelieved => Times { visibility: Duration::ZERO, ..times() },
            Self::LongVisibility => Times { visibility: TICK * u32::from(OLD + 1), ..times() },
            _ => times(),
        }
    }

    /// Returns how the rules are shown a 404 as if the project were unknown.
    pub(crate) fn no_access(self) -> FaultKind {
        if self == Self::AnyNotFoundIsGone { FaultKind::InstanceNotFound } else { FaultKind::NoAccess }
    }

    /// Changes the input of the rules.
    pub(crate) fn before(self, o: &mut Observed, acknowledged: u8) {
        match self {
            Self::NoListing if o.object.recorded.is_none() && !o.object.deleting => show_nothing(o),
            Self::DeadlineFromResponse => {
                for attempt in o.memory.attempts.iter_mut().filter(|a| a.outcome == AttemptOutcome::NotSent) {
                    attempt.age = TICK * u32::from(acknowledged);
                }
            }
            Self::NoWaitInDelete if o.object.deleting => settle(o),
            Self::NoSettling if released(o) => settle(o),
            Self::NoncesForgotten => {
                let shown = o.object.claim.nonce().cloned();
                o.memory.attempts.retain(|attempt| Some(&attempt.nonce) == shown.as_ref());
            }
            Self::OneListing => {
                let absence = o.memory.absent.map_or(ConfirmedAbsence::Everything, |(absence, _)| absence);
                o.memory.absent = Some((absence, times().confirm_gap));
            }
            Self::OneGone => o.memory.gone.iter_mut().for_each(|(_, age)| *age = times().confirm_gap),
            Self::AdoptedIsSettled => o.memory.adopted = None,
            Self::RecordForgotten => o.memory.forgotten = None,
            Self::DeleteOnlyListed => believe_deleted(o),
            Self::PostAgain => {
                for attempt in o.memory.attempts.iter_mut().filter(|a| !is_known(&a.outcome)) {
                    attempt.outcome = AttemptOutcome::NotSent;
                }
            }
            Self::NamedIsOurs => claim_named(o),
            Self::NamedMayBePosted => {
                if let Ok(spec) = &mut o.spec {
                    spec.endpoint_id = None;
                }
            }
            Self::ForeignClaimIgnored => {
                if let ClaimReading::Foreign(_) = o.object.claim {
                    o.object.claim = ClaimReading::Absent;
                }
            }
            Self::UnreadableIsAbsent => {
                let garbled = nonce(GARBLED);
                o.memory.attempts.retain(|attempt| attempt.nonce != garbled);
                if let ClaimReading::Unreadable(_) = o.object.claim {
                    o.object.claim = ClaimReading::Absent;
                }
            }
            _ => {}
        }
    }

    /// Gives an input to the machine that is about to perform `step`, and changes its effect on the memory.
    pub(crate) fn resume(
        self,
        machine: &mut Machine,
        input: Input<Serverless<CachedObject>>,
        kept: &mut KeptState,
        step: &Step,
    ) -> Effect<Serverless<CachedObject>> {
        match (self, &input, step) {
            (Self::RunNotBroken, Input::Listed(Ok(Listed { result: Err(fault), .. })), _)
                if !fault.kind.reports_gone() =>
            {
                let memory = kept.memory.clone();
                let effect = machine.resume(input, kept, &moment());
                kept.memory = memory;
                effect
            }
            (Self::PostAgain, Input::Credentials(_), Step::Create { nonce, .. }) => {
                let since = kept.memory.since(nonce).unwrap_or_default();
                kept.memory.begin_send(nonce);
                let mut memory = Memory::default();
                memory.begin_claim(nonce.clone(), since);
                let mut again = KeptState::claimed(memory, Some((nonce.clone(), stamp(since))));
                machine.resume(input, &mut again, &moment())
            }
            _ => machine.resume(input, kept, &moment()),
        }
    }

    /// Changes the output of the rules. Returns `true` if it did.
    pub(crate) fn after(self, decision: &mut Decision, o: &Observed) -> bool {
        match (self, &mut decision.step) {
            (Self::MarkLost, Step::Update { comment: Some(comment), .. }) => {
                "a long text".clone_into(comment);
                return true;
            }
            (Self::ExcessBeforeRecorded, Step::Record { endpoint, .. }) => {
                // With nothing recorded yet, another endpoint with our mark counts as excess, too.
                if let Listing::Fetched(listing) = &o.listing
                    && let Some(other) =
                        listing.iter().find(|other| other.id != endpoint.id && o.is_ours(other))
                {
                    decision.step = Step::Delete { id: other.id.clone(), excess: true };
                    return true;
                }
            }
            _ => {}
        }
        false
    }

    /// Changes the claim before it is written.
    pub(crate) fn claim(self, claim: Annotation) -> Annotation {
        match claim {
            Annotation::Claim { life, nonce, .. } if self == Self::ReplacedNotNamed => {
                Annotation::Claim { life, nonce, replaced: 0 }
            }
            claim => claim,
        }
    }
}

fn show_nothing(o: &mut Observed) {
    if let Listing::Fetched(listing) = &mut o.listing {
        listing.clear();
    }
}

/// Returns whether the object is not to be changed, or to be released without a DELETE.
fn released(o: &Observed) -> bool {
    o.spec.as_ref().is_ok_and(|spec| {
        spec.suspend || spec.observe || spec.endpoint_id.is_some() || (o.object.deleting && spec.retain)
    })
}

/// Returns whether no attempt may land any more, as far as the rules can see.
fn settle(o: &mut Observed) {
    let recorded = o.object.recorded.as_ref().map(|endpoint| endpoint.id.clone());
    if let Some(open) = o.object.claim.open_nonce(recorded.as_ref()).cloned()
        && o.memory.attempts.iter().all(|attempt| attempt.nonce != open)
    {
        o.memory.attempts.push(Attempt {
            nonce: open,
            age: Duration::ZERO,
            outcome: AttemptOutcome::Settled,
        });
    }
    for attempt in o.memory.attempts.iter_mut().filter(|a| !is_known(&a.outcome)) {
        attempt.outcome = AttemptOutcome::Settled;
    }
}

/// Returns whether the endpoint of the attempt is known and waits to be recorded.
fn is_known(outcome: &AttemptOutcome) -> bool {
    matches!(outcome, AttemptOutcome::Created(_))
}

/// Makes a recorded endpoint that no listing shows count as deleted.
fn believe_deleted(o: &mut Observed) {
    let (Listing::Fetched(listing), Some(recorded)) = (&o.listing, o.recorded().cloned()) else { return };
    if listing.iter().all(|endpoint| endpoint.id != recorded) {
        o.memory.deleted.retain(|response| response.id != recorded);
        o.memory.deleted.push(Deleted { id: recorded, ago: TICK * u32::from(OLD), not_found: false });
    }
}

/// Makes the endpoint that `endpointId` names count as ours, whatever mark it carries.
fn claim_named(o: &mut Observed) {
    let named = o.spec.as_ref().ok().and_then(|spec| spec.endpoint_id.clone());
    if let (Listing::Fetched(listing), Some(named)) = (&mut o.listing, named) {
        for endpoint in listing.iter_mut().filter(|endpoint| endpoint.id == named) {
            if mark_of(&endpoint.comment).as_ref() != Some(token()) {
                endpoint.comment = marked_comment(None, token());
            }
        }
    }
}
