//! Bearer tokens of service accounts (OAuth 2.0 client credentials, RFC 6749 §4.4).
//!
//! One token per account, shared by all calls and renewed at two thirds of its lifetime, with one token request in
//! flight: Atlas allows only some ten a minute. A token is kept in memory only and is never printed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use data_encoding::BASE64;
use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::call_record::{CallRecord, Observer};
use crate::error::{AtlasError, RequestContext};
use crate::http::{Http, HttpRequest, RawResponse};
use crate::operation::Operation;
use crate::outcome::Outcome;
use crate::redact::SecretText;
use crate::response;

use super::acceptances::Acceptances;
use super::credentials::{Credentials, Fingerprint};

/// The lifetime of a token whose response has no `expires_in`.
const DEFAULT_TOKEN_TTL: Duration = Duration::from_mins(10);

/// The maximum time for which a token is kept, whatever its `expires_in`.
const MAX_TOKEN_TTL: Duration = Duration::from_hours(24);

/// How long a valid token that could not be renewed is used until the next attempt.
const RENEWAL_RETRY: Duration = Duration::from_secs(30);

/// A 401 does not replace a token that is younger and was accepted elsewhere, and replaces at most one token per
/// account and minute: a 401 in one project alone is hardly the token's fault.
const REPLACE_INTERVAL: Duration = Duration::from_mins(1);

/// The maximum number of accounts that are kept beyond those that hold a token or are in use.
const MAX_FAILURES: usize = 1024;

/// The tokens of all service accounts.
#[derive(Default)]
pub(crate) struct Tokens {
    slots: Mutex<HashMap<Fingerprint, Arc<tokio::sync::Mutex<TokenSlot>>>>,
}

/// The endpoint for token requests, and the recorder of each of them.
pub(crate) struct TokenEndpoint<'a> {
    pub(crate) http: Arc<Http>,
    pub(crate) url: Url,
    pub(crate) observer: &'a Observer,
}

/// One account's token. Its lock is held while the token is renewed, so that one request serves all waiting calls.
#[derive(Default)]
struct TokenSlot {
    token: Option<Arc<AccessToken>>,
    renew_at: Option<Instant>,
    /// When a token was last replaced after a 401.
    replaced_at: Option<Instant>,
    failure: Option<TokenFailure>,
}

/// The last failure: for calls that were already waiting when it happened, and for all until its `Retry-After` is over.
struct TokenFailure {
    at: Instant,
    quiet_until: Option<Instant>,
    error: AtlasError,
}

/// An access token and its times.
pub(crate) struct AccessToken {
    text: SecretText,
    header: HeaderValue,
    asked_at: Instant,
    expires_at: Instant,
    renew_at: Instant,
    was_accepted: AtomicBool,
}

impl AccessToken {
    /// Returns the `Authorization` header.
    pub(crate) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// Returns the text that a server could echo, for redaction.
    pub(crate) fn secret(&self) -> SecretText {
        self.text.clone()
    }

    /// Records that a call with this token passed authentication.
    pub(crate) fn note_accepted(&self) {
        self.was_accepted.store(true, Ordering::Relaxed);
    }
}

impl TokenSlot {
    /// Returns whether the token, rejected in a project where the account was last accepted at `accepted_here`, may be
    /// replaced.
    fn may_replace(&self, token: &AccessToken, accepted_here: Option<Instant>) -> bool {
        let is_doubtful = token.asked_at.elapsed() >= REPLACE_INTERVAL
            || !token.was_accepted.load(Ordering::Relaxed)
            || accepted_here.is_some_and(|at| at >= token.asked_at);
        is_doubtful && self.replaced_at.is_none_or(|at| at.elapsed() >= REPLACE_INTERVAL)
    }

    /// Returns the failure that a call which began at `asked_at` shares.
    fn shared_failure(&self, asked_at: Instant) -> Option<AtlasError> {
        let failure = self.failure.as_ref()?;
        let now = Instant::now();
        match failure.quiet_until.filter(|until| *until > now) {
            Some(until) => Some(failure.error.clone().with_retry_after(until - now)),
            None => (failure.at >= asked_at).then(|| failure.error.clone()),
        }
    }

    fn is_worth_keeping(&self, now: Instant) -> bool {
        self.token.as_ref().is_some_and(|token| now < token.expires_at)
    }

