//! Renders results as HTTP responses: JSON, `pretty`, `envelope`, and the malformations that a fault requests.

use serde_json::{Map, Value, json};

use crate::{
    attributes::FieldNames,
    endpoint::Endpoint,
    errors::{self, ErrorResponse},
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
    /// An object or a list of them, of dedicated clusters.
    Described {
        status: u16,
        body: Value,
        names: FieldNames,
    },
    /// The token resource, whose errors have their own shape.
    Oauth(u16, Value),
}

/// An HTTP response.
#[derive(Debug, Clone, Default)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// Send half of the body, then close the connection.
    pub(crate) cut_in_body: bool,
}

/// What is sent back to the client.
#[derive(Debug)]
pub(crate) enum Reply {
    Response(HttpResponse),
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
    pub(crate) fn render(
        self,
        result: Result<Success, ErrorResponse>,
        malformations: &[&Malformed],
    ) -> HttpResponse {
        // The API of dedicated clusters is alive.
        let is_retired = !matches!(result, Ok(Success::Described { .. }));
        let (status, body) = match result {
            Err(error) => return self.render_error(&error, malformations),
            Ok(Success::Deleted) => (204, Value::Null),
            Ok(Success::Found(endpoint)) => (200, Value::Object(self.show(&endpoint, malformations))),
            Ok(Success::Created(endpoint)) => (201, Value::Object(self.show(&endpoint, malformations))),
            Ok(Success::List(endpoints)) => {
                let all = endpoints.iter().map(|endpoint| Value::Object(self.show(endpoint, malformations)));
                (200, Value::Array(all.collect()))
            }
            Ok(Success::Json(value)) => (200, value),
            Ok(Success::Described { status, body: Value::Array(all), names }) => {
                let shown = all.into_iter().map(|one| malform_object(one, names, malformations));
                (status, Value::Array(shown.collect()))
            }
            Ok(Success::Described { status, body, names }) => {
                (status, malform_object(body, names, malformations))
            }
            Ok(Success::Oauth(status, value)) => {
                let plain = Self { version: Version::V1, pretty: false, envelope: false };
                return malform(plain.json(status, &value), malformations);
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
        let mut response = self.json(status, &body);
        if malformations.contains(&&Malformed::Deprecated) || is_retired && self.version == Version::V2 {
            response.headers.push(("Deprecation", "Wed, 10 Dec 2025 00:00:00 GMT".to_owned()));
            response.headers.push(("Sunset", "Thu, 15 Jan 2026 00:00:00 GMT".to_owned()));
        }
        malform(response, malformations)
    }

    fn render_error(self, error: &ErrorResponse, malformations: &[&Malformed]) -> HttpResponse {
        let mut body = error.body();
        if malformations.contains(&&Malformed::NullParameters)
            && let Some(parameters) = body.get_mut("parameters")
        {
            *parameters = Value::Null;
        }
        malform(self.error(error.status, error.code, &body), malformations)
    }

    /// Returns a response in the shape of an error.
    pub(crate) fn error(self, status: u16, code: &str, body: &Value) -> HttpResponse {
        // Errors are plain JSON in both versions (recorded).
        let mut response = Self { version: Version::V1, ..self }.json(status, body);
        response.headers.push(("X-Error-Code", code.to_owned()));
        response
    }

    /// Returns a response with this JSON; without a body for `null`, which only a DELETE has.
    fn json(self, status: u16, body: &Value) -> HttpResponse {
        if body.is_null() && !self.envelope {
            return HttpResponse { status, ..HttpResponse::default() };
        }
        let enveloped = self.envelope.then(|| envelope(self.version, status, body));
        let body = enveloped.as_ref().unwrap_or(body);
        let text = if self.pretty { serde_json::to_vec_pretty(body) } else { serde_json::to_vec(body) };
        let content_type = match self.version {
            Version::V1 => "application/json",
            Version::V2 => "application/vnd.atlas.2023-01-01+json;charset=utf-8",
        };
        HttpResponse {
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
        if malformations.contains(&&Malformed::JunkVpcEndpoint) && endpoint.vpc_endpoint_id.is_none() {
            shown.insert("cloudProviderEndpointId".to_owned(), json!("vpce-fcac938279cd98dc894"));
        }
        malform_members(&mut shown, FieldNames { id: "_id", status: "status" }, malformations);
        shown
    }
}

/// Returns an object with malformed members. An empty one, such as that of a DELETE, stays as it is.
fn malform_object(object: Value, names: FieldNames, malformations: &[&Malformed]) -> Value {
    match object {
        Value::Object(mut members) if !members.is_empty() => {
            malform_members(&mut members, names, malformations);
            Value::Object(members)
        }
        other => other,
    }
}

fn malform_members(shown: &mut Map<String, Value>, names: FieldNames, malformations: &[&Malformed]) {
    for malformed in malformations {
        match malformed {
            Malformed::Status(status) => {
                shown.insert(names.status.to_owned(), json!(status));
            }
            Malformed::NoStatus => {
                shown.remove(names.status);
            }
            Malformed::NoId => {
                shown.remove(names.id);
            }
            Malformed::NoNulls => shown.retain(|_, value| !value.is_null()),
            Malformed::ExtraFields => {
                shown.insert("createdBy".to_owned(), json!({"user": "somebody", "roles": [1, 2.5, null]}));
                shown.insert("zone".to_owned(), json!("Zone 1"));
            }
            _ => {}
        }
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
fn malform(mut response: HttpResponse, malformations: &[&Malformed]) -> HttpResponse {
    for malformed in malformations {
        match malformed {
            Malformed::Truncated => response.body.truncate(response.body.len() / 2),
            Malformed::Empty => response.body.clear(),
            Malformed::Oversized => {
                let mut body = vec![b' '; 1 << 20];
                body.append(&mut response.body);
                response.body = body;
            }
            Malformed::Binary => response.body = (0..=u8::MAX).rev().collect(),
            Malformed::PlainText => set_content_type(&mut response, "text/plain"),
            Malformed::Html => {
                let status = response.status;
                response = HttpResponse { status, ..html("Sign in to the network") };
            }
            _ => {}
        }
    }
    response
}

fn set_content_type(response: &mut HttpResponse, content_type: &str) {
    response.headers.retain(|(name, _)| *name != "Content-Type");
    response.headers.push(("Content-Type", content_type.to_owned()));
}

/// Returns a page of HTML with this title; the caller sets the status.
pub(crate) fn html(title: &str) -> HttpResponse {
    let body = format!(
        "<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    );
    HttpResponse {
        headers: vec![("Content-Type", "text/html;charset=utf-8".to_owned())],
        body: body.into_bytes(),
        ..HttpResponse::default()
    }
}

/// Returns a 401 with these challenges, and this cookie.
pub(crate) fn challenge(style: Style, lines: Vec<String>, cookie: Option<String>) -> HttpResponse {
    let mut response = style.render(Err(errors::unauthenticated()), &[]);
    set_content_type(&mut response, "application/json;charset=ISO-8859-1");
    response.headers.extend(lines.into_iter().map(|line| ("WWW-Authenticate", line)));
    response.headers.extend(cookie.map(|cookie| ("Set-Cookie", format!("{cookie}; Path=/; HttpOnly"))));
    response
}
