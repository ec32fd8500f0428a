//! Metrics over a whole pass over data, as torchmetrics defines them, in float64.
//!
//! A pass gives [`Outcomes`]: what was predicted and what was right, sample by sample. A [`Metric`] is one
//! number of them, and [`Intervals`] say how far it would have moved with other samples of the same kind.

mod agreement;
mod average;
mod bootstrap;
mod calibration;
mod confusion;
mod correlation;
mod curves;
mod labelled;
mod metric;
mod names;
mod numbers;
mod outcomes;
mod scores;

pub use average::Average;
pub use bootstrap::{CONFIDENCE, Intervals};
pub use calibration::{BINS, Bin, Calibration};
pub use confusion::Confusion;
pub use labelled::Labelled;
pub use metric::{Disagreement, Metric, Misfit, Of, Score};
pub use numbers::{ErrorSums, Numbers};
pub use outcomes::Outcomes;
pub use scores::{ClassScores, Scores};
