//! The server's half of Digest (RFC 7616; without `qop` RFC 2069), strict: it rejects what a lenient server would accept.
//!
//! Never logs or keeps a secret; the caller supplies the secret of a user name.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::{header, random, seconds};

const REALM: &str = "MMS Public API";

/// The cookie whose value is the nonce that it belongs to.
const COOKIE: &str = "gateway";

/// The form and strictness of Digest. The default is what was recorded of Atlas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DigestSettings {
    /// How long a nonce is accepted after it was issued.
    #[serde(with = "seconds")]
    pub nonce_life: Duration,
    /// Every nonce is accepted once.
    pub single_use: bool,
    /// Which request counters (`nc`) are accepted.
    pub counter: Counter,
    /// How the challenge is written.
    pub form: ChallengeForm,
    /// The algorithms offered, one challenge each, in this order.
    pub algorithms: Vec<Algorithm>,
    /// Other schemes offered before Digest, verbatim, such as `Basic realm="x"`.
    pub other_challenges: Vec<String>,
    /// Several challenges share one header line.
    pub one_line: bool,
    /// Where a nonce is known.
    pub known: NonceScope,
    /// An unknown nonce gets `stale=true`, instead of the response to a wrong key.
    pub unknown_is_stale: bool,
}

impl Default for DigestSettings {
    fn default() -> Self {
        Self {
            nonce_life: Duration::from_mins(5),
            single_use: false,
            counter: Counter::Rising,
            form: ChallengeForm::Recorded,
            algorithms: vec![Algorithm::Md5],
            other_challenges: Vec::new(),
            one_line: false,
            known: NonceScope::Everywhere,
            unknown_is_stale: true,
        }
    }
}

/// Where a nonce is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NonceScope {
    /// With every request.
    Everywhere,
    /// At one of two gateways, which get the requests in turn.
    OneOfTwoGateways,
    /// With requests that carry the cookie that was set with it.
    WithItsCookie,
}

/// Which request counters (`nc`) a nonce is accepted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counter {
    /// Each must be higher than all before: requests that overtake each other on one nonce are rejected.
    Rising,
    /// Each once, in any order.
    Unique,
    /// Any: it is not checked.
    Any,
}

/// How a challenge is written. Where it has no `qop`, the response must have none (RFC 2069).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChallengeForm {
    /// As recorded.
    Recorded,
    /// As the seed page has it: `op="auth"`, no `qop`.
    Seed,
    /// No `qop` at all.
    WithoutQop,
    /// `qop="auth,auth-int"`.
    QopList,
    /// All names, the scheme and the algorithm in lower case.
    LowerCase,
    /// All names and the scheme in upper case.
    UpperCase,
    /// White space around `=` and after commas.
    Spaced,
    /// No white space after commas, `qop` unquoted, the algorithm quoted.
    Unquoted,
    /// The same in reverse order, with an unknown directive.
    Reversed,
}

/// A hash function of Digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// The one that Atlas offers.
    #[serde(rename = "MD5")]
    Md5,
    /// RFC 7616.
    #[serde(rename = "SHA-256")]
    Sha256,
}

impl Algorithm {
    const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    fn hash(self, text: &str) -> String {
        match self {
            Self::Md5 => data_encoding::HEXLOWER.encode(&Md5::digest(text)),
            Self::Sha256 => data_encoding::HEXLOWER.encode(&Sha256::digest(text)),
        }
    }
}

/// Why a request got a 401 with a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unauthenticated {
    /// No Authorization header.
    NoCredentials,
    /// A header that cannot be parsed, lacks a parameter, or names another URI, realm or algorithm.
    Malformed,
    /// Unknown key or wrong secret.
    WrongKey,
    /// Valid, but the nonce is too old, unknown or used up: `stale=true`.
    Stale,
    /// Valid, but the nonce is unknown, and the settings do not call that stale.
    UnknownNonce,
    /// Valid, but `nc` was used before or, where it must rise, did not.
    Replayed,
    /// An access token that is unknown, expired or revoked.
    BadToken,
}

