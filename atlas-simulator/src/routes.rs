//! Parses method and path into an operation and its objects. Syntax only: whether the objects exist is not known here.

use percent_encoding::percent_decode_str;

use crate::{
    dedicated::provider::CloudProvider,
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
    /// The instance, or the dedicated cluster.
    pub(crate) instance: String,
    /// The cloud provider; empty if the path has none, as all of serverless instances.
    pub(crate) provider: String,
    /// The endpoint service of dedicated clusters.
    pub(crate) service: String,
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
        let segments: Vec<String> = rest.strip_suffix('/').unwrap_or(rest).split('/').map(decoded).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        if let Some((names, operation)) = dedicated(method, &segments) {
            let [project, instance, provider, service, endpoint] = names.map(str::to_owned);
            let operation = operation.ok_or_else(|| errors::no_such_method(method));
            return Self { version, operation, project, instance, provider, service, endpoint };
        }
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
                let operation = match method {
                    "GET" => Some(Operation::GetProject),
                    "DELETE" => Some(Operation::DeleteProject),
                    _ => None,
                };
                (*project, "", "", Some(operation))
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
            provider: String::new(),
            service: String::new(),
            endpoint: endpoint.to_owned(),
        }
    }

    /// Returns whether this is the token resource, which has its own authentication.
    pub(crate) fn is_oauth(&self) -> bool {
        matches!(self.operation, Ok(Operation::Token | Operation::Revoke))
    }

    /// Rejects ids and names that cannot exist.
    pub(crate) fn check_syntax(&self, path: &str) -> Result<(), ErrorResponse> {
        if self.operation.as_ref().is_ok_and(|operation| operation.is_dedicated()) {
            return self.check_dedicated(path);
        }
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

    fn check_dedicated(&self, path: &str) -> Result<(), ErrorResponse> {
        let provider = CloudProvider::named(&self.provider);
        let is_endpoint = provider.is_some_and(|provider| provider.is_endpoint_id(&self.endpoint));
        let fits = (self.provider.is_empty() || provider.is_some())
            && (self.service.is_empty() || is_id(&self.service))
            && (self.endpoint.is_empty() || is_endpoint)
            && (self.instance.is_empty() || is_instance_name(&self.instance));
        match self.version {
            Version::V1 if !is_id(&self.project) => Err(errors::invalid_group_id(&self.project)),
            _ if is_id(&self.project) && fits => Ok(()),
            _ => Err(errors::path_parameter(path)),
        }
    }
}

/// Parses a path of dedicated clusters: project, cluster, provider, service and endpoint, and the operation if the
/// method has one.
fn dedicated<'a>(method: &str, segments: &[&'a str]) -> Option<([&'a str; 5], Option<Operation>)> {
    let (project, rest) = match segments {
        ["groups", project, "clusters", cluster] => {
            return Some((
                [project, cluster, "", "", ""],
                (method == "GET").then_some(Operation::GetCluster),
            ));
        }
        ["groups", project, "privateEndpoint", rest @ ..] => (*project, rest),
        _ => return None,
    };
    let ([provider, service, endpoint], operation) = match (rest, method) {
        (["regionalMode"], "GET") => ([""; 3], Some(Operation::GetRegionalMode)),
        (["regionalMode"], "PATCH") => ([""; 3], Some(Operation::UpdateRegionalMode)),
        (["endpointService"], "POST") => ([""; 3], Some(Operation::CreateService)),
        (["regionalMode" | "endpointService"], _) => ([""; 3], None),
        (["endpointService", service], _) => {
            (["", *service, ""], (method == "PATCH").then_some(Operation::UpdateService))
        }
        ([provider, "endpointService"], _) => {
            ([*provider, "", ""], (method == "GET").then_some(Operation::ListServices))
        }
        ([provider, "endpointService", service], "GET") => {
            ([*provider, *service, ""], Some(Operation::GetService))
        }
        ([provider, "endpointService", service], "DELETE") => {
            ([*provider, *service, ""], Some(Operation::DeleteService))
        }
        ([provider, "endpointService", service], _) => ([*provider, *service, ""], None),
        ([provider, "endpointService", service, "endpoint"], _) => {
            ([*provider, *service, ""], (method == "POST").then_some(Operation::CreateEndpoint))
        }
        ([provider, "endpointService", service, "endpoint", endpoint], "GET") => {
            ([*provider, *service, *endpoint], Some(Operation::GetEndpoint))
        }
        ([provider, "endpointService", service, "endpoint", endpoint], "DELETE") => {
            ([*provider, *service, *endpoint], Some(Operation::DeleteEndpoint))
        }
        ([provider, "endpointService", service, "endpoint", endpoint], _) => {
            ([*provider, *service, *endpoint], None)
        }
        _ => return None,
    };
    Some(([project, "", provider, service, endpoint], operation))
}

/// Returns a segment of a path as it was before it was URL-encoded. The ids of Azure's private endpoints are paths themselves.
pub(crate) fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

fn is_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_instance_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
