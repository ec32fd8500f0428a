//! Models of the same seed, one after the other and at once.

use tch::{Kind, Tensor};

use super::{Bench, equal, torch};
use crate::trace::Trace;
use crate::{Outcome, Subject, Verdict};

/// Sum and sum of squares: equal tensors have equal ones.
fn digest(tensor: &Tensor) -> Result<String, tch::TchError> {
    let wide = tensor.detach().f_to_kind(Kind::Double)?;
    let (sum, squares) = (
        wide.f_sum(Kind::Double)?.f_double_value(&[])?,
        wide.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?,
    );
    Ok(format!("{:?} {sum:e} {squares:e}", tensor.size()))
}

/// Initial values, outputs, loss and gradients of a model of this seed.
fn trace(subject: &Subject) -> Result<Trace, Outcome> {
    let mut trace = Trace::new();
    let mut bench = Bench::new(subject, subject.job().seed)?;
    for (name, tensor) in bench.model.state_dict() {
        trace.push(&format!("initial `{name}`"), &digest(tensor).map_err(torch)?);
    }
    for (name, output) in bench.outputs(3)?.iter() {
        trace.push(&format!("output `{name}`"), &digest(output).map_err(torch)?);
    }
    thaw_torch::manual_seed(subject.job().seed).map_err(|error| Outcome::skipped(error.to_string()))?;
    trace.push("loss of a step", &format!("{:e}", bench.train(4)?));
    for (name, parameter) in bench.parameters() {
        let gradient = parameter.grad();
        if gradient.defined() {
            trace.push(&format!("gradient of `{name}`"), &digest(&gradient).map_err(torch)?);
        }
    }
    Ok(trace)
}

pub(super) fn deterministic(subject: &mut Subject) -> Verdict {
    let hint = "take random numbers from libtorch's default generator, which the run seeds, and keep layers \
                in a fixed order";
    trace(subject)?.compare_across_processes(subject.job(), hint)?;
    Ok(Outcome::passed())
}

pub(super) fn restart(subject: &mut Subject) -> Verdict {
    let first = trace(subject)?;
    let hint = "something outlives the model: a static, a thread local; keep it in a field";
    match trace(subject)?.difference(&first) {
        None => Ok(Outcome::passed()),
        Some((found, expected)) => Err(Outcome::failed(found, expected, hint)),
    }
}

pub(super) fn two_instances(subject: &mut Subject) -> Verdict {
    let seed = subject.job().seed;
    let (mut first, mut second) = (Bench::new(subject, seed)?, Bench::new(subject, seed)?);
    let before = first.outputs(2)?;
    second.train(4)?;
    tch::no_grad(|| {
        for (_, mut parameter) in second.parameters() {
            let _ = parameter.f_add_scalar_(1.0).map_err(torch)?;
        }
        Ok::<_, Outcome>(())
    })?;
    second.outputs(2)?;
    if equal(&first.outputs(2)?, &before) {
        return Ok(Outcome::passed());
    }
    let hint = "the models share a tensor or a static; make each layer in `new`";
    Err(Outcome::failed("another model's training changed this one's outputs", "outputs as before", hint))
}
