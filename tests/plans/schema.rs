//! The fields of the spec in the definition, and the values that their schemas suggest.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};

/// One field, or a field that is an object.
#[derive(Clone)]
pub(crate) struct Property {
    pub(crate) path: Vec<String>,
    schema: Value,
    required: bool,
}

/// One change of it.
#[derive(Debug)]
pub(crate) struct FieldMutation {
    /// As in `one character too long`.
    pub(crate) what: String,
    /// `None`: the field is removed.
    pub(crate) value: Option<Value>,
    pub(crate) must: Must,
    /// It is a value of the same type, other than the present one.
    pub(crate) is_other: bool,
}

/// The expected response of the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Must {
    Pass,
    Fail,
    /// Either.
    Either,
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path.join("."))
    }
}

/// Returns every field below `spec`, in the order of the definition.
pub(crate) fn properties(definition: &str) -> Vec<Property> {
    let definition: Value = serde_saphyr::from_str(definition).unwrap();
    let spec = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let mut found = Vec::new();
    collect(spec, &[], &mut found);
    found
}

fn collect(schema: &Value, path: &[String], found: &mut Vec<Property>) {
    let Some(properties) = schema["properties"].as_object() else { return };
    for (name, schema_of) in properties {
        let mut path = path.to_vec();
        path.push(name.clone());
        let required = schema["required"].as_array().is_some_and(|names| names.contains(&json!(name)));
        found.push(Property { path: path.clone(), schema: schema_of.clone(), required });
        collect(schema_of, &path, found);
    }
}

impl Property {
    pub(crate) fn pointer(&self) -> String {
        self.path.iter().flat_map(|part| ["/", part]).collect()
    }

    /// Returns all changes of it while it has this value.
    pub(crate) fn mutations(&self, current: &Value) -> Vec<FieldMutation> {
        let kind = self.schema["type"].as_str().unwrap();
        let refused = |what: &str, value: Value| FieldMutation {
            what: what.to_owned(),
            value: Some(value),
            must: Must::Fail,
            is_other: false,
        };
        let mut all = vec![
            FieldMutation {
                what: "removed".to_owned(),
                value: None,
                must: if self.required { Must::Fail } else { Must::Either },
                is_other: false,
            },
            // It is dropped, or replaced by the default, before anything is checked.
            FieldMutation {
                what: "null".to_owned(),
                value: Some(Value::Null),
                must: if self.required { Must::Fail } else { Must::Either },
                is_other: false,
            },
        ];
        let values = [
            ("string", json!("text")),
            ("boolean", json!(true)),
            ("number", json!(7)),
            ("list", json!([])),
            ("object", json!({})),
        ];
        all.extend(
            values
                .into_iter()
                .filter(|(of, _)| *of != kind)
                .map(|(of, value)| refused(&format!("a {of}"), value)),
        );
        match kind {
            "string" => all.extend(self.strings(current.as_str().unwrap())),
            "boolean" => all.push(other("the other truth", json!(!current.as_bool().unwrap()))),
            "object" => all.push(FieldMutation { is_other: true, ..same_fields_twice(current) }),
            other => panic!("{self}: what is suggested by a schema of type {other}?"),
        }
        all
    }

