//! Finds the control plane's programs (etcd, kube-apiserver, kubectl), or builds them: given by the user, else cached,
//! else downloaded by envtest, else built from the Go modules pinned in `control-plane/go.mod`.
//!
//! It must never write into a directory given by the user, nor leave a half-filled one in the cache.

use std::fs::{File, TryLockError, create_dir_all, read_dir};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use envtest::{BinaryAssetsSettings, Environment};
use sha2::{Digest, Sha256};

use crate::go_build;

/// The user's own directory of programs, as for every other project that uses envtest.
const GIVEN: &str = "KUBEBUILDER_ASSETS";

/// What a control plane needs. (kubectl is a convenience for people.)
const NEEDED: [&str; 2] = ["etcd", "kube-apiserver"];

/// envtest first requests an index from the internet. Without name resolution that fails at once; where packets are
/// dropped, this timeout ends it.
const DOWNLOAD_PATIENCE: Duration = Duration::from_secs(100);

/// Returns the directory that holds `etcd` and `kube-apiserver`, filled first if need be.
///
/// Filling it takes minutes, once; progress is printed to standard error. Two processes never fill it at the same time.
///
/// # Errors
/// When `KUBEBUILDER_ASSETS` lacks a program, or when the programs could neither be downloaded nor built.
pub async fn find_or_make() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os(GIVEN) {
        let given = PathBuf::from(given);
        ensure!(
            is_complete(&given),
            "{GIVEN} is {}, which does not hold {}; put both there, or unset {GIVEN} and they are downloaded or built",
            given.display(),
            NEEDED.join(" and "),
        );
        return Ok(given);
    }
    let cache = cache()?.join("control-plane");
    let built = cache.join(cache_key());
    let downloads = cache.join("downloads");
    if let Some(found) = cached(&built, &downloads) {
        return Ok(found);
    }
    create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let _lock = tokio::task::spawn_blocking(move || lock(&cache.join("lock"))).await??;
    if let Some(found) = cached(&built, &downloads) {
        return Ok(found);
    }
    match download(&downloads).await {
        Ok(found) => return Ok(found),
        Err(error) => {
            go_build::report(&format!("no download ({}); building from source", first_line(&error)));
        }
    }
    let target = built.clone();
    tokio::task::spawn_blocking(move || go_build::build(&target)).await??;
    ensure!(is_complete(&built), "the build left no programs in {}", built.display());
    Ok(built)
}

fn is_complete(directory: &Path) -> bool {
    NEEDED.iter().all(|program| directory.join(program).is_file())
}

fn cached(built: &Path, downloads: &Path) -> Option<PathBuf> {
    if is_complete(built) {
        return Some(built.to_owned());
    }
    // envtest names a download `<exact version>-<os>-<architecture>`, and the exact version is known only after it.
    let series = format!("{}.", go_build::kubernetes_series());
    let entries = read_dir(downloads).ok()?;
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&series))
        .map(|entry| entry.path())
        .find(|directory| is_complete(directory))
}

/// Named by a hash of all inputs of the build, so that a change of any is a new directory.
fn cache_key() -> String {
    let digest =
        Sha256::new().chain_update(go_build::GO_MOD).chain_update(go_build::linker_flags()).finalize();
    format!("{}-{:.12}", go_build::kubernetes_version(), format!("{digest:x}"))
}

/// The directory of all that is built or downloaded for the tests.
pub(crate) fn cache() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()) {
        Some(cache) => PathBuf::from(cache),
        None => match std::env::var_os("HOME") {
            Some(home) => PathBuf::from(home).join(".cache"),
            None => bail!(
                "neither XDG_CACHE_HOME nor HOME is set; set one, or set {GIVEN} to a directory of programs"
            ),
        },
    };
    Ok(base.join("spe-operator"))
}

/// Held until the file is dropped.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {
            go_build::report("another process is building the programs; waiting for it");
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

/// envtest downloads only before it starts a control plane, so one is started and stopped again.
async fn download(downloads: &Path) -> Result<PathBuf> {
    let environment = Environment {
        binary_assets_settings: BinaryAssetsSettings {
            download_binary_assets: true,
            // The index lists few patch releases, and any of the right series will do.
            download_binary_assets_version: Some(go_build::kubernetes_series()),
            download_binary_assets_index_url: None,
            binary_assets_directory: Some(downloads.display().to_string()),
        },
        ..Environment::default()
    };
    let server = tokio::time::timeout(DOWNLOAD_PATIENCE, environment.create())
        .await
        .with_context(|| format!("not finished within {} s", DOWNLOAD_PATIENCE.as_secs()))??;
    server.destroy().await?;
    cached(downloads, downloads).context("the download holds no programs")
}

fn first_line(error: &anyhow::Error) -> String {
    format!("{error:#}").lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_named_after_the_version_and_the_recipe() {
        let key = cache_key();
        let (version, hash) = key.split_once('-').unwrap();
        assert_eq!(version, go_build::kubernetes_version());
        assert_eq!(hash.len(), 12);
    }

    #[test]
    fn a_directory_without_the_api_server_is_not_complete() {
        let directory = crate::reaper::Reaper::get().unwrap().directory().join("half");
        create_dir_all(&directory).unwrap();
        File::create(directory.join("etcd")).unwrap();
        assert!(!is_complete(&directory));
        File::create(directory.join("kube-apiserver")).unwrap();
        assert!(is_complete(&directory));
    }

    #[test]
    fn a_download_of_the_pinned_series_is_found_and_of_another_is_not() {
        let downloads = crate::reaper::Reaper::get().unwrap().directory().join("downloads");
        let nowhere = downloads.join("nowhere");
        for (version, found) in [("1.2.3-linux-amd64", false), ("1.37.0-linux-amd64", true)] {
            let directory = downloads.join(version);
            create_dir_all(&directory).unwrap();
            for program in NEEDED {
                File::create(directory.join(program)).unwrap();
            }
            assert_eq!(cached(&nowhere, &downloads), found.then_some(directory));
        }
    }
}
