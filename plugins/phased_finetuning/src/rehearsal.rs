//! What is wrong with later phases, found before anything is trained.

use std::collections::BTreeMap;

use thaw_plugin_api::context::Stage;
use thaw_plugin_api::prelude::*;

use super::{Options, PhasedFinetuning, Waited, layout};

impl PhasedFinetuning {
    /// Checks every phase against model, optimizer and data.
    ///
    /// # Errors
    /// The first phase that cannot be, with its key.
    pub(crate) fn rehearse(&self, context: &mut Context) -> Result<()> {
        let mut replacement: Option<(&String, &BTreeMap<String, f64>)> = None;
        for (index, phase) in self.phases().iter().enumerate() {
            for (key, patterns) in [("modules", &phase.modules), ("freeze", &phase.freeze)] {
                context.model()?.select(patterns).map_err(|error| self.wrong(index, key, &error))?;
            }
            if let Some(scheduler) = &phase.scheduler {
                context.check_scheduler(scheduler).map_err(|error| self.wrong(index, "scheduler", &error))?;
            }
            let Options { id, values } = &phase.optimizer;
            if let Some(id) = id {
                replacement = Some((id, values));
            }
            let checked = match replacement {
                None => context.check_group_options(values),
                // Options of a group over those of its optimizer.
                Some((id, of_all)) => context.check_optimizer(
                    id,
                    &of_all.iter().chain(values).map(|(k, v)| (k.clone(), *v)).collect(),
                ),
            };
            checked.map_err(|error| self.wrong(index, "optimizer", &error))?;
        }
        let progress = context.progress();
        let validates = progress.stage == Stage::Plan || progress.num_validation_batches > 0;
        if let Some(waited) = self.waits().iter().find(|waited| waited.needs_validation() && !validates) {
            let Waited { phase, key, metric, .. } = waited;
            let error = Error::new(format_args!(
                "`{metric}` comes from validation, but the run has no validation data"
            ));
            return Err(self.wrong(*phase, key, &error));
        }
        self.lay_out(context.model()?)
    }

    /// Goes through all phases on copies.
    fn lay_out(&self, model: &ModuleTree) -> Result<()> {
        let (mut model, mut optimizer) = (model.clone(), Optimizer::new("", 0.0, 0.0, Vec::new()));
        for (index, phase) in self.phases().iter().enumerate() {
            let laid_out = self
                .freeze(&mut model, index)
                .and_then(|()| layout::regroup(&model, &mut optimizer, phase, self.before(index)));
            laid_out.map_err(|error| self.wrong(index, "modules", &error))?;
            if optimizer.groups().is_empty() {
                return Err(self.wrong(index, "freeze", &Error::new("nothing is left that trains")));
            }
        }
        Ok(())
    }
}
