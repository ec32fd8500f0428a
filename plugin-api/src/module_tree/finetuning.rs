//! The functions of Lightning's `BaseFinetuning`, by its names and with its results.
//!
//! Two things differ, on purpose: `filter_on_optimizer` goes by a parameter's identity, not by its value, and
//! `make_trainable` puts modules that were frozen in evaluation mode back into training mode.

use super::{BatchNorm, Module, ModuleTree, Parameter, Targets};
use crate::error::Result;
use crate::optimizer::{Optimizer, ParamGroup};

impl ModuleTree {
    /// The leaf modules, and the modules that own parameters themselves, as indices into [`Self::modules`].
    ///
    /// An iterable container given as the target is walked through its children, so that a parameter that the
    /// container owns itself is not reached: Lightning's `flatten_modules` does the same.
    fn flatten(&self, targets: &Targets) -> Result<Vec<usize>> {
        match targets {
            Targets::List(list) => {
                let parts = list.iter().map(|target| self.flatten(target));
                Ok(parts.collect::<Result<Vec<_>>>()?.concat())
            }
            Targets::Module(path) => {
                let index = self.index_of(path)?;
                if self.modules()[index].iterable {
                    return self.flatten(&Targets::from(self.children(path)?));
                }
                let within = self.modules().iter().enumerate().filter(|(_, module)| super::is_within(&module.path, path));
                let is_wanted = |module: &Module| !module.parameters.is_empty() || self.is_leaf(&module.path);
                Ok(within.filter(|(_, module)| is_wanted(module)).map(|(index, _)| index).collect())
            }
        }
    }

    fn is_leaf(&self, path: &str) -> bool {
        !self.modules().iter().any(|module| super::parent_of(&module.path) == Some(path))
    }

    /// The leaf modules of the targets, and the modules that own parameters themselves (`BaseFinetuning.flatten_modules`).
    ///
    /// # Errors
    /// A path that the model does not have.
    pub fn flatten_modules(&self, targets: impl Into<Targets>) -> Result<Vec<&Module>> {
        Ok(self.flatten(&targets.into())?.into_iter().map(|index| &self.modules()[index]).collect())
    }

    /// Names of the parameters of the targets whose `requires_grad` is as asked, without batch norms unless `train_bn`
    /// (`BaseFinetuning.filter_params`).
    ///
    /// # Errors
    /// A path that the model does not have.
    pub fn filter_params(&self, targets: impl Into<Targets>, train_bn: bool, requires_grad: bool) -> Result<Vec<String>> {
        let modules = self.flatten_modules(targets)?;
        let parameters = modules.into_iter().filter(|module| train_bn || !module.is_batch_norm()).flat_map(|module| &module.parameters);
        Ok(parameters.filter(|parameter| parameter.requires_grad == requires_grad).map(|parameter| parameter.name.clone()).collect())
    }

    /// Makes the targets trainable, in training mode, their batch norms tracking statistics (`BaseFinetuning.make_trainable`).
    ///
    /// # Errors
    /// A path that the model does not have.
    pub fn make_trainable(&mut self, targets: impl Into<Targets>) -> Result<()> {
        let targets = targets.into();
        let mut modules = self.flatten(&targets)?;
        modules.extend(self.containers(&targets));
        self.make_trainable_resolved(&modules);
        Ok(())
    }

    /// Freezes the targets (`BaseFinetuning.freeze`): with [`BatchNorm::Train`] as `train_bn=True`, with
    /// [`BatchNorm::BatchStats`] as `train_bn=False`. [`BatchNorm::Eval`] puts them into evaluation mode.
    ///
    /// # Errors
    /// A path that the model does not have.
    pub fn freeze(&mut self, targets: impl Into<Targets>, batch_norm: BatchNorm) -> Result<()> {
        let targets = targets.into();
        let mut modules = self.flatten(&targets)?;
        if batch_norm == BatchNorm::Eval {
            modules.extend(self.containers(&targets));
        }
        self.freeze_resolved(&modules, batch_norm);
        Ok(())
    }

