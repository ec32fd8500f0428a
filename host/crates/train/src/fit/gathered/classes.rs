//! Predictions of classes.

use tch::{Device, Kind, TchError, Tensor};
use thaw_metrics::{Labelled, Metric};

use super::numbers_of;

/// Batches of logits and labels.
pub(super) struct ClassBatches {
    classes: usize,
    needs_ranks: bool,
    needs_probabilities: bool,
    labels: Vec<Tensor>,
    predicted: Vec<Tensor>,
    confidences: Vec<Tensor>,
    ranks: Vec<Tensor>,
    logits: Vec<Tensor>,
}

impl ClassBatches {
    pub(super) fn new(classes: usize, metrics: &[Metric]) -> Self {
        Self {
            classes,
            needs_ranks: metrics.iter().any(|metric| matches!(metric, Metric::Top(_))),
            needs_probabilities: metrics.iter().any(|metric| metric.needs_probabilities()),
            labels: Vec::new(),
            predicted: Vec::new(),
            confidences: Vec::new(),
            ranks: Vec::new(),
            logits: Vec::new(),
        }
    }

    /// Takes logits `[samples, classes]` and their labels.
    pub(super) fn push(&mut self, logits: &Tensor, labels: &Tensor) -> Result<(), TchError> {
        let logits = logits.f_detach()?;
        self.labels.push(labels.shallow_clone());
        self.predicted.push(logits.f_argmax(-1, false)?);
        self.confidences.push(logits.f_softmax(-1, Kind::Double)?.f_amax([-1_i64].as_slice(), false)?);
        if self.needs_ranks {
            self.ranks.push(ranks(&logits, labels)?);
        }
        if self.needs_probabilities {
            self.logits.push(logits);
        }
        Ok(())
    }

    /// All samples whose label is a class, with their positions: a step of the model's own may take others.
    pub(super) fn finish(&self) -> Result<(Labelled, Vec<usize>), TchError> {
        let labels = indices(&self.labels)?;
        let is_class = |label: i64| usize::try_from(label).is_ok_and(|label| label < self.classes);
        let positions: Vec<usize> =
            (0..labels.len()).filter(|position| is_class(labels[*position])).collect();
        let confidences = numbers_of(&self.confidences)?;
        let softmax = |logits: &Tensor| logits.f_to_device(Device::Cpu)?.f_softmax(-1, Kind::Double);
        let probabilities = self.logits.iter().map(softmax).collect::<Result<Vec<_>, _>>()?;
        let probabilities = numbers_of(&probabilities)?;
        let at = |values: &[i64]| -> Vec<usize> {
            let chosen = positions.iter().filter_map(|position| values.get(*position));
            chosen.map(|value| usize::try_from(*value).unwrap_or(0)).collect()
        };
        let row = |position: &usize| {
            let begin = position * self.classes;
            probabilities.get(begin..begin + self.classes).unwrap_or_default()
        };
        let samples = Labelled {
            classes: self.classes,
            labels: at(&labels),
            predicted: at(&indices(&self.predicted)?),
            ranks: at(&indices(&self.ranks)?),
            confidences: positions.iter().map(|position| confidences[*position]).collect(),
            probabilities: positions.iter().flat_map(row).copied().collect(),
        };
        Ok((samples, positions))
    }
}

/// How many classes are likelier than the label's. As for the likeliest one, NaN is above all numbers, and of
/// equal ones the first counts.
fn ranks(logits: &Tensor, labels: &Tensor) -> Result<Tensor, TchError> {
    let classes = logits.size()[1];
    let labels = labels.f_clamp(0, (classes - 1).max(0))?.f_unsqueeze(-1)?;
    let own = logits.f_gather(-1, &labels, false)?;
    let before = Tensor::f_arange(classes, (Kind::Int64, logits.device()))?.f_lt_tensor(&labels)?;
    let likelier = logits.f_le_tensor(&own)?.f_logical_not()?;
    let equal = logits.f_eq_tensor(&own)?.f_logical_and(&before)?;
    likelier.f_logical_or(&equal)?.f_sum_dim_intlist(-1_i64, false, Kind::Int64)
}

fn indices(tensors: &[Tensor]) -> Result<Vec<i64>, TchError> {
    if tensors.is_empty() {
        return Ok(Vec::new());
    }
    let all = Tensor::f_cat(tensors, 0)?.f_to_kind(Kind::Int64)?.f_to_device(Device::Cpu)?;
    Vec::<i64>::try_from(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_classes_is_the_likelier_one_and_no_number_is_above_all() {
        let nan = f64::NAN;
        let logits = Tensor::from_slice(&[1.0, 2.0, 2.0, 0.0, nan, 1.0]).view([2, 3]);
        let of =
            |labels: [i64; 2]| indices(&[ranks(&logits, &Tensor::from_slice(&labels)).unwrap()]).unwrap();
        assert_eq!(of([1, 2]), [0, 1]);
        assert_eq!(of([2, 0]), [1, 2]);
        assert_eq!(of([0, 1])[0], 2);
    }

    #[test]
    fn samples_whose_label_is_no_class_are_left_out() {
        let mut batches = ClassBatches::new(2, &Metric::all());
        let logits = Tensor::from_slice(&[0.0, 1.0, 2.0, 0.0, 3.0, 0.0]).view([3, 2]);
        batches.push(&logits, &Tensor::from_slice(&[1_i64, -100, 0])).unwrap();
        let (found, positions) = batches.finish().unwrap();
        assert_eq!((positions, found.labels, found.predicted), (vec![0, 2], vec![1, 0], vec![1, 0]));
        assert_eq!((found.ranks, found.probabilities.len()), (vec![0, 0], 4));
    }
}
