//! Keeps cookies as far as a balancer needs them: it sends a request to the gateway that issued the nonce.
//!
//! They are stored with the one challenge that they came with, so no credentials ever carry the cookies of others, and
//! none outlives its challenge. There is one host, so `Domain` is ignored. Never printed: with a cookie, a client can
//! impersonate its owner.

use std::fmt;
use std::time::SystemTime;

use reqwest::header::HeaderValue;

/// The maximum size of all stored names and values; cookies beyond it are dropped.
const MAX_BYTES: usize = 8 * 1024;

/// The maximum number of stored cookies.
const MAX_COOKIES: usize = 16;

/// The cookies that a server set.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Cookies(Vec<Cookie>);

#[derive(Clone, PartialEq, Eq)]
struct Cookie {
    name: Vec<u8>,
    value: Vec<u8>,
    /// Requests below this path carry the cookie.
    path: Vec<u8>,
}

impl Cookies {
    /// Reads the `Set-Cookie` lines of the response to a request for `path`. Of several with one name and path the last
    /// counts.
    pub(crate) fn receive<'a>(
        &mut self,
        lines: impl IntoIterator<Item = &'a [u8]>,
        path: &str,
        now: SystemTime,
    ) {
        for (cookie, is_over) in lines.into_iter().filter_map(|line| read(line, path, now)) {
            self.0.retain(|other| (&other.name, &other.path) != (&cookie.name, &cookie.path));
            if !is_over && self.0.len() < MAX_COOKIES && self.bytes() + cookie.bytes() <= MAX_BYTES {
                self.0.push(cookie);
            }
        }
    }

    /// Returns the `Cookie` header of a request for `path`.
    pub(crate) fn header(&self, path: &str) -> Option<HeaderValue> {
        let pairs: Vec<Vec<u8>> = self
            .0
            .iter()
            .filter(|cookie| cookie.is_for(path))
            .map(|cookie| [&cookie.name[..], b"=", &cookie.value].concat())
            .collect();
        if pairs.is_empty() {
            return None;
        }
        let mut header = HeaderValue::from_bytes(&pairs.join(&b"; "[..])).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(Cookie::bytes).sum()
    }
}

impl Cookie {
    fn bytes(&self) -> usize {
        self.name.len() + self.value.len() + self.path.len()
    }

    /// RFC 6265 §5.1.4.
    fn is_for(&self, path: &str) -> bool {
        path.as_bytes()
            .strip_prefix(&self.path[..])
            .is_some_and(|rest| self.path.ends_with(b"/") || rest.is_empty() || rest.starts_with(b"/"))
    }
}

/// Prints the number of cookies alone: their values give away a session.
impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cookies({})", self.0.len())
    }
}

/// Reads one `Set-Cookie` line (RFC 6265 §5.2), and whether it deletes the cookie.
fn read(line: &[u8], request_path: &str, now: SystemTime) -> Option<(Cookie, bool)> {
    let mut parts = line.split(|b| *b == b';').map(<[u8]>::trim_ascii);
    let (name, value) = pair(parts.next()?);
    if name.is_empty() || [name, value].concat().iter().any(u8::is_ascii_control) {
        return None;
    }
    let (mut path, mut max_age, mut expires) = (None, None, None);
    for part in parts {
        let (attribute, value) = pair(part);
        let text = || std::str::from_utf8(value).ok();
        match attribute.to_ascii_lowercase().as_slice() {
            b"path" if value.starts_with(b"/") => path = Some(value.to_vec()),
            b"max-age" => max_age = text().and_then(|seconds| seconds.parse::<i64>().ok()),
            b"expires" => expires = text().and_then(|date| httpdate::parse_http_date(date).ok()),
            _ => {}
        }
    }
    let is_over = match max_age {
        Some(seconds) => seconds <= 0,
        None => expires.is_some_and(|time| time <= now),
    };
    let path = path.unwrap_or_else(|| folder(request_path).as_bytes().to_vec());
    Some((Cookie { name: name.to_vec(), value: value.to_vec(), path }, is_over))
}

/// Splits at the first `=`.
fn pair(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|b| *b == b'=') {
        Some(at) => (text[..at].trim_ascii(), text[at + 1..].trim_ascii()),
        None => (text, &[]),
    }
}

/// Returns the path without its last segment.
fn folder(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(at) => &path[..at],
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_hours(500_000)
    }

    fn jar(lines: &[&str]) -> Cookies {
        let mut cookies = Cookies::default();
        cookies.receive(lines.iter().map(|line| line.as_bytes()), "/api/groups/1", now());
        cookies
    }

    fn sent(cookies: &Cookies, path: &str) -> String {
        cookies.header(path).map_or_else(String::new, |header| header.to_str().unwrap().to_owned())
    }

    #[test]
    fn cookies_go_where_their_path_leads() {
        let lines = ["A=1; Path=/", "B=2;path=/api/groups ; HttpOnly; Secure", "C=3", "D=4; Path=/other"];
        let cookies = jar(&lines);
        assert_eq!(sent(&cookies, "/api/groups/1"), "A=1; B=2; C=3");
        assert_eq!(sent(&cookies, "/api/groups2"), "A=1");
        assert_eq!(sent(&cookies, "/other"), "A=1; D=4");
        assert_eq!(sent(&Cookies::default(), "/"), "");
    }

    #[test]
    fn the_last_of_a_name_counts_and_one_that_is_over_takes_it_away() {
        assert_eq!(sent(&jar(&["A=1; Path=/", "A=2; Path=/"]), "/x"), "A=2");
        for over in ["Max-Age=0", "max-age=-1", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"] {
            assert_eq!(sent(&jar(&["A=1; Path=/", &format!("A=; Path=/; {over}")]), "/x"), "", "{over}");
        }
        assert_eq!(
            sent(&jar(&["A=1; Path=/; Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]), "/"),
            "A=1"
        );
    }

    #[test]
    fn what_cannot_be_sent_back_is_not_kept_and_neither_is_too_much() {
        assert_eq!(jar(&["", "=1", ";", "a\u{1}b=1", "A=\u{7f}"]), Cookies::default());
        let large = format!("A={}; Path=/", "x".repeat(MAX_BYTES));
        assert_eq!(jar(&[&large]), Cookies::default());
        let many: Vec<String> = (0..100).map(|n| format!("A{n}=1; Path=/")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(jar(&many).0.len(), MAX_COOKIES);
    }

    #[test]
    fn no_output_shows_a_cookie() {
        let cookies = jar(&["A=secret; Path=/"]);
        assert_eq!(format!("{cookies:?} {:?}", cookies.header("/").unwrap()), "Cookies(1) Sensitive");
    }
}
