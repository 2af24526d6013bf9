//! The output of `make proof`: rows of a table, one file for each test.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Returns whether everything is to be run, however long that takes.
pub(crate) fn is_proof() -> bool {
    std::env::var_os("SPE_PROOF").is_some()
}

/// How often something was tried, and how often it failed.
#[derive(Clone, Copy, Default)]
pub(crate) struct PassCount {
    run: usize,
    failed: usize,
}

/// Counts by two keys, in their order.
#[derive(Default)]
pub(crate) struct ProofTable(BTreeMap<(String, String), PassCount>);

impl ProofTable {
    pub(crate) fn count(&mut self, part: &str, what: &str, passed: bool) {
        let count = self.0.entry((part.to_owned(), what.to_owned())).or_default();
        count.run += 1;
        count.failed += usize::from(!passed);
    }

    /// Returns the row of one test that has passed.
    pub(crate) fn report_passed(part: &str, what: &str) {
        let mut table = Self::default();
        table.count(part, what, true);
        table.report(&format!("{part}, {what}").replace(' ', "-"));
    }

    /// Prints it and, in a proof, writes it for the table at the end.
    pub(crate) fn report(&self, file: &str) {
        let mut rows = String::new();
        for ((part, what), count) in &self.0 {
            let PassCount { run, failed } = count;
            // Writing into a string does not fail.
            let _ = writeln!(rows, "{part}\t{what}\t{run}\t{}\t{failed}", run - failed);
        }
        println!("part\twhat\trun\tpassed\tfailed\n{rows}");
        if let Some(directory) = std::env::var_os("SPE_PROOF") {
            std::fs::write(std::path::Path::new(&directory).join(file), rows).unwrap();
        }
    }
}
