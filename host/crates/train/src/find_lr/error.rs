//! Why there is no range test.

/// Why there is no range test.
#[derive(Debug, thiserror::Error)]
pub enum FindLrError {
    /// Settings that make no sense.
    #[error("range test: {0}")]
    Settings(String),
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
