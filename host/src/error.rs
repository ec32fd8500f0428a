//! What ends a command, and the exit code that says so.

use std::path::PathBuf;

use thaw_data::DataError;
use thaw_loggers::LoggerError;
use thaw_plugins::{Failure, PluginError};
use thaw_report::ReportError;
use thaw_terminal::escape;
use thaw_terminal::stdout::OutputError;
use thaw_torch::TorchError;
use thaw_train::ask::AskError;
use thaw_train::checkpoint::CheckpointError;
use thaw_train::config::ConfigError;
use thaw_train::find_lr::FindLrError;
use thaw_train::fit::FitError;
use thaw_train::mailbox::Unanswered;
use thaw_train::model::ModelError;
use thaw_train::swap::SwapError;
use thaw_train::world::{Cause, WorldError};
use thaw_weights::WeightsError;

use crate::predict::PredictError;
use crate::scaffold::ScaffoldError;
use crate::sweep::SweepError;
use crate::watch::WatchError;

/// Everything that can end a command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Training, or what it builds on.
    #[error(transparent)]
    Train(#[from] thaw_train::Error),
    /// Predictions that cannot be read off the outputs or written.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// A plugin crate that was not written.
    #[error(transparent)]
    Scaffold(#[from] ScaffoldError),
    /// A run that has no report, or one that was not written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// What a run logged cannot be sent.
    #[error(transparent)]
    Logger(#[from] LoggerError),
    /// A sweep that is none, or whose trials failed.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// A live run does not do what it is asked for.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The terminal that was to show a run.
    #[error(transparent)]
    Watch(WatchError),
    /// The answer is lost.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A key that nothing in the cache has.
    #[error(
        "nothing in the cache has a key that starts with `{}`; `host cache list` shows them",
        escape(key)
    )]
    CacheKey {
        /// As given.
        key: String,
    },
    /// A command line that cannot be meant.
    #[error("{0}")]
    Usage(String),
}

impl From<WatchError> for Error {
    fn from(error: WatchError) -> Self {
        match error {
            WatchError::Report(error) => Self::Report(error),
            other => Self::Watch(other),
        }
    }
}

/// What training builds on ends a command as it ends a run.
macro_rules! through_training {
    ($($error:ty),+) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::Train(error.into())
            }
        })+
    };
}

through_training!(
    CheckpointError,
    ConfigError,
    DataError,
    Failure,
    FindLrError,
    FitError,
    ModelError,
    PluginError,
    SwapError,
    TorchError,
    WeightsError
);

impl Error {
    /// 1 the run failed, 2 usage or config, 3 a plugin was refused or failed, 130 interrupted.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Train(error) => error.exit_code(),
            Self::Usage(_) | Self::CacheKey { .. } => 2,
            Self::Sweep(error) => error.exit_code(),
            Self::Ask(error) => error.exit_code(),
            Self::Predict(PredictError::Format { .. } | PredictError::NoOutput { .. }) => 2,
            Self::Report(ReportError::NoRun { .. }) => 2,
            Self::Predict(_)
            | Self::Report(_)
            | Self::Output(_)
            | Self::Logger(_)
            | Self::Watch(_)
            | Self::Scaffold(ScaffoldError::Write { .. }) => 1,
            Self::Scaffold(_) => 2,
        }
    }

    /// Whether the cause lies in another process of the run.
    pub fn is_of_another_process(&self) -> bool {
        matches!(self, Self::Train(thaw_train::Error::World(error)) if error.cause() == Cause::Another)
    }

    /// Whether the first process of the run has said it for this one.
    pub fn is_told(&self) -> bool {
        matches!(self, Self::Train(thaw_train::Error::World(WorldError::Told { .. })))
    }

    /// Whether the user ended it.
    pub fn is_interrupt(&self) -> bool {
        matches!(
            self,
            Self::Train(thaw_train::Error::Interrupted)
                | Self::Ask(AskError::Unanswered(Unanswered::Interrupted))
        )
    }
}

/// An [`Error`] of reading or writing `path`.
pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
    let at = thaw_train::error::io(path);
    move |source| Error::Train(at(source))
}
