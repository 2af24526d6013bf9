//! Answering a Digest challenge (RFC 7616; RFC 2069 where the server offers no `qop`).
//!
//! The server's words are bytes here, whatever text they are: it hashes them as it wrote them, and finds them again in the
//! answer. What is hashed together is neither kept nor printed.

use std::fmt;

use data_encoding::HEXLOWER;
use md5::Md5;
use reqwest::header::HeaderValue;
use sha2::{Digest as _, Sha256, Sha512_256};

use super::cookies::Cookies;
use super::credentials::Credentials;

/// A challenge is given up after so many answers, long before its counter of eight hexadecimal digits ends.
const MOST_ANSWERS: u32 = 1_000_000;

/// How an answer is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Md5,
    Sha256,
    Sha512_256,
}

/// What a server asks to be proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prompt {
    pub(super) realm: Vec<u8>,
    pub(super) nonce: Vec<u8>,
    pub(super) opaque: Option<Vec<u8>>,
    pub(super) hash: Hash,
    /// The hash covers the client's nonce, as the `-sess` algorithms have it.
    pub(super) is_session: bool,
    /// `qop=auth` is offered, so the answer carries a count and a nonce of the client.
    pub(super) has_qop: bool,
    /// A nonce was refused only for its age, not the key.
    pub(super) is_stale: bool,
}

/// A server's challenge, and how often it was answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Challenge {
    prompt: Prompt,
    /// How often it was answered.
    count: u32,
    /// The client's nonce where it may not change: RFC 7616 §3.4.2 makes a session's hash from the first one,
    /// some servers from the current one. Keeping it satisfies both.
    cnonce: Option<String>,
    /// What came with it and goes with its answers.
    pub(super) cookies: Cookies,
}

impl Challenge {
    pub(super) fn new(prompt: Prompt) -> Self {
        let cnonce = prompt.is_session.then(random_nonce).flatten();
        Self { prompt, count: 0, cnonce, cookies: Cookies::default() }
    }

    /// The server's nonce.
    pub(super) fn nonce(&self) -> &[u8] {
        &self.prompt.nonce
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    /// The server refused a nonce only for its age, not the key.
    pub(super) fn is_stale(&self) -> bool {
        self.prompt.is_stale
    }

    /// Whether it may be answered once more.
    pub(super) fn is_worn(&self) -> bool {
        self.count >= MOST_ANSWERS
    }

    /// The `Authorization` header for one request; `nc` rises with each. `target` is the request target as sent,
    /// query included. `None` if it cannot stand in a header.
    pub(super) fn answer(&mut self, key: &Credentials, method: &str, target: &str) -> Option<HeaderValue> {
        let cnonce = self.cnonce.clone().or_else(random_nonce)?;
        self.count = self.count.saturating_add(1);
        let mut header = HeaderValue::from_bytes(&self.proof(key, method, target, &cnonce)).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    fn proof(&self, key: &Credentials, method: &str, target: &str, cnonce: &str) -> Vec<u8> {
        let Prompt { realm, nonce, opaque, hash, is_session, has_qop, .. } = &self.prompt;
        let (id, secret, target, cnonce) =
            (key.id().as_bytes(), key.secret().as_bytes(), target.as_bytes(), cnonce.as_bytes());
        let count = format!("{:08x}", self.count);
        let mut user = hash.of(&[id, realm, secret]);
        if *is_session {
            user = hash.of(&[user.as_bytes(), nonce, cnonce]);
        }
        let request = hash.of(&[method.as_bytes(), target]);
        let response = if *has_qop {
            hash.of(&[user.as_bytes(), nonce, count.as_bytes(), cnonce, b"auth", request.as_bytes()])
        } else {
            hash.of(&[user.as_bytes(), nonce, request.as_bytes()])
        };
        let mut fields = vec![
            quoted("username", id),
            quoted("realm", realm),
            quoted("nonce", nonce),
            quoted("uri", target),
        ];
        if *has_qop {
            fields.extend([
                b"qop=auth".to_vec(),
                format!("nc={count}").into_bytes(),
                quoted("cnonce", cnonce),
            ]);
        }
        fields.push(quoted("response", response.as_bytes()));
        fields.extend(opaque.as_deref().map(|opaque| quoted("opaque", opaque)));
        // MD5 need not be named, and RFC 2069 knows no names.
        if *has_qop || *hash != Hash::Md5 {
            let session = if *is_session { "-sess" } else { "" };
            fields.push(format!("algorithm={hash}{session}").into_bytes());
        }
        [b"Digest ", &fields.join(&b", "[..])[..]].concat()
    }
}

impl Hash {
    /// Over the parts, joined by colons, in hexadecimal digits.
    fn of(self, parts: &[&[u8]]) -> String {
        let text = parts.join(&b":"[..]);
        match self {
            Self::Md5 => HEXLOWER.encode(&Md5::digest(text)),
            Self::Sha256 => HEXLOWER.encode(&Sha256::digest(text)),
            Self::Sha512_256 => HEXLOWER.encode(&Sha512_256::digest(text)),
        }
    }
}

/// The name as it stands in headers.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512_256 => "SHA-512-256",
        })
    }
}

