//! Loss and metrics of the tasks that ship.

use tch::{Device, Kind, Reduction, Tensor};
use thaw_plugin_api::model::{Batch, Task, Tensors};

use super::loss::{ClassLoss, Loss, NumberLoss};
use super::{Metric, StepResult, labels};
use thaw_torch::reading::Reading;

/// Loss and metrics of a batch for a model without a step of its own; the error says what does not fit.
pub fn step(task: Task, loss: &Loss, batch: &Batch, outputs: Tensors) -> Result<StepResult, String> {
    let text = |error: thaw_plugin_api::Error| error.to_string();
    let target = match task {
        Task::Reconstruction => batch.inputs.first().map_err(text)?,
        _ => batch.target.as_ref().ok_or("the data has no target: name its labels in [data]")?,
    };
    let output = outputs.first().map_err(text)?;
    let (loss, metrics) = match task {
        Task::Classification => match loss.classes {
            ClassLoss::CrossEntropy { .. } => classification(&loss.classes, output, target)?,
            ClassLoss::Bce { .. } => labels::step(&loss.classes, output, target)?,
        },
        Task::Regression => regression(loss.numbers, output, target)?,
        Task::Reconstruction => (loss_of_numbers(loss.numbers, output, target)?, Vec::new()),
    };
    Ok(StepResult { loss, outputs, metrics, tape: None })
}

pub(super) fn torch(error: tch::TchError) -> String {
    thaw_torch::short_message(&error.to_string()).to_owned()
}

fn classification(
    loss: &ClassLoss,
    logits: &Tensor,
    labels: &Tensor,
) -> Result<(Tensor, Vec<Metric>), String> {
    let (batch, classes) = batch_and_classes(logits)?;
    if labels.kind() != Kind::Int64 || labels.size() != [batch] {
        let remedy = match labels.kind() {
            _ if labels.dim() == 2 => "; several labels per sample need `kind = \"bce\"` in [loss]",
            Kind::Float | Kind::Double | Kind::Half => {
                "; labels that are numbers are a regression, with `num_classes = 1` in [model] for models \
                 that have the key; labels that are classes need `target = \"class\"` in [data]"
            }
            _ => "; `label`, or `target` for tensors, in [data] names it",
        };
        return Err(format!(
            "classification needs one i64 label per sample ({batch}), found {:?} of shape {:?}{remedy}",
            labels.kind(),
            labels.size()
        ));
    }
    let logits = logits.f_to_kind(Kind::Float).map_err(torch)?;
    check_weights(loss, classes)?;
    let loss = loss.of(&logits, labels).map_err(|error| {
        let message = torch(error);
        if message.contains("out of bounds") {
            format!(
                "a label is outside 0..{classes}: the model has {classes} classes, set num_classes to the \
                 number of classes in the data"
            )
        } else {
            message
        }
    })?;
    Ok((loss, vec![("acc".into(), accuracy(&logits, labels, batch)?)]))
}

/// The shape of logits.
pub(super) fn batch_and_classes(logits: &Tensor) -> Result<(i64, i64), String> {
    match logits.size().as_slice() {
        [batch, classes] => Ok((*batch, *classes)),
        other => Err(format!("classification needs logits of shape [batch, classes], found {other:?}")),
    }
}

/// Refuses a loss whose weights are not one for each output.
pub(super) fn check_weights(loss: &ClassLoss, classes: i64) -> Result<(), String> {
    match loss.weighted_classes().filter(|(_, weights)| i64::try_from(*weights) != Ok(classes)) {
        None => Ok(()),
        Some((key, weights)) => Err(format!(
            "the model has {classes} outputs, and `{key}` in [loss] are {weights}: one is needed for each"
        )),
    }
}

/// So many logits on the CPU are looked through here: the kernels for it would cost a small model more than
/// its layers.
const FEW_LOGITS: usize = 1 << 14;

/// Share of samples whose highest logit is the label's.
fn accuracy(logits: &Tensor, labels: &Tensor, batch: i64) -> Result<Reading, String> {
    if batch == 0 {
        return Ok(Reading::Known(0.0));
    }
    if logits.device() == Device::Cpu && logits.numel() <= FEW_LOGITS {
        return Ok(Reading::Known(hits_on_cpu(logits, labels).map_err(torch)? / batch as f64));
    }
    let hits = || logits.f_argmax(-1, false)?.f_eq_tensor(labels)?.f_sum(Kind::Float);
    Ok(Reading::OnDevice(tch::no_grad(hits).map_err(torch)?, batch as f64))
}

/// As the kernels have it: the first of several highest, and NaN above all numbers.
fn hits_on_cpu(logits: &Tensor, labels: &Tensor) -> Result<f64, tch::TchError> {
    let (mut values, mut targets) = (vec![0.0_f32; logits.numel()], vec![0_i64; labels.numel()]);
    logits.f_copy_data(&mut values, logits.numel())?;
    labels.f_copy_data(&mut targets, labels.numel())?;
    let classes = values.len() / targets.len().max(1);
    let is_higher = |value: f32, than: f32| value > than || (value.is_nan() && !than.is_nan());
    let highest = |row: &[f32]| {
        (1..row.len()).fold(0, |best, class| if is_higher(row[class], row[best]) { class } else { best })
    };
    let rows = values.chunks(classes.max(1)).zip(targets);
    Ok(rows.filter(|(row, target)| i64::try_from(highest(row)) == Ok(*target)).count() as f64)
}

fn regression(loss: NumberLoss, output: &Tensor, target: &Tensor) -> Result<(Tensor, Vec<Metric>), String> {
    let loss = loss_of_numbers(loss, output, target)?;
    let absolute = tch::no_grad(|| {
        let target = target.f_view(output.size().as_slice())?;
        output.f_l1_loss(&target, Reduction::Mean)
    });
    Ok((loss, vec![("mae".into(), Reading::OnDevice(absolute.map_err(torch)?, 1.0))]))
}

fn loss_of_numbers(loss: NumberLoss, output: &Tensor, target: &Tensor) -> Result<Tensor, String> {
    if output.numel() != target.numel() {
        return Err(format!(
            "the output has shape {:?}, the target {:?}: they need as many elements",
            output.size(),
            target.size()
        ));
    }
    let target = target
        .f_view(output.size().as_slice())
        .and_then(|target| target.f_to_kind(Kind::Float))
        .map_err(torch)?;
    output.f_to_kind(Kind::Float).and_then(|output| loss.of(&output, &target)).map_err(torch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_logits_have_the_hits_that_the_kernels_find() {
        let nan = f32::NAN;
        let logits =
            [[1.0, 2.0, 0.0], [3.0, 3.0, 1.0], [0.0, -1.0, nan], [nan, 5.0, nan], [-2.0, -3.0, -1.0]];
        let logits = Tensor::from_slice(logits.as_flattened()).view([5, 3]).set_requires_grad(true);
        for labels in [[1, 0, 2, 0, 2], [0, 1, 0, 1, 1], [1, 1, 2, 2, 0]] {
            let labels = Tensor::from_slice(&labels.map(i64::from));
            let kernels = logits.argmax(-1, false).eq_tensor(&labels).sum(Kind::Float).double_value(&[]);
            assert_eq!(hits_on_cpu(&logits, &labels).unwrap(), kernels, "{labels:?}");
        }
        let none = Tensor::zeros([0, 3], (Kind::Float, Device::Cpu));
        let labels = Tensor::zeros([0], (Kind::Int64, Device::Cpu));
        assert_eq!(accuracy(&none, &labels, 0).unwrap().read().unwrap(), 0.0);
    }
}
