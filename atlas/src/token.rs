//! Bearer tokens of service accounts (OAuth 2.0 client credentials, RFC 6749 §4.4).
//!
//! One token per account, shared by all calls and renewed at two thirds of its life, with one token request in flight:
//! Atlas allows only some ten a minute. A token lives in memory only and is never shown.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use data_encoding::BASE64;
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::credentials::{Credentials, Fingerprint, Secret};
use super::error::{AtlasError, Context, Operation, Outcome};
use super::http::{Answer, Outgoing, Unanswered};
use super::reply;
use super::transport::{CallRecord, Transport};

/// The life of a token that does not say how long it lives.
const UNSAID_LIFE: Duration = Duration::from_mins(10);

/// No token is kept longer, whatever it says.
const LONGEST_LIFE: Duration = Duration::from_hours(24);

/// A token that could not be renewed but still lives serves so long until the next attempt.
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);

/// The tokens of all service accounts.
#[derive(Default)]
pub(super) struct Tokens {
    slots: Mutex<HashMap<Fingerprint, Arc<tokio::sync::Mutex<Slot>>>>,
}

/// One account's token. Its lock is held while the token is renewed, so that one request serves all who wait.
#[derive(Default)]
struct Slot {
    token: Option<Arc<Token>>,
    renew_at: Option<Instant>,
    /// The last failure, for those who were already waiting when it happened.
    failure: Option<(Instant, AtlasError)>,
}

/// A token.
pub(super) struct Token {
    text: Secret,
    header: HeaderValue,
    expires_at: Instant,
    renew_at: Instant,
}

impl Token {
    /// The `Authorization` header.
    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// What a server could send back to us.
    pub(super) fn hidden(&self) -> Secret {
        self.text.clone()
    }
}

impl Tokens {
    /// The account's token, renewed if it is due or if it is the `rejected` one.
    ///
    /// # Errors
    /// No token could be had.
    pub(super) async fn get(
        &self,
        transport: &Transport,
        context: Context<'_>,
        deadline: Instant,
        rejected: Option<&Arc<Token>>,
    ) -> Result<Arc<Token>, AtlasError> {
        let context = Context { operation: Operation::Token, ..context };
        let asked_at = Instant::now();
        let slot = self.slot(context.credentials.fingerprint());
        let Ok(mut slot) = timeout_at(deadline, slot.lock()).await else {
            return Err(context.failed(
                Outcome::TimedOut,
                "another request for the token did not end in time",
                "",
            ));
        };
        if let (Some(current), Some(rejected)) = (&slot.token, rejected)
            && Arc::ptr_eq(current, rejected)
        {
            slot.token = None;
        }
        if let (Some(token), Some(renew_at)) = (&slot.token, slot.renew_at)
            && Instant::now() < renew_at
        {
            return Ok(token.clone());
        }
        if let Some((_, error)) = slot.failure.as_ref().filter(|(at, _)| *at >= asked_at) {
            return Err(error.clone());
        }
        match fetch(transport, context, deadline).await {
            Ok(token) => {
                let token = Arc::new(token);
                *slot = Slot { token: Some(token.clone()), renew_at: Some(token.renew_at), failure: None };
                Ok(token)
            }
            Err(error) => {
                let now = Instant::now();
                if let Some(token) = slot.token.clone().filter(|token| now < token.expires_at) {
                    slot.renew_at = Some(token.expires_at.min(now + RENEWAL_PAUSE));
                    return Ok(token);
                }
                *slot = Slot { failure: Some((now, error.clone())), ..Slot::default() };
                Err(error)
            }
        }
    }

    fn slot(&self, account: Fingerprint) -> Arc<tokio::sync::Mutex<Slot>> {
        let now = Instant::now();
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        // Accounts come and go with their Secrets: what nobody uses and nobody could use goes.
        slots.retain(|_, slot| {
            Arc::strong_count(slot) > 1
                || slot
                    .try_lock()
                    .is_ok_and(|slot| slot.token.as_ref().is_some_and(|token| now < token.expires_at))
        });
        slots.entry(account).or_default().clone()
    }
}

