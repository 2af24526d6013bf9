//! What people read uses the words of Kubernetes, HTTP and Atlas. CONTRIBUTING has the whole list; this refuses the worst.

use std::fs;
use std::path::{Path, PathBuf};

use crate::book;

/// Words that must not stand in documentation, help texts or messages, and why. "…" stands for one or two words.
const REFUSED: [(&str, &str); 18] = [
    ("anew", "say: again"),
    ("amiss", "say what is wrong"),
    ("whoever", "name the subject"),
    ("whom", "name the subject"),
    ("comes to nothing", "say what happens: has no effect, fails"),
    ("as ever", "say: as before"),
    ("it is tried again", "say who retries, and when"),
    ("is looked at", "say: reconciled, polled, read"),
    ("looks at", "say: reconciles, polls, reads"),
    ("on its way", "say: in flight"),
    ("lets go", "say: releases"),
    ("puts back", "say: restores"),
    ("left alone", "say what is not done"),
    ("leave … alone", "say what is not done"),
    ("leaves … alone", "say what is not done"),
    ("under way", "say: in progress, in flight"),
    ("for ever", "say: never ends, without limit"),
    ("is woken", "say: triggers a reconcile, is enqueued"),
];

/// Words that must not be a part of a name in the operator, and the words to use instead.
const REFUSED_IN_NAMES: [(&str, &str); 7] = [
    ("amiss", "problem, invalid"),
    ("anew", "again"),
    ("doomed", "deleting"),
    ("heard", "received, observed"),
    ("told", "published, reported"),
    ("whoever", "the subject"),
    ("woken", "triggered, enqueued"),
];

/// The page that explains which words not to use.
const EXPLAINS: &str = "CONTRIBUTING.md";

fn refused(text: &str) -> Option<(&'static str, &'static str)> {
    let text = format!(" {} ", text.to_lowercase().replace(|c: char| !c.is_alphanumeric(), " "));
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = format!(" {text} ");
    REFUSED.into_iter().find(|(word, _)| match word.split_once(" … ") {
        None => text.contains(&format!(" {word} ")),
        Some((first, last)) => {
            let first = format!(" {first} ");
            let mut rests = text.split(&first).skip(1);
            rests.any(|rest| rest.split(' ').skip(1).take(2).any(|word| word == last))
        }
    })
}

#[test]
fn no_page_value_or_alert_uses_a_refused_word() {
    let pages = book::pages().into_iter().map(|page| page.path).filter(|path| !path.ends_with(EXPLAINS));
    let chart = files(Path::new("charts/spe-operator"));
    let found: Vec<_> = pages.chain(chart).flat_map(|path| findings(&path, |_| true)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_message_or_log_line_uses_a_refused_word() {
    let sources =
        ["domain/src", "atlas/src", "src"].into_iter().flat_map(|folder| sources(Path::new(folder)));
    // Lines with a text in them, comments aside.
    let counts = |line: &str| !line.trim_start().starts_with("//") && line.contains('"');
    let found: Vec<_> = sources.flat_map(|path| findings(&path, counts)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_name_in_the_operator_uses_a_refused_word() {
    let folders = ["src", "domain", "atlas", "proof", "tests/operator", "tests/plans"].map(Path::new);
    let mut found = Vec::new();
    for path in folders.into_iter().flat_map(files) {
        let text = fs::read_to_string(book::root().join(&path)).unwrap();
        for name in text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|name| name.contains('_')) {
            let refused = |(word, _): &&(&str, &str)| name.split('_').any(|part| part == *word);
            let word = REFUSED_IN_NAMES.iter().find(refused);
            found.extend(word.map(|(_, instead)| format!("{}: {name}: say {instead}", path.display())));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What is to be said in other words, in the lines that count.
fn findings(path: &Path, counts: impl Fn(&str) -> bool) -> Vec<String> {
    let text = fs::read_to_string(book::root().join(path)).unwrap();
    let lines = joined(&text).into_iter().filter(|(_, line)| counts(line));
    lines
        .filter_map(|(number, line)| Some((number, refused(&line)?)))
        .map(|(number, (word, instead))| format!("{}:{number}: {word:?}: {instead}", path.display()))
        .collect()
}

/// The lines of a text, by number; one that a backslash continues is joined with the next.
fn joined(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::<(usize, String)>::new();
    let mut is_continued = false;
    for (index, line) in text.lines().enumerate() {
        match lines.last_mut().filter(|_| is_continued) {
            Some((_, joined)) => *joined += line,
            None => lines.push((index + 1, line.to_owned())),
        }
        is_continued = line.ends_with('\\');
    }
    lines
}

/// The files of a folder, relative to the repository, without those that hold only tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    files(folder).into_iter().filter(|path| !path.to_string_lossy().ends_with("tests.rs")).collect()
}

/// The files of a folder, relative to the repository.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(book::root().join(folder)).unwrap() {
        let path = folder.join(entry.unwrap().file_name());
        if book::root().join(&path).is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_refused_word_is_found_beside_punctuation() {
    assert!(refused("It is created Anew.").is_some());
    assert!(refused("a request on\u{20}its way, still").is_some());
    assert!(refused("renewed in a new place").is_none());
    assert!(refused("so it leaves the others alone").is_some());
    assert!(refused("it leaves more than two words alone").is_none());
}

#[test]
fn a_continued_line_is_joined_with_the_next() {
    assert_eq!(joined("a \\\nb\nc"), [(1, "a \\b".to_owned()), (3, "c".to_owned())]);
}
