//! `samples.jsonl`: samples of validations that are worth a look, with thumbnails in `samples/`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::file::RecordFile;
use super::{RecordsError, stamped};
use crate::fit::Doubt;
use crate::fit::events::{Asked, Doubtful, Event, EventKind, Observer, ObserverError, Validated};
use crate::run_dir::{SAMPLE_PICTURES, SAMPLES};
use thaw_data::Look;
use thaw_files::durable;
use thaw_files::sha256::sha256;

/// Writes a record for each validation of a classification: the samples that are most confidently wrong, and
/// those that are least certain. Thumbnails are kept of the last and of the best one.
pub struct SampleRecords {
    file: RecordFile,
    pictures: PathBuf,
    /// How many samples of each kind.
    most: usize,
    /// Thumbnails of the last record, and of the best.
    last: BTreeSet<String>,
    best: BTreeSet<String>,
}

impl SampleRecords {
    /// Opens the file in a run directory, for so many samples of each kind.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(run_dir: &Path, most: usize) -> Result<Self, RecordsError> {
        let file = RecordFile::open(run_dir.join(SAMPLES))?;
        let pictures = run_dir.join(SAMPLE_PICTURES);
        Ok(Self { file, pictures, most, last: BTreeSet::new(), best: BTreeSet::new() })
    }

    fn record(&mut self, event: &Event<'_>, validated: &Validated<'_>) -> Result<(), ObserverError> {
        let doubtful = &validated.doubtful;
        let is_counted = validated.asked != Asked::BySanityCheck && self.most > 0;
        if !is_counted || doubtful.wrong.is_empty() && doubtful.unsure.is_empty() {
            return Ok(());
        }
        self.last.clear();
        let mut record = stamped(event);
        for (kind, doubts) in [("wrong", doubtful.wrong), ("unsure", doubtful.unsure)] {
            let first = &doubts[..doubts.len().min(self.most)];
            let samples: Vec<Value> = first.iter().map(|doubt| self.sample(doubtful, doubt)).collect();
            record.insert(kind.to_owned(), json!(samples));
        }
        self.remove_others();
        self.file.append(record)
    }

    fn sample(&mut self, doubtful: &Doubtful<'_>, doubt: &Doubt) -> Value {
        let id = doubtful.id(doubt);
        let mut sample = Map::new();
        sample.insert("sample".to_owned(), json!(id));
        sample.insert("target".to_owned(), json!(doubtful.class(doubt.label)));
        sample.insert("prediction".to_owned(), json!(doubtful.class(doubt.predicted)));
        sample.insert("probability".to_owned(), json!(doubt.probability));
        let name = format!("{}.jpg", &sha256(id.as_bytes())[..16]);
        if self.last.contains(&name) || self.pictures.join(&name).exists() {
            // It was among those before.
            sample.insert("picture".to_owned(), json!(name));
            self.last.insert(name);
            return Value::Object(sample);
        }
        match doubtful.look(doubt) {
            Some(Look::Picture { jpeg, .. }) => {
                let written = std::fs::create_dir_all(&self.pictures)
                    .and_then(|()| durable::write(&self.pictures.join(&name), &jpeg));
                match written {
                    Ok(()) => {
                        sample.insert("picture".to_owned(), json!(name));
                        self.last.insert(name);
                    }
                    // The report does without it.
                    Err(error) => tracing::debug!("{}: {error}", self.pictures.display()),
                }
            }
            Some(Look::Text(text, pair)) => {
                sample.insert("text".to_owned(), json!(text));
                pair.into_iter().for_each(|pair| drop(sample.insert("text_pair".to_owned(), json!(pair))));
            }
            None => {}
        }
        Value::Object(sample)
    }

    /// Thumbnails of neither the best nor the last validation go.
    fn remove_others(&self) {
        for entry in std::fs::read_dir(&self.pictures).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !self.last.contains(&name)
                && !self.best.contains(&name)
                && let Err(error) = std::fs::remove_file(entry.path())
            {
                tracing::debug!("{}: {error}", entry.path().display());
            }
        }
    }
}

impl Observer for SampleRecords {
    fn name(&self) -> &str {
        "samples"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<(), ObserverError> {
        match &event.kind {
            EventKind::Resumed { .. } => {
                // Which of them are the best one's, nobody says: all stay until there is a better one.
                let entries = std::fs::read_dir(&self.pictures).into_iter().flatten().flatten();
                self.best = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
                self.file.go_back()
            }
            EventKind::Validated(validated) => self.record(event, validated),
            EventKind::CheckpointWritten(written) => {
                if written.is_best {
                    self.best.clone_from(&self.last);
                }
                Ok(())
            }
            EventKind::EpochEnded { .. } | EventKind::RunEnded(_) => self.file.flush(),
            _ => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), ObserverError> {
        self.file.flush()
    }

    fn save(&mut self) -> Result<Value, ObserverError> {
        self.file.save()
    }

    fn resume(&mut self, saved: &Value) -> Result<(), ObserverError> {
        self.file.resume(saved)
    }
}
