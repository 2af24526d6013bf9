//! Properties of what a process knows of the claims of one key, over any sequence of events: no nonce is sent twice, and no claim that may
//! still take effect is forgotten before its time. A small model of its own says what has to be remembered.

#![allow(clippy::unchecked_time_subtraction, reason = "time only goes on here")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::claim::Nonce;
use domain::dedicated::claim::{ClaimReading, ClaimTarget};
use domain::dedicated::life::Sort;
use domain::dedicated::life::{Life, Provenance};
use domain::dedicated::memory::Memory;
use domain::dedicated::names::{Declares, Names, ObjectName, ObjectNames};
use domain::dedicated::observed::{AttemptOutcome, MemorySnapshot, Object};
use domain::instant::Stamp;
use domain::reconcile::{WriteFailure, WriteOutcome};
use domain::times::Times;

use crate::dedicated::fixtures::{entry, of_service, service, service_key};
use crate::fixtures::{Draw, cluster, nonce, secs};

/// A sequence of events, as many as there are bytes for.
pub fn check(bytes: &[u8]) {
    let mut draw = Draw::from(bytes);
    let mut history = ClaimHistory::default();
    while !draw.is_empty() {
        history.proceed(&mut draw);
        history.judge();
    }
}

/// Two objects of one key.
const NAMES: [&str; 2] = ["s", "s2"];

/// What this process knows of an attempt of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
enum OwnAttempt {
    Claimed,
    Sent,
    Over,
}

#[derive(Default)]
struct ClaimHistory {
    names: Names,
    /// The memory of the first object.
    memory: Memory,
    /// The objects as they were shown last.
    shown: BTreeMap<usize, Object>,
    now: Duration,
    versions: u64,
    /// The number of own nonces so far.
    fresh: u8,
    own: BTreeMap<Nonce, (Duration, OwnAttempt)>,
    sent: BTreeSet<Nonce>,
    /// When each claim was first seen that no status has settled, by object, and whether it could be read then.
    seen: BTreeMap<(usize, Nonce), (Duration, bool)>,
    /// The response to the DELETE of the last claim.
    deleted: Option<(Nonce, Duration)>,
}

impl ClaimHistory {
    fn proceed(&mut self, draw: &mut Draw<'_>) {
        let now = Stamp { boot: self.now, day: self.now };
        match draw.byte() % 12 {
            0 => self.now += secs(draw.one_of(&[0, 1, 9, 10, 60, 119, 199, 200, 3600])),
            1..=3 => self.show(draw),
            4 => {
                let at = usize::from(draw.bool());
                self.names.remove(Sort::Service, &token(at), self.now);
                self.shown.remove(&at);
            }
            5 => {
                let Some(fresh) = self.fresh.checked_add(1).filter(|fresh| *fresh < 200) else { return };
                self.fresh = fresh;
                let nonce = nonce(50 + fresh);
                self.memory.begin_claim(nonce.clone(), target(draw), now);
                self.own.insert(nonce, (self.now, OwnAttempt::Claimed));
            }
            6 => {
                let nonce = self.any_nonce(draw);
                let failures = [WriteFailure::NotApplied, WriteFailure::Unknown];
                let failed = draw.maybe(|draw| draw.one_of(&failures));
                self.memory.claimed(&nonce, failed);
                if failed.is_some() {
                    self.end(&nonce);
                }
            }
            7 => self.send(draw),
            8 => {
                let nonce = self.any_nonce(draw);
                self.memory.settle(&nonce);
                self.end(&nonce);
            }
            9 => {
                let nonce = self.any_nonce(draw);
                self.memory.deleted(&nonce, of_service(1), self.now);
                self.end(&nonce);
                self.deleted = Some((nonce, self.now));
            }
            10 => {
                self.memory.give_up();
                let claimed = self.own.values_mut().filter(|(_, outcome)| *outcome == OwnAttempt::Claimed);
                claimed.for_each(|(_, outcome)| *outcome = OwnAttempt::Over);
            }
            _ => self.prune(),
        }
    }

    /// The watch shows an object, as anybody may have left it; its reconcile reads it.
    fn show(&mut self, draw: &mut Draw<'_>) {
        let at = usize::from(draw.byte() % 4 == 3);
        self.versions += 1;
        let mut object = Object { token: token(at), ..service().object };
        draw.one_of(&["uid-1", "uid-1", "uid-2"]).clone_into(&mut object.uid);
        object.claim = match draw.byte() % 8 {
            0 => ClaimReading::Absent,
            1 => ClaimReading::Unreadable(self.any_nonce(draw)),
            _ => ClaimReading::Ours { nonce: self.any_nonce(draw), target: target(draw) },
        };
        object.settled = draw.byte().is_multiple_of(4).then(|| self.any_nonce(draw));
        object.entries.extend(draw.maybe(|_| entry(of_service(1), Provenance::Created)));
        self.watch(at, &object);
        if at == 0 {
            self.memory.observe(&object, self.now);
            self.deleted.take_if(|(nonce, _)| object.claim.nonce() != Some(nonce));
        }
        self.shown.insert(at, object);
    }

