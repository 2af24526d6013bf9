//! Service accounts: an access token for a client id and its secret (OAuth 2.0 client credentials, RFC 6749 §4.4).

use std::collections::HashMap;
use std::time::Duration;

use serde_json::json;

use crate::{header, random, response::Success, settings::Settings};

/// The access tokens that were issued.
#[derive(Debug, Default)]
pub(crate) struct IssuedTokens(HashMap<String, IssuedToken>);

#[derive(Debug)]
struct IssuedToken {
    client: String,
    issued: Duration,
}

/// Returns the client whose Basic header is valid.
pub(crate) fn client(settings: &Settings, authorization: Option<&str>) -> Option<String> {
    let (id, secret) = header::basic(authorization?)?;
    settings.service_accounts.get(&id).is_some_and(|account| account.secret == secret).then_some(id)
}

impl IssuedTokens {
    /// Handles a request to the token resource.
    pub(crate) fn grant(
        &mut self,
        settings: &Settings,
        now: Duration,
        client: Option<&str>,
        body: &[u8],
    ) -> Success {
        let Some(client) = client else { return invalid_client() };
        if field(body, "grant_type").as_deref() != Some("client_credentials") {
            let description = "The grant type is not supported.";
            return Success::Oauth(
                400,
                json!({"error": "unsupported_grant_type", "error_description": description}),
            );
        }
        let token = random::nonce();
        self.0.insert(token.clone(), IssuedToken { client: client.to_owned(), issued: now });
        let timeline = settings.token_life.as_secs();
        Success::Oauth(200, json!({"access_token": token, "expires_in": timeline, "token_type": "Bearer"}))
    }

    /// Handles a request to the revocation resource; an unknown token counts as revoked (RFC 7009 §2.2).
    pub(crate) fn revoke(&mut self, client: Option<&str>, body: &[u8]) -> Success {
        if client.is_none() {
            return invalid_client();
        }
        if let Some(token) = field(body, "token") {
            self.0.remove(&token);
        }
        Success::Oauth(200, json!({}))
    }

    /// Revokes all tokens, as an administrator may at any time.
    pub(crate) fn revoke_all(&mut self) {
        self.0.clear();
    }

    /// Returns the client that a token was issued to, while it is valid and the account exists.
    pub(crate) fn client(&mut self, settings: &Settings, now: Duration, token: &str) -> Option<String> {
        self.0.retain(|_, token| now.saturating_sub(token.issued) < settings.token_life);
        let client = &self.0.get(token)?.client;
        settings.service_accounts.contains_key(client).then(|| client.clone())
    }
}

fn invalid_client() -> Success {
    Success::Oauth(
        401,
        json!({"error": "invalid_client", "error_description": "Invalid credentials provided."}),
    )
}

fn field(body: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
