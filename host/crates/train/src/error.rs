//! What ends a run, and the exit code that says so.

mod fit;
mod records;
mod resume;
mod trial;

use std::path::PathBuf;

pub use fit::FitError;
pub(crate) use fit::{tensor_sets, torch};
pub use records::RecordsError;
pub(crate) use resume::shown;
pub use resume::{Change, Refused, ResumeError};
pub use trial::{Trial, TrialError};

use crate::checkpoint::CheckpointError;
use crate::config::ConfigError;
use crate::find_batch_size::FindBatchSizeError;
use crate::find_lr::FindLrError;
use crate::mailbox::Unanswered;
use crate::model::ModelError;
use crate::run_dir::RunDirError;
use crate::swap::SwapError;
use crate::world::WorldError;
use thaw_data::DataError;
use thaw_plugins::{Failure, PluginError};
use thaw_torch::TorchError;
use thaw_weights::WeightsError;

/// Everything that can end a run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The run config, or the command line.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A plugin was refused or failed.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Weights that cannot be read or do not fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Data that cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Training itself.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// A range test of learning rates.
    #[error(transparent)]
    FindLr(#[from] FindLrError),
    /// A search for the largest batch.
    #[error(transparent)]
    FindBatchSize(#[from] FindBatchSizeError),
    /// An epoch in whose state nothing can be tried.
    #[error(transparent)]
    Trial(#[from] TrialError),
    /// A checkpoint that cannot be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The run directory.
    #[error(transparent)]
    RunDir(#[from] RunDirError),
    /// A strategy that was not replaced in a live run.
    #[error(transparent)]
    Swap(SwapError),
    /// libtorch.
    #[error(transparent)]
    Torch(#[from] TorchError),
    /// The run's other processes.
    #[error(transparent)]
    World(#[from] WorldError),
    /// A file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The user stopped the run.
    #[error("interrupted")]
    Interrupted,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Plugin(failure.into())
    }
}

impl From<SwapError> for Error {
    fn from(error: SwapError) -> Self {
        match error {
            SwapError::Unanswered(Unanswered::Interrupted) => Self::Interrupted,
            error => Self::Swap(error),
        }
    }
}

impl Error {
    /// 1 the run failed, 2 usage or config, 3 a plugin was refused or failed, 130 interrupted.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 2,
            Self::Plugin(error) if error.is_config() => 2,
            Self::Plugin(_) => 3,
            Self::Data(DataError::Sample { .. } | DataError::Samples { .. }) => 3,
            Self::Data(error) if error.is_of_input() => 2,
            Self::Weights(error) if error.is_of_path() => 2,
            Self::Checkpoint(CheckpointError::NotFound { .. } | CheckpointError::BeforeTheFirst { .. }) => 2,
            Self::RunDir(RunDirError::Taken(_) | RunDirError::Live { .. }) => 2,
            Self::Model(ModelError::Plugin(_)) => 3,
            Self::Model(
                ModelError::OwnLoss { .. } | ModelError::OwnStep { .. } | ModelError::Stages { .. },
            ) => 2,
            Self::Fit(FitError::Plugin(_)) => 3,
            Self::Fit(FitError::Config(_) | FitError::Resume(_) | FitError::LeftoverBatch { .. }) => 2,
            Self::Fit(FitError::LeftoverValidation { .. } | FitError::NoBatches(_)) => 2,
            Self::Torch(TorchError::Device { .. }) => 2,
            Self::FindLr(error) => error.exit_code(),
            Self::FindBatchSize(error) => error.exit_code(),
            Self::Trial(_) => 2,
            Self::Swap(error) => error.exit_code(),
            Self::World(error) => error.exit_code(),
            Self::Interrupted => 130,
            _ => 1,
        }
    }
}

/// An [`Error`] of reading or writing `path`.
pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.into();
    move |source| Error::Io { path, source }
}
