//! The control API, `/control/…`: the functions of the typed handle, for other processes. JSON in, JSON out, no
//! authentication.
//!
//! Every value has the form in which the typed handle's types are serialized. Nothing here is part of Atlas.

use serde_json::{Value, json};

use crate::{
    control_json::{ControlError, merge, merged, read, show, typed},
    dedicated,
    endpoint::{Deviation, Endpoint},
    journal::JournalEntry,
    response::HttpResponse,
    routes::decoded,
    rules::Rule,
    settings::Settings,
    shared::Shared,
    state::IncomingRequest,
    timeline::{Timeline, max_live},
};

/// The routes besides those of dedicated clusters.
const CALLS: [&str; 16] = [
    "GET    /control/settings",
    "PATCH  /control/settings             a part of them: null removes a member of a map",
    "GET    /control/rules",
    "POST   /control/rules                one rule, or a list of them",
    "DELETE /control/rules",
    "GET    /control/journal              ?after=<seq>&operation=<operation>&executed=<bool>&project=<id>",
    "DELETE /control/journal",
    "GET    /control/endpoints            ?project=<id>&instance=<name>",
    "POST   /control/endpoints            {\"project\", \"instance\", \"endpoint\": {\"comment\", …}}",
    "PATCH  /control/endpoints/<id>       a part of the endpoint",
    "DELETE /control/endpoints/<id>",
    "POST   /control/endpoints/<id>/deviations  one deviation",
    "GET    /control/timelines            ?project=<id>&instance=<name>",
    "GET    /control/max-live             ?comment=<part of the comment>",
    "DELETE /control/tokens",
    "POST   /control/reset",
];

/// Handles a control request.
pub(crate) fn handle(shared: &Shared, request: &IncomingRequest) -> HttpResponse {
    let (status, body) = match call(shared, request) {
        Ok(value) => (200, value),
        Err((status, error)) => (status, json!({ "error": error })),
    };
    let mut text = serde_json::to_vec_pretty(&body).unwrap_or_default();
    text.push(b'\n');
    HttpResponse {
        status,
        headers: vec![("Content-Type", "application/json".to_owned())],
        body: text,
        cut_in_body: false,
    }
}

