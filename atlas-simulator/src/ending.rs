//! What the client gets instead of an answer: each [`Ending`] as bytes or silence.

use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::{
    answer::{Answer, Reply, Style, html},
    errors::{self, Refusal},
    faults::{Ending, Oddity},
    routes::{Route, Version},
};

/// The reply of this ending. `truth` is the true answer, if the request was executed; a refusal is disfigured like a true
/// one. The two that need fresh nonces, `StaleNonce` and `Unauthenticated`, are the caller's.
pub(crate) fn reply(
    ending: &Ending,
    route: &Route,
    path: &str,
    style: Style,
    truth: Option<Answer>,
    oddities: &[&Oddity],
) -> Reply {
    if let Some(refusal) = refusal(ending, route, path) {
        let mut answer = style.answer(Err(refusal), oddities);
        if let Ending::RateLimited { retry_after } | Ending::Unavailable { retry_after } = ending {
            answer.headers.extend(retry_after.iter().map(|value| ("Retry-After", value.clone())));
        }
        if let Ending::RateLimitedUntil { seconds } = ending {
            let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(*seconds));
            answer.headers.push(("Retry-After", date));
        }
        return Reply::Answer(answer);
    }
    let answer = match ending {
        Ending::Cut => return Reply::Cut,
        Ending::Hang => return Reply::Hang,
        Ending::CutInBody => {
            let padding = || Answer {
                status: 200,
                body: b"{\"_id\": \"cut\", \"comment\": \"\"}".to_vec(),
                ..Answer::default()
            };
            let mut answer = truth.filter(|answer| !answer.body.is_empty()).unwrap_or_else(padding);
            answer.cut_in_body = true;
            answer
        }
        Ending::InvalidClient => {
            let body =
                json!({"error": "invalid_client", "error_description": "Invalid credentials provided."});
            let mut answer = style.error(401, "", &body);
            answer.headers.retain(|(name, _)| *name != "X-Error-Code");
            answer
        }
        Ending::HtmlNotFound => Answer { status: 404, ..html("404 Not Found") },
        Ending::BadGateway => Answer { status: 502, ..html("502 Bad Gateway") },
        Ending::HtmlUnavailable => Answer { status: 503, ..html("MongoDB Cloud Manager Unavailable") },
        Ending::GatewayTimeout => Answer { status: 504, ..html("504 Gateway Time-out") },
        Ending::Redirect { status, location } => {
            Answer { status: *status, headers: vec![("Location", location.clone())], ..Answer::default() }
        }
        Ending::Error { status, code, detail } => {
            let refusal = Refusal::new(*status, "", detail.clone(), json!([]));
            let mut body = refusal.body();
            if let Some(member) = body.get_mut("errorCode") {
                *member = json!(code);
            }
            style.error(*status, code, &body)
        }
        _ => style.answer(Err(errors::unexpected()), &[]),
    };
    Reply::Answer(answer)
}

/// The endings that are refusals in the usual shape.
fn refusal(ending: &Ending, route: &Route, path: &str) -> Option<Refusal> {
    let (project, instance) = (&route.project, &route.instance);
    Some(match ending {
        Ending::NotServerless => errors::not_serverless(instance),
        Ending::InvalidAttribute => errors::invalid_attribute("cloudProviderEndpointId"),
        Ending::MissingAttribute => errors::missing_attribute("providerName"),
        Ending::CommentTooLong => errors::comment_too_long(),
        Ending::UserUnauthorized => errors::user_unauthorized(),
        Ending::NotInGroup => errors::not_in_group(),
        Ending::PaymentRequired => errors::payment_required(),
        Ending::AccessForbidden => errors::access_forbidden(),
        Ending::IpNotOnAccessList => errors::ip_not_on_access_list(),
        Ending::OrgRequiresAccessList => errors::org_requires_access_list(),
        Ending::GroupNotFound => errors::group_not_found(project),
        Ending::InvalidGroupId => errors::invalid_group_id(project),
        Ending::ClusterNotFound => errors::cluster_not_found(project, instance),
        Ending::ServerlessInstanceNotFound => errors::serverless_instance_not_found(project, instance),
        Ending::EndpointNotFound(status) => errors::endpoint_not_found(*status, &route.endpoint),
        Ending::UnexpectedNotFound => Refusal { status: 404, ..errors::unexpected() },
        Ending::Maintenance => errors::maintenance(),
        Ending::Conflict => errors::cannot_accept(),
        Ending::VersionGone => errors::version_gone(),
        Ending::RateLimited { .. } | Ending::RateLimitedUntil { .. } if route.is_oauth() => {
            errors::token_rate_limited()
        }
        Ending::RateLimited { .. } | Ending::RateLimitedUntil { .. } => match route.version {
            Version::V1 => errors::rate_limited(path),
            Version::V2 => errors::rate_limited_bucket(path),
        },
        Ending::ServerError => errors::unexpected(),
        Ending::Unavailable { .. } => errors::unavailable(503),
        _ => return None,
    })
}
