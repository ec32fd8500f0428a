//! `[loss]` of a run config, for its model: what `class_weights` are in numbers.

use std::collections::BTreeMap;

use thaw_plugin_api::config::ConfigError as KeyError;
use thaw_plugin_api::hint;

use crate::Error;
use crate::config::{ClassWeights, ConfigError, PosWeight, RunConfig};
use crate::model::{GivenLoss, HostModel};
use thaw_data::{DataModule, Split, first_names};
use thaw_terminal::escape::shorten;

/// The key of weights that may come from the data, in messages.
const KEY: &str = "loss.class_weights";

/// Where the weights of `balanced` come from.
pub enum Labels<'l> {
    /// The labels of the training samples.
    Of(&'l DataModule),
    /// A checkpoint, which keeps the weights that its run had.
    Weighted(Option<&'l [f64]>),
}

/// Gives the model the loss that the run config asks for. `classes` are the names of its outputs, as far as
/// the data has them.
///
/// # Errors
/// Weights that do not fit the classes.
pub fn set_loss(
    config: &RunConfig,
    model: &mut HostModel,
    classes: &[String],
    labels: Labels<'_>,
) -> Result<(), Error> {
    let Some(loss) = &config.loss else { return Ok(()) };
    let outputs = model.description().num_classes.and_then(|outputs| usize::try_from(outputs).ok());
    let of_data = || match labels {
        Labels::Of(data) if classes.is_empty() => data.labels_per_sample().unwrap_or(0),
        Labels::Of(_) | Labels::Weighted(_) => classes.len(),
    };
    let outputs = outputs.unwrap_or_else(of_data);
    let wrong = |error| ConfigError::Key { path: config.path.clone(), error };
    let of_classes = |weights| in_numbers(weights, classes, outputs, &labels);
    let weights = loss.class_weights.as_ref().map(of_classes);
    let weights = weights.transpose().map_err(wrong)?;
    if let Some(weights) = &weights {
        tell("classes count in the loss", weights, classes);
    }
    let positive = |given: &PosWeight| {
        let key = "loss.pos_weight";
        let weights = match given.weights() {
            ClassWeights::Each(weights) => weights.clone(),
            ClassWeights::Named(named) => by_class(key, named, classes, outputs)?,
            ClassWeights::Balanced => match labels {
                Labels::Of(data) => presence(data, classes)?,
                Labels::Weighted(weights) => kept(key, weights)?,
            },
        };
        one_each(key, weights, outputs)
    };
    let positive = loss.pos_weight.as_ref().map(positive).transpose().map_err(wrong)?;
    if let Some(weights) = &positive {
        tell("labels count in the loss where they are there", weights, classes);
    }
    Ok(model.set_loss(loss, GivenLoss { class_weights: weights, pos_weight: positive })?)
}

fn in_numbers(
    weights: &ClassWeights,
    classes: &[String],
    outputs: usize,
    labels: &Labels<'_>,
) -> Result<Vec<f64>, KeyError> {
    let weights = match (weights, labels) {
        (ClassWeights::Each(weights), _) => weights.clone(),
        (ClassWeights::Named(weights), _) => by_class(KEY, weights, classes, outputs)?,
        (ClassWeights::Balanced, Labels::Of(data)) => balanced(&counts(data)?, classes)?,
        (ClassWeights::Balanced, Labels::Weighted(weights)) => kept(KEY, *weights)?,
    };
    one_each(KEY, weights, outputs)
}

/// The weights that a checkpoint keeps.
fn kept(key: &str, weights: Option<&[f64]>) -> Result<Vec<f64>, KeyError> {
    weights.map(<[f64]>::to_vec).ok_or_else(|| {
        let expected = "numbers: the checkpoint keeps no weights, and training data is not counted here";
        KeyError::value(key, "\"balanced\"", expected)
    })
}

/// How often each label is not there over how often it is, among the training samples.
fn presence(data: &DataModule, classes: &[String]) -> Result<Vec<f64>, KeyError> {
    let key = "loss.pos_weight";
    let counts = data.label_counts().filter(|counts| !counts.is_empty()).ok_or_else(|| {
        let expected =
            "numbers: which labels a training sample has, this data says only with the sample itself";
        KeyError::value(key, "\"balanced\"", expected)
    })?;
    let name = |index: usize| classes.get(index).map_or_else(|| index.to_string(), String::clone);
    let empty: Vec<String> =
        counts.iter().enumerate().filter(|(_, count)| **count <= 0.0).map(|(index, _)| name(index)).collect();
    if !empty.is_empty() {
        let expected = format!("numbers: no training sample has the label {}", first_names(&empty, 12));
        return Err(KeyError::value(key, "\"balanced\"", expected));
    }
    let samples = data.samples(Split::Train) as f64;
    let everywhere = counts.iter().enumerate().filter(|(_, count)| **count >= samples);
    let everywhere: Vec<String> = everywhere.map(|(index, _)| name(index)).collect();
    if !everywhere.is_empty() {
        let labels = first_names(&everywhere, 12);
        let expected = format!("numbers: every training sample has the label {labels}, which would count 0");
        return Err(KeyError::value(key, "\"balanced\"", expected));
    }
    Ok(counts.iter().map(|count| (samples - count).max(0.0) / count).collect())
}

/// Refuses more or fewer weights than the model has outputs.
fn one_each(key: &str, weights: Vec<f64>, outputs: usize) -> Result<Vec<f64>, KeyError> {
    if outputs > 0 && weights.len() != outputs {
        let found = match weights.len() {
            1 => "1 number".to_owned(),
            several => format!("{several} numbers"),
        };
        return Err(KeyError::value(key, found, format!("{outputs}, one for each output of the model")));
    }
    Ok(weights)
}

/// Weights by name or index; 1 for the rest.
fn by_class(
    key: &str,
    named: &BTreeMap<String, f64>,
    classes: &[String],
    outputs: usize,
) -> Result<Vec<f64>, KeyError> {
    let mut weights = vec![1.0; outputs];
    for (name, weight) in named {
        let by_name = classes.iter().position(|class| class == name);
        let index = by_name.or_else(|| name.parse().ok()).filter(|index| *index < outputs);
        let Some(index) = index else {
            let found = format!("of `{name}`, which is no class");
            if outputs == 0 {
                let expected =
                    "a list: the data names no classes, and the model does not say how many it has";
                return Err(KeyError::value(key, found, expected));
            }
            if classes.is_empty() {
                let expected = format!("indices from 0 to {}: the data names no classes", outputs - 1);
                return Err(KeyError::value(key, found, expected));
            }
            let hint = hint(name, classes.iter().map(String::as_str));
            let expected = format!("names or indices of the classes {}{hint}", first_names(classes, 12));
            return Err(KeyError::value(key, found, expected));
        };
        weights[index] = *weight;
    }
    Ok(weights)
}

/// Training samples of each class.
fn counts(data: &DataModule) -> Result<Vec<usize>, KeyError> {
    let counts = data.summary().train.per_class;
    if counts.is_empty() {
        let expected =
            "numbers: which class a training sample is of, this data says only with the sample itself";
        return Err(KeyError::value(KEY, "\"balanced\"", expected));
    }
    Ok(counts)
}

/// `n / (k * count)`, as scikit-learn has it.
fn balanced(counts: &[usize], classes: &[String]) -> Result<Vec<f64>, KeyError> {
    let empty = counts.iter().zip(classes).filter(|(count, _)| **count == 0).map(|(_, name)| name);
    let empty: Vec<&String> = empty.collect();
    if !empty.is_empty() {
        let expected = format!("numbers: no training sample is of class {}", first_names(&empty, 12));
        return Err(KeyError::value(KEY, "\"balanced\"", expected));
    }
    let samples: usize = counts.iter().sum();
    Ok(counts.iter().map(|count| samples as f64 / (counts.len() * count) as f64).collect())
}

/// Classes that the log has.
const SHOWN: usize = 12;

/// What counts how much, in the log: it is not what the run config shows.
fn tell(what: &str, weights: &[f64], classes: &[String]) {
    let name =
        |index: usize| classes.get(index).map_or_else(|| index.to_string(), |name| shorten(name).into());
    let shown: Vec<String> =
        weights.iter().enumerate().map(|(index, weight)| format!("{} {weight:.4}", name(index))).collect();
    let more = if shown.len() > SHOWN { format!(", … {} in all", shown.len()) } else { String::new() };
    tracing::info!("{what}: {}{more}", shown[..shown.len().min(SHOWN)].join(", "));
}
