//! Parses `WWW-Authenticate` and chooses the one challenge that the client can respond to.
//!
//! Liberal in what it reads (RFC 9110 §11.6.1 leaves the grammar ambiguous, and servers deviate further): any order, case
//! and spacing, quoted or not, missing commas, several challenges in one or several lines. Strict in what it accepts:
//! Digest with a known algorithm, never Basic. It never panics and never allocates more than its input.
//!
//! Why not a crate: `digest_auth::parse` counts characters and slices bytes, so that a header that is not ASCII can panic,
//! and takes no list of challenges. `http_auth::ChallengeParser` 0.1.10 reads the header recorded from Atlas and the forms
//! of RFC 7616, but fails 9 of the 43 rows of our table (`headers_as_servers_write_them_are_read`): a tab after the scheme,
//! missing or doubled commas, an unquoted realm with a space, an open quote, an `=` alone, text that is not ASCII, and
//! `Negotiate` with data. No recording has one of these. They stay because one such challenge of a proxy hides the
//! Digest challenge behind it, and then the operator cannot authenticate at all.

use std::fmt;

use digest_auth::{Algorithm, AlgorithmType, Charset, Qop, WwwAuthenticateHeader};

use super::digest::Challenge;

/// The maximum length of a header line; a longer one is ignored. Real ones have some 200 bytes.
const MAX_LINE: usize = 8 * 1024;

/// Why the client can respond to none of the challenges. Holds text of the server: redact it before it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChallengeError {
    /// There was no challenge at all.
    None,
    /// The expected scheme, named first, was not offered: only these were.
    Schemes(&'static str, Vec<String>),
    /// Digest with an algorithm that is not known.
    Algorithm(String),
    /// Digest with an unsupported quality of protection (`auth-int`).
    Protection(String),
    /// Digest without a realm or nonce.
    Incomplete(&'static str),
    /// Digest with bytes that are not UTF-8: no standard says how they are hashed.
    NotText,
}

impl fmt::Display for ChallengeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no authentication challenge was sent"),
            Self::Schemes(missing, schemes) => {
                write!(f, "{missing} is not offered, only {}", schemes.join(", "))
            }
            Self::Algorithm(name) => write!(f, "the Digest algorithm {name} is not known"),
            Self::Protection(qop) => write!(f, "the Digest protection {qop} is not supported"),
            Self::Incomplete(field) => write!(f, "the Digest challenge has no {field}"),
            Self::NotText => f.write_str("the Digest challenge has bytes that are not UTF-8"),
        }
    }
}

/// Returns the first usable challenge in `lines`: the server lists them by preference (RFC 7616 §3.7).
///
/// # Errors
/// Why the first Digest challenge is not usable, else the schemes that were offered instead.
pub(crate) fn choose<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Challenge, ChallengeError> {
    let offers = offers(lines);
    let mut refusal = None;
    for offer in offers.iter().filter(|offer| offer.scheme.eq_ignore_ascii_case("digest")) {
        match offer.challenge() {
            Ok(challenge) => return Ok(challenge),
            Err(reason) => refusal = refusal.or(Some(reason)),
        }
    }
    Err(refusal.unwrap_or_else(|| {
        if offers.is_empty() {
            ChallengeError::None
        } else {
            ChallengeError::Schemes("Digest", named(offers))
        }
    }))
}

/// Returns the schemes of the first challenges in `lines`.
pub(crate) fn schemes<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    named(offers(lines))
}

fn named(offers: Vec<RawChallenge>) -> Vec<String> {
    offers.into_iter().map(|offer| offer.scheme).take(4).collect()
}

fn offers<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<RawChallenge> {
    lines.into_iter().filter(|line| line.len() <= MAX_LINE).flat_map(split).collect()
}

/// One challenge as it was written: scheme, and parameters with lower-case names.
#[derive(Debug, Default, PartialEq, Eq)]
struct RawChallenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl RawChallenge {
    fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns Digest's parameters, as `digest_auth` expects them. `domain`, `charset`, `userhash` and unknown ones are
    /// left out: they change nothing in a response, and the library fails on some of their values.
    fn challenge(&self) -> Result<Challenge, ChallengeError> {
        let realm = self.get("realm").ok_or(ChallengeError::Incomplete("realm"))?;
        let nonce =
            self.get("nonce").filter(|nonce| !nonce.is_empty()).ok_or(ChallengeError::Incomplete("nonce"))?;
        if [Some(realm), Some(nonce), self.get("opaque")]
            .into_iter()
            .flatten()
            .any(|it| it.contains('\u{fffd}'))
        {
            return Err(ChallengeError::NotText);
        }
        let algorithm = algorithm(self.get("algorithm").unwrap_or_default())?;
        let qop = protection(self.get("qop").unwrap_or_default())?;
        if algorithm.sess && qop.is_none() {
            // The response without qop carries no cnonce, from which a session's hash is made.
            return Err(ChallengeError::Protection("none with a session algorithm".to_owned()));
        }
        Ok(Challenge::new(WwwAuthenticateHeader {
            domain: None,
            realm: realm.to_owned(),
            nonce: nonce.to_owned(),
            opaque: self.get("opaque").map(str::to_owned),
            stale: self.get("stale").is_some_and(|value| value.eq_ignore_ascii_case("true")),
            algorithm,
            qop: qop.map(|qop| vec![qop]),
            userhash: false,
            charset: Charset::ASCII,
            nc: 0,
        }))
    }
}

