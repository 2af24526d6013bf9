//! Properties of the pauses over any sequence of calls and responses of two tenants: each is paused only for what concerns it,
//! no refusal shortens a pause, a reconcile request bypasses one at a limited rate, and every pause ends.

use std::time::Duration;

use domain::fault::{Concerns, Fault, FaultKind};
use domain::rate_limits::Call;

use crate::fixtures::{Draw, FAULTS, secs};

type TenantRateLimits = domain::rate_limits::RateLimits<u8, u8>;
type TenantCaller = domain::rate_limits::Caller<u8, u8>;

/// The longest `Retry-After` that is drawn; longer than any pause without one.
const LONGEST: u64 = 900;

/// A sequence of calls, as many as there are bytes for.
pub fn check(bytes: &[u8]) {
    let mut draw = Draw::from(bytes);
    // The pauses of both tenants, and those of the first alone.
    let (mut both, mut alone) = (TenantRateLimits::default(), TenantRateLimits::default());
    let mut now = secs(10_000);
    let mut bypassed = None;
    while !draw.is_empty() {
        now += secs(draw.one_of(&[0, 0, 1, 9, 61, 400]));
        let (tenant, call) = (draw.byte() % 2, draw.one_of(&[Call::Read, Call::Write]));
        let caller = caller(tenant, draw.byte());
        let before = held(&both, now);
        let sent = now.saturating_sub(secs(draw.one_of(&[0, 1, 30])));
        let requested = draw.bool();
        if both.holding(&caller, call, requested, now).is_none() {
            if let Some(before) =
                before.iter().find(|held| held.0 == caller && held.1 == call && held.2 > now)
            {
                assert!(requested, "{before:?} is bypassed without a request");
                let last = bypassed.replace((caller.clone(), call, now));
                let last = last.filter(|(who, what, _)| *who == caller && *what == call);
                assert!(
                    last.is_none_or(|(.., at)| now >= at + secs(1)),
                    "requests bypass a pause all the time"
                );
            }
            for pauses in pauses_of(tenant, &mut both, &mut alone) {
                pauses.called(&caller, call, now);
            }
        }
        if draw.byte().is_multiple_of(4) {
            for pauses in pauses_of(tenant, &mut both, &mut alone) {
                pauses.served(&caller, call, sent, now);
            }
            let after = held(&both, now);
            assert!(
                before.iter().zip(&after).all(|(before, after)| after.2 <= before.2),
                "a success pauses nobody"
            );
        } else {
            let kind = draw.one_of(&FAULTS);
            let fault = Fault {
                retry_after: draw.maybe(|draw| secs(draw.number() % LONGEST)),
                ..Fault::new(kind, "")
            };
            let concerns = draw.one_of(&[Concerns::Project, Concerns::Credentials]);
            for pauses in pauses_of(tenant, &mut both, &mut alone) {
                pauses.refused(&caller, call, (&fault, concerns), now);
            }
            let is_served = matches!(
                kind,
                FaultKind::InstanceNotFound
                    | FaultKind::EndpointNotFound
                    | FaultKind::ServiceNotFound
                    | FaultKind::Conflict
                    | FaultKind::MultipleRegions
                    | FaultKind::NotServerless
            );
            let after = held(&both, now);
            let shortened = before.iter().zip(&after).find(|(before, after)| after.2 < before.2);
            assert!(is_served || shortened.is_none(), "{fault:?} shortens {shortened:?}");
        }
        for (caller, call, until) in held(&both, now) {
            assert!(until <= now + secs(LONGEST), "every pause ends");
            if caller.credentials < 10 {
                let known = alone.holding(&caller, call, false, now);
                assert_eq!(
                    both.holding(&caller, call, false, now),
                    known,
                    "another tenant pauses {caller:?}"
                );
            }
        }
    }
    let later = now + secs(LONGEST);
    assert!(held(&both, later).iter().all(|(.., until)| *until <= later), "nothing is left of it");
}

/// One of the callers of a tenant: with either of two keys, in either of two projects, by either of two Secrets. The tenants
/// share nothing.
fn caller(tenant: u8, number: u8) -> TenantCaller {
    let (key, project, version) = (number & 1, number >> 1 & 1, number >> 2 & 1);
    let project = ["a", "b", "c", "d"][usize::from(2 * tenant + project)];
    TenantCaller {
        namespace: format!("team-{tenant}"),
        project: project.repeat(24).parse().unwrap(),
        secret: 10 * tenant + version,
        credentials: 10 * tenant + key,
    }
}

fn pauses_of<'a>(
    tenant: u8,
    both: &'a mut TenantRateLimits,
    alone: &'a mut TenantRateLimits,
) -> impl Iterator<Item = &'a mut TenantRateLimits> {
    [Some(both), (tenant == 0).then_some(alone)].into_iter().flatten()
}

/// Until when each caller is paused, by one pause after the other; now if it is not.
fn held(pauses: &TenantRateLimits, now: Duration) -> Vec<(TenantCaller, Call, Duration)> {
    let callers = (0..2).flat_map(|tenant| (0..8).map(move |number| caller(tenant, number)));
    let calls = callers.flat_map(|caller| [(caller.clone(), Call::Read), (caller, Call::Write)]);
    let until = |caller: &TenantCaller, call| {
        let mut until = now;
        while let Some(fault) = pauses.holding(caller, call, false, until) {
            until += fault.retry_after.filter(|left| !left.is_zero()).unwrap();
        }
        until
    };
    calls.map(|(caller, call)| (caller.clone(), call, until(&caller, call))).collect()
}
