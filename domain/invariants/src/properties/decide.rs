//! The invariants over random observations far beyond the space of the sweep, drawn from bytes. Values that the API
//! server, Atlas and memory cannot produce (an id twice in one listing, say) are drawn, too: then the rules only have
//! to return.

use std::time::Duration;

use domain::access::CredentialsInUse;
use domain::fault::{Fault, FaultKind};
use domain::reference::VpcEndpoint;
use domain::serverless::decide::decide;
use domain::serverless::decision::{ConfirmedAbsence, Withdrawn};
use domain::serverless::endpoint::Endpoint;
use domain::serverless::event;
use domain::serverless::event::Announced;
use domain::serverless::observed::{
    Attempt, AttemptOutcome, Deleted, Listing, MemorySnapshot, Object, Observed, Owner, ReadyWhen, Spec,
    Stage, Times, WriteOutcome,
};
use domain::serverless::ownership::{Claim, ClaimReading, marked_comment};
use domain::serverless::status::report;
use domain::status::{ConditionType, Reason, Reported, ReportedCondition};
use domain::sunset::Sunset;
use domain::token::Token;

use crate::fixtures::{
    Draw, FAULTS, Mark, STATUSES, cluster, endpoint, id, nonce, secs, stranger, token, vpce,
};
use crate::view::second;
use crate::{decisions, reports};

/// Every observation has a decision and a report, and both keep the invariants.
pub fn check(bytes: &[u8]) {
    let o = observed(&mut Draw::from(bytes));
    let decision = decide(&o);
    let reported = report(&o, &decision);
    for before in [Announced::by_status(&o.object.reported), Announced::by(&reported)] {
        let _ = event::of_change(before, &o, &decision.step, &reported);
    }
    let _ = (event::of_step(&decision.step, &o), event::failure(&reported));
    assert_eq!(
        (decide(&o), report(&o, &decision)),
        (decision.clone(), reported),
        "only what is observed decides"
    );
    if !can_be(&o) {
        return;
    }
    for o in second(&o, &decision).into_iter().chain([o]) {
        let decision = decide(&o);
        for (name, invariant) in decisions::ALL {
            let verdict = invariant(&o, &decision);
            assert_ne!(verdict, Some(false), "{name}: {decision:#?}\nin view of {o:#?}");
        }
        for o in reports::late(&o, &decision).into_iter().chain([o]) {
            let reported = report(&o, &decision);
            for (name, invariant) in reports::ALL {
                let verdict = invariant(&o, &decision, &reported);
                assert_ne!(
                    verdict,
                    Some(false),
                    "{name}: {reported:#?}\nof {decision:#?}\nin view of {o:#?}"
                );
            }
        }
    }
}

/// Ids are unique in a listing, attempts by nonce, responses by id; the endpoint of a POST was not recorded before.
fn can_be(o: &Observed) -> bool {
    fn unique<T: Ord>(values: impl Iterator<Item = T>) -> bool {
        let mut values: Vec<_> = values.collect();
        let all = values.len();
        values.sort();
        values.dedup();
        values.len() == all
    }
    let listing = match &o.listing {
        Listing::Fetched(listing) => listing.as_slice(),
        _ => &[],
    };
    let mut made = o.memory.attempts.iter().filter_map(|attempt| match &attempt.outcome {
        AttemptOutcome::Created(endpoint) => Some(&endpoint.id),
        _ => None,
    });
    unique(listing.iter().map(|e| &e.id))
        && unique(made.clone())
        && made.all(|id| Some(id) != o.recorded())
        && unique(o.memory.attempts.iter().map(|attempt| &attempt.nonce))
        && unique(o.memory.deleted.iter().map(|response| &response.id))
}

fn observed(draw: &mut Draw<'_>) -> Observed {
    let times = times(draw);
    Observed {
        listing: match draw.byte() % 8 {
            0 => Listing::NotFetched,
            1 => Listing::Failed(fault(draw)),
            _ => Listing::Fetched(draw.some(4, any_endpoint)),
        },
        object: object(draw),
        spec: if draw.byte() % 16 == 15 { Err(words(draw)) } else { Ok(spec(draw)) },
        memory: recollection(draw, &times),
        credentials: match draw.byte() % 8 {
            7 => CredentialsInUse::Remembered(missing(draw)),
            6 => CredentialsInUse::Default,
            _ => CredentialsInUse::Own,
        },
        owners: draw.some(2, |draw| (any_token(draw), owner(draw))).into_iter().collect(),
        elsewhere: draw.some(2, |draw| id(u64::from(draw.byte() % 4))).into_iter().collect(),
        sunset: if draw.byte() % 8 == 7 {
            Some(Sunset {
                day: draw.maybe(words),
                is_over: draw.byte() % 2 == 1,
                is_confirmed: draw.byte() % 2 == 1,
            })
        } else {
            None
        },
        times,
    }
}

