//! What is trained.

use std::collections::BTreeMap;

use tch::{Device, Tensor};
use thaw_plugin_api::module_tree::ModuleTree;
use thaw_plugin_api::optimizer::ParamGroup;
use thaw_plugin_api::tensor_sets::{TensorSets, TensorValues, TorchValues};

use crate::Error;
use crate::checkpoint::{Checkpoint, CheckpointError, SavedScaler, SavedTrained, TENSOR_SETS};
use crate::config::RunConfig;
use crate::error::{tensor_sets, torch};
use crate::fit::{FitError, LossScaler};
use crate::model::HostModel;
use crate::parts::{load_checkpoint, optimizer_config};
use crate::random::is_random_state;
use thaw_optim::optimizer::{Optimizer, OptimizerConfig, Parameters};
use thaw_optim::scheduler::Scheduler;
use thaw_torch::gradients::{TensorList, zero_grad};

/// The model, and what moves its weights.
pub struct Trained {
    /// The model with its freeze state.
    pub model: HostModel,
    /// Copies of the model's tensors that hooks asked for.
    pub sets: TensorSets<Tensor>,
    /// The optimizer; not there in `setup`.
    pub optimizer: Option<Optimizer>,
    /// The model's parameters by name, tied ones once: the tensors that [`Self::model`] has.
    pub parameters: Parameters,
    /// The scheduler.
    pub scheduler: Option<Scheduler>,
    /// Loss scaling, in float16.
    pub scaler: Option<LossScaler>,
}

/// What a checkpoint keeps of what is trained. The tensors are the live ones.
pub(in crate::fit) struct TrainedSnapshot {
    /// What `state.json` has.
    pub state: SavedTrained,
    /// Weights and buffers in state_dict order.
    pub model: Vec<(String, Tensor)>,
    /// State of the optimizer.
    pub optimizer: Vec<(String, Tensor)>,
    /// Tensor sets, by `SET/NAME`.
    pub sets: Vec<(String, Tensor)>,
}

/// A copy in memory of what is trained.
pub(in crate::fit) struct HeldTrained {
    tree: ModuleTree,
    values: Vec<Tensor>,
    sets: TensorSets<Tensor>,
    optimizer: Option<HeldOptimizer>,
    scheduler: Option<Scheduler>,
    scaler: Option<SavedScaler>,
}

struct HeldOptimizer {
    config: OptimizerConfig,
    groups: Vec<ParamGroup>,
    state: Vec<(String, Tensor)>,
}

impl Trained {
    /// What a checkpoint keeps. Gradients are not among it: a checkpoint lies between two accumulation
    /// windows.
    ///
    /// # Errors
    /// The device failed at what came before, which is waited for.
    pub(in crate::fit) fn save(&self, config: &RunConfig) -> Result<TrainedSnapshot, Error> {
        let Self { model, sets, optimizer, parameters: _, scheduler, scaler } = self;
        let mut sets = sets.in_files(&mut values_of(model)).map_err(tensor_sets)?;
        let own = optimizer_config(config, model)?;
        let settings = optimizer.as_ref().map(Optimizer::config);
        let state = SavedTrained {
            modules: model.tree().modules().to_vec(),
            groups: optimizer.as_ref().map(|optimizer| optimizer.groups().to_vec()).unwrap_or_default(),
            optimizer: settings.filter(|settings| settings.algorithm != own.algorithm).cloned(),
            scheduler: scheduler.as_ref().map(Scheduler::state).transpose().map_err(FitError::from)?,
            channels_last: Some(model.is_channels_last()),
            loss_scale: scaler.as_ref().map(LossScaler::saved).transpose()?,
            tensor_sets: sets.table,
        };
        let mut share = |(name, tensor): (&str, &Tensor)| {
            (name.to_owned(), sets.weights.remove(name).unwrap_or_else(|| tensor.shallow_clone()))
        };
        Ok(TrainedSnapshot {
            state,
            model: model.exact_state_dict().map(&mut share).collect(),
            optimizer: optimizer.as_ref().map(Optimizer::state_dict).unwrap_or_default(),
            sets: sets.sets,
        })
    }

    /// Takes over what a checkpoint keeps; `tensors` are those of its optimizer.
    ///
    /// # Errors
    /// The checkpoint is another model's or another optimizer's, or damaged.
    pub(in crate::fit) fn restore(
        &mut self,
        checkpoint: &Checkpoint,
        tensors: Vec<(String, Tensor)>,
    ) -> Result<(), Error> {
        let SavedTrained {
            modules,
            groups,
            optimizer: settings,
            scheduler: schedule,
            // The model was built so.
            channels_last: _,
            loss_scale,
            tensor_sets: _,
        } = &checkpoint.state.trained;
        let Self { model, sets, optimizer, parameters: _, scheduler, scaler } = self;
        model.widen_all()?;
        load_checkpoint(model, &checkpoint.model_file(), modules)?;
        *sets = restored_sets(model, checkpoint)?;
        if let Some(optimizer) = optimizer {
            if let Some(settings) = settings {
                optimizer.replace(settings.clone()).map_err(FitError::from)?;
                scheduler.iter_mut().for_each(|scheduler| scheduler.follow(optimizer));
            }
            optimizer.set_groups(groups.clone()).map_err(FitError::from)?;
            restore_optimizer_state(optimizer, tensors, model.device())?;
            if let Some(saved) = schedule {
                let replacement =
                    Scheduler::replacement(saved, optimizer.config()).map_err(FitError::from)?;
                *scheduler = replacement.or(scheduler.take());
            }
        }
        if let (Some(scheduler), Some(saved)) = (scheduler, schedule) {
            scheduler.load_state(saved).map_err(FitError::from)?;
        }
        if let (Some(scaler), Some(saved)) = (scaler, loss_scale) {
            scaler.restore(saved)?;
        }
        Ok(())
    }

