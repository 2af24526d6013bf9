//! The transport to one Atlas, one per process: connections, URLs, and what calls share.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use domain::ids::ProjectId;
use reqwest::Url;

use super::auth::acceptances::Acceptances;
use super::auth::challenge_pool::ChallengePool;
use super::auth::token::{TokenEndpoint, Tokens};
use super::call_record::Observer;
use super::http::Http;
use super::http::authorities::Authorities;
use super::operation::Operation;
use super::settings::{self, ApiVersion, ClientSettings, SettingsError};

/// The transport to one Atlas. Cheap to clone; clones share connections, challenges and tokens.
#[derive(Clone)]
pub struct Transport(Arc<Inner>);

struct Inner {
    http: RwLock<Arc<Http>>,
    base_url: Url,
    settings: ClientSettings,
    challenges: ChallengePool,
    tokens: Tokens,
    acceptances: Acceptances,
    observer: Observer,
}

impl Transport {
    /// Validates the settings and sets up the HTTP client. Sends nothing.
    ///
    /// # Errors
    /// The invalid setting.
    pub fn new(settings: ClientSettings, observer: Observer) -> Result<Self, SettingsError> {
        let base_url = settings::base_url(&settings)?;
        if settings.timeout.is_zero() {
            return Err(SettingsError::Timeout);
        }
        let extra = settings.extra_roots.as_deref().map(Authorities::from_pem).transpose()?;
        let http = RwLock::new(Arc::new(Http::new(&settings, &base_url, extra.as_ref())?));
        let (challenges, tokens) = (ChallengePool::default(), Tokens::default());
        let acceptances = Acceptances::default();
        Ok(Self(Arc::new(Inner { http, base_url, settings, challenges, tokens, acceptances, observer })))
    }

    /// Trusts these certificates from now on, besides the compiled-in ones and instead of all earlier ones. Requests in
    /// flight end on their connections; challenges and tokens stay.
    ///
    /// # Errors
    /// The HTTP client could not be built. Then nothing has changed.
    pub fn trust(&self, authorities: &Authorities) -> Result<(), SettingsError> {
        let http = Arc::new(Http::new(&self.0.settings, &self.0.base_url, Some(authorities))?);
        *self.0.http.write().unwrap_or_else(PoisonError::into_inner) = http;
        Ok(())
    }

    pub(super) fn http(&self) -> Arc<Http> {
        self.0.http.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn challenges(&self) -> &ChallengePool {
        &self.0.challenges
    }

    pub(super) fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    pub(super) fn acceptances(&self) -> &Acceptances {
        &self.0.acceptances
    }

    pub(super) fn timeout(&self) -> Duration {
        self.0.settings.timeout
    }

    /// Returns the media type of requests and responses.
    pub(super) fn media_type(&self, operation: Operation) -> &'static str {
        self.api_version(operation).media_type(operation.dated_media_type())
    }

    fn api_version(&self, operation: Operation) -> ApiVersion {
        let settings = &self.0.settings;
        if operation.is_dedicated() { settings.dedicated_api_version } else { settings.api_version }
    }

    pub(super) fn observer(&self) -> &Observer {
        &self.0.observer
    }

    /// Returns where tokens are requested: `/api/oauth/token`, the same for every API version.
    pub(super) fn token_endpoint(&self) -> TokenEndpoint<'_> {
        TokenEndpoint {
            http: self.http(),
            url: self.url(&["api", "oauth", "token"]),
            observer: &self.0.observer,
        }
    }

    /// Returns the URL of a resource of this project: `/api/atlas/{version}/groups/{project}/…`.
    pub(super) fn project_url(&self, operation: Operation, project: &ProjectId, rest: &[&str]) -> Url {
        let settings = &self.0.settings;
        let version = self.api_version(operation).version();
        let mut segments = vec!["api", "atlas", version, "groups", project.as_str()];
        segments.extend(rest);
        let mut url = self.url(&segments);
        for (name, is_wanted) in [("pretty", settings.pretty), ("envelope", settings.envelope)] {
            if is_wanted {
                url.query_pairs_mut().append_pair(name, "true");
            }
        }
        url
    }

    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.0.base_url.clone();
        // An http URL always has segments, so this `if` has no else branch.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}
