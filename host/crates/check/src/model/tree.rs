//! The module tree against the tensors.

use std::collections::{BTreeMap, BTreeSet};

use super::{PARAMETERS, configs};
use crate::{Outcome, Subject, Verdict};

pub(super) fn consistent(subject: &mut Subject) -> Verdict {
    let built = configs(subject)
        .into_iter()
        .map(|config| subject.create_model(&config, subject.job().seed))
        .find_map(Result::ok);
    let model = built.ok_or_else(|| Outcome::skipped("it cannot be built"))?;
    let tree = model.tree();
    let counted = tree.parameters().filter(|parameter| parameter.tied_to.is_none());
    let parameters: i64 = counted.map(|parameter| parameter.shape.iter().product::<i64>()).sum();
    subject.job().leave_behind(PARAMETERS, &parameters.to_string())?;
    let mut wrong = Vec::new();
    let parameters = tree.parameters().map(|parameter| (parameter.name.as_str(), &parameter.shape));
    let buffers = tree
        .modules()
        .iter()
        .flat_map(|module| &module.buffers)
        .map(|buffer| (buffer.name.as_str(), &buffer.shape));
    let told: BTreeMap<&str, &Vec<i64>> = parameters.chain(buffers).collect();
    let mut seen = BTreeSet::new();
    for (name, tensor) in model.state_dict() {
        if !seen.insert(name.as_str()) {
            wrong.push(format!("`{name}` is there twice"));
        }
        match told.get(name.as_str()) {
            None => wrong.push(format!("`{name}` is a tensor, but not in the tree")),
            Some(shape) if **shape != tensor.size() => {
                wrong.push(format!("`{name}` is {:?}, in the tree {shape:?}", tensor.size()))
            }
            Some(_) => {}
        }
    }
    wrong.extend(
        told.keys()
            .filter(|name| !seen.contains(*name))
            .map(|name| format!("`{name}` is in the tree, but no tensor")),
    );
    for parameter in tree.parameters() {
        let Ok(tensor) = model.tensor(&parameter.name) else { continue };
        if tensor.requires_grad() != parameter.requires_grad {
            wrong.push(format!(
                "`{}` has requires_grad = {}, in the tree {}",
                parameter.name,
                tensor.requires_grad(),
                parameter.requires_grad
            ));
        }
        if !tensor.is_leaf() {
            wrong
                .push(format!("`{}` is the result of a computation: no step would reach it", parameter.name));
        }
    }
    if !wrong.is_empty() {
        let hint = "register every parameter and buffer once, by `ModuleBuilder`, and keep the tensor that \
                    it gives back";
        return Err(Outcome::failed(wrong.join("; "), "tree and tensors of the same names and shapes", hint));
    }
    stages(&model)
}

fn stages(model: &thaw_train::model::HostModel) -> Verdict {
    let hint =
        "a stage names the modules and parameters that it runs; freezing them lets the host compute it once";
    let (tree, stages) = (model.tree(), model.stages());
    let mut names = BTreeSet::new();
    for stage in stages {
        if !names.insert(&stage.name) {
            return Err(Outcome::failed(
                format!("the stage `{}` is there twice", stage.name),
                "each name once",
                hint,
            ));
        }
        if let Some(path) =
            stage.modules.iter().find(|path| !tree.contains(path) && tree.parameter(path).is_err())
        {
            return Err(Outcome::failed(
                format!("stage `{}` names `{path}`", stage.name),
                "a module or parameter of the model",
                hint,
            ));
        }
    }
    if stages.is_empty() {
        return Ok(Outcome::passed());
    }
    let within = tree
        .select(stages.iter().flat_map(|stage| &stage.modules))
        .map_err(|error| Outcome::skipped(error.to_string()))?;
    let within: BTreeSet<&str> = within.parameters.iter().map(String::as_str).collect();
    let outside = tree.parameters().filter(|parameter| !within.contains(parameter.storage()));
    let outside: Vec<String> = outside.map(|parameter| format!("`{}`", parameter.name)).collect();
    if !outside.is_empty() {
        return Err(Outcome::warning(
            format!("in no stage: {}", outside.join(", ")),
            "every parameter in a stage",
            hint,
        ));
    }
    Ok(Outcome::passed())
}
