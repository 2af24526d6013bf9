//! The law of permits, which the machine of every kind keeps: an effect is performed with the permits that it needs, and no other.

use std::fmt::Debug;

use domain::reconcile::{Effect, PermitKind, Permits, Vocabulary};

/// Checks the permits that a machine holds while an effect of it is performed.
pub(super) fn check<V: Vocabulary + Debug>(Permits { atlas, api_server }: Permits, effect: &Effect<V>) {
    match effect {
        Effect::Read | Effect::Write(_) | Effect::Publish(_) => {
            assert!(api_server, "no permit to call the API server: {effect:?}");
        }
        Effect::List(_) | Effect::Output(_) | Effect::FindAddress { .. } | Effect::Done(_) => {
            assert!(!atlas && !api_server, "a permit is held: {effect:?}");
        }
        Effect::CatchUp => assert!(!api_server, "a permit to call the API server is held: {effect:?}"),
        Effect::Acquire(kind) => {
            assert!(!api_server, "a permit to call the API server is held: {effect:?}");
            assert!(!atlas || *kind == PermitKind::ApiServer, "there is one permit already: {effect:?}");
        }
        Effect::Call { .. } => {
            assert!(atlas && !api_server, "not exactly the permit to call Atlas: {effect:?}");
        }
        _ => {}
    }
}