    fn strings(&self, current: &str) -> Vec<FieldMutation> {
        let choice =
            self.schema["enum"].as_array().map(|words| words.iter().map(|word| word.as_str().unwrap()));
        let choice: Option<BTreeSet<&str>> = choice.map(Iterator::collect);
        let bounds = self.bounds();
        let stretched = |length: usize| {
            let last = current.chars().last().unwrap();
            current.chars().chain(std::iter::repeat(last)).take(length).collect::<String>()
        };
        let mut texts: Vec<(String, String)> = vec![
            ("empty".to_owned(), String::new()),
            ("its first character".to_owned(), current.chars().take(1).collect()),
            ("with white space around it".to_owned(), format!(" {current}\n")),
            ("in upper case".to_owned(), current.to_uppercase()),
            ("Unicode".to_owned(), "Größe 端点 🦀 \u{202e}\u{200b}e\u{301}".to_owned()),
            ("NUL".to_owned(), "a\0b".to_owned()),
        ];
        for most in &bounds.lengths {
            texts.push((format!("{most} characters long, the bound"), stretched(*most)));
            texts.push((format!("one character longer than {most}"), stretched(most + 1)));
            texts.push((format!("{most} characters of four bytes, the bound"), "🦀".repeat(*most)));
            texts.push((format!("one character of four bytes more than {most}"), "🦀".repeat(most + 1)));
        }
        for text in bounds.within.iter().chain(&bounds.beyond) {
            texts.push((format!("{text:?}, at its bound"), text.clone()));
        }
        let mut last_changed: Vec<char> = current.chars().collect();
        if let Some(last) = last_changed.last_mut() {
            *last = if *last == 'a' { 'b' } else { 'a' };
        }
        texts.push(("with another last character".to_owned(), last_changed.into_iter().collect()));
        for word in self.words() {
            texts.push((format!("{word:?}, which its schema names"), word));
        }
        for word in choice.iter().flatten() {
            texts.push((format!("{word:?}, which it may be"), (*word).to_owned()));
        }
        let mutation = |(what, text): (String, String)| {
            let length = text.chars().count();
            let is_refused = bounds.lengths.iter().any(|most| length > *most)
                || bounds.beyond.contains(&text)
                || choice.as_ref().is_some_and(|words| !words.contains(text.as_str()));
            let is_accepted = bounds.within.contains(&text) || bounds.ruled_length == Some(length);
            let must = match (is_refused, is_accepted) {
                (true, _) => Must::Fail,
                (false, true) => Must::Pass,
                (false, false) => Must::Either,
            };
            FieldMutation { must, ..other(&what, json!(text)) }
        };
        let mut seen = BTreeSet::from([current.to_owned()]);
        texts.retain(|(_, text)| seen.insert(text.clone()));
        texts.into_iter().map(mutation).collect()
    }

    /// Returns its maximum length, and its minimum if it is a duration: by its schema, and by its rules.
    fn bounds(&self) -> Bounds {
        let mut bounds = Bounds::default();
        for rule in self.rules().filter_map(|rule| rule["rule"].as_str()) {
            let after = |words: &str| rule.split_once(words).map(|(_, rest)| rest);
            if let Some(most) = after("self.size() <= ") {
                bounds.ruled_length = Some(most.parse().unwrap());
            }
            let seconds = |rest: &str| rest.split_once("s')").unwrap().0.parse::<u64>().unwrap();
            if let Some(least) = after("duration(self) >= duration('").map(seconds) {
                bounds.within.push(format!("{least}s"));
                bounds.beyond.push(format!("{}.999999999s", least - 1));
            } else if let Some(below) = after("duration(self) > duration('").map(seconds) {
                bounds.within.push(format!("{below}.000000001s"));
                bounds.beyond.push(format!("{below}s"));
            } else {
                let is_read =
                    !rule.contains("duration(") && (!rule.contains('<') || bounds.ruled_length.is_some());
                assert!(is_read, "{self}: what bound is in {rule}?");
            }
        }
        let by_schema = self.schema["maxLength"].as_u64().map(|most| usize::try_from(most).unwrap());
        bounds.lengths.extend(by_schema.into_iter().chain(bounds.ruled_length));
        bounds
    }

    fn rules(&self) -> impl Iterator<Item = &Value> {
        self.schema["x-kubernetes-validations"].as_array().into_iter().flatten()
    }

    /// Returns the quoted texts in the description and in the messages of the rules: examples, among others.
    fn words(&self) -> BTreeSet<String> {
        let mut texts = vec![self.schema["description"].as_str().unwrap_or_default()];
        texts.extend(self.rules().filter_map(|rule| rule["message"].as_str()));
        let mut words = BTreeSet::new();
        for text in texts {
            for quote in ['`', '\''] {
                words.extend(text.split(quote).skip(1).step_by(2).map(str::to_owned));
            }
        }
        words
    }
}

/// The bounds of a text.
#[derive(Default)]
struct Bounds {
    /// In characters, each of them.
    lengths: Vec<usize>,
    /// The length in a rule, which is the only requirement of the text.
    ruled_length: Option<usize>,
    /// Durations that are just allowed, and that are just not.
    within: Vec<String>,
    beyond: Vec<String>,
}

fn other(what: &str, value: Value) -> FieldMutation {
    FieldMutation { what: what.to_owned(), value: Some(value), must: Must::Either, is_other: true }
}

/// An object's own fields are changed one by one; the object as a whole gets an unknown one, which is dropped.
fn same_fields_twice(current: &Value) -> FieldMutation {
    let mut value = current.clone();
    value["nobodyKnowsThis"] = json!("or does somebody?");
    FieldMutation {
        what: "with an unknown field".to_owned(),
        value: Some(value),
        must: Must::Either,
        is_other: true,
    }
}
