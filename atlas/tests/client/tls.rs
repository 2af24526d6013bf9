//! Whom the client trusts: the compiled-in authorities and the given ones, for the right host, at the right time.

use std::sync::Arc;

use atlas::{AtlasError, Creation, Outcome};
use domain::fault::FaultKind;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
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
    let certificate = parameters.signed_by(&key, authority).unwrap();
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

/// The error of a call to a server that must not be trusted: nothing was sent, and a create is a definite no.
async fn distrust(server: &Script, trusted: Option<&CertifiedIssuer<'static, KeyPair>>) -> AtlasError {
    let (client, _) =
        server.client_with(|settings| settings.extra_roots = trusted.map(|ca| ca.pem().into_bytes()));
    assert!(matches!(client.create(&instance(), "c", || true).await, Creation::Refused(_)));
    let error = client.list(&instance()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (FaultKind::Unavailable, Outcome::Unreachable));
    assert!(error.to_string().contains("--atlas-ca-file"), "{error}");
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
        let error = distrust(&server, trusted).await;
        assert!(
            error.to_string().contains("UnknownIssuer") || error.to_string().contains("BadSignature"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_certificate_for_another_host_is_not_accepted() {
    let authority = authority();
    let server = server(&authority, "cloud.mongodb.com", |_| {});
    let error = distrust(&server, Some(&authority)).await;
    assert!(error.to_string().contains("not valid for name"), "{error}");
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_not_accepted() {
    let authority = authority();
    let server = server(&authority, "127.0.0.1", |parameters| {
        parameters.not_before = date_time_ymd(2020, 1, 1);
        parameters.not_after = date_time_ymd(2021, 1, 1);
    });
    let error = distrust(&server, Some(&authority)).await;
    assert!(error.to_string().contains("expired"), "{error}");
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_a_definite_no() {
    let server = Script::start(|_| json(200, "[]"));
    let (client, _) = client_of(&server.url().replace("http:", "https:"), |_| {});
    assert!(matches!(client.create(&instance(), "c", || true).await, Creation::Refused(_)));
    assert!(server.seen().iter().all(|request| request.header("authorization").is_none()));
}
