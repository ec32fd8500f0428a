//! Why nothing can be tried in the state of an epoch.

/// What is tried on a run that is afterwards as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// Rates.
    RangeTest,
    /// Sizes of a batch.
    BatchSize,
}

impl std::fmt::Display for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::RangeTest => "range test",
            Self::BatchSize => "batch size",
        })
    }
}

/// Why nothing can be tried in the state of an epoch.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The epoch is over, or beyond the run's end.
    #[error(
        "{trial}: epoch {epoch} is none of those to come, {next} to {} (counted from 0)",
        *end as i64 - 1
    )]
    Epoch {
        /// What was to be tried.
        trial: Trial,
        /// As asked for.
        epoch: usize,
        /// The next one.
        next: usize,
        /// The run's `max_epochs`.
        end: usize,
    },
    /// A strategy ends the run before.
    #[error(
        "{trial}: epoch {epoch} is not reached, the run stops before epoch {at} (counted from 0): {reason}"
    )]
    Stops {
        /// What was to be tried.
        trial: Trial,
        /// As asked for.
        epoch: usize,
        /// Where it stops.
        at: usize,
        /// Why.
        reason: String,
    },
    /// The run stands inside an epoch.
    #[error("{trial}: the run stands inside an epoch, at batch {batch}; take a checkpoint of an epoch's end")]
    InsideEpoch {
        /// What was to be tried.
        trial: Trial,
        /// The next batch.
        batch: usize,
    },
}
