//! What loggers are told of a run.

use std::path::Path;

use serde_json::Value;
use time::OffsetDateTime;

/// The run that is logged.
#[derive(Clone, Copy, Debug)]
pub struct Run<'r> {
    /// Its directory, absolute.
    pub folder: &'r Path,
    /// Its config.
    pub config: &'r Value,
    /// When it started, or was resumed.
    pub time: OffsetDateTime,
}

impl Run<'_> {
    /// Its name: that of its directory.
    pub fn name(&self) -> String {
        self.folder.file_name().map_or_else(|| "run".to_owned(), |name| name.to_string_lossy().into_owned())
    }
}

/// Where logging begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Begin {
    /// With a new run.
    New,
    /// With a run that goes on from a checkpoint: what was logged after that does not count.
    Resumed {
        /// Optimizer steps until the checkpoint.
        step: usize,
        /// What [`Logger::save`](crate::Logger::save) gave for it; null where this logger was not on.
        kept: Value,
    },
}

/// Metrics with where they belong.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'r> {
    /// The epoch, from 0.
    pub epoch: usize,
    /// Optimizer steps that are done.
    pub step: usize,
    /// The time of day.
    pub time: OffsetDateTime,
    /// Values by the names of `metrics.jsonl`; NaN where there is none.
    pub values: &'r [(String, f64)],
}

/// A picture of a validation.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'r> {
    /// A JPEG file.
    pub jpeg: &'r [u8],
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It trained to its end, or was stopped by a hook or by its number of steps.
    Finished,
    /// The user stopped it.
    Interrupted,
    /// An error ended it.
    Failed,
}
