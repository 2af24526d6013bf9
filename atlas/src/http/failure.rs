//! Describes why there is no connection, or why it broke, in a text that stays the same for as long as the cause does.
//!
//! Messages of TLS and sockets name types of their libraries and count seconds; conditions need neither. A remedy is
//! given only where it can help: an expired certificate is not helped by another authority.

use std::error::Error;
use std::io;

use rustls::CertificateError;

/// The server and the proxy before it: host and port each, as messages name them.
pub(crate) struct Destination {
    pub(crate) host: String,
    pub(crate) proxy: Option<String>,
}

/// Why there is no connection.
pub(crate) struct ConnectFailure {
    /// The problem, without text of the system.
    pub(crate) problem: String,
    /// The system's own message.
    pub(crate) detail: String,
    /// What a person can do about it, if anything but wait.
    pub(crate) remedy: Option<String>,
}

impl Destination {
    /// Returns what is wrong, and what a person can do about it.
    pub(crate) fn connect_failure(&self, error: &reqwest::Error) -> ConnectFailure {
        let Self { host, proxy } = self;
        if let Some(error) = find::<rustls::Error>(error) {
            let (what, remedy) = tls(error, host);
            let way = proxy.as_ref().map(|proxy| format!(" through the proxy {proxy}")).unwrap_or_default();
            let problem = format!("no trusted connection to {host}{way}: {what}");
            return ConnectFailure { problem, detail: String::new(), remedy };
        }
        if let Some((proxy, refusal)) = proxy.as_ref().zip(tunnel_refusal(error)) {
            let problem = format!("the proxy {proxy} made no tunnel to {host}: {refusal}");
            let remedy = Some(format!("allow {host} in the proxy, or correct --atlas-proxy"));
            return ConnectFailure { problem, detail: String::new(), remedy };
        }
        let detail = socket(error);
        match proxy {
            Some(proxy) => ConnectFailure {
                problem: format!("no connection to the proxy {proxy}"),
                detail,
                remedy: Some("check --atlas-proxy, the proxy and the network policy".to_owned()),
            },
            None => ConnectFailure { problem: format!("no connection to {host}"), detail, remedy: None },
        }
    }

    /// Describes how an established connection broke: our text, and the system's.
    pub(crate) fn interrupted(&self, error: &reqwest::Error) -> (String, String) {
        let what = match find::<hyper::Error>(error) {
            Some(error) if error.is_incomplete_message() => "it was closed".to_owned(),
            Some(error) if error.is_parse_too_large() => "the head of the response is too large".to_owned(),
            Some(error) if error.is_parse() => "what came is no HTTP response".to_owned(),
            _ => socket(error),
        };
        (format!("the connection to {} broke before there was a response", self.host), what)
    }
}

/// Describes a TLS failure, and its remedy.
fn tls(error: &rustls::Error, host: &str) -> (String, Option<String>) {
    let authority = "if it is signed by a private authority, give that with --atlas-ca-file; else something \
                     between the operator and Atlas intercepts the connection";
    let (what, remedy) = match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
                "the server's certificate has expired",
                "renew the certificate, or set the clock of this node right",
            ),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                ("the server's certificate is not valid yet", "set the clock of this node right, or wait")
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                let what = format!("the server's certificate is not valid for name {host}");
                return (
                    what,
                    Some("check the base URL, and which server listens at its address".to_owned()),
                );
            }
            CertificateError::UnknownIssuer => (
                "the server's certificate is signed by an authority that is not trusted (unknown issuer)",
                authority,
            ),
            CertificateError::BadSignature => (
                "the server's certificate is not signed by the authority that it names (bad signature)",
                authority,
            ),
            CertificateError::Revoked => ("the server's certificate is revoked", "renew the certificate"),
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => (
                "the server's certificate is not meant for servers",
                "give the server a certificate for server authentication",
            ),
            // The library does not export this error's name.
            other if format!("{other:?}").contains("CaUsedAsEndEntity") => (
                "the server shows the certificate of an authority as its own",
                "give the server a certificate of its own, signed by that authority",
            ),
            _ => ("the server's certificate cannot be used", "check the certificate of the server"),
        },
        rustls::Error::NoCertificatesPresented => {
            ("the server shows no certificate", "check the base URL, and which server listens at its address")
        }
        rustls::Error::InvalidMessage(_) | rustls::Error::InappropriateMessage { .. } => {
            ("the server does not speak TLS", "check scheme and port of the base URL")
        }
        rustls::Error::PeerIncompatible(_) => (
            "the server offers no version or cipher of TLS that is in use here",
            "let the server offer TLS 1.2 or 1.3",
        ),
        rustls::Error::AlertReceived(alert) => {
            let what = format!("the server ended the TLS handshake ({})", spaced(&format!("{alert:?}")));
            return (what, Some("check the base URL, and which server listens at its address".to_owned()));
        }
        _ => return ("the TLS handshake failed".to_owned(), None),
    };
    (what.to_owned(), Some(remedy.to_owned()))
}

/// Returns `HandshakeFailure` as "handshake failure".
fn spaced(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.fold(String::new(), |mut text, c| {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.push(c.to_ascii_lowercase());
        text
    })
}

/// Returns the response of a proxy that refused a tunnel.
fn tunnel_refusal(error: &reqwest::Error) -> Option<&'static str> {
    let text = chain(error).map(ToString::to_string).find(|text| text.starts_with("tunnel error"))?;
    match text.as_str() {
        text if text.contains("authorization required") => {
            Some("it wants a user and a password (407 Proxy Authentication Required)")
        }
        text if text.contains("unsuccessful") => Some("it refused the request (CONNECT)"),
        text if text.contains("end of file") => Some("it closed the connection"),
        text if text.contains("too long") => Some("its response is too long"),
        // The connection to the proxy itself failed.
        _ => None,
    }
}

/// Returns a system's message without its number, which adds nothing.
fn socket(error: &reqwest::Error) -> String {
    if let Some(error) = find::<io::Error>(error).filter(|error| error.raw_os_error().is_some()) {
        let text = error.to_string();
        return text.split(" (os error").next().unwrap_or(&text).to_owned();
    }
    if error.is_timeout() {
        return "it was not made in time".to_owned();
    }
    root_cause(error).to_string()
}

/// Returns the innermost error; the outer ones repeat the URL.
pub(crate) fn root_cause<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    chain(error).last().unwrap_or(error)
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| <dyn Error>::source(*error))
}

/// Returns the innermost error of this type. An [`io::Error`] does not count what it wraps among its sources.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut found = None;
    let mut next = Some(error);
    while let Some(error) = next {
        found = error.downcast_ref::<T>().or(found);
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    found
}
