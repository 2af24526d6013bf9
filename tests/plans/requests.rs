//! The requests of a run without faults, by which all plans are counted.

use testbed::Exchange;

/// The proxy in front of the API server, and the requests to it.
pub(crate) const CLUSTER: &str = "cluster";

/// The proxy in front of Atlas, and the requests to it.
pub(crate) const ATLAS: &str = "atlas";

/// What a request is, as far as faults differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of one object.
    Read,
    /// Of all objects or endpoints, asked for the first time.
    List,
    /// The same, asked for again after it was answered.
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
    pub(crate) kind: Kind,
    /// The length of its answer.
    pub(crate) answer: usize,
    /// It came before the operator watched anything: a process may end there, and be started again.
    pub(crate) starting: bool,
    /// For people.
    pub(crate) line: String,
}

/// The requests among `exchanges` after the first `skipped` of each proxy, numbered from 1.
pub(crate) fn requests(exchanges: &[Exchange], skipped: impl Fn(&str) -> usize) -> Vec<Request> {
    let first_watch = exchanges.iter().find(|exchange| exchange.is_watch()).map_or(0, |watch| watch.number);
    let counted = exchanges.iter().filter(|exchange| exchange.at_proxy > skipped(&exchange.proxy));
    let request = |exchange: &Exchange| Request {
        proxy: exchange.proxy.clone(),
        number: exchange.at_proxy - skipped(&exchange.proxy),
        kind: kind(exchange, exchanges),
        answer: exchange.answer.len(),
        starting: exchange.number < first_watch,
        line: format!("{} {}", exchange.method, exchange.path),
    };
    counted.map(request).collect()
}

fn kind(exchange: &Exchange, all: &[Exchange]) -> Kind {
    let path = exchange.path.split('?').next().unwrap_or_default();
    let same = |other: &Exchange| {
        other.number < exchange.number
            && other.status == Some(200)
            && (&other.proxy, &other.method, &other.path)
                == (&exchange.proxy, &exchange.method, &exchange.path)
    };
    if exchange.is_write() {
        Kind::Write
    } else if exchange.is_watch() {
        Kind::Watch
    } else if !path.ends_with("/serverlessprivateendpoints") && !path.ends_with("/endpoint") {
        Kind::Read
    } else if all.iter().any(same) {
        Kind::Relist
    } else {
        Kind::List
    }
}
