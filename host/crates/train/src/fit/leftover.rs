//! A last batch of an epoch that is a single sample: batch norm cannot train on one value per channel.
//!
//! The run would end there, after an epoch's work, or in the epoch in which a strategy thaws the layer. So
//! the batch goes through the model before anything trains, in the modes that are to come.

use std::collections::HashSet;

use tch::Tensor;
use thaw_plugin_api::model::Batch;
use thaw_plugin_api::module_tree::{Module, ModuleTree};

use super::arrival::to_device;
use super::{Fit, FitError, RunState};
use crate::Error;
use crate::error::torch;
use crate::model::Phase;
use crate::parts::run_length;
use crate::plan::plan;
use crate::random::RandomStates;
use thaw_data::Split;
use thaw_torch::Autocast;

/// What the model says of a batch.
enum Probe {
    Takes,
    /// With the reason.
    Refuses(String),
}

impl Fit {
    /// Refuses a run whose last batch of an epoch the model cannot train on.
    ///
    /// # Errors
    /// It cannot, and [`FitError::LeftoverBatch`] says from which epoch on and what to do; or the data cannot
    /// be read.
    pub(super) fn check_leftover_batch(&mut self) -> Result<(), Error> {
        self.check_leftover_validation()?;
        let Some(position) = self.state.single_sample() else { return Ok(()) };
        let Some(batch) = self.state.leftover_batch(Split::Train, position)? else { return Ok(()) };
        let built = self.state.trained.model.tree().clone();
        if let Probe::Takes = self.state.probe(&all_training(&built)?, &batch)? {
            return Ok(());
        }
        for (epoch, tree) in self.trees_to_come(&built) {
            let Probe::Refuses(reason) = self.state.probe(&tree, &batch)? else { continue };
            // A model that takes no batch at all says so itself, in the run.
            if self.state.takes_whole_batches(&tree)? {
                return Err(self.state.leftover(epoch, reason).into());
            }
            return Ok(());
        }
        Ok(())
    }

    /// The same for the last batch of validation, where a module stays in training mode then, too.
    fn check_leftover_validation(&mut self) -> Result<(), Error> {
        let state = &mut self.state;
        let tree = state.trained.model.tree().clone();
        if !tree.modules().iter().any(|module| module.fixed_mode == Some(true)) {
            return Ok(());
        }
        let (samples, batch_size) = (state.data.samples(Split::Val), state.data.batch_size(Split::Val));
        let last = state.progress().num_validation_batches.checked_sub(1);
        let is_single = |last: &usize| {
            let left = samples.checked_sub(last * batch_size);
            left.is_some_and(|left| state.data.shared().smallest(left.min(batch_size)) == 1)
        };
        let Some(last) = last.filter(is_single) else { return Ok(()) };
        let Some(batch) = state.leftover_batch(Split::Val, last)? else { return Ok(()) };
        state.trained.model.set_phase(Phase::Validate);
        let answer = state.probe(&tree, &batch);
        state.trained.model.set_phase(Phase::Train);
        match answer? {
            Probe::Takes => Ok(()),
            Probe::Refuses(reason) => {
                Err(FitError::LeftoverValidation { samples, batch_size, reason }.into())
            }
        }
    }

    /// The modes of the epochs that are to come, as a plan has them; without strategies they stay.
    fn trees_to_come(&self, built: &ModuleTree) -> Vec<(usize, ModuleTree)> {
        let next = self.state.progress().epoch;
        if self.callbacks.is_empty() {
            return vec![(next, built.clone())];
        }
        let steps = run_length(&self.state.config, &self.state.progress()).steps_per_epoch;
        // What strategies say of it, they say again in the run.
        let silent = tracing::subscriber::NoSubscriber::default();
        let planned = self.state.undisturbed(|| {
            tracing::subscriber::with_default(silent, || plan(&self.state.config, &self.plugins, steps))
        });
        let Ok(Ok(planned)) = planned else { return vec![(next, built.clone())] };
        if planned.states.iter().any(|state| !state.notes.is_empty()) {
            self.state.warnings.warn(format_args!(
                "the last batch of every epoch is a single sample, on which the whole model cannot train; \
                 where a strategy thaws more than is planned now, the run ends there: {}",
                self.state.remedy()
            ));
        }
        let states = planned.states.into_iter();
        let mut trees: Vec<(usize, ModuleTree)> = states.map(|state| (state.epoch, state.tree)).collect();
        let begun = trees.iter().rposition(|(epoch, _)| *epoch <= next).unwrap_or(0);
        trees.drain(..begun);
        trees.dedup_by(|(_, later), (_, earlier)| modes(later).eq(modes(earlier)));
        trees
    }
}

impl RunState {
    /// The position of the last batch of an epoch, if it is trained and holds one sample.
    fn single_sample(&self) -> Option<usize> {
        let trainer = &self.config.trainer;
        let last = self.progress().num_training_batches.checked_sub(1)?;
        let batch_size = self.data.batch_size(Split::Train);
        let samples = self.data.samples(Split::Train).checked_sub(last * batch_size)?;
        // Of the smallest share, where several processes have one.
        let is_single = self.data.shared().smallest(samples.min(batch_size)) == 1;
        let is_reached = self.progress().epoch < trainer.max_epochs
            && trainer.max_steps.is_none_or(|steps| steps > last / self.window());
        (is_single && is_reached).then_some(last)
    }

