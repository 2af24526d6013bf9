//! The requests of a run without faults, from which all plans are derived.

use std::sync::atomic::{AtomicUsize, Ordering};

use testbed::Exchange;

/// The proxy in front of the API server, and the requests to it.
pub(crate) const CLUSTER: &str = "cluster";

/// The proxy in front of Atlas, and the requests to it.
pub(crate) const ATLAS: &str = "atlas";

/// The kind of a request, as far as faults differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestKind {
    /// Of one object.
    Read,
    /// A first listing, of all objects or endpoints.
    List,
    /// A repeated listing, after a successful response: a challenge is never old.
    Relist,
    Watch,
    Write,
}

/// One request of such a run.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) proxy: String,
    /// From 1, in the order of arrival at its proxy.
    pub(crate) number: usize,
    pub(crate) kind: RequestKind,
    /// The length of its response.
    pub(crate) response_bytes: usize,
    /// It was sent before the operator's first watch: a process may end there, and be restarted.
    pub(crate) starting: bool,
    /// The request, in a form that is the same in every run.
    pub(crate) question: String,
    /// From 1, among the same requests at its proxy. Their order is that of every run; different requests that are sent
    /// at once overtake each other.
    pub(crate) nth: usize,
}

/// Returns the requests among `exchanges` after the first `skipped` of each proxy, numbered from 1. The first of them
/// is that of an operator that starts, if `is_start`.
pub(crate) fn requests(
    exchanges: &[Exchange],
    skipped: impl Fn(&str) -> usize,
    is_start: bool,
) -> Vec<Request> {
    let counted = || exchanges.iter().filter(|exchange| exchange.at_proxy > skipped(&exchange.proxy));
    let first_watch = counted().find(|exchange| is_start && is_lasting_watch(exchange));
    let first_watch = first_watch.map_or(0, |watch| watch.number);
    let request = |exchange: &Exchange| Request {
        proxy: exchange.proxy.clone(),
        number: exchange.at_proxy - skipped(&exchange.proxy),
        kind: kind(exchange, exchanges),
        response_bytes: exchange.response.len(),
        starting: exchange.number < first_watch,
        question: question(exchange),
        nth: counted().filter(|other| other.number <= exchange.number && is_same(other, exchange)).count(),
    };
    counted().map(request).collect()
}

fn is_same(one: &Exchange, other: &Exchange) -> bool {
    (&one.proxy, question(one)) == (&other.proxy, question(other))
}

impl Request {
    /// Selects the same request among those of another run, which begin with the path.
    pub(crate) fn again(&self) -> impl Fn(&Exchange) -> bool + Send + use<> {
        let Self { proxy, question: expected, nth, .. } = self.clone();
        let seen = AtomicUsize::new(0);
        move |exchange| {
            exchange.proxy == proxy
                && question(exchange) == expected
                && seen.fetch_add(1, Ordering::Relaxed) + 1 == nth
        }
    }
}

fn kind(exchange: &Exchange, all: &[Exchange]) -> RequestKind {
    let path = exchange.path.split('?').next().unwrap_or_default();
    let same = |other: &Exchange| {
        other.number < exchange.number
            && other.status == Some(200)
            && (&other.proxy, &other.method, &other.path)
                == (&exchange.proxy, &exchange.method, &exchange.path)
    };
    if exchange.is_write() {
        RequestKind::Write
    } else if exchange.is_watch() {
        RequestKind::Watch
    } else if !path.ends_with("/serverlessprivateendpoints") && !path.ends_with("/endpoint") {
        RequestKind::Read
    } else if exchange.status == Some(200) && all.iter().any(same) {
        RequestKind::Relist
    } else {
        RequestKind::List
    }
}

/// Returns a request without what differs between two runs: the namespace's name, ids, and versions, which are in the
/// query.
pub(crate) fn question(exchange: &Exchange) -> String {
    let path = exchange.path.split('?').next().unwrap_or_default();
    let mut parts: Vec<&str> = path.split('/').collect();
    for n in 1..parts.len() {
        let is_id = parts[n].len() == 24 && parts[n].bytes().all(|digit| digit.is_ascii_hexdigit());
        if is_id || (parts[n - 1] == "namespaces" && n + 1 < parts.len()) {
            parts[n] = "…";
        }
    }
    let watch = if exchange.is_watch() { "WATCH " } else { "" };
    format!("{watch}{} {}", exchange.method, parts.join("/"))
}

/// Returns whether it is a lasting watch, and not the short one by which a starting program checks whether it may
/// watch.
pub(crate) fn is_lasting_watch(exchange: &Exchange) -> bool {
    exchange.is_watch() && !exchange.path.contains("timeoutSeconds=1&")
}
