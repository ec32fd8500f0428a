//! A fake run: what it is made of.

use std::ffi::c_void;

use serde_json::Value;

use super::host::Host;
use super::instance::FakeInstance;
use super::log::CaughtLog;
use super::{EpochRecord, FakeModel, Report};
use crate::__private::{box_callback, box_strategy};
use crate::abi::{BoxedInstance, Kind};
use crate::callback::Callback;
use crate::config::parse;
use crate::context::Numbers;
use crate::error::{Error, Result};
use crate::module_tree::ModuleTree;
use crate::optimizer::{Optimizer, ParamGroup};
use crate::strategy::Strategy;

/// Strategies and callbacks over a fake model, driven in the host's order: freeze, build the optimizer, then
/// per epoch fine-tune, batches, scheduler, validation.
///
/// Without further ado: 10 epochs of 4 batches, Adam with rate 1e-3 over what requires gradients, loss 1, a
/// validation of one batch after each epoch.
pub struct FakeRun {
    pub(super) model: Result<ModuleTree>,
    pub(super) setup: Setup,
    pub(super) instances: Vec<FakeInstance>,
    pub(super) log: CaughtLog,
    /// State to go on from, until the run starts.
    pub(super) saved: Option<Value>,
    /// What a stop inside an epoch left to go on from.
    pub(super) saved_at_stop: Option<Value>,
    /// There once the run has started.
    pub(super) host: Option<Host>,
    pub(super) epochs: Vec<EpochRecord>,
}

/// Computes a number from the count of batches so far, from 0.
type OfBatch = Box<dyn FnMut(usize) -> f64>;
/// Computes a metric from the epoch.
type OfEpoch = Box<dyn FnMut(usize) -> f64>;
/// Gives outputs and targets of a batch of validation, by epoch and batch.
type OfValidation = Box<dyn FnMut(usize, usize) -> (Numbers, Option<Numbers>)>;
/// Changes rates at the end of an epoch.
type Scheduler = Box<dyn FnMut(usize, &mut [ParamGroup])>;
/// Gives the handle of a tensor by name.
pub(super) type OfName = Box<dyn FnMut(&str) -> Result<*mut c_void>>;

pub(super) struct Setup {
    pub optimizer: String,
    pub lr: f64,
    pub weight_decay: f64,
    pub parameters: Option<Vec<String>>,
    pub max_epochs: usize,
    pub batches: usize,
    pub validation_batches: usize,
    pub check_val_every_n_epoch: usize,
    /// Batches from one validation to the next; none where an epoch validates at its end.
    pub val_check_interval: Option<usize>,
    pub accumulate: usize,
    pub audited: bool,
    pub loss: OfBatch,
    pub metrics: Vec<(String, OfEpoch)>,
    pub outcome: OfValidation,
    pub scheduler: Option<Scheduler>,
    /// Moves to the host when the run starts.
    pub tensors: Option<OfName>,
}

impl FakeRun {
    /// A run over this model.
    pub fn new(model: FakeModel) -> Self {
        let setup = Setup {
            optimizer: "adam".to_owned(),
            lr: 1e-3,
            weight_decay: 0.0,
            parameters: None,
            max_epochs: 10,
            batches: 4,
            validation_batches: 1,
            check_val_every_n_epoch: 1,
            val_check_interval: None,
            accumulate: 1,
            audited: true,
            loss: Box::new(|_| 1.0),
            metrics: Vec::new(),
            outcome: Box::new(made_up),
            scheduler: None,
            tensors: None,
        };
        let model = model.tree();
        let (saved, saved_at_stop, host) = (None, None, None);
        Self {
            model,
            setup,
            instances: Vec::new(),
            log: CaughtLog::new(),
            saved,
            saved_at_stop,
            host,
            epochs: Vec::new(),
        }
    }

    /// The optimizer's id and rate.
    #[must_use]
    pub fn optimizer(mut self, id: &str, lr: f64) -> Self {
        self.setup.optimizer = id.to_owned();
        self.setup.lr = lr;
        self
    }

