//! `kind = "tensorboard"`: event files that TensorBoard reads.
//!
//! Scalars under the names of `metrics.jsonl`, as PyTorch's `SummaryWriter` writes them; the run config as a
//! text; its keys as hyperparameters of a session of the hparams plugin, whose metrics are the scalars. Each
//! record is in the file when [`Logger::log`] returns. A run that goes on begins a file of its own, which
//! takes back what came after the checkpoint.

mod crc32c;
mod event;
mod file;
mod histogram;
mod hparams;
mod message;

use std::fs;

use thaw_plugin_api::config::drop_nulls;
use time::OffsetDateTime;

use self::event::Event;
use self::file::EventFile;
use self::histogram::Histogram;
use crate::config::TensorboardConfig;
use crate::error::io;
use crate::{Begin, Ending, Entry, Logger, LoggerError, Picture, Run};

/// Folder in the run directory.
pub(crate) const FOLDER: &str = "tensorboard";

/// Writes an event file.
pub(crate) struct TensorboardLogger {
    file: EventFile,
    histograms: usize,
    pictures: bool,
}

impl TensorboardLogger {
    /// Begins a file, with the run config in it.
    pub(crate) fn open(
        config: &TensorboardConfig,
        run: &Run<'_>,
        begin: &Begin,
    ) -> Result<Self, LoggerError> {
        let folder = config.path.clone().unwrap_or_else(|| run.folder.join(FOLDER));
        let folder = std::path::absolute(&folder).map_err(io(&folder))?;
        fs::create_dir_all(&folder).map_err(io(&folder))?;
        let (time, mut step) = (seconds(run.time), 0);
        let mut file = EventFile::create(&folder, run.time)?;
        file.write(&Event::version(time))?;
        if let Begin::Resumed { step: resumed, .. } = begin {
            step = *resumed;
            file.write(&Event::purge(time, step + 1))?;
        }
        let mut table = run.config.clone();
        drop_nulls(&mut table);
        // It is there to be read: what TOML does not hold is as good in JSON.
        let text = toml::to_string_pretty(&table).unwrap_or_else(|_| table.to_string());
        file.write(&Event::text(time, step, "config", &as_code(&text)))?;
        file.write(&hparams::start(time, step, &run.name(), run.config))?;
        Ok(Self { file, histograms: config.histograms, pictures: config.pictures })
    }
}

impl Logger for TensorboardLogger {
    fn log(&mut self, entry: &Entry<'_>) -> Result<(), LoggerError> {
        let time = seconds(entry.time);
        let mut events = Vec::new();
        if !entry.values.iter().any(|(name, _)| name == "epoch") {
            events.push(Event::scalar(time, entry.step, "epoch", entry.epoch as f64));
        }
        for (name, value) in entry.values {
            events.push(Event::scalar(time, entry.step, name, *value));
        }
        self.file.write_all(&events)
    }

    fn wants_histograms(&self, epoch: usize) -> bool {
        self.histograms > 0 && (epoch + 1).is_multiple_of(self.histograms)
    }

    fn log_histogram(
        &mut self,
        step: usize,
        time: OffsetDateTime,
        name: &str,
        values: &[f64],
    ) -> Result<(), LoggerError> {
        match Histogram::of(values) {
            Some(histogram) => self.file.write(&Event::histogram(seconds(time), step, name, &histogram)),
            None => Ok(()),
        }
    }

    fn wants_pictures(&self) -> bool {
        self.pictures
    }

    fn log_picture(
        &mut self,
        step: usize,
        time: OffsetDateTime,
        tag: &str,
        picture: &Picture<'_>,
    ) -> Result<(), LoggerError> {
        self.file.write(&Event::picture(seconds(time), step, tag, picture))
    }

    fn end(&mut self, ending: Ending, time: OffsetDateTime) -> Result<(), LoggerError> {
        match ending {
            Ending::Finished => self.file.write(&hparams::end(seconds(time), hparams::Status::Success)),
            Ending::Failed => self.file.write(&hparams::end(seconds(time), hparams::Status::Failure)),
            // It may go on, and readers keep the first end of a session.
            Ending::Interrupted => Ok(()),
        }
    }
}

/// Seconds since 1970, with what is between them.
fn seconds(time: OffsetDateTime) -> f64 {
    time.unix_timestamp_nanos() as f64 / 1e9
}

/// A text that the text plugin, which reads Markdown, shows as it is.
fn as_code(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

#[cfg(test)]
mod tests;