    fn is_quiet(&self, now: Instant) -> bool {
        self.failure.as_ref().and_then(|failure| failure.quiet_until).is_some_and(|until| now < until)
    }
}

impl Tokens {
    /// Returns the account's token, renewed if it is due.
    ///
    /// # Errors
    /// No token could be obtained.
    pub(crate) async fn get(
        &self,
        endpoint: &TokenEndpoint<'_>,
        context: RequestContext<'_>,
        deadline: Instant,
    ) -> Result<Arc<AccessToken>, AtlasError> {
        let context = RequestContext { operation: Operation::Token, ..context };
        let asked_at = Instant::now();
        let slot = self.slot(context.credentials.fingerprint());
        let mut slot = enter(&slot, context, deadline).await?;
        if let (Some(token), Some(renew_at)) = (&slot.token, slot.renew_at)
            && Instant::now() < renew_at
        {
            return Ok(token.clone());
        }
        match renew(&mut slot, endpoint, context, deadline, asked_at).await {
            Ok(token) => Ok(token),
            // A token that is still valid stays in use.
            Err(error) => {
                let now = Instant::now();
                let Some(token) = slot.token.clone().filter(|token| now < token.expires_at) else {
                    return Err(error);
                };
                slot.renew_at = Some(token.expires_at.min(now + RENEWAL_RETRY));
                Ok(token)
            }
        }
    }

    /// Returns another token than `refused`, which got a 401; `None` if the 401 is no evidence against it, also in view of
    /// `acceptances`.
    ///
    /// # Errors
    /// No token could be obtained.
    pub(crate) async fn replace(
        &self,
        endpoint: &TokenEndpoint<'_>,
        context: RequestContext<'_>,
        deadline: Instant,
        refused: &Arc<AccessToken>,
        acceptances: &Acceptances,
    ) -> Result<Option<Arc<AccessToken>>, AtlasError> {
        let context = RequestContext { operation: Operation::Token, ..context };
        let (key, asked_at) = (context.credentials.fingerprint(), Instant::now());
        let slot = self.slot(key);
        let mut slot = enter(&slot, context, deadline).await?;
        match &slot.token {
            Some(current) if Arc::ptr_eq(current, refused) => {
                let accepted_here = acceptances.last(key, context.project);
                if !slot.may_replace(refused, accepted_here) {
                    return Ok(None);
                }
                slot.replaced_at = Some(asked_at);
            }
            // Another call has already replaced it.
            Some(current) => return Ok(Some(current.clone())),
            None => {}
        }
        renew(&mut slot, endpoint, context, deadline, asked_at).await.map(Some)
    }

    fn slot(&self, account: Fingerprint) -> Arc<tokio::sync::Mutex<TokenSlot>> {
        let now = Instant::now();
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        // Accounts come and go with their Secrets: slots that are neither in use nor hold a valid token are dropped.
        let mut failures = 0;
        slots.retain(|_, slot| {
            Arc::strong_count(slot) > 1
                || slot.try_lock().is_ok_and(|slot| {
                    failures += usize::from(slot.is_quiet(now));
                    slot.is_worth_keeping(now) || (slot.is_quiet(now) && failures <= MAX_FAILURES)
                })
        });
        slots.entry(account).or_default().clone()
    }
}

/// Waits for the account's lock, until `deadline`.
async fn enter<'a>(
    slot: &'a tokio::sync::Mutex<TokenSlot>,
    context: RequestContext<'_>,
    deadline: Instant,
) -> Result<tokio::sync::MutexGuard<'a, TokenSlot>, AtlasError> {
    timeout_at(deadline, slot.lock()).await.map_err(|_| {
        context.failed(Outcome::TimedOut, "another request for the token did not end in time", "")
    })
}

/// Requests a token, unless a request has just failed for all. On failure the slot keeps its token.
async fn renew(
    slot: &mut TokenSlot,
    endpoint: &TokenEndpoint<'_>,
    context: RequestContext<'_>,
    deadline: Instant,
    asked_at: Instant,
) -> Result<Arc<AccessToken>, AtlasError> {
    if let Some(error) = slot.shared_failure(asked_at) {
        return Err(error);
    }
    match fetch(endpoint, context, deadline).await {
        Ok(token) => {
            let token = Arc::new(token);
            slot.token = Some(token.clone());
            slot.renew_at = Some(token.renew_at);
            slot.failure = None;
            Ok(token)
        }
        Err(error) => {
            let at = Instant::now();
            let quiet_until = error.retry_after().map(|wait| at + wait);
            slot.failure = Some(TokenFailure { at, quiet_until, error: error.clone() });
            Err(error)
        }
    }
}