/// One of two gateways, each with its own nonces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Gateway(bool);

/// The parts of a request that its Digest response is checked against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestLine<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) cookies: &'a str,
    pub(crate) gateway: Gateway,
}

/// The nonces that the server has issued.
#[derive(Debug, Default)]
pub(crate) struct Nonces {
    issued: HashMap<String, IssuedNonce>,
    /// The gateway of the next request, if there are two.
    next_gateway: Gateway,
}

#[derive(Debug)]
struct IssuedNonce {
    issued: Duration,
    gateway: Gateway,
    /// The counters that were accepted; where they must rise, only the last of them.
    counters: BTreeSet<u32>,
    algorithm: Algorithm,
}

impl IssuedNonce {
    /// Records a counter; `None` if it is not accepted.
    fn count(&mut self, accepted: Counter, counter: u32) -> Option<()> {
        match accepted {
            Counter::Any => {}
            Counter::Unique if self.counters.contains(&counter) => return None,
            Counter::Unique => _ = self.counters.insert(counter),
            Counter::Rising if self.counters.last().is_some_and(|last| counter <= *last) || counter == 0 => {
                return None;
            }
            Counter::Rising => self.counters = BTreeSet::from([counter]),
        }
        Some(())
    }
}

impl Nonces {
    /// Returns the gateway that the next request reaches.
    pub(crate) fn gateway(&mut self, settings: &DigestSettings) -> Gateway {
        let gateway = self.next_gateway;
        self.next_gateway = Gateway(settings.known == NonceScope::OneOfTwoGateways && !gateway.0);
        gateway
    }

    /// Returns the `WWW-Authenticate` lines of a 401, each Digest one with a fresh nonce, and the cookie that belongs
    /// to them.
    pub(crate) fn challenges(
        &mut self,
        settings: &DigestSettings,
        now: Duration,
        gateway: Gateway,
        stale: bool,
    ) -> (Vec<String>, Option<String>) {
        let mut cookie = None;
        self.issued.retain(|_, nonce| now.saturating_sub(nonce.issued) <= settings.nonce_life);
        let mut lines = settings.other_challenges.clone();
        for &algorithm in &settings.algorithms {
            let nonce = random::nonce();
            lines.push(settings.form.challenge(&nonce, algorithm, stale));
            cookie = (settings.known == NonceScope::WithItsCookie).then(|| format!("{COOKIE}={nonce}"));
            self.issued
                .insert(nonce, IssuedNonce { issued: now, gateway, counters: BTreeSet::new(), algorithm });
        }
        (if settings.one_line { vec![lines.join(", ")] } else { lines }, cookie)
    }

    /// Drops the nonce that an Authorization header used.
    pub(crate) fn forget(&mut self, authorization: &str) {
        if let Some(nonce) = header::digest_parameters(authorization).and_then(|mut p| p.remove("nonce")) {
            self.issued.remove(&nonce);
        }
    }