    /// Weight decay of the optimizer's groups; 0 by default.
    #[must_use]
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.setup.weight_decay = weight_decay;
        self
    }

    /// What the optimizer starts with: module paths or globs, as under `parameters` in a run config. Without
    /// it, all that require gradients after the freezing.
    #[must_use]
    pub fn parameters<P: Into<String>>(mut self, patterns: impl IntoIterator<Item = P>) -> Self {
        self.setup.parameters = Some(patterns.into_iter().map(Into::into).collect());
        self
    }

    /// Epochs that the run is to have.
    #[must_use]
    pub fn max_epochs(mut self, epochs: usize) -> Self {
        self.setup.max_epochs = epochs;
        self
    }

    /// Batches per epoch, of training.
    #[must_use]
    pub fn batches(mut self, batches: usize) -> Self {
        self.setup.batches = batches;
        self
    }

    /// Batches of a validation; 0 for a run without validation data.
    #[must_use]
    pub fn validation_batches(mut self, batches: usize) -> Self {
        self.setup.validation_batches = batches;
        self
    }

    /// Epochs between validations; 1 by default.
    #[must_use]
    pub fn check_val_every_n_epoch(mut self, epochs: usize) -> Self {
        self.setup.check_val_every_n_epoch = epochs.max(1);
        self
    }

    /// Batches from one validation to the next, in an epoch that validates: it then validates at its end only
    /// where its last batch is due.
    #[must_use]
    pub fn val_check_interval(mut self, batches: usize) -> Self {
        self.setup.val_check_interval = Some(batches.max(1));
        self
    }

    /// Batches per optimizer step; the last window of an epoch may be shorter.
    #[must_use]
    pub fn accumulate(mut self, batches: usize) -> Self {
        self.setup.accumulate = batches.max(1);
        self
    }

    /// The loss of every batch, by the count of batches so far, from 0.
    #[must_use]
    pub fn loss(mut self, loss: impl FnMut(usize) -> f64 + 'static) -> Self {
        self.setup.loss = Box::new(loss);
        self
    }

    /// A metric of the validation, by the epoch: `val_loss`, `val_acc`, ….
    #[must_use]
    pub fn metric(mut self, name: &str, value: impl FnMut(usize) -> f64 + 'static) -> Self {
        self.setup.metrics.push((name.to_owned(), Box::new(value)));
        self
    }

    /// What the model gives for each batch of validation, and the batch's targets, by epoch and batch, both
    /// from 0: what [`Context::outputs`](crate::context::Context::outputs) and
    /// [`Context::targets`](crate::context::Context::targets) see. Without it four samples of three classes,
    /// with logits that follow from epoch and batch.
    #[must_use]
    pub fn validation_outputs(
        mut self,
        outcome: impl FnMut(usize, usize) -> (Numbers, Option<Numbers>) + 'static,
    ) -> Self {
        self.setup.outcome = Box::new(outcome);
        self
    }

    /// A stand-in for the run's scheduler: changes rates after the last step of every epoch.
    #[must_use]
    pub fn scheduler(mut self, scheduler: impl FnMut(usize, &mut [ParamGroup]) + 'static) -> Self {
        self.setup.scheduler = Some(Box::new(scheduler));
        self
    }

    /// Allows trainable parameters in no group, as Lightning does.
    #[must_use]
    pub fn without_audit(mut self) -> Self {
        self.setup.audited = false;
        self
    }

    /// Adds a strategy with its configuration.
    ///
    /// # Errors
    /// The configuration does not fit.
    pub fn add_strategy<S: Strategy>(&mut self, config: Value) -> Result<&mut Self> {
        let strategy = parse::<S>(&config.to_string())?;
        Ok(self.add_built_strategy(strategy))
    }

    /// Adds a strategy that was built in Rust.
    pub fn add_built_strategy<S: Strategy>(&mut self, strategy: S) -> &mut Self {
        self.instances.push(FakeInstance::new(Kind::Strategy, S::ID, box_strategy(strategy)));
        self
    }

    /// Adds a callback with its configuration.
    ///
    /// # Errors
    /// The configuration does not fit.
    pub fn add_callback<C: Callback>(&mut self, config: Value) -> Result<&mut Self> {
        let callback = parse::<C>(&config.to_string())?;
        self.instances.push(FakeInstance::new(Kind::Callback, C::ID, box_callback(callback)));
        Ok(self)
    }

    /// Adds what a host made of a plugin file.
    #[doc(hidden)]
    pub fn add_raw(&mut self, kind: Kind, id: &str, raw: BoxedInstance) -> &mut Self {
        self.instances.push(FakeInstance::new(kind, id, raw));
        self
    }

    /// Gives hooks tensors by name, such as a model's [`Registry::tensors`](crate::nn::Registry::tensors);
    /// nothing trains them but the hooks. Without it tensors have values that follow from their names, steps
    /// move those that train, and a saved run has them.
    #[cfg(feature = "torch")]
    #[must_use]
    pub fn tensors(self, tensors: impl IntoIterator<Item = (String, tch::Tensor)>) -> Self {
        let tensors: std::collections::BTreeMap<String, tch::Tensor> = tensors.into_iter().collect();
        self.with_tensors(move |name| {
            let tensor = tensors
                .get(name)
                .ok_or_else(|| crate::Error::new(format_args!("the model has no tensor `{name}`")))?;
            Ok(crate::abi::RawTensor::from(tensor.shallow_clone()).into_raw())
        })
    }

    /// Gives hooks tensors by name, as handles that they then own.
    #[doc(hidden)]
    #[must_use]
    pub fn with_tensors(mut self, tensors: impl FnMut(&str) -> Result<*mut c_void> + 'static) -> Self {
        self.setup.tensors = Some(Box::new(tensors));
        self
    }

    /// The module tree as it is now.
    ///
    /// # Errors
    /// The model cannot be built.
    pub fn tree(&self) -> Result<&ModuleTree> {
        match (&self.host, &self.model) {
            (Some(host), _) => Ok(&host.tree),
            (None, Ok(tree)) => Ok(tree),
            (None, Err(error)) => Err(error.clone()),
        }
    }

    /// The parameter groups as they are now.
    ///
    /// # Errors
    /// The run has not started.
    pub fn groups(&self) -> Result<&[ParamGroup]> {
        let optimizer = self.host.as_ref().and_then(|host| host.optimizer.as_ref());
        optimizer
            .map(Optimizer::groups)
            .ok_or_else(|| Error::new("there is no optimizer before the run starts"))
    }

    /// What happened so far.
    pub fn report(&self) -> Report {
        let (events, stopped) = match &self.host {
            Some(host) => (host.events.clone(), host.stop.clone()),
            None => (Vec::new(), None),
        };
        Report { epochs: self.epochs.clone(), events, stopped, messages: self.log.messages() }
    }
}

/// Four samples of three classes.
fn made_up(epoch: usize, batch: usize) -> (Numbers, Option<Numbers>) {
    let logits = (0..12).map(|number| ((number * 5 + epoch * 3 + batch * 7) % 11) as f32 / 4.0 - 1.0);
    let targets = (0..4).map(|sample| ((sample + batch) % 3) as f32);
    let of = |shape: &[usize], values: Vec<f32>| Numbers::new(shape, values).unwrap_or_default();
    (of(&[4, 3], logits.collect()), Some(of(&[4], targets.collect())))
}
