//! The laws over random observations: that each step is drawn at all, so that its laws are checked (`domain/tests/properties` checks them).

use std::collections::BTreeSet;

use domain::dedicated::decide::decide;
use invariants::fixtures::Draw;
use invariants::properties::dedicated::observation::observation;

/// Bytes that are the same each time.
pub(crate) fn bytes(seed: u64, number: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..number).map(|_| next()).collect()
}

#[test]
fn each_step_is_drawn() {
    let steps = (1..=20_000).map(|seed| decide(&observation(&mut Draw::from(&bytes(seed, 260)))).step.name());
    let steps: BTreeSet<_> = steps.collect();
    assert_eq!(steps.len(), 11, "{steps:?}");
}
