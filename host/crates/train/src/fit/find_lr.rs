//! The learning-rate range test on a run, which is afterwards as it was.

use thaw_plugin_api::abi::Kind;
use thaw_plugin_api::context::Stage;
use thaw_plugin_api::hook::Hook;

use super::step::to_device;
use super::{Fit, FitError, audit};
use crate::Error;
use crate::find_lr::{Curve, FindLr, FindLrError, FoundLr, Group};
use thaw_data::{Batch, Loader, Split};
use thaw_plugins::Instance;

impl Fit {
    /// Runs a range test from where the run stands, between two epochs. Weights, optimizer, random numbers,
    /// freeze state, schedulers and callbacks are afterwards as before, also after a failure: nothing of the
    /// run's own strategies and callbacks is called but `state`. What trains in a later epoch, twins of the
    /// strategies say, as in a plan: no batch comes between, and what waits for a metric goes on waiting.
    /// Schedulers do not act within the test. `on_step` is told how many steps of how many are done.
    ///
    /// # Errors
    /// Settings that make no sense, an epoch that is not to come, a strategy or a model that fails.
    pub fn find_lr(
        &mut self,
        settings: &FindLr,
        on_step: &mut dyn FnMut(usize, usize),
    ) -> Result<FoundLr, Error> {
        settings.check()?;
        let (next, end, batch) = (
            self.state.progress().epoch,
            self.state.config.trainer.max_epochs,
            self.state.progress().batch_index,
        );
        let epoch = settings.epoch.unwrap_or(next);
        if batch != 0 {
            return Err(FindLrError::InsideEpoch { batch }.into());
        }
        if !(next..end).contains(&epoch) {
            return Err(FindLrError::Epoch { epoch, next, end }.into());
        }
        let held = self.state.hold()?;
        let detect_anomaly = std::mem::replace(&mut self.state.config.trainer.detect_anomaly, false);
        let mut callbacks = std::mem::take(&mut self.callbacks);
        let found =
            self.twins(&mut callbacks).and_then(|twins| self.measure(settings, epoch, twins, on_step));
        self.callbacks = callbacks;
        self.state.config.trainer.detect_anomaly = detect_anomaly;
        self.state.put_back(&held)?;
        found
    }

    /// Strategies as the run's are now, for others to act in their place.
    fn twins(&mut self, callbacks: &mut [Instance]) -> Result<Vec<Instance>, Error> {
        let mut twins = Vec::new();
        for callback in callbacks.iter_mut().filter(|callback| callback.kind() == Kind::Strategy) {
            let mut twin = self.plugins.twin(callback)?;
            twin.hook(Hook::Setup, &self.state.progress(), &mut self.state)?;
            twin.load_state(&callback.state()?)?;
            twins.push(twin);
        }
        Ok(twins)
    }

    fn measure(
        &mut self,
        settings: &FindLr,
        epoch: usize,
        mut twins: Vec<Instance>,
        on_step: &mut dyn FnMut(usize, usize),
    ) -> Result<FoundLr, Error> {
        self.advance_to(epoch, &mut twins)?;
        let groups = self.state.optimizer()?.groups().iter();
        let groups: Vec<Group> = groups
            .map(|group| Group { name: group.name.clone(), lr: group.lr, initial_lr: group.initial_lr })
            .collect();
        let moved: Vec<Option<usize>> =
            if settings.per_group { (0..groups.len()).map(Some).collect() } else { vec![None] };
        let start = self.state.hold()?;
        let mut curves = Vec::with_capacity(moved.len());
        let steps = moved.len() * settings.num_training;
        for (index, moved) in moved.into_iter().enumerate() {
            // Rates are the test's.
            self.state.trained.scheduler = None;
            curves.push(self.range_test(settings, moved, &mut |step| {
                on_step(index * settings.num_training + step, steps)
            })?);
            self.state.put_back(&start)?;
        }
        let found = FoundLr { epoch, mode: settings.mode, groups, curves };
        match found.curves.iter().find(|curve| curve.points.len() < 2) {
            Some(short) => {
                Err(FindLrError::NoCurve { moved: found.moved(short).to_owned(), steps: short.points.len() }
                    .into())
            }
            None => Ok(found),
        }
    }

    /// Brings freeze state, groups and rates to where an epoch starts, without training: as `host plan` does.
    fn advance_to(&mut self, epoch: usize, twins: &mut [Instance]) -> Result<(), Error> {
        let batches = self.state.progress().num_training_batches;
        let window = self.state.config.trainer.accumulate_grad_batches;
        let stage = std::mem::replace(&mut self.state.position.progress.stage, Stage::Plan);
        self.twins_hook(twins, Hook::FitStart)?;
        self.twins_hook(twins, Hook::TrainStart)?;
        loop {
            let progress = self.state.progress();
            for twin in &mut *twins {
                twin.finetune(&progress, &mut self.state)?;
                twin.hook(Hook::TrainEpochStart, &progress, &mut self.state)?;
            }
            self.adopt_groups()?;
            if let Some(reason) = self.state.requests.stop.take() {
                return Err(FindLrError::Stops { epoch, at: progress.epoch, reason }.into());
            }
            if progress.epoch == epoch {
                break;
            }
            for batch in 0..batches {
                self.state.position.progress.batch_index = batch;
                self.twins_hook(twins, Hook::TrainBatchStart)?;
                if (batch + 1).is_multiple_of(window) || batch + 1 == batches {
                    self.state.position.progress.global_step += 1;
                    self.step_schedulers()?;
                }
                if batch + 1 == batches {
                    self.epoch_schedulers()?;
                }
                self.twins_hook(twins, Hook::TrainBatchEnd)?;
            }
            self.twins_hook(twins, Hook::TrainEpochEnd)?;
            self.state.position.progress.epoch = progress.epoch + 1;
            self.state.position.progress.batch_index = 0;
        }
        self.state.position.progress.stage = stage;
        self.state.watched.changed = false;
        self.state.watched.audit_gradients = false;
        let groups = self.state.optimizer()?.groups().to_vec();
        self.state.report_findings(audit::groups(self.state.trained.model.tree(), &groups))?;
        Ok(self.state.check_something_trains()?)
    }

