//! Validation: a pass over data without gradients, every module in evaluation mode.

use std::borrow::Cow;
use std::sync::Arc;

use tch::Tensor;
use thaw_metrics::{Calibration, Confusion, Metric};
use thaw_plugin_api::drive::{Pass, Training, Validating, ValidationData};
use thaw_plugin_api::model::{Batch, Precision, Tensors};

use super::agreement::OfProcess;
use super::events::{Asked, Doubtful, EventKind, Validated};
use super::gathered::{Doubts, Found, Gathered, Keep, Samples};
use super::no_sample::{none_of, outputs_of_others};
use super::readings::{Readings, Row, What};
use super::step::{Fed, Loaded};
use super::training::by_position;
use super::{BatchOutcome, Fit, Meter, set_batches};
use crate::Error;
use crate::error::torch;
use crate::model::{HostModel, LabelCounts, Phase, shared};
use crate::world::World;
use thaw_data::{FurtherSet, Split};
use thaw_torch::Autocast;
use thaw_torch::reading::{Reading, Reads};

/// What a pass over validation data gave.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    /// Means by name, `val_loss`, `val_acc`, …, and the metrics that the run config names.
    pub metrics: Meter,
    /// Hits and samples of each class, for classification.
    pub classes: Vec<(u64, u64)>,
    /// Samples by class and predicted class, for classification.
    pub confusion: Confusion,
    /// Predictions by their probability, for classification.
    pub calibration: Calibration,
    /// Samples to look at first, for classification.
    pub doubts: Doubts,
    /// The samples one by one, where they are kept.
    pub samples: Option<Samples>,
    /// What is to be known of the metrics, in a sentence.
    pub note: Option<String>,
}

/// What a batch gave.
struct Seen {
    /// Of the loss first.
    names: Vec<Cow<'static, str>>,
    values: Vec<Reading>,
    outputs: Tensors,
}

/// A pass over validation data under way. On a GPU nothing waits for it before [`Evaluator::finish`].
pub struct Evaluator {
    metrics: Meter,
    readings: Readings,
    gathered: Gathered,
    /// What was right of several labels per sample.
    labels: LabelCounts,
}

impl Evaluator {
    /// A pass that has seen nothing yet, for these metrics of the whole of it.
    pub fn new(reads: Reads, metrics: &[Metric], keep: Keep) -> Self {
        Self {
            metrics: Meter::default(),
            readings: Readings::new(reads),
            gathered: Gathered::new(metrics, keep),
            labels: LabelCounts::default(),
        }
    }

    /// Loss and metrics of one batch; gives the model's outputs.
    ///
    /// # Errors
    /// The model refuses the batch, or a metric is none of its outputs.
    pub fn batch(
        &mut self,
        model: &mut HostModel,
        batch: &Batch,
        samples: usize,
        precision: Precision,
    ) -> Result<Tensors, Error> {
        self.batch_from(0, model, batch, samples, precision)
    }

    /// The same of a batch that has passed the stages before `start`.
    ///
    /// # Errors
    /// As [`Evaluator::batch`].
    pub fn batch_from(
        &mut self,
        start: usize,
        model: &mut HostModel,
        batch: &Batch,
        samples: usize,
        precision: Precision,
    ) -> Result<Tensors, Error> {
        let Seen { names, values, outputs } = self.look_at(start, model, batch, precision)?;
        self.add(names, values, samples)?;
        Ok(outputs)
    }

    /// What a batch gives, which is not added to the means yet.
    ///
    /// # Errors
    /// As [`Evaluator::batch`].
    fn look_at(
        &mut self,
        start: usize,
        model: &mut HostModel,
        batch: &Batch,
        precision: Precision,
    ) -> Result<Seen, Error> {
        let _autocast = Autocast::of(precision, model.device())?;
        let output = model.step_from(start, batch)?;
        self.gathered.take(model, batch, &output.outputs)?;
        if model.is_multi_label() {
            self.add_labels(&output.outputs, batch)?;
        }
        let metrics = output.metrics.into_iter().map(|(name, value)| (val_metric(&name), value));
        let loss = ("val_loss".into(), Reading::of(&output.loss)?);
        let (names, values) = std::iter::once(loss).chain(metrics).unzip();
        Ok(Seen { names, values, outputs: output.outputs })
    }

