//! Checkpoints: a folder of `model.safetensors`, `optimizer.safetensors`, `state.json`, where hooks keep
//! tensor sets `tensor_sets.safetensors`, and the files that the run config names for model and tokenizer,
//! whole or not there at all.

mod best;
mod earlier_data;
mod last;
mod meter;
mod read;
mod saved;
mod store;
mod whole;

use std::path::PathBuf;

pub use best::Best;
pub use earlier_data::EarlierData;
pub use last::open_last;
pub use meter::Meter;
pub use read::{Checkpoint, locate};
pub use saved::{
    SavedCallback, SavedCut, SavedFrozenCache, SavedGiven, SavedKept, SavedMeasured, SavedModel,
    SavedObserved, SavedPosition, SavedPrefix, SavedRequests, SavedScaler, SavedState, SavedTrained,
};
pub use store::{CheckpointStore, KeptFile, Snapshot};

use thaw_weights::WeightsError;

/// Weights and buffers.
pub const MODEL: &str = "model.safetensors";
/// Optimizer state and random numbers.
pub const OPTIMIZER: &str = "optimizer.safetensors";
/// Tensor sets of hooks, by `SET/NAME`; only where there are some.
pub const TENSOR_SETS: &str = "tensor_sets.safetensors";
/// Everything else.
pub const STATE: &str = "state.json";
/// The checksum of [`STATE`], as `sha256sum` writes it.
pub const STATE_SHA256: &str = "state.sha256";
/// Name of the newest checkpoint.
pub const LAST: &str = "last";
/// Name of the best one.
pub const BEST: &str = "best";

/// A checkpoint that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// There is none.
    #[error("{}: no checkpoint; expected a run directory, or a folder with {MODEL} and \
             {STATE}", path.display())]
    NotFound {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file of it is damaged.
    #[error("{}: the file is damaged: its SHA-256 is {found}, {STATE} says {expected}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Of the file.
        found: String,
        /// Of the checkpoint.
        expected: String,
    },
    /// The state itself is damaged.
    #[error(
        "{}: the file is damaged: its SHA-256 is {found}, {STATE_SHA256} says {expected} (who has changed it \
         on purpose removes {STATE_SHA256})",
        path.display()
    )]
    DamagedState {
        /// The file.
        path: PathBuf,
        /// Of the file.
        found: String,
        /// Of the file beside it.
        expected: String,
    },
    /// The checkpoint that a run goes on from is damaged or missing, and there is another.
    #[error(
        "{}: {reason}. The newest checkpoint that is whole is of step {step}: go on from it with --resume {} \
         (records after it are cut)",
        run_dir.display(), whole.display()
    )]
    Last {
        /// The run directory.
        run_dir: PathBuf,
        /// What is wrong with the last one.
        reason: String,
        /// The newest that is whole.
        whole: PathBuf,
        /// Its optimizer step.
        step: usize,
    },
    /// A run has written none.
    #[error(
        "{}: no checkpoint: the run ended before its first one. Start it again in the same directory: fit \
         CONFIG --run-dir {}",
        run_dir.display(), run_dir.display()
    )]
    BeforeTheFirst {
        /// The run directory.
        run_dir: PathBuf,
    },
    /// A state that is no state.
    #[error("{}: {reason}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It cannot be written.
    #[error("{}: cannot be written: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It cannot be read.
    #[error("{}: cannot read the checkpoint: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Its tensors cannot be written or read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}
