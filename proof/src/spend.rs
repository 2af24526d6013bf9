//! Budgets: how many faults may still occur, and how often users may still act. A number that only decreases.

/// An unlimited budget.
pub(crate) const NO_LIMIT: u8 = u8::MAX;

/// Takes one from a budget; `None` if it is used up.
pub(crate) fn spend(budget: &mut u8) -> Option<()> {
    if *budget != NO_LIMIT {
        *budget = budget.checked_sub(1)?;
    }
    Some(())
}
