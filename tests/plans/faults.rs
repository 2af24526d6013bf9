//! What can go wrong with one request, and at which requests it makes sense: a table, and nothing but this table.

use std::time::Duration;

use serde_json::json;
use testbed::{Action, Answer};

use crate::requests::{ATLAS, Kind, Request};

/// Longer than the operator waits for the API server (5 s): it has given up when the request arrives.
const LATE_AT_CLUSTER: Duration = Duration::from_secs(6);

/// Longer than it waits for Atlas (`--atlas-timeout`, 2 s) and then pauses (1 s at most), so that whoever takes silence for a
/// refusal has written again; and well within `--create-uncertainty` (8 s).
const LATE_AT_ATLAS: Duration = Duration::from_millis(4500);

/// Long enough for another operator to begin what this one is about to do, and answered in time.
const SLOW: Duration = Duration::from_millis(600);

/// How long a server is down that refuses connections.
pub(crate) const DOWN: Duration = Duration::from_secs(1);

/// One way in which a request goes wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// As in the names of plans.
    pub(crate) name: &'static str,
    pub(crate) what: What,
    /// The requests to the API server that it makes sense for.
    cluster: &'static [Kind],
    /// The same for Atlas.
    atlas: &'static [Kind],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The server goes down for [`DOWN`]: this request is not answered, and connections are refused.
    Refuse,
    /// The request does not arrive, and its connection stays open without a response: whoever waits for one must set a bound.
    Hang,
    /// The request is carried out, and its connection stays open without a response.
    ApplyAndHang,
    /// The request does not arrive, and its connection is closed.
    Drop,
    /// The request is carried out, and its connection closed without the answer.
    ApplyAndDrop,
    /// The request arrives when its sender has given up.
    Delay,
    /// The request arrives late, and is answered in time: another operator may overtake it.
    Slow,
    /// It is refused with this status.
    Status(u16),
    /// The answer breaks off in its middle.
    Truncate,
    /// The answer is the one that was last given to the same question.
    Stale,
    /// All watches end as the request is answered.
    CloseWatches,
    /// All watches end with 410 as the request is answered.
    ExpireWatches,
    /// The operator is killed by SIGKILL when the request is carried out.
    Kill,
}

use Kind::{List, Read, Relist, Watch, Write};

const ALL: &[Kind] = &[Read, List, Relist, Watch, Write];
/// A watch has no answer that could break off or come late; it is closed or expired instead.
const WHOLE: &[Kind] = &[Read, List, Relist, Write];
/// A read leaves nothing behind, so that to lose it or its answer is the same; and nobody answers it with a conflict.
const WRITES: &[Kind] = &[Write];
/// Only a listing that was asked for before can be answered with an old one.
const AGAIN: &[Kind] = &[Relist];
/// Atlas has no watches; the API server serves no instances.
const NONE: &[Kind] = &[];

/// All faults.
pub(crate) const FAULTS: [Fault; 18] = [
    Fault { name: "refuse", what: What::Refuse, cluster: ALL, atlas: ALL },
    Fault { name: "never-answered", what: What::Hang, cluster: ALL, atlas: ALL },
    Fault { name: "apply-and-never-answer", what: What::ApplyAndHang, cluster: WRITES, atlas: WRITES },
    Fault { name: "drop", what: What::Drop, cluster: ALL, atlas: ALL },
    Fault { name: "apply-and-drop", what: What::ApplyAndDrop, cluster: WRITES, atlas: WRITES },
    Fault { name: "delay", what: What::Delay, cluster: ALL, atlas: ALL },
    Fault { name: "slow", what: What::Slow, cluster: WHOLE, atlas: WHOLE },
    Fault { name: "409", what: What::Status(409), cluster: WRITES, atlas: WRITES },
    Fault { name: "429", what: What::Status(429), cluster: ALL, atlas: ALL },
    Fault { name: "500", what: What::Status(500), cluster: ALL, atlas: ALL },
    Fault { name: "503", what: What::Status(503), cluster: ALL, atlas: ALL },
    Fault { name: "no-instance", what: What::Status(404), cluster: NONE, atlas: ALL },
    Fault { name: "no-api", what: What::Status(410), cluster: NONE, atlas: ALL },
    Fault { name: "truncate", what: What::Truncate, cluster: WHOLE, atlas: WHOLE },
    Fault { name: "stale-list", what: What::Stale, cluster: AGAIN, atlas: AGAIN },
    Fault { name: "watch-closed", what: What::CloseWatches, cluster: ALL, atlas: NONE },
    Fault { name: "410", what: What::ExpireWatches, cluster: ALL, atlas: NONE },
    Fault { name: "kill", what: What::Kill, cluster: WRITES, atlas: WRITES },
];

impl Fault {
    /// Whether it makes sense for this request.
    pub(crate) fn fits(&self, request: &Request) -> bool {
        let kinds = if request.proxy == ATLAS { self.atlas } else { self.cluster };
        kinds.contains(&request.kind)
    }

    /// What the proxy does to the request; `kill` ends the operator.
    pub(crate) fn action(&self, request: &Request, kill: impl FnOnce() + Send + 'static) -> Action {
        let at_atlas = request.proxy == ATLAS;
        match self.what {
            // The rest of it, that connections are refused, is done when the request has come.
            What::Refuse | What::Hang => Action::HangRequest,
            What::ApplyAndHang => Action::HangAnswer,
            What::Drop => Action::DropRequest,
            What::ApplyAndDrop => Action::DropAnswer,
            What::Delay => Action::DelayRequest(if at_atlas { LATE_AT_ATLAS } else { LATE_AT_CLUSTER }),
            What::Slow => Action::DelayRequest(SLOW),
            What::Status(status) if at_atlas => Action::Answer(of_atlas(status)),
            What::Status(status) => Action::kubernetes(status, reason(status)),
            What::Truncate => Action::Truncate(request.answer / 2),
            What::Stale => Action::Stale,
            What::CloseWatches => Action::CloseWatches,
            What::ExpireWatches => Action::ExpireWatches,
            What::Kill => Action::CallAfter(Box::new(kill)),
        }
    }
}

/// The API server's word for a status.
fn reason(status: u16) -> &'static str {
    match status {
        409 => "Conflict",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        _ => "InternalError",
    }
}

/// An answer of Atlas with this status. A 429 asks for a short pause, since without such a word the operator's own is long.
fn of_atlas(status: u16) -> Answer {
    // One response alone that says "gone" ends nothing.
    let code = match status {
        404 => "CLUSTER_NOT_FOUND",
        410 => "VERSION_GONE",
        409 => "PRIVATELINK_CANNOT_ACCEPT_ENDPOINTS",
        429 => "RATE_LIMITED",
        503 => "SERVICE_UNAVAILABLE",
        _ => "UNEXPECTED_ERROR",
    };
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    if status == 429 {
        headers.push(("retry-after".to_owned(), "1".to_owned()));
    }
    let body = json!({"detail": "a planned fault", "error": status, "errorCode": code, "parameters": [], "reason": "Planned"});
    Answer { status, headers, body: body.to_string().into() }
}
