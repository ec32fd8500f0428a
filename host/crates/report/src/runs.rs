//! Many runs, beside each other.

mod settings;

use std::fs;
use std::path::{Path, PathBuf};

use thaw_plugin_api::monitor::{Mode, mode_of};
use thaw_train::run_dir::{CHECKPOINTS, CONFIG, is_of_a_run};

use crate::ReportError;
use crate::run::{Run, RunState};
pub use settings::{differing, settings};

/// Name of the checkpoint that a run goes on from.
const LAST: &str = "last";

/// A run with its folder.
#[derive(Debug)]
pub struct Found {
    /// The folder, as it was given.
    pub path: PathBuf,
    /// What its records say.
    pub run: Run,
}

impl Found {
    /// Reads a run directory.
    ///
    /// # Errors
    /// As [`Run::read`].
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        Ok(Self { path: path.to_path_buf(), run: Run::read(path)? })
    }

    /// Whether it has a checkpoint to go on from, and epochs left to train.
    pub fn is_resumable(&self) -> bool {
        let is_over = matches!(self.run.state, RunState::Running | RunState::Done(_));
        !is_over && self.path.join(CHECKPOINTS).join(LAST).exists()
    }
}

/// The way that a metric improves, as the first run that ranks by it has it, else as its name says.
pub fn mode_among(runs: &[Found], metric: &str) -> Option<Mode> {
    let of_run = runs.iter().map(|found| found.run.ranking()).find(|(ranking, _)| ranking == metric);
    of_run.map_or_else(|| mode_of(metric, None).ok(), |(_, mode)| mode)
}

/// The runs of a folder, by name: itself where it is a run directory, else those of its folders that are.
/// What cannot be read is told beside them.
///
/// # Errors
/// The folder cannot be read.
pub fn in_folder(folder: &Path) -> Result<(Vec<Found>, Vec<ReportError>), ReportError> {
    if is_run(folder) {
        return Ok((vec![Found::read(folder)?], Vec::new()));
    }
    let failed = |source| ReportError::Read { path: folder.to_path_buf(), source };
    let entries = fs::read_dir(folder).map_err(failed)?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if is_run(&path) {
            paths.push(path);
        }
    }
    paths.sort();
    let (mut runs, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        match Found::read(&path) {
            Ok(found) => runs.push(found),
            Err(error) => errors.push(error),
        }
    }
    Ok((runs, errors))
}

fn is_run(folder: &Path) -> bool {
    folder.join(CONFIG).is_file() && is_of_a_run(folder)
}
