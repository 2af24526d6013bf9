//! Renders results as HTTP responses: JSON, `pretty`, `envelope`, and the malformations that a fault requests.

use serde_json::{Map, Value, json};

use crate::{
    endpoint::Endpoint,
    errors::{self, Refusal},
    faults::Malformed,
    routes::Version,
};

/// The result of a request.
#[derive(Debug)]
pub(crate) enum Success {
    List(Vec<Endpoint>),
    Found(Endpoint),
    Created(Endpoint),
    Deleted,
    Json(Value),
    /// The token resource, whose errors have their own shape.
    Oauth(u16, Value),
}

/// An HTTP response.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// Send half of the body, then close the connection.
    pub(crate) cut_in_body: bool,
}

/// What is sent back to the client.
#[derive(Debug)]
pub(crate) enum Reply {
    Answer(Answer),
    Cut,
    Hang,
}

/// The form in which the client wants its response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    pub(crate) version: Version,
    pub(crate) pretty: bool,
    pub(crate) envelope: bool,
}

impl Style {
    pub(crate) fn of(version: Version, query: &str) -> Self {
        let wants = |name: &str| {
            form_urlencoded::parse(query.as_bytes()).any(|(key, value)| key == name && value == "true")
        };
        Self { version, pretty: wants("pretty"), envelope: wants("envelope") }
    }

    /// Returns the response to a success or an error.
    pub(crate) fn answer(self, result: Result<Success, Refusal>, malformations: &[&Malformed]) -> Answer {
        let (status, body) = match result {
            Err(refusal) => return self.refuse(&refusal, malformations),
            Ok(Success::Deleted) => (204, Value::Null),
            Ok(Success::Found(endpoint)) => (200, Value::Object(self.show(&endpoint, malformations))),
            Ok(Success::Created(endpoint)) => (201, Value::Object(self.show(&endpoint, malformations))),
            Ok(Success::List(endpoints)) => {
                let all = endpoints.iter().map(|endpoint| Value::Object(self.show(endpoint, malformations)));
                (200, Value::Array(all.collect()))
            }
            Ok(Success::Json(value)) => (200, value),
            Ok(Success::Oauth(status, value)) => {
                let plain = Self { version: Version::V1, pretty: false, envelope: false };
                return disfigure(plain.json(status, &value), malformations);
            }
        };
        let status = match status {
            200 | 204 if malformations.contains(&&Malformed::Accepted) => 202,
            status => status,
        };
        let body = match body {
            Value::Array(results) if malformations.contains(&&Malformed::PagedList) => page(&results),
            Value::Null if status == 202 => json!({}),
            body => body,
        };
        let mut answer = self.json(status, &body);
        if malformations.contains(&&Malformed::Deprecated) || self.version == Version::V2 {
            answer.headers.push(("Deprecation", "Wed, 10 Dec 2025 00:00:00 GMT".to_owned()));
            answer.headers.push(("Sunset", "Thu, 15 Jan 2026 00:00:00 GMT".to_owned()));
        }
        disfigure(answer, malformations)
    }

    fn refuse(self, refusal: &Refusal, malformations: &[&Malformed]) -> Answer {
        let mut body = refusal.body();
        if malformations.contains(&&Malformed::NullParameters)
            && let Some(parameters) = body.get_mut("parameters")
        {
            *parameters = Value::Null;
        }
        disfigure(self.error(refusal.status, refusal.code, &body), malformations)
    }

    /// Returns a response in the shape of an error.
    pub(crate) fn error(self, status: u16, code: &str, body: &Value) -> Answer {
        // Errors are plain JSON in both versions (recorded).
        let mut answer = Self { version: Version::V1, ..self }.json(status, body);
        answer.headers.push(("X-Error-Code", code.to_owned()));
        answer
    }