    fn watch(&mut self, at: usize, object: &Object) {
        let claim = object.claim.nonce().map(|nonce| {
            let is_settled = object.settled.as_ref() == Some(nonce);
            (nonce.clone(), object.claim.target().cloned(), is_settled)
        });
        match &claim {
            Some((nonce, _, true)) => drop(self.seen.remove(&(at, nonce.clone()))),
            Some((nonce, target, false)) => {
                self.seen.entry((at, nonce.clone())).or_insert((self.now, target.is_some()));
            }
            None => {}
        }
        let names = ObjectNames {
            object: ObjectName { namespace: "team-a".to_owned(), name: NAMES[at].to_owned() },
            uid: object.uid.clone(),
            version: Some(self.versions),
            created: 0,
            is_deleting: false,
            is_observing: false,
            declares: Declares::Service(service_key()),
            records: object.entries.iter().map(|entry| entry.life.clone()).collect(),
            claim,
            offer: None,
        };
        assert!(self.names.record(Sort::Service, &object.token, names, self.now), "it is newer");
    }

    /// Sends a claimed attempt, or one that is not.
    fn send(&mut self, draw: &mut Draw<'_>) {
        let nonce = self.any_nonce(draw);
        let begun = self.memory.begin_send(&nonce).map(|stamp| stamp.boot);
        let own = self.own.get_mut(&nonce);
        let Some(begun) = begun else { return };
        assert!(self.sent.insert(nonce.clone()), "{nonce:?} is sent twice");
        let Some((claimed, outcome)) = own else { panic!("{nonce:?} was never claimed here") };
        assert_eq!((*outcome, begun), (OwnAttempt::Claimed, *claimed), "what is sent was claimed then");
        *outcome = OwnAttempt::Sent;
        if draw.bool() {
            self.memory.created(&nonce, of_service(2));
        }
    }

    fn end(&mut self, nonce: &Nonce) {
        if let Some((_, outcome)) = self.own.get_mut(nonce) {
            *outcome = OwnAttempt::Over;
        }
    }

    fn prune(&mut self) {
        self.names.prune(&Times::default(), self.now);
    }

    fn any_nonce(&self, draw: &mut Draw<'_>) -> Nonce {
        let own = self.fresh.min(6);
        match draw.byte() % 16 {
            number if number < own => nonce(50 + self.fresh - number),
            number => nonce(number),
        }
    }

    fn snapshot(&self) -> MemorySnapshot {
        let object = self.shown.get(&0).cloned().unwrap_or(Object { token: token(0), ..service().object });
        let times = Times::default();
        let others = self.names.others(Sort::Service, &object.token, &object.uid, &[], (&times, self.now));
        self.memory.snapshot(&object, others.attempts, (self.now, self.now), WriteOutcome::Nothing)
    }

    fn judge(&self) {
        let times = Times::default();
        let snapshot = self.snapshot();
        let find = |nonce: &Nonce| snapshot.attempts.iter().find(|attempt| attempt.nonce == *nonce);
        for ((at, nonce), (since, is_read)) in &self.seen {
            let elapsed = self.now - *since;
            if elapsed >= times.uncertainty {
                continue;
            }
            let remaining = times.uncertainty - elapsed;
            if *at == 1 {
                // What an unreadable claim may write to is unknown.
                if *is_read {
                    self.judge_rival(nonce, remaining);
                }
                continue;
            }
            let Some(known) = find(nonce) else {
                panic!("{nonce:?} may land and is forgotten: {snapshot:?}")
            };
            let own = self.own.get(nonce);
            let began = own.map_or(*since, |(claimed, _)| *claimed);
            assert!(known.age <= self.now - began.min(*since), "{nonce:?} ends its wait early: {known:?}");
            // Only this process' own knowledge ends the wait for its own attempt.
            let is_over = matches!(own, Some((_, OwnAttempt::Claimed | OwnAttempt::Over)));
            let is_open = matches!(known.outcome, AttemptOutcome::Unknown | AttemptOutcome::Created(_));
            assert!(is_open || is_over, "{nonce:?} may land and is {:?}", known.outcome);
        }
        for attempt in &snapshot.attempts {
            let was_seen = self.seen.contains_key(&(0, attempt.nonce.clone()));
            let is_claimed =
                self.shown.get(&0).and_then(|object| object.claim.nonce()) == Some(&attempt.nonce);
            let is_own = self.own.contains_key(&attempt.nonce);
            assert!(was_seen || is_claimed || is_own, "nobody claimed {attempt:?}");
        }
        let own = snapshot.attempts.iter().filter(|attempt| self.own.contains_key(&attempt.nonce));
        let kept = own.filter(|attempt| !self.seen.contains_key(&(0, attempt.nonce.clone())));
        assert!(kept.count() <= 9, "few outcomes are kept: {snapshot:?}");
        let deleted = self.deleted.as_ref().map(|(_, since)| (of_service(1), self.now - *since));
        assert_eq!(snapshot.deleted, deleted, "a response counts for the claim on the object only");
    }

    /// The first object waits for the second one's request.
    fn judge_rival(&self, nonce: &Nonce, remaining: Duration) {
        let Some(first) = self.shown.get(&0) else { return };
        let times = Times::default();
        let lives: Vec<Life> = first.entries.iter().map(|entry| entry.life.clone()).collect();
        let others = self.names.others(Sort::Service, &first.token, &first.uid, &lives, (&times, self.now));
        for rivalry in others.recorded.iter().map(|(_, rivalry)| rivalry).chain([&others.declared]) {
            assert!(
                rivalry.busy.is_some_and(|busy| busy >= remaining),
                "{nonce:?} is not waited for: {others:?}"
            );
        }
    }
}

fn token(at: usize) -> domain::token::Token {
    domain::token::Token::of(&cluster(), "team-a", NAMES[at])
}

fn target(draw: &mut Draw<'_>) -> ClaimTarget {
    if draw.bool() { ClaimTarget::Create(None) } else { ClaimTarget::Delete(of_service(1)) }
}
