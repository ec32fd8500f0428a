//! What a run keeps on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use thaw_plugin_api::context::CheckpointName;

use crate::checkpoint::{Best, CheckpointError, CheckpointStore, SavedKept};
use crate::fit::Writing;
use crate::fit::kept_paths::KeptPaths;
use crate::run_dir::RunDir;
use crate::swap::Swap;

/// The run directory, and which checkpoints lie in it.
pub struct Kept {
    /// Where everything is written.
    pub run_dir: RunDir,
    /// Checkpoints of the run.
    pub store: CheckpointStore,
    /// Files and folders of the run config, as checkpoints name them.
    pub paths: KeptPaths,
    /// The best checkpoint.
    pub best: Option<Best>,
    /// Epoch checkpoints that are kept for their rank, best first.
    pub ranked: Vec<Best>,
    /// Checkpoints that hooks asked for, by name.
    pub requested: BTreeSet<CheckpointName>,
    /// Checkpoints that could not be written and were not since, with the reason.
    pub lost: BTreeMap<String, String>,
    /// The checkpoint that is on its way to the disk.
    pub writing: Option<Writing>,
    /// Strategies replaced while running.
    pub swaps: Vec<Swap>,
}

impl Kept {
    /// A run that has written nothing yet.
    pub fn new(run_dir: RunDir, store: CheckpointStore) -> Self {
        Self {
            run_dir,
            store,
            paths: KeptPaths::default(),
            best: None,
            ranked: Vec::new(),
            requested: BTreeSet::new(),
            lost: BTreeMap::new(),
            writing: None,
            swaps: Vec::new(),
        }
    }
    /// What a checkpoint keeps. Its files and their paths are written beside it; what was lost is lost for
    /// this process, which says so at its end.
    pub(in crate::fit) fn save(&self) -> SavedKept {
        let Self { run_dir: _, store: _, paths: _, best, ranked, requested, lost: _, writing: _, swaps } =
            self;
        SavedKept {
            best: best.clone(),
            ranked: ranked.clone(),
            requested: requested.clone(),
            swaps: swaps.clone(),
        }
    }

    /// Takes over what a checkpoint keeps of those checkpoints that are there. `folder` is its own: of
    /// another run directory, perhaps, of which strategies may restore checkpoints in this one.
    ///
    /// Swaps are repeated before `setup`.
    ///
    /// # Errors
    /// A checkpoint of the other run directory cannot be copied.
    pub(in crate::fit) fn restore(
        &mut self,
        saved: &SavedKept,
        folder: &Path,
    ) -> Result<(), CheckpointError> {
        let SavedKept { best: saved_best, ranked: saved_ranked, requested: asked, swaps: _ } = saved;
        let Self { run_dir: _, store, paths: _, best, ranked, requested, lost: _, writing: _, swaps: _ } =
            self;
        requested.clone_from(asked);
        if let Some(checkpoints) = folder.parent() {
            let names = asked.iter().map(|name| &**name);
            for name in names.chain(saved_best.iter().map(|best| best.name.as_str())) {
                store.copy(&checkpoints.join(name))?;
            }
        }
        let is_here = |best: &&Best| store.folder().join(&best.name).is_dir();
        *best = saved_best.as_ref().filter(is_here).cloned();
        *ranked = saved_ranked.iter().filter(is_here).cloned().collect();
        Ok(())
    }
}
