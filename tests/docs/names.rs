//! Every name in the text of the manual exists: fields, flags, values of the chart, files, targets of make. Only the
//! manual's own pages: on other pages a field may belong to another kind.

use serde_json::Value;
use spe_operator::app::definitions::definitions;
use spe_operator::app::settings;

use crate::book::{pages, root};

/// Each piece of code in the text of the manual, with its page.
fn codes() -> Vec<(String, String)> {
    let ours = pages().into_iter().filter(|page| {
        !page.path.starts_with("charts")
            && !page.path.starts_with("atlas-simulator")
            && !page.path.starts_with("deploy")
    });
    ours.flat_map(|page| {
        let path = page.path.display().to_string();
        page.codes.into_iter().map(move |code| (path.clone(), code))
    })
    .collect()
}

/// Fails unless every piece of code that `is_one` is known; and unless there are some.
fn assert_known(what: &str, is_one: impl Fn(&str) -> Option<String>, is_known: impl Fn(&str) -> bool) {
    let named: Vec<_> = codes().into_iter().filter_map(|(page, code)| Some((page, is_one(&code)?))).collect();
    assert!(named.len() > 2, "{what}: only {named:?}");
    for (page, name) in named {
        assert!(is_known(&name), "{page}: there is no {what} {name}");
    }
}

#[test]
fn every_field_that_is_named_is_in_a_definition() {
    let is_field = |code: &str| {
        let path = code.split([':', ' ', '=']).next()?;
        let is_path = path.chars().all(|c| c.is_alphanumeric() || "._".contains(c));
        (is_path && (path.starts_with("spec.") || path.starts_with("status."))).then(|| path.to_owned())
    };
    assert_known("field", is_field, is_defined);
}

/// Returns whether an object of some kind has the field.
fn is_defined(path: &str) -> bool {
    definitions().into_iter().any(|definition| {
        let definition = serde_json::to_value(definition).unwrap();
        let mut place: &Value = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        for field in path.split('.') {
            place = &place["properties"][field];
        }
        !place.is_null()
    })
}

#[test]
fn every_flag_that_is_named_is_one_of_the_program() {
    let program = settings::command_line();
    let flags: Vec<_> = program
        .get_subcommands()
        .flat_map(clap::Command::get_arguments)
        .filter_map(|flag| Some(format!("--{}", flag.get_long()?)))
        .collect();
    let is_flag =
        |code: &str| code.starts_with("--").then(|| code.split([' ', '=']).next().unwrap().to_owned());
    assert_known("flag", is_flag, |flag| flags.iter().any(|known| known == flag));
}

#[test]
fn every_value_that_is_named_is_one_of_the_chart() {
    let text = std::fs::read_to_string(root().join("charts/spe-operator/values.yaml")).unwrap();
    let values: Value = serde_saphyr::from_str(&text).unwrap();
    let is_value = |code: &str| {
        let path = code.split('=').next()?;
        let top = path.split_once('.')?.0;
        let is_group = path.starts_with("atlas.spe-operator.io");
        (!is_group && values.get(top).is_some()).then(|| path.to_owned())
    };
    // The spec of a PrivateEndpoint has a field `service`, too.
    assert_known("value", is_value, |path| {
        values.pointer(&format!("/{}", path.replace('.', "/"))).is_some()
            || is_defined(&format!("spec.{path}"))
    });
}

/// Code that begins with a folder or a file of the repository's root is a path in it.
#[test]
fn every_file_that_is_named_is_there() {
    let roots: Vec<_> = std::fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let is_path = |code: &str| {
        let top = code.split('/').next()?;
        let is_plain =
            code.contains('/') && code.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
        (is_plain && top != "target" && roots.iter().any(|known| known == top)).then(|| code.to_owned())
    };
    assert_known("file", is_path, |path| root().join(path).exists());
}

#[test]
fn every_target_of_make_that_is_named_is_there() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let is_target = |code: &str| Some(code.strip_prefix("make ")?.split(' ').next()?.to_owned());
    assert_known("target", is_target, |target| makefile.contains(&format!("\n{target}:")));
}
