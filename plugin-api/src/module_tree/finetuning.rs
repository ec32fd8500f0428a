//! The functions of Lightning's `BaseFinetuning`, by its names and with its results.
//!
//! Two things differ, on purpose: `filter_on_optimizer` goes by a parameter's identity, not by its value, and
//! `make_trainable` puts modules that were frozen in evaluation mode back into training mode.

use std::collections::{HashMap, HashSet};

use super::{BatchNorm, Module, ModuleTree, Parameter, Targets};
use crate::error::Result;
use crate::optimizer::{Optimizer, ParamGroup};

impl ModuleTree {
    /// The leaf modules, and the modules that own parameters themselves, as indices into [`Self::modules`].
    ///
    /// An iterable container given as the target is walked through its children, so that a parameter that the
    /// container owns itself is not reached: Lightning's `flatten_modules` does the same.
    fn flatten(&self, targets: &Targets) -> Result<Vec<usize>> {
        let parents: HashSet<&str> =
            self.modules().iter().filter_map(|module| super::parent_of(&module.path)).collect();
        let mut flat = Vec::new();
        self.flatten_into(&mut flat, targets, &parents)?;
        Ok(flat)
    }

    fn flatten_into(&self, flat: &mut Vec<usize>, targets: &Targets, parents: &HashSet<&str>) -> Result<()> {
        match targets {
            Targets::List(list) => {
                list.iter().try_for_each(|target| self.flatten_into(flat, target, parents))
            }
            Targets::Module(path) if self.get(path)?.iterable => {
                self.flatten_into(flat, &Targets::from(self.children(path)?), parents)
            }
            Targets::Module(path) => {
                let within = self
                    .modules()
                    .iter()
                    .enumerate()
                    .filter(|(_, module)| super::is_within(&module.path, path));
                let is_wanted = |module: &Module| {
                    !module.parameters.is_empty() || !parents.contains(module.path.as_str())
                };
                flat.extend(within.filter(|(_, module)| is_wanted(module)).map(|(index, _)| index));
                Ok(())
            }
        }
    }

    /// The leaf modules of the targets, and the modules that own parameters themselves
    /// (`BaseFinetuning.flatten_modules`).
    ///
    /// # Errors
    /// A path that the model does not have.
    pub fn flatten_modules(&self, targets: impl Into<Targets>) -> Result<Vec<&Module>> {
        Ok(self.flatten(&targets.into())?.into_iter().map(|index| &self.modules()[index]).collect())
    }

    /// Names of the parameters of the targets whose `requires_grad` is as asked, without batch norms unless
    /// `train_bn` (`BaseFinetuning.filter_params`).
    ///
    /// # Errors
    /// A path that the model does not have.
    pub fn filter_params(
        &self,
        targets: impl Into<Targets>,
        train_bn: bool,
        requires_grad: bool,
    ) -> Result<Vec<String>> {
        let owners = self.flatten(&targets.into())?;
        Ok(self
            .filter_owners(&owners, train_bn, requires_grad)
            .map(|parameter| parameter.name.clone())
            .collect())
    }

    fn filter_owners(
        &self,
        owners: &[usize],
        train_bn: bool,
        requires_grad: bool,
    ) -> impl Iterator<Item = &Parameter> {
        let modules = owners.iter().map(|&index| &self.modules()[index]);
        let parameters = modules
            .filter(move |module| train_bn || !module.is_batch_norm())
            .flat_map(|module| &module.parameters);
        parameters.filter(move |parameter| parameter.requires_grad == requires_grad)
    }

    /// Makes the targets trainable, in training mode, their batch norms tracking statistics
    /// (`BaseFinetuning.make_trainable`).
    ///
    /// # Errors
    /// A path that the model does not have.
    pub fn make_trainable(&mut self, targets: impl Into<Targets>) -> Result<()> {
        let targets = targets.into();
        let flat = self.flatten(&targets)?;
        let all = self.within(&targets);
        self.make_trainable_resolved(&flat, &all);
        Ok(())
    }

    /// Freezes the targets (`BaseFinetuning.freeze`): with [`BatchNorm::Train`] as `train_bn=True`, with
    /// [`BatchNorm::BatchStats`] as `train_bn=False`. [`BatchNorm::Eval`] puts them into evaluation mode, the
    /// others into training mode.
    ///
    /// # Errors
    /// A path that the model does not have.
    pub fn freeze(&mut self, targets: impl Into<Targets>, batch_norm: BatchNorm) -> Result<()> {
        let targets = targets.into();
        let flat = self.flatten(&targets)?;
        let all = self.within(&targets);
        self.freeze_resolved(&flat, &all, batch_norm);
        Ok(())
    }

    /// Freezes the parameters that a module owns itself, none below it; a batch norm does as with
    /// [`BatchNorm::BatchStats`] (`BaseFinetuning.freeze_module`).
    ///
    /// # Errors
    /// A path that the model does not have.
    pub fn freeze_module(&mut self, path: &str) -> Result<()> {
        let index = self.index_of(path)?;
        self.freeze_resolved(&[index], &[index], BatchNorm::BatchStats);
        Ok(())
    }