    /// The last batch of an epoch; where several processes share it, a single sample as one of them has it.
    fn leftover_batch(&self, split: Split, position: usize) -> Result<Option<Batch>, Error> {
        if self.world.is_single() {
            return self.batch(split, position);
        }
        let one = self.data.batch(split, self.progress().epoch as u64, &[0])?;
        Ok(Some(to_device(one, self.trained.model.device())?.0))
    }

    fn batch(&self, split: Split, position: usize) -> Result<Option<Batch>, Error> {
        let loader = self.data.loader(split, self.progress().epoch as u64, position)?;
        let batch = loader.into_iter().flatten().next().transpose()?;
        Ok(batch
            .map(|batch| to_device(batch, self.trained.model.device()))
            .transpose()?
            .map(|(batch, _)| batch))
    }

    /// Whether the first batch passes in these modes; assumed of one that is a single sample itself.
    fn takes_whole_batches(&mut self, tree: &ModuleTree) -> Result<bool, Error> {
        if self.data.shared().smallest(self.data.batch_size(Split::Train)) == 1 {
            return Ok(true);
        }
        let Some(first) = self.batch(Split::Train, 0)? else { return Ok(true) };
        Ok(matches!(self.probe(tree, &first)?, Probe::Takes))
    }

    /// What the model says of a batch of training in these modes. Everything is afterwards as before.
    fn probe(&mut self, tree: &ModuleTree, batch: &Batch) -> Result<Probe, Error> {
        let before = self.trained.model.tree().clone();
        let kept = self.buffers()?;
        let states = RandomStates::of(self.trained.model.device())?;
        self.trained.model.apply_tree(tree.clone())?;
        let result = {
            let _guard = tch::no_grad_guard();
            let _autocast = Autocast::of(self.config.trainer.precision, self.trained.model.device())?;
            match self.trained.model.step(batch) {
                Ok(_) => Probe::Takes,
                Err(error) => Probe::Refuses(error.to_string()),
            }
        };
        self.trained.model.apply_tree(before)?;
        tch::no_grad(|| {
            kept.iter().try_for_each(|(buffer, value)| buffer.shallow_clone().f_copy_(value).map(drop))
        })
        .map_err(torch("putting buffers back"))?;
        states.put_back()?;
        Ok(result)
    }

    /// The model's buffers, and copies of their values.
    pub(super) fn buffers(&self) -> Result<Vec<(Tensor, Tensor)>, FitError> {
        let parameters: HashSet<&str> =
            self.trained.model.tree().parameters().map(|parameter| &*parameter.name).collect();
        let buffers =
            self.trained.model.state_dict().iter().filter(|(name, _)| !parameters.contains(name.as_str()));
        let copies = buffers.map(|(_, buffer)| Ok((buffer.shallow_clone(), buffer.f_detach_copy()?)));
        copies.collect::<Result<_, _>>().map_err(torch("copying buffers"))
    }

    /// Does something that draws random numbers, and puts the generators back.
    fn undisturbed<T>(&self, what: impl FnOnce() -> T) -> Result<T, Error> {
        let states = RandomStates::of(self.trained.model.device())?;
        let result = what();
        states.put_back()?;
        Ok(result)
    }

    fn leftover(&self, epoch: usize, reason: String) -> FitError {
        let (samples, batch_size) = (self.data.samples(Split::Train), self.data.batch_size(Split::Train));
        let processes = self.world.size();
        let remedy = self.remedy();
        FitError::LeftoverBatch { samples, batch_size, processes, epoch: epoch + 1, reason, remedy }
    }

    /// What to write instead.
    fn remedy(&self) -> String {
        let (samples, batch_size) = (self.data.samples(Split::Train), self.data.batch_size(Split::Train));
        if !self.world.is_single() {
            return "set drop_last = true in [data], or another batch_size".to_owned();
        }
        let fits = |size: &usize| *size > 1 && samples % size != 1;
        let near = (batch_size + 1..=samples).find(fits).or((2..batch_size).rev().find(fits));
        let other = near
            .map_or("another batch_size".to_owned(), |size| format!("another batch_size, such as {size}"));
        match batch_size {
            1 => format!(
                "set {other}, in [data]; accumulate_grad_batches does not help, since each batch passes alone"
            ),
            _ if samples < batch_size => "give it more samples".to_owned(),
            _ => format!("set drop_last = true in [data], or {other}"),
        }
    }
}

/// Every module in training mode that knows it.
fn all_training(tree: &ModuleTree) -> Result<ModuleTree, Error> {
    let training = |module: &Module| Module { training: module.fixed_mode.unwrap_or(true), ..module.clone() };
    let modules = tree.modules().iter().map(training).collect();
    let all = ModuleTree::new(modules).map_err(|error| FitError::Config(error.to_string()))?;
    Ok(all.with_stages(tree.stages().to_vec()))
}

fn modes(tree: &ModuleTree) -> impl Iterator<Item = bool> + '_ {
    tree.modules().iter().map(|module| module.training)
}
