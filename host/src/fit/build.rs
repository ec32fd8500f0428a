//! From run config to run: plugins, model, data, optimizer, scheduler.

use thaw_plugin_api::config::{Config as _, ConfigError as KeyError, Key};
use thaw_plugin_api::context::{Progress, Stage};
use thaw_plugin_api::model::Precision;
use thaw_plugin_api::module_tree::ModuleTree;

use super::audit::Frozen;
use super::classes;
use super::hub_directory::name_files;
use super::kept_paths::KeptPaths;
use super::readings::Readings;
use super::scaler::LossScaler;
use super::state::Requests;
use super::swap::Swapping;
use super::{Fit, FitError, Meter, RunState, initial_groups, without_the_rest};
use crate::Error;
use crate::checkpoint::{Checkpoint, CheckpointStore};
use crate::config::{ConfigError, RunConfig, TrainerConfig};
use crate::data::{DataConfig, DataModule, InputDefaults, Interpolation, Limits, Split, SplitBy};
use crate::model::{HostModel, load_weights};
use crate::optimizer::{Optimizer, OptimizerConfig, Parameters};
use crate::plugins::{Instance, PluginError, PluginSet, self_contained};
use crate::progress::Reporter;
use crate::run_dir::{self, Place, RunDir};
use crate::scheduler::{RunLength, Scheduler};
use crate::torch::reading::Reads;
use crate::weights::Remark;

