//! Inputs to outputs.

use tch::{Device, Kind, Tensor};
use thaw_plugin_api::Error;
use thaw_plugin_api::error::ErrorKind;
use thaw_plugin_api::model::Tensors;

use super::{Bench, changed, equal, snapshot, torch, words};
use crate::{Outcome, Subject, Verdict};
use thaw_torch::random::get_state;
use thaw_train::model::{Phase, shared};

/// How far a sample's output may be from its output in a batch: sums in another order.
const TOLERANCE: f64 = 1e-4;

pub(super) fn forward(subject: &mut Subject) -> Verdict {
    let mut bench = Bench::new(subject, subject.job().seed)?;
    let hint = "the first dimension of every output is the sample; look at reshapes with a fixed size";
    let mut shapes: Option<Vec<(String, Vec<i64>)>> = None;
    for samples in [2, 1, 3, 5] {
        let outputs = bench.inputs.batch(samples).map_err(torch)?;
        subject.job().doing(&format!("in the forward of {samples} samples"));
        let outputs = bench.evaluate(outputs).map_err(|error| {
            Outcome::failed(format!("{samples} samples: {}", words(error)), "outputs", hint)
        })?;
        if outputs.is_empty() {
            return Err(Outcome::failed(
                "no outputs",
                "at least one",
                "`forward` gives what the loss is computed of, first of all",
            ));
        }
        let mut now = Vec::new();
        for (name, output) in outputs.iter() {
            let size = output.size();
            if size.first() != Some(&samples) {
                return Err(Outcome::failed(
                    format!("{samples} samples: `{name}` is {size:?}"),
                    format!("[{samples}, …]"),
                    hint,
                ));
            }
            let is_finite = output
                .f_isfinite()
                .and_then(|finite| finite.f_all())
                .and_then(|all| all.f_int64_value(&[]))
                .map_err(torch)?;
            if is_finite == 0 {
                let hint = "look at initial values, and at divisions by a number that may be 0";
                return Err(Outcome::failed(
                    format!("{samples} samples: `{name}` is not finite"),
                    "finite numbers",
                    hint,
                ));
            }
            now.push((name.to_owned(), size[1..].to_vec()));
        }
        if shapes.as_ref().is_some_and(|shapes| *shapes != now) {
            return Err(Outcome::failed(format!("{samples} samples: {now:?}"), format!("{shapes:?}"), hint));
        }
        shapes = Some(now);
    }
    Ok(Outcome::noted(bench.note(subject)))
}

pub(super) fn stages_compose(subject: &mut Subject) -> Verdict {
    let mut bench = Bench::new(subject, subject.job().seed)?;
    let stages: Vec<String> = bench.model.stages().iter().map(|stage| stage.name.clone()).collect();
    if stages.is_empty() {
        let hint = "frozen stages can be computed once for a run; without stages nothing can";
        return Err(Outcome::warning("no stages", "the forward as an ordered split", hint));
    }
    let hint = "leave `forward` to its default, which runs the stages, or keep the two together";
    let whole = bench.outputs(3)?;
    bench.model.set_phase(Phase::Validate);
    let mut tensors = bench.inputs.batch(3).map_err(torch)?;
    for (index, stage) in stages.iter().enumerate() {
        subject.job().doing(&format!("in stage `{stage}`"));
        // One stage asked for alone; where it is the only one, it is the forward, too.
        let outputs = tch::no_grad(|| bench.model.run_stages(index, index + 1, tensors));
        tensors = outputs.map_err(|error| {
            Outcome::failed(format!("stage `{stage}`: {}", words(error)), "its outputs", hint)
        })?;
    }
    if equal(&tensors, &whole) {
        return Ok(Outcome::noted(format!("{} stages", stages.len())));
    }
    Err(Outcome::failed(
        format!("after stage `{}`: {}", stages.last().map_or("", String::as_str), shown(&tensors)),
        format!("as from the forward: {}", shown(&whole)),
        hint,
    ))
}

/// Names, shapes and first numbers.
fn shown(tensors: &Tensors) -> String {
    let one = |(name, tensor): (&str, &Tensor)| {
        let start = tensor.flatten(0, -1).narrow(0, 0, tensor.numel().min(3) as i64).to_kind(Kind::Double);
        let numbers: Vec<f64> = Vec::try_from(start).unwrap_or_default();
        format!("`{name}` {:?} {numbers:.4?} …", tensor.size())
    };
    tensors.iter().map(one).collect::<Vec<_>>().join(", ")
}

