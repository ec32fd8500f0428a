//! The loggers of a run config, as observers.

use std::path::PathBuf;

use serde_json::Value;
use thaw_loggers::{Begin, Entry, Logger, LoggerConfig, Picture, Run};
use time::OffsetDateTime;

use super::{Asked, Doubtful, Ending, Event, EventKind, Observer, ObserverError, Weights};
use thaw_data::Look;

/// A logger of the run config: gets what `metrics.jsonl` gets. It is opened when the first epoch begins, so
/// that a range test, or a run that does not start, is not logged.
pub struct RunLogger {
    config: LoggerConfig,
    name: String,
    begin: Begin,
    /// What it is opened with, until then.
    waiting: Option<Started>,
    logger: Option<Box<dyn Logger>>,
}

/// The run that is to be logged.
struct Started {
    folder: PathBuf,
    config: Value,
    time: OffsetDateTime,
}

impl RunLogger {
    /// A logger of a run that begins, until it is told otherwise.
    pub fn new(config: LoggerConfig) -> Self {
        let name = config.name();
        Self { config, name, begin: Begin::New, waiting: None, logger: None }
    }

    fn open(&mut self) -> Result<(), ObserverError> {
        if let Some(Started { folder, config, time }) = self.waiting.take() {
            let run = Run { folder: &folder, config: &config, time };
            self.logger = Some(self.config.open(&run, &self.begin)?);
        }
        Ok(())
    }

    /// Logs how the weights are distributed, where the logger wants it of this epoch.
    fn histograms(&mut self, event: &Event<'_>, weights: &Weights<'_>) -> Result<(), ObserverError> {
        let (epoch, step) = (event.progress.epoch, event.progress.global_step);
        if !self.logger.as_ref().is_some_and(|logger| logger.wants_histograms(epoch)) {
            return Ok(());
        }
        for name in weights.names() {
            let values = weights.values(name)?;
            self.call(|logger| logger.log_histogram(step, event.time, name, &values))?;
        }
        Ok(())
    }

    /// Logs the samples of a validation that are worth a look, where the logger wants pictures.
    fn pictures(&mut self, event: &Event<'_>, doubtful: &Doubtful<'_>) -> Result<(), ObserverError> {
        if !self.logger.as_ref().is_some_and(|logger| logger.wants_pictures()) {
            return Ok(());
        }
        for (kind, doubts) in [("val_wrong", doubtful.wrong), ("val_unsure", doubtful.unsure)] {
            for (place, doubt) in doubts.iter().enumerate() {
                let Some(Look::Picture { jpeg, width, height }) = doubtful.look(doubt) else { continue };
                let tag = format!("{kind}/{}", place + 1);
                let picture = Picture { jpeg: &jpeg, width, height };
                self.call(|logger| {
                    logger.log_picture(event.progress.global_step, event.time, &tag, &picture)
                })?;
            }
        }
        Ok(())
    }

    /// Calls the logger, where it is open.
    fn call(
        &mut self,
        call: impl FnOnce(&mut dyn Logger) -> Result<(), thaw_loggers::LoggerError>,
    ) -> Result<(), ObserverError> {
        match &mut self.logger {
            Some(logger) => Ok(call(logger.as_mut())?),
            None => Ok(()),
        }
    }
}

impl Observer for RunLogger {
    fn name(&self) -> &str {
        &self.name
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<(), ObserverError> {
        let (epoch, step) = (event.progress.epoch, event.progress.global_step);
        match &event.kind {
            EventKind::RunStarted(run) => {
                let (folder, config) = (run.run_dir.to_path_buf(), run.config.resolved_table());
                self.waiting = Some(Started { folder, config, time: event.time });
                Ok(())
            }
            EventKind::Resumed { .. } => {
                let kept = match std::mem::replace(&mut self.begin, Begin::New) {
                    Begin::Resumed { kept, .. } => kept,
                    Begin::New => Value::Null,
                };
                self.begin = Begin::Resumed { step, kept };
                Ok(())
            }
            EventKind::EpochStarted => self.open(),
            EventKind::Logged(record) => {
                let entry = Entry { epoch, step, time: event.time, values: &record.values };
                self.call(|logger| logger.log(&entry))
            }
            EventKind::EpochEnding { weights, .. } => self.histograms(event, weights),
            EventKind::Validated(validated) if validated.asked != Asked::BySanityCheck => {
                self.pictures(event, &validated.doubtful)
            }
            EventKind::EpochEnded { .. } => self.call(|logger| logger.flush()),
            _ => Ok(()),
        }
    }

    fn before_end(&mut self, ending: Ending<'_>, time: OffsetDateTime) -> Result<(), ObserverError> {
        let ending = match ending {
            Ending::Finished | Ending::Stopped { .. } | Ending::Closed => thaw_loggers::Ending::Finished,
            Ending::Interrupted => thaw_loggers::Ending::Interrupted,
            Ending::Failed { .. } => thaw_loggers::Ending::Failed,
        };
        self.call(|logger| logger.end(ending, time))
    }

    fn warnings(&mut self) -> Vec<String> {
        self.logger.as_mut().map(|logger| logger.warnings()).unwrap_or_default()
    }

    fn flush(&mut self) -> Result<(), ObserverError> {
        self.call(|logger| logger.flush())
    }

    fn save(&mut self) -> Result<Value, ObserverError> {
        let mut kept = Value::Null;
        self.call(|logger| {
            kept = logger.save()?;
            Ok(())
        })?;
        Ok(kept)
    }

    fn resume(&mut self, saved: &Value) -> Result<(), ObserverError> {
        // The step comes with the event.
        self.begin = Begin::Resumed { step: 0, kept: saved.clone() };
        Ok(())
    }
}
