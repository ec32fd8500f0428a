//! The events of a run.

use std::collections::BTreeMap;
use std::path::Path;

use tch::{Device, Kind};
use thaw_metrics::{Calibration, Confusion};
use thaw_plugin_api::module_tree::ModuleTree;
use thaw_plugin_api::optimizer::ParamGroup;

use super::{ObserverError, Spent};
use crate::ask::Ask;
use crate::checkpoint::Meter;
use crate::config::RunConfig;
use crate::fit::gathered::Doubt;
use crate::model::HostModel;
use crate::swap::Swap;
use thaw_data::{DataModule, Look, Split};
use thaw_torch::reading::{Copying, Reading};

/// What happened. Where the run stands is beside it, in [`Event::progress`](super::Event::progress): the
/// epoch and the batch that are under way, from 0, and the optimizer steps that are done.
#[non_exhaustive]
pub enum EventKind<'r> {
    /// The run is built, and nothing of an earlier one is written over yet.
    RunStarted(RunStarted<'r>),
    /// It goes on from a checkpoint, with what came after that taken back.
    Resumed {
        /// The checkpoint's folder.
        checkpoint: &'r Path,
    },
    /// An epoch begins, or goes on after the batches that are done. Strategies act next.
    EpochStarted,
    /// Groups or freeze state, as each epoch starts with them and after each hook that changed them.
    GroupsChanged(GroupsChanged<'r>),
    /// What passes over a split start from, from here on: told where something stands in for the samples,
    /// where it does so no more, and where something is frozen and nothing stands in.
    FrozenCache {
        /// Training or validation.
        split: Split,
        /// What it is.
        start: CacheStart<'r>,
    },
    /// A batch of training is done, with all of its hooks.
    StepDone(StepDone<'r>),
    /// Metrics as `metrics.jsonl` gets them: of every `log_every_n_steps`-th batch, of a validation inside an
    /// epoch, of each epoch.
    Logged(&'r Record),
    /// A validation begins.
    ValidationStarted {
        /// Why.
        asked: Asked,
        /// Batches it will see.
        batches: usize,
    },
    /// A batch of a validation is done:
    /// [`Progress::batch_index`](thaw_plugin_api::context::Progress::batch_index).
    ValidationBatchDone {
        /// Its samples.
        samples: usize,
    },
    /// A validation is done; hooks at its end follow.
    Validated(Validated<'r>),
    /// An epoch is about to end: what its training spent its time on, since this process has begun or gone on
    /// with it, and the weights that it ends with.
    EpochEnding {
        /// The time.
        spent: Spent,
        /// The weights.
        weights: Weights<'r>,
    },
    /// An epoch is complete, or the run stops inside of it; its hooks are done.
    EpochEnded {
        /// The epoch's value of each metric, those that hooks logged included.
        metrics: &'r BTreeMap<String, f64>,
    },
    /// A checkpoint is on disk under its name.
    CheckpointWritten(WrittenCheckpoint<'r>),
    /// A checkpoint could not be written; the run goes on.
    CheckpointLost(LostCheckpoint<'r>),
    /// A strategy has taken over from another, by `host swap` or as the journal of a resumed run says.
    Swapped(&'r Swap),
    /// Somebody has asked the live run for something, which it does as soon as it may.
    AskedFor(&'r Ask),
    /// The log has a warning of the run, or of an observer that failed.
    Warned(&'r str),
    /// The loop has done something, or called a hook: only of a run that is profiled (`trainer.profiler`).
    Timed(Timed<'r>),
    /// Nothing follows.
    RunEnded(Ending<'r>),
}

/// What a pass starts from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CacheStart<'r> {
    /// What the frozen stages gave for each sample, computed once.
    Stage {
        /// The last of these stages.
        after: &'r str,
        /// How many they are.
        cut: usize,
        /// How many the model has.
        stages: usize,
        /// Bytes of what they gave.
        bytes: u64,
        /// Whether it lies in a file, and not in memory.
        is_on_disk: bool,
        /// What computing it took, or taking it from an earlier run.
        seconds: f64,
        /// Where it comes from.
        origin: CacheOrigin,
        /// Which augmented view of the samples it is of, from 0, and how many there are.
        view: Option<(u64, u64)>,
    },
    /// The samples.
    Samples {
        /// Why.
        reason: &'r str,
    },
}

/// Who computed what frozen stages give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheOrigin {
    /// This run, now.
    Computed,
    /// An earlier run, of the same samples with the same weights.
    Taken,
}

/// What a run is.
#[derive(Clone, Copy)]
pub struct RunStarted<'r> {
    /// Where it writes, absolute.
    pub run_dir: &'r Path,
    /// The same as the user names it.
    pub shown_run_dir: &'r Path,
    /// The run config, with what strategies and callbacks read from files.
    pub config: &'r RunConfig,
    /// Id of the model.
    pub model: &'r str,
    /// Its modules, with their freeze state.
    pub tree: &'r ModuleTree,
    /// Where it computes.
    pub device: Device,
    /// The data in one line.
    pub data: &'r str,
    /// Samples of training.
    pub train_samples: usize,
    /// Samples of validation.
    pub val_samples: usize,
    /// Names of the classes, where the target is one.
    pub class_names: &'r [String],
    /// Names of the plugins.
    pub plugins: &'r [&'r str],
    /// Processes that train together.
    pub processes: usize,
    /// Samples of a batch of training, those of all processes together.
    pub batch_size: usize,
}

/// What trains at which rate.
#[derive(Clone, Copy)]
pub struct GroupsChanged<'r> {
    /// Id of the optimizer.
    pub optimizer: &'r str,
    /// The parameter groups.
    pub groups: &'r [ParamGroup],
    /// The model's modules, with their modes and freeze state.
    pub tree: &'r ModuleTree,
    pub(crate) model: &'r HostModel,
}

/// A batch norm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchNormState {
    /// Its module.
    pub module: String,
    /// Whether it is in training mode.
    pub training: bool,
    /// Whether it updates its statistics.
    pub track_running_stats: Option<bool>,
    /// Batches that its statistics have seen, where it counts them.
    pub num_batches_tracked: Option<i64>,
}

impl GroupsChanged<'_> {
    /// Every batch norm. Waits for the device, once for all of them.
    ///
    /// # Errors
    /// The device failed at what came before: the run ends.
    pub fn batch_norms(&self) -> Result<Vec<BatchNormState>, ObserverError> {
        let norms: Vec<_> = self.tree.modules().iter().filter(|module| module.is_batch_norm()).collect();
        let counter = |path: &str| self.model.tensor(&format!("{path}.num_batches_tracked")).ok();
        let counters: Vec<_> = norms.iter().map(|module| counter(&module.path)).collect();
        let readings: Result<Vec<_>, _> =
            counters.iter().flatten().map(|counter| Reading::of(counter)).collect();
        let counts = readings.and_then(|readings| Copying::start(&readings)?.finish());
        let mut counts = counts.map_err(|error| ObserverError::EndsRun(error.into()))?.into_iter();
        let states = norms.into_iter().zip(counters).map(|(module, counter)| BatchNormState {
            module: module.path.clone(),
            training: module.training,
            track_running_stats: module.track_running_stats,
            num_batches_tracked: counter.and_then(|_| counts.next()).map(|count| count as i64),
        });
        Ok(states.collect())
    }
}

/// A batch of training. Its loss may still be on a GPU: methods say which of them wait for that.
#[derive(Clone, Copy)]
pub struct StepDone<'r> {
    /// Samples of the batch.
    pub samples: usize,
    /// Samples since the run was started, those of earlier processes included.
    pub samples_of_run: u64,
    /// Whether the optimizer took a step: it does at the end of an accumulation window.
    pub stepped: bool,
    /// The rates that the batch was trained with.
    pub rates: Rates<'r>,
    pub(crate) grad_norm: Option<&'r Reading>,
    pub(crate) late: &'r dyn LateValues,
}

impl StepDone<'_> {
    /// The newest loss that has arrived, perhaps an earlier batch's. Never waits: asks for those after it,
    /// which are there some batches later. Ask when it is to be shown, not after every batch.
    pub fn latest_loss(&self) -> Option<f64> {
        self.late.latest_loss()
    }

    /// The epoch's mean of a metric (`train_acc`) over the batches that have arrived. Never waits.
    pub fn latest_mean(&self, name: &str) -> Option<f64> {
        self.late.latest_mean(name)
    }

    /// This batch's loss. Waits until a GPU has computed it: asked of every batch, it slows training down.
    ///
    /// # Errors
    /// The device failed at what came before: the run ends.
    pub fn loss(&self) -> Result<Option<f64>, ObserverError> {
        self.late.loss()
    }

    /// The epoch's mean of every metric so far, this batch included. Waits as [`StepDone::loss`].
    ///
    /// # Errors
    /// As [`StepDone::loss`].
    pub fn means(&self) -> Result<BTreeMap<String, f64>, ObserverError> {
        self.late.means()
    }

    /// The norm of the gradients before clipping, where clipping computed it. Waits as [`StepDone::loss`].
    ///
    /// # Errors
    /// As [`StepDone::loss`].
    pub fn grad_norm(&self) -> Result<Option<f64>, ObserverError> {
        let norm = self.grad_norm.map(Reading::read).transpose();
        norm.map_err(|error| ObserverError::EndsRun(error.into()))
    }
}

/// Loss and metrics of training, some of them still on their way from a GPU. As the methods of [`StepDone`].
pub trait LateValues {
    /// The newest loss that has arrived; never waits.
    fn latest_loss(&self) -> Option<f64>;
    /// The mean over the batches that have arrived; never waits.
    fn latest_mean(&self, name: &str) -> Option<f64>;
    /// The last batch's loss; waits.
    ///
    /// # Errors
    /// The device failed at what came before.
    fn loss(&self) -> Result<Option<f64>, ObserverError>;
    /// Means of all batches; waits.
    ///
    /// # Errors
    /// The device failed at what came before.
    fn means(&self) -> Result<BTreeMap<String, f64>, ObserverError>;
}

/// Rates that a batch was trained with, before schedulers moved them.
#[derive(Clone, Copy)]
pub struct Rates<'r> {
    pub(crate) groups: &'r [ParamGroup],
    /// By position of the group.
    pub(crate) used: &'r [f64],
}

impl<'r> Rates<'r> {
    /// Names of the groups with their rates. Where groups came or went since, the present rates.
    pub fn iter(self) -> impl Iterator<Item = (&'r str, f64)> {
        let is_as_used = self.groups.len() == self.used.len();
        let rate = move |(index, group): (usize, &'r ParamGroup)| {
            (group.name.as_str(), if is_as_used { self.used[index] } else { group.lr })
        };
        self.groups.iter().enumerate().map(rate)
    }
}

/// Metrics with where they belong, in the order of `metrics.jsonl`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The batch of the epoch, from 0, where they are a batch's.
    pub batch: Option<usize>,
    /// Values by name: `train_loss_step`, `lr-head`, `val_acc`, …; NaN where there is none.
    pub values: Vec<(String, f64)>,
}

