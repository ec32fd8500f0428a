//! How an observer fails.

use std::error::Error;
use std::fmt;

/// An observer failed, and what that means for the run. Any error becomes [`ObserverError::Failed`] with `?`.
#[derive(Debug)]
pub enum ObserverError {
    /// It cannot go on. It is named in a warning and told nothing more; the run goes on without it.
    Failed(Box<dyn Error + Send + Sync>),
    /// Something of what the run is to leave was lost, as on a full disk. That is said once; the observer is
    /// told of what comes, and the run fails at its end.
    Lost(Box<dyn Error + Send + Sync>),
    /// Without this observer the run means nothing: it ends with this error.
    EndsRun(Box<dyn Error + Send + Sync>),
}

impl<E: Error + Send + Sync + 'static> From<E> for ObserverError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl fmt::Display for ObserverError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) | Self::Lost(error) | Self::EndsRun(error) => error.fmt(formatter),
        }
    }
}
