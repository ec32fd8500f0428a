//! Samples that are tensors already.

use super::DataError;
use super::batch::Batch;
use super::config::TensorsConfig;
use super::dataset::{Dataset, Pass};
use super::error::first_names;
use super::targets::configured_classes;
use super::tensor_file::{RawTensor, TensorFile};
use std::sync::Arc;
use tch::{Kind, Tensor};

/// Target key if the config names none.
const DEFAULT_TARGET: &str = "y";

/// Which keys of the file a split takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys<'a> {
    pub(crate) config: &'a TensorsConfig,
    /// Stands before each key: empty for training.
    pub(crate) prefix: &'a str,
    /// False leaves the target unread.
    pub(crate) target: bool,
}

struct TensorDataset {
    rows: usize,
    inputs: Vec<(String, RawTensor)>,
    target: Option<RawTensor>,
    classes: Vec<String>,
}

/// Opens the tensors of a split. `classes` are the training split's, for validation.
pub(crate) fn open_tensors(
    file: &TensorFile,
    keys: Keys<'_>,
    classes: Option<&[String]>,
) -> Result<Arc<dyn Dataset>, DataError> {
    let config = keys.config;
    if config.inputs.is_empty() {
        return Err(DataError::value("inputs", "[]", "at least one key"));
    }
    let mut rows: Option<(String, usize)> = None;
    let mut load = |key: &str| {
        let key = format!("{}{key}", keys.prefix);
        let tensor = file.get(&key)?;
        let Some(&count) = tensor.shape.first() else {
            return Err(file.error(&key, "shape []", "a first dimension: the samples"));
        };
        if count == 0 {
            let found = format!("shape {:?}", tensor.shape);
            return Err(file.error(&key, found, "at least one sample"));
        }
        match &rows {
            Some((first, n)) if *n != count => {
                let found = format!("shape {:?}, so {count} samples", tensor.shape);
                return Err(file.error(&key, found, format!("{n} as in `{first}`")));
            }
            Some(_) => {}
            None => rows = Some((key.clone(), count)),
        }
        tensor.widened()
    };
    let mut inputs = Vec::new();
    for key in &config.inputs {
        inputs.push((key.clone(), load(key)?));
    }
    let target_key = config.target.as_deref().unwrap_or(DEFAULT_TARGET);
    let full_key = format!("{}{target_key}", keys.prefix);
    let wanted = keys.target && (config.target.is_some() || file.has(&full_key));
    let target = if wanted { Some(load(target_key)?) } else { None };
    let mut names = Vec::new();
    if let Some(target) = &target
        && target.kind == Kind::Int64
        && target.shape.len() == 1
    {
        let known = configured_classes(&config.classes)?.or(classes);
        let mut largest = 0;
        for (row, class) in (0..).map_while(|row| Some((row, target.i64_value(row)?))) {
            let expected = match known {
                _ if class < 0 => "a class index from 0".to_string(),
                Some(names) if class >= names.len() as i64 => {
                    let shown = first_names(names, 12);
                    format!("0 to {} ({shown})", names.len() - 1)
                }
                None if class > i64::from(u16::MAX) => {
                    format!("a class index up to {}", u16::MAX)
                }
                _ => {
                    largest = largest.max(class);
                    continue;
                }
            };
            return Err(DataError::Label {
                path: file.path().to_path_buf(),
                place: format!("tensor `{full_key}`, row {row}"),
                found: class.to_string(),
                expected,
            });
        }
        names = match known {
            Some(names) => names.to_vec(),
            None => (0..=largest).map(|i| i.to_string()).collect(),
        };
    }
    Ok(Arc::new(TensorDataset { rows: rows.map_or(0, |(_, n)| n), inputs, target, classes: names }))
}

impl TensorDataset {
    fn rows_of(tensor: &RawTensor, indices: &[usize]) -> Result<Tensor, DataError> {
        let mut shape: Vec<i64> = tensor.shape.iter().map(|&n| n as i64).collect();
        shape[0] = indices.len() as i64;
        let bytes = tensor.bytes();
        let width = tensor.row_bytes();
        let consecutive = indices.windows(2).all(|pair| pair[1] == pair[0] + 1);
        let tensor = match indices.first() {
            // Without shuffling a batch is a slice of the file.
            Some(&first) if consecutive => {
                let slice = &bytes[first * width..(first + indices.len()) * width];
                Tensor::f_from_data_size(slice, &shape, tensor.kind)?
            }
            _ => {
                let mut gathered = Vec::with_capacity(indices.len() * width);
                for &row in indices {
                    gathered.extend_from_slice(&bytes[row * width..(row + 1) * width]);
                }
                Tensor::f_from_data_size(&gathered, &shape, tensor.kind)?
            }
        };
        Ok(tensor)
    }
}

impl Dataset for TensorDataset {
    fn len(&self) -> usize {
        self.rows
    }
    fn class_names(&self) -> &[String] {
        &self.classes
    }
    fn class_of(&self, index: usize) -> Option<usize> {
        if self.classes.is_empty() {
            return None;
        }
        let target = self.target.as_ref()?;
        target.i64_value(index).map(|class| class as usize)
    }
    fn id(&self, index: usize) -> String {
        index.to_string()
    }
    fn input_shape(&self) -> String {
        let shape = |(name, tensor): &(String, RawTensor)| {
            let sizes: Vec<String> = tensor.shape[1..].iter().map(usize::to_string).collect();
            match sizes.len() {
                0 => name.clone(),
                _ => format!("{name} {}", sizes.join("x")),
            }
        };
        let shapes: Vec<String> = self.inputs.iter().map(shape).collect();
        shapes.join(", ")
    }
    fn batch(&self, indices: &[usize], _pass: &Pass) -> Result<Batch, DataError> {
        let mut inputs = Vec::with_capacity(self.inputs.len());
        for (name, tensor) in &self.inputs {
            inputs.push((name.clone(), Self::rows_of(tensor, indices)?));
        }
        let target = self.target.as_ref();
        Ok(Batch {
            inputs,
            targets: target.map(|t| Self::rows_of(t, indices)).transpose()?,
            indices: indices.to_vec(),
            position: 0,
        })
    }
    fn fixed_inputs(&self, _pass: &Pass) -> bool {
        true
    }
    fn in_memory(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
