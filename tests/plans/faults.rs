//! The faults of one request, and the requests to which each applies: a table, and nothing but this table.

use std::time::Duration;

use serde_json::json;
use testbed::{Action, FakeResponse};

use crate::requests::{ATLAS, Request, RequestKind};

/// Longer than the operator's timeout for the API server (5 s): it has given up when the request arrives.
const LATE_AT_CLUSTER: Duration = Duration::from_secs(6);

/// Longer than its timeout for Atlas (`--atlas-timeout`, 2 s) and its back-off after that (1 s at most), so that a
/// client that takes silence for a rejection has written again; and well within `--create-uncertainty` (8 s).
const LATE_AT_ATLAS: Duration = Duration::from_millis(4500);

/// Long enough for another operator to begin the same step, and within the timeout.
const SLOW: Duration = Duration::from_millis(600);

/// How long a server is down that rejects connections.
pub(crate) const DOWN: Duration = Duration::from_secs(1);

/// A fault of one request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PlannedFault {
    /// As in the names of plans.
    pub(crate) name: &'static str,
    pub(crate) what: What,
    /// The requests to the API server to which it applies.
    cluster: &'static [RequestKind],
    /// The same for Atlas.
    atlas: &'static [RequestKind],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The server is down for [`DOWN`]: this request gets no response, and connections are rejected.
    Refuse,
    /// The request does not arrive, and its connection stays open without a response: a client that waits must set a
    /// timeout.
    Hang,
    /// The request is executed, and its connection stays open without a response.
    ApplyAndHang,
    /// The request does not arrive, and its connection is closed.
    Drop,
    /// The request is executed, and its connection is closed without the response.
    ApplyAndDrop,
    /// The request arrives when its sender has given up.
    Delay,
    /// The request arrives late, and gets its response in time: another operator may overtake it.
    Slow,
    /// It is rejected with this status.
    Status(u16),
    /// The response breaks off in its middle.
    Truncate,
    /// The response is the last one to the same request.
    Stale,
    /// All watches end with the response.
    CloseWatches,
    /// All watches end with 410 with the response.
    ExpireWatches,
    /// The operator is killed by SIGKILL when the request is executed.
    Kill,
}

use RequestKind::{List, Read, Relist, Watch, Write};

const ALL: &[RequestKind] = &[Read, List, Relist, Watch, Write];
/// A watch has no response that could break off or be late; it is closed or expired instead.
const WHOLE: &[RequestKind] = &[Read, List, Relist, Write];
/// A read leaves no effect, so that to lose it or its response is the same; and no server rejects it with a conflict.
const WRITES: &[RequestKind] = &[Write];
/// Only a repeated listing can get an old response.
const AGAIN: &[RequestKind] = &[Relist];
/// Atlas has no watches; the API server serves no instances.
const NONE: &[RequestKind] = &[];

/// All faults.
pub(crate) const FAULTS: [PlannedFault; 18] = [
    PlannedFault { name: "refuse", what: What::Refuse, cluster: ALL, atlas: ALL },
    PlannedFault { name: "hang", what: What::Hang, cluster: ALL, atlas: ALL },
    PlannedFault { name: "apply-and-hang", what: What::ApplyAndHang, cluster: WRITES, atlas: WRITES },
    PlannedFault { name: "drop", what: What::Drop, cluster: ALL, atlas: ALL },
    PlannedFault { name: "apply-and-drop", what: What::ApplyAndDrop, cluster: WRITES, atlas: WRITES },
    PlannedFault { name: "delay", what: What::Delay, cluster: ALL, atlas: ALL },
    PlannedFault { name: "slow", what: What::Slow, cluster: WHOLE, atlas: WHOLE },
    PlannedFault { name: "409", what: What::Status(409), cluster: WRITES, atlas: WRITES },
    PlannedFault { name: "429", what: What::Status(429), cluster: ALL, atlas: ALL },
    PlannedFault { name: "500", what: What::Status(500), cluster: ALL, atlas: ALL },
    PlannedFault { name: "503", what: What::Status(503), cluster: ALL, atlas: ALL },
    PlannedFault { name: "no-instance", what: What::Status(404), cluster: NONE, atlas: ALL },
    PlannedFault { name: "no-api", what: What::Status(410), cluster: NONE, atlas: ALL },
    PlannedFault { name: "truncate", what: What::Truncate, cluster: WHOLE, atlas: WHOLE },
    PlannedFault { name: "stale-list", what: What::Stale, cluster: AGAIN, atlas: AGAIN },
    PlannedFault { name: "watch-closed", what: What::CloseWatches, cluster: ALL, atlas: NONE },
    PlannedFault { name: "410", what: What::ExpireWatches, cluster: ALL, atlas: NONE },
    PlannedFault { name: "kill", what: What::Kill, cluster: WRITES, atlas: WRITES },
];

impl PlannedFault {
    /// Returns whether it applies to this request.
    pub(crate) fn fits(&self, request: &Request) -> bool {
        let kinds = if request.proxy == ATLAS { self.atlas } else { self.cluster };
        kinds.contains(&request.kind)
    }

    /// Returns the action of the proxy on the request; `kill` ends the operator.
    pub(crate) fn action(&self, request: &Request, kill: impl FnOnce() + Send + 'static) -> Action {
        let at_atlas = request.proxy == ATLAS;
        match self.what {
            // The rest of it, that connections are refused, is done when the request has come.
            What::Refuse | What::Hang => Action::HangRequest,
            What::ApplyAndHang => Action::HangResponse,
            What::Drop => Action::DropRequest,
            What::ApplyAndDrop => Action::DropResponse,
            What::Delay => Action::DelayRequest(if at_atlas { LATE_AT_ATLAS } else { LATE_AT_CLUSTER }),
            What::Slow => Action::DelayRequest(SLOW),
            What::Status(status) if at_atlas => Action::Respond(of_atlas(status)),
            What::Status(status) => Action::kubernetes(status, reason(status)),
            What::Truncate => Action::Truncate(request.response_bytes / 2),
            What::Stale => Action::Stale,
            What::CloseWatches => Action::CloseWatches,
            What::ExpireWatches => Action::ExpireWatches,
            What::Kill => Action::CallAfter(Box::new(kill)),
        }
    }
}

/// Returns the API server's reason for a status.
fn reason(status: u16) -> &'static str {
    match status {
        409 => "Conflict",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        _ => "InternalError",
    }
}

/// Returns a response of Atlas with this status. A 429 requests a short pause, since without one the operator's own is
/// long.
fn of_atlas(status: u16) -> FakeResponse {
    // A single response that reports "gone" ends nothing.
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
    FakeResponse { status, headers, body: body.to_string().into() }
}
