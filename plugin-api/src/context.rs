//! What a hook sees of the run, and what it can ask for.

mod checkpoint_name;
mod outcome;
mod progress;
mod request;
mod services;
mod tensor_set;

use std::any::TypeId;
use std::collections::BTreeMap;

pub use checkpoint_name::CheckpointName;
pub use outcome::{Numbers, OUTPUTS, TARGETS, no_outcome};
pub use progress::{Progress, Stage};
pub(crate) use request::number;
pub use request::{Request, number_from_json, number_to_json};
use serde_json::Value;
pub use services::Services;
pub use tensor_set::TensorSet;

use crate::error::{Error, ErrorKind, Result};
use crate::module_tree::ModuleTree;
use crate::optimizer::{Optimizer, no_optimizer};

/// A hook's view of the run.
///
/// Numbers of progress are there at once. Model and optimizer are asked for when first needed, and changes to
/// them are given to the host when the hook returns. Whatever is asked for (a stop, a checkpoint, a
/// validation) the host does as soon as the loop allows, and says so in the log.
pub struct Context<'a> {
    progress: Progress,
    services: &'a mut dyn Services,
    model: Option<ModuleTree>,
    optimizer: Option<Optimizer>,
    /// The type whose default body ran, if one did.
    not_implemented: Option<TypeId>,
}

impl<'a> Context<'a> {
    /// A context over what a host offers.
    pub fn new(progress: Progress, services: &'a mut dyn Services) -> Self {
        Self { progress, services, model: None, optimizer: None, not_implemented: None }
    }

    /// Where the run stands.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The epoch, from 0.
    pub fn epoch(&self) -> usize {
        self.progress.epoch
    }

    /// Optimizer steps so far.
    pub fn global_step(&self) -> usize {
        self.progress.global_step
    }

    /// The batch within the epoch, from 0.
    pub fn batch_index(&self) -> usize {
        self.progress.batch_index
    }

    /// Which of the run's processes this is, from 0. Hooks run in each of them, on metrics of all of them
    /// together, and have to decide alike: files, for one, are best written by process 0 alone.
    pub fn rank(&self) -> usize {
        self.progress.rank
    }

    /// Processes that train together; 1 where the run has no others, and under an older host.
    pub fn world_size(&self) -> usize {
        self.progress.world_size
    }

    /// The model's modules, with their freeze state, to read and to change.
    ///
    /// # Errors
    /// The host cannot give it.
    pub fn model(&mut self) -> Result<&mut ModuleTree> {
        Ok(self.loaded()?.0)
    }

    /// The parameter groups, to read and to change.
    ///
    /// # Errors
    /// There is no optimizer yet (in `setup`).
    pub fn optimizer(&mut self) -> Result<&mut Optimizer> {
        if self.optimizer.is_none() {
            self.optimizer = Some(serde_json::from_value(Request::Optimizer.send(self.services)?)?);
        }
        self.optimizer.as_mut().ok_or_else(no_optimizer)
    }

    /// Both at once, for what changes freeze state and groups together.
    ///
    /// # Errors
    /// There is no optimizer yet (in `setup`).
    pub fn model_and_optimizer(&mut self) -> Result<(&mut ModuleTree, &mut Optimizer)> {
        self.optimizer()?;
        match self.loaded()? {
            (model, Some(optimizer)) => Ok((model, optimizer)),
            (_, None) => Err(no_optimizer()),
        }
    }

    fn loaded(&mut self) -> Result<(&mut ModuleTree, Option<&mut Optimizer>)> {
        if self.model.is_none() {
            self.model = Some(serde_json::from_value(Request::Model.send(self.services)?)?);
        }
        match self.model.as_mut() {
            Some(model) => Ok((model, self.optimizer.as_mut())),
            None => Err(Error::new("there is no model")),
        }
    }

    /// Every metric that this epoch has given so far, by Lightning's names: `train_loss`, `val_acc`, …. Until
    /// the hooks of an epoch's start have run, those of the epoch before. Older values are not there: in an
    /// epoch that does not validate there is no `val_loss`.
    ///
    /// # Errors
    /// The host cannot give them.
    pub fn metrics(&mut self) -> Result<BTreeMap<String, f64>> {
        let metrics: BTreeMap<String, Value> = serde_json::from_value(Request::Metrics.send(self.services)?)?;
        Ok(metrics
            .into_iter()
            .map(|(name, value)| (name, number_from_json(&value).unwrap_or(f64::NAN)))
            .collect())
    }

