//! Strategies: decide what trains, when, and at which rate.

use serde_json::{Map, Value};

use crate::callback::{no_migration, refuse_rest};
use crate::config::Config;
use crate::context::Context;
use crate::error::Result;
use crate::hook::{Hook, default_hooks, define_dispatch, for_each_hook};
use crate::module_tree::ModuleTree;
use crate::optimizer::Optimizer;

/// A callback that freezes, unfreezes and sets rates: Lightning's `BaseFinetuning`.
///
/// The struct is the configuration; its fields marked `#[config(state)]` are saved in checkpoints. What a
/// strategy does to the [`ModuleTree`] and the [`Optimizer`] takes effect when the method returns: the host
/// applies it, checks that every trainable parameter is in exactly one group, and reports it. Freeze state,
/// modes, groups and rates belong to the host and are restored by it: after a restart
/// `freeze_before_training` does not run again.
///
/// ```
/// use thaw_plugin_api::prelude::*;
///
/// /// Trains the head alone, and the whole model from one epoch on.
/// #[derive(Config)]
/// struct HeadFirst {
///     /// Epoch at which the backbone thaws.
///     #[config(default = 5)]
///     unfreeze_at_epoch: usize,
/// }
///
/// impl Strategy for HeadFirst {
///     const ID: &'static str = "head-first";
///
///     fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()> {
///         model.module("backbone")?.freeze(BatchNorm::Eval);
///         Ok(())
///     }
///
///     fn finetune(
///         &mut self,
///         epoch: usize,
///         model: &mut ModuleTree,
///         optimizer: &mut Optimizer,
///     ) -> Result<()> {
///         if epoch == self.unfreeze_at_epoch {
///             let rate = optimizer.group(0)?.lr / 10.0;
///             model.module("backbone")?.unfreeze_and_add_param_group(optimizer, rate)?;
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Strategy: Config + Send + 'static {
    /// Name in run configs, unique among all loaded plugins: `[a-z0-9-]+`.
    const ID: &'static str;

    /// One line on what it does.
    const DESCRIPTION: &'static str = "";

    /// The metrics that it logs, all of them. A run that monitors another one then ends before it has
    /// trained; where this is not said, it has to wait for the end of an epoch.
    const METRICS: Option<&'static [&'static str]> = None;

    /// Version of the saved state. Raise it when fields marked `#[config(state)]` change, and write
    /// `migrate_state`.
    const STATE_VERSION: u32 = 1;

    /// Freezes what must not train from the start. Once per run, after the weights are loaded and before the
    /// optimizer is built; not after a restart.
    ///
    /// # Errors
    /// What the author returns; it ends the run with exit code 3.
    fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()>;

    /// Freezes, unfreezes and sets rates. At the start of every epoch, counted from 0, before
    /// `on_train_epoch_start`.
    ///
    /// # Errors
    /// What the author returns; it ends the run with exit code 3.
    fn finetune(&mut self, epoch: usize, model: &mut ModuleTree, optimizer: &mut Optimizer) -> Result<()>;

    /// What goes into checkpoints besides the fields marked `#[config(state)]`.
    ///
    /// # Errors
    /// A field that serde cannot write.
    fn state(&self) -> Result<Map<String, Value>> {
        Config::state(self)
    }

    /// Restores what [`Strategy::state`] gave.
    ///
    /// # Errors
    /// Entries that are missing or of another type.
    fn load_state(&mut self, mut state: Map<String, Value>) -> Result<()> {
        Config::load_state(self, &mut state)?;
        refuse_rest(&state)
    }

    /// Brings state of an older version into today's form.
    ///
    /// # Errors
    /// By default, always: a version that is not [`Strategy::STATE_VERSION`] is refused.
    fn migrate_state(version: u32, state: Map<String, Value>) -> Result<Map<String, Value>> {
        let _ = state;
        Err(no_migration(Self::ID, version, Self::STATE_VERSION))
    }

    for_each_hook!(default_hooks);
}

use Strategy as Hooks;
for_each_hook!(define_dispatch);

/// Calls the method of a hook; freezing and fine-tuning happen in their own calls.
pub(crate) fn call<S: Strategy>(strategy: &mut S, hook: Hook, context: &mut Context<'_>) -> Result<()> {
    dispatch(strategy, hook, context)
}