    /// Makes the targets trainable and gives those of their parameters that are in no group yet a group of their own
    /// (`BaseFinetuning.unfreeze_and_add_param_group`). Without `lr` the rate is group 0's divided by
    /// `initial_denom_lr`. Batch norms stay out of the group unless `train_bn`. The group is named after the targets.
    ///
    /// # Errors
    /// A path that the model does not have; no group to take the rate from; a rate that is negative or not a number.
    pub fn unfreeze_and_add_param_group(
        &mut self,
        targets: impl Into<Targets>,
        optimizer: &mut Optimizer,
        lr: Option<f64>,
        initial_denom_lr: f64,
        train_bn: bool,
    ) -> Result<()> {
        let targets = targets.into();
        self.make_trainable(targets.clone())?;
        let rate = match lr {
            Some(lr) => lr,
            None => optimizer.group(0)?.lr / initial_denom_lr,
        };
        let named = self.filter_params(targets.clone(), train_bn, true)?;
        let mut parameters: Vec<String> = Vec::new();
        for name in named {
            let storage = self.parameter(&name)?.storage();
            if optimizer.group_of(storage).is_none() && !parameters.iter().any(|known| known == storage) {
                parameters.push(storage.to_owned());
            }
        }
        if parameters.is_empty() {
            tracing::warn!("every trainable parameter of {} is in a group already: no group was added", targets.paths().join(", "));
            return Ok(());
        }
        let name = match targets.paths().as_slice() {
            [] | [""] => "model".to_owned(),
            [path] => (*path).to_owned(),
            [first, .., last] => format!("{first}..{last}"),
        };
        optimizer.add_param_group(ParamGroup { parameters, ..optimizer.new_group(&name, rate) })
    }

    /// Modules around the flattened ones, below the targets: they have no parameters but a mode.
    fn containers(&self, targets: &Targets) -> Vec<usize> {
        let tops = targets.paths();
        let within = |module: &Module| module.parameters.is_empty() && tops.iter().any(|top| super::is_within(&module.path, top));
        self.modules().iter().enumerate().filter(|(_, module)| within(module)).map(|(index, _)| index).collect()
    }

    pub(super) fn make_trainable_resolved(&mut self, modules: &[usize]) {
        self.set_requires_grad_of(modules, |_| true);
        for &index in modules {
            let module = &mut self.modules_mut()[index];
            module.training = true;
            module.track_running_stats = module.track_running_stats.map(|_| true);
        }
    }

    pub(super) fn freeze_resolved(&mut self, modules: &[usize], batch_norm: BatchNorm) {
        self.set_requires_grad_of(modules, |module| module.is_batch_norm() && batch_norm == BatchNorm::Train);
        for &index in modules {
            let module = &mut self.modules_mut()[index];
            module.track_running_stats = module.track_running_stats.map(|tracks| match batch_norm {
                BatchNorm::Train => true,
                BatchNorm::BatchStats => false,
                BatchNorm::Eval => tracks,
            });
            if batch_norm == BatchNorm::Eval {
                module.training = false;
            }
        }
    }

    fn set_requires_grad_of(&mut self, modules: &[usize], requires_grad: impl Fn(&Module) -> bool) {
        let chosen = modules.iter().map(|&index| &self.modules()[index]);
        let storages: Vec<(String, bool)> = chosen
            .flat_map(|module| module.parameters.iter().map(|parameter| (parameter.storage().to_owned(), requires_grad(module))))
            .collect();
        if storages.is_empty() {
            return;
        }
        let wanted: std::collections::HashMap<String, bool> = storages.into_iter().collect();
        for parameter in self.modules_mut().iter_mut().flat_map(|module| &mut module.parameters) {
            if let Some(&requires_grad) = wanted.get(parameter.storage()) {
                parameter.requires_grad = requires_grad;
            }
        }
    }
}

/// The parameters that no group of the optimizer has (`BaseFinetuning.filter_on_optimizer`), by identity: equal values
/// do not make two parameters one.
pub fn filter_on_optimizer<'p>(optimizer: &Optimizer, parameters: impl IntoIterator<Item = &'p Parameter>) -> Vec<&'p Parameter> {
    parameters.into_iter().filter(|parameter| optimizer.group_of(parameter.storage()).is_none()).collect()
}
