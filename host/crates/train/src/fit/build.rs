//! From run config to run: plugins, model, data, optimizer, scheduler.

mod data;

use std::path::{Path, PathBuf};

use tch::Device;
use thaw_plugin_api::context::Progress;
use thaw_plugin_api::drive;
use thaw_plugin_api::model::Precision;
use thaw_plugin_api::tensor_sets::TensorSets;

pub use data::{batch_limits, input_defaults, open_data, set_batches};

use self::data::start_of;
use super::asks::Asking;
use super::classes;
use super::events::{
    Ending, EventKind, EventRecords, HistoryRecords, Observer, Observers, Profile, RecordsError, RunLogger,
    SampleRecords, Warnings,
};
use super::hub_directory::{name_files, settle_head, take_weights};
use super::kept_paths::KeptPaths;
use super::loss::{Labels, set_loss};
use super::metrics::check_metrics;
use super::readings::Readings;
use super::scaler::LossScaler;
use super::state::{Kept, Measured, Position, Prefix, Requests, Trained, Watched};
use super::swap::Swapping;
use super::training::Resume;
use super::{Fit, FitError, Now, RunState, StopHandle};
use crate::Error;
use crate::checkpoint::{Checkpoint, CheckpointStore, EarlierData};
use crate::config::RunConfig;
use crate::model::HostModel;
use crate::parts::{build_model, create_callbacks, place, prepare_torch, start_from_weights, storages};
use crate::run_dir::{self, Place, RunDir, RunDirError};
use crate::world::{World, WorldError};
use thaw_data::{DataModule, Share, TestData};
use thaw_optim::optimizer::Parameters;
use thaw_plugins::{PluginSet, self_contained};
use thaw_torch::reading::Reads;

/// Where a run writes, and what it goes on from.
pub struct FitOptions {
    /// The run directory; made where it is missing.
    pub run_dir: Place,
    /// A checkpoint to go on from.
    pub resume: Option<Checkpoint>,
    /// Who is told of the run, besides the records of its run directory.
    pub observers: Vec<Box<dyn Observer>>,
    /// When losses and metrics are read; [`Reads::on`] the run's device where it is left out.
    pub reads: Option<Reads>,
    /// Who can ask the run to end.
    pub stop: StopHandle,
    /// The processes that train together.
    pub world: World,
}

impl FitOptions {
    /// A new run in this place, of which nobody else is told.
    pub fn new(run_dir: Place) -> Self {
        let (stop, world) = (StopHandle::default(), World::single());
        Self { run_dir, resume: None, observers: Vec::new(), reads: None, stop, world }
    }
}

impl Fit {
    /// Builds a run, up to and including `setup`, `freeze_before_training` and the optimizer. Where one of
    /// these fails, hooks `on_exception` and `teardown` run as after a failure in training.
    ///
    /// # Errors
    /// Anything of the run config that cannot be had.
    pub fn build(
        mut config: RunConfig,
        plugins: PluginSet,
        device: Device,
        options: FitOptions,
    ) -> Result<Self, Error> {
        prepare_torch(&config, device)?;
        let callbacks = create_callbacks(&config, &plugins)?;
        name_files(&mut config, &plugins);
        let FitOptions { run_dir, resume, observers, reads, stop, world } = options;
        let (model, mut data) = model_and_data(&mut config, &plugins, device, resume.as_ref())?;
        if !world.is_single() {
            data.share(Share::new(world.rank(), world.size()))?;
            data.limit(batch_limits(&config, &data)?);
        }
        let start = start_of(&config, &data)?;
        let progress = Progress { rank: world.rank(), world_size: world.size(), ..start };
        let trained = untrained(&config, model)?;
        // Last: what fails before leaves no run directory behind.
        let resumed = resume.as_ref().and_then(Checkpoint::run_dir);
        let (run_dir, store) = open_run_dir(&world, &run_dir, resumed.as_deref())?;
        let warnings = Warnings::default();
        let observers = match run_dir.is_of_another() {
            true => Observers::new(observers, warnings.clone()),
            false => with_records(observers, &run_dir, &config, warnings.clone())?,
        };
        // Losses of several processes are put together at each batch.
        let reads = if world.is_single() { reads.unwrap_or(Reads::on(device)) } else { Reads::AtOnce };
        let state = RunState {
            config,
            data,
            trained,
            position: Position { progress, ..Position::default() },
            measured: Measured::new(Readings::new(reads)),
            requests: Requests::default(),
            kept: Kept::new(run_dir, store),
            watched: Watched::default(),
            prefix: Prefix::default(),
            outcome: None,
            warnings,
            world,
        };
        let swapping = Swapping::new(state.kept.run_dir.path(), &state.world);
        let asking = Asking::new(state.kept.run_dir.path(), &state.world);
        let now = Now::default();
        let mut fit = Self { state, callbacks, plugins, observers, swapping, asking, now, stop };
        if let Err(error) = fit.prepare_and_start(resume) {
            drive::fail(&mut fit, &error);
            let Self { state, observers, .. } = fit;
            // They close their files before the folder goes: a file that is gone is a lost record to them.
            drop(observers);
            state.kept.run_dir.discard();
            return Err(error);
        }
        Ok(fit)
    }

