//! Fine-tuning by a schedule that is data: phases in TOML say what thaws, at which rate, under which
//! scheduler, and when the next one begins.
//!
//! ```toml
//! [[phases]]
//! name = "head"
//! modules = ["head"]
//! lr = 1e-3
//! end = { monitor = { metric = "val_loss", patience = 2 } }
//! restore_best = true
//!
//! [[phases]]
//! name = "top"
//! modules = ["backbone.layer4", "backbone.layer3.*"]
//! lr = { ratio = 0.1 }
//! scheduler = { id = "cosine" }
//! end = { after_epochs = 5 }
//!
//! [[phases]]
//! name = "all"
//! modules = ["*"]
//! lr = { ratio = 0.1, of = "head" }
//! optimizer = { id = "sgd", momentum = 0.9 }
//! ```

mod end;
mod layout;
mod options;
mod phase;
mod position;
mod rate;
mod rehearsal;
mod schedule;
mod waits;

use std::path::PathBuf;

pub use end::{End, Monitor};
pub use options::Options;
pub use phase::Phase;
use position::Position;
pub use rate::Rate;
pub use schedule::{Phases, Schedule, Source};
use thaw_plugin_api::context::Stage;
use thaw_plugin_api::monitor;
pub use thaw_plugin_api::monitor::Mode;
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;
use waits::Waited;

/// Trains in phases: each one thaws more of a frozen model, in a parameter group of its own, until an epoch,
/// a step, or a metric that stops improving.
///
/// Groups are laid out by the phases alone; `parameters` of `[optimizer]` has no effect. Everything that no
/// phase has thawed yet is frozen. A phase whose end has passed when it is to begin is gone through at once.
#[derive(Config, Debug)]
#[config(check = PhasedFinetuning::read)]
pub struct PhasedFinetuning {
    /// A TOML file with the schedule, instead of `phases` here. As for all paths of a run config, a relative
    /// one starts at the working directory. A run and its checkpoints keep what was read.
    pub schedule: Option<Source>,
    /// The schedule, where it has no file of its own.
    #[config(flatten)]
    pub inline: Schedule,
    #[config(state)]
    position: Position,
    /// The file that the schedule was read from.
    #[config(skip)]
    file: Option<PathBuf>,
}

impl PhasedFinetuning {
    /// Takes the schedule from its file.
    fn read(&mut self) -> Result<()> {
        let has_keys = !self.inline.phases.0.is_empty() || self.inline.frozen_bn.is_some();
        match &self.schedule {
            Some(_) if has_keys => {
                bail!("there are both `schedule` and `phases` or `frozen_bn`, expected one of them")
            }
            Some(Source::File(path)) => {
                let schedule = Schedule::read(path)?;
                self.file = Some(path.clone());
                self.schedule = Some(Source::Table(schedule));
            }
            _ => {}
        }
        ensure!(!self.phases().is_empty(), "there is no phase, expected `schedule` with a file, or `phases`");
        Ok(())
    }

    /// The schedule, wherever it stands.
    fn active(&self) -> &Schedule {
        match &self.schedule {
            Some(Source::Table(schedule)) => schedule,
            _ => &self.inline,
        }
    }

    fn phases(&self) -> &[Phase] {
        &self.active().phases.0
    }

    /// The phase that the run is in, by its position.
    fn current(&self) -> Result<Option<usize>> {
        let Some(name) = &self.position.phase else { return Ok(None) };
        let position = self.phases().iter().position(|phase| phase.name == *name);
        position.map(Some).ok_or_else(|| {
            let names: Vec<&str> = self.phases().iter().map(|phase| phase.name.as_str()).collect();
            let message = format!(
                "the run is in phase `{name}`, which this schedule does not have; it has: {}",
                names.join(", ")
            );
            Error::of(ErrorKind::State, message).help("keep the names of phases that a run has begun")
        })
    }

    fn is_last(&self, phase: usize) -> bool {
        phase + 1 == self.phases().len()
    }

    /// An error of a phase's key.
    fn wrong(&self, phase: usize, key: &str, error: &Error) -> Error {
        let file = self.file.as_ref().map(|file| format!("{}: ", file.display())).unwrap_or_default();
        let name = &self.phases()[phase].name;
        Error::of(ErrorKind::Config, format_args!("{file}phase `{name}`: `phases[{phase}].{key}`: {error}"))
    }

