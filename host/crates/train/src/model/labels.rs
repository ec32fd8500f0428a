//! Several labels per sample: loss and metrics of a batch, and what of them adds up over batches.

use tch::{Kind, TchError, Tensor};

use super::Metric;
use super::loss::ClassLoss;
use super::task::{batch_and_classes, check_weights, torch};
use thaw_torch::reading::Reading;

/// A label is predicted where its probability is above this, as in torchmetrics.
const THRESHOLD: f64 = 0.5;

/// Loss, accuracy over all labels, and share of the samples whose labels are all right: torchmetrics'
/// `MultilabelAccuracy` and `MultilabelExactMatch`.
pub(super) fn step(
    loss: &ClassLoss,
    logits: &Tensor,
    target: &Tensor,
) -> Result<(Tensor, Vec<Metric>), String> {
    let (batch, classes) = batch_and_classes(logits)?;
    if target.size() != [batch, classes] {
        let remedy = match target.size().as_slice() {
            [_, columns] => format!("set `num_classes = {columns}` in [model]"),
            _ => "`target = \"labels\"` in [data] reads several labels per sample, and a tensor file has a \
                  column per label"
                .to_owned(),
        };
        let found = target.size();
        return Err(format!(
            "`kind = \"bce\"` in [loss] needs a number from 0 to 1 for each of {batch} samples and {classes} \
             outputs, found a target of shape {found:?}; {remedy}"
        ));
    }
    check_weights(loss, classes)?;
    let logits = logits.f_to_kind(Kind::Float).map_err(torch)?;
    let target = target.f_to_kind(Kind::Float).map_err(torch)?;
    let value = loss.of(&logits, &target).map_err(torch)?;
    let hits = tch::no_grad(|| hits(&logits, &target)).map_err(torch)?;
    let (labels, samples) = ((batch * classes).max(1) as f64, batch.max(1) as f64);
    let metrics = vec![
        ("acc".into(), Reading::OnDevice(hits.0, labels)),
        ("exact_match".into(), Reading::OnDevice(hits.1, samples)),
    ];
    Ok((value, metrics))
}

/// How many labels are right, and of how many samples all are.
fn hits(logits: &Tensor, target: &Tensor) -> Result<(Tensor, Tensor), TchError> {
    let right = predicted(logits)?.f_eq_tensor(&present(target)?)?;
    let samples = right.f_all_dim(1, false)?.f_sum(Kind::Float)?;
    Ok((right.f_sum(Kind::Float)?, samples))
}

fn predicted(logits: &Tensor) -> Result<Tensor, TchError> {
    logits.f_to_kind(Kind::Float)?.f_sigmoid()?.f_gt(THRESHOLD)
}

fn present(target: &Tensor) -> Result<Tensor, TchError> {
    target.f_gt(THRESHOLD)
}

/// How often each label was right where it was there, predicted where it was not, and missed: what F1 scores
/// are made of. It stays on the device until [`scores`](Self::scores).
#[derive(Debug, Default)]
pub struct LabelCounts {
    /// Hits, false alarms and misses, `[3, classes]`, i64.
    sums: Option<Tensor>,
}

impl LabelCounts {
    /// Adds a batch of logits and targets `[batch, classes]`.
    ///
    /// # Errors
    /// libtorch's.
    pub fn add(&mut self, logits: &Tensor, target: &Tensor) -> Result<(), TchError> {
        let (predicted, present) = (predicted(logits)?, present(target)?);
        let hits = predicted.f_logical_and(&present)?;
        let false_alarms = predicted.f_logical_and(&present.f_logical_not()?)?;
        let misses = present.f_logical_and(&predicted.f_logical_not()?)?;
        let batch = Tensor::f_stack(&[hits, false_alarms, misses], 0)?;
        let batch = batch.f_sum_dim_intlist([1_i64].as_slice(), false, Kind::Int64)?;
        self.sums = Some(match self.sums.take() {
            Some(sums) => sums.f_add(&batch)?,
            None => batch,
        });
        Ok(())
    }

    /// Hits, false alarms and misses by label; None where no batch was added.
    ///
    /// # Errors
    /// libtorch's.
    pub fn counts(&self) -> Result<Option<Vec<Vec<i64>>>, TchError> {
        self.sums.as_ref().map(Vec::<Vec<i64>>::try_from).transpose()
    }

    /// Takes the sum of such counts in place of its own.
    ///
    /// # Errors
    /// libtorch's.
    pub fn set<'c>(&mut self, counts: impl Iterator<Item = &'c Vec<Vec<i64>>>) -> Result<(), TchError> {
        self.sums = None;
        for counts in counts {
            let classes = counts.first().map_or(0, Vec::len) as i64;
            let counts = Tensor::f_from_slice(&counts.concat())?.f_view([-1, classes])?;
            self.sums = Some(match self.sums.take() {
                Some(sums) => sums.f_add(&counts)?,
                None => counts,
            });
        }
        Ok(())
    }

    /// `f1_micro` and `f1_macro`, as torchmetrics' `MultilabelF1Score` has them: a label that neither was
    /// there nor was predicted scores 0. Waits for the device; nothing where no batch was added.
    ///
    /// # Errors
    /// libtorch's.
    pub fn scores(&self) -> Result<Vec<(&'static str, f64)>, TchError> {
        let Some(sums) = &self.sums else { return Ok(Vec::new()) };
        let sums: Vec<Vec<i64>> = sums.try_into()?;
        let [hits, false_alarms, misses] = sums.as_slice() else { return Ok(Vec::new()) };
        let f1 = |hits: i64, false_alarms: i64, misses: i64| match 2 * hits + false_alarms + misses {
            0 => 0.0,
            all => 2.0 * hits as f64 / all as f64,
        };
        let total = |counts: &[i64]| counts.iter().sum::<i64>();
        let of_labels = hits.iter().zip(false_alarms).zip(misses);
        let sum: f64 = of_labels.map(|((hits, alarms), misses)| f1(*hits, *alarms, *misses)).sum();
        let micro = f1(total(hits), total(false_alarms), total(misses));
        Ok(vec![("f1_micro", micro), ("f1_macro", sum / hits.len().max(1) as f64)])
    }
}