    /// Adds means over so many samples.
    fn add(
        &mut self,
        names: Vec<Cow<'static, str>>,
        values: Vec<Reading>,
        samples: usize,
    ) -> Result<(), Error> {
        let rows =
            self.readings.push(Row { what: What::Batch, epoch: 0, batch: 0, samples, names, values })?;
        rows.iter().for_each(|row| row.add_to(&mut self.metrics));
        Ok(())
    }

    fn add_labels(&mut self, outputs: &Tensors, batch: &Batch) -> Result<(), Error> {
        let (Some((_, logits)), Some(target)) = (outputs.iter().next(), &batch.target) else { return Ok(()) };
        Ok(self.labels.add(logits, target).map_err(torch("predicted labels"))?)
    }

    /// Means over a validation set beside the main one, by the names of its metrics; waits for the device.
    ///
    /// # Errors
    /// As [`Evaluator::finish`].
    pub fn of_set(self, set: &FurtherSet, world: &World) -> Result<Meter, Error> {
        let mut metrics = self.finish_with(world)?.metrics;
        metrics.rename(|name| Some(set.metric(name)));
        Ok(metrics)
    }

    /// Means and hits over everything seen; waits for the device.
    ///
    /// # Errors
    /// The device failed at what came before.
    pub fn finish(self) -> Result<Evaluation, Error> {
        self.finish_with(&World::single())
    }

    /// The same over what all processes have seen.
    ///
    /// # Errors
    /// As [`Evaluator::finish`]; or a process is gone, elsewhere, or does not come.
    fn finish_with(mut self, world: &World) -> Result<Evaluation, Error> {
        self.readings.all()?.iter().for_each(|row| row.add_to(&mut self.metrics));
        if !world.is_single() {
            let counts = self.labels.counts().map_err(torch("scores of labels"))?;
            let all = world.exchange("the labels of a validation", counts)?;
            self.labels.set(all.iter().flatten()).map_err(torch("scores of labels"))?;
        }
        for (name, score) in self.labels.scores().map_err(torch("scores of labels"))? {
            self.metrics.add(&val_metric(name), score, 1);
        }
        let Found { confusion, calibration, doubts, values, samples, note } = self.gathered.finish(world)?;
        for (metric, value) in values {
            self.metrics.set(format!("val_{metric}"), value);
        }
        let classes = confusion.hits();
        Ok(Evaluation { metrics: self.metrics, classes, confusion, calibration, doubts, samples, note })
    }
}

/// The names of validation, without a text made for each batch.
fn val_metric(name: &str) -> Cow<'static, str> {
    match name {
        "acc" => "val_acc".into(),
        "mae" => "val_mae".into(),
        other => format!("val_{other}").into(),
    }
}

impl Validating for Fit {
    type Batch = Fed;
    type Loaded = Loaded;
    type Evaluation = Evaluator;

    fn load(&mut self, fed: Fed) -> Result<Loaded, Error> {
        self.tell_wait()?;
        if let Some(order) = &mut self.now.validated {
            order.extend(&fed.batch.indices);
        }
        self.timed("to_device", |fit| fit.load_fed(fed))
    }

    fn begin_validation(&mut self, pass: Pass, batches: usize) -> Result<(), Error> {
        // What is told of it is of the validation before.
        self.settle_checkpoint()?;
        (self.now.validation_loss, self.now.further) = (None, Meter::default());
        self.now.validated = Some(Vec::new());
        let batches = batches + self.further_batches(pass)?;
        self.tell(EventKind::ValidationStarted { asked: asked(pass), batches })
    }

    fn enter_evaluation(&mut self) {
        self.state.trained.model.set_phase(Phase::Validate);
    }

    fn validation_data(&mut self, batches: usize) -> Result<ValidationData<Self>, Error> {
        self.state.share_buffers("a validation")?;
        let epoch = self.state.progress().epoch as u64;
        let reads = self.state.measured.readings.reads();
        let evaluator = Evaluator::new(reads, &self.state.config.trainer.metrics, Keep::Nothing);
        // In the sanity check strategies are still laying out what trains.
        let stand_in = if self.state.watched.laid_out { self.stand_in(Split::Val)? } else { None };
        if let Some((start, features)) = stand_in {
            let loader = self.state.data.first_of_validation_of(&features, epoch, batches)?;
            return Ok((self.noting_waits(by_position(Some(loader), start)), evaluator));
        }
        let loader = self.state.data.first_of_validation(epoch, batches)?;
        Ok((self.noting_waits(by_position(loader, 0)), evaluator))
    }

