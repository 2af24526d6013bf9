//! Reads the certificates to trust besides the compiled-in ones from a PEM bundle as administrators have them.
//!
//! One unusable certificate does not invalidate the others: it is skipped, and named by its position. A bundle without
//! a single usable one is an error. Text between certificates, other line ends, byte order marks and blocks of other
//! kinds are ignored. This file reads no file.

use data_encoding::BASE64;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use crate::settings::SettingsError;

/// The text before and after the name of a block.
const RULE: &str = "-----";

/// Trusted authorities.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Authorities {
    certificates: Vec<Vec<u8>>,
    skipped: Vec<String>,
}

impl Authorities {
    /// Reads a bundle.
    ///
    /// # Errors
    /// No certificate in it can be used.
    pub fn from_pem(pem: &[u8]) -> Result<Self, SettingsError> {
        let mut authorities = Self::default();
        let text = String::from_utf8_lossy(pem);
        for (position, block) in (1_usize..).zip(blocks(&text)) {
            match block.and_then(usable) {
                Ok(der) => authorities.certificates.push(der),
                Err(why) => authorities.skipped.push(format!("certificate {position} {why}")),
            }
        }
        match (authorities.certificates.as_slice(), authorities.skipped.first()) {
            ([_, ..], _) => Ok(authorities),
            ([], Some(why)) => Err(SettingsError::ExtraRoots(format!("cannot be used: {why}"))),
            ([], None) if pem.starts_with(&[0x30, 0x82]) => Err(SettingsError::ExtraRoots(
                "are binary (DER); convert them with: openssl x509 -inform der -in FILE".to_owned(),
            )),
            ([], None) => Err(SettingsError::ExtraRoots("contain no certificate".to_owned())),
        }
    }

    /// Returns what was skipped, each by its position and with the reason: "certificate 145 …".
    #[must_use]
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// Returns how many can be used.
    #[must_use]
    pub fn count(&self) -> usize {
        self.certificates.len()
    }

    pub(crate) fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.certificates.iter().map(Vec::as_slice)
    }
}

/// Returns the blocks that hold certificates: their base64, or why there is none.
fn blocks(text: &str) -> impl Iterator<Item = Result<&str, String>> {
    let parts: Vec<&str> = text.split(RULE).collect();
    let begins = (0..parts.len()).filter_map(move |at| {
        let label = parts.get(at)?.strip_prefix("BEGIN ")?.trim();
        if !label.ends_with("CERTIFICATE") && label != "PKCS7" {
            return None;
        }
        Some(match (label, parts.get(at + 1), parts.get(at + 2)) {
            ("CERTIFICATE" | "X509 CERTIFICATE", Some(content), Some(end))
                if end.strip_prefix("END ").is_some_and(|end| end.trim_end_matches('-').trim() == label) =>
            {
                Ok(*content)
            }
            ("CERTIFICATE" | "X509 CERTIFICATE", ..) => Err(format!("has no line {RULE}END {label}{RULE}")),
            _ => {
                Err(format!("is a {label}; convert it to a CERTIFICATE with: openssl x509 or openssl pkcs7"))
            }
        })
    });
    begins.collect::<Vec<_>>().into_iter()
}

/// Returns the certificate in a block, if TLS can trust it.
fn usable(base64: &str) -> Result<Vec<u8>, String> {
    let base64: String = base64.chars().filter(|c| !c.is_whitespace() && *c != '\u{feff}').collect();
    let der = BASE64.decode(base64.as_bytes()).map_err(|_| "is no base64".to_owned())?;
    RootCertStore::empty().add(CertificateDer::from(der.as_slice())).map_err(|_| {
        "is no certificate that can be trusted: it is cut, or has bytes that do not belong to it".to_owned()
    })?;
    Ok(der)
}
