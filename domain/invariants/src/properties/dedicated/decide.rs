//! The laws over random observations of both dedicated kinds.

use domain::dedicated::decide::decide;
use domain::dedicated::event::{self, Announced};
use domain::dedicated::output;
use domain::dedicated::status::report;

use super::observation::observation;
use crate::dedicated::laws::{broken_by, broken_by_report};
use crate::fixtures::Draw;

/// Every observation has a decision and a report, and neither breaks a law.
pub fn check(bytes: &[u8]) {
    let o = observation(&mut Draw::from(bytes));
    let decision = decide(&o);
    let broken = broken_by(&o, &decision);
    assert!(broken.is_empty(), "{broken:?}\n{decision:#?}\n{o:#?}");
    let reported = report(&o, &decision);
    let broken = broken_by_report(&o, &decision, &reported);
    assert!(broken.is_empty(), "{broken:?}\n{reported:#?}\n{decision:#?}\n{o:#?}");
    let again = (decide(&o), report(&o, &decision));
    assert_eq!(again, (decision.clone(), reported.clone()), "only what is observed decides");
    for before in [Announced::by_status(&o.object.reported), Announced::by(&reported)] {
        let _ = event::of_change(&before, &o, &reported);
    }
    let _ = (event::of_step(&decision.step, &o), event::failure(&reported));
    if let Some(content) = output::content(&o, &reported) {
        assert!(content.values().all(|value| !value.is_empty()), "no entry is empty: {content:?}");
        assert!(content.is_empty() || content.contains_key("serviceId"), "{content:?}");
    }
}