fn call(shared: &Shared, request: &IncomingRequest) -> Result<Value, ControlError> {
    let path = request.path.strip_prefix("/control").unwrap_or_default();
    let segments: Vec<String> = path.split('/').filter(|segment| !segment.is_empty()).map(decoded).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (mut state, now) = shared.lock();
    match (request.method.as_str(), segments.as_slice()) {
        ("GET", []) => {
            Ok(json!({ "calls": CALLS.iter().chain(&dedicated::control::CALLS).collect::<Vec<_>>() }))
        }
        ("GET", ["settings"]) => show(&state.settings),
        ("PATCH", ["settings"]) => {
            let settings: Settings = merged(&state.settings, &request.body)?;
            state.configure(now, settings);
            show(&state.settings)
        }
        ("GET", ["rules"]) => show(&state.rules),
        ("POST", ["rules"]) => {
            let new: Vec<Rule> = match read(&request.body)? {
                Value::Array(rules) => rules.into_iter().map(typed).collect::<Result<_, _>>()?,
                rule => vec![typed(rule)?],
            };
            state.rules.extend(new);
            show(&state.rules)
        }
        ("DELETE", ["rules"]) => {
            state.rules.clear();
            Ok(json!([]))
        }
        ("GET", ["journal"]) => {
            let wanted = JournalFilter::of(request)?;
            show(&state.journal.entries().filter(|entry| wanted.picks(entry)).collect::<Vec<_>>())
        }
        ("DELETE", ["journal"]) => {
            state.journal.clear();
            Ok(json!([]))
        }
        ("GET", ["endpoints"]) => {
            let wanted = InstanceFilter::of(request);
            let timelines = state.timelines(now).filter(|timeline| wanted.picks(timeline));
            let found = timelines.filter_map(|timeline| Some(placed(timeline, timeline.now()?)));
            Ok(Value::Array(found.collect()))
        }
        ("POST", ["endpoints"]) => {
            let body = read(&request.body)?;
            let name = |name: &str| {
                let missing = || {
                    (400, format!("{name} is missing: expected {{\"project\", \"instance\", \"endpoint\"}}"))
                };
                body.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(missing)
            };
            let (project, instance) = (name("project")?, name("instance")?);
            let part = body.get("endpoint").cloned().unwrap_or_else(|| json!({}));
            let endpoint: Endpoint = typed(merge(show(&Endpoint::reserved(None))?, part))?;
            let shown = json!({ "project": project, "instance": instance, "endpoint": endpoint });
            state.insert(now, &project, &instance, endpoint);
            Ok(shown)
        }
        ("PATCH", ["endpoints", id]) => {
            let present = state
                .timeline_mut(now, id)
                .and_then(|timeline| timeline.now().cloned())
                .ok_or_else(|| no(id))?;
            let endpoint: Endpoint = merged(&present, &request.body)?;
            state.edit(now, id, |_| Some(endpoint.clone()));
            show(&endpoint)
        }
        ("DELETE", ["endpoints", id]) => {
            state.edit(now, id, |_| None).then_some(Value::Null).ok_or_else(|| no(id))
        }
        ("POST", ["endpoints", id, "deviations"]) => {
            let deviation: Deviation = typed(read(&request.body)?)?;
            let timeline = state
                .timeline_mut(now, id)
                .filter(|timeline| timeline.now().is_some())
                .ok_or_else(|| no(id))?;
            timeline.deviations.push(deviation);
            show(&timeline.deviations)
        }
        ("GET", ["timelines"]) => {
            let wanted = InstanceFilter::of(request);
            show(&state.timelines(now).filter(|timeline| wanted.picks(timeline)).collect::<Vec<_>>())
        }
        ("GET", ["max-live"]) => {
            let part = request.parameter("comment").unwrap_or_default();
            let timelines: Vec<Timeline> = state.timelines(now).cloned().collect();
            let carries =
                |endpoint: &Endpoint| endpoint.comment.as_deref().unwrap_or_default().contains(&part);
            Ok(json!(max_live(&timelines, carries)))
        }
        ("DELETE", ["tokens"]) => {
            state.tokens.revoke_all();
            Ok(Value::Null)
        }
        ("POST", ["reset"]) => {
            state.forget();
            Ok(Value::Null)
        }
        _ => dedicated::control::call(&mut state, now, request, &segments),
    }
}

fn placed(timeline: &Timeline, endpoint: &Endpoint) -> Value {
    json!({ "project": timeline.project, "instance": timeline.instance, "endpoint": endpoint })
}

fn no(id: &str) -> ControlError {
    (404, format!("there is no endpoint {id}: GET /control/endpoints lists them"))
}

/// Selects a part of the journal.
struct JournalFilter {
    after: u64,
    executed: Option<bool>,
    operation: Option<String>,
    project: Option<String>,
}

impl JournalFilter {
    fn of(request: &IncomingRequest) -> Result<Self, ControlError> {
        let invalid =
            |name: &str, value: &str| (400, format!("{name}={value} is invalid: GET /control shows how"));
        let after = request.parameter("after").unwrap_or_else(|| "0".to_owned());
        let executed = match request.parameter("executed").as_deref() {
            None => None,
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(other) => return Err(invalid("executed", other)),
        };
        Ok(Self {
            after: after.parse().map_err(|_| invalid("after", &after))?,
            executed,
            operation: request.parameter("operation"),
            project: request.parameter("project"),
        })
    }

    fn picks(&self, entry: &JournalEntry) -> bool {
        entry.seq > self.after
            && self.executed.is_none_or(|executed| entry.executed() == executed)
            && self
                .operation
                .as_ref()
                .is_none_or(|word| show(&entry.operation).is_ok_and(|shown| shown == **word))
            && self.project.as_ref().is_none_or(|project| entry.project.as_ref() == Some(project))
    }
}

/// Selects an instance.
struct InstanceFilter {
    project: Option<String>,
    instance: Option<String>,
}

impl InstanceFilter {
    fn of(request: &IncomingRequest) -> Self {
        Self { project: request.parameter("project"), instance: request.parameter("instance") }
    }

    fn picks(&self, timeline: &Timeline) -> bool {
        self.project.as_ref().is_none_or(|project| *project == timeline.project)
            && self.instance.as_ref().is_none_or(|instance| *instance == timeline.instance)
    }
}
