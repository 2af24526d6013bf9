//! The faults of each class of effects, as data: what becomes of the request, and what the process gets.

use std::sync::Arc;
use std::time::Duration;

use domain::access::CredentialsInUse;
use domain::fault::FaultKind;
use domain::rate_limits::Withheld;
use domain::reconcile::{ApiFailure, Input as I, Interruption, Resolution};
use domain::serverless::reconcile::vocabulary::{CallResponse, Listed};
use invariants::fixtures::fault;

use crate::effects::{EffectClass, LifeInput};

/// What happens before the effect is performed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    /// The process stands still for this long.
    Pause(Duration),
    /// Somebody changes what the operator does not read of the object.
    Touch,
    /// A user deletes the object.
    Delete,
    /// From then on nothing may start, until another process does. It may still lead.
    Stop {
        leads: bool,
    },
}

/// What becomes of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Performed,
    NotPerformed,
    /// It arrives after its sender gave it up.
    Late,
    /// From then on each listing is as old as the machine accepts.
    Oldest,
}

/// What the process gets.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FaultResult {
    /// The result of the effect.
    Result,
    /// Another input; the argument is the present.
    Other(fn(Duration) -> LifeInput),
    /// It gets nothing: it dies.
    Death,
}

/// One fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EffectFault {
    pub(crate) name: &'static str,
    subjects: &'static [EffectClass],
    /// What the machine has to allow when nothing may start any more.
    while_it: Option<Interruption>,
    /// It makes sense only if an endpoint is recorded.
    recorded: bool,
    pub(crate) before: Before,
    pub(crate) fate: Fate,
    pub(crate) outcome: FaultResult,
}

/// How a run continues after its fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Continuation {
    /// The same process continues.
    GoesOn,
    /// The same process continues, and its watch shows nothing for a while.
    GoesOnUnwatched,
    /// Another process starts.
    Restarts,
    /// Another process starts with a cached object from before the reconcile.
    RestartsUnwatched,
}

impl EffectFault {
    /// Returns `true` if an effect of this class can have the fault.
    pub(crate) fn applies(
        &self,
        subject: EffectClass,
        interruption: Interruption,
        is_recorded: bool,
    ) -> bool {
        self.subjects.contains(&subject)
            && self.while_it.is_none_or(|required| required == interruption)
            && (is_recorded || !self.recorded)
    }

    /// Returns how a run may continue after it.
    pub(crate) fn continuations(&self) -> &'static [Continuation] {
        use Continuation as C;
        match (self.outcome, self.before) {
            (FaultResult::Death, _) => &[C::Restarts, C::RestartsUnwatched],
            (_, Before::Delete) => &[C::GoesOn, C::GoesOnUnwatched],
            (_, Before::Stop { .. }) => &[C::GoesOn],
            (_, _) => &[C::GoesOn, C::GoesOnUnwatched, C::Restarts],
        }
    }
}

const NONE: EffectFault = EffectFault {
    name: "",
    subjects: &[],
    while_it: None,
    recorded: false,
    before: Before::Nothing,
    fate: NotPerformed,
    outcome: FaultResult::Result,
};

const fn fails(
    name: &'static str,
    subjects: &'static [EffectClass],
    fate: Fate,
    input: fn(Duration) -> LifeInput,
) -> EffectFault {
    EffectFault { name, subjects, fate, outcome: FaultResult::Other(input), ..NONE }
}

const fn dies(name: &'static str, subjects: &'static [EffectClass], fate: Fate) -> EffectFault {
    EffectFault { name, subjects, fate, outcome: FaultResult::Death, ..NONE }
}

const fn stops(
    name: &'static str,
    subjects: &'static [EffectClass],
    fate: Fate,
    when: Interruption,
) -> EffectFault {
    EffectFault { while_it: Some(when), ..fails(name, subjects, fate, |_| I::Stopped) }
}

const fn waits(name: &'static str, subjects: &'static [EffectClass], before: Before) -> EffectFault {
    EffectFault { name, subjects, before, fate: Performed, ..NONE }
}

