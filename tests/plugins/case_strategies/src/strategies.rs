//! Strategies over Lightning's `BaseFinetuning` functions.

use thaw_plugin_api::prelude::*;

/// Freezes a container, then lets child e + 1 join the optimizer when epoch e starts.
#[derive(Config)]
pub struct LayerEachEpoch {
    /// Path of the container.
    modules: String,
    /// Rate of each new group; without it group 0's divided by `initial_denom_lr`.
    lr: Option<f64>,
    /// That divisor.
    #[config(default = 10.0)]
    initial_denom_lr: f64,
    /// Whether batch norms join, too.
    #[config(default = true)]
    train_bn: bool,
}

impl Strategy for LayerEachEpoch {
    const ID: &'static str = "layer-each-epoch";

    fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()> {
        model.freeze(&self.modules, BatchNorm::Train)
    }

    fn finetune(&mut self, epoch: usize, model: &mut ModuleTree, optimizer: &mut Optimizer) -> Result<()> {
        match model.children(&self.modules)?.get(epoch + 1) {
            Some(child) => model.unfreeze_and_add_param_group(
                child,
                optimizer,
                self.lr,
                self.initial_denom_lr,
                self.train_bn,
            ),
            None => Ok(()),
        }
    }
}

/// Freezes a container; from one epoch on, every epoch unfreezes each of its last children in a call of its
/// own.
#[derive(Config)]
pub struct LastChildrenFinetuning {
    /// Path of the container.
    modules: String,
    /// Epoch of the first unfreezing.
    unfreeze_at_epoch: usize,
    /// How many of the last children.
    layers_per_epoch: usize,
    /// Rate of each new group; without it a tenth of group 0's.
    lr: Option<f64>,
    /// Whether batch norms join, too.
    #[config(default = true)]
    train_bn: bool,
}

impl Strategy for LastChildrenFinetuning {
    const ID: &'static str = "last-children-finetuning";

    fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()> {
        model.freeze(&self.modules, BatchNorm::Train)
    }

    fn finetune(&mut self, epoch: usize, model: &mut ModuleTree, optimizer: &mut Optimizer) -> Result<()> {
        if epoch < self.unfreeze_at_epoch {
            return Ok(());
        }
        let children = model.children(&self.modules)?;
        let first = children.len().saturating_sub(self.layers_per_epoch);
        children[first..].iter().try_for_each(|child| {
            model.unfreeze_and_add_param_group(child, optimizer, self.lr, 10.0, self.train_bn)
        })
    }
}

/// Freezes a container; the first milestone unfreezes its last children in one call, the second one the rest.
#[derive(Config)]
pub struct MilestonesFinetuning {
    /// Path of the container.
    modules: String,
    /// The two epochs.
    milestones: Vec<usize>,
    /// How many children the first milestone unfreezes.
    last_children: usize,
    /// Rate of each new group; without it group 0's divided by `initial_denom_lr`.
    lr: Option<f64>,
    /// That divisor.
    #[config(default = 10.0)]
    initial_denom_lr: f64,
    /// Whether batch norms train: while the rest is frozen, and with it afterwards.
    #[config(default = true)]
    train_bn: bool,
}

impl Strategy for MilestonesFinetuning {
    const ID: &'static str = "milestones-finetuning";

    fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()> {
        model.freeze(&self.modules, if self.train_bn { BatchNorm::Train } else { BatchNorm::BatchStats })
    }

    fn finetune(&mut self, epoch: usize, model: &mut ModuleTree, optimizer: &mut Optimizer) -> Result<()> {
        let children = model.children(&self.modules)?;
        let (first, last) = children.split_at(children.len().saturating_sub(self.last_children));
        // Of equal milestones the second counts.
        let part = match self.milestones.iter().rposition(|milestone| *milestone == epoch) {
            Some(0) => last,
            Some(1) => first,
            _ => return Ok(()),
        };
        model.unfreeze_and_add_param_group(part, optimizer, self.lr, self.initial_denom_lr, self.train_bn)
    }
}

/// Freezes nothing and adds a module's parameters as a group, at a tenth of group 0's rate.
#[derive(Config)]
pub struct AddGroup {
    /// Path of the module.
    module: String,
    /// When.
    at_epoch: usize,
}

impl Strategy for AddGroup {
    const ID: &'static str = "add-group";

    fn freeze_before_training(&mut self, _: &mut ModuleTree) -> Result<()> {
        Ok(())
    }

    fn finetune(&mut self, epoch: usize, model: &mut ModuleTree, optimizer: &mut Optimizer) -> Result<()> {
        if epoch == self.at_epoch {
            model.unfreeze_and_add_param_group(&self.module, optimizer, None, 10.0, true)?;
        }
        Ok(())
    }
}