    fn further_data(&mut self, set: usize, pass: Pass) -> Result<Option<ValidationData<Self>>, Error> {
        let state = &self.state;
        let Some(further) = state.data.further_sets().get(set) else { return Ok(None) };
        let batches = self.batches_of(further, pass)?;
        let reads = state.measured.readings.reads();
        let evaluator = Evaluator::new(reads, &state.config.trainer.metrics, Keep::Nothing);
        let loader = further.data().first(batches)?;
        let taken = self.noting_waits(by_position(Some(loader), 0)).take(batches);
        Ok(Some((Box::new(taken), evaluator)))
    }

    fn further_validated(&mut self, set: usize, evaluator: Evaluator) -> Result<(), Error> {
        let Some(further) = self.state.data.further_sets().get(set) else { return Ok(()) };
        let metrics = evaluator.of_set(further, &self.state.world)?;
        let loss = metrics.mean(&further.metric("val_loss"));
        self.now.validation_loss = self.now.validation_loss.or(loss.filter(|loss| !loss.is_finite()));
        self.now.further.join(metrics);
        Ok(())
    }

    /// Gradients of an unfinished window are in no checkpoint: it is finished first.
    fn check_interrupted(&self) -> Result<(), Error> {
        if self.state.position.window_samples == 0 && self.is_interrupted() {
            return Err(Error::Interrupted);
        }
        Ok(())
    }

    fn validation_step(&mut self, evaluator: &mut Evaluator, loaded: &Loaded) -> Result<(), Error> {
        self.timed("validation_step", |fit| fit.validate_batch(evaluator, loaded))
    }

    fn validation_batch_ended(&mut self, loaded: Loaded) -> Result<(), Error> {
        self.state.outcome = None;
        self.tell(EventKind::ValidationBatchDone { samples: loaded.of_all })
    }

    fn validated(&mut self, evaluator: Evaluator, pass: Pass) -> Result<(), Error> {
        let mut evaluation = evaluator.finish_with(&self.state.world)?;
        evaluation.doubts.name(&self.now.validated.take().unwrap_or_default());
        let world = &self.state.world;
        if !world.is_single() {
            let all = world.exchange("the samples to look at", std::mem::take(&mut evaluation.doubts))?;
            evaluation.doubts = Doubts::of_all(all);
        }
        self.now.validation_loss = self.now.validation_loss.or_else(|| evaluation.metrics.mean("val_loss"));
        evaluation.metrics.join(std::mem::take(&mut self.now.further));
        self.state.measured.known_metrics.extend(evaluation.metrics.means().map(|(name, _)| name.to_owned()));
        let (metrics, classes) = (&evaluation.metrics, &evaluation.classes);
        let (confusion, calibration) = (&evaluation.confusion, &evaluation.calibration);
        let Doubts { wrong, unsure } = &evaluation.doubts;
        let doubtful = Doubtful { data: &self.state.data, wrong, unsure };
        let validated = Validated { asked: asked(pass), metrics, classes, confusion, calibration, doubtful };
        self.observers.tell(&self.state.position.progress, EventKind::Validated(validated))?;
        if !matches!(pass, Pass::SanityCheck(_)) {
            if let Some(note) = evaluation.note.as_ref().filter(|_| !self.now.is_noted) {
                self.state.warnings.warn(format_args!("validation: {note}"));
                self.now.is_noted = true;
            }
            for (name, mean) in evaluation.metrics.means() {
                self.state.set_metric(name, mean);
            }
            self.state.measured.validated_at = Some(self.state.progress().global_step);
            self.state.measured.validation = Some(evaluation);
        }
        Ok(())
    }

    fn check_validation(&mut self) -> Result<(), Error> {
        Ok(self.state.check_validation_loss(self.now.validation_loss)?)
    }

    fn leave_evaluation(&mut self) {
        self.state.outcome = None;
        self.state.trained.model.set_phase(Phase::Train);
    }

