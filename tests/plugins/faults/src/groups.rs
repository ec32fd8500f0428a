//! Strategies that leave parameters and groups in disorder, or count on a model's form.

use thaw_plugin_api::prelude::*;

/// Makes the backbone trainable and forgets its group.
#[derive(Config)]
pub struct InNoGroup {}

impl Strategy for InNoGroup {
    const ID: &'static str = "in-no-group";

    fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()> {
        model.freeze("backbone", BatchNorm::Eval)
    }

    fn finetune(&mut self, epoch: usize, model: &mut ModuleTree, _: &mut Optimizer) -> Result<()> {
        if epoch == 2 { model.make_trainable("backbone") } else { Ok(()) }
    }
}

/// Adds the parameters of the first group to it once more.
#[derive(Config)]
pub struct InTwoGroups {}

impl Strategy for InTwoGroups {
    const ID: &'static str = "in-two-groups";

    fn freeze_before_training(&mut self, _: &mut ModuleTree) -> Result<()> {
        Ok(())
    }

    fn finetune(&mut self, epoch: usize, _: &mut ModuleTree, optimizer: &mut Optimizer) -> Result<()> {
        if epoch == 2 {
            let parameters = optimizer.group(0)?.parameters.clone();
            optimizer.groups_mut()[0].parameters.extend(parameters);
        }
        Ok(())
    }
}

/// Takes for granted that the backbone has layers with parameters.
#[derive(Config)]
pub struct NeedsChildren {}

impl Strategy for NeedsChildren {
    const ID: &'static str = "needs-children";

    fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()> {
        let first = model.children("backbone")?[0].clone();
        model.freeze(first, BatchNorm::Eval)
    }

    fn finetune(&mut self, _: usize, _: &mut ModuleTree, _: &mut Optimizer) -> Result<()> {
        Ok(())
    }
}