impl Record {
    /// Sets a value; the later of two with one name counts.
    pub fn set(&mut self, name: impl Into<String>, value: f64) {
        let name = name.into();
        match self.values.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None => self.values.push((name, value)),
        }
    }
}

/// Why the run validates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To find errors before an epoch is spent. Its metrics count for nothing.
    BySanityCheck,
    /// A hook wants it.
    ByHook,
    /// It is due inside the epoch, by `trainer.val_check_interval`.
    ByInterval,
    /// The epoch is over.
    ByEpoch,
}

/// What a validation gave.
#[derive(Clone, Copy)]
pub struct Validated<'r> {
    /// Why it was.
    pub asked: Asked,
    /// Means over its samples: `val_loss`, `val_acc`, ….
    pub metrics: &'r Meter,
    /// Hits and samples of each class, for classification.
    pub classes: &'r [(u64, u64)],
    /// Samples by class and predicted class, for classification.
    pub confusion: &'r Confusion,
    /// Predictions by their probability, for classification.
    pub calibration: &'r Calibration,
    /// The samples to look at first, for classification.
    pub doubtful: Doubtful<'r>,
}

/// The weights of the model that trains, read when they are asked for.
#[derive(Clone, Copy)]
pub struct Weights<'r> {
    pub(crate) model: &'r HostModel,
}

