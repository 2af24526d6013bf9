//! Reloads the file of `--atlas-ca-file` periodically, and passes changed content to the Atlas client.
//!
//! A mounted `ConfigMap` is replaced by a symbolic link, so the content is compared. An unusable file changes
//! nothing: the previous certificates stay trusted, a log line and a metric report it, and no call fails because of it. A
//! single unusable certificate is left out and named.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::time::Duration;

use atlas::{Authorities, SettingsError, Transport};
use tracing::{info, warn};

use crate::metrics::Metrics;

/// The reload interval. Kubernetes itself takes about a minute until a mounted file follows its `ConfigMap`.
const PERIOD: Duration = Duration::from_secs(10);

/// The file, and its last content.
pub(super) struct AuthorityFile {
    path: PathBuf,
    last: FileContent,
}

/// The content of the file, as far as a comparison needs it.
#[derive(PartialEq, Eq)]
enum FileContent {
    /// Text, as a hash.
    Text(u64),
    /// The file could not be read.
    Unreadable,
}

/// The result of a reload.
#[derive(Debug, PartialEq, Eq)]
enum Reload {
    /// The content is unchanged.
    None,
    /// This many certificates are trusted from now on; the others are left out for these reasons.
    Trusted(usize, Vec<String>),
    /// The file is unusable, and nothing has changed.
    Unusable(String),
}

impl AuthorityFile {
    /// Creates a watcher of the file that held `pem` when the transport was created.
    pub(super) fn new(path: PathBuf, pem: &[u8]) -> Self {
        Self { path, last: FileContent::Text(hash(pem)) }
    }

    /// Reloads the file for as long as the program runs.
    pub(super) async fn reload_periodically(mut self, transport: Transport, metrics: Metrics) {
        loop {
            tokio::time::sleep(PERIOD).await;
            let path = self.path.clone();
            // A hanging disk blocks this task alone.
            let Ok(read) = tokio::task::spawn_blocking(move || std::fs::read(path)).await else { continue };
            let file = self.path.display().to_string();
            match self.reload(read, &transport) {
                Reload::None => {}
                Reload::Trusted(count, skipped) => {
                    metrics.ca_file_unusable(false);
                    info!(file, certificates = count, "the file of --atlas-ca-file changed and is in use");
                    warn_of(&file, &skipped);
                }
                Reload::Unusable(why) => {
                    metrics.ca_file_unusable(true);
                    warn!(
                        file,
                        why,
                        "the file of --atlas-ca-file cannot be used; its previous certificates stay trusted"
                    );
                }
            }
        }
    }

    fn reload(&mut self, read: std::io::Result<Vec<u8>>, transport: &Transport) -> Reload {
        let content = read.as_ref().map_or(FileContent::Unreadable, |pem| FileContent::Text(hash(pem)));
        if content == self.last {
            return Reload::None;
        }
        self.last = content;
        let pem = match read {
            Ok(pem) => pem,
            Err(error) => return Reload::Unusable(error.to_string()),
        };
        let trusted = Authorities::from_pem(&pem).and_then(|authorities| {
            transport.trust(&authorities)?;
            Ok::<_, SettingsError>(authorities)
        });
        match trusted {
            Ok(authorities) => Reload::Trusted(authorities.count(), authorities.skipped().to_vec()),
            Err(error) => Reload::Unusable(error.to_string()),
        }
    }
}

/// Logs the certificates that are left out.
pub(super) fn warn_of(file: &str, skipped: &[String]) {
    for certificate in skipped {
        warn!(file, certificate, "left out a certificate of --atlas-ca-file");
    }
}

/// Hashes the content, so that the text itself need not be kept.
fn hash(pem: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    pem.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use atlas::{Client, ClientSettings, Credentials};
    use atlas_simulator::{
        Certificate, DEFAULT_INSTANCE, DEFAULT_PRIVATE_KEY, DEFAULT_PROJECT, DEFAULT_PUBLIC_KEY, Settings,
        Simulator, Tls,
    };
    use domain::serverless::endpoint::Instance;

    use super::*;

    async fn simulator() -> (Simulator, String) {
        let tls = Tls::new(Certificate::Good).unwrap();
        let atlas = Simulator::start_tls(Settings::default(), &tls).await.unwrap();
        (atlas, tls.authority().to_owned())
    }

    async fn works(transport: &Transport) -> bool {
        let key = Credentials::key(DEFAULT_PUBLIC_KEY, DEFAULT_PRIVATE_KEY).unwrap();
        let at =
            Instance { project: DEFAULT_PROJECT.parse().unwrap(), name: DEFAULT_INSTANCE.parse().unwrap() };
        Client::new(transport.clone(), key).list(&at).await.is_ok()
    }

    /// A file that is replaced atomically, as in a mounted `ConfigMap`.
    struct Mounted(PathBuf);

    impl Mounted {
        fn replace(&self, text: &str) {
            let next = self.0.with_extension("next");
            std::fs::write(&next, text).unwrap();
            std::fs::rename(&next, &self.0).unwrap();
        }
    }

    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[tokio::test]
    async fn a_changed_file_is_trusted_and_an_unusable_one_changes_nothing() {
        let (atlas, authority) = simulator().await;
        let (_, other) = simulator().await;
        let extra_roots = Some(other.clone().into_bytes());
        let settings = ClientSettings { base_url: atlas.url(), extra_roots, ..ClientSettings::default() };
        let transport = Transport::new(settings, Arc::new(|_| {})).unwrap();
        let mounted = Mounted(std::env::temp_dir().join(format!("spe-authorities-{}", std::process::id())));
        let mut file = AuthorityFile::new(mounted.0.clone(), other.as_bytes());
        let mut reload = || file.reload(std::fs::read(&mounted.0), &transport);

        mounted.replace(&other);
        assert_eq!(reload(), Reload::None);
        assert!(!works(&transport).await);
        mounted.replace(&format!("{other}-----BEGIN CERTIFICATE-----\n{authority}"));
        let Reload::Trusted(2, skipped) = reload() else { panic!("both are usable") };
        assert!(matches!(skipped.as_slice(), [one] if one.starts_with("certificate 2 ")), "{skipped:?}");
        assert!(works(&transport).await);

        mounted.replace("no certificate");
        assert!(matches!(reload(), Reload::Unusable(_)));
        assert_eq!(reload(), Reload::None, "it is reported once");
        std::fs::remove_file(&mounted.0).unwrap();
        assert!(matches!(reload(), Reload::Unusable(_)));
        assert_eq!(reload(), Reload::None);
        assert!(works(&transport).await, "the last usable certificates stay trusted");

        mounted.replace(&other);
        assert_eq!(reload(), Reload::Trusted(1, Vec::new()));
        assert!(!works(&transport).await, "a removed authority is no longer trusted");
    }
}