/// The default settings, or any others that are allowed.
fn times(draw: &mut Draw<'_>) -> Times {
    if draw.byte() % 4 != 3 {
        return Times::default();
    }
    let deadline = secs(u64::from(draw.byte()));
    Times {
        create_deadline: deadline,
        uncertainty: deadline * 2 + secs(u64::from(draw.byte())),
        confirm_gap: secs(1 + u64::from(draw.byte())),
        visibility: secs(u64::from(draw.byte())),
        ..Times::default()
    }
}

pub(super) fn object(draw: &mut Draw<'_>) -> Object {
    Object {
        token: token(),
        deleting: draw.bool(),
        finalizer: !draw.bool(),
        claim: claim(draw),
        recorded: draw.maybe(any_endpoint),
        take_over: draw.maybe(any_token),
        stale_vpc_endpoint: draw.maybe(|draw| vpce(u32::from(draw.byte() % 3))),
        reported: Reported {
            conditions: ConditionType::ALL
                .iter()
                .filter_map(|kind| draw.maybe(|draw| condition(draw, *kind)))
                .collect(),
            current: draw.bool(),
        },
    }
}

fn condition(draw: &mut Draw<'_>, kind: ConditionType) -> ReportedCondition {
    let only_while_true = !matches!(
        kind,
        ConditionType::Ready
            | ConditionType::Synced
            | ConditionType::EndpointServiceAvailable
            | ConditionType::EndpointConnected
    );
    let status = draw.bool() || only_while_true;
    let reason = match draw.byte() {
        255 => None,
        n if kind == ConditionType::Ready && status => {
            Some([Reason::Available, Reason::Reserved][usize::from(n) % 2])
        }
        n => Some(Reason::ALL[usize::from(n) % Reason::ALL.len()]),
    };
    ReportedCondition { kind, status, reason, message: "said before".to_owned() }
}

fn claim(draw: &mut Draw<'_>) -> ClaimReading {
    let nonce = nonce(draw.byte() % 4);
    let replaced = draw.maybe(|draw| id(u64::from(draw.byte() % 4)));
    match draw.byte() % 8 {
        0..=2 => ClaimReading::Ours { nonce, replaced },
        3 => ClaimReading::EarlierLife { nonce, replaced },
        4 => ClaimReading::Copied,
        5 => {
            let (token, uid, cluster) = (any_token(draw), "u-1".to_owned(), "that-cluster".parse().unwrap());
            ClaimReading::Foreign(Claim { token, nonce, uid, cluster, replaced })
        }
        6 => ClaimReading::Unreadable(nonce),
        _ => ClaimReading::Absent,
    }
}

fn any_token(draw: &mut Draw<'_>) -> Token {
    draw.one_of(&[token(), stranger(), Token::of(&cluster(), "team-b", "orders")])
}

fn owner(draw: &mut Draw<'_>) -> Owner {
    match draw.byte() % 3 {
        0 => Owner::Nobody,
        1 => Owner::Neighbor(words(draw)),
        _ => Owner::Elsewhere,
    }
}

pub(super) fn spec(draw: &mut Draw<'_>) -> Spec {
    Spec {
        comment: draw.maybe(words),
        endpoint_id: draw.maybe(|draw| id(u64::from(draw.byte() % 4))),
        vpc_endpoint: match draw.byte() % 5 {
            0 => VpcEndpoint::Undeclared,
            1 | 2 => VpcEndpoint::Declared(vpce(u32::from(draw.byte() % 3))),
            3 => VpcEndpoint::Awaited(words(draw)),
            _ => VpcEndpoint::NotFound(words(draw)),
        },
        ready_when: draw.maybe(|draw| draw.one_of(&[ReadyWhen::Reserved, ReadyWhen::Available])),
        retain: draw.byte() % 4 == 3,
        observe: draw.byte() % 4 == 3,
        suspend: draw.byte() % 4 == 3,
        progress_deadline: draw.one_of(&[secs(900), secs(1), Duration::ZERO, Duration::MAX]),
    }
}

pub(super) fn any_endpoint(draw: &mut Draw<'_>) -> Endpoint {
    let mark = draw.one_of(&[Mark::Ours, Mark::None, Mark::Strangers]);
    let mut endpoint = endpoint(u64::from(draw.byte() % 4), mark, draw.one_of(&STATUSES));
    // Mostly as a faithful Atlas reports it; else each field by itself.
    if draw.byte() % 4 == 3 {
        endpoint.comment = match draw.byte() % 4 {
            0 => words(draw),
            1 => marked_comment(Some(&words(draw)), &any_token(draw)),
            2 => format!("{} {}", marked_comment(None, &any_token(draw)), words(draw)),
            _ => format!("{}{}", words(draw), marked_comment(None, &token())),
        };
        endpoint.service_name = draw.maybe(words);
        endpoint.vpc_endpoint_id = draw.maybe(words);
        endpoint.error_message = draw.maybe(words);
    }
    endpoint
}

