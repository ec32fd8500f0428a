//! Checkpoints: a folder of `model.safetensors`, `optimizer.safetensors`, `state.json` and the files that the
//! run config names for model and tokenizer, whole or not there at all.

mod read;
mod saved;
mod store;

use std::path::PathBuf;

pub use read::{Checkpoint, locate};
pub use saved::{SavedCallback, SavedModel, SavedState};
pub use store::{CheckpointStore, KeptFile, Snapshot};

use crate::weights::WeightsError;

/// Weights and buffers.
pub const MODEL: &str = "model.safetensors";
/// Optimizer state and random numbers.
pub const OPTIMIZER: &str = "optimizer.safetensors";
/// Everything else.
pub const STATE: &str = "state.json";
/// Name of the newest checkpoint.
pub const LAST: &str = "last";
/// Name of the best one.
pub const BEST: &str = "best";

/// A checkpoint that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// There is none.
    #[error("{}: no checkpoint; expected a run directory, or a folder with {MODEL} and {STATE}", path.display())]
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
