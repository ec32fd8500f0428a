//! Loss and metrics of training as observers ask for them.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::FitError;
use super::events::{LateValues, ObserverError};
use super::readings::Arriving;

/// What batches gave, some of it still on the device. Whoever asks also takes what has arrived into the run's
/// own means, in the order of the batches: asking changes no number.
pub(super) struct Late<'s>(RefCell<Inner<'s>>);

struct Inner<'s> {
    arriving: Arriving<'s>,
    /// The device failed while somebody looked.
    failed: Option<FitError>,
}

impl<'s> Late<'s> {
    pub(super) fn new(arriving: Arriving<'s>) -> Self {
        Self(RefCell::new(Inner { arriving, failed: None }))
    }

    /// What went wrong where an observer could not be told.
    ///
    /// # Errors
    /// The device failed at what came before.
    pub(super) fn finish(&self) -> Result<(), FitError> {
        match self.0.borrow_mut().failed.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn look<T>(&self, found: impl FnOnce(&Arriving<'s>) -> T) -> T {
        let inner = &mut *self.0.borrow_mut();
        if let Err(error) = inner.arriving.look() {
            inner.failed.get_or_insert(error);
        }
        found(&inner.arriving)
    }

    fn wait<T>(&self, found: impl FnOnce(&Arriving<'s>) -> T) -> Result<T, ObserverError> {
        let arriving = &mut self.0.borrow_mut().arriving;
        arriving.take_all().map_err(|error| ObserverError::EndsRun(error.into()))?;
        Ok(found(arriving))
    }
}

impl LateValues for Late<'_> {
    fn latest_loss(&self) -> Option<f64> {
        self.look(|arriving| *arriving.loss)
    }

    fn latest_mean(&self, name: &str) -> Option<f64> {
        self.look(|arriving| arriving.meter.mean(name))
    }

    fn loss(&self) -> Result<Option<f64>, ObserverError> {
        self.wait(|arriving| *arriving.loss)
    }

    fn means(&self) -> Result<BTreeMap<String, f64>, ObserverError> {
        self.wait(|arriving| arriving.meter.means().map(|(name, mean)| (name.to_owned(), mean)).collect())
    }
}