pub(super) fn fault(draw: &mut Draw<'_>) -> Fault {
    let kind: FaultKind = draw.one_of(&FAULTS);
    let retry_after = draw.maybe(|draw| draw.one_of(&[secs(0), secs(55), secs(3600)]));
    Fault { detail: words(draw).into(), retry_after, ..Fault::new(kind, words(draw)) }
}

/// Only credentials whose Secret no longer exists are remembered.
pub(super) fn missing(draw: &mut Draw<'_>) -> Fault {
    Fault { kind: FaultKind::CredentialsNotFound, ..fault(draw) }
}

fn recollection(draw: &mut Draw<'_>, times: &Times) -> MemorySnapshot {
    MemorySnapshot {
        attempts: draw.some(3, |draw| Attempt {
            nonce: nonce(draw.byte() % 4),
            age: age(draw, times),
            outcome: match draw.byte() % 8 {
                0..=2 => AttemptOutcome::Unknown,
                3 | 4 => AttemptOutcome::NotSent,
                5 | 6 => AttemptOutcome::Settled,
                _ => AttemptOutcome::Created(any_endpoint(draw)),
            },
        }),
        recorded: age(draw, times),
        forgotten: draw.maybe(|draw| age(draw, times)),
        adopted: draw.maybe(|draw| age(draw, times)),
        absent: draw.maybe(|draw| {
            (
                draw.one_of(&[ConfirmedAbsence::Everything, ConfirmedAbsence::Recorded, DELETING]),
                age(draw, times),
            )
        }),
        gone: gone(draw, times),
        deleted: draw.some(3, |draw| Deleted {
            id: id(u64::from(draw.byte() % 4)),
            ago: age(draw, times),
            not_found: draw.bool(),
        }),
        excess_deleted: draw.maybe(|draw| age(draw, times)),
        unrecorded: draw.byte() % 8 == 7,
        working: draw
            .maybe(|draw| (Stage { access: draw.bool(), hash: u64::from(draw.byte()) }, age(draw, times))),
        last_write: match draw.byte() % 4 {
            0 | 1 => WriteOutcome::Nothing,
            2 => WriteOutcome::Done,
            _ => WriteOutcome::Refused(fault(draw)),
        },
    }
}

/// The recorded endpoint was listed as DELETING.
const DELETING: ConfirmedAbsence = ConfirmedAbsence::Known(Withdrawn {
    deleting: true,
    service_name: false,
    vpc_endpoint_id: false,
    status: false,
    mark: false,
});

/// Each value at most once.
fn gone(draw: &mut Draw<'_>, times: &Times) -> Vec<(FaultKind, Duration)> {
    let ways = [FaultKind::InstanceNotFound, FaultKind::NotServerless, FaultKind::Retired];
    ways.into_iter().filter_map(|kind| draw.maybe(|draw| (kind, age(draw, times)))).collect()
}

/// Near one of the significant times, or anywhere.
fn age(draw: &mut Draw<'_>, times: &Times) -> Duration {
    let hour = Duration::from_hours(1);
    let about = [
        Duration::ZERO,
        times.create_deadline,
        times.uncertainty,
        times.confirm_gap,
        times.visibility,
        times.visibility + times.confirm_gap,
        hour,
        Duration::MAX,
    ];
    let about = draw.one_of(&about);
    match draw.byte() % 4 {
        0 => about,
        1 => about.saturating_sub(Duration::from_nanos(1)),
        2 => about.saturating_add(Duration::from_nanos(1)),
        _ => secs(u64::from(draw.byte())),
    }
}

/// Text that is set: never empty, for that counts as not set.
pub(super) fn words(draw: &mut Draw<'_>) -> String {
    const WORDS: [&str; 8] = [
        "orders",
        "vpce-00000001",
        "a text that is longer than what a mark leaves room for, by some words",
        "ÄÖÜ äöü ß 漢字 \u{1f680}\u{1f680}\u{1f680}\u{1f680}\u{1f680}\u{1f680}\u{1f680}\u{1f680}\u{1f680}\u{1f680}",
        "[k8s:",
        "[k8s:aaaaaaaaaaaaaaaa]",
        " \u{3000}x ",
        "x",
    ];
    match draw.byte() {
        255 => format!("x{}", draw.text()),
        n => WORDS[usize::from(n) % WORDS.len()].to_owned(),
    }
}
