//! What hooks do to the values of frozen parameters.

use std::collections::BTreeMap;
use std::rc::Rc;

use tch::{Device, Kind, Tensor};
use thaw_plugin_api::abi::RawTensor;
use thaw_plugin_api::module_tree::ModuleTree;
use thaw_plugin_api::testing::FakeModel;
use thaw_plugin_api::{Error, Result};

use super::{USUAL, build, straight};
use crate::{Outcome, Subject, Verdict};

/// A tensor for each parameter and buffer; tied ones share theirs.
fn tensors(model: &FakeModel) -> Result<BTreeMap<String, Tensor>> {
    let tree = model.clone().tree()?;
    let mut tensors = BTreeMap::new();
    for parameter in tree.parameters() {
        let tensor = match tensors.get(parameter.storage()) {
            Some(tied) => Tensor::shallow_clone(tied),
            None => {
                Tensor::f_randn(&parameter.shape, (Kind::Float, Device::Cpu))?.f_set_requires_grad(true)?
            }
        };
        tensors.insert(parameter.name.clone(), tensor);
    }
    for buffer in tree.modules().iter().flat_map(|module| &module.buffers) {
        tensors.insert(buffer.name.clone(), Tensor::f_ones(&buffer.shape, (Kind::Float, Device::Cpu))?);
    }
    Ok(tensors)
}

/// Copies of what is frozen.
fn frozen(tree: &ModuleTree, tensors: &BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    let frozen = tree.parameters().filter(|parameter| !parameter.requires_grad);
    frozen
        .filter_map(|parameter| Some((parameter.name.clone(), tensors.get(&parameter.name)?.detach().copy())))
        .collect()
}

pub(super) fn untouched(subject: &mut Subject) -> Verdict {
    let (model, _) = straight(subject, subject.config(), USUAL)?;
    let skipped = |error: Error| Outcome::skipped(error.to_string());
    let tensors = Rc::new(tensors(&model).map_err(skipped)?);
    let lent = Rc::clone(&tensors);
    let run = build(subject, &model, subject.config(), USUAL).map_err(skipped)?;
    let mut run = run.with_tensors(move |name| {
        let tensor = lent.get(name).ok_or_else(|| Error::new(format_args!("there is no tensor `{name}`")))?;
        Ok(RawTensor::from(tensor.shallow_clone()).into_raw())
    });
    let mut before = BTreeMap::new();
    for epoch in 0..USUAL.epochs {
        run.run_epochs(1).map_err(skipped)?;
        let tree = run.tree().map_err(skipped)?;
        let after = frozen(tree, &tensors);
        for (name, now) in &after {
            if before.get(name).is_some_and(|then| then != now) {
                let hint = "look at `requires_grad` of the tree before a value is written";
                return Err(Outcome::failed(
                    format!("epoch {epoch}: `{name}` is frozen and was changed"),
                    "its values as before",
                    hint,
                ));
            }
        }
        before = after;
    }
    Ok(Outcome::passed())
}
