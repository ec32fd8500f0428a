//! Batches of one epoch, made ahead of the step by threads.

use super::DataError;
use super::batch::Batch;
use super::dataset::{Dataset, Delivery, Pass};
use super::share::Share;
use order::order;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use thaw_torch::buffers::Place;
use threads::Crew;

mod order;
mod threads;

/// Threads that copy rows for a GPU: one copies while the other waits for its turn.
const IN_MEMORY_WORKERS: usize = 2;

/// How an epoch is walked through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walk {
    pub(crate) pass: Pass,
    pub(crate) batch_size: usize,
    pub(crate) shuffle: bool,
    /// Whether samples of similar length share a batch, where lengths differ.
    pub(crate) by_length: bool,
    pub(crate) drop_last: bool,
    /// Threads; 0 makes each batch when it is asked for.
    pub(crate) workers: usize,
    /// MiB of batches ahead of the one that is asked for.
    pub(crate) prefetch_mib: usize,
    /// The first batch to yield; those before it are never made.
    pub(crate) start_batch: usize,
    /// Most batches that are asked for, where not all are.
    pub(crate) limit: Option<usize>,
}

/// Iterates over the batches of one epoch of a split.
///
/// Threads make up to two batches each ahead of the one that is asked for, and no more than `prefetch_mib`
/// takes: how large a batch is shows with the first one. They are those of earlier loaders, where these are
/// done with them; dropping the loader waits until it is. A batch in which
/// every picture was skipped is passed over (its position stays taken); it is an error where that is so of
/// all. Where others have shares of each batch, too, an empty one is yielded like any other: all have as many
/// batches. After an error the loader yields nothing more.
pub struct Loader {
    shared: Arc<Shared>,
    crew: Crew,
    next: usize,
    /// Whether all batches so far were passed over, from the epoch's first one on.
    all_skipped: bool,
}

struct Shared {
    dataset: Arc<dyn Dataset>,
    pass: Pass,
    order: Vec<usize>,
    batch_size: usize,
    /// The part of each batch that is made.
    share: Share,
    batches: usize,
    workers: usize,
    prefetch: u64,
    state: Mutex<State>,
    /// A batch was made.
    made: Condvar,
    /// A batch was taken, or the loader is gone.
    taken: Condvar,
}

struct State {
    /// The next batch that a thread will make.
    claim: usize,
    /// The next batch that the loader will yield.
    wanted: usize,
    made: BTreeMap<usize, Result<Batch, DataError>>,
    /// Bytes of the largest batch so far.
    largest: u64,
    stopped: bool,
}

impl Loader {
    pub(crate) fn new(dataset: Arc<dyn Dataset>, walk: Walk) -> Result<Loader, DataError> {
        Self::of_share(dataset, walk, Share::WHOLE)
    }

    /// The same of a share of each batch, which may be empty.
    pub(crate) fn of_share(dataset: Arc<dyn Dataset>, walk: Walk, share: Share) -> Result<Loader, DataError> {
        let order = order(dataset.as_ref(), &walk);
        let full = order.len() / walk.batch_size;
        let batches = if walk.drop_last { full } else { order.len().div_ceil(walk.batch_size) };
        let workers = walk.workers.min(batches.saturating_sub(walk.start_batch));
        let shared = Arc::new(Shared {
            dataset,
            pass: walk.pass,
            order,
            batch_size: walk.batch_size,
            share,
            batches,
            workers,
            prefetch: (walk.prefetch_mib as u64).saturating_mul(1 << 20),
            state: Mutex::new(State {
                claim: walk.start_batch,
                wanted: walk.start_batch,
                made: BTreeMap::new(),
                largest: 0,
                stopped: false,
            }),
            made: Condvar::new(),
            taken: Condvar::new(),
        });
        let loader = Loader {
            shared: Arc::clone(&shared),
            crew: Crew::default(),
            next: walk.start_batch,
            all_skipped: walk.start_batch == 0 && batches > 0,
        };
        for _ in 0..workers {
            let shared = Arc::clone(&shared);
            loader
                .crew
                .add(move || shared.work())
                .map_err(|e| DataError::Worker(format!("{e}; set `workers` in [data] lower")))?;
        }
        Ok(loader)
    }