    fn prepare_and_start(&mut self, resume: Option<Checkpoint>) -> Result<(), Error> {
        let config = self.resolve()?;
        let resumed = match resume {
            Some(checkpoint) => Some(self.prepare_resumed(checkpoint)?),
            None => {
                self.prepare_new()?;
                None
            }
        };
        self.share_model()?;
        self.tell_start()?;
        // Not before is anything of an earlier run written over.
        let written = match resumed {
            Some(resume) => self.write_resume(&resume, &config),
            None => self.write_start(&config).map_err(Error::from),
        };
        if let Err(error) = &written {
            self.tell(EventKind::RunEnded(Ending::Failed { error: &error.to_string() }))?;
        }
        written
    }

    /// From `setup` to the state to train from.
    fn prepare_new(&mut self) -> Result<(), Error> {
        self.keep_paths()?;
        drive::setup(self, None)?;
        self.state.draw_own_numbers(0)?;
        self.check_leftover_batch()
    }

    fn prepare_resumed(&mut self, checkpoint: Checkpoint) -> Result<Resume, Error> {
        let resumed = self.check_resumed(&checkpoint)?;
        self.keep_paths()?;
        self.restore_swaps(&checkpoint)?;
        let resume = Resume { checkpoint, resumed };
        drive::setup(self, Some(&resume))?;
        self.check_leftover_batch()?;
        self.observers.resume(&resume.checkpoint.state.observed)?;
        Ok(resume)
    }

    fn write_start(&self, config: &str) -> Result<(), RunDirError> {
        self.state.kept.run_dir.write(run_dir::CONFIG, config)?;
        self.state.kept.run_dir.write_json(run_dir::PLUGINS, &self.plugins.record())
    }

    fn write_resume(&mut self, resume: &Resume, config: &str) -> Result<(), Error> {
        self.tell_stopped_before(&resume.checkpoint);
        self.go_back_to(&resume.checkpoint)?;
        Ok(self.write_resumed(&resume.checkpoint, &resume.resumed, config)?)
    }

    fn keep_paths(&mut self) -> Result<(), Error> {
        let kept = KeptPaths::keep(&self.state.config, &self.plugins, &self.state.kept.run_dir)?;
        self.state.kept.paths = kept;
        Ok(())
    }

    /// The run config as the run directory has it; in this run's own one, what strategies and callbacks read
    /// from files is in their tables from here on.
    fn resolve(&mut self) -> Result<String, Error> {
        let mut config = self.state.config.clone();
        for (index, callback) in self.callbacks.iter_mut().enumerate() {
            config.set_callback(index, callback.config()?);
            let given = &self.state.config.callbacks[index];
            let kept =
                self_contained(&given.config, callback, |config| self.plugins.create(&given.id, config))?;
            self.state.config.set_callback(index, kept);
        }
        Ok(config.resolved()?)
    }
}

/// The model on its device and the data in the order of its outputs: of a checkpoint, as it was trained; of a
/// new run, with the weights to start from.
fn model_and_data(
    config: &mut RunConfig,
    plugins: &PluginSet,
    device: Device,
    resume: Option<&Checkpoint>,
) -> Result<(HostModel, DataModule), Error> {
    let (mut model, outputs, earlier) = match resume {
        Some(checkpoint) => {
            classes::take_count(config, checkpoint);
            take_weights(config, checkpoint);
            let model = build_model(config, plugins, device, checkpoint)?;
            (model, checkpoint.state.given.class_names.clone(), checkpoint.data())
        }
        None => {
            let (model, outputs) = untrained_model(config, plugins, device)?;
            (model, outputs, EarlierData::default())
        }
    };
    let data = open_data(config, &model, plugins, &earlier, &outputs)?;
    if let Some(data_config) = &config.data {
        TestData::check(data_config, data.class_names(), &input_defaults(&model))?;
    }
    classes::warn_of_other_order(&model, &outputs, data.class_names());
    model.expect_classes(data.class_names().len());
    let kept = resume.and_then(|checkpoint| checkpoint.state.given.class_weights.as_deref());
    let labels = kept.map_or(Labels::Of(&data), |kept| Labels::Weighted(Some(kept)));
    set_loss(config, &mut model, data.class_names(), labels)?;
    check_metrics(config, &model)?;
    model.set_recomputed(&config.trainer.activation_checkpointing)?;
    Ok((model, data))
}

