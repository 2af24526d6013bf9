//! The faults of one request, and the requests to which each applies: a table, and nothing but this table.

use std::time::Duration;

use serde_json::json;
use testbed::{Action, FakeResponse};

use crate::path::{Path, PlanSubject};
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
    /// The only subject to which it applies, unless it applies to both.
    of: Option<PlanSubject>,
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
    /// Atlas rejects it with this status and code.
    Code(u16, &'static str),
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

use RequestKind::{Event, List, Output, Read, Relist, Watch, Write};

const ALL: &[RequestKind] = &[Read, List, Relist, Watch, Write];
/// A watch has no response that could break off or be late; it is closed or expired instead.
const WHOLE: &[RequestKind] = &[Read, List, Relist, Write];
/// A read leaves no effect, so that to lose it or its response is the same; and no server rejects it with a conflict.
const WRITES: &[RequestKind] = &[Write];
/// A process that is killed writes an output ConfigMap when it starts.
const EFFECTS: &[RequestKind] = &[Write, Output, Event];
/// An event that is lost is lost, however.
const WITH_EVENTS: &[RequestKind] = &[Read, List, Relist, Watch, Write, Event];
/// Only a repeated listing can get an old response.
const AGAIN: &[RequestKind] = &[Relist];
/// A write that is answered so was not executed, and what it is about is there nevertheless: no server says that.
const READS: &[RequestKind] = &[Read, List, Relist];
/// Atlas has no watches; the API server serves no instances and no services.
const NONE: &[RequestKind] = &[];

/// All faults.
pub(crate) const FAULTS: [PlannedFault; 19] = [
    row("refuse", What::Refuse, ALL, ALL),
    row("hang", What::Hang, WITH_EVENTS, ALL),
    row("apply-and-hang", What::ApplyAndHang, WRITES, WRITES),
    row("drop", What::Drop, ALL, ALL),
    row("apply-and-drop", What::ApplyAndDrop, WRITES, WRITES),
    row("delay", What::Delay, ALL, ALL),
    row("slow", What::Slow, WHOLE, WHOLE),
    row("409", What::Status(409), WRITES, WRITES),
    row("429", What::Status(429), ALL, ALL),
    row("500", What::Status(500), WITH_EVENTS, ALL),
    row("503", What::Status(503), ALL, ALL),
    PlannedFault {
        of: Some(PlanSubject::Serverless),
        ..row("no-instance", What::Code(404, "CLUSTER_NOT_FOUND"), NONE, ALL)
    },
    PlannedFault {
        of: Some(PlanSubject::Serverless),
        ..row("no-api", What::Code(410, "VERSION_GONE"), NONE, ALL)
    },
    PlannedFault {
        of: Some(PlanSubject::Dedicated),
        ..row("no-service", What::Code(404, "PRIVATE_ENDPOINT_SERVICE_NOT_FOUND"), NONE, READS)
    },
    row("truncate", What::Truncate, WHOLE, WHOLE),
    row("stale-list", What::Stale, AGAIN, AGAIN),
    row("watch-closed", What::CloseWatches, ALL, NONE),
    row("410", What::ExpireWatches, ALL, NONE),
    row("kill", What::Kill, EFFECTS, WRITES),
];

const fn row(
    name: &'static str,
    what: What,
    cluster: &'static [RequestKind],
    atlas: &'static [RequestKind],
) -> PlannedFault {
    PlannedFault { name, what, cluster, atlas, of: None }
}

impl PlannedFault {
    /// Returns whether it applies to this request of the path.
    pub(crate) fn fits(&self, path: Path, request: &Request) -> bool {
        let kinds = if request.proxy == ATLAS { self.atlas } else { self.cluster };
        kinds.contains(&request.kind) && self.of.is_none_or(|subject| subject == path.subject())
    }

    /// Returns whether the operator never gets the response to the request, whatever the proxy records.
    pub(crate) fn withholds(&self) -> bool {
        let is_passed_on = matches!(
            self.what,
            What::Slow
                | What::Status(_)
                | What::Code(..)
                | What::Stale
                | What::CloseWatches
                | What::ExpireWatches
        );
        !is_passed_on
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
            What::Status(status) if at_atlas => Action::Respond(of_atlas(status, code(status))),
            What::Code(status, code) => Action::Respond(of_atlas(status, code)),
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

/// Returns Atlas' code for a status.
fn code(status: u16) -> &'static str {
    match status {
        409 => "PRIVATELINK_CANNOT_ACCEPT_ENDPOINTS",
        429 => "RATE_LIMITED",
        503 => "SERVICE_UNAVAILABLE",
        _ => "UNEXPECTED_ERROR",
    }
}

/// Returns a response of Atlas with this status and code; a single response that reports "gone" ends nothing. A 429 requests a short
/// pause, since without one the operator's own is long.
fn of_atlas(status: u16, code: &str) -> FakeResponse {
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    if status == 429 {
        headers.push(("retry-after".to_owned(), "1".to_owned()));
    }
    let body = json!({"detail": "a planned fault", "error": status, "errorCode": code, "parameters": [], "reason": "Planned"});
    FakeResponse { status, headers, body: body.to_string().into() }
}
