//! Predictions as rows of a file.

use std::path::Path;

use serde_json::{Map, Value, json};
use thaw_plugin_api::model::Task;

use super::row_file::RowFile;
use super::{PredictError, Predictions, Row, Sample};

/// How predictions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A header and a line per sample.
    Csv,
    /// An object per sample.
    Jsonl,
}

impl Format {
    /// By the file's ending.
    ///
    /// # Errors
    /// It is neither `.csv` nor `.jsonl`.
    pub fn of(path: &Path) -> Result<Self, PredictError> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => Ok(Self::Csv),
            Some("jsonl") => Ok(Self::Jsonl),
            _ => Err(PredictError::Format { path: path.to_path_buf() }),
        }
    }
}

/// A file of predictions that is being written, row by row; it appears when it is complete. The first column
/// is `sample` (`file`, or `row`); then
///
/// | task | columns |
/// | --- | --- |
/// | classification | `class`, `probability`; with `all` one column per class, in JSON `probabilities` |
/// | several labels | `labels` above the threshold, one column per class; in JSON `labels`, `probabilities` |
/// | regression | `value`, or `value_0`, `value_1`, … where there are several; in JSON a number or a list |
/// | reconstruction | `error`: mean squared error |
///
/// and the further outputs under their names, in CSV as JSON text.
pub struct PredictionFile {
    /// Name of the first column.
    sample: &'static str,
    all: bool,
    file: RowFile,
    rows: usize,
    /// Rows with NaN in them.
    without_number: usize,
}

impl PredictionFile {
    /// Begins a file, under a temporary name beside its own.
    ///
    /// # Errors
    /// The ending, or a folder that cannot be written.
    pub fn create(path: &Path, sample: &'static str, all: bool) -> Result<Self, PredictError> {
        Ok(Self { sample, all, file: RowFile::create(path)?, rows: 0, without_number: 0 })
    }

    /// Writes the row of the sample that is called `id`.
    ///
    /// # Errors
    /// The disk is full.
    pub fn write(&mut self, id: String, sample: &Sample, of: &Predictions) -> Result<(), PredictError> {
        if self.rows == 0 {
            self.header(of, sample.row.width())?;
        }
        self.rows += 1;
        self.without_number += usize::from(sample.row.has_nan());
        let fields = || record(id.clone(), sample, of, self.all);
        self.file.row(fields, || object(self.sample, id.clone(), sample, of, self.all))
    }

    /// Gives the file its name; gives the number of rows. Warns of those that are no predictions: NaN.
    ///
    /// # Errors
    /// The disk is full; an earlier file of that name is as it was.
    pub fn finish(mut self, of: &Predictions) -> Result<usize, PredictError> {
        if self.rows == 0 {
            self.header(of, 0)?;
        }
        self.file.finish()?;
        if self.without_number > 0 {
            tracing::warn!(
                "{} of {} predictions are NaN, and mean nothing: the inputs or the model's weights have \
                 values that are no numbers",
                self.without_number,
                self.rows
            );
        }
        Ok(self.rows)
    }

    fn header(&mut self, of: &Predictions, width: usize) -> Result<(), PredictError> {
        self.file.header(|| header(self.sample, of, width, self.all))
    }
}

fn header(sample: &str, predictions: &Predictions, width: usize, all: bool) -> Vec<String> {
    let mut header = vec![sample.to_owned()];
    match predictions.task() {
        Task::Classification if predictions.is_multi_label() => {
            header.push("labels".to_owned());
            header.extend((0..width).map(|index| predictions.class_name(index)));
        }
        Task::Classification => {
            header.extend(["class".to_owned(), "probability".to_owned()]);
            if all {
                header.extend((0..width).map(|index| predictions.class_name(index)));
            }
        }
        Task::Regression if width <= 1 => header.push("value".to_owned()),
        Task::Regression => header.extend((0..width).map(|index| format!("value_{index}"))),
        Task::Reconstruction => header.push("error".to_owned()),
    }
    header.extend(predictions.wanted().iter().cloned());
    header
}

/// A line of CSV.
fn record(id: String, sample: &Sample, predictions: &Predictions, all: bool) -> Vec<String> {
    let mut record = vec![id];
    match &sample.row {
        Row::Classes { class, probabilities } => {
            record.push(predictions.class_name(*class));
            record.push(probabilities.get(*class).copied().unwrap_or_default().to_string());
            if all {
                record.extend(probabilities.iter().map(f32::to_string));
            }
        }
        Row::Labels { labels, probabilities } => {
            let names = labels.iter().map(|index| predictions.class_name(*index)).collect();
            record.push(as_label_cell(names));
            record.extend(probabilities.iter().map(f32::to_string));
        }
        Row::Values(values) => record.extend(values.iter().map(f32::to_string)),
        Row::Error(error) => record.push(error.to_string()),
    }
    record.extend(sample.outputs.iter().map(Value::to_string));
    record
}

/// Labels as a data set reads them back: separated, or as a JSON array where a name has the separator in it.
fn as_label_cell(names: Vec<String>) -> String {
    let is_plain = |name: &String| !name.contains('|') && !name.starts_with('[');
    if names.iter().all(is_plain) { names.join("|") } else { json!(names).to_string() }
}

/// A line of JSON.
fn object(name: &str, id: String, sample: &Sample, predictions: &Predictions, all: bool) -> Value {
    let mut record = Map::new();
    record.insert(name.to_owned(), json!(id));
    match &sample.row {
        Row::Classes { class, probabilities } => {
            record.insert("class".to_owned(), json!(predictions.class_name(*class)));
            record.insert("probability".to_owned(), json!(probabilities.get(*class)));
            if all {
                record.insert("probabilities".to_owned(), by_class(probabilities, predictions));
            }
        }
        Row::Labels { labels, probabilities } => {
            let names: Vec<String> = labels.iter().map(|index| predictions.class_name(*index)).collect();
            record.insert("labels".to_owned(), json!(names));
            record.insert("probabilities".to_owned(), by_class(probabilities, predictions));
        }
        Row::Values(values) => drop(
            record
                .insert("value".to_owned(), if values.len() == 1 { json!(values[0]) } else { json!(values) }),
        ),
        Row::Error(error) => drop(record.insert("error".to_owned(), json!(error))),
    }
    record.extend(predictions.wanted().iter().cloned().zip(sample.outputs.iter().cloned()));
    Value::Object(record)
}

fn by_class(probabilities: &[f32], predictions: &Predictions) -> Value {
    let by_class = probabilities.iter().enumerate();
    Value::Object(by_class.map(|(index, value)| (predictions.class_name(index), json!(value))).collect())
}
