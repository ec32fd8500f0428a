//! The number formats that a model declares.

use tch::{Device, Kind, Tensor};
use thaw_plugin_api::model::{Precision, Tensors};

use super::{Bench, torch, words};
use crate::{Outcome, Subject, Verdict};
use thaw_torch::Autocast;
use thaw_train::model::Phase;

/// How far outputs in bfloat16 may be from those in float32: its 8 bits, through some layers.
const BF16_TOLERANCE: f64 = 0.1;

const NEW_TENSORS: &str =
    "make new tensors with the kind and device of the input (`zeros_like`, `to_kind(x.kind())`)";
const LEAVE_OUT: &str =
    "compute the delicate part in float32, or leave `Precision::Bf16Mixed` out of `Model::precisions`";

pub(super) fn precision(subject: &mut Subject) -> Verdict {
    let mut bench = Bench::new(subject, subject.job().seed)?;
    let declared = bench.model.description().precisions.clone();
    if declared.is_empty() {
        return Err(Outcome::failed(
            "no precision is declared",
            "at least one",
            "leave `Model::precisions` to its default, or name `Precision::Fp32`",
        ));
    }
    let exact = bench.outputs(4)?;
    if let Some((name, output)) =
        exact.iter().find(|(_, output)| output.is_floating_point() && output.kind() != Kind::Float)
    {
        return Err(Outcome::failed(format!("`{name}` is {:?}", output.kind()), "float32", NEW_TENSORS));
    }
    let names = declared.iter().map(Precision::to_string).collect::<Vec<_>>().join(", ");
    if !declared.contains(&Precision::Bf16Mixed) {
        return Ok(Outcome::noted(format!("{names} declared")));
    }
    let distance = outputs_in_bf16(&mut bench, &exact)?;
    step_in_bf16(&mut bench)?;
    Ok(Outcome::noted(format!("{names} declared; bfloat16 differs by {distance:.1e}")))
}

/// How far the outputs are from those in float32.
fn outputs_in_bf16(bench: &mut Bench, exact: &Tensors) -> Result<f64, Outcome> {
    let inputs = bench.inputs.batch(4).map_err(torch)?;
    let rough = {
        let _autocast = autocast()?;
        bench.evaluate(inputs).map_err(|error| {
            Outcome::failed(format!("in bfloat16: {}", words(error)), "outputs", NEW_TENSORS)
        })?
    };
    let (Ok(exact), Ok(rough)) = (exact.first(), rough.first()) else {
        return Err(Outcome::skipped("there are no outputs"));
    };
    let largest = |tensor: &Tensor| tensor.f_abs()?.f_max()?.f_double_value(&[]);
    let distance = rough.f_to_kind(Kind::Float).and_then(|rough| largest(&(rough - exact))).map_err(torch)?;
    let scale = largest(exact).map_err(torch)?;
    if !distance.is_finite() {
        return Err(Outcome::failed("in bfloat16 outputs are not finite", "finite numbers", LEAVE_OUT));
    }
    if distance > BF16_TOLERANCE * scale.max(1.0) {
        let found = format!("outputs in bfloat16 differ by {distance:.2} where they are up to {scale:.2}");
        return Err(Outcome::failed(
            found,
            format!("less than {BF16_TOLERANCE} of that, as `bf16-mixed` is declared"),
            LEAVE_OUT,
        ));
    }
    Ok(distance)
}

fn step_in_bf16(bench: &mut Bench) -> Result<(), Outcome> {
    bench.model.set_phase(Phase::Train);
    {
        let _autocast = autocast()?;
        bench.train(4).map_err(|outcome| match outcome {
            Outcome::Skipped { reason } => {
                Outcome::failed(format!("in bfloat16: {reason}"), "a step of training", NEW_TENSORS)
            }
            other => other,
        })?;
    }
    let wrong = bench
        .parameters()
        .into_iter()
        .find(|(_, tensor)| tensor.grad().defined() && tensor.grad().kind() != tensor.kind());
    wrong.map_or(Ok(()), |(name, tensor)| {
        let found = format!("the gradient of `{name}` is {:?}", tensor.grad().kind());
        Err(Outcome::failed(found, format!("{:?}, as its parameter", tensor.kind()), NEW_TENSORS))
    })
}

fn autocast() -> Result<Autocast, Outcome> {
    Autocast::new(Device::Cpu, Kind::BFloat16).map_err(|error| Outcome::skipped(error.to_string()))
}
