//! Whether a checkpoint is whole and names only what is its own. It may come from somebody else.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Component, Path};

use sha2::{Digest as _, Sha256};

use super::{CheckpointError, MODEL, STATE_SHA256, SavedState};
use thaw_files::sha256::sha256_file;

/// A state is text of names and numbers; one beyond this size is none.
const LARGEST_STATE: u64 = 1 << 30;

/// The text of a checkpoint's state, compared with its checksum where the checkpoint has one (older ones have
/// not).
///
/// # Errors
/// It is missing, too large, no file, or damaged.
pub(super) fn read_state(path: &Path) -> Result<String, CheckpointError> {
    let unreadable = |source| CheckpointError::Read { path: path.to_path_buf(), source };
    let size = require_file(path)?;
    if size > LARGEST_STATE {
        let reason = format!("it has {size} bytes, expected at most {LARGEST_STATE}");
        return Err(CheckpointError::State { path: path.to_path_buf(), reason });
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST_STATE).read_to_end(&mut bytes)).map_err(unreadable)?;
    let beside = path.with_file_name(STATE_SHA256);
    match fs::symlink_metadata(&beside) {
        Ok(_) => {
            require_file(&beside)?;
            let mut recorded = String::new();
            let read = File::open(&beside).and_then(|file| file.take(1024).read_to_string(&mut recorded));
            read.map_err(|source| CheckpointError::Read { path: beside.clone(), source })?;
            let expected = recorded.split_whitespace().next().unwrap_or_default().to_owned();
            let found = sha256(&bytes);
            if found != expected {
                return Err(CheckpointError::DamagedState { path: path.to_path_buf(), found, expected });
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(CheckpointError::Read { path: beside, source }),
    }
    String::from_utf8(bytes).map_err(|error| CheckpointError::State {
        path: path.to_path_buf(),
        reason: format!("it is no text: {error}"),
    })
}

/// The line of [`STATE_SHA256`] for a state, as `sha256sum` writes it.
pub(super) fn state_checksum(text: &[u8]) -> String {
    format!("{}  {}\n", sha256(text), super::STATE)
}

/// Refuses names of files and checkpoints that lead out of the folder, and a model without a checksum.
///
/// # Errors
/// The first such name.
pub(super) fn check_names(path: &Path, state: &SavedState) -> Result<(), CheckpointError> {
    let refuse = |reason: String| Err(CheckpointError::State { path: path.to_path_buf(), reason });
    if !state.files.contains_key(MODEL) {
        return refuse(format!("`files` has no checksum of {MODEL}"));
    }
    let checkpoints = state.kept.best.iter().chain(&state.kept.ranked).map(|best| best.name.as_str());
    let files = state.files.keys().map(String::as_str);
    let paths = state.given.paths.values().map(String::as_str).filter(|path| !Path::new(path).is_absolute());
    for name in checkpoints.chain(files).chain(paths) {
        let mut parts = Path::new(name).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
            return refuse(format!(
                "it names {name:?}; expected the name of a file or checkpoint in the same folder, without \
                 `/` or `..`"
            ));
        }
    }
    Ok(())
}

/// Compares a file with its checksum.
///
/// # Errors
/// It is missing, a link, a device or the like, or has another checksum.
pub(super) fn check_file(path: &Path, expected: &str) -> Result<(), CheckpointError> {
    require_file(path)?;
    let found =
        sha256_file(path).map_err(|source| CheckpointError::Read { path: path.to_path_buf(), source })?;
    if found == expected {
        return Ok(());
    }
    Err(CheckpointError::Damaged { path: path.to_path_buf(), found, expected: expected.to_owned() })
}

/// Refuses what is no file of the checkpoint's own; gives its size.
fn require_file(path: &Path) -> Result<u64, CheckpointError> {
    let unreadable = |source| CheckpointError::Read { path: path.to_path_buf(), source };
    let metadata = fs::symlink_metadata(path).map_err(unreadable)?;
    if metadata.is_file() {
        return Ok(metadata.len());
    }
    let reason = "it is a link, a folder or a device, expected a file of the checkpoint's own".to_owned();
    Err(CheckpointError::State { path: path.to_path_buf(), reason })
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