    fn twins_hook(&mut self, twins: &mut [Instance], hook: Hook) -> Result<(), Error> {
        let progress = self.state.progress();
        for twin in twins {
            twin.hook(hook, &progress, &mut self.state)?;
        }
        Ok(self.adopt_groups()?)
    }

    fn range_test(
        &mut self,
        settings: &FindLr,
        moved: Option<usize>,
        told: &mut dyn FnMut(usize),
    ) -> Result<Curve, Error> {
        let factors = self.factors(moved)?;
        let mut batches = self.endless()?;
        let mut curve = Curve::new(moved);
        for step in 0..settings.num_training {
            let rates: Vec<f64> = factors.iter().map(|factor| factor * settings.lr(step)).collect();
            let groups = self.state.optimizer()?.groups_mut();
            groups.iter_mut().zip(&rates).for_each(|(group, lr)| group.lr = *lr);
            let loss = self.window(&mut batches)?;
            told(step + 1);
            if Self::is_interrupted() {
                return Err(Error::Interrupted);
            }
            if !curve.push(settings, rates, loss) {
                break;
            }
        }
        curve.suggest(settings);
        Ok(curve)
    }

    /// What each group's rate is of the test's.
    fn factors(&mut self, moved: Option<usize>) -> Result<Vec<f64>, Error> {
        let groups = self.state.optimizer()?.groups();
        if let Some(moved) = moved {
            return Ok((0..groups.len()).map(|index| if index == moved { 1.0 } else { 0.0 }).collect());
        }
        // A warm-up that begins at 0 says nothing about ratios; what it warms up to does.
        let begins_at_0 = groups.iter().all(|group| group.lr == 0.0);
        let rates: Vec<f64> =
            groups.iter().map(|group| if begins_at_0 { group.initial_lr } else { group.lr }).collect();
        match (rates.first(), groups.first()) {
            (Some(first), _) if *first > 0.0 => Ok(rates.iter().map(|lr| lr / first).collect()),
            (_, first) => Err(FindLrError::ZeroRate {
                group: first.map_or_else(String::new, |group| group.name.clone()),
            }
            .into()),
        }
    }

    /// One accumulation window and its step; gives its loss.
    fn window(&mut self, batches: &mut Endless) -> Result<f64, Error> {
        let window = self.state.config.trainer.accumulate_grad_batches;
        let (mut sum, mut count) = (0.0, 0);
        for index in 0..window {
            let batch = self.next_of(batches)?;
            let (batch, samples) = to_device(batch, self.state.trained.model.device())?;
            self.state.position.progress.batch_index = index;
            self.train_batch(&batch, samples, index + 1 == window)?;
            let loss = self.loss()?;
            (sum, count) = (sum + loss * samples as f64, count + samples);
        }
        self.state.position.window_samples = 0;
        Ok(sum / count as f64)
    }

    /// The last batch's loss.
    fn loss(&mut self) -> Result<f64, Error> {
        self.state.settle()?;
        Ok(self.state.measured.loss.unwrap_or(f64::NAN))
    }

    /// The training data from the epoch on that the run is in, one epoch after the other.
    fn endless(&self) -> Result<Endless, Error> {
        let epoch = self.state.progress().epoch as u64;
        Ok(Endless { epoch, loader: self.loader(epoch)? })
    }

    fn next_of(&self, batches: &mut Endless) -> Result<Batch, Error> {
        let limit = self.state.progress().num_training_batches;
        let is_in_epoch = |batch: &Batch| batch.position < limit;
        if let Some(batch) = batches.loader.next().transpose()?.filter(is_in_epoch) {
            return Ok(batch);
        }
        batches.epoch += 1;
        batches.loader = self.loader(batches.epoch)?;
        let first = batches.loader.next().transpose()?.filter(is_in_epoch);
        first.ok_or_else(|| FitError::NoBatches("none of its samples can be read".to_owned()).into())
    }

    fn loader(&self, epoch: u64) -> Result<Loader, Error> {
        let loader = self.state.data.loader(Split::Train, epoch, 0)?;
        loader.ok_or_else(|| FitError::NoBatches("there are no samples".to_owned()).into())
    }
}

/// Batches without an end.
struct Endless {
    epoch: u64,
    loader: Loader,
}
