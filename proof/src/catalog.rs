//! A search of a scenario, and of one with a rule removed, whatever its model. Each model has its own tables of both; here they are
//! only run.

use crate::run::{Effort, SearchResult};

/// A search with this effort.
type Search = Box<dyn Fn(&Effort) -> SearchResult + Send + Sync>;

/// A scenario, searched with the protocol that ships, which keeps every invariant in it.
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    search: Search,
}

impl Scenario {
    pub(crate) fn new(
        name: &'static str,
        search: impl Fn(&Effort) -> SearchResult + Send + Sync + 'static,
    ) -> Self {
        Self { name, search: Box::new(search) }
    }

    /// Searches it, through so many steps between states at most; none: through all of them.
    #[must_use]
    pub fn search(&self, steps: Option<usize>) -> SearchResult {
        (self.search)(&Effort { steps, moves: None, liveness: true, sought: Vec::new() })
    }
}

/// A rule that is removed, and where the violation must be found.
pub struct Ablation {
    /// What is removed, in words.
    pub name: &'static str,
    /// The race that the rule closes, if it has a number.
    pub hole: Option<u8>,
    /// The descriptions of the invariants of which at least one is violated; none: the rule is not needed in this scenario, as its text
    /// says.
    pub breaks: Vec<&'static str>,
    /// It takes long to be found, and is left to the full run.
    pub is_deep: bool,
    without: Search,
    with: Search,
    liveness: bool,
}

/// What distinguishes an ablation from others.
pub(crate) struct AblationOf {
    pub(crate) name: &'static str,
    pub(crate) hole: Option<u8>,
    pub(crate) breaks: Vec<&'static str>,
    /// Whether it has to be checked that every state converges.
    pub(crate) liveness: bool,
    pub(crate) is_deep: bool,
}

impl Ablation {
    pub(crate) fn new(
        of: AblationOf,
        without: impl Fn(&Effort) -> SearchResult + Send + Sync + 'static,
        with: impl Fn(&Effort) -> SearchResult + Send + Sync + 'static,
    ) -> Self {
        let AblationOf { name, hole, breaks, liveness, is_deep } = of;
        Self { name, hole, breaks, without: Box::new(without), with: Box::new(with), liveness, is_deep }
    }

    /// Searches without the rule, until one of its invariants is violated.
    #[must_use]
    pub fn search(&self, steps: Option<usize>) -> SearchResult {
        let liveness = self.liveness;
        (self.without)(&Effort { steps, moves: None, liveness, sought: self.breaks.clone() })
    }

    /// Searches the same scenario with all rules, farther than the violation that was found without one.
    #[must_use]
    pub fn control(&self, steps: Option<usize>, found: &SearchResult) -> SearchResult {
        let moves = found.moves_to(&self.breaks).map(|moves| moves + 1);
        (self.with)(&Effort { steps, moves, liveness: self.liveness, sought: Vec::new() })
    }

    /// Returns `true` if an invariant of this rule was violated, or none if the rule is not needed.
    #[must_use]
    pub fn is_as_expected(&self, outcome: &SearchResult) -> bool {
        if self.breaks.is_empty() {
            return outcome.broken.is_empty();
        }
        outcome.moves_to(&self.breaks).is_some()
    }

    /// Returns `true` if the missing rule caused the violation, and not the scenario: with all rules none is violated, and the search
    /// was at least as deep as the path to the violation.
    #[must_use]
    pub fn is_the_rule(&self, outcome: &SearchResult, control: &SearchResult) -> bool {
        let far_enough = outcome.moves_to(&self.breaks).is_none_or(|moves| control.depth >= moves);
        control.broken.is_empty() && (control.complete || far_enough)
    }
}
