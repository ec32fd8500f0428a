//! One row per sample, from the outputs of batches.

use serde_json::{Value, json};
use tch::{Kind, Tensor};
use thaw_plugin_api::model::{Task, Tensors};

use super::PredictError;
use thaw_train::inference::BatchOutputs;

/// What a model says of one sample.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    /// Probability of each class, and which is the largest.
    Classes {
        /// Index of the likeliest class.
        class: usize,
        /// By class index; they add up to 1.
        probabilities: Vec<f32>,
    },
    /// Probability of each label, and which are predicted.
    Labels {
        /// Indices of the labels whose probability is above the threshold.
        labels: Vec<usize>,
        /// By class index, each for itself.
        probabilities: Vec<f32>,
    },
    /// The predicted numbers.
    Values(Vec<f32>),
    /// Mean squared error of the reconstruction.
    Error(f32),
}

/// A row, and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Number of the sample in the input.
    pub index: usize,
    /// The prediction.
    pub row: Row,
    /// The further outputs that are wanted, in their order.
    pub outputs: Vec<Value>,
}

/// How outputs of batches become rows.
pub struct Predictions {
    task: Task,
    /// Above which probability a label is predicted, where a sample may have several.
    threshold: Option<f32>,
    class_names: Vec<String>,
    wanted: Vec<String>,
}

impl Predictions {
    /// Rows of a task. `wanted` are further outputs to keep, by name.
    pub fn new(task: Task, class_names: Vec<String>, wanted: Vec<String>) -> Self {
        Self { task, threshold: None, class_names, wanted }
    }

    /// The same of a model that says each label for itself; those above this probability are predicted.
    #[must_use]
    pub fn several_labels(self, threshold: f32) -> Self {
        Self { threshold: Some(threshold), ..self }
    }

    /// Whether a sample may have several labels.
    pub fn is_multi_label(&self) -> bool {
        self.threshold.is_some()
    }

    /// Further outputs that are kept.
    pub fn wanted(&self) -> &[String] {
        &self.wanted
    }

    /// The model's task.
    pub fn task(&self) -> Task {
        self.task
    }

    /// Name of a class: its number where the data had none.
    pub fn class_name(&self, index: usize) -> String {
        self.class_names.get(index).cloned().unwrap_or_else(|| index.to_string())
    }

    /// The rows of a batch, in its order.
    ///
    /// # Errors
    /// Outputs that do not fit the task, or an output that is wanted and not there.
    pub fn samples(&self, batch: &BatchOutputs) -> Result<Vec<Sample>, PredictError> {
        let count = batch.indices.len();
        let (name, output) =
            batch.outputs.iter().next().ok_or_else(|| no_output("the first", &batch.outputs))?;
        let shape = |expected: &str| PredictError::Shape {
            name: name.to_owned(),
            found: output.size(),
            expected: expected.to_owned(),
        };
        if output.size().first().copied() != i64::try_from(count).ok() {
            return Err(shape(&format!("{count} samples in the first dimension")));
        }
        let rows = match self.task {
            Task::Classification if output.dim() == 2 => match self.threshold {
                Some(threshold) => labels(output, threshold)?,
                None => classes(output)?,
            },
            Task::Classification => return Err(shape("[batch, classes]")),
            Task::Regression => per_sample(output)?.into_iter().map(Row::Values).collect(),
            Task::Reconstruction => errors(output, &batch.inputs)?,
        };
        let extras = self
            .wanted
            .iter()
            .map(|name| extra(name, &batch.outputs, count))
            .collect::<Result<Vec<_>, _>>()?;
        let samples = batch.indices.iter().zip(rows).enumerate().map(|(position, (index, row))| {
            let of_sample = |values: &Vec<Value>| values.get(position).cloned().unwrap_or_default();
            Sample { index: *index, row, outputs: extras.iter().map(of_sample).collect() }
        });
        Ok(samples.collect())
    }
}

impl Row {
    /// Columns of the row: classes for a classification, numbers for a regression.
    pub fn width(&self) -> usize {
        match self {
            Self::Classes { probabilities, .. } | Self::Labels { probabilities, .. } => probabilities.len(),
            Self::Values(values) => values.len(),
            Self::Error(_) => 1,
        }
    }

    /// Whether a number of it is NaN.
    pub fn has_nan(&self) -> bool {
        match self {
            Self::Classes { probabilities: values, .. }
            | Self::Labels { probabilities: values, .. }
            | Self::Values(values) => values.iter().any(|value| value.is_nan()),
            Self::Error(error) => error.is_nan(),
        }
    }
}

/// Rows of the tensor, flattened.
fn per_sample(tensor: &Tensor) -> Result<Vec<Vec<f32>>, PredictError> {
    let samples = tensor.size().first().copied().unwrap_or_default();
    if samples == 0 {
        return Ok(Vec::new());
    }
    let flat = tensor.f_to_kind(Kind::Float)?.f_to_device(tch::Device::Cpu)?.f_reshape([samples, -1])?;
    let width = usize::try_from(flat.size()[1]).unwrap_or(1).max(1);
    let values = Vec::<f32>::try_from(flat.f_contiguous()?.f_view([-1])?)?;
    Ok(values.chunks(width).map(<[f32]>::to_vec).collect())
}

