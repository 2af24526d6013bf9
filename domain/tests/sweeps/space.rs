//! The input space of the rules: a few representative values of each of their inputs, in all combinations.
//!
//! An axis is a list of ways to set one input. All values of all axes in one space would be too many, so there are four
//! spaces, each with the axes that matter there.

use std::collections::{BTreeMap, BTreeSet};

use domain::access::CredentialsInUse;
use domain::fault::FaultKind;
use domain::reference::VpcEndpoint;
use domain::serverless::decision::ConfirmedAbsence;
use domain::serverless::endpoint::Endpoint;
use domain::serverless::observed::{
    Attempt, AttemptOutcome, Deleted, Listing, Observed, Owner, ReadyWhen, Spec, WriteOutcome,
};
use domain::serverless::ownership::ClaimReading;
use domain::status::{ConditionType, Reason};
use domain::token::Token;

use invariants::fixtures::{
    FAULTS, MINUTE, Mark, STATUSES, endpoint, fault, foreign_claim, id, nonce, ours, secs,
};
use invariants::fixtures::{shown_condition, stranger, vpce};

/// The ways to set one input. The first axis of a space is distributed over threads.
pub(crate) type Axis = Vec<Box<dyn Fn(&mut Observed) + Send + Sync>>;

/// Which combinations of the axes are visited: all of them, or a fixed third that is spread over all axes.
#[derive(Debug)]
pub(crate) struct SweepSample {
    all: bool,
    count: u32,
}

impl SweepSample {
    /// Returns all combinations in `make proof` (which sets `SPE_PROOF`), a third of them elsewhere.
    pub(crate) fn of_this_run() -> Self {
        Self { all: std::env::var_os("SPE_PROOF").is_some(), count: 0 }
    }

    /// Returns whether the next combination is visited. The product mixes the count, or every third combination would have the same
    /// value of an axis with three values.
    fn takes_next(&mut self) -> bool {
        self.count = self.count.wrapping_add(1);
        self.all || (self.count.wrapping_mul(0x9E37_79B9) >> 16).is_multiple_of(3)
    }
}

/// Calls `visit` with every combination of the axes that `sample` takes.
pub(crate) fn sweep(
    axes: &[Axis],
    o: &mut Observed,
    sample: &mut SweepSample,
    visit: &mut dyn FnMut(&Observed),
) {
    match axes.split_first() {
        None if sample.takes_next() => visit(o),
        None => (),
        Some((first, rest)) => {
            for set in first {
                set(o);
                sweep(rest, o, sample, visit);
            }
        }
    }
}

fn axis<T: Clone + Send + Sync + 'static>(values: Vec<T>, set: fn(&mut Observed, T)) -> Axis {
    values.into_iter().map(|value| Box::new(move |o: &mut Observed| set(o, value.clone())) as _).collect()
}

fn on_spec<T: Clone + Send + Sync + 'static>(values: Vec<T>, set: fn(&mut Spec, T)) -> Axis {
    values
        .into_iter()
        .map(|value| {
            Box::new(move |o: &mut Observed| {
                if let Ok(spec) = &mut o.spec {
                    set(spec, value.clone());
                }
            }) as _
        })
        .collect()
}

/// A living object without an endpoint.
pub(crate) fn creating() -> Vec<Axis> {
    vec![
        listings(
            &listed_first(&["RESERVED", "AVAILABLE", "DELETING"]),
            &[FaultKind::Unavailable, FaultKind::Retired],
        ),
        claims(),
        finalizer(),
        policies(),
        endpoint_ids(&[None, Some(1)]),
        take_over(
            &[None, Some(stranger())],
            &[CredentialsInUse::Own, CredentialsInUse::Remembered(fault(FaultKind::CredentialsNotFound))],
        ),
        attempts(),
        absences(),
        last_write(&[FaultKind::Refused]),
    ]
}