    /// Why a phase is over when this epoch is to begin, or after this step.
    fn over(&self, phase: usize, epoch: usize, step: usize) -> Option<String> {
        let end = self.phases()[phase].end.as_ref()?;
        let epochs = end
            .epoch_from(self.position.since_epoch)
            .filter(|end| epoch >= *end)
            .map(|end| done(end, "epoch"));
        let steps = || {
            end.step_from(self.position.since_step).filter(|end| step >= *end).map(|end| done(end, "step"))
        };
        self.position.ended.clone().or(epochs).or_else(steps)
    }

    /// Begins the phases that are due; in the last one's end the run stops.
    fn advance(&mut self, context: &mut Context, epoch: usize) -> Result<()> {
        loop {
            let step = context.global_step();
            let Some(current) = self.current()? else {
                self.begin(context, 0, epoch)?;
                continue;
            };
            let Some(reason) = self.over(current, epoch, step) else { return Ok(()) };
            let phase = &self.phases()[current];
            if self.is_last(current) {
                return context.stop(&format!("the last phase, `{}`, is over: {reason}", phase.name));
            }
            info!("phase `{}` is over: {reason}", phase.name);
            if phase.restore_best && self.position.watch.best.is_some() {
                context.restore_weights_and_optimizer(&phase.checkpoint())?;
            }
            self.begin(context, current + 1, epoch)?;
        }
    }

    fn begin(&mut self, context: &mut Context, index: usize, epoch: usize) -> Result<()> {
        let step = context.global_step();
        let is_first = self.position.phase.is_none();
        let phase = &self.phases()[index];
        if let Some(id) = &phase.optimizer.id {
            context.replace_optimizer(id, &phase.optimizer.values)?;
        }
        let (model, optimizer) = context.model_and_optimizer()?;
        self.freeze(model, index)?;
        if is_first && step == 0 {
            layout::warn_of_parameters(model, optimizer);
        }
        layout::regroup(model, optimizer, phase, self.before(index))
            .map_err(|error| self.wrong(index, "modules", &error))?;
        self.reschedule(context, index, epoch)?;
        if let Some(monitor) = phase.end.as_ref().and_then(|end| end.monitor.as_ref()) {
            let then = self
                .phases()
                .get(index + 1)
                .map_or("the run stops".to_owned(), |next| format!("`{}` begins", next.name));
            context.note(&format!(
                "phase `{}` ends, and {then}, when {}: the epoch depends on the data",
                phase.name,
                monitor.words()
            ))?;
        }
        info!("phase `{}` begins in epoch {}, after {step} steps", phase.name, epoch + 1);
        self.position = Position {
            phase: Some(phase.name.clone()),
            since_epoch: epoch,
            since_step: step,
            ..Position::default()
        };
        Ok(())
    }

    /// Begins a phase's scheduler. That of the phase before ends with it: rates stay constant then.
    fn reschedule(&self, context: &mut Context, index: usize, epoch: usize) -> Result<()> {
        let step = context.global_step();
        let phase = &self.phases()[index];
        if phase.scheduler.is_some() {
            let end = phase.end.as_ref();
            let until_epoch = end.and_then(|end| end.epoch_from(epoch));
            let until_step = end.and_then(|end| end.step_from(step));
            context.restart_scheduler(phase.scheduler.as_ref(), until_epoch, until_step)
        } else if self.before(index).is_some_and(|before| before.scheduler.is_some()) {
            context.restart_scheduler(Some(&json!({ "id": "constant" })), None, None)
        } else if self.position.phase.is_none() && step == 0 {
            context.restart_scheduler(None, None, None)
        } else {
            Ok(())
        }
    }

    /// The phase before this one.
    fn before(&self, index: usize) -> Option<&Phase> {
        self.phases()[..index].last()
    }

    /// The freeze state of a phase.
    fn freeze(&self, model: &mut ModuleTree, index: usize) -> Result<()> {
        let selection = layout::selection(model, &self.phases()[..=index])?;
        model.train_only(
            &selection,
            self.phases()[index].frozen_bn.or(self.active().frozen_bn).unwrap_or_default(),
        );
        Ok(())
    }

