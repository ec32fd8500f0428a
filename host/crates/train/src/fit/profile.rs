//! What the loop does, timed: by epoch, and in full for a run that is profiled.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use thaw_plugin_api::drive::Batches;

use super::events::{EventKind, Timed};
use super::step::Fed;
use super::{Fit, RunState};
use crate::Error;

/// Nanoseconds that a batch was waited for, until they are told.
pub(super) type Waited = Arc<AtomicU64>;

impl RunState {
    /// Whether the run says what its time goes into.
    pub(super) fn is_profiled(&self) -> bool {
        self.config.trainer.is_profiled()
    }
}

impl Fit {
    /// Does something, and tells what it took.
    pub(super) fn timed<T>(
        &mut self,
        what: &str,
        work: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let start = Instant::now();
        let value = work(self)?;
        self.spend(what, start.elapsed())?;
        Ok(value)
    }

    /// Counts what a section of the loop took, of training alone, and tells it where the run is profiled.
    fn spend(&mut self, what: &str, took: Duration) -> Result<(), Error> {
        if self.now.validated.is_none() {
            self.now.spent.add(what, took);
        }
        if self.state.is_profiled() { self.tell_timed(what, None, took) } else { Ok(()) }
    }

    /// Tells what a hook took, or something else that is over.
    pub(super) fn tell_timed(&mut self, what: &str, of: Option<usize>, took: Duration) -> Result<(), Error> {
        let of = of.map(|index| self.callbacks[index].id());
        let timed = Timed { what, of, seconds: took.as_secs_f64() };
        Ok(self.observers.tell(&self.state.position.progress, EventKind::Timed(timed))?)
    }

    /// The same batches, of which each notes how long it was waited for.
    pub(super) fn noting_waits(&self, mut batches: Batches<Fed, Error>) -> Batches<Fed, Error> {
        let waited = Arc::clone(&self.now.waited);
        Box::new(std::iter::from_fn(move || {
            let start = Instant::now();
            let batch = batches.next();
            let took = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            waited.store(took, Ordering::Relaxed);
            batch
        }))
    }

    /// Tells how long the batch was waited for that has come.
    pub(super) fn tell_wait(&mut self) -> Result<(), Error> {
        let took = Duration::from_nanos(self.now.waited.swap(0, Ordering::Relaxed));
        self.spend("next_batch", took)
    }
}