    /// The value of one metric, as [`Self::metrics`] has it; `None` if this epoch has not given it.
    ///
    /// # Errors
    /// The host cannot give it.
    pub fn metric(&mut self, name: &str) -> Result<Option<f64>> {
        Ok(self.metrics()?.remove(name))
    }

    /// Says that a metric is going to be looked at, which the run config names under `key`. The host ends the
    /// run as soon as it can know that there will be no such metric: after the first batches of validation,
    /// in most runs. Call it in `on_fit_start`. An older host does nothing.
    ///
    /// # Errors
    /// The host's.
    pub fn monitor(&mut self, metric: &str, key: &str) -> Result<()> {
        let request = Request::Monitor { metric: metric.to_owned(), key: key.to_owned() };
        match request.send(self.services) {
            Err(error) if error.message() == unknown_operation("monitor").message() => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// The last batch's loss, before any division for accumulation; `None` before the first one.
    ///
    /// # Errors
    /// The host cannot give it.
    pub fn loss(&mut self) -> Result<Option<f64>> {
        Ok(number_from_json(&Request::Loss.send(self.services)?))
    }

    /// Why the run ends, in `on_exception`.
    ///
    /// # Errors
    /// The host cannot give it.
    pub fn exception(&mut self) -> Result<Option<String>> {
        Ok(Request::Exception.send(self.services)?.as_str().map(str::to_owned))
    }

    /// Logs a metric: it goes into `metrics.jsonl` with this epoch and step, and to the progress line.
    ///
    /// # Errors
    /// A name that the host reserves.
    pub fn log(&mut self, name: &str, value: f64) -> Result<()> {
        Request::Log { name: name.to_owned(), value }.send(self.services).map(drop)
    }

    /// Asks the run to stop after this batch.
    ///
    /// # Errors
    /// The host cannot stop.
    pub fn stop(&mut self, reason: &str) -> Result<()> {
        Request::Stop { reason: reason.to_owned() }.send(self.services).map(drop)
    }

    /// Asks for a checkpoint of this name, after this batch or epoch; after `on_train_end`, of what the run
    /// ends with. An earlier one of the name is replaced.
    ///
    /// # Errors
    /// As [`CheckpointName::new`]: no name of a file, or `last` or `best`, which are the host's.
    pub fn save_checkpoint(&mut self, name: &str) -> Result<()> {
        Request::SaveCheckpoint { name: CheckpointName::new(name)? }.send(self.services).map(drop)
    }

    /// Asks for a validation after this batch.
    ///
    /// # Errors
    /// The run has no validation data.
    pub fn validate(&mut self) -> Result<()> {
        Request::Validate.send(self.services).map(drop)
    }

    /// Asks for new statistics of the batch norms that training updates: once the hook's place in the run is
    /// over, and before checkpoints that hooks have asked for are written, the training data passes the model
    /// once without a step, and each statistic becomes the mean of what the batches gave. For weights that
    /// have not made their statistics themselves, such as averages.
    ///
    /// Source: `torch.optim.swa_utils.update_bn`.
    ///
    /// # Errors
    /// The host is older than plugin-api 1.4.
    pub fn update_batch_norms(&mut self) -> Result<()> {
        match Request::UpdateBatchNorms.send(self.services) {
            Err(error) if error.message() == unknown_operation("update-batch-norms").message() => {
                let error = Error::new("this host is too old to update the statistics of batch norms");
                Err(error.help("use a host with thaw-plugin-api 1.4 or newer"))
            }
            answer => answer.map(drop),
        }
    }

    /// Puts the weights and buffers of a checkpoint of this run back (`best`, `last`, or one of your own) at
    /// once; optimizer state, groups and freeze state stay.
    ///
    /// # Errors
    /// No such checkpoint.
    pub fn restore_weights(&mut self, checkpoint: &str) -> Result<()> {
        Request::RestoreWeights { checkpoint: checkpoint.to_owned(), optimizer: false }
            .send(self.services)
            .map(drop)
    }

    /// As [`Self::restore_weights`], and the optimizer's state of that checkpoint, too: moments that belong
    /// to the weights. Parameters that had no state then start without.
    ///
    /// # Errors
    /// No such checkpoint.
    pub fn restore_weights_and_optimizer(&mut self, checkpoint: &str) -> Result<()> {
        Request::RestoreWeights { checkpoint: checkpoint.to_owned(), optimizer: true }
            .send(self.services)
            .map(drop)
    }

    /// Starts the run's scheduler anew when the hook has returned, over the groups as they are then: it
    /// scales their `initial_lr`. `settings` is a `[scheduler]` table; without it the run config's own start
    /// again (nothing happens where it has none). A schedule that spans its whole length, such as `cosine`
    /// without `T_max`, ends before `until_epoch` or at the optimizer step `until_step`, whichever is first,
    /// or else with the run. The new scheduler is in checkpoints from then on.
    ///
    /// # Errors
    /// There is no optimizer yet, or settings that do not fit.
    pub fn restart_scheduler(
        &mut self,
        settings: Option<&Value>,
        until_epoch: Option<usize>,
        until_step: Option<usize>,
    ) -> Result<()> {
        Request::RestartScheduler { settings: settings.cloned(), until_epoch, until_step }
            .send(self.services)
            .map(drop)
    }

    /// Checks a `[scheduler]` table that is to be used later.
    ///
    /// # Errors
    /// The key, what was found and what was expected.
    pub fn check_scheduler(&mut self, settings: &Value) -> Result<()> {
        Request::CheckSettings { scheduler: Some(settings.clone()), options: None, optimizer: None }
            .send(self.services)
            .map(drop)
    }

    /// Checks options that a group is to have later, against the run's optimizer.
    ///
    /// # Errors
    /// The option, what was found and what was expected.
    pub fn check_group_options(&mut self, options: &BTreeMap<String, f64>) -> Result<()> {
        Request::CheckSettings { scheduler: None, options: Some(options.clone()), optimizer: None }
            .send(self.services)
            .map(drop)
    }

    /// Puts another optimizer in the place of the run's: `sgd`, `adam`, `adamw`, with options by the names of
    /// a group's ([`ParamGroup::options`](crate::optimizer::ParamGroup)). Its state starts empty. Groups keep
    /// their parameters, rates and weight decay, and lose options of their own. It is in checkpoints from
    /// then on.
    ///
    /// # Errors
    /// There is no optimizer yet, no such id, or an option that does not fit.
    pub fn replace_optimizer(&mut self, id: &str, options: &BTreeMap<String, f64>) -> Result<()> {
        self.apply()?;
        Request::ReplaceOptimizer { id: id.to_owned(), options: options.clone() }
            .send(self.services)
            .map(drop)
    }

    /// Checks what [`Self::replace_optimizer`] is to be called with later.
    ///
    /// # Errors
    /// The id or the option, what was found and what was expected.
    pub fn check_optimizer(&mut self, id: &str, options: &BTreeMap<String, f64>) -> Result<()> {
        let (options, optimizer) = (Some(options.clone()), Some(id.to_owned()));
        Request::CheckSettings { scheduler: None, options, optimizer }.send(self.services).map(drop)
    }

    /// Says in a plan ([`Stage::Plan`]) what cannot be known before the run; elsewhere nothing happens.
    ///
    /// # Errors
    /// The host does not know the operation.
    pub fn note(&mut self, text: &str) -> Result<()> {
        if self.progress.stage != Stage::Plan {
            return Ok(());
        }
        Request::Note { text: text.to_owned() }.send(self.services).map(drop)
    }

    /// Sets a group's rate, without asking for model and groups: for rates that change at every step.
    ///
    /// # Errors
    /// No group has this name, or the rate is negative or not a number.
    pub fn set_lr(&mut self, group: &str, lr: f64) -> Result<()> {
        if !(lr >= 0.0 && lr.is_finite()) {
            return Err(Error::new(format_args!(
                "the rate of group `{group}` is {lr}, expected a number of at least 0"
            )));
        }
        if let Some(optimizer) = &mut self.optimizer {
            optimizer.group_named(group)?.lr = lr;
            return Ok(());
        }
        Request::SetLr { group: group.to_owned(), lr }.send(self.services).map(drop)
    }

    /// Asks the host for something that this version of the API has no method for.
    ///
    /// # Errors
    /// The host does not know the operation.
    pub fn request(&mut self, operation: &str, payload: Value) -> Result<Value> {
        self.services.request(operation, payload)
    }

    /// A parameter or buffer of the model by its full name, such as `backbone.0.weight`: not a copy, so that
    /// what is written into it (under [`tch::no_grad`]) is the model's. Its gradient is there between
    /// `on_after_backward` and the step.
    ///
    /// # Errors
    /// No tensor has this name; there are no values, as in a plan; host and plugin were built with different
    /// libtorch.
    #[cfg(feature = "torch")]
    pub fn tensor(&mut self, name: &str) -> Result<tch::Tensor> {
        static SAME_LIBTORCH: std::sync::OnceLock<()> = std::sync::OnceLock::new();
        if SAME_LIBTORCH.get().is_none() {
            let host: crate::abi::TorchVersions =
                serde_json::from_value(Request::Libtorch.send(self.services)?)?;
            let plugin = crate::abi::torch_versions();
            crate::ensure!(
                host == plugin,
                "built for {plugin}, this host has {host}: build both with the same libtorch and tch"
            );
            SAME_LIBTORCH.get_or_init(|| ());
        }
        Ok(crate::abi::RawTensor::from_raw(self.services.tensor(name)?).into())
    }

    /// A set of the model's tensors that the host keeps under this name, such as an average of the weights:
    /// it is in every checkpoint, and a resumed run goes on with it. It begins with
    /// [`TensorSet::copy_from_model`]. Names (letters, digits, `-`, `_`) are the run's: take one that begins
    /// with the callback's id. Since 1.3.
    ///
    /// ```
    /// use thaw_plugin_api::prelude::*;
    /// use thaw_plugin_api::tensor_sets::SetContents;
    ///
    /// fn average(context: &mut Context) -> Result<()> {
    ///     let mut average = context.tensor_set("average")?;
    ///     if average.is_empty()? {
    ///         return average.copy_from_model(&SetContents::all());
    ///     }
    ///     average.lerp_to_model(0.001)
    /// }
    /// ```
    ///
    /// # Errors
    /// No name of a set. What is asked of the set fails where the host is too old, or nothing trains.
    pub fn tensor_set(&mut self, name: &str) -> Result<TensorSet<'_, 'a>> {
        TensorSet::new(self, name)
    }

    /// What the default body of every hook does: says that this type did not write it.
    #[doc(hidden)]
    pub fn not_implemented<T: 'static>(&mut self) -> Result<()> {
        self.not_implemented = Some(TypeId::of::<T>());
        Ok(())
    }

    /// Whether the hook was written by the author of `T`. A hook of `T` that hands on to one of another type,
    /// which that one did not write, is written.
    #[doc(hidden)]
    pub fn is_implemented<T: 'static>(&self) -> bool {
        self.not_implemented != Some(TypeId::of::<T>())
    }

    /// Gives the changes to the host.
    #[doc(hidden)]
    pub fn finish(mut self) -> Result<()> {
        self.apply()
    }

    /// Gives the changes to the host; model and groups are asked for anew when next needed.
    fn apply(&mut self) -> Result<()> {
        let model = self.model.take().filter(ModuleTree::is_changed);
        let optimizer = self.optimizer.take().filter(Optimizer::is_changed);
        if model.is_none() && optimizer.is_none() {
            return Ok(());
        }
        // Here and not in the host alone: JSON would turn a rate that is not a number into a riddle.
        optimizer.as_ref().map_or(Ok(()), Optimizer::check)?;
        Request::Apply { model, optimizer }.send(self.services).map(drop)
    }
}

/// The error of a host that does not know an operation.
pub fn unknown_operation(operation: &str) -> Error {
    Error::of(ErrorKind::Other, format_args!("this host does not know the operation `{operation}`"))
        .help("use a newer host, or an older plugin")
}
