//! Checks the layering: dependencies point downwards only, and the core stays pure.

#![allow(clippy::unwrap_used, reason = "clippy takes only the test functions themselves for tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each module of the operator, and the others that it may use. A file obeys the row of every module that it is in.
const MAY_USE: [(&str, &[&str]); 12] = [
    (
        "app",
        &["clock", "dedicated", "endpoint", "endpoint_service", "metrics", "runtime", "schema", "serverless"],
    ),
    ("clock", &[]),
    ("dedicated", &["clock", "metrics", "runtime", "schema"]),
    ("endpoint", &["dedicated", "runtime", "schema"]),
    ("endpoint::crd", &["schema"]),
    ("endpoint_service", &["dedicated", "runtime", "schema"]),
    ("endpoint_service::crd", &["schema"]),
    ("metrics", &["clock"]),
    ("runtime", &["clock", "metrics"]),
    ("schema", &[]),
    ("serverless", &["clock", "metrics", "runtime", "schema"]),
    ("serverless::crd", &["schema"]),
];

/// What the core may use besides itself.
const CORE_MAY_DEPEND_ON: [&str; 3] = ["data-encoding", "serde", "sha2"];

/// The crates in which no files import each other.
const WITHOUT_CIRCLES: [&str; 6] =
    ["src", "domain/src", "atlas/src", "proof/src", "atlas-simulator/src", "testbed/src"];

/// The folders whose types share one set of names, tests included.
const WITH_TYPES: [&str; 7] = ["src", "domain", "atlas", "atlas-simulator", "testbed", "proof", "tests"];

/// The rules of each family of kinds, what connects them to the runtime, and the model of each: both have the words of the machine
/// (`Observed`, `Decision`, `Step`, …), or of the model, each once.
const FAMILIES: [[&str; 2]; 3] = [
    ["domain/src/serverless/", "domain/src/dedicated/"],
    ["src/serverless/", "src/dedicated/"],
    ["proof/src/serverless/", "proof/src/dedicated/"],
];

/// Type names that are declared twice, and why that is right.
const DECLARED_TWICE: [(&str, &str); 5] = [
    ("Endpoint", "an endpoint, as the simulator stores it and as the rules see it in a listing"),
    ("Operation", "an operation of Atlas, as the client calls it and as a fault of the simulator names it"),
    ("ReadyWhen", "a field of the spec, as users write it and as the rules use it"),
    ("ServiceRef", "a field of the spec, as users write it and as the rules use it"),
    ("Settings", "the settings of a program: the operator's, and the simulator's"),
];

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.clone(), fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn dependencies_between_modules_point_downwards_only() {
    let files = modules("src");
    for module in files.keys() {
        let top = module.split("::").next().unwrap();
        assert!(MAY_USE.iter().any(|(known, _)| *known == top), "MAY_USE does not say what {top} may use");
    }
    for (part, others) in MAY_USE {
        assert!(files.contains_key(part), "there is no module {part}");
        for (module, (path, text)) in files.iter().filter(|(module, _)| is_within(module, part)) {
            for used in used(module, &code(text)) {
                let may = is_within(&used, part) || others.iter().any(|other| is_within(&used, other));
                assert!(may, "{} uses {used}", path.display());
            }
        }
    }
}

fn is_within(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Returns the dependencies of the crate in this folder, tests aside.
fn dependencies(folder: &str) -> Vec<String> {
    let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let section = manifest.split("[dependencies]").nth(1).unwrap();
    let section = section.split("\n[").next().unwrap();
    let lines = section.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split(['.', ' ', '=']).next().unwrap().to_owned()).collect()
}

#[test]
fn the_client_and_the_custom_resources_do_not_depend_on_each_other() {
    for name in dependencies("atlas") {
        assert!(
            !["kube", "k8s-openapi", "spe-operator"].contains(&name.as_str()),
            "the client depends on {name}"
        );
    }
    for folder in ["src/schema", "src/serverless/crd", "src/endpoint_service/crd", "src/endpoint/crd"] {
        for (path, text) in sources(&root().join(folder)) {
            assert!(!text.contains("atlas::"), "{} uses the client", path.display());
        }
    }
}

