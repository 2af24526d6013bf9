//! Parses method and path into an operation and its objects. Syntax only: whether the objects exist is not known here.

use crate::{
    errors::{self, ErrorResponse},
    faults::Operation,
};

/// The API version that a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// The route of a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Route {
    pub(crate) version: Version,
    /// The operation, or why there is none.
    pub(crate) operation: Result<Operation, ErrorResponse>,
    pub(crate) project: String,
    pub(crate) instance: String,
    pub(crate) endpoint: String,
}

impl Route {
    /// Parses method and path.
    pub(crate) fn of(method: &str, path: &str) -> Self {
        let (version, rest) =
            match (path.strip_prefix("/api/atlas/v1.0/"), path.strip_prefix("/api/atlas/v2/")) {
                (Some(rest), _) => (Version::V1, rest),
                (_, Some(rest)) => (Version::V2, rest),
                _ => (Version::V1, path),
            };
        // As in Atlas, a slash at the end is ignored.
        let segments: Vec<&str> = rest.strip_suffix('/').unwrap_or(rest).split('/').collect();
        let (project, instance, endpoint, named) = match segments.as_slice() {
            ["groups", project, "privateEndpoint", "serverless", "instance", instance, "endpoint"] => {
                let operation = match method {
                    "GET" => Some(Operation::List),
                    "POST" => Some(Operation::Create),
                    _ => None,
                };
                (*project, *instance, "", Some(operation))
            }
            [
                "groups",
                project,
                "privateEndpoint",
                "serverless",
                "instance",
                instance,
                "endpoint",
                endpoint,
            ] => {
                let operation = match method {
                    "GET" => Some(Operation::Get),
                    "PATCH" => Some(Operation::Update),
                    "DELETE" => Some(Operation::Delete),
                    _ => None,
                };
                (*project, *instance, *endpoint, Some(operation))
            }
            ["groups", project, "serverless", instance] => {
                (*project, *instance, "", Some((method == "GET").then_some(Operation::GetInstance)))
            }
            ["groups", project, "serverless"] => {
                (*project, "", "", Some((method == "GET").then_some(Operation::ListInstances)))
            }
            ["groups", project] => {
                (*project, "", "", Some((method == "GET").then_some(Operation::GetProject)))
            }
            _ => {
                let operation = match (path, method) {
                    ("/api/oauth/token", "POST") => Some(Some(Operation::Token)),
                    ("/api/oauth/revoke", "POST") => Some(Some(Operation::Revoke)),
                    ("/api/oauth/token" | "/api/oauth/revoke", _) => Some(None),
                    _ => None,
                };
                ("", "", "", operation)
            }
        };
        let operation = match named {
            Some(Some(operation)) => Ok(operation),
            Some(None) => Err(errors::no_such_method(method)),
            None => Err(errors::no_such_resource(path)),
        };
        Self {
            version,
            operation,
            project: project.to_owned(),
            instance: instance.to_owned(),
            endpoint: endpoint.to_owned(),
        }
    }

    /// Returns whether this is the token resource, which has its own authentication.
    pub(crate) fn is_oauth(&self) -> bool {
        matches!(self.operation, Ok(Operation::Token | Operation::Revoke))
    }

    /// Rejects ids and names that cannot exist.
    pub(crate) fn check_syntax(&self, path: &str) -> Result<(), ErrorResponse> {
        let endpoint_fits = self.endpoint.is_empty() || is_id(&self.endpoint);
        let names_none = matches!(self.operation, Ok(Operation::GetProject | Operation::ListInstances));
        let instance_fits = names_none || is_instance_name(&self.instance);
        if is_id(&self.project) && instance_fits && endpoint_fits {
            return Ok(());
        }
        Err(match self.version {
            Version::V2 => errors::path_parameter(path),
            Version::V1 if !is_id(&self.project) => errors::invalid_group_id(&self.project),
            Version::V1 if !endpoint_fits => errors::endpoint_not_found(404, &self.endpoint),
            Version::V1 => errors::cluster_not_found(&self.project, &self.instance),
        })
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_instance_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
