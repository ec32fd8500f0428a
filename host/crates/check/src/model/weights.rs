//! Weights to a file and back.

use std::collections::BTreeMap;

use super::{Bench, equal};
use crate::{Outcome, Subject, Verdict};
use thaw_weights::{WeightsConfig, WeightsError, WriteOptions, apply, plan_load, read, write_safetensors};

pub(super) fn round_trip(subject: &mut Subject) -> Verdict {
    let seed = subject.job().seed;
    let mut first = Bench::new(subject, seed)?;
    let mut second = Bench::new(subject, seed.wrapping_add(1))?;
    let expected = first.outputs(3)?;
    let path = subject.job().scratch.join("model.safetensors");
    let hint = "the layers compute with tensors that are not registered as parameters or buffers: they would \
                be lost with a checkpoint";
    let failed = |error: WeightsError| {
        Outcome::failed(error.to_string(), "weights that can be written and read", hint)
    };
    write_safetensors(&path, first.model.state_dict(), &BTreeMap::new(), &WriteOptions::default())
        .map_err(failed)?;
    let file = read(&path).map_err(failed)?;
    let plan = plan_load(&second.model.tensor_specs(), &file, &WeightsConfig::new(&path)).map_err(failed)?;
    apply(&plan, &file, |name| second.model.tensor(name).ok().map(tch::Tensor::shallow_clone))
        .map_err(failed)?;
    let found = second.outputs(3)?;
    if equal(&found, &expected) {
        return Ok(Outcome::noted(format!("{} tensors", plan.copies.len())));
    }
    Err(Outcome::failed("other outputs with the same weights", "the same outputs", hint))
}
