//! Rules that select the faults of a request.

use serde::{Deserialize, Serialize};

use crate::faults::{InjectedFault, Operation};

/// Selects requests. Every member that is set must match; with none set it matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// One of these operations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<Operation>,
    /// This HTTP method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Path and query contain this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_contains: Option<String>,
    /// This project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// This instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// This key (its public half).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Requests that did not authenticate too: otherwise they are neither counted nor affected.
    pub unauthenticated: bool,
}

/// Applies a fault to selected requests.
///
/// Rules are evaluated in the order in which they were injected. A rule first lets `skip` matching requests pass, then
/// applies to `times` of them, then is spent. A fault that settles the response hides the request from later rules, so
/// that two rules for one request each mean two requests in a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The requests that it matches.
    #[serde(default)]
    pub on: Match,
    /// How many matching requests pass unaffected before.
    #[serde(default)]
    pub skip: u64,
    /// How many requests it applies to; `None` (JSON `null`): all from then on.
    #[serde(default = "once")]
    pub times: Option<u64>,
    /// The fault.
    pub fault: InjectedFault,
}

#[allow(clippy::unnecessary_wraps, reason = "serde wants the type of the field")]
fn once() -> Option<u64> {
    Some(1)
}

impl Rule {
    /// Applies this fault to the next request of any kind.
    #[must_use]
    pub fn next(fault: InjectedFault) -> Self {
        Self { on: Match::default(), skip: 0, times: once(), fault }
    }

    /// Applies this fault to the next request of this kind.
    #[must_use]
    pub fn next_of(operation: Operation, fault: InjectedFault) -> Self {
        Self::next(fault).of([operation])
    }

    /// Applies this fault to every request.
    #[must_use]
    pub fn always(fault: InjectedFault) -> Self {
        Self::next(fault).times(None)
    }

    /// The same for these operations only.
    #[must_use]
    pub fn of(mut self, operations: impl IntoIterator<Item = Operation>) -> Self {
        self.on.operations = operations.into_iter().collect();
        self
    }

    /// The same for this project only.
    #[must_use]
    pub fn in_project(mut self, project: &str) -> Self {
        self.on.project = Some(project.to_owned());
        self
    }

    /// The same for so many requests; `None`: all.
    #[must_use]
    pub fn times(mut self, times: impl Into<Option<u64>>) -> Self {
        self.times = times.into();
        self
    }

    /// The same after so many requests passed unaffected.
    #[must_use]
    pub fn after(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }

    /// The same for requests that did not authenticate too.
    #[must_use]
    pub fn unauthenticated_too(mut self) -> Self {
        self.on.unauthenticated = true;
        self
    }
}

/// A request as the rules see it.
#[derive(Debug)]
pub(crate) struct RequestAttributes<'a> {
    pub(crate) operation: Option<Operation>,
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) project: Option<&'a str>,
    pub(crate) instance: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
}

impl Match {
    fn fits(&self, request: &RequestAttributes<'_>) -> bool {
        fn same(wanted: Option<&String>, found: Option<&str>) -> bool {
            wanted.is_none_or(|wanted| found == Some(wanted))
        }
        (self.operations.is_empty() || request.operation.is_some_and(|o| self.operations.contains(&o)))
            && self.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(request.method))
            && self.path_contains.as_ref().is_none_or(|part| request.target.contains(part))
            && same(self.project.as_ref(), request.project)
            && same(self.instance.as_ref(), request.instance)
            && same(self.key.as_ref(), request.key)
            && (self.unauthenticated || request.key.is_some())
    }
}

/// Returns the faults of this request; counts it in the rules that matched it and drops those that are spent.
pub(crate) fn pick(rules: &mut Vec<Rule>, request: &RequestAttributes<'_>) -> Vec<InjectedFault> {
    let mut faults = Vec::new();
    for rule in rules.iter_mut().filter(|rule| rule.on.fits(request)) {
        if rule.skip > 0 {
            rule.skip -= 1;
            continue;
        }
        if let Some(times) = &mut rule.times {
            if *times == 0 {
                continue;
            }
            *times -= 1;
        }
        faults.push(rule.fault.clone());
        if rule.fault.settles() {
            break;
        }
    }
    rules.retain(|rule| rule.times != Some(0));
    faults
}
