//! Endpoints of other owners: what may be taken over, with which credentials, and how the owner is reported.

use domain::access::CredentialsInUse;
use domain::serverless::decision::{Decision, ReleaseReason, Rival, State, Step};
use domain::serverless::endpoint::Endpoint;
use domain::serverless::observed::Owner;
use domain::serverless::status::report;
use domain::status::ConditionType;

use crate::harness::Harness;
use invariants::fixtures::{Mark, endpoint, id, stranger};

/// The object names endpoint 7, which carries another owner's mark, and sets the annotation that takes it over.
fn naming_another_owners_endpoint(credentials: CredentialsInUse, owner: Option<Owner>) -> Harness {
    let mut harness = Harness::claimed();
    harness.memory.settle(&invariants::fixtures::nonce(1));
    harness.spec(|spec| spec.endpoint_id = Some(id(7)));
    harness.o.object.take_over = Some(stranger());
    harness.o.credentials = credentials;
    harness.o.owners.extend(owner.map(|owner| (stranger(), owner)));
    harness
}

fn theirs() -> Endpoint {
    endpoint(7, Mark::Strangers, "AVAILABLE")
}

fn is_taken_over(decision: &Decision) -> bool {
    matches!(&decision.step, Step::Update { id: at, comment: Some(_), .. } if *at == id(7))
}

#[test]
fn default_credentials_take_over_only_what_no_other_namespace_owns() {
    for (credentials, owner, may) in [
        (CredentialsInUse::Default, Some(Owner::Elsewhere), false),
        // Not checked: any owner may have it.
        (CredentialsInUse::Default, None, false),
        (CredentialsInUse::Default, Some(Owner::Nobody), true),
        (CredentialsInUse::Default, Some(Owner::Neighbor("orders-old".to_owned())), true),
        // Credentials of the namespace's own could do it without this operator, too.
        (CredentialsInUse::Own, Some(Owner::Elsewhere), true),
        (CredentialsInUse::Own, None, true),
    ] {
        let mut harness = naming_another_owners_endpoint(credentials.clone(), owner.clone());
        let decision = harness.list(&[theirs()]);
        assert_eq!(is_taken_over(&decision), may, "{credentials:?}, {owner:?}: {decision:?}");
    }
}

#[test]
fn what_was_only_watched_is_not_taken_over_from_another_namespace_either() {
    // Observe records an endpoint of another owner; then the object is to manage it.
    let mut harness = naming_another_owners_endpoint(CredentialsInUse::Default, Some(Owner::Elsewhere));
    harness.o.object.recorded = Some(theirs());
    harness.observe();
    let decision = harness.list(&[theirs()]);
    assert_eq!(decision.step, Step::Rest);
    assert_eq!(decision.state, State::OwnershipConflict { id: id(7), owner: Rival::Protected });
    harness.o.object.deleting = true;
    let decision = harness.list(&[theirs()]);
    assert!(!matches!(decision.step, Step::Delete { .. } | Step::Update { .. }), "{decision:?}");
}

#[test]
fn default_credentials_leave_an_unmarked_endpoint_to_its_user_elsewhere() {
    let unmarked = || endpoint(7, Mark::None, "AVAILABLE");
    for (credentials, elsewhere, may) in [
        (CredentialsInUse::Default, true, false),
        (CredentialsInUse::Default, false, true),
        (CredentialsInUse::Own, true, true),
    ] {
        let mut harness = naming_another_owners_endpoint(credentials.clone(), None);
        harness.o.elsewhere.extend(elsewhere.then(|| id(7)));
        let decision = harness.list(&[unmarked()]);
        assert_eq!(is_taken_over(&decision), may, "{credentials:?}, {elsewhere}: {decision:?}");
        // Nor after it was recorded because it was only observed, and not to delete it.
        harness.o.object.recorded = Some(unmarked());
        harness.observe();
        assert_eq!(is_taken_over(&harness.list(&[unmarked()])), may, "{credentials:?}, {elsewhere}");
        harness.o.object.deleting = true;
        let decision = harness.list(&[unmarked()]);
        assert_eq!(is_taken_over(&decision), may, "{credentials:?}, {elsewhere}: {decision:?}");
        assert!(may || !matches!(decision.step, Step::Delete { .. }), "{decision:?}");
        // Gone from the instance, it is nothing to delete either: who has it still may.
        harness.list(&[]);
        harness.wait(harness.o.times.confirm_gap);
        let step = harness.list(&[]).step;
        assert_eq!(
            step == Step::Release(ReleaseReason::Retained),
            !may,
            "{credentials:?}, {elsewhere}: {step:?}"
        );
    }
    // Its own mark takes precedence over what others write.
    let mut harness = naming_another_owners_endpoint(CredentialsInUse::Default, None);
    harness.o.elsewhere.insert(id(7));
    let decision = harness.list(&[endpoint(7, Mark::Ours, "AVAILABLE")]);
    assert!(!matches!(decision.state, State::OwnershipConflict { .. }), "{decision:?}");
}

/// Returns the message of Ready about the conflict.
fn message_of(credentials: CredentialsInUse, owner: Option<Owner>) -> String {
    let mut harness = naming_another_owners_endpoint(credentials, owner);
    harness.o.object.take_over = None;
    let decision = harness.list(&[theirs()]);
    report(&harness.o, &decision).get(ConditionType::Ready).unwrap().message.to_string()
}

#[test]
fn an_owner_is_named_only_in_its_own_namespace() {
    let message = message_of(CredentialsInUse::Own, Some(Owner::Neighbor("orders-old".to_owned())));
    assert!(message.contains("orders-old") && message.contains(stranger().as_str()), "{message}");
    let message = message_of(CredentialsInUse::Own, Some(Owner::Elsewhere));
    assert!(message.contains(stranger().as_str()), "{message}");
}

#[test]
fn the_annotation_that_takes_over_is_not_named_where_it_has_no_effect() {
    for owner in [Some(Owner::Elsewhere), None] {
        let message = message_of(CredentialsInUse::Default, owner);
        assert!(!message.contains(stranger().as_str()) && !message.contains("take-over"), "{message}");
        assert!(message.contains("spec.credentialsRef"), "what can be done: {message}");
    }
}