fn refused(kind: FaultKind) -> LifeInput {
    I::Called(CallResponse::Refused(fault(kind)), Duration::ZERO)
}

fn uncertain(now: Duration) -> LifeInput {
    I::Called(CallResponse::Uncertain(fault(FaultKind::Unavailable)), now)
}

fn not_listed(kind: FaultKind, sent: Duration) -> LifeInput {
    I::Listed(Ok(Listed { sent, result: Err(fault(kind)), was_requested: true, sunset: None }))
}

fn unwritten(failure: ApiFailure) -> LifeInput {
    I::Written(Err(failure))
}

fn rejected() -> ApiFailure {
    ApiFailure::Rejected("500".to_owned())
}

fn unknown() -> ApiFailure {
    ApiFailure::Unknown("timeout".to_owned())
}

/// A time that exceeds the deadline of an attempt.
const PAUSE: Duration = Duration::from_secs(15);

/// A time after which an attempt of another process counts as settled.
const LONG_PAUSE: Duration = Duration::from_mins(6);

use EffectClass as S;
use Fate::{Late, NotPerformed, Performed};

/// The requests to Atlas that change something.
const CALLS: &[EffectClass] = &[S::Create, S::Update, S::Delete];

/// The effects that change something outside of the process.
const CHANGES: &[EffectClass] = &[S::Write, S::Create, S::Update, S::Delete, S::Publish, S::Output];

/// The effects whose requests may arrive after their sender gave them up.
const LATE: &[EffectClass] = &[S::Write, S::Create, S::Update, S::Delete];