    /// Batches of the whole epoch, whatever the start.
    pub fn batches(&self) -> usize {
        self.shared.batches
    }

    /// Gets the batch at `self.next`, waiting for it if it is not there yet.
    fn fetch(&self) -> Result<Batch, DataError> {
        if self.shared.workers == 0 {
            return self.shared.make(self.next);
        }
        let shared = &self.shared;
        let mut state = shared.lock();
        let result = loop {
            match state.made.remove(&self.next) {
                Some(result) => break result,
                None => state = wait(&shared.made, state),
            }
        };
        state.wanted = self.next + 1;
        state.stopped |= result.is_err();
        drop(state);
        shared.taken.notify_all();
        result
    }
}

impl Iterator for Loader {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.next < self.shared.batches {
            let result = self.fetch();
            self.next = match result {
                Ok(_) => self.next + 1,
                Err(_) => self.shared.batches,
            };
            match result {
                Ok(batch) if batch.is_empty() && !self.shared.share.is_part() => {}
                result => {
                    self.all_skipped = false;
                    return Some(result);
                }
            }
        }
        std::mem::take(&mut self.all_skipped).then(|| Err(self.shared.none_readable()))
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.taken.notify_all();
        // A thread ends with its result in `made`; it has nothing else to say.
        self.crew.wait();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn none_readable(&self) -> DataError {
        let one = self.order.first().map(|index| self.dataset.id(*index)).unwrap_or_default();
        DataError::NoneReadable { count: self.order.len(), one: one.into() }
    }

    /// Makes batches until there are none left or the loader is gone.
    fn work(&self) {
        loop {
            let mut state = self.lock();
            while !state.stopped
                && state.claim < self.batches
                && state.claim >= state.wanted + self.ahead(&state)
            {
                state = wait(&self.taken, state);
            }
            if state.stopped || state.claim >= self.batches {
                return;
            }
            let position = state.claim;
            state.claim += 1;
            drop(state);
            // Without a result for each position the loader would wait for ever.
            let result = catch_unwind(AssertUnwindSafe(|| self.make(position)))
                .unwrap_or_else(|panic| Err(DataError::Worker(panic_text(panic.as_ref()))));
            let mut state = self.lock();
            state.largest = state.largest.max(result.as_ref().map_or(0, Batch::bytes));
            state.made.insert(position, result);
            drop(state);
            self.made.notify_one();
        }
    }

    /// How many batches may be made that are not taken: one for each thread until it is known what they take.
    fn ahead(&self, state: &State) -> usize {
        match self.prefetch.checked_div(state.largest) {
            None => self.workers,
            Some(fitting) => usize::try_from(fitting).unwrap_or(usize::MAX).clamp(1, self.workers * 2),
        }
    }

    fn make(&self, position: usize) -> Result<Batch, DataError> {
        let start = position * self.batch_size;
        let end = (start + self.batch_size).min(self.order.len());
        let own = self.share.of(start..end);
        if own.is_empty() {
            return Ok(Batch { position, ..Batch::new(Vec::new(), None, Vec::new()) });
        }
        let mut batch = self.dataset.batch(&self.order[own], &self.pass)?;
        batch.position = position;
        if self.pass.delivery == Delivery::Device(Place::Pinned) {
            // Here, so that the step does not make the copy.
            batch.pin()?;
        }
        Ok(batch)
    }
}

fn wait<'a>(condition: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    condition.wait(state).unwrap_or_else(PoisonError::into_inner)
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()))
        .unwrap_or_else(|| "it panicked".to_string())
}

/// Threads for a dataset if the config leaves it open. Beside a GPU they make batches ahead of the step
/// also of what is in memory: it has something to do meanwhile.
pub(crate) fn workers(configured: Option<usize>, dataset: &dyn Dataset, delivery: Delivery) -> usize {
    configured.unwrap_or_else(|| match (dataset.in_memory(), delivery) {
        (true, Delivery::Cpu) => 0,
        (true, Delivery::Device(_)) => IN_MEMORY_WORKERS,
        (false, _) => std::thread::available_parallelism().map_or(1, usize::from),
    })
}

#[cfg(test)]
mod tests;