    /// Makes the targets trainable and gives those of their parameters that are in no group yet a group of
    /// their own (`BaseFinetuning.unfreeze_and_add_param_group`). Without `lr` the rate is group 0's divided
    /// by `initial_denom_lr`. Batch norms stay out of the group unless `train_bn`. The group is named after
    /// the targets.
    ///
    /// # Errors
    /// A path that the model does not have; no group to take the rate from; a rate that is negative or not a
    /// number.
    pub fn unfreeze_and_add_param_group(
        &mut self,
        targets: impl Into<Targets>,
        optimizer: &mut Optimizer,
        lr: Option<f64>,
        initial_denom_lr: f64,
        train_bn: bool,
    ) -> Result<()> {
        let targets = targets.into();
        let rate = match lr {
            Some(lr) => lr,
            None => optimizer.group(0)?.lr / initial_denom_lr,
        };
        self.make_trainable(targets.clone())?;
        let paths = targets.paths();
        let name = match paths.as_slice() {
            [] | [""] => "model".to_owned(),
            [path] => (*path).to_owned(),
            [first, .., last] => format!("{first}..{last}"),
        };
        let owners = self.flatten(&targets)?;
        self.add_group(&name, &owners, optimizer, rate, train_bn)
    }

    /// Gives the trainable parameters of `owners` that are in no group yet a group of their own.
    pub(super) fn add_group(
        &self,
        name: &str,
        owners: &[usize],
        optimizer: &mut Optimizer,
        lr: f64,
        train_bn: bool,
    ) -> Result<()> {
        let mut seen = HashSet::new();
        let fresh = filter_on_optimizer(optimizer, self.filter_owners(owners, train_bn, true))
            .into_iter()
            .map(Parameter::storage);
        let parameters: Vec<String> =
            fresh.filter(|storage| seen.insert(*storage)).map(str::to_owned).collect();
        if parameters.is_empty() {
            tracing::warn!("every trainable parameter of `{name}` is in a group already: no group was added");
            return Ok(());
        }
        optimizer.add_param_group(ParamGroup { parameters, ..optimizer.new_group(name, lr) })
    }

    /// Freezes the batch norms of the targets alone, in the mode that `batch_norm` means: for those that stay
    /// as they are while the rest trains. [`BatchNorm::Train`] changes nothing, as `train_bn=False` does in
    /// Lightning: such batch norms keep `requires_grad` without being in a group.
    ///
    /// # Errors
    /// A path that the model does not have.
    pub fn freeze_batch_norms(&mut self, targets: impl Into<Targets>, batch_norm: BatchNorm) -> Result<()> {
        let within = self.flatten(&targets.into())?;
        if batch_norm != BatchNorm::Train {
            let norms: Vec<usize> =
                within.into_iter().filter(|&index| self.modules()[index].is_batch_norm()).collect();
            self.freeze_resolved(&norms, &norms, batch_norm);
        }
        Ok(())
    }

    /// The targets and everything below them: what a mode applies to.
    fn within(&self, targets: &Targets) -> Vec<usize> {
        let tops = targets.paths();
        let within = |module: &Module| tops.iter().any(|top| super::is_within(&module.path, top));
        self.modules()
            .iter()
            .enumerate()
            .filter(|(_, module)| within(module))
            .map(|(index, _)| index)
            .collect()
    }

    /// Parameters of `owners` train; `all` of the modules go into training mode.
    pub(super) fn make_trainable_resolved(&mut self, owners: &[usize], all: &[usize]) {
        self.set_requires_grad_of(owners, |_| true);
        for &index in all {
            let module = &mut self.modules_mut()[index];
            module.training = true;
            module.track_running_stats = module.track_running_stats.map(|_| true);
        }
    }

    /// Parameters of `owners` freeze; `all` of the modules go into the mode that `batch_norm` means.
    pub(super) fn freeze_resolved(&mut self, owners: &[usize], all: &[usize], batch_norm: BatchNorm) {
        self.set_requires_grad_of(owners, |module| module.is_batch_norm() && batch_norm == BatchNorm::Train);
        for &index in all {
            let module = &mut self.modules_mut()[index];
            module.training = batch_norm != BatchNorm::Eval;
            module.track_running_stats = module.track_running_stats.map(|tracks| match batch_norm {
                BatchNorm::Train => true,
                BatchNorm::BatchStats => false,
                BatchNorm::Eval => tracks,
            });
        }
    }

    fn set_requires_grad_of(&mut self, modules: &[usize], requires_grad: impl Fn(&Module) -> bool) {
        let chosen = modules.iter().map(|&index| &self.modules()[index]);
        let wanted: HashMap<String, bool> = chosen
            .flat_map(|module| {
                module
                    .parameters
                    .iter()
                    .map(|parameter| (parameter.storage().to_owned(), requires_grad(module)))
            })
            .collect();
        for parameter in self.modules_mut().iter_mut().flat_map(|module| &mut module.parameters) {
            if let Some(&requires_grad) = wanted.get(parameter.storage()) {
                parameter.requires_grad = requires_grad;
            }
        }
    }
}

/// The parameters that no group of the optimizer has (`BaseFinetuning.filter_on_optimizer`), by identity:
/// equal values do not make two parameters one. Those dropped are in the debug log.
pub fn filter_on_optimizer<'p>(
    optimizer: &Optimizer,
    parameters: impl IntoIterator<Item = &'p Parameter>,
) -> Vec<&'p Parameter> {
    let held: HashSet<&str> =
        optimizer.groups().iter().flat_map(|group| &group.parameters).map(String::as_str).collect();
    let (dropped, kept): (Vec<_>, Vec<_>) =
        parameters.into_iter().partition(|parameter| held.contains(parameter.storage()));
    tracing::debug!(dropped = ?dropped.iter().map(|parameter| parameter.storage()).collect::<Vec<_>>(),
        "filter_on_optimizer");
    kept
}
