//! The checkpoint that a run goes on from.

use std::path::{Path, PathBuf};

use super::{Checkpoint, CheckpointError, LAST, STATE};
use crate::run_dir::{CHECKPOINTS, is_of_a_run};

/// Opens a checkpoint, or the last one of a run directory. No other takes its place: records after that one
/// would be cut, which is for the user to say.
///
/// # Errors
/// There is none, or it is damaged; the error then names the newest of the run that is whole.
pub fn open_last(path: &Path) -> Result<Checkpoint, CheckpointError> {
    if path.join(STATE).is_file() || !is_of_a_run(path) {
        let folder = super::locate(path, LAST)?;
        return Checkpoint::open(&folder);
    }
    let last = path.join(CHECKPOINTS).join(LAST);
    let error = match Checkpoint::open(&last) {
        Ok(checkpoint) => return Ok(checkpoint),
        Err(error) => error,
    };
    let is_there = last.join(STATE).is_file();
    match newest_whole(path) {
        Some((whole, step)) => {
            let reason = if is_there {
                format!("the last checkpoint is damaged ({error})")
            } else {
                format!("{CHECKPOINTS}/{LAST} leads to no checkpoint")
            };
            Err(CheckpointError::Last { run_dir: path.to_path_buf(), reason, whole, step })
        }
        None if is_there => Err(error),
        None => Err(CheckpointError::BeforeTheFirst { run_dir: path.to_path_buf() }),
    }
}

/// The checkpoint of a run that has the most steps of those that are whole, and its steps.
fn newest_whole(run_dir: &Path) -> Option<(PathBuf, usize)> {
    let folders = std::fs::read_dir(run_dir.join(CHECKPOINTS)).ok()?.flatten().map(|entry| entry.path());
    let whole = folders
        .filter(|folder| !folder.is_symlink())
        .filter_map(|folder| Some((Checkpoint::open(&folder).ok()?.state.position.global_step, folder)));
    whole.max().map(|(step, folder)| (folder, step))
}
