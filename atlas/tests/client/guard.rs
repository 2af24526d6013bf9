//! A strict Digest server: checks every response, and remembers every nonce.

use std::collections::HashMap;
use std::sync::Mutex;

use digest_auth::{AuthContext, AuthorizationHeader, HttpMethod};

use super::script::{Reaction, ReceivedRequest, Script, bytes, json};

/// The policy of a guard for its nonces.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habits {
    /// The parameters of its challenge, with `{nonce}` in place of the nonce.
    pub(crate) challenge: &'static str,
    /// A nonce is good for so many requests; then the challenge says `stale=true`.
    pub(crate) uses: u32,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            challenge: r#"Digest realm="MMS Public API", domain="", nonce="{nonce}", algorithm=MD5, qop="auth""#,
            uses: u32::MAX,
        }
    }
}

/// The password is [`super::script::key`]'s. Authorized requests are handled by `react`; a wrong response, a count that
/// did not rise or another uri gets a 401, which `refusals` reads from the header `x-refused`.
pub(crate) fn start(
    habits: Habits,
    react: impl Fn(&ReceivedRequest) -> Reaction + Send + Sync + 'static,
) -> Script {
    let nonces: Mutex<HashMap<String, u32>> = Mutex::default();
    Script::start(move |request| {
        let mut nonces = nonces.lock().unwrap();
        let verdict =
            request.header("authorization").map(|header| check(header, request, &mut nonces, habits.uses));
        match verdict {
            Some(Ok(())) => {
                drop(nonces);
                react(request)
            }
            Some(Err(GuardError::Wrong(what))) => json(599, what),
            none_or_stale => {
                let nonce = format!("{:08x}/+=", nonces.len());
                let challenge = habits.challenge.replace("{nonce}", &nonce);
                nonces.insert(nonce, 0);
                let stale = if none_or_stale.is_some() { ", stale=true" } else { "" };
                Reaction::Send(bytes(401, &[&format!("WWW-Authenticate: {challenge}{stale}")], ""))
            }
        }
    })
}

enum GuardError {
    Stale,
    /// An error of the client, which no repetition may hide.
    Wrong(&'static str),
}

fn check(
    header: &str,
    request: &ReceivedRequest,
    nonces: &mut HashMap<String, u32>,
    uses: u32,
) -> Result<(), GuardError> {
    let authorization = AuthorizationHeader::parse(header).map_err(|_| GuardError::Wrong("unreadable"))?;
    let mut expected = authorization.clone();
    let context = AuthContext::new_with_method(
        "abcdefgh",
        "1b2c3d4e-private-key",
        request.target.as_str(),
        None::<&[u8]>,
        HttpMethod::from(request.method.as_str()),
    );
    expected.digest(&context);
    if authorization.uri != request.target {
        return Err(GuardError::Wrong("the uri is not the request's target"));
    }
    if expected.response != authorization.response {
        return Err(GuardError::Wrong("the response is wrong"));
    }
    let Some(count) = nonces.get_mut(&authorization.nonce) else {
        return Err(GuardError::Wrong("the nonce is not one of ours"));
    };
    if authorization.qop.is_some() && authorization.nc <= *count {
        return Err(GuardError::Wrong("the count did not rise"));
    }
    *count += 1;
    match count.checked_sub(uses) {
        None | Some(0) => Ok(()),
        Some(1) => Err(GuardError::Stale),
        Some(_) => Err(GuardError::Wrong("a nonce that was refused is sent again")),
    }
}