    /// Copies everything but gradients: the next accumulation window drops them anyway.
    ///
    /// # Errors
    /// The memory is too small.
    pub(in crate::fit) fn hold(&self) -> Result<HeldTrained, Error> {
        let Self { model, sets, optimizer, parameters: _, scheduler, scaler } = self;
        let copy = |tensor: &Tensor| tensor.f_detach_copy().map_err(torch("copying the state of the run"));
        let values = model.exact_state_dict().map(|(_, tensor)| copy(tensor));
        let hold_optimizer = |optimizer: &Optimizer| -> Result<HeldOptimizer, FitError> {
            let state = optimizer.state_dict().into_iter();
            Ok(HeldOptimizer {
                config: optimizer.config().clone(),
                groups: optimizer.groups().to_vec(),
                state: state
                    .map(|(name, tensor)| Ok((name, copy(&tensor)?)))
                    .collect::<Result<_, FitError>>()?,
            })
        };
        Ok(HeldTrained {
            tree: model.tree().clone(),
            values: values.collect::<Result<_, _>>()?,
            sets: sets.copied(&values_of(model)).map_err(tensor_sets)?,
            optimizer: optimizer.as_ref().map(hold_optimizer).transpose()?,
            scheduler: scheduler.clone(),
            scaler: scaler.as_ref().map(LossScaler::saved).transpose()?,
        })
    }

    /// Puts everything back that [`Self::hold`] copied.
    ///
    /// # Errors
    /// libtorch refuses: the run cannot go on.
    pub(in crate::fit) fn put_back(&mut self, held: &HeldTrained) -> Result<(), Error> {
        let HeldTrained {
            tree,
            values,
            sets: held_sets,
            optimizer: held_optimizer,
            scheduler: held_scheduler,
            scaler: held_scaler,
        } = held;
        let Self { model, sets, optimizer, parameters, scheduler, scaler } = self;
        model.widen_all()?;
        model.apply_tree(tree.clone())?;
        tch::no_grad(|| {
            let mut pairs = model.state_dict().iter().zip(values);
            pairs.try_for_each(|((_, tensor), value)| tensor.shallow_clone().f_copy_(value).map(drop))
        })
        .map_err(torch("putting the state of the run back"))?;
        *sets = held_sets.copied(&values_of(model)).map_err(tensor_sets)?;
        zero_grad(&TensorList::from_iter(parameters.iter().map(|(_, tensor)| tensor)))?;
        if let (Some(optimizer), Some(held)) = (optimizer, held_optimizer) {
            held.put_back(optimizer)?;
        }
        scheduler.clone_from(held_scheduler);
        if let (Some(scaler), Some(saved)) = (scaler, held_scaler) {
            scaler.restore(saved)?;
        }
        Ok(())
    }
}

impl HeldOptimizer {
    fn put_back(&self, optimizer: &mut Optimizer) -> Result<(), FitError> {
        let Self { config, groups, state } = self;
        if optimizer.config() != config {
            optimizer.replace(config.clone())?;
        }
        optimizer.set_groups(groups.clone())?;
        // Loading copies: the held tensors may be put back more than once.
        let state = state.iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone()));
        Ok(optimizer.load_state_dict(state)?)
    }
}

/// The model's tensors, as sets see them.
pub(in crate::fit) fn values_of(model: &HostModel) -> impl TensorValues<Tensor = Tensor> {
    TorchValues(|name: &str| Ok(model.tensor(name)?.shallow_clone()))
}

/// The tensor sets of a checkpoint whose weights are in the model, as its file has them; afterwards the model
/// has those that train.
///
/// # Errors
/// They are of another model, or the file is damaged.
pub(in crate::fit) fn restored_sets(
    model: &HostModel,
    checkpoint: &Checkpoint,
) -> Result<TensorSets<Tensor>, Error> {
    let tensors: BTreeMap<String, Tensor> = checkpoint.tensor_sets()?.into_iter().collect();
    let saved = |key: &str| {
        let tensor = tensors.get(key).map(Tensor::shallow_clone);
        tensor.ok_or_else(|| thaw_plugin_api::Error::new("the file does not have it"))
    };
    let sets = TensorSets::restored(&checkpoint.state.trained.tensor_sets, saved, &mut values_of(model));
    Ok(sets.map_err(|error| CheckpointError::State {
        path: checkpoint.shown().join(TENSOR_SETS),
        reason: error.to_string(),
    })?)
}

/// Takes over the optimizer's part of a checkpoint's tensors.
pub(in crate::fit) fn restore_optimizer_state(
    optimizer: &mut Optimizer,
    tensors: Vec<(String, Tensor)>,
    device: Device,
) -> Result<(), FitError> {
    let own = tensors.into_iter().filter(|(name, _)| !is_random_state(name));
    let moved = own.map(|(name, tensor)| {
        // Step counters live on the CPU, moments beside their parameters.
        let tensor = if name.ends_with("/step") { tensor } else { tensor.f_to_device(device)? };
        Ok((name, tensor))
    });
    let moved: Vec<_> = moved.collect::<Result<_, _>>().map_err(torch("moving optimizer state"))?;
    Ok(optimizer.load_state_dict(moved)?)
}