/// The run directory and its checkpoints, which the first process opens for all.
fn open_run_dir(
    world: &World,
    place: &Place,
    resumed: Option<&Path>,
) -> Result<(RunDir, CheckpointStore), Error> {
    if world.is_first() {
        let run_dir = RunDir::open(place, resumed)?;
        let store = CheckpointStore::open(run_dir.checkpoints())?;
        let paths = (run_dir.path().to_path_buf(), run_dir.shown().to_path_buf());
        world.hear_first(RUN_DIRECTORY, paths).inspect_err(|_| run_dir.discard())?;
        return Ok((run_dir, store));
    }
    let (path, shown): (PathBuf, PathBuf) = world.hear_first(RUN_DIRECTORY, Default::default())?;
    if let Place::Given(own) = place
        && !is_same_place(own, &path)
    {
        return Err(WorldError::Differs {
            rank: world.rank(),
            place: "the start of the run".to_owned(),
            what: RUN_DIRECTORY.to_owned(),
            found: own.display().to_string(),
            expected: path.display().to_string(),
        }
        .into());
    }
    let run_dir = RunDir::of_another(path, shown);
    let store = CheckpointStore::of_another(run_dir.checkpoints());
    Ok((run_dir, store))
}

fn is_same_place(own: &Path, other: &Path) -> bool {
    let whole = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).ok();
    whole(own) == whole(other)
}

/// The place of a run where its directory is told.
const RUN_DIRECTORY: &str = "the run directory";

/// A new run's model on its device, with the weights to start from, and what its outputs mean, where that is
/// known.
fn untrained_model(
    config: &mut RunConfig,
    plugins: &PluginSet,
    device: Device,
) -> Result<(HostModel, Vec<String>), Error> {
    let mut model = classes::create_counted(config, plugins, device)?;
    let mut ordered = None;
    if config.hub.is_some() {
        let outputs = &model.description().class_names;
        let data = open_data(config, &model, plugins, &EarlierData::default(), outputs)?;
        ordered = settle_head(config, &model, data.class_names())?;
    }
    start_from_weights(config, &mut model)?;
    if let Some(head) = &ordered {
        head.apply(&model)?;
    }
    place(config, &mut model, device, None)?;
    let outputs = ordered.map_or_else(|| classes::outputs_of(config, &model), |head| head.classes);
    Ok((model, outputs))
}

/// Those that every run has, the run config's loggers, then the caller's own.
fn with_records(
    own: Vec<Box<dyn Observer>>,
    run_dir: &RunDir,
    config: &RunConfig,
    warnings: Warnings,
) -> Result<Observers, FitError> {
    let records = || -> Result<[Box<dyn Observer>; 5], RecordsError> {
        let folder = run_dir.path();
        Ok([
            Box::new(EventRecords::metrics(folder)?),
            Box::new(EventRecords::groups(folder)?),
            Box::new(EventRecords::confusion(folder)?),
            Box::new(SampleRecords::open(folder, config.trainer.report_samples)?),
            Box::new(HistoryRecords::open(folder)?),
        ])
    };
    match records() {
        Ok(records) => {
            let loggers = config.loggers.iter().cloned().map(RunLogger::new);
            let loggers = loggers.map(|logger| -> Box<dyn Observer> { Box::new(logger) });
            let profile = config.trainer.is_profiled().then(|| Profile::new(run_dir.path()));
            let profile = profile.map(|profile| -> Box<dyn Observer> { Box::new(profile) });
            let all = records.into_iter().chain(loggers).chain(profile).chain(own);
            Ok(Observers::new(all.collect(), warnings))
        }
        Err(error) => {
            run_dir.discard();
            Err(error.into())
        }
    }
}

/// The model before `setup`: no optimizer moves it yet.
fn untrained(config: &RunConfig, model: HostModel) -> Result<Trained, Error> {
    let scaler = match config.trainer.precision {
        Precision::Fp16Mixed => Some(LossScaler::new(model.device())?),
        Precision::Fp32 | Precision::Bf16Mixed => None,
    };
    let parameters = Parameters::new(storages(&model)).map_err(FitError::from)?;
    Ok(Trained { model, sets: TensorSets::default(), optimizer: None, parameters, scheduler: None, scaler })
}
