//! One phase of a schedule.

use std::collections::BTreeMap;

use thaw_plugin_api::prelude::*;

use crate::end::End;
use crate::options::Options;
use crate::rate::Rate;

/// What changes when a phase begins, and when it ends.
///
/// Phases add up: what earlier ones thawed goes on training, in its own group, unless `freeze` names it.
#[derive(Clone, Config, Debug)]
pub struct Phase {
    /// Its name, and that of the group of what thaws: letters, digits, `-`, `_`, `=` and `.`.
    pub name: String,
    /// What thaws: module paths, or globs over module paths and parameter names.
    #[config(default = Vec::new())]
    pub modules: Vec<String>,
    /// What freezes: likewise. A later phase may thaw it again.
    #[config(default = Vec::new())]
    pub freeze: Vec<String>,
    /// Rate of what thaws. Without it the run config's in the first phase, later a tenth of group 0's.
    pub lr: Option<Rate>,
    /// New rates of the groups of earlier phases, by their names. The scheduler goes on from them; one that
    /// does not compute a rate from the one before (`lambda`, `one-cycle`, `cyclic`, `cosine-warm-restarts`)
    /// has to start anew.
    #[config(default = BTreeMap::new())]
    pub group_lr: BTreeMap<String, f64>,
    /// Weight decay of what thaws, instead of the run config's.
    #[config(range = 0.0..)]
    pub weight_decay: Option<f64>,
    /// Options of the optimizer for what thaws, by the names of `[optimizer]`: `momentum`, `betas`, …. With
    /// an `id` an optimizer that takes the place of the one before, for all groups: they keep their rates,
    /// its state starts empty.
    #[config(default = Options::default())]
    pub optimizer: Options,
    /// A `[scheduler]` table: in this phase this schedule acts on all groups, each one starting anew at the
    /// rate that it began with. What spans the run there spans the phase here, as far as its end is known. It
    /// ends with the phase: in a next one without a scheduler all groups keep the rate that they began with,
    /// or that `group_lr` gives. Before the first phase that has one, the run config's acts on all phases,
    /// and what thaws follows it from its own rate.
    pub scheduler: Option<Value>,
    /// Whether batch norms train with what thaws; if not, they stay as `frozen_bn` says.
    #[config(default = true)]
    pub train_bn: bool,
    /// What batch norms of frozen parts do in this phase, instead of the schedule's `frozen_bn`.
    pub frozen_bn: Option<BatchNorm>,
    /// When the phase ends; in the last phase the run stops then, or goes on to its last epoch without it.
    pub end: Option<End>,
    /// Whether weights, buffers and optimizer state of the phase's best epoch, by the monitored metric, are
    /// put back before the next phase.
    #[config(default = false)]
    pub restore_best: bool,
}

impl Phase {
    /// Name of the checkpoint of its best epoch.
    pub fn checkpoint(&self) -> String {
        format!("phase-{}", self.name)
    }

    /// Whether it says something of a group that its modules are to make.
    pub fn has_group_settings(&self) -> bool {
        self.lr.is_some() || self.weight_decay.is_some() || self.optimizer.of_group().is_some()
    }
}
