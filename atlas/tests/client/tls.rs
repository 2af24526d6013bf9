//! The servers that the client trusts: by the compiled-in authorities and the given ones, for the right host, at the
//! right time.

use std::sync::Arc;

use atlas::{AtlasError, Authorities, Client, ClientSettings, Outcome, Transport, WriteResult};
use domain::fault::FaultKind;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::script::*;

/// A private certificate authority.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

/// A server whose certificate `authority` has signed for `host`.
fn server(
    authority: &CertifiedIssuer<'static, KeyPair>,
    host: &str,
    adjust: impl FnOnce(&mut CertificateParams),
) -> Script {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(vec![host.to_owned()]).unwrap();
    adjust(&mut parameters);
    serving(&parameters.signed_by(&key, authority).unwrap(), &key)
}

/// A server that presents this certificate.
fn serving(certificate: &Certificate, key: &KeyPair) -> Script {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    Script::start_tls(Arc::new(config), |request| {
        if request.header("authorization").is_none() { challenged() } else { json(200, "[]") }
    })
}

/// Returns the error of a call to a server that must not be trusted: nothing was sent, and a create is definitely
/// refused.
async fn distrust(server: &Script, trusted: Option<&CertifiedIssuer<'static, KeyPair>>) -> AtlasError {
    let (client, _) =
        server.client_with(|settings| settings.extra_roots = trusted.map(|ca| ca.pem().into_bytes()));
    assert!(matches!(client.create(&instance(), "c", || true).await, WriteResult::Refused(_)));
    let error = client.list(&instance()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (FaultKind::Unavailable, Outcome::Unreachable));
    // What libraries call a type, and how many seconds have passed, is in no message.
    let text = error.to_string();
    assert!(!text.contains("UNIX") && !text.contains("seconds") && !text.contains("Error"), "{text}");
    let again = client.list(&instance()).await.unwrap_err();
    assert_eq!(again.to_string(), text);
    assert!(server.seen().is_empty(), "a request was sent to a server that is not trusted");
    error
}

