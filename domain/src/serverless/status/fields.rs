//! The fields of the status that describe the endpoint: what a report publishes.

use super::Report;

/// The fields, as they are or as they should be; `None`: absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointFields {
    /// `_id`.
    pub id: Option<String>,
    /// `cloudProviderEndpointId`.
    pub cloud_provider_endpoint_id: Option<String>,
    /// `comment`.
    pub comment: Option<String>,
    /// `endpointServiceName`.
    pub endpoint_service_name: Option<String>,
    /// `errorMessage`.
    pub error_message: Option<String>,
    /// `status`.
    pub status: Option<String>,
}

impl Report {
    /// Returns the fields that the status should have. The service name of a lost endpoint must not be used; its id stays until
    /// another id is recorded.
    #[must_use]
    pub fn fields(&self) -> EndpointFields {
        let Some(endpoint) = &self.endpoint else { return EndpointFields::default() };
        let present = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let optional = |text: &Option<String>| text.as_deref().and_then(present);
        let current = Some(endpoint).filter(|_| !self.lost);
        EndpointFields {
            id: Some(endpoint.id.to_string()),
            cloud_provider_endpoint_id: optional(&endpoint.vpc_endpoint_id),
            comment: present(&endpoint.comment),
            endpoint_service_name: current.and_then(|endpoint| optional(&endpoint.service_name)),
            error_message: optional(&endpoint.error_message),
            status: current.and_then(|endpoint| present(endpoint.status.as_str())),
        }
    }
}