/// `name="value"`, with the quotes and backslashes of the value escaped.
fn quoted(name: &str, value: &[u8]) -> Vec<u8> {
    let mut field = format!("{name}=\"").into_bytes();
    for byte in value {
        if matches!(byte, b'"' | b'\\') {
            field.push(b'\\');
        }
        field.push(*byte);
    }
    field.push(b'"');
    field
}

/// 128 random bits; `None` if the system has none to give.
fn random_nonce() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(HEXLOWER.encode(&bytes))
}

#[cfg(test)]
mod tests {
    use super::super::www_authenticate::choose;
    use super::*;

    fn answer(challenge: &str, cnonce: Option<&str>, user: (&str, &str), target: &str) -> String {
        let mut challenge = choose([challenge]).unwrap();
        challenge.cnonce = cnonce.map(str::to_owned).or(challenge.cnonce);
        let key = Credentials::key(user.0, user.1).unwrap();
        let header = challenge.answer(&key, "GET", target).unwrap();
        String::from_utf8(header.as_bytes().to_vec()).unwrap()
    }

    const RFC_CNONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
    const RFC_USER: (&str, &str) = ("Mufasa", "Circle of Life");

    fn rfc_7616_challenge(algorithm: &str) -> String {
        format!(
            "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
             nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        )
    }

    #[test]
    fn the_examples_of_rfc_7616_section_3_9_1_come_out_as_printed() {
        let md5 = answer(&rfc_7616_challenge("MD5"), Some(RFC_CNONCE), RFC_USER, "/dir/index.html");
        assert!(md5.contains("response=\"8ca523f5e9506fed4657c9700eebdbec\""), "{md5}");
        for part in [
            "username=\"Mufasa\"",
            "uri=\"/dir/index.html\"",
            "algorithm=MD5",
            "nc=00000001",
            "qop=auth",
            "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
        ] {
            assert!(md5.contains(part), "{part} in {md5}");
        }
        let sha = answer(&rfc_7616_challenge("SHA-256"), Some(RFC_CNONCE), RFC_USER, "/dir/index.html");
        assert!(
            sha.contains("response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\""),
            "{sha}"
        );
        assert!(sha.contains("algorithm=SHA-256"));
    }

    #[test]
    fn the_example_of_rfc_2617_comes_out_as_printed() {
        let header = answer(
            "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
            Some("0a4f113b"),
            ("Mufasa", "Circle Of Life"),
            "/dir/index.html",
        );
        assert!(header.contains("response=\"6629fae49393a05397450978507c4ef1\""), "{header}");
    }

    #[test]
    fn without_qop_the_answer_has_the_form_of_rfc_2069() {
        // Checked with: printf 'u:r:p' | md5sum, printf 'GET:/x?pretty=true' | md5sum, and their join with the nonce.
        let header = answer("Digest realm=\"r\", nonce=\"n\"", Some("unused"), ("u", "p"), "/x?pretty=true");
        assert!(header.contains("response=\"d3551aaa720532819c68a747af9958e6\""), "{header}");
        assert!(!header.contains("qop") && !header.contains("nc=") && !header.contains("cnonce"), "{header}");
    }