#[test]
fn the_core_depends_on_nothing_that_acts() {
    for name in dependencies("domain") {
        assert!(CORE_MAY_DEPEND_ON.contains(&name.as_str()), "the core depends on {name}");
    }
    for (path, text) in sources(&root().join("domain/src")) {
        for word in [
            "std::time::Instant",
            "SystemTime::now",
            "Timestamp::now",
            "std::fs",
            "std::net",
            "std::env",
            "std::thread",
        ] {
            assert!(!text.contains(word), "{} uses {word}", path.display());
        }
    }
}

#[test]
fn the_rules_that_all_kinds_share_know_no_kind() {
    for (path, text) in sources(&root().join("domain/src")) {
        let shared = !path.starts_with(root().join("domain/src/serverless")) && !path.ends_with("src/lib.rs");
        assert!(
            !shared || !code(&text).contains("serverless::"),
            "{} uses the rules of a kind",
            path.display()
        );
    }
}

#[test]
fn every_file_opens_by_saying_what_it_does() {
    for folder in ["src", "domain/src", "atlas/src", "atlas-simulator/src", "testbed/src"] {
        for (path, text) in sources(&root().join(folder)) {
            let is_test = path.file_name().is_some_and(|name| name.to_string_lossy().ends_with("tests.rs"));
            assert!(is_test || text.starts_with("//! "), "{} opens without a word on itself", path.display());
        }
    }
}

/// Returns the file's code: without comments and without the tests at its end.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .fold(String::new(), |all, line| all + line + "\n")
}

fn is_test(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with("tests.rs"))
}

/// Returns the paths of a tree of imports: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((start, rest)) = tree.split_once('{') else { return vec![tree.to_owned()] };
    let (mut depth, mut part, mut found) = (0, String::new(), Vec::new());
    for c in rest.strip_suffix('}').unwrap_or(rest).chars().chain([',']) {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 {
            found.extend(paths(&part).into_iter().map(|path| format!("{start}{path}")));
            part.clear();
        } else {
            part.push(c);
        }
    }
    found
}

/// Returns the modules of a crate besides tests and its root: path and text of each.
fn modules(folder: &str) -> BTreeMap<String, (PathBuf, String)> {
    let module = |path: &Path| {
        let path = path.strip_prefix(root().join(folder)).unwrap().with_extension("");
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        parts.join("::").trim_end_matches("mod").trim_end_matches("::").to_owned()
    };
    sources(&root().join(folder))
        .into_iter()
        .filter(|(path, _)| !is_test(path) && !path.ends_with("src/lib.rs") && !path.ends_with("src/main.rs"))
        .map(|(path, text)| (module(&path), (path, text)))
        .collect()
}

/// Returns what the code of a module names in its crate, as paths from the crate's root.
fn used(module: &str, code: &str) -> BTreeSet<String> {
    let trees = code.split("use ").skip(1).filter_map(|rest| rest.split(';').next()).flat_map(paths);
    let inline = code.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').map(str::to_owned);
    let resolved = |path: String| {
        if let Some(path) = path.strip_prefix("crate::") {
            return Some(path.to_owned());
        }
        let (mut from, mut rest) = (module, path.as_str());
        if !rest.starts_with("super::") {
            return None;
        }
        while let Some(path) = rest.strip_prefix("super::") {
            (from, rest) = (from.rsplit_once("::").map_or("", |(parent, _)| parent), path);
        }
        Some(format!("{from}::{rest}").trim_start_matches("::").to_owned())
    };
    // Of a tree, the part inline ends at the brace.
    trees
        .chain(inline)
        .filter_map(resolved)
        .filter(|path| !path.is_empty() && !path.ends_with("::"))
        .collect()
}

