//! Several labels per sample.

use super::{DataError, Known, Labels, Targets, of_classes};
use serde_json::Value;
use std::collections::BTreeSet;
use tch::Tensor;

/// Makes targets of cells that hold any number of labels each. An empty cell has none.
pub(super) fn parse(labels: &Labels<'_>, known: Known<'_>) -> Result<Targets, DataError> {
    // Each label for itself, with the line of its sample: their names and indices are those of classes.
    let (mut texts, mut lines, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for (row, cell) in labels.texts.iter().enumerate() {
        let of_sample = of_cell(labels, row, cell)?;
        counts.push(of_sample.len());
        lines.extend(of_sample.iter().map(|_| labels.lines[row]));
        texts.extend(of_sample);
    }
    if texts.is_empty() && matches!(known, Known::Nothing) {
        let remedy = "label some, or list the names under `classes` in [data]";
        return Err(DataError::layout(labels.path, "no sample has a label", remedy));
    }
    let single = Labels { texts: &texts, lines: &lines, ..*labels };
    let (indices, names) = of_classes(&single, known)?;
    let mut rest = indices.as_slice();
    let mut of_samples = Vec::with_capacity(counts.len());
    for (row, count) in counts.into_iter().enumerate() {
        let (of_sample, others) = rest.split_at(count);
        if of_sample.iter().collect::<BTreeSet<_>>().len() < count {
            return Err(labels.error(row, "each label once".to_string()));
        }
        of_samples.push(of_sample.to_vec());
        rest = others;
    }
    Ok(Targets::Labels(of_samples, names))
}

/// The labels of one cell: those of a JSON array, or the texts between separators.
fn of_cell(labels: &Labels<'_>, row: usize, cell: &str) -> Result<Vec<String>, DataError> {
    let cell = cell.trim();
    if cell.is_empty() {
        return Ok(Vec::new());
    }
    let array = serde_json::from_str(cell).ok().filter(Value::is_array);
    let Some(Value::Array(array)) = array else {
        return Ok(cell.split(labels.separator).map(str::to_string).collect());
    };
    let label = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    };
    let texts: Option<Vec<String>> = array.iter().map(label).collect();
    texts.ok_or_else(|| labels.error(row, "an array of texts or numbers".to_string()))
}

/// The targets of samples with these labels: f32, `[samples, classes]`, 1 for a label of the sample.
pub(super) fn tensor(of_samples: &[&[usize]], classes: usize) -> Result<Tensor, DataError> {
    let mut values = vec![0.0_f32; of_samples.len() * classes];
    for (row, labels) in of_samples.iter().enumerate() {
        for label in *labels {
            values[row * classes + label] = 1.0;
        }
    }
    Ok(Tensor::f_from_slice(&values)?.f_view([of_samples.len() as i64, classes as i64])?)
}
