//! Metrics over a whole pass over data, as torchmetrics defines them, in float64.
//!
//! ```
//! use thaw_metrics::{Labelled, Metric, Outcomes};
//!
//! let samples = Labelled {
//!     classes: 2,
//!     labels: vec![0, 0, 1, 1],
//!     predicted: vec![0, 1, 1, 1],
//!     ..Labelled::default()
//! };
//! let outcomes = Outcomes::Labelled(samples);
//! assert_eq!(outcomes.value(Metric::Accuracy), Some(0.75));
//! ```
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
mod tagged;

pub use average::Average;
pub use bootstrap::{CONFIDENCE, Intervals};
pub use calibration::{BINS, Bin, Calibration};
pub use confusion::Confusion;
pub use labelled::Labelled;
pub use metric::{Disagreement, Metric, Misfit, Of, Score};
pub use numbers::{ErrorSums, Numbers};
pub use outcomes::Outcomes;
pub use scores::{ClassScores, Scores};
pub use tagged::Tagged;