    /// A resumed run validates anew.
    fn validation_failed(&mut self, error: Error, pass: Pass) -> Error {
        match (error, pass) {
            (Error::Interrupted, Pass::Epoch | Pass::Requested | Pass::Scheduled) => {
                // One after the last batch comes of itself.
                self.state.requests.validate_first = pass != Pass::Epoch;
                self.leave().err().unwrap_or(Error::Interrupted)
            }
            (error, _) => error,
        }
    }
}

impl Fit {
    /// Batches of a validation set beside the main one in such a pass.
    fn batches_of(&self, set: &FurtherSet, pass: Pass) -> Result<usize, Error> {
        let all = set_batches(&self.state.config, set.data().batches())?;
        Ok(match pass {
            Pass::SanityCheck(_) => self.sanity_batches_of(all),
            Pass::Epoch | Pass::Requested | Pass::Scheduled => all,
        })
    }

    fn further_batches(&self, pass: Pass) -> Result<usize, Error> {
        self.state.data.further_sets().iter().map(|set| self.batches_of(set, pass)).sum()
    }

    fn validate_batch(&mut self, evaluator: &mut Evaluator, loaded: &Loaded) -> Result<(), Error> {
        let _guard = tch::no_grad_guard();
        if !self.state.world.is_single() {
            return self.validate_batch_of_all(evaluator, loaded);
        }
        let precision = self.state.config.trainer.precision;
        let anew = self.read_anew(Split::Val, loaded)?;
        let (start, batch) = anew.as_ref().map_or((loaded.start, &loaded.batch), |batch| (0, batch));
        let model = &mut self.state.trained.model;
        let seen = evaluator.batch_from(start, model, batch, loaded.samples, precision);
        let outputs = seen.map_err(|error| self.state.explain_memory(error, loaded.samples))?;
        self.show_outcome(outputs, batch.target.as_ref(), &loaded.indices);
        Ok(())
    }

    /// Lets hooks see what a batch gave.
    fn show_outcome(&mut self, outputs: Tensors, target: Option<&Tensor>, indices: &[usize]) {
        let data = match self.state.progress().validation_set.checked_sub(1) {
            Some(set) => self.state.data.further_sets().get(set).map(|set| set.data().samples()),
            None => self.state.data.dataset(Split::Val),
        };
        let data = data.map(Arc::clone);
        self.state.outcome = Some(BatchOutcome::new(outputs, target, indices, data));
    }
}

impl Fit {
    /// The same where each process has a share of the batch, which may be empty.
    fn validate_batch_of_all(&mut self, evaluator: &mut Evaluator, loaded: &Loaded) -> Result<(), Error> {
        let precision = self.state.config.trainer.precision;
        let anew = self.read_anew(Split::Val, loaded)?;
        let (start, batch) = anew.as_ref().map_or((loaded.start, &loaded.batch), |batch| (0, batch));
        let samples = loaded.samples;
        let lacks_outputs = samples == 0 && self.now.no_outputs.is_none();
        let mut own =
            OfProcess { samples, weight: 0.0, names: Vec::new(), values: Vec::new(), lacks_outputs };
        if samples > 0 {
            let model = &mut self.state.trained.model;
            let seen = evaluator.look_at(start, model, batch, precision);
            let Seen { names, values, outputs } =
                seen.map_err(|error| self.state.explain_memory(error, samples))?;
            self.now.no_outputs = Some(none_of(&outputs).map_err(torch("outputs of no sample"))?);
            self.show_outcome(outputs, batch.target.as_ref(), &loaded.indices);
            own.weight = self.state.trained.model.loss_weight(batch, samples)?;
            own.names = names;
            own.values = values.iter().map(Reading::read).collect::<Result<_, _>>()?;
        }
        let all = self.agree_on_batch("validation", own)?;
        if all.lacks_outputs {
            let known = self.now.no_outputs.take();
            self.now.no_outputs = outputs_of_others(&self.state.world, known)?;
        }
        if samples == 0
            && let Some(outputs) = &self.now.no_outputs
        {
            self.show_outcome(shared(outputs), batch.target.as_ref(), &[]);
        }
        evaluator.add(all.names, all.values, all.samples)
    }
}

fn asked(pass: Pass) -> Asked {
    match pass {
        Pass::SanityCheck(_) => Asked::BySanityCheck,
        Pass::Epoch => Asked::ByEpoch,
        Pass::Requested => Asked::ByHook,
        Pass::Scheduled => Asked::ByInterval,
    }
}