/// One token request, recorded as a call of its own.
async fn fetch(transport: &Transport, context: Context<'_>, deadline: Instant) -> Result<Token, AtlasError> {
    let started_at = Instant::now();
    let result = request(transport, context, deadline).await;
    let outcome = result.as_ref().map_or_else(AtlasError::outcome, |_| Outcome::Status(200));
    let record = CallRecord {
        operation: context.operation,
        outcome,
        duration: started_at.elapsed(),
        requests: 1,
        credential: context.credentials.short_name(),
        remaining: None,
    };
    transport.record(&record, context.at);
    result
}

async fn request(
    transport: &Transport,
    context: Context<'_>,
    deadline: Instant,
) -> Result<Token, AtlasError> {
    let url = transport.token_url();
    let Some(authorization) = basic(context.credentials) else {
        return Err(context.failed(
            Outcome::NoChallenge,
            "the client id and secret cannot stand in a header",
            "",
        ));
    };
    let body =
        Some(("application/x-www-form-urlencoded", reqwest::Body::from("grant_type=client_credentials")));
    let request = Outgoing {
        method: Method::POST,
        accept: "application/json",
        url: &url,
        authorization: Some(authorization),
        body,
        deadline,
    };
    let asked_at = Instant::now();
    let mut answer = match transport.http().send(request).await {
        Ok(answer) => answer,
        Err(Unanswered { outcome, problem, detail, .. }) => {
            return Err(context.failed(outcome, &problem, &detail));
        }
    };
    answer.hidden = context.credentials.hidden();
    if !(200..300).contains(&answer.status) {
        return Err(refused(context, answer));
    }
    let body = answer
        .body
        .map_err(|outcome| context.failed(outcome, "the token could not be read to its end", ""))?;
    let token = serde_json::from_slice(&body).ok().and_then(|json: Value| read(&json, asked_at));
    token.ok_or_else(|| context.failed(Outcome::Malformed, "the answer holds no access_token", ""))
}

/// The token endpoint refuses in OAuth's words (`error`, `error_description`), or in Atlas' own.
fn refused(context: Context<'_>, answer: Answer) -> AtlasError {
    let mut reply = reply::open(answer);
    if reply.error.is_none() {
        reply.error = reply.json.as_ref().and_then(reply::oauth_error);
    }
    // RFC 6749 §5.2 allows 400 as well as 401 for a client that is not known.
    if reply.status == 400 && reply.error.as_ref().is_some_and(|error| error.code == "invalid_client") {
        reply.status = 401;
    }
    context.answered(&reply)
}

/// The `Authorization` header of a token request.
fn basic(credentials: &Credentials) -> Option<HeaderValue> {
    let pair = format!("{}:{}", credentials.id(), credentials.secret());
    let mut header = HeaderValue::from_str(&format!("Basic {}", BASE64.encode(pair.as_bytes()))).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// `{"access_token", "expires_in", …}`; the life counts from before the request, so it is never overrated.
pub(super) fn read(json: &Value, asked_at: Instant) -> Option<Token> {
    let text = json.get("access_token")?.as_str().filter(|text| !text.is_empty())?;
    let mut header = HeaderValue::from_str(&format!("Bearer {text}")).ok()?;
    header.set_sensitive(true);
    let life = match json.get("expires_in") {
        Some(Value::Number(seconds)) => seconds.as_u64().map(Duration::from_secs),
        Some(Value::String(seconds)) => seconds.parse().ok().map(Duration::from_secs),
        _ => None,
    };
    let life = life.unwrap_or(UNSAID_LIFE).min(LONGEST_LIFE);
    Some(Token {
        text: Secret::new(text.to_owned()),
        header,
        expires_at: asked_at + life,
        renew_at: asked_at + life * 2 / 3,
    })
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