/// Sends one token request, recorded as a call of its own.
async fn fetch(
    endpoint: &TokenEndpoint<'_>,
    context: RequestContext<'_>,
    deadline: Instant,
) -> Result<AccessToken, AtlasError> {
    let started_at = Instant::now();
    let result = request(endpoint, context, deadline).await;
    let outcome = result.as_ref().map_or_else(AtlasError::outcome, |_| Outcome::Status(200));
    let record = CallRecord {
        operation: context.operation,
        outcome,
        duration: started_at.elapsed(),
        requests: 1,
        credential: context.credentials.short_name(),
        remaining: None,
    };
    record.report(context.subject, endpoint.observer);
    result
}

async fn request(
    endpoint: &TokenEndpoint<'_>,
    context: RequestContext<'_>,
    deadline: Instant,
) -> Result<AccessToken, AtlasError> {
    let Some(authorization) = basic(context.credentials) else {
        return Err(context.failed(
            Outcome::NoChallenge,
            "the client id and secret cannot stand in a header",
            "",
        ));
    };
    let body =
        Some(("application/x-www-form-urlencoded", reqwest::Body::from("grant_type=client_credentials")));
    let request = HttpRequest {
        method: Method::POST,
        accept: "application/json",
        url: &endpoint.url,
        authorization: Some(authorization),
        cookies: None,
        body,
        may_send: None,
        deadline,
    };
    let asked_at = Instant::now();
    let mut raw = match endpoint.http.send(request).await {
        Ok(raw) => raw,
        Err(error) => return Err(context.not_delivered(&error)),
    };
    raw.secrets = context.credentials.secrets();
    if !(200..300).contains(&raw.status) {
        return Err(refused(context, raw));
    }
    let body =
        raw.body.map_err(|outcome| context.failed(outcome, "the token could not be read to its end", ""))?;
    let token = serde_json::from_slice(&body).ok().and_then(|json: Value| read(&json, asked_at));
    token.ok_or_else(|| context.failed(Outcome::Malformed, "the response holds no access_token", ""))
}

/// Classifies an error of the token endpoint, in OAuth's form (`error`, `error_description`) or Atlas' own.
fn refused(context: RequestContext<'_>, raw: RawResponse) -> AtlasError {
    let mut response = response::open(raw);
    if response.error.is_none() {
        response.error = response.json.as_ref().and_then(response::oauth_error);
    }
    // RFC 6749 §5.2 allows 400 as well as 401 for an unknown client.
    if response.status == 400 && response.error.as_ref().is_some_and(|error| error.code == "invalid_client") {
        response.status = 401;
    }
    // RFC 6749 §5.2 requires an error for a rejected client, so this is of something before the token endpoint.
    if response.status == 401 && response.error.is_none() {
        return context.failed(Outcome::NoChallenge, "HTTP 401 without an OAuth error", "");
    }
    context.rejected(&response)
}

/// Returns the `Authorization` header of a token request.
fn basic(credentials: &Credentials) -> Option<HeaderValue> {
    let pair = format!("{}:{}", credentials.id(), credentials.secret());
    let mut header = HeaderValue::from_str(&format!("Basic {}", BASE64.encode(pair.as_bytes()))).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// Parses `{"access_token", "expires_in", …}`; the lifetime counts from before the request, so it is never
/// overestimated.
pub(crate) fn read(json: &Value, asked_at: Instant) -> Option<AccessToken> {
    let text = json.get("access_token")?.as_str().filter(|text| !text.is_empty())?;
    let mut header = HeaderValue::from_str(&format!("Bearer {text}")).ok()?;
    header.set_sensitive(true);
    let life = match json.get("expires_in") {
        Some(Value::Number(seconds)) => seconds.as_u64().map(Duration::from_secs),
        Some(Value::String(seconds)) => seconds.parse().ok().map(Duration::from_secs),
        _ => None,
    };
    let life = life.unwrap_or(DEFAULT_TOKEN_TTL).min(MAX_TOKEN_TTL);
    Some(AccessToken {
        text: SecretText::new(text.to_owned()),
        header,
        asked_at,
        expires_at: asked_at + life,
        renew_at: asked_at + life * 2 / 3,
        was_accepted: AtomicBool::new(false),
    })
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
