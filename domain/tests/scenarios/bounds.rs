//! What a user with write access can do to the object: endless claims, claims of other lives, ids of no endpoint, and
//! an object that accepts no record any more.

use domain::requeue::Requeue;
use domain::serverless::decision::{Creating, ReleaseReason, State, Step};
use domain::serverless::memory::Memory;
use domain::serverless::observed::{AttemptOutcome, WriteOutcome};
use domain::serverless::ownership::{ClaimReading, Nonce};
use domain::serverless::status::report;
use domain::status::ConditionType;

use crate::harness::{Harness, START, is_settling};
use invariants::fixtures::{Mark, endpoint, id, nonce, secs};

fn shows(nonce: Nonce) -> ClaimReading {
    ClaimReading::Ours { nonce, replaced: None }
}

/// The object shows a hundred claims, one a second, and the last of them stays.
fn flooded() -> Harness {
    let mut harness = Harness::claimed();
    for n in 2..=101 {
        harness.wait(secs(1));
        harness.o.object.claim = shows(nonce(n));
        harness.observe();
    }
    harness
}

#[test]
fn claims_without_end_are_waited_for_and_not_kept() {
    let mut harness = flooded();
    let kept = harness.memory.snapshot(harness.now, harness.now, WriteOutcome::Nothing).attempts;
    assert!(kept.len() <= 17, "{} attempts", kept.len());
    // As long as for the last of them, and no longer.
    for _ in 0..199 {
        assert!(is_settling(&harness.list(&[])));
        harness.wait(secs(1));
    }
    assert!(is_settling(&harness.list(&[])));
    harness.wait(secs(1));
    harness.list(&[]);
    harness.wait(secs(10));
    let step = harness.list(&[]).step;
    assert!(matches!(step, Step::Claim { nonce: None, .. }), "{step:?}");
}

#[test]
fn a_deletion_waits_for_the_youngest_of_the_claims_that_are_not_kept() {
    let mut harness = flooded();
    harness.o.object.deleting = true;
    // The first eight of the last nine are closed, so that the ninth and the entry for all others are left.
    for n in 94..=101 {
        harness.memory.settle(&nonce(n));
    }
    // Number 93 was the youngest that is not kept by its name.
    harness.wait(secs(191));
    assert!(is_settling(&harness.list(&[])), "199 seconds after it was shown");
    harness.wait(secs(1));
    harness.list(&[]);
    harness.wait(secs(10));
    assert_eq!(harness.list(&[]).step, Step::Release(ReleaseReason::Deleted));
}

#[test]
fn what_stands_for_many_is_not_closed_by_a_claim_that_names_it() {
    let mut harness = flooded();
    harness.o.object.claim = shows(Nonce::of_others());
    harness.o.object.recorded = Some(endpoint(1, Mark::Ours, "RESERVED"));
    harness.observe();
    let kept = harness.memory.snapshot(harness.now, harness.now, WriteOutcome::Nothing).attempts;
    assert!(kept.iter().any(|attempt| attempt.nonce == Nonce::of_others() && attempt.outcome.is_open()));
}

#[test]
fn attempts_that_were_refused_are_not_kept_without_end_and_none_is_sent_again() {
    let mut memory = Memory::default();
    for n in 0..100 {
        memory.begin_claim(nonce(n), START);
        assert!(memory.begin_send(&nonce(n)));
        memory.settle(&nonce(n));
    }
    let kept = memory.snapshot(START, START, WriteOutcome::Nothing).attempts;
    assert!(
        kept.len() <= 8 && kept.iter().all(|attempt| attempt.outcome == AttemptOutcome::Settled),
        "{kept:?}"
    );
    for n in 0..100 {
        assert!(!memory.begin_send(&nonce(n)), "attempt {n}");
    }
}

#[test]
fn responses_to_deletes_are_bounded_except_for_the_recorded_endpoint() {
    let mut harness = Harness::recorded();
    for n in 1..=100 {
        harness.memory.deleted(id(n), false, harness.now);
        harness.wait(secs(1));
    }
    let kept = harness.memory.snapshot(harness.now, harness.now, WriteOutcome::Nothing).deleted;
    assert!(kept.len() <= 8, "{} responses", kept.len());
    assert!([1, 100].iter().all(|n| kept.iter().any(|response| response.id == id(*n))), "{kept:?}");
}

#[test]
fn an_object_that_takes_no_record_is_deleted_by_its_mark_and_waits_for_its_claim() {
    let mut harness = Harness::claimed();
    harness.o.object.deleting = true;
    let landed = [endpoint(1, Mark::Ours, "RESERVED")];
    assert!(matches!(harness.list(&landed).step, Step::Record { .. }));
    harness.memory.not_recorded();
    assert_eq!(harness.list(&landed).step, Step::Delete { id: id(1), excess: false });
    harness.memory.deleted(id(1), false, harness.now);
    harness.wait(secs(10));
    // Nobody knows whether it was this claim's endpoint, so another may still appear.
    assert!(is_settling(&harness.list(&[])));
    harness.wait(secs(190));
    harness.list(&[]);
    harness.wait(secs(10));
    assert_eq!(harness.list(&[]).step, Step::Release(ReleaseReason::Deleted));
}

#[test]
fn what_this_process_created_for_an_object_that_takes_no_record_is_deleted_too() {
    let mut harness = Harness::new();
    harness.memory.begin_claim(nonce(1), harness.now);
    harness.o.object.claim = shows(nonce(1));
    harness.o.object.finalizer = true;
    assert!(harness.memory.begin_send(&nonce(1)));
    let made = endpoint(1, Mark::Ours, "RESERVATION_REQUESTED");
    harness.memory.created(&nonce(1), made.clone());
    assert!(matches!(harness.list(&[]).step, Step::Record { .. }));
    harness.memory.not_recorded();
    assert!(matches!(harness.list(&[]).step, Step::Record { .. }), "while it lives, its id has to be known");
    harness.o.object.deleting = true;
    assert!(is_settling(&harness.list(&[])), "no listing shows it yet");
    assert_eq!(harness.list(&[made]).step, Step::Delete { id: id(1), excess: false });
}

#[test]
fn a_claim_from_the_manifest_is_reported_as_such() {
    let mut harness = Harness::new();
    harness.o.object.claim = ClaimReading::EarlierLife { nonce: nonce(1), replaced: None };
    harness.o.object.finalizer = true;
    harness.list(&[]);
    harness.o.object.claim = ClaimReading::EarlierLife { nonce: nonce(1), replaced: None };
    let decision = domain::serverless::decide::decide(&harness.o);
    assert!(matches!(decision.state, State::Creating(Creating::AwaitingOutcome(_))), "{decision:?}");
    let message = report(&harness.o, &decision).get(ConditionType::Ready).unwrap().message.clone();
    assert!(message.contains("the manifest carries the claim"), "{message}");
}

#[test]
fn an_endpoint_id_that_leads_nowhere_is_listed_again_before_that_is_final() {
    for observe in [false, true] {
        let mut harness = Harness::new();
        harness.spec(|spec| {
            spec.endpoint_id = Some(id(7));
            spec.observe = observe;
        });
        let first = harness.list(&[]);
        assert_eq!(
            (&first.state, first.requeue),
            (&State::Creating(Creating::AwaitingNamed(id(7))), Requeue::After(secs(10))),
            "{observe}"
        );
        harness.wait(secs(10));
        let second = harness.list(&[]);
        assert_eq!((&second.state, second.requeue), (&State::Lost(id(7)), Requeue::Interval), "{observe}");
    }
}
