//! The requests of a run without faults, from which all plans are derived.

use std::sync::atomic::{AtomicUsize, Ordering};

use testbed::Exchange;

/// The proxy in front of the API server, and the requests to it.
pub(crate) const CLUSTER: &str = "cluster";

/// The proxy in front of Atlas, and the requests to it.
pub(crate) const ATLAS: &str = "atlas";

/// How the paths of listings of our kinds end.
pub(crate) const KINDS: [&str; 3] =
    ["/serverlessprivateendpoints", "/privateendpointservices", "/privateendpoints"];

/// The kind of a request, as far as faults differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestKind {
    /// Of one object.
    Read,
    /// A listing, of all objects, endpoints or services, and at Atlas any read.
    List,
    /// The same again, once an earlier one had another response: an older state can be shown.
    Relist,
    Watch,
    Write,
    /// The publication of an event: nothing depends on it.
    Event,
    /// About an output ConfigMap: what it lacks is written a minute later, longer than a plan waits.
    Output,
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

/// Returns the requests among `exchanges` after the first `skipped` of each proxy, numbered from 1, without the polls that follow the last
/// write. The first of them is that of an operator that starts, if `is_start`.
pub(crate) fn requests(
    exchanges: &[Exchange],
    skipped: impl Fn(&str) -> usize,
    is_start: bool,
) -> Vec<Request> {
    let counted = || exchanges.iter().filter(|exchange| exchange.at_proxy > skipped(&exchange.proxy));
    let first_watch = counted().find(|exchange| is_start && is_lasting_watch(exchange));
    let first_watch = first_watch.map_or(0, |watch| watch.number);
    let last_write = counted().filter(|exchange| exchange.is_write()).map(|exchange| exchange.number).max();
    let request = |exchange: &Exchange| Request {
        proxy: exchange.proxy.clone(),
        number: exchange.at_proxy - skipped(&exchange.proxy),
        kind: kind(exchange, exchanges),
        response_bytes: exchange.response.len(),
        starting: exchange.number < first_watch,
        question: question(exchange),
        nth: counted().filter(|other| other.number <= exchange.number && is_same(other, exchange)).count(),
    };
    let is_poll =
        |request: &Request, number: usize| request.nth > 1 && last_write.is_some_and(|last| number > last);
    let all = counted().map(|exchange| (request(exchange), exchange.number));
    all.filter(|(request, number)| !is_poll(request, *number)).map(|(request, _)| request).collect()
}

fn is_same(one: &Exchange, other: &Exchange) -> bool {
    (&one.proxy, question(one)) == (&other.proxy, question(other))
}

impl Request {
    /// Returns whether `other` is the same request of another run.
    pub(crate) fn is(&self, other: &Self) -> bool {
        (&self.proxy, &self.question, self.nth) == (&other.proxy, &other.question, other.nth)
    }

    /// Returns whether another operator may be about to write the same: what Atlas has, or an object itself, its claim and its finalizer.
    pub(crate) fn is_contested(&self) -> bool {
        self.kind == RequestKind::Write && (self.proxy == ATLAS || !self.question.ends_with("/status"))
    }

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
    let is_older = |other: &Exchange| {
        other.number < exchange.number
            && other.status == Some(200)
            && other.response != exchange.response
            && (&other.proxy, &other.method, &other.path)
                == (&exchange.proxy, &exchange.method, &exchange.path)
    };
    if exchange.proxy == CLUSTER && path.contains("/configmaps") {
        RequestKind::Output
    } else if exchange.proxy == CLUSTER && path.contains("/events") {
        RequestKind::Event
    } else if exchange.is_write() {
        RequestKind::Write
    } else if exchange.is_watch() {
        RequestKind::Watch
    } else if exchange.proxy == CLUSTER && !KINDS.iter().any(|kind| path.ends_with(kind)) {
        RequestKind::Read
    } else if exchange.status == Some(200) && all.iter().any(is_older) {
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
        let is_namespace = parts[n - 1] == "namespaces" && n + 1 < parts.len();
        if is_id || is_namespace || parts[n - 1] == "events" {
            parts[n] = "…";
        }
    }
    let watch = if exchange.is_watch() { "WATCH " } else { "" };
    format!("{watch}{} {}", exchange.method, parts.join("/"))
}

/// A POST that may have been executed, or may still be.
pub(crate) fn is_post(exchange: &Exchange) -> bool {
    exchange.proxy == ATLAS && exchange.method == "POST" && exchange.status != Some(401)
}

/// Returns whether it is a lasting watch, and not the short one by which a starting program checks whether it may
/// watch.
pub(crate) fn is_lasting_watch(exchange: &Exchange) -> bool {
    exchange.is_watch() && !exchange.path.contains("timeoutSeconds=1&")
}
