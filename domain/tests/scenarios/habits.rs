//! Smaller habits of the rules, each of which a broken version of them once got past all other tests.

use std::time::Duration;

use domain::conditions::{ConditionType, report};
use domain::decision::{Step, Wake};
use domain::fault::FaultKind;
use domain::observed::Atlas;
use domain::ownership::{ClaimReading, marked_comment};

use crate::story::Story;
use crate::support::{Mark, endpoint, fault, id, secs, token};

#[test]
fn observing_takes_no_hold_of_an_object() {
    let mut story = Story::recorded();
    story.o.object.claim = ClaimReading::Absent;
    story.o.object.finalizer = false;
    story.spec(|spec| {
        spec.observe = true;
        spec.endpoint_id = Some(id(1));
    });
    let decision = story.list(&[endpoint(1, Mark::None, "AVAILABLE")]);
    assert_eq!(decision.step, Step::Rest);
}

#[test]
fn each_fault_is_looked_at_again_when_it_may_be_over() {
    for (kind, wake) in [
        (FaultKind::Retired, Wake::Interval),
        (FaultKind::NotServerless, Wake::Interval),
        (FaultKind::InstanceNotFound, Wake::Interval),
        // As often as Secrets are read.
        (FaultKind::CredentialsNotFound, Wake::After(secs(15))),
        (FaultKind::Unauthorized, Wake::After(secs(15))),
        (FaultKind::Forbidden, Wake::After(secs(15))),
        (FaultKind::NoAccess, Wake::After(secs(15))),
        (FaultKind::Unavailable, Wake::Retry(Duration::ZERO)),
    ] {
        assert_eq!(Story::recorded().look(Atlas::Failed(fault(kind))).wake, wake, "{kind:?}");
    }
}

#[test]
fn a_suspended_object_goes_on_saying_what_was_amiss() {
    let mut story = Story::recorded();
    story.spec(|spec| spec.suspend = true);
    let said = |kind: &str, yes, why: &str| (kind.to_owned(), yes, why.to_owned(), "as it was".to_owned());
    story.o.object.reported.conditions =
        vec![said("Ready", true, "Available"), said("Synced", false, "AtlasUnavailable")];
    let decision = story.look(Atlas::Unread);
    let report = report(&story.o, &decision);
    let synced = report.get(ConditionType::Synced).unwrap();
    assert_eq!((synced.status, synced.message.as_str()), (false, "as it was"));
    assert!(report.conditions[0].status);
}

#[test]
fn a_comment_in_atlas_is_the_users_text_and_the_mark() {
    assert_eq!(marked_comment(Some(" orders "), &token()), format!("orders [k8s:{}]", token()));
}
