//! The transport to one Atlas, one per process: connections, URLs, and what calls share.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use domain::serverless::endpoint::{EndpointId, Instance};
use reqwest::Url;

use super::acceptances::Acceptances;
use super::authorities::Authorities;
use super::challenge_pool::ChallengePool;
use super::error::Operation;
use super::http::Http;
use super::outcome::Outcome;
use super::settings::{self, ClientSettings, SettingsError};
use super::token::Tokens;

/// The record of one call. Holds nothing that could not be a metric's label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// The operation.
    pub operation: Operation,
    /// How the call ended.
    pub outcome: Outcome,
    /// From its start to its last byte.
    pub duration: Duration,
    /// HTTP requests that the call took: one if a challenge was cached. A token request counts as a call of its own.
    pub requests: u32,
    /// Identifies the credentials without revealing them.
    pub credential: String,
    /// The calls left of the credentials' rate limit, if Atlas reported it.
    pub remaining: Option<u64>,
}

/// Is called once for every call. Must not block.
pub type Observer = Arc<dyn Fn(&CallRecord) + Send + Sync>;

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

    pub(super) fn media_type(&self) -> &'static str {
        self.0.settings.api_version.media_type()
    }

    /// `…/privateEndpoint/serverless/instance/{name}/endpoint[/{id}]`.
    pub(super) fn endpoint_url(&self, instance: &Instance, id: Option<&EndpointId>) -> Url {
        let mut segments =
            vec!["privateEndpoint", "serverless", "instance", instance.name.as_str(), "endpoint"];
        segments.extend(id.map(EndpointId::as_str));
        self.project_url(instance, &segments)
    }

    /// `…/serverless/{name}`.
    pub(super) fn instance_url(&self, instance: &Instance) -> Url {
        self.project_url(instance, &["serverless", instance.name.as_str()])
    }

    /// `/api/oauth/token`, the same for every API version.
    pub(super) fn token_url(&self) -> Url {
        self.url(&["api", "oauth", "token"])
    }

    fn project_url(&self, instance: &Instance, rest: &[&str]) -> Url {
        let settings = &self.0.settings;
        let mut segments =
            vec!["api", "atlas", settings.api_version.version(), "groups", instance.project.as_str()];
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

    /// Reports a call to log and observer.
    pub(super) fn record(&self, record: &CallRecord, instance: &Instance) {
        tracing::debug!(
            operation = record.operation.as_str(),
            %instance,
            status = %record.outcome,
            millis = u64::try_from(record.duration.as_millis()).unwrap_or(u64::MAX),
            requests = record.requests,
            "Atlas call"
        );
        (self.0.observer)(record);
    }
}