/// Where a run writes, and what it goes on from.
pub struct FitOptions {
    /// The run directory; made where it is missing.
    pub run_dir: Place,
    /// A checkpoint to go on from.
    pub resume: Option<Checkpoint>,
    /// How the run is shown.
    pub reporter: Reporter,
    /// When losses and metrics are read; [`Reads::on`] the run's device where it is left out.
    pub reads: Option<Reads>,
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
        device: tch::Device,
        options: FitOptions,
    ) -> Result<Self, Error> {
        prepare_torch(&config, device)?;
        let callbacks = create_callbacks(&config, &plugins)?;
        name_files(&mut config, &plugins);
        let mut model = match &options.resume {
            Some(checkpoint) => {
                classes::take_count(&mut config, checkpoint);
                build_model(&config, &plugins, device)?
            }
            None => {
                let mut model = classes::create_counted(&mut config, &plugins, device)?;
                start_from_weights(&config, &mut model)?;
                place(&config, &mut model, device)?;
                model
            }
        };
        let outputs = match &options.resume {
            Some(checkpoint) => checkpoint.state.class_names.clone(),
            None => classes::outputs_of(&config, &model),
        };
        let split_by = options.resume.as_ref().map(Checkpoint::split_by).unwrap_or_default();
        let data = open_data(&config, &model, split_by, &outputs)?;
        classes::warn_of_other_order(&model, &outputs, data.class_names());
        model.expect_classes(data.class_names().len());
        let progress = lengths(&config, &data);
        if progress.num_training_batches == 0 {
            return Err(
                FitError::NoBatches("use a smaller batch_size, or drop_last = false".to_owned()).into()
            );
        }
        let parameters = Parameters::new(storages(&model)).map_err(FitError::from)?;
        let scaler = config.trainer.precision == Precision::Fp16Mixed;
        let scaler = scaler.then(|| LossScaler::new(device)).transpose()?;
        let resumed = options.resume.as_ref().and_then(Checkpoint::run_dir);
        let run_dir = RunDir::open(&options.run_dir, resumed.as_deref())?;
        let store = CheckpointStore::open(run_dir.checkpoints())?;
        let state = RunState {
            config,
            model,
            data,
            optimizer: None,
            parameters,
            scheduler: None,
            progress,
            metrics: std::collections::BTreeMap::new(),
            known_metrics: std::collections::BTreeSet::new(),
            monitored: std::collections::BTreeSet::new(),
            monitors_checked: false,
            validated_at: None,
            loss: None,
            readings: Readings::new(options.reads.unwrap_or(Reads::on(device))),
            not_finite: None,
            lost: std::collections::BTreeMap::new(),
            laid_out: false,
            used_rates: Vec::new(),
            exception: None,
            requests: Requests::default(),
            meter: Meter::default(),
            best: None,
            kept: Vec::new(),
            requested: std::collections::BTreeSet::new(),
            paths: KeptPaths::default(),
            run_dir,
            store,
            scaler,
            changed: false,
            audit_gradients: false,
            frozen: Frozen::default(),
            swaps: Vec::new(),
            validation: None,
            window_samples: 0,
            extra_steps: 0,
        };
        let swapping = Swapping::new(state.run_dir.path());
        let mut fit = Self { state, callbacks, plugins, reporter: options.reporter, swapping };
        if let Err(error) = fit.prepare(options.resume.as_ref()) {
            fit.fail(&error);
            fit.state.run_dir.discard();
            return Err(error);
        }
        fit.reporter.start(&fit.state, fit.plugins.plugins().map(|plugin| plugin.metadata().name.as_str()));
        Ok(fit)
    }

    /// From `setup` to the state to train from.
    fn prepare(&mut self, resume: Option<&Checkpoint>) -> Result<(), Error> {
        let config = self.resolve()?;
        let resumed = resume.map(|checkpoint| self.check_resumed(checkpoint)).transpose()?;
        self.state.paths = KeptPaths::keep(&self.state.config, &self.plugins, &self.state.run_dir)?;
        resume.map_or(Ok(()), |checkpoint| self.restore_swaps(checkpoint))?;
        self.setup(resume.is_none())?;
        self.build_optimizer()?;
        let resumed = resume.zip(resumed.as_ref());
        resumed.map_or(Ok(()), |(checkpoint, resumed)| self.restore(checkpoint, resumed))?;
        self.check_leftover_batch()?;
        // The run starts: not before is anything of an earlier one written over.
        if let Some((checkpoint, resumed)) = resumed {
            self.go_back_to(checkpoint)?;
            return self.write_resumed(checkpoint, resumed, &config);
        }
        self.state.run_dir.write(run_dir::CONFIG, &config)?;
        self.state.run_dir.write_json(run_dir::PLUGINS, &self.plugins.record())
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

    fn build_optimizer(&mut self) -> Result<(), Error> {
        let state = &mut self.state;
        let config = optimizer_config(&state.config, &state.model)?;
        let audit = state.config.trainer.audit;
        let rest = without_the_rest(state.model.tree(), &config, &self.callbacks, audit)?;
        if let Some((tree, frozen)) = rest {
            tracing::info!(
                "{frozen} parameters outside of [optimizer] parameters are frozen, batch norms among them in evaluation \
                 mode: no strategy is loaded that could thaw them"
            );
            state.model.apply_tree(tree)?;
        }
        let groups = initial_groups(state.model.tree(), &config)?;
        let mut optimizer = Optimizer::new(config, groups).map_err(FitError::from)?;
        if let Some(config) = &state.config.scheduler {
            let length = run_length(&state.config, &state.progress);
            let mut scheduler =
                Scheduler::new(config.clone(), length, optimizer.config()).map_err(FitError::from)?;
            scheduler.start(optimizer.groups_mut()).map_err(FitError::from)?;
            state.scheduler = Some(scheduler);
        }
        state.optimizer = Some(optimizer);
        state.changed = false;
        Ok(())
    }
}

/// Seeds libtorch and sets it up as `[trainer]` says.
///
/// # Errors
/// A precision that the device does not have.
pub fn prepare_torch(config: &RunConfig, device: tch::Device) -> Result<(), Error> {
    crate::torch::manual_seed(config.seed)?;
    choose_algorithms(&config.trainer)?;
    if let Some(threads) = config.trainer.threads {
        tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
    }
    if config.trainer.precision == Precision::Fp16Mixed && !device.is_cuda() {
        return Err(FitError::Config(
            "precision = \"fp16-mixed\" needs a GPU; use \"bf16-mixed\" or \"fp32\"".to_owned(),
        )
        .into());
    }
    Ok(())
}

/// A run's precision where its model is only used: what needs a GPU is computed in float32 without one. The
/// weights are float32 in either.
pub fn precision_on(config: &mut RunConfig, device: tch::Device) {
    if config.trainer.precision == Precision::Fp16Mixed && !device.is_cuda() {
        tracing::info!("the run's precision, fp16-mixed, needs a GPU: computing in fp32");
        config.trainer.precision = Precision::Fp32;
    }
}

