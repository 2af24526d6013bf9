//! Every stage of the machine that a life reaches takes every input that does not belong to it: the reconcile ends, is repeated, and
//! writes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::access::CredentialsInUse;
use domain::fault::FaultKind;
use domain::rate_limits::Withheld;
use domain::reconcile::{ApiFailure, Effect as E, Input as I, Moment, Permits, Resolution};
use domain::reference::VpcEndpoint;
use domain::serverless::kept::KeptState;
use domain::serverless::reconcile::vocabulary::{CallResponse, EndpointWrite, Listed, Others};
use invariants::fixtures::{Mark, endpoint, fault};

use crate::effect_table;
use crate::effects::{LifeEffect, LifeInput, LifeMachine, first_word, shown, shown_input, word};
use crate::faults::{EffectFault, FAULTS};
use crate::life_run::{LifePlan, LifeRun, Shows};
use crate::table::LIVES;

/// The source of the machine, for the names of its stages.
const SOURCE: &str = include_str!("../../src/serverless/reconcile/mod.rs");

/// The source of the stages in which a report is published.
const PUBLISH: &str = include_str!("../../src/serverless/reconcile/publish.rs");

/// Returns inputs of all kinds, for a machine with this object.
fn inputs(machine: &LifeMachine) -> Vec<LifeInput> {
    let object = || machine.object().clone();
    let listed = |result| Listed { sent: Duration::ZERO, result, was_requested: true, sunset: None };
    let mut inputs = vec![
        I::Start,
        I::Performed,
        I::Others(Others::default()),
        I::Resolved(Resolution::Found(VpcEndpoint::Undeclared)),
        I::Resolved(Resolution::NotRead),
        I::Resolved(Resolution::NotNeeded),
        I::Credentials(Ok(CredentialsInUse::Own)),
        I::Credentials(Ok(CredentialsInUse::Default)),
        I::Credentials(Err(fault(FaultKind::CredentialsNotFound))),
        I::Begun(Some([9; 16])),
        I::Begun(None),
        I::Withheld(Withheld::All(fault(FaultKind::RateLimited))),
        I::Withheld(Withheld::Writes(fault(FaultKind::Forbidden))),
        I::Listed(Ok(listed(Ok([].into())))),
        I::Listed(Ok(listed(Err(fault(FaultKind::Unavailable))))),
        I::Listed(Err(Duration::from_secs(1))),
        I::Read(Ok(object())),
        I::Written(Ok(object())),
        I::Output(Ok(None)),
        I::Output(Err("timeout".into())),
        I::Address(None),
        I::Address(Some("address".to_owned())),
        I::Stopped,
    ];
    let failures = || {
        let text = "timeout".to_owned();
        [
            ApiFailure::Conflict,
            ApiFailure::NotFound,
            ApiFailure::KindNotInstalled,
            ApiFailure::Rejected(text.clone()),
            ApiFailure::Unknown(text),
        ]
    };
    inputs.extend(failures().map(|failure| I::Read(Err(failure))));
    inputs.extend(failures().map(|failure| I::Written(Err(failure))));
    let responses = [
        CallResponse::Created(endpoint(9, Mark::Ours, "RESERVED")),
        CallResponse::Updated(endpoint(9, Mark::Ours, "RESERVED")),
        CallResponse::Deleted { not_found: false },
        CallResponse::Deleted { not_found: true },
        CallResponse::Refused(fault(FaultKind::Refused)),
        CallResponse::Uncertain(fault(FaultKind::Unavailable)),
    ];
    inputs.extend(responses.map(|response| I::Called(response, Duration::ZERO)));
    inputs
}

/// Returns `true` if the input is a result of the effect, or the first input of a machine that has asked for none.
fn belongs(effect: Option<&LifeEffect>, input: &LifeInput) -> bool {
    let Some(effect) = effect else { return matches!(input, I::Start) };
    if effect_table::of(&word(effect)).is_none_or(|row| !row.inputs.contains(&word(input).as_str())) {
        return false;
    }
    match (effect, input) {
        (E::Call { call, .. }, I::Called(response, _)) => match response {
            CallResponse::Created(_) => matches!(call, EndpointWrite::Create { .. }),
            CallResponse::Updated(_) => matches!(call, EndpointWrite::Update { .. }),
            CallResponse::Deleted { .. } => matches!(call, EndpointWrite::Delete { .. }),
            CallResponse::Refused(_) | CallResponse::Uncertain(_) => true,
        },
        _ => true,
    }
}

