//! Rows to CSV or JSON lines; the file appears when it is complete.

use std::path::Path;

use serde_json::{Map, Value, json};
use thaw_plugin_api::model::Task;

use super::{PredictError, Predictions, Row};
use crate::durable;

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

/// Writes predictions. The first column is `sample` (`file`, or `row`), named by `id`; then
///
/// | task | columns |
/// | --- | --- |
/// | classification | `class`, `probability`; with `all` one column per class, in JSON `probabilities` |
/// | regression | `value`, or `value_0`, `value_1`, … where there are several; in JSON a number or a list |
/// | reconstruction | `error`: mean squared error |
///
/// and the further outputs under their names, in CSV as JSON text.
///
/// # Errors
/// The ending, or a folder or disk that cannot be written.
pub fn write(
    path: &Path,
    sample: &str,
    id: impl Fn(usize) -> String,
    predictions: &Predictions,
    all: bool,
) -> Result<(), PredictError> {
    let failed = |reason: String| PredictError::Write { path: path.to_path_buf(), reason };
    let bytes = match Format::of(path)? {
        Format::Csv => csv(sample, id, predictions, all).map_err(failed)?,
        Format::Jsonl => jsonl(sample, id, predictions, all),
    };
    durable::write(path, &bytes).map_err(|error| failed(error.to_string()))
}

fn header(sample: &str, predictions: &Predictions, all: bool) -> Vec<String> {
    let mut header = vec![sample.to_owned()];
    let width = predictions.width();
    match predictions.task() {
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

fn csv(
    sample: &str,
    id: impl Fn(usize) -> String,
    predictions: &Predictions,
    all: bool,
) -> Result<Vec<u8>, String> {
    let text = |error: csv::Error| error.to_string();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header(sample, predictions, all)).map_err(text)?;
    for (index, row, extras) in predictions.rows() {
        let mut record = vec![id(index)];
        match row {
            Row::Classes { class, probabilities } => {
                record.push(predictions.class_name(*class));
                record.push(probabilities.get(*class).copied().unwrap_or_default().to_string());
                if all {
                    record.extend(probabilities.iter().map(f32::to_string));
                }
            }
            Row::Values(values) => record.extend(values.iter().map(f32::to_string)),
            Row::Error(error) => record.push(error.to_string()),
        }
        record.extend(extras.iter().map(Value::to_string));
        writer.write_record(record).map_err(text)?;
    }
    writer.into_inner().map_err(|error| error.to_string())
}

fn jsonl(sample: &str, id: impl Fn(usize) -> String, predictions: &Predictions, all: bool) -> Vec<u8> {
    let mut text = String::new();
    for (index, row, extras) in predictions.rows() {
        let mut record = Map::new();
        record.insert(sample.to_owned(), json!(id(index)));
        match row {
            Row::Classes { class, probabilities } => {
                record.insert("class".to_owned(), json!(predictions.class_name(*class)));
                record.insert("probability".to_owned(), json!(probabilities.get(*class)));
                if all {
                    let by_class = probabilities
                        .iter()
                        .enumerate()
                        .map(|(index, value)| (predictions.class_name(index), json!(value)));
                    record.insert("probabilities".to_owned(), Value::Object(by_class.collect()));
                }
            }
            Row::Values(values) => drop(record.insert(
                "value".to_owned(),
                if values.len() == 1 { json!(values[0]) } else { json!(values) },
            )),
            Row::Error(error) => drop(record.insert("error".to_owned(), json!(error))),
        }
        record.extend(predictions.wanted().iter().cloned().zip(extras.iter().cloned()));
        text.push_str(&Value::Object(record).to_string());
        text.push('\n');
    }
    text.into_bytes()
}
