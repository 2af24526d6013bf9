//! Parses the pages of the manual as Markdown: headings, links, and fenced blocks with their info strings.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// One page.
pub(crate) struct ManualPage {
    /// Relative to the repository.
    pub(crate) path: PathBuf,
    /// The anchors of its headings, as GitHub makes them.
    pub(crate) anchors: Vec<String>,
    /// The targets of its links, as written.
    pub(crate) links: Vec<String>,
    /// The code spans of its text.
    pub(crate) codes: Vec<String>,
    /// The blocks to run, in order.
    pub(crate) blocks: Vec<Block>,
}

/// A fenced block, or a comment that readers do not see.
pub(crate) struct Block {
    /// The line it begins at.
    pub(crate) line: usize,
    /// The words of the info string: the language, then what to do with it. A comment has the language `hidden`.
    pub(crate) words: Vec<String>,
    pub(crate) text: String,
}

impl Block {
    pub(crate) fn language(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The file that the block is the content of, from `file=…` in the info string.
    pub(crate) fn file(&self) -> Option<&str> {
        self.words.iter().find_map(|word| word.strip_prefix("file="))
    }

    /// Returns whether the info string has this word.
    pub(crate) fn is(&self, word: &str) -> bool {
        self.words.iter().any(|known| known == word)
    }
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Markdown files of the manual.
pub(crate) fn pages() -> Vec<ManualPage> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(root()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
    for folder in ["docs", "deploy", "charts", "atlas-simulator"] {
        find(&root().join(folder), &mut paths);
    }
    paths.sort();
    assert!(paths.len() > 5, "only {} pages were found", paths.len());
    paths.into_iter().map(|path| page(path.strip_prefix(root()).unwrap())).collect()
}

fn find(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            find(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// One page, by its path from the root of the repository.
pub(crate) fn page(path: &Path) -> ManualPage {
    let text =
        fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut page = ManualPage {
        path: path.to_owned(),
        anchors: Vec::new(),
        links: Vec::new(),
        codes: Vec::new(),
        blocks: Vec::new(),
    };
    let mut seen = HashMap::new();
    let mut heading: Option<String> = None;
    let mut block: Option<Block> = None;
    for (event, range) in Parser::new_ext(&text, Options::ENABLE_TABLES).into_offset_iter() {
        let line = text[..range.start].lines().count() + 1;
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let anchor = slug(&heading.take().unwrap());
                let times: &mut usize = seen.entry(anchor.clone()).or_default();
                page.anchors.push(if *times == 0 { anchor } else { format!("{anchor}-{times}") });
                *times += 1;
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(words))) => {
                let words = words.split_whitespace().map(str::to_owned).collect();
                block = Some(Block { line, words, text: String::new() });
            }
            Event::Start(Tag::HtmlBlock) => {
                block = Some(Block { line, words: vec!["hidden".to_owned()], text: String::new() });
            }
            Event::End(TagEnd::CodeBlock | TagEnd::HtmlBlock) => page.blocks.extend(block.take()),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                page.links.push(dest_url.into_string());
            }
            Event::Code(words) if heading.is_none() => page.codes.push(words.into_string()),
            Event::Text(words) | Event::Code(words) | Event::Html(words) => {
                if let Some(block) = &mut block {
                    block.text.push_str(&words);
                }
                if let Some(heading) = &mut heading {
                    heading.push_str(&words);
                }
            }
            _ => {}
        }
    }
    page
}

/// The anchor that GitHub gives a heading.
pub(crate) fn slug(heading: &str) -> String {
    let kept = heading.to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}
