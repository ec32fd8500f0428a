//! What a run leaves that ends before its first checkpoint.

use std::fs;
use std::path::Path;

use super::error::at;
use super::letters::is_letter;
use super::lock::LOCK;
use super::{
    CHECKPOINTS, CONFIG, FILES, PLUGIN_FILES, RANK_LOGS, RECORDS, REPORT, RunDirError, SAMPLE_PICTURES,
    SWAPS, earlier,
};

/// How names of unfinished files begin.
const UNFINISHED: &str = ".tmp";

/// Whether a run writes or wrote here.
pub fn is_of_a_run(folder: &Path) -> bool {
    folder.join(LOCK).is_file() || folder.join(CHECKPOINTS).is_dir()
}

/// Whether a folder holds what a run wrote and nothing else, and no checkpoint although there were to be
/// some: such a run can only be started again. One that is to keep no checkpoints has its records as its
/// result.
pub(super) fn without_checkpoint(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let is_a_runs = |name: &Path| {
        let others = [REPORT, LOCK, CHECKPOINTS, FILES, PLUGIN_FILES, SAMPLE_PICTURES, RANK_LOGS];
        let records = RECORDS.iter().filter(|record| **record != SWAPS);
        let of_loggers = thaw_loggers::RECORDS.iter().chain(&thaw_loggers::OWN);
        records.chain(&others).chain(of_loggers).any(|known| name == Path::new(known))
            || earlier::is_config_or_plugins(name)
            || is_temporary(name)
            || name.to_str().is_some_and(is_letter)
    };
    let mut names = entries.map(|entry| entry.map(|entry| entry.file_name()));
    folder.join(LOCK).is_file()
        && names.all(|name| name.is_ok_and(|name| is_a_runs(Path::new(&name))))
        && has_no_checkpoint(&folder.join(CHECKPOINTS))
        && was_to_write_some(folder)
}

/// Removes all but the lock, which this process holds.
pub(super) fn remove(folder: &Path) -> Result<(), RunDirError> {
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let entry = entry.map_err(at(folder))?;
        let path = entry.path();
        let is_folder = entry.file_type().map_err(at(&path))?.is_dir();
        match entry.file_name() == LOCK {
            true => Ok(()),
            false if is_folder => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        }
        .map_err(at(&path))?;
    }
    Ok(())
}

/// Removes what a killed process had not finished writing.
pub(super) fn sweep(run_dir: &Path) -> Result<(), RunDirError> {
    for folder in [run_dir.to_path_buf(), run_dir.join(FILES), run_dir.join(PLUGIN_FILES)] {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.map_err(at(&folder))?.path();
            let is_unfinished =
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(UNFINISHED));
            if is_unfinished && path.is_file() {
                fs::remove_file(&path).map_err(at(&path))?;
            }
        }
    }
    Ok(())
}

/// Whether something was not complete.
fn is_temporary(name: &Path) -> bool {
    [UNFINISHED, ".writing-", ".replaced-"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix))
}

fn has_no_checkpoint(checkpoints: &Path) -> bool {
    let Ok(mut entries) = fs::read_dir(checkpoints) else { return true };
    entries.all(|entry| entry.is_ok_and(|entry| is_temporary(Path::new(&entry.file_name()))))
}

/// Not known where the run was killed before it wrote its config: it had not begun to train.
fn was_to_write_some(folder: &Path) -> bool {
    let Ok(text) = fs::read_to_string(folder.join(CONFIG)) else { return !folder.join(CONFIG).exists() };
    let enabled = text
        .parse::<toml::Table>()
        .ok()
        .and_then(|config| config.get("checkpoint")?.get("enabled")?.as_bool());
    enabled == Some(true)
}