/// All faults.
pub(crate) const FAULTS: &[EffectFault] = &[
    dies("the process dies before it", S::ALL, NotPerformed),
    dies("the process dies after it", CHANGES, Performed),
    dies("the process dies, and it is executed late", LATE, Late),
    stops("it is not begun", S::ALL, NotPerformed, Interruption::Drop),
    stops("it is dropped and was executed", CHANGES, Performed, Interruption::Drop),
    stops("it is dropped and executed late", LATE, Late, Interruption::Drop),
    stops("it ends, and nothing may follow", S::ALL, Performed, Interruption::FinishWithoutCreate),
    // Two that an executor never causes, and that are harmless all the same.
    stops("it is dropped although it must end", S::ALL, NotPerformed, Interruption::Finish),
    stops("it is dropped although it must end, and was executed", S::ALL, Performed, Interruption::Finish),
    stops("it is dropped although it must end, and executed late", LATE, Late, Interruption::Finish),
    fails("it has another result", S::ALL, NotPerformed, |_| I::Start),
    fails("it has another result, and was executed", CHANGES, Performed, |_| I::Start),
    fails("it has another result, and is executed late", LATE, Late, |_| I::Start),
    waits("the process pauses before it", S::ALL, Before::Pause(PAUSE)),
    waits("the process pauses for long before it", S::ALL, Before::Pause(LONG_PAUSE)),
    waits("somebody touches the object before it", &[S::LookUp, S::List, S::Read, S::Write], Before::Touch),
    fails("the reference is not read", &[S::Resolve], NotPerformed, |_| I::Resolved(Resolution::NotRead)),
    fails("there are no credentials", &[S::GetCredentials], NotPerformed, |_| {
        I::Credentials(Err(fault(FaultKind::CredentialsNotFound)))
    }),
    fails("the credentials cannot be read", &[S::GetCredentials], NotPerformed, |_| {
        I::Credentials(Err(fault(FaultKind::Unavailable)))
    }),
    fails("the credentials are others", &[S::GetCredentials], NotPerformed, |_| {
        I::Credentials(Ok(CredentialsInUse::Default))
    }),
    fails("all calls are withheld", &[S::Begin], NotPerformed, |_| {
        I::Withheld(Withheld::All(fault(FaultKind::RateLimited)))
    }),
    fails("writes are withheld", &[S::Begin], NotPerformed, |_| {
        I::Withheld(Withheld::Writes(fault(FaultKind::Forbidden)))
    }),
    fails("there are no random numbers", &[S::Begin], NotPerformed, |_| I::Begun(None)),
    EffectFault { name: "listings are as old as accepted", subjects: &[S::List], fate: Fate::Oldest, ..NONE },
    fails("Atlas cannot be reached", &[S::List], NotPerformed, |now| not_listed(FaultKind::Unavailable, now)),
    fails("Atlas limits the rate", &[S::List], NotPerformed, |now| not_listed(FaultKind::RateLimited, now)),
    fails("Atlas rejects the key", &[S::List], NotPerformed, |now| not_listed(FaultKind::Unauthorized, now)),
    fails("the instance seems gone", &[S::List], NotPerformed, |now| {
        not_listed(FaultKind::InstanceNotFound, now)
    }),
    fails("the API seems gone", &[S::List], NotPerformed, |now| not_listed(FaultKind::Retired, now)),
    fails("users list too often", &[S::List], NotPerformed, |_| I::Listed(Err(PAUSE))),
    EffectFault {
        recorded: true,
        ..fails("it shows nothing", &[S::List], NotPerformed, |sent| {
            I::Listed(Ok(Listed { sent, result: Ok(Arc::from([])), was_requested: true, sunset: None }))
        })
    },
    fails("not found", &[S::Read], NotPerformed, |_| I::Read(Err(ApiFailure::NotFound))),
    fails("not installed", &[S::Read], NotPerformed, |_| I::Read(Err(ApiFailure::KindNotInstalled))),
    fails("rejected", &[S::Read], NotPerformed, |_| I::Read(Err(rejected()))),
    fails("no response", &[S::Read], NotPerformed, |_| I::Read(Err(unknown()))),
    fails("conflict", &[S::Write], NotPerformed, |_| unwritten(ApiFailure::Conflict)),
    fails("not found", &[S::Write], NotPerformed, |_| unwritten(ApiFailure::NotFound)),
    fails("not installed", &[S::Write], NotPerformed, |_| unwritten(ApiFailure::KindNotInstalled)),
    fails("rejected", &[S::Write], NotPerformed, |_| unwritten(rejected())),
    fails("rejected and executed", &[S::Write], Performed, |_| unwritten(rejected())),
    fails("rejected and executed late", &[S::Write], Late, |_| unwritten(rejected())),
    fails("no response, not executed", &[S::Write], NotPerformed, |_| unwritten(unknown())),
    fails("no response, executed", &[S::Write], Performed, |_| unwritten(unknown())),
    fails("no response, executed late", &[S::Write], Late, |_| unwritten(unknown())),
    fails("refused", CALLS, NotPerformed, |_| refused(FaultKind::Refused)),
    fails("the key is rejected", CALLS, NotPerformed, |_| refused(FaultKind::Unauthorized)),
    fails("the instance seems gone", CALLS, NotPerformed, |_| refused(FaultKind::InstanceNotFound)),
    fails("no response, not executed", CALLS, NotPerformed, uncertain),
    fails("no response, executed", CALLS, Performed, uncertain),
    fails("no response, executed late", CALLS, Late, uncertain),
    fails("Atlas knows no such endpoint", &[S::Delete], NotPerformed, |now| {
        I::Called(CallResponse::Deleted { not_found: true }, now)
    }),
    fails("Atlas knows no such endpoint", &[S::Update], NotPerformed, |_| {
        refused(FaultKind::EndpointNotFound)
    }),
    fails("the ConfigMap cannot be written", &[S::Output], NotPerformed, |_| {
        I::Output(Err("timeout".into()))
    }),
    fails("the ConfigMap is written without a response", &[S::Output], Performed, |_| {
        I::Output(Err("timeout".into()))
    }),
    fails("the address is not shown", &[S::FindAddress], NotPerformed, |_| I::Address(None)),
];

/// A user deletes the object while it is reconciled.
pub(crate) const DELETION: EffectFault = waits("a user deletes the object before it", S::ALL, Before::Delete);

/// The process is to end, or no longer leads.
pub(crate) const STOPS: [EffectFault; 2] = [
    waits("the process is to end from then on", S::ALL, Before::Stop { leads: true }),
    waits("the process leads no longer from then on", S::ALL, Before::Stop { leads: false }),
];