pub(super) fn evaluation(subject: &mut Subject) -> Verdict {
    let mut bench = Bench::new(subject, subject.job().seed)?;
    let hint = "a layer does not follow its mode: batch norm and dropout of `nn` do; read `Mode` in layers \
                of your own";
    let before = snapshot(&bench.model);
    let state = || get_state(Device::Cpu).map_err(|error| Outcome::skipped(error.to_string()));
    let random = state()?;
    let first = bench.outputs(3)?;
    if state()? != random {
        return Err(Outcome::failed("random numbers were drawn", "none in evaluation", hint));
    }
    if !equal(&first, &bench.outputs(3)?) {
        return Err(Outcome::failed("the same inputs gave other outputs", "the same outputs", hint));
    }
    let changed = changed(&bench.model, &before);
    if !changed.is_empty() {
        return Err(Outcome::failed(
            format!("changed: {}", changed.join(", ")),
            "parameters and buffers as they were",
            hint,
        ));
    }
    let alone = bench.outputs(1)?;
    for ((name, one), (_, all)) in alone.iter().zip(first.iter()) {
        let all = all.f_narrow(0, 0, 1).map_err(torch)?;
        if one.size() != all.size() {
            continue;
        }
        let distance = (one - &all)
            .f_abs()
            .and_then(|distance| distance.f_max())
            .and_then(|max| max.f_double_value(&[]))
            .map_err(torch)?;
        let scale =
            all.f_abs().and_then(|all| all.f_max()).and_then(|max| max.f_double_value(&[])).map_err(torch)?;
        if distance > TOLERANCE * scale.max(1.0) {
            let found =
                format!("`{name}` of a sample alone differs by {distance:.2e} from that in a batch of 3");
            return Err(Outcome::failed(found, "samples that do not know of each other", hint));
        }
    }
    Ok(Outcome::passed())
}

/// Inputs that a model can hardly take, with a word for each.
fn strange(bench: &Bench) -> Result<Vec<(&'static str, Tensors)>, Outcome> {
    let usual = bench.inputs.batch(2).map_err(torch)?;
    let name = usual.iter().next().map_or("x", |(name, _)| name).to_owned();
    let zeros = |size: &[i64], kind| {
        Tensor::f_zeros(size, (kind, Device::Cpu))
            .map(|tensor| Tensors::one(name.clone(), tensor))
            .map_err(torch)
    };
    Ok(vec![
        ("no input at all", Tensors::new()),
        ("one number", zeros(&[], Kind::Float)?),
        ("seven dimensions", zeros(&[2, 1, 1, 1, 1, 1, 1], Kind::Float)?),
        ("features of another number", zeros(&[2, 1_000_003], Kind::Float)?),
        ("pictures of 17 channels", zeros(&[2, 17, 8, 8], Kind::Float)?),
        ("truth values", zeros(&[2, 3], Kind::Bool)?),
        ("no samples", zeros(&[0], Kind::Float)?),
    ])
}

fn refusals(bench: &mut Bench, told: impl Fn(&str)) -> Result<Vec<(String, Error)>, Outcome> {
    let mut errors = Vec::new();
    for (name, inputs) in strange(bench)? {
        told(name);
        errors.extend(bench.evaluate(inputs).err().map(|error| (name.to_owned(), words(error))));
    }
    Ok(errors)
}

/// What the model says to inputs that it cannot take.
///
/// # Errors
/// It cannot be built.
pub fn errors(subject: &Subject) -> Result<Vec<(String, Error)>, Outcome> {
    let mut bench = Bench::new(subject, subject.job().seed)?;
    refusals(&mut bench, |_| {})
}

pub(super) fn wrong_inputs(subject: &mut Subject) -> Verdict {
    let mut bench = Bench::new(subject, subject.job().seed)?;
    let before = bench.outputs(2)?;
    let errors = refusals(&mut bench, |name| subject.job().doing(&format!("in the forward of {name}")))?;
    let inputs = bench.inputs.batch(2).map_err(torch)?;
    let hint = "an error leaves the model as it was";
    let after = bench
        .evaluate(shared(&inputs))
        .map_err(|error| Outcome::failed(words(error).to_string(), "outputs as before", hint))?;
    if !equal(&before, &after) {
        return Err(Outcome::failed("other outputs than before", "the same outputs", hint));
    }
    if let Some((name, error)) = errors.iter().find(|(_, error)| error.kind() == ErrorKind::Panic) {
        let hint = "tch's functions without `f_` panic on an error of libtorch: write `f_matmul(…)?`";
        return Err(Outcome::warning(
            format!("{name}: {}", error.message().lines().next().unwrap_or_default()),
            "an error",
            hint,
        ));
    }
    Ok(Outcome::noted(format!("{} refused", errors.len())))
}