/// A living object whose endpoint the listing shows.
pub(crate) fn keeping() -> Vec<Axis> {
    let mut first: Vec<_> = STATUSES.iter().map(|status| endpoint(1, Mark::Ours, status)).collect();
    for mark in [Mark::None, Mark::Strangers] {
        first.extend(["RESERVED", "AVAILABLE", "DELETING"].map(|status| endpoint(1, mark, status)));
    }
    let mut another_text = endpoint(1, Mark::Ours, "AVAILABLE");
    another_text.comment = format!("another text {}", another_text.comment);
    first.push(another_text);
    vec![
        listings(&first.into_iter().map(Some).collect::<Vec<_>>(), &[]),
        recorded(vec![Some(endpoint(1, Mark::Ours, "AVAILABLE"))]),
        axis(
            vec![ClaimReading::Absent, ours(None), ours(Some(id(1))), foreign_claim(), ClaimReading::Copied],
            |o, claim| o.object.claim = claim,
        ),
        finalizer(),
        policies(),
        endpoint_ids(&[None, Some(1), Some(2)]),
        vpc_endpoints(),
        take_over(&[None, Some(stranger())], &[CredentialsInUse::Own]),
        axis(vec![None, Some((nonce(1), 1)), Some((nonce(2), 201))], |o, known| {
            o.memory.attempts =
                known.map(|(nonce, age)| attempt(nonce, age, AttemptOutcome::Unknown)).into_iter().collect();
        }),
        axis(vec![None, Some(9)], |o, age| o.memory.adopted = age.map(secs)),
        axis(vec![None, Some(59), Some(60)], |o, age: Option<u32>| {
            o.memory.excess_deleted = age.map(|age| MINUTE * age);
        }),
        last_write(&[FaultKind::Refused]),
    ]
}

/// A living object whose endpoint no listing shows, or whose listing is not fetched yet.
pub(crate) fn losing() -> Vec<Axis> {
    vec![
        listings(&[None], &FAULTS),
        recorded(vec![Some(endpoint(1, Mark::Ours, "AVAILABLE"))]),
        claims(),
        finalizer(),
        policies(),
        endpoint_ids(&[None, Some(1)]),
        on_spec(vec![VpcEndpoint::Undeclared, VpcEndpoint::Declared(vpce(2))], |spec, declared| {
            spec.vpc_endpoint = declared;
        }),
        attempts(),
        axis(vec![119, 120], |o, age| o.memory.recorded = secs(age)),
        absences(),
        last_write(&[FaultKind::Unavailable]),
    ]
}

/// An object that is being deleted.
pub(crate) fn deleting() -> Vec<Axis> {
    vec![
        listings(
            &listed_first(&["RESERVED", "DELETING"]),
            &[FaultKind::CredentialsNotFound, FaultKind::NoAccess, FaultKind::InstanceNotFound],
        ),
        axis(vec![true], |o, yes| o.object.deleting = yes),
        recorded(vec![
            None,
            Some(endpoint(1, Mark::Ours, "RESERVED")),
            Some(endpoint(1, Mark::Strangers, "RESERVED")),
        ]),
        claims(),
        axis(vec![Ok((false, false)), Ok((true, false)), Ok((false, true)), Err(())], |o, wanted| {
            o.spec = wanted.map_err(|()| "unreadable".to_owned()).map(|(retain, observe)| Spec {
                retain,
                observe,
                ..Spec::default()
            });
        }),
        attempts(),
        absences(),
        axis(deletions(), |o, (known_for, response)| {
            o.memory.recorded = secs(known_for);
            o.memory.deleted = response
                .map(|(ago, not_found)| Deleted { id: id(1), ago: secs(ago), not_found })
                .into_iter()
                .collect();
        }),
        last_write(&[FaultKind::Unavailable, FaultKind::Retired]),
        keys(),
    ]
}

/// How long the id is known, and the last response to its DELETE: how long ago, and whether it was a 404.
fn deletions() -> Vec<(u64, Option<(u64, bool)>)> {
    vec![
        (119, None),
        (119, Some((0, false))),
        (119, Some((5, false))),
        (119, Some((11, false))),
        (119, Some((5, true))),
        (124, Some((5, true))),
        (125, Some((5, true))),
    ]
}

