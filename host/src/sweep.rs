//! Many runs of one run config, with other values of some of its keys: `host sweep`.
//!
//! Each trial is a run of its own, a child process of this program, in a folder of the sweep's; `sweep.json`
//! there is the plan of all of them. What became of a trial its run directory says, so that a sweep that was
//! killed goes on from its plan alone.

mod child;
mod directory;
mod error;
mod median;
mod plan;
mod runner;
mod space;
mod summary;

pub use directory::SweepDir;
pub use error::SweepError;
pub use median::{Median, Verdict};
pub use plan::{Plan, Trial, trials};
pub use runner::{End, Runner, Told};
pub use space::{Choice, Sample, Space};
pub use summary::{Setting, of_settings};
