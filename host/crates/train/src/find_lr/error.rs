//! Why there is no range test.

/// Why there is no range test.
#[derive(Debug, thiserror::Error)]
pub enum FindLrError {
    /// Settings that make no sense.
    #[error("range test: {0}")]
    Settings(String),
    /// The epoch is over, or beyond the run's end.
    #[error(
        "range test: epoch {epoch} is none of those to come, {next} to {} (counted from 0)",
        *end as i64 - 1
    )]
    Epoch {
        /// As asked for.
        epoch: usize,
        /// The next one.
        next: usize,
        /// The run's `max_epochs`.
        end: usize,
    },
    /// A strategy ends the run before.
    #[error(
        "range test: epoch {epoch} is not reached, the run stops before epoch {at} (counted from 0): {reason}"
    )]
    Stops {
        /// As asked for.
        epoch: usize,
        /// Where it stops.
        at: usize,
        /// Why.
        reason: String,
    },
    /// The run stands inside an epoch.
    #[error(
        "range test: the run stands inside an epoch, at batch {batch}; take a checkpoint of an epoch's end"
    )]
    InsideEpoch {
        /// The next batch.
        batch: usize,
    },
    /// The rate that others keep their ratio to is 0.
    #[error("range test: group `{group}` has the rate 0, so that no rate has a ratio to it; use --per-group")]
    ZeroRate {
        /// The first group.
        group: String,
    },
    /// No optimizer table to set a rate in.
    #[error("--find-lr sets optimizer.lr, but the run config has no [optimizer]")]
    NoOptimizer,
    /// Too short a curve.
    #[error(
        "range test of {moved}: the loss is not finite after {steps} steps; look at the data, or lower \
         --min-lr"
    )]
    NoCurve {
        /// What moved.
        moved: String,
        /// Steps that are good.
        steps: usize,
    },
    /// The curve cannot be written.
    #[error("range test: the curve cannot be drawn: {0}")]
    Drawing(String),
    /// The curve cannot be written as CSV.
    #[error("range test: {0}")]
    Csv(#[from] csv::Error),
}

impl FindLrError {
    /// 2 where something else has to be asked for.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoCurve { .. } | Self::Drawing(_) | Self::Csv(_) => 1,
            _ => 2,
        }
    }
}
