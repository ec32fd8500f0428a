//! The search for the largest batch, on a run that is afterwards as it was.

use thaw_plugin_api::drive::{self, Step, Window};

use super::step::Fed;
use super::{Fit, FitError};
use crate::Error;
use crate::error::Trial;
use crate::find_batch_size::{FindBatchSize, FindBatchSizeError, FoundBatchSize, Search};
use thaw_data::Split;
use thaw_torch::memory;

/// What became of a size.
enum Tried {
    Fits,
    TooLarge(String),
}

impl Fit {
    /// Searches for the largest batch that training has memory for, from where the run stands, between two
    /// epochs, in the state of an epoch to come (`try_in`). Batches are of the longest samples, where lengths
    /// differ. `on_trial` is told of each size whether it fits.
    ///
    /// # Errors
    /// Settings that make no sense, memory for no batch at all, and whatever else ends training.
    pub fn find_batch_size(
        &mut self,
        settings: &FindBatchSize,
        on_trial: &mut dyn FnMut(usize, bool),
    ) -> Result<FoundBatchSize, Error> {
        let is_cpu = !self.state.trained.model.device().is_cuda();
        let samples = self.longest_first()?;
        let most = settings.max_val.unwrap_or(samples.len()).min(samples.len());
        if is_cpu && settings.max_val.is_none() {
            return Err(FindBatchSizeError::NoLimit.into());
        }
        if settings.init_val == 0 || settings.steps_per_trial == 0 || most == 0 {
            let text = "sizes and steps are to be at least 1";
            return Err(FindBatchSizeError::Settings(text.to_owned()).into());
        }
        let last = self.state.config.trainer.max_epochs.saturating_sub(1);
        let epoch = settings.epoch.unwrap_or(last);
        self.try_in(Trial::BatchSize, epoch, |fit| {
            // Rates are nothing that memory depends on.
            fit.state.trained.scheduler = None;
            let mut is_fitting = |size: usize| -> Result<Tried, Error> {
                let tried = fit.try_size(&samples[..size], settings.steps_per_trial)?;
                on_trial(size, matches!(tried, Tried::Fits));
                Ok(tried)
            };
            let (size, is_limit) = largest(settings, most, &mut is_fitting)?;
            Ok(FoundBatchSize { size, is_limit, epoch })
        })
    }

    /// The samples of training by number, the longest first, where lengths differ.
    fn longest_first(&self) -> Result<Vec<usize>, Error> {
        let dataset = self.state.data.dataset(Split::Train);
        let dataset = dataset.ok_or_else(|| FitError::NoBatches("there are no samples".to_owned()))?;
        let mut samples: Vec<usize> = (0..dataset.len()).collect();
        samples.sort_by_key(|index| std::cmp::Reverse(dataset.length_of(*index)));
        Ok(samples)
    }

    /// Some steps on a batch of these samples.
    fn try_size(&mut self, samples: &[usize], steps: usize) -> Result<Tried, Error> {
        let start = self.state.hold()?;
        let tried = (0..steps).try_for_each(|_| {
            if self.is_interrupted() {
                return Err(Error::Interrupted);
            }
            let batch = self.state.data.batch(Split::Train, 0, samples)?;
            let mut loaded = drive::Validating::load(self, Fed { batch, start: 0 })?;
            drive::training_step(self, &mut Window::default(), &mut loaded, Step::Now)?;
            Ok(self.state.settle()?)
        });
        self.clear_gradients()?;
        self.state.put_back(&start)?;
        match tried {
            Ok(()) => Ok(Tried::Fits),
            Err(error) if memory::is_out_of_memory(&error.to_string()) => {
                Ok(Tried::TooLarge(error.to_string()))
            }
            Err(error) => Err(error),
        }
    }
}

/// The largest size that fits, at most `most`, and whether a larger one does not.
fn largest(
    settings: &FindBatchSize,
    most: usize,
    is_fitting: &mut dyn FnMut(usize) -> Result<Tried, Error>,
) -> Result<(usize, bool), Error> {
    let mut size = settings.init_val.min(most);
    if let Tried::TooLarge(message) = is_fitting(size)? {
        return Err(FindBatchSizeError::NoneFits { size, message }.into());
    }
    let mut too_large = loop {
        if size == most {
            return Ok((size, false));
        }
        let next = size.saturating_mul(2).min(most);
        match is_fitting(next)? {
            Tried::Fits => size = next,
            Tried::TooLarge(_) => break next,
        }
    };
    while settings.mode == Search::Binsearch && too_large - size > 1 {
        let middle = size + (too_large - size) / 2;
        match is_fitting(middle)? {
            Tried::Fits => size = middle,
            Tried::TooLarge(_) => too_large = middle,
        }
    }
    Ok((size, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(mode: Search, init_val: usize, most: usize, memory: usize) -> Option<(usize, bool)> {
        let settings = FindBatchSize { mode, init_val, ..FindBatchSize::default() };
        let mut is_fitting = |size: usize| {
            let is_fitting = size <= memory;
            Ok(if is_fitting { Tried::Fits } else { Tried::TooLarge("out of memory".to_owned()) })
        };
        largest(&settings, most, &mut is_fitting).ok()
    }

    #[test]
    fn sizes_double_until_one_does_not_fit() {
        assert_eq!(found(Search::Power, 2, 1000, 37), Some((32, true)));
        assert_eq!(found(Search::Power, 3, 1000, 37), Some((24, true)));
        assert_eq!(found(Search::Binsearch, 2, 1000, 37), Some((37, true)));
    }

    #[test]
    fn no_size_is_beyond_the_most() {
        assert_eq!(found(Search::Power, 2, 20, 37), Some((20, false)));
        assert_eq!(found(Search::Binsearch, 64, 20, 37), Some((20, false)));
    }

    #[test]
    fn what_does_not_fit_at_first_is_an_error() {
        assert_eq!(found(Search::Power, 64, 1000, 37), None);
    }
}