fn classes(logits: &Tensor) -> Result<Vec<Row>, PredictError> {
    let probabilities = logits.f_to_kind(Kind::Float)?.f_softmax(-1, Kind::Float)?;
    let likeliest = Vec::<i64>::try_from(logits.f_argmax(-1, false)?.f_to_device(tch::Device::Cpu)?)?;
    let rows = likeliest.into_iter().zip(per_sample(&probabilities)?);
    Ok(rows
        .map(|(class, probabilities)| Row::Classes {
            class: usize::try_from(class).unwrap_or_default(),
            probabilities,
        })
        .collect())
}

fn labels(logits: &Tensor, threshold: f32) -> Result<Vec<Row>, PredictError> {
    let probabilities = logits.f_to_kind(Kind::Float)?.f_sigmoid()?;
    let rows = per_sample(&probabilities)?.into_iter().map(|probabilities| {
        let above = probabilities.iter().enumerate().filter(|(_, probability)| **probability > threshold);
        Row::Labels { labels: above.map(|(index, _)| index).collect(), probabilities }
    });
    Ok(rows.collect())
}

fn errors(output: &Tensor, inputs: &Tensors) -> Result<Vec<Row>, PredictError> {
    let (name, input) = inputs.iter().next().ok_or_else(|| no_output("the first input", inputs))?;
    if input.numel() != output.numel() {
        let expected = format!("as many elements as the input `{name}` of shape {:?}", input.size());
        return Err(PredictError::Shape { name: "the first".to_owned(), found: output.size(), expected });
    }
    let input = input.f_view(output.size().as_slice())?.f_to_kind(Kind::Float)?;
    let squares = output.f_to_kind(Kind::Float)?.f_sub(&input)?.f_square()?;
    let rows = per_sample(&squares)?.into_iter();
    Ok(rows.map(|squares| Row::Error(squares.iter().sum::<f32>() / squares.len().max(1) as f32)).collect())
}

/// An output by its name, one JSON value per sample.
fn extra(name: &str, outputs: &Tensors, count: usize) -> Result<Vec<Value>, PredictError> {
    let tensor = outputs.find(name).ok_or_else(|| no_output(name, outputs))?;
    if tensor.size().first().copied() != i64::try_from(count).ok() {
        let expected = format!("{count} samples in the first dimension");
        return Err(PredictError::Shape { name: name.to_owned(), found: tensor.size(), expected });
    }
    let shape: Vec<usize> =
        tensor.size()[1..].iter().map(|size| usize::try_from(*size).unwrap_or_default()).collect();
    Ok(per_sample(tensor)?.iter().map(|values| nested(values, &shape)).collect())
}

fn nested(values: &[f32], shape: &[usize]) -> Value {
    match shape {
        [] => values.first().map_or(Value::Null, |value| json!(value)),
        [_] => json!(values),
        [first, rest @ ..] => {
            let size = values.len().checked_div(*first).unwrap_or_default();
            Value::Array(values.chunks(size.max(1)).map(|values| nested(values, rest)).collect())
        }
    }
}

fn no_output(name: &str, outputs: &Tensors) -> PredictError {
    let known: Vec<&str> = outputs.iter().map(|(name, _)| name).collect();
    let hint = match thaw_plugin_api::nearest(name, known.iter().copied()) {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        None if name.starts_with("attention") => {
            "; see the model's own option, such as --set model.output_attentions=true".to_owned()
        }
        None => String::new(),
    };
    PredictError::NoOutput { name: name.to_owned(), known: known.join(", "), hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(indices: Vec<usize>, output: Tensor) -> BatchOutputs {
        let inputs =
            Tensors::one("x", Tensor::zeros([indices.len() as i64, 2], (Kind::Float, tch::Device::Cpu)));
        BatchOutputs { indices, inputs, outputs: Tensors::one("logits", output) }
    }

    #[test]
    fn probabilities_are_the_softmax_of_the_logits() {
        let predictions = Predictions::new(Task::Classification, Vec::new(), Vec::new());
        let logits = Tensor::from_slice(&[0.0_f32, 3.0_f32.ln()]).view([1, 2]);
        let samples = predictions.samples(&batch(vec![0], logits)).unwrap();
        let Row::Classes { class, probabilities } = &samples[0].row else { panic!("{samples:?}") };
        assert_eq!(*class, 1);
        assert!((probabilities[1] - 0.75).abs() < 1e-6);
    }

    #[test]
    fn further_outputs_keep_their_shape() {
        let predictions = Predictions::new(Task::Classification, Vec::new(), vec!["attentions".to_owned()]);
        let mut one = batch(vec![0], Tensor::from_slice(&[0.0_f32, 1.0]).view([1, 2]));
        one.outputs =
            one.outputs.with("attentions", Tensor::from_slice(&[1.0_f32, 2.0, 3.0, 4.0]).view([1, 2, 2]));
        assert_eq!(predictions.samples(&one).unwrap()[0].outputs, [json!([[1.0, 2.0], [3.0, 4.0]])]);
    }

    #[test]
    fn an_output_that_is_not_there_is_named_with_those_there_are() {
        let predictions = Predictions::new(Task::Classification, Vec::new(), vec!["logit".to_owned()]);
        let error = predictions
            .samples(&batch(vec![0], Tensor::from_slice(&[0.0_f32, 1.0]).view([1, 2])))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "--outputs logit: the model has no such output; it gave: logits; did you mean `logits`?"
        );
    }
}