/// Returns what is wrong with a machine that waits for a result of `effect`, or for its first input, and gets something else.
pub(crate) fn probe(machine: &LifeMachine, effect: Option<&LifeEffect>, at: &Moment) -> Vec<String> {
    let mut problems = Vec::new();
    let waits_for_all = ["PermitToDecide", "ListCredentials", "Listing"];
    if waits_for_all.iter().any(|stage| self::stage(machine).starts_with(stage)) {
        if format!("{machine:?}").contains("Plan {") {
            problems.push("it holds a plan while all objects may wait".to_owned());
        }
        if machine.permits() != Permits::default() {
            problems.push("it holds a permit while all objects may wait".to_owned());
        }
    }
    for input in inputs(machine) {
        if belongs(effect, &input) {
            continue;
        }
        let (mut machine, mut kept) = (machine.clone(), KeptState::default());
        let here = format!("{} → {}", effect.map_or_else(String::new, shown), shown_input(&input));
        match machine.resume(input, &mut kept, at) {
            E::Done(done) if done.requeue.is_some() && done.plan.is_none() => {}
            other => problems.push(format!("{here}: {}", shown(&other))),
        }
        let holds = machine.permits() != Permits::default();
        let continues = !matches!(machine.resume(I::Performed, &mut kept, at), E::Done(_));
        if holds || continues {
            problems.push(format!("{here}: it has not ended"));
        }
    }
    problems
}

/// Returns the name of the stage of a machine, with that of the call or part in it.
pub(crate) fn stage(machine: &LifeMachine) -> String {
    let text = format!("{machine:?}");
    let stage = text.rsplit_once(", awaiting: ").map_or("", |(_, stage)| stage);
    let mut words = stage.split(|c: char| !c.is_alphanumeric()).take(2);
    let first = words.next().unwrap_or_default();
    match (first, words.next()) {
        ("Acquiring" | "CallingApi" | "PermitToDecide" | "Output", Some(second)) => {
            format!("{first}({second})")
        }
        _ => first.to_owned(),
    }
}

/// Returns the variants of an enum in the source.
pub(crate) fn variants(source: &str, name: &str) -> Vec<String> {
    let body = source.split_once(&format!("enum {name}")).map_or("", |(_, rest)| rest);
    let body =
        body.split_once("{\n").and_then(|(_, rest)| rest.split_once("\n}")).map_or("", |(body, _)| body);
    let names = body.lines().filter_map(|line| line.strip_prefix("    "));
    let names = names.filter(|line| line.starts_with(char::is_uppercase));
    let names: Vec<_> = names.map(|line| first_word(line).to_owned()).collect();
    assert!(!names.is_empty(), "there is no enum {name}");
    names
}

#[test]
fn a_result_of_another_kind_ends_a_reconcile_in_every_stage() {
    let mut stages = BTreeSet::new();
    let mut plans = vec![];
    for life in LIVES {
        let reference = LifeRun::of(life, None, Shows::Nothing);
        plans.push((life, None));
        // Conflicts lead to the stages that start over, and what is withheld to a rest with a permit.
        for (index, effect) in reference.counted.iter().enumerate() {
            let leads_further = |fault: &&EffectFault| {
                ["conflict", "writes are withheld"].contains(&fault.name)
                    && fault.applies(effect.subject, effect.interruption, effect.is_recorded)
            };
            for fault in FAULTS.iter().filter(leads_further) {
                let then = fault.continuations()[1];
                plans.push((life, Some(LifePlan { at: index + 1, fault: *fault, then })));
            }
        }
    }
    for (life, plan) in plans {
        let run = LifeRun::of(life, plan, Shows::Stages);
        assert!(run.problems.is_empty(), "{} {plan:?}: {:#?}", life.name, run.problems);
        stages.extend(run.stages.into_iter().flatten());
    }
    let parts: BTreeSet<_> = stages.iter().flat_map(|stage| stage.split(['(', ')'])).collect();
    let all = [(SOURCE, "Awaiting"), (SOURCE, "ApiCall"), (PUBLISH, "OutputStage")];
    for variant in all.into_iter().flat_map(|(source, name)| variants(source, name)) {
        assert!(parts.contains(variant.as_str()), "no life reaches the stage {variant}: {stages:#?}");
    }
}
