//! The learning-rate range test on a run, which is afterwards as it was.

use thaw_plugin_api::drive::{self, Step, Validating, Window};

use super::step::Fed;
use super::{Fit, FitError};
use crate::Error;
use crate::error::Trial;
use crate::find_lr::{Curve, FindLr, FindLrError, FoundLr, Group};
use thaw_data::{Batch, Loader, Split};

impl Fit {
    /// Runs a range test from where the run stands, between two epochs, in the state of an epoch to come
    /// (`try_in`). Schedulers do not act within the test. `on_step` is told how many steps of how many are
    /// done.
    ///
    /// # Errors
    /// Settings that make no sense, an epoch that is not to come, a strategy or a model that fails.
    pub fn find_lr(
        &mut self,
        settings: &FindLr,
        on_step: &mut dyn FnMut(usize, usize),
    ) -> Result<FoundLr, Error> {
        settings.check()?;
        let epoch = settings.epoch.unwrap_or(self.state.progress().epoch);
        self.try_in(Trial::RangeTest, epoch, |fit| fit.measure(settings, epoch, on_step))
    }

    fn measure(
        &mut self,
        settings: &FindLr,
        epoch: usize,
        on_step: &mut dyn FnMut(usize, usize),
    ) -> Result<FoundLr, Error> {
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
            if self.is_interrupted() {
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
        let window = self.state.window();
        let (mut sum, mut count, mut open) = (0.0, 0, Window::default());
        for index in 0..window {
            let batch = self.next_of(batches)?;
            let mut batch = self.load(Fed { batch, start: 0 })?;
            self.state.position.progress.batch_index = index;
            let step = if index + 1 == window { Step::Now } else { Step::Later };
            drive::training_step(self, &mut open, &mut batch, step)?;
            let (loss, samples) = (self.loss()?, batch.samples);
            (sum, count) = (sum + loss * samples as f64, count + samples);
        }
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
