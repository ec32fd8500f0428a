//! Lightning's `BackboneFinetuning` as a plugin, and as a part of an author's own strategy.
//!
//! Take this crate without its default features to build on it: a library that exports a plugin cannot be a
//! part of another one.
//!
#![doc = concat!("```\n", include_str!("../tests/as_a_library.rs"), "```")]

mod lambda;

pub use lambda::Lambda;
use thaw_plugin_api::prelude::*;

/// Trains the head on a frozen backbone; from one epoch on the backbone trains, too, at a rate of its own
/// that grows by a factor each epoch.
///
/// Parameters and numbers are Lightning's. At `unfreeze_backbone_at_epoch` the backbone's rate is
/// `backbone_initial_lr`, or group 0's rate times `backbone_initial_ratio_lr`; at each epoch after it the
/// rate is the previous one times `lambda_func(epoch + 1)`, at most group 0's if `should_align`. It is
/// written over whatever a scheduler made of it.
#[derive(Config, Debug)]
pub struct BackboneFinetuning {
    /// Epoch, from 0, at which the backbone starts to train.
    #[config(default = 10)]
    pub unfreeze_backbone_at_epoch: usize,
    /// Factor on the backbone's rate at each later epoch: a number, or an expression of `epoch`, which is 1
    /// in the first epoch of the run.
    #[config(default = Lambda::from(2.0))]
    pub lambda_func: Lambda,
    /// The backbone's first rate as a share of group 0's.
    #[config(default = 0.1, range = 0.0..)]
    pub backbone_initial_ratio_lr: f64,
    /// The backbone's first rate, instead of a share of group 0's.
    #[config(range = 0.0..)]
    pub backbone_initial_lr: Option<f64>,
    /// Whether the backbone's rate stays at group 0's once it would pass it.
    #[config(default = true)]
    pub should_align: bool,
    /// Divisor of group 0's rate for a group without a rate. As in Lightning without effect here: the rate is
    /// always given.
    #[config(default = 10.0, range = 0.0..)]
    pub initial_denom_lr: f64,
    /// Whether batch norms of the backbone train with it; if not, they stay as `frozen_bn` says.
    #[config(default = true)]
    pub train_bn: bool,
    /// Whether both rates are logged at each epoch from the unfreezing on.
    #[config(default = false)]
    pub verbose: bool,
    /// Decimals of the logged rates.
    #[config(default = 12, range = 0..=17)]
    pub rounding: usize,
    /// Path of the backbone.
    #[config(default = "backbone")]
    pub module: String,
    /// What batch norms of the frozen backbone do. Lightning's traces are those of `train`.
    #[config(default = BatchNorm::Eval)]
    pub frozen_bn: BatchNorm,
    #[config(state)]
    previous_backbone_lr: Option<f64>,
}

impl BackboneFinetuning {
    /// Takes a function for `lambda_func`: the factor for `epoch + 1`, as Lightning calls it.
    #[must_use]
    pub fn with_lambda(mut self, lambda: impl Fn(usize) -> f64 + Send + 'static) -> Self {
        self.map_lambda(move |epoch, _| lambda(epoch));
        self
    }

    /// Passes what `lambda_func` gives for an epoch, counted from 1, through a function.
    pub fn map_lambda(&mut self, map: impl Fn(usize, f64) -> f64 + Send + 'static) {
        self.lambda_func.set_map(map);
    }

    /// The backbone's rate at the last epoch's start; `None` while it is frozen.
    pub fn previous_backbone_lr(&self) -> Option<f64> {
        self.previous_backbone_lr
    }

    fn unfreeze(&mut self, model: &mut ModuleTree, optimizer: &mut Optimizer) -> Result<()> {
        let head_lr = optimizer.group(0)?.lr;
        let backbone_lr = self.backbone_initial_lr.unwrap_or(head_lr * self.backbone_initial_ratio_lr);
        let groups = optimizer.groups().len();
        let module = self.module.as_str();
        model.unfreeze_and_add_param_group(
            module,
            optimizer,
            Some(backbone_lr),
            self.initial_denom_lr,
            self.train_bn,
        )?;
        if !self.train_bn {
            model.freeze_batch_norms(module, self.frozen_bn)?;
        }
        if optimizer.groups().len() == groups {
            let last = &optimizer.group(groups - 1)?.name;
            warn!(
                "the optimizer holds `{module}` from the start, so that it gets no group of its own: as in \
                 Lightning, the backbone's rate goes to the last group, `{last}`, with all that is in it; to \
                 avoid that, name the head alone under `parameters` in `[optimizer]`"
            );
        }
        self.previous_backbone_lr = Some(backbone_lr);
        self.tell(head_lr, backbone_lr);
        Ok(())
    }

    fn adjust(&mut self, epoch: usize, model: &mut ModuleTree, optimizer: &mut Optimizer) -> Result<()> {
        let previous = match self.previous_backbone_lr {
            Some(previous) => previous,
            // The run had another strategy until now: what that one left frozen thaws, what trains goes on
            // from its rate.
            None if !model.filter_params(self.module.as_str(), false, false)?.is_empty() => {
                return self.unfreeze(model, optimizer);
            }
            None => optimizer.groups().last().map_or(0.0, |group| group.lr),
        };
        let head_lr = optimizer.group(0)?.lr;
        let next = self.lambda_func.factor(epoch + 1)? * previous;
        let next = if self.should_align && next > head_lr { head_lr } else { next };
        if let Some(last) = optimizer.groups_mut().last_mut() {
            last.lr = next;
        }
        self.previous_backbone_lr = Some(next);
        self.tell(head_lr, next);
        Ok(())
    }

    fn tell(&self, head_lr: f64, backbone_lr: f64) {
        if self.verbose {
            info!(
                "Current lr: {}, Backbone lr: {}",
                rounded(head_lr, self.rounding),
                rounded(backbone_lr, self.rounding)
            );
        }
    }
}

impl Strategy for BackboneFinetuning {
    const ID: &'static str = "backbone-finetuning";
    const DESCRIPTION: &'static str =
        "Trains the head on a frozen backbone, then both (Lightning's BackboneFinetuning)";
    const METRICS: Option<&'static [&'static str]> = Some(&[]);

    fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()> {
        model.freeze(self.module.as_str(), self.frozen_bn)
    }

    fn finetune(&mut self, epoch: usize, model: &mut ModuleTree, optimizer: &mut Optimizer) -> Result<()> {
        match epoch.cmp(&self.unfreeze_backbone_at_epoch) {
            std::cmp::Ordering::Less => Ok(()),
            std::cmp::Ordering::Equal => self.unfreeze(model, optimizer),
            std::cmp::Ordering::Greater => self.adjust(epoch, model, optimizer),
        }
    }
}

/// A rate with this many decimals, without trailing zeros, as Python prints a rounded one.
fn rounded(lr: f64, decimals: usize) -> String {
    let text = format!("{lr:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(feature = "export")]
export_plugin!(strategies: [BackboneFinetuning]);

#[cfg(test)]
mod tests;

// As an author of another crate would write them.
#[cfg(test)]
extern crate self as thaw_backbone_finetuning;
#[cfg(test)]
#[path = "../tests/as_a_library.rs"]
mod as_a_library;
#[cfg(test)]
#[path = "../tests/parity.rs"]
mod parity;
