//! The effects and inputs of the machine in words: which class an effect belongs to, and how both are shown in a trace.

use domain::reconcile::{Interruption, ObjectWrite, OutputRequest, Permits, Resolution};
use domain::serverless::reconcile::Reconcile;
use domain::serverless::reconcile::vocabulary::{CallResponse, EndpointWrite, Serverless};

use crate::stored_object::StoredObject;

/// The machine under test.
pub(crate) type LifeMachine = Reconcile<StoredObject>;

/// What it requests.
pub(crate) type LifeEffect = domain::reconcile::Effect<Serverless<StoredObject>>;

/// What it is given.
pub(crate) type LifeInput = domain::reconcile::Input<Serverless<StoredObject>>;

/// The classes of effects, by the faults that they can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EffectClass {
    LookUp,
    Resolve,
    Declare,
    Acquire,
    GetCredentials,
    Begin,
    List,
    Read,
    Write,
    Create,
    Update,
    Delete,
    Publish,
    CatchUp,
    Output,
    FindAddress,
    Done,
}

impl EffectClass {
    /// All that can have a fault.
    pub(crate) const ALL: &'static [Self] = &[
        Self::LookUp,
        Self::Resolve,
        Self::Declare,
        Self::Acquire,
        Self::GetCredentials,
        Self::Begin,
        Self::List,
        Self::Read,
        Self::Write,
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Publish,
        Self::Output,
        Self::FindAddress,
    ];

    pub(crate) fn of(effect: &LifeEffect) -> Self {
        use domain::reconcile::Effect as E;
        match effect {
            E::LookUp => Self::LookUp,
            E::Resolve => Self::Resolve,
            E::Declare(_) => Self::Declare,
            E::Acquire(_) => Self::Acquire,
            E::GetCredentials(_) => Self::GetCredentials,
            E::Begin(_) => Self::Begin,
            E::List(_) => Self::List,
            E::Read => Self::Read,
            E::Write(_) => Self::Write,
            E::Call { call: EndpointWrite::Create { .. }, .. } => Self::Create,
            E::Call { call: EndpointWrite::Update { .. }, .. } => Self::Update,
            E::Call { call: EndpointWrite::Delete { .. }, .. } => Self::Delete,
            E::Publish(_) => Self::Publish,
            E::CatchUp => Self::CatchUp,
            E::Output(_) => Self::Output,
            E::FindAddress { .. } => Self::FindAddress,
            E::Done(_) => Self::Done,
        }
    }
}

/// Returns why the machine may not request `effect` while it holds these permits, or allow that it is dropped.
pub(crate) fn permit_problem(
    effect: &LifeEffect,
    permits: Permits,
    interruption: Interruption,
) -> Option<String> {
    use domain::reconcile::{Effect as E, PermitKind};
    let Permits { atlas, api_server } = permits;
    let fits = match effect {
        // What never waits may hold any.
        E::LookUp | E::Resolve | E::Declare(_) => true,
        // Only the machine of another kind waits for the watches.
        E::CatchUp => false,
        // Credentials are read with a permit of their own, and nothing acquires a permit that it holds.
        E::GetCredentials(_) | E::Acquire(PermitKind::ApiServer) => !api_server,
        // So are ConfigMaps and addresses, and all objects may wait for a listing at once. The permit to call Atlas is the first.
        E::Acquire(PermitKind::Atlas) | E::Output(_) | E::FindAddress { .. } | E::List(_) | E::Done(_) => {
            !api_server && !atlas
        }
        E::Begin(_) => atlas,
        E::Read | E::Publish(_) | E::Write(_) => api_server,
        E::Call { .. } => atlas && !api_server,
    };
    let finishes = match effect {
        E::LookUp
        | E::Resolve
        | E::Declare(_)
        | E::Write(ObjectWrite::Claim(_) | ObjectWrite::Record(_))
        | E::Call { call: EndpointWrite::Create { .. }, .. } => interruption == Interruption::Finish,
        _ => true,
    };
    match (fits, finishes) {
        (true, true) => None,
        (false, _) => Some(format!("{} while it holds {permits:?}", shown(effect))),
        (true, false) => Some(format!("{} may be dropped", shown(effect))),
    }
}

/// Returns the first word of the Debug output.
pub(crate) fn word(value: &impl std::fmt::Debug) -> String {
    first_word(&format!("{value:?}")).to_owned()
}

/// Returns the first word.
pub(crate) fn first_word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default()
}

