//! Where a run logs besides its own records: files and servers that other programs read.
//!
//! A [`Logger`] gets what `metrics.jsonl` gets, under the same names. It is opened by its table of the run
//! config ([`LoggerConfig`]), for a run that begins or for one that goes on. What it does never changes what
//! a run computes, and one that fails does not end it.
//!
//! ```
//! use serde_json::json;
//! use thaw_loggers::{Begin, Ending, Entry, LoggerConfig, Run};
//! use thaw_plugin_api::config::{Config, Key};
//! use time::OffsetDateTime;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let time = OffsetDateTime::UNIX_EPOCH;
//! let config = LoggerConfig::from_value(&json!({ "kind": "csv" }), &Key::root())?;
//! let run = Run { folder: folder.path(), config: &json!({ "seed": 1 }), time };
//! let mut logger = config.open(&run, &Begin::New)?;
//! let values = [("train_loss".to_owned(), 0.5)];
//! logger.log(&Entry { epoch: 0, step: 10, time, values: &values })?;
//! logger.end(Ending::Finished, time)?;
//! let text = std::fs::read_to_string(folder.path().join("metrics.csv"))?;
//! assert_eq!(text, "epoch,step,train_loss\r\n0,10,0.5\r\n");
//! # Ok(())
//! # }
//! ```

mod config;
mod csv;
mod error;
mod flat;
mod mlflow;
mod open;
mod run;
mod tensorboard;

pub use config::{CsvConfig, LoggerConfig, MlflowConfig, TensorboardConfig, check};
pub use error::LoggerError;
pub use mlflow::{Synced, sync};
pub use run::{Begin, Ending, Entry, Picture, Run};
use serde_json::Value;
use time::OffsetDateTime;

/// What loggers write into a run directory, and a run that goes on in another directory takes along: files,
/// and folders of files.
pub const RECORDS: [&str; 2] = ["metrics.csv", tensorboard::FOLDER];

/// What loggers write into a run directory, and belongs there alone: a run that goes on in another directory
/// is another one for a server.
pub const OWN: [&str; 1] = [mlflow::FOLDER];

/// Takes what a run logs to where somebody else reads it.
///
/// Called on the thread that trains: what takes long belongs on a thread of the logger's own.
pub trait Logger {
    /// The run logs metrics.
    ///
    /// # Errors
    /// It cannot go on; it is not called again.
    fn log(&mut self, entry: &Entry<'_>) -> Result<(), LoggerError>;

    /// Writes what waits to be written: an epoch is over, or plugins are called that may end the process.
    ///
    /// # Errors
    /// As [`Logger::log`].
    fn flush(&mut self) -> Result<(), LoggerError> {
        Ok(())
    }

    /// Whether it logs how weights are distributed at the end of this epoch, from 0.
    fn wants_histograms(&self, _epoch: usize) -> bool {
        false
    }

    /// A parameter's values at the end of an epoch, where it wants them.
    ///
    /// # Errors
    /// As [`Logger::log`].
    fn log_histogram(
        &mut self,
        _step: usize,
        _time: OffsetDateTime,
        _name: &str,
        _values: &[f64],
    ) -> Result<(), LoggerError> {
        Ok(())
    }

    /// Whether it logs pictures of validations.
    fn wants_pictures(&self) -> bool {
        false
    }

    /// A picture of a validation, where it wants them.
    ///
    /// # Errors
    /// As [`Logger::log`].
    fn log_picture(
        &mut self,
        _step: usize,
        _time: OffsetDateTime,
        _tag: &str,
        _picture: &Picture<'_>,
    ) -> Result<(), LoggerError> {
        Ok(())
    }

    /// What a checkpoint is to keep, so that a resumed run logs on from there; null is nothing.
    ///
    /// # Errors
    /// As [`Logger::log`].
    fn save(&mut self) -> Result<Value, LoggerError> {
        Ok(Value::Null)
    }

    /// What it warns of since it was asked last: what a thread of its own found out, or what it did without.
    fn warnings(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// The run is over; only [`Logger::warnings`] follows.
    ///
    /// # Errors
    /// The end cannot be told.
    fn end(&mut self, ending: Ending, time: OffsetDateTime) -> Result<(), LoggerError>;
}