/// The inputs of reports besides the decision.
pub(crate) fn reporting() -> Vec<Axis> {
    vec![
        listings(
            &STATUSES
                .iter()
                .map(|status| Some(endpoint(1, Mark::Ours, status)))
                .chain([None, Some(endpoint(1, Mark::Strangers, "AVAILABLE"))])
                .chain([Some(Endpoint { service_name: None, ..endpoint(1, Mark::Ours, "RESERVED") })])
                .collect::<Vec<_>>(),
            &FAULTS,
        ),
        axis(
            vec![
                vec![],
                vec![shown_condition(ConditionType::Ready, true, Reason::Available)],
                vec![shown_condition(ConditionType::Ready, false, Reason::Connecting)],
            ],
            |o, conditions| o.object.reported.conditions = conditions,
        ),
        axis(vec![true, false], |o, current| o.object.reported.current = current),
        on_spec(vec![None, Some(ReadyWhen::Reserved), Some(ReadyWhen::Available)], |spec, when| {
            spec.ready_when = when;
        }),
        vpc_endpoints(),
        policies(),
        recorded(vec![
            None,
            Some(endpoint(1, Mark::Ours, "AVAILABLE")),
            Some(endpoint(1, Mark::Ours, "RESERVED")),
        ]),
        axis(vec![true, false], |o, yes| o.object.deleting = yes),
        axis(vec![ours(None), foreign_claim(), ours(Some(id(1)))], |o, claim| o.object.claim = claim),
        axis(vec![None, Some(1)], |o, age| o.memory.adopted = age.map(secs)),
        axis(vec![1, 121], |o, age| o.memory.recorded = secs(age)),
        last_write(&[FaultKind::Refused, FaultKind::Retired, FaultKind::Unauthorized]),
    ]
}

/// Nothing, or endpoint 1 with each mark and each of `statuses`.
fn listed_first(statuses: &[&str]) -> Vec<Option<Endpoint>> {
    let marks = [Mark::Ours, Mark::None, Mark::Strangers];
    let shown = marks.iter().flat_map(|mark| statuses.iter().map(|status| Some(endpoint(1, *mark, status))));
    [None].into_iter().chain(shown).collect()
}

/// Not fetched, failed, and each `first` with each of several others beside it.
fn listings(first: &[Option<Endpoint>], faults: &[FaultKind]) -> Axis {
    let others = [
        None,
        Some(endpoint(2, Mark::Ours, "RESERVED")),
        Some(endpoint(2, Mark::Ours, "AVAILABLE")),
        Some(endpoint(2, Mark::Ours, "DELETING")),
        Some(endpoint(2, Mark::None, "RESERVED")),
        Some(endpoint(2, Mark::Strangers, "RESERVED")),
    ];
    let listed = first.iter().flat_map(|first| {
        let others = others.clone();
        others.map(|other| Listing::Fetched(first.clone().into_iter().chain(other).collect()))
    });
    // Reported for the first time, for the second too soon, and after long enough; and after a different response.
    let failed = faults.iter().flat_map(|kind| {
        let run = |kind, ago| vec![(kind, secs(ago))];
        let other = if *kind == FaultKind::Retired { FaultKind::NotServerless } else { FaultKind::Retired };
        let before = match kind {
            FaultKind::InstanceNotFound | FaultKind::NotServerless | FaultKind::Retired => {
                vec![run(*kind, 0), run(*kind, 9), run(*kind, 10), run(other, 10)]
            }
            _ => vec![vec![]],
        };
        before.into_iter().map(|before| (Listing::Failed(fault(*kind)), before))
    });
    let responded = [Listing::NotFetched].into_iter().chain(listed).map(|atlas| (atlas, vec![]));
    axis(failed.chain(responded).collect(), |o, (atlas, before)| {
        o.listing = atlas;
        o.memory.gone = before;
    })
}

fn recorded(values: Vec<Option<Endpoint>>) -> Axis {
    axis(values, |o, recorded| o.object.recorded = recorded)
}

fn claims() -> Axis {
    let earlier = |replaced| ClaimReading::EarlierLife { nonce: nonce(1), replaced };
    let all = vec![
        ClaimReading::Absent,
        ours(None),
        ours(Some(id(1))),
        earlier(None),
        earlier(Some(id(1))),
        ClaimReading::Copied,
        foreign_claim(),
        ClaimReading::Unreadable(nonce(1)),
    ];
    axis(all, |o, claim| o.object.claim = claim)
}

fn finalizer() -> Axis {
    axis(vec![true, false], |o, there| o.object.finalizer = there)
}

/// `(suspend, observe)`.
fn policies() -> Axis {
    on_spec(vec![(false, false), (true, false), (false, true), (true, true)], |spec, (suspend, observe)| {
        spec.suspend = suspend;
        spec.observe = observe;
    })
}

fn endpoint_ids(values: &[Option<u64>]) -> Axis {
    on_spec(values.iter().map(|n| n.map(id)).collect(), |spec, id| spec.endpoint_id = id)
}

