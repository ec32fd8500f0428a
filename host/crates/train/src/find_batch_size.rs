//! The largest batch that a device has memory for (Lightning's `scale_batch_size`).
//!
//! [`crate::fit::Fit::find_batch_size`] searches; here are its settings and what it gives.

use thaw_plugin_api::config::Config;

/// Settings of a search, by Lightning's names.
#[derive(Clone, Debug)]
pub struct FindBatchSize {
    /// The epoch, from 0, in whose state batches are tried: what trains then. Default: the run's last one,
    /// when all has thawed that is going to.
    pub epoch: Option<usize>,
    /// The size that is tried first; at least 1.
    pub init_val: usize,
    /// The largest size that is tried. Default: the samples of training. On a CPU it has to be given.
    pub max_val: Option<usize>,
    /// Training steps of each size; at least 1.
    pub steps_per_trial: usize,
    /// How the next size follows.
    pub mode: Search,
}

/// How the next size follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Search {
    /// It doubles; the largest power that fits is taken.
    Power,
    /// It doubles until one does not fit, between which and the largest that does it is then halved.
    Binsearch,
}

impl Default for FindBatchSize {
    fn default() -> Self {
        Self { epoch: None, init_val: 2, max_val: None, steps_per_trial: 3, mode: Search::Power }
    }
}

/// What a search gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundBatchSize {
    /// The largest size that fits.
    pub size: usize,
    /// Whether a larger one did not fit; else none was tried.
    pub is_limit: bool,
    /// The epoch, from 0, whose state it is of.
    pub epoch: usize,
}

/// Why there is no such size.
#[derive(Debug, thiserror::Error)]
pub enum FindBatchSizeError {
    /// A CPU says nothing of what is too much.
    #[error(
        "batch size: on the CPU nothing says what is too much before the system ends the program; give the \
         largest size to be tried (--max-batch-size), or take a GPU"
    )]
    NoLimit,
    /// Settings that make no sense.
    #[error("batch size: {0}")]
    Settings(String),
    /// Not even the smallest fits.
    #[error(
        "batch size: there is no memory for {size} samples: take a smaller model or shorter inputs, train \
         fewer layers, or set trainer.activation_checkpointing. {message}"
    )]
    NoneFits {
        /// What was tried.
        size: usize,
        /// libtorch's words.
        message: String,
    },
}

impl FindBatchSizeError {
    /// 2 where something else has to be asked for.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoneFits { .. } => 1,
            Self::NoLimit | Self::Settings(_) => 2,
        }
    }
}