    /// Returns a response with this JSON; without a body for `null`, which only a DELETE has.
    fn json(self, status: u16, body: &Value) -> Answer {
        if body.is_null() && !self.envelope {
            return Answer { status, ..Answer::default() };
        }
        let enveloped = self.envelope.then(|| envelope(self.version, status, body));
        let body = enveloped.as_ref().unwrap_or(body);
        let text = if self.pretty { serde_json::to_vec_pretty(body) } else { serde_json::to_vec(body) };
        let content_type = match self.version {
            Version::V1 => "application/json",
            Version::V2 => "application/vnd.atlas.2023-01-01+json;charset=utf-8",
        };
        Answer {
            // A 204 has no body for the envelope.
            status: if status == 204 { 200 } else { status },
            headers: vec![("Content-Type", content_type.to_owned())],
            body: text.unwrap_or_default(),
            cut_in_body: false,
        }
    }

    fn show(self, endpoint: &Endpoint, malformations: &[&Malformed]) -> Map<String, Value> {
        let Ok(Value::Object(mut shown)) = serde_json::to_value(endpoint) else { return Map::new() };
        if self.version == Version::V2 {
            shown.insert("providerName".to_owned(), json!("AWS"));
        }
        for malformed in malformations {
            match malformed {
                Malformed::Status(word) => {
                    shown.insert("status".to_owned(), json!(word));
                }
                Malformed::NoStatus => {
                    shown.remove("status");
                }
                Malformed::NoId => {
                    shown.remove("_id");
                }
                Malformed::NoNulls => shown.retain(|_, value| !value.is_null()),
                Malformed::ExtraFields => {
                    shown
                        .insert("createdBy".to_owned(), json!({"user": "somebody", "roles": [1, 2.5, null]}));
                    shown.insert("zone".to_owned(), json!("Zone 1"));
                }
                Malformed::JunkVpcEndpoint if endpoint.vpc_endpoint_id.is_none() => {
                    shown.insert("cloudProviderEndpointId".to_owned(), json!("vpce-fcac938279cd98dc894"));
                }
                _ => {}
            }
        }
        shown
    }
}

/// Wraps the body for `envelope=true`: for one result the status and the body (seed; v2 names the member `content`),
/// for a list the page with its status.
fn envelope(version: Version, status: u16, body: &Value) -> Value {
    match body {
        Value::Array(results) => {
            let mut page = page(results);
            if let Value::Object(members) = &mut page {
                members.insert("status".to_owned(), json!(status));
            }
            page
        }
        _ if version == Version::V2 => json!({"content": body, "status": status}),
        _ => json!({"envelope": body, "status": status}),
    }
}

fn page(results: &[Value]) -> Value {
    json!({"links": [], "totalCount": results.len(), "results": results})
}

/// How the bytes of a true response are malformed.
fn disfigure(mut answer: Answer, malformations: &[&Malformed]) -> Answer {
    for malformed in malformations {
        match malformed {
            Malformed::Truncated => answer.body.truncate(answer.body.len() / 2),
            Malformed::Empty => answer.body.clear(),
            Malformed::Oversized => {
                let mut body = vec![b' '; 1 << 20];
                body.append(&mut answer.body);
                answer.body = body;
            }
            Malformed::Binary => answer.body = (0..=u8::MAX).rev().collect(),
            Malformed::PlainText => set_content_type(&mut answer, "text/plain"),
            Malformed::Html => {
                let status = answer.status;
                answer = Answer { status, ..html("Sign in to the network") };
            }
            _ => {}
        }
    }
    answer
}

fn set_content_type(answer: &mut Answer, content_type: &str) {
    answer.headers.retain(|(name, _)| *name != "Content-Type");
    answer.headers.push(("Content-Type", content_type.to_owned()));
}

/// Returns a page of HTML with this title; the caller sets the status.
pub(crate) fn html(title: &str) -> Answer {
    let body = format!(
        "<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    );
    Answer {
        headers: vec![("Content-Type", "text/html;charset=utf-8".to_owned())],
        body: body.into_bytes(),
        ..Answer::default()
    }
}

/// Returns a 401 with these challenges, and this cookie.
pub(crate) fn challenge(style: Style, lines: Vec<String>, cookie: Option<String>) -> Answer {
    let mut answer = style.answer(Err(errors::unauthenticated()), &[]);
    set_content_type(&mut answer, "application/json;charset=ISO-8859-1");
    answer.headers.extend(lines.into_iter().map(|line| ("WWW-Authenticate", line)));
    answer.headers.extend(cookie.map(|cookie| ("Set-Cookie", format!("{cookie}; Path=/; HttpOnly"))));
    answer
}