/// Precision and choice of libtorch's algorithms.
fn choose_algorithms(trainer: &TrainerConfig) -> Result<(), Error> {
    if trainer.deterministic && trainer.cudnn_benchmark {
        return Err(FitError::Config(
            "trainer.deterministic and trainer.cudnn_benchmark are both true: what cuDNN finds fastest differs \
             from run to run; set one of them to false"
                .to_owned(),
        )
        .into());
    }
    if trainer.deterministic {
        crate::torch::set_deterministic(true)?;
    }
    if trainer.cudnn_benchmark {
        crate::torch::set_cudnn_benchmark(true)?;
    }
    if let Some(precision) = trainer.matmul_precision {
        crate::torch::set_matmul_precision(precision)?;
    }
    Ok(())
}

/// Strategies and callbacks in the run config's order.
///
/// # Errors
/// An id that no plugin offers, or a configuration that does not fit.
pub fn create_callbacks(config: &RunConfig, plugins: &PluginSet) -> Result<Vec<Instance>, Error> {
    let callbacks = config.callbacks.iter().enumerate();
    let created = callbacks.map(|(index, table)| {
        plugins
            .create(&table.id, &table.config)
            .map_err(|error| of_table(config, &format!("callbacks[{index}]"), error.into()))
    });
    created.collect()
}

/// Errors of a plugin that lie in the run config name the file and the table.
fn of_table(config: &RunConfig, table: &str, error: Error) -> Error {
    let message = match &error {
        Error::Plugin(PluginError::Failed(failure)) if error.exit_code() == 2 => {
            format!("{} `{}` of plugin `{}`: {}", failure.kind, failure.id, failure.plugin, failure.error)
        }
        Error::Plugin(unknown @ PluginError::UnknownId { .. }) => unknown.to_string(),
        _ => return error,
    };
    ConfigError::Plugin { path: config.path.clone(), table: table.to_owned(), message }.into()
}

/// The model, with its initial weights.
///
/// # Errors
/// An unknown id, a configuration that does not fit, a precision that the model does not compute in.
pub fn create_model(config: &RunConfig, plugins: &PluginSet) -> Result<HostModel, Error> {
    let model = HostModel::create(plugins, &config.model.id, &config.model.config)
        .map_err(|error| of_table(config, "[model]", error))?;
    let (precision, declared) = (config.trainer.precision, &model.description().precisions);
    if !declared.contains(&precision) {
        let declared =
            declared.iter().map(|precision| format!("\"{precision}\"")).collect::<Vec<_>>().join(", ");
        let expected = format!("what model `{}` computes in: {declared}", model.id());
        let error = KeyError::value("trainer.precision", format!("\"{precision}\""), expected);
        return Err(ConfigError::Key { path: config.path.clone(), error }.into());
    }
    Ok(model)
}

/// The model on its device, for a checkpoint's weights.
///
/// # Errors
/// An unknown id, a device that is too small.
pub fn build_model(config: &RunConfig, plugins: &PluginSet, device: tch::Device) -> Result<HostModel, Error> {
    let mut model = create_model(config, plugins)?;
    place(config, &mut model, device)?;
    Ok(model)
}

/// Loads the weights that the run config names, and says what became of them.
fn start_from_weights(config: &RunConfig, model: &mut HostModel) -> Result<(), Error> {
    let Some(weights) = &config.model.weights else { return Ok(()) };
    let path = crate::escape::path(&weights.path);
    for remark in load_weights(model, weights)?.remarks() {
        match remark {
            Remark::Info(text) => tracing::info!("{path}: {text}"),
            Remark::Warning(text) => tracing::warn!("{path}: {text}"),
        }
    }
    Ok(())
}

fn place(config: &RunConfig, model: &mut HostModel, device: tch::Device) -> Result<(), Error> {
    model.to_device(device)?;
    if config.trainer.channels_last.unwrap_or(device.is_cuda()) {
        model.channels_last()?;
    }
    Ok(())
}

