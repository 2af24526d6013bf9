//! The requests of one part of a life without faults, and the faults of one of them.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use testbed::{Action, Exchange, FakeResponse};

/// Longer than the operator's timeout for Atlas (`--atlas-timeout`, 2 s), and within what the protocol allows a request to be late.
const LATE: Duration = Duration::from_millis(2700);

/// One request of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LifeRequest {
    /// The proxy that received it.
    proxy: String,
    /// The request, in a form that is the same in every run.
    form: String,
    /// From 1, among the same requests of the part.
    nth: usize,
    /// Its method writes.
    is_write: bool,
}

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LifeFault {
    /// The operator is killed when the request is executed, before its response.
    KillAfter,
    /// The operator is killed before the request is executed.
    KillBefore,
    /// The request is executed, and its connection is closed without the response.
    LoseResponse,
    /// The request is not executed, and its connection is closed.
    LoseRequest,
    /// The request is executed when its sender has given up.
    Late,
    /// The request is not executed, and gets this status.
    Status(u16),
}

impl LifeRequest {
    /// Returns the requests among `exchanges`, without watches, and without the polls that follow the last write.
    pub(crate) fn all(exchanges: &[Exchange]) -> Vec<Self> {
        let mut requests: Vec<Self> = Vec::new();
        let writing = exchanges.iter().rposition(Exchange::is_write).map_or(0, |last| last + 1);
        for exchange in exchanges.iter().take(writing).filter(|exchange| !exchange.is_watch()) {
            let (proxy, form) = (exchange.proxy.clone(), form(exchange));
            let nth = 1 + requests.iter().filter(|other| other.proxy == proxy && other.form == form).count();
            requests.push(Self { proxy, form, nth, is_write: exchange.is_write() });
        }
        requests
    }

    pub(crate) fn is_write(&self) -> bool {
        self.is_write
    }

    pub(crate) fn is_to_atlas(&self) -> bool {
        self.proxy == "atlas"
    }

    /// Events are published after the fact: losing one loses nothing else.
    pub(crate) fn is_event(&self) -> bool {
        self.form.contains("/events")
    }

    /// What the output ConfigMap lacks is written a minute later.
    pub(crate) fn is_output(&self) -> bool {
        self.form.contains("/configmaps")
    }

    /// Returns `true` if it writes an object itself, and not its status: finalizer and claim.
    pub(crate) fn is_claim(&self) -> bool {
        let is_of_object = !self.is_to_atlas() && !self.is_event() && !self.is_output();
        self.is_write && is_of_object && !self.form.ends_with("/status")
    }

    /// Selects the same request of another run, from the beginning of the part.
    pub(crate) fn again(&self) -> impl Fn(&Exchange) -> bool + Send + use<> {
        let wanted = self.clone();
        let seen = AtomicUsize::new(0);
        move |exchange| {
            !exchange.is_watch()
                && exchange.proxy == wanted.proxy
                && form(exchange) == wanted.form
                && seen.fetch_add(1, Ordering::Relaxed) + 1 == wanted.nth
        }
    }
}

/// Returns the name, as in `atlas POST …/endpoint 1`.
impl fmt::Display for LifeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { proxy, form, nth, .. } = self;
        write!(f, "{proxy} {form} {nth}")
    }
}

impl LifeFault {
    /// Returns the action of the proxy; `kill` ends the operator.
    pub(crate) fn action(self, kill: impl FnOnce() + Send + 'static, request: &LifeRequest) -> Action {
        match self {
            Self::KillAfter => Action::CallAfter(Box::new(kill)),
            Self::KillBefore => Action::CallBefore(Box::new(kill)),
            Self::LoseResponse => Action::DropResponse,
            Self::LoseRequest => Action::DropRequest,
            Self::Late => Action::DelayRequest(LATE),
            Self::Status(status) if request.is_to_atlas() => Action::Respond(of_atlas(status)),
            Self::Status(409) => Action::kubernetes(409, "Conflict"),
            Self::Status(status) => Action::kubernetes(status, "InternalError"),
        }
    }
}

/// Returns an error of Atlas, which says nothing about the request.
fn of_atlas(status: u16) -> FakeResponse {
    let body = json!({"detail": "a planned fault", "error": status, "errorCode": "UNEXPECTED_ERROR", "reason": "Planned"});
    FakeResponse {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.to_string().into(),
    }
}

/// Returns a request without what differs between two runs: the namespace's name, ids, and the query.
fn form(exchange: &Exchange) -> String {
    let path = exchange.path.split('?').next().unwrap_or_default();
    let parts: Vec<_> = path.split('/').collect();
    let same = parts.iter().enumerate().map(|(n, part)| {
        let is_id = part.len() == 24 && part.bytes().all(|digit| digit.is_ascii_hexdigit());
        let is_namespace = n > 0 && parts[n - 1] == "namespaces";
        let is_event = n > 0 && parts[n - 1] == "events";
        if is_id || is_namespace || is_event { "*" } else { part }
    });
    format!("{} {}", exchange.method, same.collect::<Vec<_>>().join("/"))
}