    /// Looks at the monitored metric after an epoch.
    fn observe(&mut self, context: &mut Context, current: usize) -> Result<()> {
        let phase = self.phases()[current].clone();
        let Some(monitor) = phase.end.as_ref().and_then(|end| end.monitor.as_ref()) else { return Ok(()) };
        let is_stale = monitor.needs_validation() && !self.position.validated;
        if is_stale || context.progress().stage == Stage::Plan {
            return Ok(());
        }
        let metrics = context.metrics()?;
        let Some(&value) = metrics.get(&monitor.metric) else {
            // One that was there before comes again; this epoch has none.
            if self.position.watch.has_seen() {
                return Ok(());
            }
            let names = || metrics.keys().map(String::as_str);
            let hint = match thaw_plugin_api::nearest(&monitor.metric, names()) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("there are: {}", names().collect::<Vec<_>>().join(", ")),
            };
            let error = Error::new(format_args!("`{}` is no metric of this run; {hint}", monitor.metric));
            return Err(self.wrong(current, "end.monitor.metric", &error));
        };
        let mode = monitor.direction().map_err(|error| self.wrong(current, "end.monitor.mode", &error))?;
        let verdict = self.position.watch.observe(monitor, mode, value);
        if verdict.is_best && phase.restore_best {
            context.save_checkpoint(&phase.checkpoint())?;
        }
        if verdict.ends {
            self.position.ended = Some(monitor.words());
        }
        Ok(())
    }
}

/// That so many are over, in words.
fn done(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun} is done") } else { format!("{number} {noun}s are done") }
}

impl Strategy for PhasedFinetuning {
    const ID: &'static str = "phased-finetuning";
    const DESCRIPTION: &'static str =
        "Trains in phases of a schedule: what thaws, at which rate, until an epoch, a step, or a metric";

    const METRICS: Option<&'static [&'static str]> = Some(&[]);

    /// Finds what is wrong with later phases before anything is trained.
    fn setup(&mut self, context: &mut Context) -> Result<()> {
        if matches!(context.progress().stage, Stage::Fit | Stage::Plan) {
            self.rehearse(context)
        } else {
            Ok(())
        }
    }

    fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()> {
        self.freeze(model, 0)
    }

    /// All happens in the hooks, which see the run's steps and metrics.
    fn finetune(&mut self, _: usize, _: &mut ModuleTree, _: &mut Optimizer) -> Result<()> {
        Ok(())
    }

    fn load_state(&mut self, mut state: Map<String, Value>) -> Result<()> {
        Config::load_state(self, &mut state)?;
        self.current().map(drop)
    }

    fn on_fit_start(&mut self, context: &mut Context) -> Result<()> {
        for Waited { phase, key, metric, mode } in self.waits() {
            if let Some(text) = monitor::contradiction(&metric, mode) {
                warn!("phase `{}`: {text}", self.phases()[phase].name);
            }
            context.monitor(&metric, &format!("phased-finetuning: phases[{phase}].{key}"))?;
        }
        Ok(())
    }

    /// A run that was stopped by its last phase has nothing left to do.
    fn on_train_start(&mut self, context: &mut Context) -> Result<()> {
        match self.current()? {
            Some(current) if self.is_last(current) => self.advance(context, context.epoch()),
            _ => Ok(()),
        }
    }

    fn on_train_epoch_start(&mut self, context: &mut Context) -> Result<()> {
        self.advance(context, context.epoch())?;
        self.position.validated = false;
        Ok(())
    }

    /// A phase that ends at a step; after the last batch the next epoch's start does it, with that epoch's
    /// validation behind.
    fn on_train_batch_end(&mut self, context: &mut Context) -> Result<()> {
        let Some(current) = self.current()? else { return Ok(()) };
        let step =
            self.phases()[current].end.as_ref().and_then(|end| end.step_from(self.position.since_step));
        let progress = context.progress();
        let is_due = step.is_some_and(|step| progress.global_step >= step)
            && progress.batch_index + 1 < progress.num_training_batches;
        if is_due { self.advance(context, context.epoch()) } else { Ok(()) }
    }

    fn on_validation_end(&mut self, _: &mut Context) -> Result<()> {
        self.position.validated = true;
        Ok(())
    }

    fn on_train_epoch_end(&mut self, context: &mut Context) -> Result<()> {
        let Some(current) = self.current()? else { return Ok(()) };
        self.observe(context, current)?;
        if self.is_last(current) { self.advance(context, context.epoch() + 1) } else { Ok(()) }
    }
}

#[cfg(feature = "export")]
export_plugin!(strategies: [PhasedFinetuning]);

#[cfg(test)]
mod tests;