fn algorithm(name: &str) -> Result<Algorithm, ChallengeError> {
    let lower = name.to_ascii_lowercase();
    let (base, sess) = lower.strip_suffix("-sess").map_or((lower.as_str(), false), |base| (base, true));
    let algorithm = match base {
        // RFC 7616 §3.3: MD5 is the default.
        "" if !sess => AlgorithmType::MD5,
        "md5" => AlgorithmType::MD5,
        "sha-256" => AlgorithmType::SHA2_256,
        "sha-512-256" => AlgorithmType::SHA2_512_256,
        _ => return Err(ChallengeError::Algorithm(name.to_owned())),
    };
    Ok(Algorithm::new(algorithm, sess))
}

/// Returns `auth` if it is among the options, nothing (RFC 2069) if there are no options.
fn protection(options: &str) -> Result<Option<Qop>, ChallengeError> {
    let mut options_left = options.split([',', ' ', '\t']).filter(|option| !option.is_empty()).peekable();
    if options_left.peek().is_none() {
        Ok(None)
    } else if options_left.any(|option| option.eq_ignore_ascii_case("auth")) {
        Ok(Some(Qop::AUTH))
    } else {
        Err(ChallengeError::Protection(options.to_owned()))
    }
}

/// Cuts a header line into challenges. A word before `=` is a parameter of the current challenge, any other word begins
/// a challenge.
fn split(line: &str) -> Vec<RawChallenge> {
    let mut offers: Vec<RawChallenge> = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return offers;
        }
        let (word, after) = word(rest);
        if word.is_empty() {
            // A quote or an equals sign in place of a word is skipped.
            rest = if rest.starts_with('"') { quoted(rest).1 } else { after_first(rest) };
        } else if let Some(value_on) = after.trim_start_matches([' ', '\t']).strip_prefix('=') {
            let (value, behind) = value(value_on.trim_start_matches([' ', '\t']));
            if let Some(offer) = offers.last_mut() {
                let name = word.to_ascii_lowercase();
                if offer.get(&name).is_none() {
                    offer.parameters.push((name, value));
                }
            }
            rest = behind;
        } else {
            offers.push(RawChallenge { scheme: word.to_owned(), parameters: Vec::new() });
            rest = after;
        }
    }
}

/// Returns the text up to white space, `,`, `=` or `"`, and the rest.
fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find([' ', '\t', ',', '=', '"']).unwrap_or(text.len()))
}

fn after_first(text: &str) -> &str {
    let mut characters = text.chars();
    characters.next();
    characters.as_str()
}

/// Returns a parameter's value, quoted or not, and the rest.
fn value(text: &str) -> (String, &str) {
    if text.starts_with('"') {
        return quoted(text);
    }
    // Unquoted, it ends at a comma; at white space only if a parameter follows (`realm=My Realm, nonce=…`).
    let mut end = 0;
    loop {
        end += text[end..].find([',', ' ', '\t']).unwrap_or(text.len() - end);
        let behind = text[end..].trim_start_matches([' ', '\t']);
        let (next, after) = word(behind);
        // End of text, a comma, or a parameter.
        if next.is_empty() || after.trim_start_matches([' ', '\t']).starts_with('=') {
            break;
        }
        end = text.len() - behind.len();
    }
    let (value, behind) = text.split_at(end);
    (value.to_owned(), behind)
}

/// Returns a quoted string without its quotes and escapes, and the rest; the end of the text also ends it.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.chars();
    characters.next();
    while let Some(c) = characters.next() {
        match c {
            '"' => break,
            '\\' => value.extend(characters.next()),
            _ => value.push(c),
        }
    }
    (value, characters.as_str())
}

#[cfg(test)]
#[path = "www_authenticate_tests.rs"]
mod tests;
