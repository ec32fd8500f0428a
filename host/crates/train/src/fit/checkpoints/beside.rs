//! A checkpoint on its way to the disk, written by a thread while training goes on.

use std::io;
use std::thread::{Builder, JoinHandle};

use tch::{Device, Tensor};
use thaw_plugin_api::context::Progress;

use crate::Error;
use crate::checkpoint::{BEST, Best, CheckpointError, CheckpointStore, LAST, Snapshot};
use crate::config::{CheckpointConfig, CheckpointWrite};
use crate::error::torch;

/// Bytes of tensors up to which a checkpoint is written at once: that takes some milliseconds, and a crash
/// right after the step loses nothing.
const SMALL: usize = 1 << 20;

/// What becomes of a checkpoint that is written as `last`, once it is known how that went.
pub(in crate::fit) struct Saving {
    /// Its name.
    pub name: String,
    /// Whether it is the best one so far.
    pub is_best: bool,
    /// What `last` stood for before.
    pub previous: Option<String>,
    /// Where the run was.
    pub progress: Progress,
    /// Seconds that training waited for it.
    pub waited: f64,
    /// What its rank changed.
    pub ranking: Option<Ranking>,
}

/// What the rank of a checkpoint changed.
pub(in crate::fit) struct Ranking {
    /// The best one and those that were kept before, which are so again if it is not written.
    pub before: (Option<Best>, Vec<Best>),
    /// Those that are kept no more.
    pub dropped: Vec<Best>,
}

/// A checkpoint that a thread is writing.
pub struct Writing {
    saving: Saving,
    thread: Thread,
    result: Option<Result<(), CheckpointError>>,
}

/// A thread that is waited for, whatever becomes of the run.
struct Thread(Option<JoinHandle<Result<(), CheckpointError>>>);

impl Drop for Thread {
    fn drop(&mut self) {
        // Nobody is left to hear how it went.
        let _ = self.0.take().map(JoinHandle::join);
    }
}

impl Writing {
    /// Whether the thread is done.
    pub(in crate::fit) fn is_done(&self) -> bool {
        self.thread.0.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until the files are under their names, or will not be.
    pub(in crate::fit) fn wait(&mut self) {
        if let Some(thread) = self.thread.0.take() {
            let result = thread.join().unwrap_or_else(|_| {
                let source = io::Error::other("the thread that wrote it has broken down");
                Err(CheckpointError::Write { path: self.saving.name.clone().into(), source })
            });
            self.result = Some(result);
        }
    }

    /// The same; how it went.
    pub(in crate::fit) fn finish(mut self) -> (Saving, Result<(), CheckpointError>) {
        self.wait();
        (self.saving, self.result.unwrap_or(Ok(())))
    }
}

/// Whether a checkpoint of these tensors is written while training goes on.
pub(super) fn is_beside(config: &CheckpointConfig, snapshot: &Snapshot) -> bool {
    match config.write {
        CheckpointWrite::Beside => true,
        CheckpointWrite::AtOnce => false,
        CheckpointWrite::Auto => {
            let tensors = snapshot.model.iter().chain(&snapshot.optimizer).chain(&snapshot.sets);
            let bytes = |tensor: &Tensor| tensor.numel().saturating_mul(tensor.kind().elt_size_in_bytes());
            tensors.map(|(_, tensor)| bytes(tensor)).sum::<usize>() > SMALL
        }
    }
}

/// Begins to write a checkpoint whose tensors nobody changes.
///
/// # Errors
/// The system has no thread for it.
pub(super) fn begin(store: &CheckpointStore, snapshot: Snapshot, saving: Saving) -> io::Result<Writing> {
    let (store, name, is_best) = (store.clone(), saving.name.clone(), saving.is_best);
    let thread = Builder::new()
        .name("checkpoint".to_owned())
        .spawn(move || write(&store, &name, snapshot, is_best))?;
    Ok(Writing { saving, thread: Thread(Some(thread)), result: None })
}

/// Writes a checkpoint, which is `last` from then on.
pub(super) fn write(
    store: &CheckpointStore,
    name: &str,
    snapshot: Snapshot,
    is_best: bool,
) -> Result<(), CheckpointError> {
    store.save(name, snapshot)?;
    store.alias(LAST, name)?;
    if is_best { store.alias(BEST, name) } else { Ok(()) }
}

/// The same with copies of the tensors in main memory, so that training may go on with its own.
///
/// # Errors
/// The memory is too small, or the device failed.
pub(super) fn copied(snapshot: Snapshot) -> Result<Snapshot, Error> {
    let Snapshot { model, optimizer, sets, files, state } = snapshot;
    let copy = |(name, tensor): (String, Tensor)| {
        let copy = match tensor.device() {
            Device::Cpu => tensor.f_detach_copy()?,
            _ => tensor.f_detach()?.f_to_device(Device::Cpu)?,
        };
        Ok((name, copy))
    };
    let all = |tensors: Vec<(String, Tensor)>| {
        let copies = tensors.into_iter().map(copy).collect::<Result<Vec<_>, tch::TchError>>();
        copies.map_err(torch("copying the weights of a checkpoint"))
    };
    Ok(Snapshot { model: all(model)?, optimizer: all(optimizer)?, sets: all(sets)?, files, state })
}
