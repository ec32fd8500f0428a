//! Files and folders that appear whole under their final name or not at all.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Makes `path` unless `complete` says it is there: `make` fills a sibling, which is then renamed.
///
/// Two processes that want the same path wait for each other. What a killed process left is removed.
/// Something incomplete under the final name is replaced.
pub fn publish(
    path: &Path,
    complete: impl Fn(&Path) -> bool,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    if complete(path) {
        return Ok(());
    }
    let folder = path.parent().context("the path to publish has no parent")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let lock_path = sibling(path, "lock")?;
    let lock = File::create(&lock_path).with_context(|| format!("cannot create {}", lock_path.display()))?;
    lock.lock().with_context(|| format!("cannot lock {}", lock_path.display()))?;
    if complete(path) {
        return Ok(());
    }
    let (partial, old) = (sibling(path, "partial")?, sibling(path, "old")?);
    remove(&partial)?;
    remove(&old)?;
    if let Err(error) = make(&partial) {
        // It may be large. The next attempt removes it too, so a failure here hides nothing.
        let _ = remove(&partial);
        return Err(error);
    }
    if fs::symlink_metadata(path).is_ok() {
        rename(path, &old)?;
    }
    rename(&partial, path)?;
    remove(&old)
}

/// `folder/.name.suffix` for `folder/name` (a leading dot is not doubled).
fn sibling(path: &Path, suffix: &str) -> Result<PathBuf> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .with_context(|| format!("{} has no usable name", path.display()))?;
    Ok(path.with_file_name(format!(".{}.{suffix}", name.trim_start_matches('.'))))
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))
}

fn remove(path: &Path) -> Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    let result = if metadata.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    result.with_context(|| format!("cannot remove {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with_mark(partial: &Path) -> Result<()> {
        fs::create_dir(partial)?;
        Ok(fs::write(partial.join("mark"), "whole")?)
    }

    fn has_mark(path: &Path) -> bool {
        path.join("mark").is_file()
    }

    #[test]
    fn a_failed_attempt_leaves_nothing_under_the_final_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let result = publish(&path, has_mark, |partial| {
            fs::create_dir(partial)?;
            anyhow::bail!("the download broke off")
        });
        assert!(result.is_err());
        assert!(!path.exists());
        assert!(!folder.path().join(".data.partial").exists());
        publish(&path, has_mark, folder_with_mark).unwrap();
        assert!(has_mark(&path), "what the failed attempt left must not stop the next");
    }

    #[test]
    fn what_is_complete_is_not_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        publish(&path, has_mark, folder_with_mark).unwrap();
        publish(&path, has_mark, |_| panic!("made twice")).unwrap();
    }

    #[test]
    fn something_incomplete_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".data");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("half"), "").unwrap();
        publish(&path, has_mark, folder_with_mark).unwrap();
        assert!(has_mark(&path));
        assert!(!path.join("half").exists());
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "only the folder and its lock stay: {names:?}");
    }
}