impl<'r> Weights<'r> {
    /// Names of the parameters, tied ones once.
    pub fn names(&self) -> impl Iterator<Item = &'r str> {
        let parameters = self.model.tree().parameters();
        parameters.filter(|parameter| parameter.tied_to.is_none()).map(|parameter| parameter.name.as_str())
    }

    /// The values of a parameter. Waits for the device.
    ///
    /// # Errors
    /// The device failed at what came before, or its memory is too small: the run ends.
    pub fn values(&self, name: &str) -> Result<Vec<f64>, ObserverError> {
        let tensor = self.model.tensor(name)?;
        let values = tensor
            .f_detach()
            .and_then(|tensor| tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?.f_reshape([-1]))
            .and_then(Vec::<f64>::try_from);
        values.map_err(|error| ObserverError::EndsRun(error.into()))
    }
}

/// Samples of a validation that are worth a look. Their names and what they show are read from the data when
/// they are asked for.
#[derive(Clone, Copy)]
pub struct Doubtful<'r> {
    pub(crate) data: &'r DataModule,
    /// Those that are most confidently wrong, the surest first.
    pub wrong: &'r [Doubt],
    /// Those whose likeliest class is least likely, the least first.
    pub unsure: &'r [Doubt],
}

impl Doubtful<'_> {
    /// What a sample is called wherever the data lies: its file relative to the data's root, or its row.
    pub fn id(&self, doubt: &Doubt) -> String {
        self.data.identity(Split::Val, doubt.sample)
    }

    /// The sample to look at; none where there is nothing to see.
    pub fn look(&self, doubt: &Doubt) -> Option<Look> {
        self.data.look(Split::Val, doubt.sample)
    }

    /// Name of a class.
    pub fn class(&self, class: usize) -> String {
        self.data.class_names().get(class).cloned().unwrap_or_else(|| class.to_string())
    }
}

