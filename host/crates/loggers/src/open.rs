//! From a table of `[[loggers]]` to the logger.

use crate::csv::CsvLogger;
use crate::mlflow::MlflowLogger;
use crate::tensorboard::TensorboardLogger;
use crate::{Begin, Logger, LoggerConfig, LoggerError, Run};

impl LoggerConfig {
    /// Opens the logger for a run.
    ///
    /// # Errors
    /// Its files cannot be written, or are another run's.
    pub fn open(&self, run: &Run<'_>, begin: &Begin) -> Result<Box<dyn Logger>, LoggerError> {
        match self {
            Self::Csv(config) => Ok(Box::new(CsvLogger::open(config, run, begin)?)),
            Self::Tensorboard(config) => Ok(Box::new(TensorboardLogger::open(config, run, begin)?)),
            Self::Mlflow(config) => Ok(Box::new(MlflowLogger::open(config, run, begin)?)),
        }
    }
}
