//! Responds to a Digest challenge (RFC 7616; RFC 2069 if the server offers no `qop`).
//!
//! `digest_auth` computes the response. Its parser is not used (see `www_authenticate`), and its `AuthContext` is neither
//! kept nor printed: its `Debug` shows the private key.

use data_encoding::HEXLOWER;
use digest_auth::{AuthContext, HttpMethod, WwwAuthenticateHeader};
use reqwest::header::HeaderValue;

use super::cookies::Cookies;
use super::credentials::Credentials;

/// The maximum number of responses to one challenge, long before its counter of eight hexadecimal digits overflows.
const MAX_NONCE_USES: u32 = 1_000_000;

/// A server's challenge, and how often the client responded to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Challenge {
    prompt: WwwAuthenticateHeader,
    /// The client's nonce where it may not change: RFC 7616 §3.4.2 makes a session's hash from the first one,
    /// some servers from the current one. Keeping it satisfies both.
    cnonce: Option<String>,
    /// The cookies that came with the challenge and are sent with its responses.
    pub(crate) cookies: Cookies,
}

impl Challenge {
    pub(crate) fn new(prompt: WwwAuthenticateHeader) -> Self {
        let cnonce = prompt.algorithm.sess.then(random_nonce).flatten();
        Self { prompt, cnonce, cookies: Cookies::default() }
    }

    /// Returns the server's nonce.
    pub(crate) fn nonce(&self) -> &str {
        &self.prompt.nonce
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn prompt(&self) -> &WwwAuthenticateHeader {
        &self.prompt
    }

    /// Returns whether the server rejected a nonce only for its age, not the key.
    pub(crate) fn is_stale(&self) -> bool {
        self.prompt.stale
    }

    /// Returns whether the challenge has had its last response.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.prompt.nc >= MAX_NONCE_USES
    }

    /// Returns the `Authorization` header for one request; `nc` rises with each. `target` is the request target as sent,
    /// with its query. `None` if the result is not a valid header value.
    pub(crate) fn respond(&mut self, key: &Credentials, method: &str, target: &str) -> Option<HeaderValue> {
        let cnonce = self.cnonce.clone().or_else(random_nonce)?;
        let mut context = AuthContext::new_with_method(
            key.id(),
            key.secret(),
            target,
            None::<&[u8]>,
            HttpMethod::from(method),
        );
        context.set_custom_cnonce(cnonce);
        let text = self.prompt.respond(&context).ok()?.to_string();
        let mut header = HeaderValue::from_bytes(text.as_bytes()).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

/// Returns 128 random bits; `None` if the system has none.
fn random_nonce() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(HEXLOWER.encode(&bytes))
}

#[cfg(test)]
mod tests {
    use super::super::www_authenticate::choose;
    use super::*;

    fn respond(challenge: &str, cnonce: Option<&str>, user: (&str, &str), target: &str) -> String {
        let mut challenge = choose([challenge]).unwrap();
        challenge.cnonce = cnonce.map(str::to_owned).or(challenge.cnonce);
        let key = Credentials::key(user.0, user.1).unwrap();
        challenge.respond(&key, "GET", target).unwrap().to_str().unwrap().to_owned()
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
        let md5 = respond(&rfc_7616_challenge("MD5"), Some(RFC_CNONCE), RFC_USER, "/dir/index.html");
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
        let sha = respond(&rfc_7616_challenge("SHA-256"), Some(RFC_CNONCE), RFC_USER, "/dir/index.html");
        assert!(
            sha.contains("response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\""),
            "{sha}"
        );
        assert!(sha.contains("algorithm=SHA-256"));
    }

    #[test]
    fn the_example_of_rfc_2617_comes_out_as_printed() {
        let header = respond(
            "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
            Some("0a4f113b"),
            ("Mufasa", "Circle Of Life"),
            "/dir/index.html",
        );
        assert!(header.contains("response=\"6629fae49393a05397450978507c4ef1\""), "{header}");
    }

    #[test]
    fn without_qop_the_response_has_the_form_of_rfc_2069() {
        // Checked with: printf 'u:r:p' | md5sum, printf 'GET:/x?pretty=true' | md5sum, and their join with the nonce.
        let header = respond("Digest realm=\"r\", nonce=\"n\"", Some("unused"), ("u", "p"), "/x?pretty=true");
        assert!(header.contains("response=\"d3551aaa720532819c68a747af9958e6\""), "{header}");
        assert!(!header.contains("qop") && !header.contains("nc=") && !header.contains("cnonce"), "{header}");
    }

    #[test]
    fn a_challenge_is_worn_after_a_million_responses() {
        let mut challenge = choose([rfc_7616_challenge("MD5").as_str()]).unwrap();
        challenge.prompt.nc = MAX_NONCE_USES - 1;
        assert!(!challenge.is_exhausted());
        challenge.respond(&Credentials::key("u", "p").unwrap(), "GET", "/").unwrap();
        assert!(challenge.is_exhausted());
    }

    #[test]
    fn a_session_keeps_its_client_nonce_and_other_responses_do_not() {
        let cnonces = |algorithm: &str| {
            let mut challenge = choose([rfc_7616_challenge(algorithm).as_str()]).unwrap();
            let key = Credentials::key("u", "p").unwrap();
            [1, 2].map(|n| {
                let header = challenge.respond(&key, "GET", "/").unwrap().to_str().unwrap().to_owned();
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
        let header = challenge.respond(&Credentials::key("user", "hunter2").unwrap(), "POST", "/").unwrap();
        assert!(header.is_sensitive());
        assert_eq!(format!("{header:?}"), "Sensitive");
    }

    #[test]
    fn quotes_in_names_are_escaped() {
        let header = respond("Digest realm=\"a \\\"b\\\" \\\\ c\", nonce=\"n\"", None, ("u\"x", "p"), "/");
        assert!(header.contains(r#"realm="a \"b\" \\ c""#), "{header}");
        assert!(header.contains(r#"username="u\"x""#), "{header}");
    }
}