/// What something took that has just ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timed<'r> {
    /// What it was: `forward`, `backward`, `on_train_batch_end`, ….
    pub what: &'r str,
    /// Id of the strategy or callback, where it was a hook of one.
    pub of: Option<&'r str>,
    /// Seconds. What a GPU does meanwhile is in them only where it is waited for.
    pub seconds: f64,
}

/// A checkpoint that is on disk.
#[derive(Clone, Copy)]
pub struct WrittenCheckpoint<'r> {
    /// Name of its folder.
    pub name: &'r str,
    /// The folder, absolute.
    pub path: &'r Path,
    /// Whether it is the best so far, `best`.
    pub is_best: bool,
    /// Whether a hook asked for it. All others are `last`.
    pub is_requested: bool,
    /// Seconds that training waited for it; larger ones are written while it goes on.
    pub waited: f64,
}

/// A checkpoint that is not on disk.
#[derive(Clone, Copy)]
pub struct LostCheckpoint<'r> {
    /// The name it was to have.
    pub name: &'r str,
    /// Why it was not written.
    pub reason: &'r str,
    /// The one that a resumed run would go on from.
    pub last: Option<&'r str>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending<'r> {
    /// It trained for all of its epochs.
    Finished,
    /// A hook, or `max_steps`, stopped it before.
    Stopped {
        /// Why.
        reason: &'r str,
    },
    /// The user stopped it; where checkpoints are on, the last one is of its last step.
    Interrupted,
    /// An error ended it.
    Failed {
        /// The error.
        error: &'r str,
    },
    /// It was built for something else than training: a range test.
    Closed,
}