/// Returns the effect in a few words.
pub(crate) fn shown(effect: &LifeEffect) -> String {
    use domain::reconcile::Effect as E;
    match effect {
        E::LookUp | E::Resolve | E::Read | E::CatchUp => word(effect),
        E::Declare(declared) => match declared {
            Some(id) => format!("Declare({id})"),
            None => "Declare(None)".to_owned(),
        },
        E::Acquire(kind) => format!("Acquire({kind:?})"),
        E::GetCredentials(purpose) => format!("GetCredentials({})", word(purpose)),
        E::Begin(intent) => format!("Begin({})", word(intent)),
        E::List(request) => format!("List({:?})", request.cause),
        E::Write(write) => match write {
            ObjectWrite::Claim(claim) => {
                format!("Write(Claim{})", if claim.is_fresh { "" } else { " again" })
            }
            ObjectWrite::OutputName(name) => {
                format!("Write(OutputName {})", name.as_deref().unwrap_or("None"))
            }
            write => format!("Write({})", word(write)),
        },
        E::Call { call, .. } => format!("Call({})", word(call)),
        E::Publish(events) => {
            let reasons: Vec<_> = events.iter().map(|event| event.reason.to_string()).collect();
            format!("Publish({})", reasons.join(", "))
        }
        E::Output(request) => {
            let (OutputRequest::Read(name)
            | OutputRequest::Remove(name)
            | OutputRequest::Create(name, _)
            | OutputRequest::Fill(name, _)
            | OutputRequest::Delete(name)) = request;
            format!("Output({} {name})", word(request))
        }
        E::FindAddress { connected, .. } => format!("FindAddress({connected})"),
        E::Done(done) => {
            let requeue = match done.requeue {
                Some(delay) => format!("after {} s", delay.as_secs()),
                None => "on change".to_owned(),
            };
            format!("Done({:?}, {requeue})", done.end)
        }
    }
}

/// Returns the input in a few words.
pub(crate) fn shown_input(input: &LifeInput) -> String {
    use domain::reconcile::Input as I;
    match input {
        I::Start | I::Performed | I::Others(_) | I::CaughtUp(_) | I::Stopped => word(input),
        I::Resolved(Resolution::Found(found)) => format!("Resolved({})", word(found)),
        I::Resolved(resolution) => format!("Resolved({})", word(resolution)),
        I::Credentials(Ok(source)) => format!("Credentials({})", word(source)),
        I::Credentials(Err(fault)) => format!("Credentials({:?})", fault.kind),
        I::Begun(_) => "Begun".to_owned(),
        I::Withheld(withheld) => format!("Withheld({})", word(withheld)),
        I::Listed(Ok(listed)) => match &listed.result {
            Ok(endpoints) => {
                let all = endpoints.iter().map(|e| format!("{} {}", number(e.id.as_str()), e.status));
                format!("Listed({})", all.collect::<Vec<_>>().join(", "))
            }
            Err(fault) => format!("Listed({:?})", fault.kind),
        },
        I::Listed(Err(delay)) => format!("Listed(rate limited for {} s)", delay.as_secs()),
        I::Read(Ok(_)) => "Read".to_owned(),
        I::Read(Err(failure)) => format!("Read({failure:?})"),
        I::Written(Ok(_)) => "Written".to_owned(),
        I::Written(Err(failure)) => format!("Written({failure:?})"),
        I::Called(response, _) => match response {
            CallResponse::Created(endpoint) => format!("Called(Created {})", number(endpoint.id.as_str())),
            CallResponse::Updated(endpoint) => format!("Called(Updated, {})", endpoint.status),
            CallResponse::Deleted { not_found: true } => "Called(Deleted, not found)".to_owned(),
            CallResponse::Deleted { not_found: false } => "Called(Deleted)".to_owned(),
            CallResponse::Refused(fault) | CallResponse::Uncertain(fault) => {
                format!("Called({} {:?})", word(response), fault.kind)
            }
        },
        I::Output(Ok(Some(map))) => {
            format!("Output({}, {} entries)", if map.is_own { "own" } else { "foreign" }, map.content.len())
        }
        I::Output(Ok(None)) => "Output".to_owned(),
        I::Output(Err(problem)) => format!("Output({problem})"),
        I::Address(address) => format!("Address({})", address.as_deref().unwrap_or("None")),
    }
}

/// Returns the number that an id is made of.
fn number(id: &str) -> &str {
    let number = id.trim_start_matches('0');
    if number.is_empty() { "0" } else { number }
}
