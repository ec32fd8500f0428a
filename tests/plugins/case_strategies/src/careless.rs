//! What the audit is there for: a strategy that forgets the optimizer, and a callback that changes what is
//! frozen.

use thaw_plugin_api::prelude::*;

/// Freezes a module and, from an epoch or a step on, lets it train without a group.
#[derive(Config)]
pub struct ForgetsTheGroup {
    /// Path of the module.
    module: String,
    /// Epoch at whose start it thaws.
    at_epoch: Option<usize>,
    /// Step after which it thaws.
    at_step: Option<usize>,
    /// Whether it thaws in the validation before training, until the first epoch begins.
    #[config(default = false)]
    in_sanity_check: bool,
}

impl Strategy for ForgetsTheGroup {
    const ID: &'static str = "forgets-the-group";

    fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()> {
        model.freeze(&self.module, BatchNorm::Eval)
    }

    fn finetune(&mut self, epoch: usize, model: &mut ModuleTree, _: &mut Optimizer) -> Result<()> {
        if self.in_sanity_check && epoch == 0 {
            model.freeze(&self.module, BatchNorm::Eval)?;
        }
        if self.at_epoch == Some(epoch) { model.make_trainable(&self.module) } else { Ok(()) }
    }

    fn on_sanity_check_start(&mut self, context: &mut Context) -> Result<()> {
        if self.in_sanity_check { context.model()?.make_trainable(&self.module) } else { Ok(()) }
    }

    fn on_train_batch_end(&mut self, context: &mut Context) -> Result<()> {
        if self.at_step == Some(context.global_step()) {
            context.model()?.make_trainable(&self.module)
        } else {
            Ok(())
        }
    }
}

/// Writes into a parameter after a step.
#[derive(Config)]
pub struct Meddler {
    /// Name of the parameter.
    parameter: String,
    /// The step.
    at_step: usize,
}

impl Callback for Meddler {
    const ID: &'static str = "meddler";

    fn on_after_optimizer_step(&mut self, context: &mut Context) -> Result<()> {
        if context.global_step() == self.at_step {
            let mut tensor = context.tensor(&self.parameter)?;
            let _guard = thaw_plugin_api::tch::no_grad_guard();
            let _ = tensor.f_add_scalar_(1.0)?;
        }
        Ok(())
    }
}