    #[test]
    fn a_challenge_is_worn_after_a_million_answers() {
        let mut challenge = choose([rfc_7616_challenge("MD5").as_str()]).unwrap();
        challenge.count = MOST_ANSWERS - 1;
        assert!(!challenge.is_worn());
        challenge.answer(&Credentials::key("u", "p").unwrap(), "GET", "/").unwrap();
        assert!(challenge.is_worn());
    }

    #[test]
    fn a_session_keeps_its_client_nonce_and_other_answers_do_not() {
        let cnonces = |algorithm: &str| {
            let mut challenge = choose([rfc_7616_challenge(algorithm).as_str()]).unwrap();
            let key = Credentials::key("u", "p").unwrap();
            [1, 2].map(|n| {
                let header = challenge.answer(&key, "GET", "/").unwrap().to_str().unwrap().to_owned();
                assert!(header.contains(&format!("nc=0000000{n}")), "{header}");
                header.split("cnonce=\"").nth(1).unwrap()[..32].to_owned()
            })
        };
        let [first, second] = cnonces("MD5-sess");
        assert_eq!(first, second);
        let [first, second] = cnonces("MD5");
        assert_ne!(first, second);
    }

    #[test]
    fn the_header_is_marked_so_that_no_log_shows_it() {
        let mut challenge = choose(["Digest realm=\"r\", nonce=\"n\", qop=\"auth\""]).unwrap();
        let header = challenge.answer(&Credentials::key("user", "hunter2").unwrap(), "POST", "/").unwrap();
        assert!(header.is_sensitive());
        assert_eq!(format!("{header:?}"), "Sensitive");
    }

    #[test]
    fn words_of_the_server_are_hashed_and_sent_as_the_bytes_that_they_are() {
        // printf 'u:J\xfcrgen:p' | md5sum and so on; what UTF-8 would make of the name comes out otherwise.
        let mut challenge = choose([&b"Digest realm=\"J\xfcrgen\", nonce=\"n\""[..]]).unwrap();
        let header = challenge.answer(&Credentials::key("u", "p").unwrap(), "GET", "/").unwrap();
        let user = HEXLOWER.encode(&Md5::digest(b"u:J\xfcrgen:p"));
        let request = HEXLOWER.encode(&Md5::digest(b"GET:/"));
        let response = HEXLOWER.encode(&Md5::digest(format!("{user}:n:{request}")));
        let expected = [
            &b"Digest username=\"u\", realm=\"J\xfcrgen\", nonce=\"n\", uri=\"/\", response=\""[..],
            response.as_bytes(),
            b"\"",
        ];
        assert_eq!(header.as_bytes(), expected.concat());
    }

    #[test]
    fn an_independent_library_answers_alike() {
        for offer in [
            "qop=\"auth\", algorithm=MD5, opaque=\"o\"",
            "algorithm=SHA-256",
            "qop=\"auth\", algorithm=SHA-512-256",
            "qop=\"auth\", algorithm=MD5-sess",
            "qop=\"auth\", algorithm=SHA-256-sess",
        ] {
            let line = format!("Digest realm=\"r \\\"x\\\"\", nonce=\"n\", {offer}");
            let mut theirs = digest_auth::parse(&line).unwrap();
            let target = "/x?a=b";
            let mut context = digest_auth::AuthContext::new("u", "p", target);
            context.set_custom_cnonce("c");
            let ours = answer(&line, Some("c"), ("u", "p"), target);
            assert_eq!(ours, theirs.respond(&context).unwrap().to_string(), "{offer}");
        }
    }

    #[test]
    fn quotes_in_names_are_escaped() {
        let header = answer("Digest realm=\"a \\\"b\\\" \\\\ c\", nonce=\"n\"", None, ("u\"x", "p"), "/");
        assert!(header.contains(r#"realm="a \"b\" \\ c""#), "{header}");
        assert!(header.contains(r#"username="u\"x""#), "{header}");
    }
}
