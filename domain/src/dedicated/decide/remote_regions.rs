//! The other regions of AWS that a service accepts VPC endpoints from: sets those that are declared, and stops when others set them, too.
//!
//! A PATCH can be repeated and is corrected by the next listing, so it needs no claim. This file never changes regions that nobody
//! declared, and never decides anything else about a service.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::reconcile::WriteOutcome;
use crate::requeue::Requeue;
use crate::status::{ConditionType, Reason};

use super::super::decision::{Decision, State, Step, Updating};
use super::super::observed::{Observed, SentRegions, Spec};
use super::super::region::Region;
use super::super::service::{EndpointService, ServiceTarget};
use super::{act, is_usable, may_write, refused, rest};

/// After this many changes by others, what they set stays.
const MAX_FOREIGN_CHANGES: u8 = 3;

/// The largest factor by which the wait for the effect of a PATCH grows.
const MAX_BACKOFF: u32 = 64;

/// Returns what is declared, if it is not what Atlas has of a service that can be used.
pub(in super::super) fn declared_otherwise<'a>(
    spec: &'a Spec,
    service: &EndpointService,
) -> Option<&'a BTreeSet<Region>> {
    let ServiceTarget::Aws { supported_remote_regions: actual, .. } = &service.target else { return None };
    spec.remote_regions.as_ref().filter(|declared| *declared != actual && is_usable(service))
}

/// Returns what to do about the regions, if Atlas has others than the declared ones.
pub(super) fn decide(o: &Observed, spec: &Spec, service: &EndpointService) -> Option<Decision> {
    let declared = declared_otherwise(spec, service).filter(|_| !spec.observe && !spec.suspend)?;
    let state = |updating| State::Updating(service.clone(), updating);
    if let Some(fault) = refused(o) {
        return Some(rest(state(Updating::Refused(fault.clone())), Requeue::after_refusal(fault)));
    }
    if is_contested(o, declared) {
        return Some(rest(state(Updating::Contested), Requeue::Interval));
    }
    let is_sent = o.memory.last_write != WriteOutcome::Nothing || awaits_effect(o, declared);
    if is_sent || !may_write(o) {
        return Some(rest(state(Updating::InProgress), Requeue::Poll));
    }
    Some(act(Step::Update(service.id.clone(), declared.clone()), state(Updating::InProgress)))
}

/// Returns `true` if others set the regions, too: what was in force was changed too often, and nobody has requested another try since.
fn is_contested(o: &Observed, declared: &BTreeSet<Region>) -> bool {
    let ready = o.object.reported.get(ConditionType::Ready).filter(|_| o.object.reported.current);
    let is_reported = ready.is_some_and(|ready| ready.reason == Some(Reason::Contested));
    let changes = sent(o, declared).map_or(0, |(sent, _)| sent.foreign_changes) + u8::from(were_in_force(o));
    !o.is_requested && (is_reported || changes >= MAX_FOREIGN_CHANGES)
}

/// Returns what this process has sent of what is declared now, and the time since.
fn sent<'a>(o: &'a Observed, declared: &BTreeSet<Region>) -> Option<&'a (SentRegions, Duration)> {
    o.memory.regions.as_ref().filter(|(sent, _)| sent.declared == *declared)
}

/// Returns `true` if the status reports that what is declared was in force.
pub(in super::super) fn were_in_force(o: &Observed) -> bool {
    o.object.reported.current_ready().is_some()
}

/// Returns `true` while a listing may not show yet what was set last. The longer Atlas does not show it, the more rarely it is set again.
fn awaits_effect(o: &Observed, declared: &BTreeSet<Region>) -> bool {
    sent(o, declared).filter(|_| !were_in_force(o)).is_some_and(|(sent, ago)| {
        let exponent = u32::from(sent.sent.saturating_sub(1));
        *ago < wait(o.times.visibility, exponent)
    })
}

fn wait(visibility: Duration, exponent: u32) -> Duration {
    visibility * 2_u32.saturating_pow(exponent).min(MAX_BACKOFF)
}
