//! Threads that make batches. They stay when an epoch is over, and the next one's loaders get them: what a
//! thread keeps between pictures (the buffers of its resizer) is there from the first batch on, and
//! validations inside epochs start no threads.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

type Job = Box<dyn FnOnce() + Send>;

/// Threads without a job, the one that had one last at the end.
static IDLE: Mutex<Vec<Sender<Job>>> = Mutex::new(Vec::new());
static STARTED: AtomicUsize = AtomicUsize::new(0);

fn idle() -> MutexGuard<'static, Vec<Sender<Job>>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many threads there are in all.
#[cfg(test)]
pub(super) fn started() -> usize {
    STARTED.load(Ordering::Relaxed)
}

/// Threads that work at one thing.
#[derive(Default)]
pub(super) struct Crew(Arc<(Mutex<usize>, Condvar)>);

/// One of them; counted until it is dropped.
struct Member(Arc<(Mutex<usize>, Condvar)>);

impl Crew {
    /// Lets one more thread do this.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn add(&self, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        *count(&self.0) += 1;
        let member = Member(Arc::clone(&self.0));
        run(move || {
            // Dropped last: whoever waits finds nothing left of the job.
            let _member = member;
            job();
        })
    }

    /// Waits until all are done.
    pub(super) fn wait(&self) {
        let mut working = count(&self.0);
        while *working > 0 {
            working = self.0.1.wait(working).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        *count(&self.0) -= 1;
        self.0.1.notify_all();
    }
}

fn count(of: &(Mutex<usize>, Condvar)) -> MutexGuard<'_, usize> {
    of.0.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives a thread this job: one that has none, else a new one.
///
/// # Errors
/// The system has no thread left.
fn run(job: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let mut job: Job = Box::new(job);
    loop {
        let Some(thread) = idle().pop() else { return start(job) };
        match thread.send(job) {
            Ok(()) => return Ok(()),
            // That thread is gone, as after a fork.
            Err(unsent) => job = unsent.0,
        }
    }
}

fn start(job: Job) -> io::Result<()> {
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    let (sender, jobs) = channel::<Job>();
    let thread = Builder::new().name(format!("data-{number}")).spawn(move || {
        let mut job = job;
        loop {
            // What a job has to say of its failures, it has said.
            let _ = catch_unwind(AssertUnwindSafe(job));
            idle().push(sender.clone());
            match jobs.recv() {
                Ok(next) => job = next,
                Err(_) => return,
            }
        }
    });
    thread.map(drop)
}