/// Returns the files that each file of a crate imports from. What a parent imports from its own modules does not count.
fn imports(folder: &str) -> BTreeMap<String, BTreeSet<String>> {
    let files = modules(folder);
    let name = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
    let mut all = BTreeMap::new();
    for (module, (path, text)) in &files {
        let mut imported = BTreeSet::new();
        for mut target in used(module, &code(text)) {
            while !files.contains_key(&target) && !target.is_empty() {
                target = target.rsplit_once("::").map_or(String::new(), |(parent, _)| parent.to_owned());
            }
            if let Some((path, _)) = files.get(&target).filter(|_| !is_within(&target, module)) {
                imported.insert(name(path));
            }
        }
        all.insert(name(path), imported);
    }
    all
}

#[test]
fn no_files_import_each_other() {
    let mut found = BTreeSet::new();
    for folder in WITHOUT_CIRCLES {
        let imports = imports(folder);
        let reached = |file: &String| {
            let (mut reached, mut next) = (BTreeSet::new(), vec![file]);
            while let Some(file) = next.pop() {
                next.extend(imports[file].iter().filter(|used| reached.insert((*used).clone())));
            }
            reached
        };
        let reach: BTreeMap<_, _> = imports.keys().map(|file| (file, reached(file))).collect();
        for (file, reached) in reach.iter().filter(|(file, reached)| reached.contains(**file)) {
            let circle = reached.iter().filter(|other| reach[other].contains(*file));
            found.insert(circle.cloned().collect::<Vec<_>>().join(" "));
        }
    }
    assert!(found.is_empty(), "these files import each other: {found:?}");
}

/// Returns the names of the types that a file declares, without associated types, which belong to their trait.
fn declared_types(text: &str) -> Vec<String> {
    let declared = |line: &str| {
        let (is_indented, line) = (line.starts_with(' '), line.trim_start());
        let line = match line.strip_prefix("pub(") {
            Some(restricted) => restricted.split_once(") ")?.1,
            None => line.strip_prefix("pub ").unwrap_or(line),
        };
        let (keyword, rest) = line.split_once(' ')?;
        let is_type = matches!(keyword, "struct" | "enum" | "trait") || (keyword == "type" && !is_indented);
        let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
        // In a macro the name may be a parameter.
        (is_type && !name.is_empty()).then(|| name.to_owned())
    };
    code(text).lines().filter_map(declared).collect()
}

#[test]
fn no_type_name_is_declared_twice_in_the_workspace() {
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in WITH_TYPES.iter().flat_map(|folder| sources(&root().join(folder))) {
        for name in declared_types(&text).into_iter().filter(|_| !is_test(&path)) {
            files.entry(name).or_default().push(path.strip_prefix(root()).unwrap().display().to_string());
        }
    }
    files.retain(|_, files| files.len() > 1);
    let is_word = |files: &Vec<String>| match files.as_slice() {
        [one, other] => FAMILIES.iter().any(|[serverless, dedicated]| {
            [(one, other), (other, one)]
                .iter()
                .any(|(one, other)| one.starts_with(serverless) && other.starts_with(dedicated))
        }),
        _ => false,
    };
    for (name, files) in files.iter().filter(|(_, files)| !is_word(files)) {
        let is_known = DECLARED_TWICE.iter().any(|(known, _)| known == name);
        assert!(is_known, "{name} is declared in {}", files.join(" and "));
    }
    for (name, _) in DECLARED_TWICE {
        assert!(files.contains_key(name), "{name} is declared once");
    }
}

#[test]
fn a_declaration_is_a_type_unless_it_belongs_to_a_trait() {
    let text = "pub(in crate::a) struct A;\nenum B {\n    type C = u8;\n}\npub type D<T> = T;\n// struct E\n    pub trait F {";
    assert_eq!(declared_types(text), ["A", "B", "D", "F"]);
}

#[test]
fn a_tree_of_imports_is_split_into_paths() {
    assert_eq!(paths("super::{a, b::{C, d::E}}"), ["super::a", "super::b::C", "super::b::d::E"]);
}

#[test]
fn a_path_is_resolved_from_the_root_of_the_crate() {
    let code =
        "use super::super::a::{b::C, d};\n    pub(super) use crate::{e::F, g};\nfn h() { super::i::j() }";
    assert_eq!(used("x::y", code), ["a::b::C", "a::d", "e::F", "g", "x::i::j"].map(str::to_owned).into());
}
