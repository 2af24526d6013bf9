//! Runs a property over the seeds of the fuzzer, and over random bytes: the same ones each time, so that a test that fails is
//! about the change before it. `make fuzz` draws new ones.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

/// The seeds in `fuzz/corpus/<target>`, then `cases` random ones of up to `longest` bytes.
pub(crate) fn holds(target: &str, cases: u32, longest: usize, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let seeds: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!seeds.is_empty(), "there is no seed in {}", folder.display());
    for seed in seeds {
        let bytes = fs::read(&seed).unwrap();
        assert!(catch_unwind(|| check(&bytes)).is_ok(), "{} breaks it", seed.display());
    }
    let config = ProptestConfig { cases, failure_persistence: None, ..Default::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let bytes = vec(any::<u8>(), 0..longest);
    let found = runner.run(&bytes, |bytes| {
        check(&bytes);
        Ok(())
    });
    assert!(found.is_ok(), "{}\nKeep these bytes as a file in {}", found.unwrap_err(), folder.display());
}
