//! TLS with a private certificate authority, generated at the start, to test the trust of a client: one valid
//! certificate, and one for each way in which it may be invalid.

use std::fmt;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{self, ServerConfig, crypto::aws_lc_rs};

/// The kind of certificate that the server presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// Valid, for `127.0.0.1` and `localhost`.
    Good,
    /// Expired.
    Expired,
    /// For another host.
    WrongHost,
    /// Issued by an authority other than the one that [`Tls::authority`] returns.
    UnknownIssuer,
}

/// TLS for one simulator.
#[derive(Clone)]
pub struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    authority: String,
}

/// No certificate could be generated.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Generating a certificate or key failed.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A certificate or key was unusable.
    #[error("cannot use the certificate: {0}")]
    Use(#[from] rustls::Error),
}

impl Tls {
    /// Generates an authority and a certificate of this kind.
    ///
    /// # Errors
    /// The cryptographic library fails; it has no reason to.
    pub fn new(certificate: Certificate) -> Result<Self, TlsError> {
        let trusted = authority()?;
        let other = authority()?;
        let issuer = if certificate == Certificate::UnknownIssuer { &other } else { &trusted };
        let hosts = match certificate {
            Certificate::WrongHost => vec!["other.example".to_owned()],
            _ => vec!["127.0.0.1".to_owned(), "localhost".to_owned()],
        };
        let mut params = CertificateParams::new(hosts)?;
        if certificate == Certificate::Expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate()?;
        let chain = vec![params.signed_by(&key, issuer)?.der().clone()];
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::Pkcs8(key.serialize_der().into()))?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), authority: trusted.pem() })
    }

    /// Returns the certificate of the authority that a client is to trust, in PEM.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}