/// None, the connected one, another, another that belonged to a lost service, and one still to be created.
fn vpc_endpoints() -> Axis {
    let all = vec![
        (VpcEndpoint::Undeclared, None),
        (VpcEndpoint::Declared(vpce(1)), None),
        (VpcEndpoint::Declared(vpce(2)), None),
        (VpcEndpoint::Declared(vpce(2)), Some(vpce(2))),
        (VpcEndpoint::Awaited("VPCEndpoint orders has no id yet".to_owned()), None),
        (VpcEndpoint::NotFound("there is no VPCEndpoint orders".to_owned()), None),
    ];
    axis(all, |o, (declared, stale)| {
        if let Ok(spec) = &mut o.spec {
            spec.vpc_endpoint = declared;
        }
        o.object.stale_vpc_endpoint = stale;
    })
}

/// Each take-over value with each of the credentials, and with the default ones the value for an endpoint of this
/// cluster: of another namespace, of no owner any more, and of no owner but used in another namespace.
fn take_over(words: &[Option<Token>], keys: &[CredentialsInUse]) -> Axis {
    let known = |owner, elsewhere: &[u64]| {
        let elsewhere: BTreeSet<_> = elsewhere.iter().map(|number| id(*number)).collect();
        (Some(stranger()), CredentialsInUse::Default, BTreeMap::from([(stranger(), owner)]), elsewhere)
    };
    let shared = [known(Owner::Elsewhere, &[]), known(Owner::Nobody, &[]), known(Owner::Nobody, &[1])];
    let each = words.iter().flat_map(|word| {
        keys.iter().map(|key| (word.clone(), key.clone(), BTreeMap::new(), BTreeSet::new()))
    });
    axis(each.chain(shared).collect(), |o, (word, key, owners, elsewhere)| {
        o.object.take_over = word;
        (o.credentials, o.owners, o.elsewhere) = (key, owners, elsewhere);
    })
}

fn attempt(nonce: domain::serverless::ownership::Nonce, age: u64, outcome: AttemptOutcome) -> Attempt {
    Attempt { nonce, age: secs(age), outcome }
}

/// The memory of this process about the claim's attempt (number 1) and about another.
fn attempts() -> Axis {
    let all = vec![
        vec![],
        vec![attempt(nonce(1), 199, AttemptOutcome::Unknown)],
        vec![attempt(nonce(1), 200, AttemptOutcome::Unknown)],
        vec![attempt(nonce(1), 9, AttemptOutcome::NotSent)],
        vec![attempt(nonce(1), 10, AttemptOutcome::NotSent)],
        vec![attempt(nonce(1), 1, AttemptOutcome::Settled)],
        vec![attempt(nonce(1), 1, AttemptOutcome::Created(endpoint(3, Mark::Ours, "RESERVATION_REQUESTED")))],
        vec![
            attempt(nonce(2), 199, AttemptOutcome::Created(endpoint(2, Mark::Ours, "RESERVED"))),
            attempt(nonce(1), 1, AttemptOutcome::NotSent),
        ],
        vec![
            attempt(nonce(2), 200, AttemptOutcome::Created(endpoint(2, Mark::Ours, "RESERVED"))),
            attempt(nonce(1), 1, AttemptOutcome::NotSent),
        ],
        vec![attempt(nonce(2), 199, AttemptOutcome::Unknown), attempt(nonce(1), 1, AttemptOutcome::NotSent)],
        vec![attempt(nonce(2), 200, AttemptOutcome::Unknown), attempt(nonce(1), 1, AttemptOutcome::NotSent)],
    ];
    axis(all, |o, attempts| o.memory.attempts = attempts)
}

/// The source of the credentials, and whether the API server accepted the last record.
fn keys() -> Axis {
    let remembered = CredentialsInUse::Remembered(fault(FaultKind::CredentialsNotFound));
    axis(
        vec![(CredentialsInUse::Own, false), (remembered, false), (CredentialsInUse::Own, true)],
        |o, (key, unrecorded)| {
            o.credentials = key;
            o.memory.unrecorded = unrecorded;
        },
    )
}

fn absences() -> Axis {
    let all = vec![
        None,
        Some((ConfirmedAbsence::Everything, secs(9))),
        Some((ConfirmedAbsence::Everything, secs(10))),
        Some((ConfirmedAbsence::Recorded, secs(10))),
    ];
    axis(all, |o, absent| o.memory.absent = absent)
}

fn last_write(faults: &[FaultKind]) -> Axis {
    let refused = faults.iter().map(|kind| WriteOutcome::Refused(fault(*kind)));
    let all = [WriteOutcome::Nothing, WriteOutcome::Done].into_iter().chain(refused);
    axis(all.collect(), |o, last_write| o.memory.last_write = last_write)
}
