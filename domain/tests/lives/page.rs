//! The page about the architecture shows the table of all effects, and those of the life that creates an endpoint. `make docs` rewrites
//! both.

use std::collections::BTreeSet;
use std::fs;

use domain::reconcile::Interruption;

use crate::effect_table::{self, EFFECTS, EffectRow, OF_OTHER_KINDS};
use crate::effects::first_word;
use crate::life_run::{LifeRun, Shows};
use crate::other_inputs::variants;
use crate::table::LIVES;

/// The page.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/architecture.md");

/// The vocabulary, for the names of effects and inputs.
const VOCABULARY: &str = include_str!("../../src/reconcile/mod.rs");

/// The life that the page shows.
const SHOWN: &str = "create";

/// Returns the page with `content` between two markers.
fn with(page: &str, (begin, end): (&str, &str), content: &str) -> String {
    let (before, rest) = page.split_once(begin).unwrap_or_else(|| panic!("{PAGE} has no {begin}"));
    let (_, after) = rest.split_once(end).unwrap_or_else(|| panic!("{PAGE} has no {end}"));
    format!("{before}{begin}\n{content}{end}{after}")
}

#[test]
fn the_page_about_the_architecture_shows_the_effects() {
    let life = LIVES.iter().find(|life| life.name == SHOWN).unwrap();
    let trace = LifeRun::of(life, None, Shows::Effects).trace.unwrap();
    let trace = format!("```text\n{}\n```\n", trace.trim());
    let page = fs::read_to_string(PAGE).unwrap();
    let made = with(&page, ("<!-- effects -->", "<!-- /effects -->"), &effect_table::shown());
    let made = with(&made, ("<!-- trace:create -->", "<!-- /trace -->"), &trace);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(PAGE, made).unwrap();
    } else {
        assert!(page == made, "{PAGE} is stale: run `make docs` and commit the result");
    }
}

#[test]
fn the_table_names_all_effects_and_their_inputs() {
    let effects: Vec<_> = EFFECTS.iter().map(|row| row.effect).collect();
    assert_eq!(effects, variants(VOCABULARY, "Effect<"));
    // The first and the last input belong to no effect.
    let named: BTreeSet<_> =
        EFFECTS.iter().flat_map(|row| row.inputs.iter().copied()).chain(["Start", "Stopped"]).collect();
    let inputs = variants(VOCABULARY, "Input<");
    assert_eq!(named, inputs.iter().map(String::as_str).collect());
}

#[test]
fn the_table_says_what_may_be_dropped() {
    let counted: Vec<_> =
        LIVES.iter().flat_map(|life| LifeRun::of(life, None, Shows::Nothing).counted).collect();
    let requested = |row: &&EffectRow| !row.inputs.is_empty() && !OF_OTHER_KINDS.contains(&row.effect);
    for row in EFFECTS.iter().filter(requested) {
        let of_effect = counted.iter().filter(|effect| first_word(&effect.name) == row.effect);
        let found: BTreeSet<_> = of_effect.map(|effect| effect.interruption == Interruption::Drop).collect();
        let expected = match row.dropped {
            "yes" => [true].into(),
            "no" => [false].into(),
            _ => [true, false].into(),
        };
        assert_eq!(found, expected, "{}", row.effect);
    }
}
