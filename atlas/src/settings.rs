//! Settings of the connection to Atlas: the base URL, the API version, trusted authorities and limits.
//!
//! Everything is validated here, once, before the first request. This file never reads a file or the environment.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;
use thiserror::Error;

/// The version of the API. Paths and bodies are the same; prefix and media type differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApiVersion {
    /// `/api/atlas/v1.0`, `application/json`: the API of the page that this product is built on.
    #[default]
    V1,
    /// `/api/atlas/v2`, `application/vnd.atlas.2023-01-01+json` or a later date: the newest that has the operation.
    V2,
}

impl ApiVersion {
    /// Returns the last segment of the path that all calls share.
    pub(super) fn version(self) -> &'static str {
        match self {
            Self::V1 => "v1.0",
            Self::V2 => "v2",
        }
    }

    /// Returns the media type of `Accept` and of a request's `Content-Type`. `dated` is that of the operation.
    pub(super) fn media_type(self, dated: &'static str) -> &'static str {
        match self {
            Self::V1 => "application/json",
            Self::V2 => dated,
        }
    }
}

/// The settings of [`Transport::new`](super::Transport::new). It has no `Debug`: a proxy's URL may hold a password.
#[derive(Clone)]
pub struct ClientSettings {
    /// Scheme, host and port, and optionally a path prefix: `https://cloud.mongodb.com`. No user, query or fragment.
    pub base_url: String,
    /// The version of the API for serverless endpoints, whose version v1.0 the product is built on.
    pub api_version: ApiVersion,
    /// The version of the API for dedicated clusters. v1.0 has the same paths and bodies, and its end is not known.
    pub dedicated_api_version: ApiVersion,
    /// The timeout of one call, from its start to the last byte of its response, the response to a 401 included.
    pub timeout: Duration,
    /// Certificates (PEM, one or more) that are trusted besides the compiled-in ones.
    pub extra_roots: Option<Vec<u8>>,
    /// The URL of a proxy. The environment is never read for one.
    pub proxy: Option<String>,
    /// Allows `http` to a host that is not this machine.
    pub allow_http: bool,
    /// Sends `pretty=true`.
    pub pretty: bool,
    /// Sends `envelope=true`. An enveloped response is parsed either way.
    pub envelope: bool,
}

impl Default for ClientSettings {
    /// The public Atlas, API v1.0 (v2 for dedicated clusters), 30 s a call, direct connections over https.
    fn default() -> Self {
        Self {
            base_url: "https://cloud.mongodb.com".to_owned(),
            api_version: ApiVersion::default(),
            dedicated_api_version: ApiVersion::V2,
            timeout: Duration::from_secs(30),
            extra_roots: None,
            proxy: None,
            allow_http: false,
            pretty: false,
            envelope: false,
        }
    }
}

/// An invalid setting. Values that may hold a password are not repeated.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The base URL is not a URL, or not of the required form.
    #[error("the Atlas base URL {0}; give scheme, host and port, such as https://cloud.mongodb.com")]
    BaseUrl(&'static str),
    /// The timeout is zero.
    #[error("the timeout of an Atlas call is zero; give at least a second")]
    Timeout,
    /// The additional certificates cannot be used.
    #[error("the additional CA certificates {0}; give PEM text with at least one CERTIFICATE block")]
    ExtraRoots(String),
    /// The proxy's URL cannot be used.
    #[error("the proxy URL is not usable; give http://host:port or https://host:port")]
    Proxy,
    /// The HTTP client could not be built.
    #[error("failed to set up the HTTP client: {0}")]
    Setup(String),
}

/// Parses and validates the base URL.
///
/// # Errors
/// [`SettingsError::BaseUrl`], with what is wrong about it.
pub(super) fn base_url(settings: &ClientSettings) -> Result<Url, SettingsError> {
    let url = Url::parse(settings.base_url.trim()).map_err(|_| SettingsError::BaseUrl("cannot be read"))?;
    let refused = if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        Some("is neither http nor https")
    } else if !url.username().is_empty() || url.password().is_some() {
        Some("contains a user or a password, which would end up in logs")
    } else if url.query().is_some() || url.fragment().is_some() {
        Some("has a query or a fragment")
    } else if url.path().contains("/api/atlas") {
        Some("already contains the API's path, which the client adds")
    } else if url.scheme() == "http" && !settings.allow_http && !is_this_machine(&url) {
        Some("is http, which would show every response to the network (https, or allow http expressly)")
    } else {
        None
    };
    match refused {
        Some(reason) => Err(SettingsError::BaseUrl(reason)),
        None => Ok(url),
    }
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base_url: &str, allow_http: bool) -> Result<String, String> {
        let settings =
            ClientSettings { base_url: base_url.to_owned(), allow_http, ..ClientSettings::default() };
        super::base_url(&settings).map(|url| url.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn https_is_accepted_and_http_only_to_this_machine_or_when_allowed() {
        for good in [
            "https://cloud.mongodb.com",
            "https://atlas.example:8443/prefix",
            "http://127.0.0.1:8080",
            "http://[::1]:1/",
            "http://localhost:8080/",
        ] {
            assert!(check(good, false).is_ok(), "{good}");
        }
        assert!(check("http://atlas.example", true).is_ok());
        assert!(check("http://atlas.example", false).unwrap_err().contains("http"));
        assert!(check("http://127.0.0.1.example", false).is_err());
        assert!(check("http://localhost.example", false).is_err());
    }

    #[test]
    fn a_base_url_that_hides_something_is_refused_without_repeating_it() {
        for bad in [
            "https://user:hunter2@cloud.mongodb.com",
            "https://user@cloud.mongodb.com",
            "https://cloud.mongodb.com/?key=hunter2",
            "https://cloud.mongodb.com/#hunter2",
            "https://cloud.mongodb.com/api/atlas/v1.0",
            "ftp://cloud.mongodb.com",
            "cloud.mongodb.com",
            "",
        ] {
            let error = check(bad, true).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
            assert!(error.contains("such as https://"), "{error}");
        }
    }
}