/// The data with what the model says of its inputs. `outputs` are the classes in the order of the model's
/// outputs, where that is known: where the data has no others and the run config lists none, its classes have
/// that order. `split_by` is the checkpoint's, where there is one.
///
/// # Errors
/// There is no `[data]`, or it cannot be read.
pub fn open_data(
    config: &RunConfig,
    model: &HostModel,
    split_by: SplitBy,
    outputs: &[String],
) -> Result<DataModule, Error> {
    let data = config.data.as_ref().ok_or_else(|| ConfigError::Incomplete {
        path: config.path.clone(),
        message: "there is no table [data], so that there is nothing to train on".to_owned(),
    })?;
    let open = |data: &DataConfig| {
        DataModule::open_split_by(data, config.seed, &input_defaults(model), split_by.clone())
    };
    let mut opened = open(data)?;
    let order = classes::in_order_of(outputs, opened.class_names());
    if let Some(order) = order.filter(|order| order != opened.class_names() && !data.lists_classes()) {
        opened = open(&data.with_classes(&order))?;
    }
    opened.limit(Limits { train: config.trainer.limit_train_batches, val: config.trainer.limit_val_batches });
    if let Some(classes) = config.model.config.get("num_classes").and_then(serde_json::Value::as_u64) {
        opened.check_num_classes(classes as usize)?;
    }
    Ok(opened)
}

/// The run config's optimizer, or the model's own choice, or AdamW.
///
/// # Errors
/// The model's choice is none.
pub fn optimizer_config(config: &RunConfig, model: &HostModel) -> Result<OptimizerConfig, Error> {
    if let Some(optimizer) = &config.optimizer {
        return Ok(optimizer.clone());
    }
    let read = |choice| OptimizerConfig::from_value(choice, &Key::root());
    let choice = model.description().optimizer.as_ref().map(read).transpose();
    let choice = choice.map_err(|error| {
        FitError::Config(format!("the optimizer that model `{}` chooses: {error}", model.id()))
    })?;
    let default = || {
        OptimizerConfig::default_for("adamw")
            .ok_or_else(|| FitError::Config("[optimizer] is missing".to_owned()))
    };
    Ok(choice.map_or_else(default, Ok)?)
}

/// What the model says of its inputs, as the data side takes it.
pub fn input_defaults(model: &HostModel) -> InputDefaults {
    let input = &model.description().input;
    let narrow = |values: Option<[f64; 3]>| values.map(|values| values.map(|value| value as f32));
    let interpolation = match input.interpolation.as_deref() {
        Some("bicubic") => Some(Interpolation::Bicubic),
        Some("bilinear") => Some(Interpolation::Bilinear),
        _ => None,
    };
    InputDefaults {
        image_size: input.image_size,
        mean: narrow(input.mean),
        std: narrow(input.std),
        crop_pct: input.crop_pct,
        interpolation,
        max_length: input.max_length,
    }
}

/// The run's length for schedulers.
pub fn run_length(config: &RunConfig, progress: &Progress) -> RunLength {
    let steps_per_epoch = progress.num_training_batches.div_ceil(config.trainer.accumulate_grad_batches);
    let (max_epochs, max_steps) = (config.trainer.max_epochs, config.trainer.max_steps);
    RunLength { max_epochs, steps_per_epoch, max_steps, extra_steps: 0 }
}

fn lengths(config: &RunConfig, data: &DataModule) -> Progress {
    let limited = |batches: usize, limit: Option<usize>| limit.map_or(batches, |limit| batches.min(limit));
    Progress {
        stage: Stage::Fit,
        max_epochs: config.trainer.max_epochs,
        max_steps: config.trainer.max_steps,
        num_training_batches: limited(data.batches(Split::Train), config.trainer.limit_train_batches),
        num_validation_batches: limited(data.batches(Split::Val), config.trainer.limit_val_batches),
        ..Progress::default()
    }
}

/// The model's parameters by name, tied ones once.
fn storages(model: &HostModel) -> Vec<(String, tch::Tensor)> {
    let tree: &ModuleTree = model.tree();
    let firsts = tree.parameters().filter(|parameter| parameter.tied_to.is_none());
    firsts
        .filter_map(|parameter| {
            Some((parameter.name.clone(), model.tensor(&parameter.name).ok()?.shallow_clone()))
        })
        .collect()
}