#[tokio::test]
async fn a_server_of_a_given_authority_is_trusted_and_talked_to() {
    let authority = authority();
    let server = server(&authority, "127.0.0.1", |_| {});
    // Among others, as a bundle has them.
    let bundle = format!("{}{}", self::authority().pem(), authority.pem());
    let (client, _) = server.client_with(|settings| settings.extra_roots = Some(bundle.into_bytes()));
    client.list(&instance()).await.unwrap();
    assert_eq!(server.methods(), ["GET", "GET+"]);
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_is_not_trusted() {
    let authority = authority();
    let server = server(&authority, "127.0.0.1", |_| {});
    for trusted in [None, Some(&self::authority())] {
        let error = distrust(&server, trusted).await.to_string();
        assert!(error.contains("(unknown issuer)") || error.contains("(bad signature)"), "{error}");
        assert!(error.contains("--atlas-ca-file"), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_for_another_host_is_not_accepted() {
    let authority = authority();
    let server = server(&authority, "cloud.mongodb.com", |_| {});
    let error = distrust(&server, Some(&authority)).await;
    let text = error.to_string();
    assert!(text.contains("not valid for name 127.0.0.1") && text.contains("check the base URL"), "{text}");
    assert!(!text.contains("--atlas-ca-file"), "it would not help: {text}");
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_not_accepted() {
    let authority = authority();
    let server = server(&authority, "127.0.0.1", |parameters| {
        parameters.not_before = date_time_ymd(2020, 1, 1);
        parameters.not_after = date_time_ymd(2021, 1, 1);
    });
    let error = distrust(&server, Some(&authority)).await;
    let text = error.to_string();
    assert!(
        text.contains("has expired; renew the certificate") && !text.contains("--atlas-ca-file"),
        "{text}"
    );
}

#[tokio::test]
async fn an_authority_that_shows_its_own_certificate_is_named() {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = parameters.self_signed(&key).unwrap();
    let server = serving(&certificate, &key);
    let (client, _) = server.client_with(|settings| {
        settings.extra_roots = Some(certificate.pem().into_bytes());
    });
    let text = client.list(&instance()).await.unwrap_err().to_string();
    assert!(text.contains("the certificate of an authority as its own"), "{text}");
    assert!(!text.contains("CaUsed") && !text.contains("--atlas-ca-file"), "{text}");
}

#[tokio::test]
async fn what_stands_between_is_named_and_not_atlas() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refusing = Script::start(|_| Reaction::SendAndClose(b"HTTP/1.1 403 Forbidden\r\n\r\n".to_vec()));
    let asking = Script::start(|_| Reaction::SendAndClose(b"HTTP/1.1 407 X\r\n\r\n".to_vec()));
    for (proxy, parts) in [
        (
            format!("http://user:hunter2@{closed}"),
            vec![format!("no connection to the proxy {closed}: Connection refused")],
        ),
        (
            refusing.url(),
            vec!["made no tunnel to atlas.example: it refused".to_owned(), "allow atlas.example".to_owned()],
        ),
        (asking.url(), vec!["407 Proxy Authentication Required".to_owned()]),
    ] {
        let (client, _) = client_of("https://atlas.example", |settings| settings.proxy = Some(proxy));
        let error = client.list(&instance()).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unreachable);
        let text = error.to_string();
        for part in parts {
            assert!(text.contains(&part), "{part} in {text}");
        }
        assert!(!text.contains("hunter2") && !text.contains("Error"), "{text}");
    }
}

#[tokio::test]
async fn authorities_are_exchanged_while_calls_go_on_and_a_bad_bundle_changes_nothing() {
    let (old, new) = (authority(), authority());
    let (before, after) = (server(&old, "127.0.0.1", |_| {}), server(&new, "127.0.0.1", |_| {}));
    let transport = |server: &Script| {
        let roots = Some(old.pem().into_bytes());
        let settings =
            ClientSettings { base_url: server.url(), extra_roots: roots, ..ClientSettings::default() };
        Transport::new(settings, Records::default().observer()).unwrap()
    };
    let [before, after] = [&before, &after].map(|server| (transport(server), server));
    for (transport, _) in [&before, &after] {
        assert!(Authorities::from_pem(b"no certificate").is_err());
        let both = format!("{}{}", old.pem(), new.pem());
        let client = Client::new(transport.clone(), key());
        let _ = client.list(&instance()).await;
        transport.trust(&Authorities::from_pem(both.as_bytes()).unwrap()).unwrap();
        client.list(&instance()).await.unwrap();
    }
    // The challenge that was at hand stays at hand; what is no longer trusted is not talked to any more.
    assert_eq!(before.1.methods(), ["GET", "GET+", "GET+"]);
    let (transport, _) = &before;
    transport.trust(&Authorities::from_pem(new.pem().as_bytes()).unwrap()).unwrap();
    Client::new(transport.clone(), key()).list(&instance()).await.unwrap_err();
}

#[test]
fn one_bad_certificate_is_left_out_by_its_position_and_takes_no_other_along() {
    let [first, last] = [authority(), authority()].map(|authority| authority.pem());
    let der = authority().der().to_vec();
    let block = |der: &[u8]| {
        format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            data_encoding::BASE64.encode(der)
        )
    };
    let unended = first.replace("-----END CERTIFICATE-----", "");
    for (bad, why) in [
        (block(&der[..der.len() - 20]), "is no certificate that can be trusted"),
        (block(&[&der[..], b"xx"].concat()), "is no certificate that can be trusted"),
        (unended, "has no line -----END CERTIFICATE-----"),
        (first.replace("MII", "M*I"), "is no base64"),
        (first.replace("CERTIFICATE", "TRUSTED CERTIFICATE"), "is a TRUSTED CERTIFICATE"),
        (first.replace("CERTIFICATE", "PKCS7"), "is a PKCS7"),
    ] {
        let bundle = Authorities::from_pem(format!("{first}{bad}{last}").as_bytes()).unwrap();
        assert_eq!(bundle.count(), 2, "{why}");
        assert!(
            matches!(bundle.skipped(), [one] if one.starts_with("certificate 2 ") && one.contains(why)),
            "{why}"
        );
        let Err(error) = Authorities::from_pem(bad.as_bytes()) else { panic!("{why}") };
        assert!(error.to_string().contains("certificate 1") && error.to_string().contains(why), "{error}");
    }
}

#[test]
fn whatever_administrators_put_between_certificates_says_nothing() {
    let [first, last] = [authority(), authority()].map(|authority| authority.pem());
    for bundle in [
        format!("\u{feff}{first}{last}"),
        format!("{first}\u{feff}{last}"),
        format!("{first}{last}").replace('\n', "\r\n"),
        format!("{}{}", first.trim_end(), last.trim_end()),
        format!("# one\n----------\n{first}\n\nSubject: two – \u{fc}\n{last}end"),
        format!("{first}{last}-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
    ] {
        let bundle = Authorities::from_pem(bundle.as_bytes()).unwrap();
        assert_eq!((bundle.count(), bundle.skipped()), (2, &[][..]));
    }
    let der = authority().der().to_vec();
    let Err(error) = Authorities::from_pem(&der) else { panic!() };
    assert!(error.to_string().contains("binary (DER)"), "{error}");
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_a_definite_no() {
    let server = Script::start(|_| json(200, "[]"));
    let (client, _) = client_of(&server.url().replace("http:", "https:"), |_| {});
    assert!(matches!(client.create(&instance(), "c", || true).await, WriteResult::Refused(_)));
    assert!(server.seen().iter().all(|request| request.header("authorization").is_none()));
}
