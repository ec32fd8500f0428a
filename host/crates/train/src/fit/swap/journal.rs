//! What took over when: written for a resumed run, and repeated by it.

use std::io::ErrorKind;
use std::path::Path;

use thaw_plugin_api::abi::Kind;

use super::Incoming;
use crate::Error;
use crate::checkpoint::Checkpoint;
use crate::fit::Fit;
use crate::run_dir::{PLUGIN_FILES, PLUGINS, SWAPS};
use crate::swap::{Swap, SwapError};
use thaw_plugins::PluginError;

impl Fit {
    /// Strategies that the checkpoint says took over, and those that the journal says will.
    ///
    /// # Errors
    /// A plugin of them is not there any more or is another one, or the run config has other callbacks than
    /// the run had.
    pub(in crate::fit) fn restore_swaps(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let path = self.state.kept.run_dir.path().join(SWAPS);
        let unreadable = |error: std::io::Error| SwapError::Journal {
            file: path.clone(),
            problem: format!("it cannot be read: {error}"),
        };
        let journal: Vec<Swap> = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| unreadable(error.into()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(unreadable(error).into()),
        };
        let saved = &checkpoint.state;
        match journal.strip_prefix(saved.kept.swaps.as_slice()) {
            Some(rest) => {
                let start = saved.position.epoch + usize::from(saved.position.is_inside_epoch());
                self.swapping.replay = rest.iter().filter(|swap| swap.epoch >= start).cloned().collect();
            }
            // A checkpoint that was taken out of its run.
            None if journal.is_empty() => {}
            None => {
                let problem = "it does not begin with the swaps that the checkpoint has: it is another run's"
                    .to_owned();
                return Err(SwapError::Journal { file: path, problem }.into());
            }
        }
        for swap in saved.kept.swaps.iter().chain(&self.swapping.replay) {
            let table = format!("/callbacks/{}", swap.index);
            if self.state.config.table.pointer(&table) != saved.given.config.pointer(&table) {
                self.state.warnings.warn(format_args!(
                    "callbacks[{}]: what is changed of `{}` has no effect: from epoch {} on `{}` replaces it",
                    swap.index,
                    swap.replaced,
                    swap.epoch + 1,
                    swap.id
                ));
            }
        }
        for swap in &saved.kept.swaps {
            let Incoming { swap, instance, plugin, .. } = self.repeated(swap.clone())?;
            self.put_in_place(&swap, instance);
            self.state.kept.swaps.push(swap);
            self.plugins.add_beside(plugin);
        }
        Ok(())
    }

    /// The strategy of a journal's entry.
    pub(super) fn repeated(&self, swap: Swap) -> Result<Incoming, Error> {
        let run_dir = self.state.kept.run_dir.path();
        let wrong = |problem: String| SwapError::Journal { file: run_dir.join(SWAPS), problem };
        let found = self.callbacks.get(swap.index).map_or("nothing", |callback| callback.id());
        if found != swap.replaced {
            let (index, replaced) = (swap.index, &swap.replaced);
            return Err(wrong(format!(
                "it replaces callbacks[{index}], `{replaced}`, where the run config has {found}"
            ))
            .into());
        }
        let Some(plugin) = self.plugins.for_swap(&swap.sha256) else {
            // The journal's own words: of its `file` only the name counts.
            let name = Path::new(&swap.file).file_name().unwrap_or_default();
            let file = run_dir.join(PLUGIN_FILES).join(name);
            let (id, plugin, sha256) = (swap.id, swap.plugin, swap.sha256);
            return Err(PluginError::FileOfSwap { id, plugin, file, sha256 }.into());
        };
        let instance = plugin.create(Kind::Strategy, &swap.id, &swap.config)?;
        Ok(Incoming { swap, instance, plugin, asked: None })
    }

    /// Writes the journal and `plugins.json`.
    ///
    /// # Errors
    /// The disk is full, ….
    pub(in crate::fit) fn write_swaps(&self) -> Result<(), Error> {
        let journal: Vec<&Swap> = self.state.kept.swaps.iter().chain(&self.swapping.replay).collect();
        self.state.kept.run_dir.write_json(PLUGINS, &self.plugins.record())?;
        // The last word: what is in here, a resumed run repeats.
        Ok(self.state.kept.run_dir.write_json(SWAPS, &journal)?)
    }
}
