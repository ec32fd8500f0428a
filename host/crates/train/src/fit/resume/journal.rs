//! What the run directory says of a resumed run.

use serde::Serialize;
use serde_json::Value;

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
    /// Says that the run had been stopped, by early stopping for instance, and trains on all the same.
    pub(in crate::fit) fn tell_stopped_before(&self, checkpoint: &Checkpoint) {
        let progress = self.state.progress();
        let Some(run_dir) = checkpoint.run_dir().filter(|_| progress.epoch < progress.max_epochs) else {
            return;
        };
        let Ok(history) = std::fs::read_to_string(run_dir.join(crate::run_dir::HISTORY)) else { return };
        let records = history.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let ended = records.into_iter().find(|record| record.get("ending").is_some());
        let reason = ended.filter(|record| record["ending"] == "stopped");
        if let Some(reason) = reason.as_ref().and_then(|record| record["reason"].as_str()) {
            tracing::info!(
                "the run had been stopped ({}), and trains on, for {} epochs in all",
                thaw_terminal::escape(reason),
                progress.max_epochs
            );
        }
    }

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
