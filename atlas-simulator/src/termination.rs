//! The responses, or the silence, that a client gets instead of the true response: one for each [`Termination`].

use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::{
    dedicated::{errors as dedicated, settings::CodeFamily},
    errors::{self, ErrorResponse},
    faults::{Malformed, Termination},
    response::{HttpResponse, Reply, Style, html},
    routes::{Route, Version},
};

/// Returns the reply of this termination. `truth` is the true response, if the request was executed; an error is
/// malformed like a success. The two that need fresh nonces, `StaleNonce` and `Unauthenticated`, are handled by the
/// caller.
pub(crate) fn reply(
    ending: &Termination,
    route: &Route,
    path: &str,
    style: Style,
    truth: Option<HttpResponse>,
    malformations: &[&Malformed],
) -> Reply {
    if let Some(error) = error(ending, route, path) {
        let mut response = style.render(Err(error), malformations);
        if let Termination::RateLimited { retry_after } | Termination::Unavailable { retry_after } = ending {
            response.headers.extend(retry_after.iter().map(|value| ("Retry-After", value.clone())));
        }
        if let Termination::RateLimitedUntil { seconds } = ending {
            let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(*seconds));
            response.headers.push(("Retry-After", date));
        }
        return Reply::Response(response);
    }
    let response = match ending {
        Termination::Cut => return Reply::Cut,
        Termination::Hang => return Reply::Hang,
        Termination::CutInBody => {
            let placeholder = || HttpResponse {
                status: 200,
                body: b"{\"_id\": \"cut\", \"comment\": \"\"}".to_vec(),
                ..HttpResponse::default()
            };
            let mut response = truth.filter(|response| !response.body.is_empty()).unwrap_or_else(placeholder);
            response.cut_in_body = true;
            response
        }
        Termination::InvalidClient => {
            let body =
                json!({"error": "invalid_client", "error_description": "Invalid credentials provided."});
            let mut response = style.error(401, "", &body);
            response.headers.retain(|(name, _)| *name != "X-Error-Code");
            response
        }
        Termination::HtmlNotFound => HttpResponse { status: 404, ..html("404 Not Found") },
        Termination::BadGateway => HttpResponse { status: 502, ..html("502 Bad Gateway") },
        Termination::HtmlUnavailable => {
            HttpResponse { status: 503, ..html("MongoDB Cloud Manager Unavailable") }
        }
        Termination::GatewayTimeout => HttpResponse { status: 504, ..html("504 Gateway Time-out") },
        Termination::Redirect { status, location } => HttpResponse {
            status: *status,
            headers: vec![("Location", location.clone())],
            ..HttpResponse::default()
        },
        Termination::Error { status, code, detail } => {
            let error = ErrorResponse::new(*status, "", detail.clone(), json!([]));
            let mut body = error.body();
            if let Some(member) = body.get_mut("errorCode") {
                *member = json!(code);
            }
            style.error(*status, code, &body)
        }
        _ => style.render(Err(errors::unexpected()), &[]),
    };
    Reply::Response(response)
}

/// The terminations that are errors in the usual shape.
fn error(ending: &Termination, route: &Route, path: &str) -> Option<ErrorResponse> {
    let (project, instance) = (&route.project, &route.instance);
    Some(match ending {
        Termination::NotServerless => errors::not_serverless(instance),
        Termination::NoCapacity => dedicated::no_capacity(),
        Termination::InvalidAttribute => errors::invalid_attribute("cloudProviderEndpointId"),
        Termination::MissingAttribute => errors::missing_attribute("providerName"),
        Termination::CommentTooLong => errors::comment_too_long(),
        Termination::UserUnauthorized => errors::user_unauthorized(),
        Termination::NotInGroup => errors::not_in_group(),
        Termination::PaymentRequired => errors::payment_required(),
        Termination::AccessForbidden => errors::access_forbidden(),
        Termination::IpNotOnAccessList => errors::ip_not_on_access_list(),
        Termination::OrgRequiresAccessList => errors::org_requires_access_list(),
        Termination::GroupNotFound => errors::group_not_found(project),
        Termination::InvalidGroupId => errors::invalid_group_id(project),
        Termination::ClusterNotFound => errors::cluster_not_found(project, instance),
        Termination::ServerlessInstanceNotFound => errors::serverless_instance_not_found(project, instance),
        Termination::EndpointNotFound(status) => errors::endpoint_not_found(*status, &route.endpoint),
        Termination::ServiceNotFound => dedicated::service_not_found(CodeFamily::Recorded, &route.service),
        Termination::InterfaceEndpointNotFound => {
            dedicated::endpoint_not_found(CodeFamily::Recorded, &route.endpoint)
        }
        Termination::UnexpectedNotFound => ErrorResponse { status: 404, ..errors::unexpected() },
        Termination::Maintenance => errors::maintenance(),
        Termination::Conflict => errors::cannot_accept(),
        Termination::InterfaceEndpointExists => {
            dedicated::endpoint_exists(CodeFamily::Recorded, &route.endpoint)
        }
        Termination::ServiceHasEndpoints => dedicated::has_endpoints(CodeFamily::Recorded, &route.service),
        Termination::MultipleRegions => dedicated::multiple_regions(),
        Termination::VersionGone => errors::version_gone(),
        Termination::RateLimited { .. } | Termination::RateLimitedUntil { .. } if route.is_oauth() => {
            errors::token_rate_limited()
        }
        Termination::RateLimited { .. } | Termination::RateLimitedUntil { .. } => match route.version {
            Version::V1 => errors::rate_limited(path),
            Version::V2 => errors::rate_limited_bucket(path),
        },
        Termination::ServerError => errors::unexpected(),
        Termination::Unavailable { .. } => errors::unavailable(503),
        _ => return None,
    })
}
