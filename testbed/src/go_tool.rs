//! Builds programs written in Go that tests need, such as helm: each once, from a module beside `control-plane/` that
//! pins it.
//!
//! It must never take a program of that name from the user's machine: the version is the repository's decision.

use std::fs::{create_dir_all, read, read_dir, rename};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::{assets, go_build};

/// Returns the program `name`, which is the Go package `package` of the module in the folder `testbed/<module>`.
/// Building it takes minutes, once; progress is printed to standard error. Two processes never build at the same time.
///
/// # Errors
/// When the module is not there, or Go is absent or fails.
pub async fn go_tool(module: &str, package: &str, name: &str) -> Result<PathBuf> {
    let [module, package, name] = [module, package, name].map(str::to_owned);
    tokio::task::spawn_blocking(move || find_or_build(&module, &package, &name)).await?
}

fn find_or_build(module: &str, package: &str, name: &str) -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(module);
    let tools = assets::cache()?.join("tools");
    let directory = tools.join(format!("{module}-{}", fingerprint(&folder, package)?));
    let program = directory.join(name);
    if program.is_file() {
        return Ok(program);
    }
    create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let _lock = assets::lock(&tools.join("lock"))?;
    if !program.is_file() {
        let unfinished = directory.join("unfinished").join(name);
        go_build::build_program(&folder, package, "-s -w", &unfinished)?;
        rename(&unfinished, &program).with_context(|| format!("cannot create {}", program.display()))?;
    }
    Ok(program)
}

/// Returns a hash of all inputs of the build, so that a change of any is a new directory.
fn fingerprint(folder: &Path, package: &str) -> Result<String> {
    let unreadable = || format!("cannot read the Go module {}", folder.display());
    let mut files = Vec::new();
    for entry in read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        if path
            .extension()
            .is_some_and(|extension| ["go", "mod", "sum"].iter().any(|known| extension == *known))
        {
            files.push(path);
        }
    }
    ensure!(files.iter().any(|path| path.ends_with("go.mod")), "{} has no go.mod", folder.display());
    files.sort();
    let mut digest = Sha256::new().chain_update(package);
    for file in files {
        digest.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        digest.update(read(&file).with_context(|| format!("cannot read {}", file.display()))?);
    }
    Ok(format!("{:.12}", format!("{:x}", digest.finalize())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_is_named_after_the_module_and_the_package() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("helm");
        let one = fingerprint(&folder, "helm.sh/helm/v4/cmd/helm").unwrap();
        assert_eq!(one.len(), 12);
        assert_ne!(one, fingerprint(&folder, "helm.sh/helm/v4/cmd/other").unwrap());
    }

    #[tokio::test]
    async fn a_folder_without_a_module_is_named() {
        let error = go_tool("src", "main", "nothing").await.unwrap_err();
        assert!(format!("{error:#}").contains("testbed/src"), "{error:#}");
    }
}