    /// Returns the user name of a request whose Authorization header is valid.
    pub(crate) fn verify(
        &mut self,
        settings: &DigestSettings,
        now: Duration,
        line: RequestLine<'_>,
        authorization: &str,
        secret_of: impl Fn(&str) -> Option<String>,
    ) -> Result<String, Unauthenticated> {
        use Unauthenticated::{Malformed, Replayed, Stale, UnknownNonce, WrongKey};
        let RequestLine { method, target, cookies, gateway } = line;
        let parameters = header::digest_parameters(authorization).ok_or(Malformed)?;
        let get = |name: &str| parameters.get(name).map(String::as_str).ok_or(Malformed);

        let (user, nonce, uri, response) = (get("username")?, get("nonce")?, get("uri")?, get("response")?);
        let algorithm = match parameters.get("algorithm").map(String::as_str) {
            None => Algorithm::Md5,
            Some(name) => *settings
                .algorithms
                .iter()
                .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
                .ok_or(Malformed)?,
        };
        let with_qop = !matches!(settings.form, ChallengeForm::Seed | ChallengeForm::WithoutQop);
        if get("realm")? != REALM || uri != target || with_qop != parameters.contains_key("qop") {
            return Err(Malformed);
        }

        let secret = secret_of(user).ok_or(WrongKey)?;
        let who = algorithm.hash(&format!("{user}:{REALM}:{secret}"));
        let what = algorithm.hash(&format!("{method}:{uri}"));
        let mut counter = None;
        let expected = if with_qop {
            let (qop, nc, cnonce) = (get("qop")?, get("nc")?, get("cnonce")?);
            if qop != "auth" || nc.len() != 8 || cnonce.is_empty() {
                return Err(Malformed);
            }
            counter = Some(u32::from_str_radix(nc, 16).map_err(|_| Malformed)?);
            algorithm.hash(&format!("{who}:{nonce}:{nc}:{cnonce}:{qop}:{what}"))
        } else {
            algorithm.hash(&format!("{who}:{nonce}:{what}"))
        };
        if response != expected {
            return Err(WrongKey);
        }

        let unknown = if settings.unknown_is_stale { Stale } else { UnknownNonce };
        let cookie = format!("{COOKIE}={nonce}");
        if settings.known == NonceScope::WithItsCookie && !cookies.split(';').any(|one| one.trim() == cookie)
        {
            return Err(unknown);
        }
        let known = self.issued.get_mut(nonce).filter(|known| known.gateway == gateway).ok_or(unknown)?;
        if known.algorithm != algorithm {
            return Err(Malformed);
        }
        if now.saturating_sub(known.issued) > settings.nonce_life {
            self.issued.remove(nonce);
            return Err(Stale);
        }
        if let Some(counter) = counter {
            known.count(settings.counter, counter).ok_or(Replayed)?;
        }
        if settings.single_use {
            self.issued.remove(nonce);
        }
        Ok(user.to_owned())
    }
}

impl ChallengeForm {
    fn challenge(self, nonce: &str, algorithm: Algorithm, stale: bool) -> String {
        let name = algorithm.name();
        match self {
            Self::Recorded => format!(
                r#"Digest realm="{REALM}", domain="", nonce="{nonce}", algorithm={name}, qop="auth", stale={stale}"#
            ),
            Self::Seed => format!(
                r#"Digest realm="{REALM}", domain="", nonce="{nonce}", algorithm={name}, op="auth", stale={stale}"#
            ),
            Self::WithoutQop => {
                format!(
                    r#"Digest realm="{REALM}", domain="", nonce="{nonce}", algorithm={name}, stale={stale}"#
                )
            }
            Self::QopList => format!(
                r#"Digest realm="{REALM}", domain="", nonce="{nonce}", algorithm={name}, qop="auth,auth-int", stale={stale}"#
            ),
            Self::LowerCase => format!(
                r#"digest realm="{REALM}", domain="", nonce="{nonce}", algorithm={}, qop="auth", stale={stale}"#,
                name.to_lowercase()
            ),
            Self::UpperCase => format!(
                r#"DIGEST REALM="{REALM}", DOMAIN="", NONCE="{nonce}", ALGORITHM={name}, QOP="auth", STALE={}"#,
                stale.to_string().to_uppercase()
            ),
            Self::Spaced => format!(
                r#"Digest  realm = "{REALM}" ,  domain = "" , nonce = "{nonce}" , algorithm = {name} , qop = "auth" , stale = {stale}"#
            ),
            Self::Unquoted => format!(
                r#"Digest realm="{REALM}",domain="",nonce="{nonce}",algorithm="{name}",qop=auth,stale={stale}"#
            ),
            Self::Reversed => format!(
                r#"Digest stale={stale}, qop="auth", algorithm={name}, charset=UTF-8, rev="2", nonce="{nonce}", domain="", realm="{REALM}""#
            ),
        }
    }
}
