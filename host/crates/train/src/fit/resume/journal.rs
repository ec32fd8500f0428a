//! What the run directory says of a resumed run.

use serde::Serialize;

use super::check::Resumed;
use crate::checkpoint::Checkpoint;
use crate::error::Change;
use crate::fit::Fit;
use crate::run_dir::{CONFIG, PLUGINS, RESUMES, RunDirError};

/// A line of [`RESUMES`].
#[derive(Serialize)]
struct Record<'a> {
    epoch: usize,
    batch: usize,
    step: usize,
    /// The checkpoint that the run went on from.
    checkpoint: String,
    /// Keys of the run config that have other values from here on.
    changed: &'a [Change],
    /// The file that the run config from before is kept in, where it was another.
    earlier_config: Option<String>,
    /// The file that the record of plugins from before is kept in, where it was another.
    earlier_plugins: Option<String>,
}

impl Fit {
    /// Writes run config and plugins of a resumed run. Those from before are kept, and a record says until
    /// where they held.
    ///
    /// # Errors
    /// The run directory cannot be written.
    pub(in crate::fit) fn write_resumed(
        &self,
        checkpoint: &Checkpoint,
        resumed: &Resumed,
        config: &str,
    ) -> Result<(), RunDirError> {
        let run_dir = &self.state.kept.run_dir;
        self.tell_other_plugins(run_dir.path());
        let plugins = run_dir.json(PLUGINS, &self.plugins.record())?;
        let progress = self.state.progress();
        let folder = checkpoint.folder().canonicalize().unwrap_or_else(|_| checkpoint.folder().to_path_buf());
        let record = Record {
            epoch: progress.epoch,
            batch: progress.batch_index,
            step: progress.global_step,
            checkpoint: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            changed: &resumed.changes,
            earlier_config: run_dir.write_and_keep(CONFIG, config)?,
            earlier_plugins: run_dir.write_and_keep(PLUGINS, &plugins)?,
        };
        run_dir.add_line(RESUMES, &record)
    }
}
