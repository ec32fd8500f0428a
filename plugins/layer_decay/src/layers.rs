//! The order of layers.

use std::collections::HashMap;

use thaw_plugin_api::prelude::*;

/// One step of the decay.
#[derive(Debug, PartialEq)]
pub(super) struct Layer {
    pub name: String,
    patterns: Vec<String>,
}

impl Layer {
    fn of_module(path: String) -> Self {
        Self { name: path.clone(), patterns: vec![path] }
    }
}

/// The configured layers, the model's stages, or its modules; the first one of the forward first.
pub(super) fn of(model: &ModuleTree, configured: &[String]) -> Result<Vec<Layer>> {
    let layers: Vec<Layer> = if !configured.is_empty() {
        configured.iter().map(|pattern| Layer::of_module(pattern.clone())).collect()
    } else if !model.stages().is_empty() {
        model
            .stages()
            .iter()
            .map(|stage| Layer { name: stage.name.clone(), patterns: stage.modules.clone() })
            .collect()
    } else {
        let mut paths = Vec::new();
        for path in model.children("")? {
            if model.get(&path)?.iterable { paths.extend(model.children(&path)?) } else { paths.push(path) }
        }
        paths.into_iter().map(Layer::of_module).collect()
    };
    let mut owners = Vec::new();
    for layer in layers {
        if !model.select(&layer.patterns)?.parameters.is_empty() {
            owners.push(layer);
        }
    }
    ensure!(!owners.is_empty(), "the model has no layer with parameters");
    Ok(owners)
}

/// Layer of each parameter; a parameter that two layers name belongs to the first of them.
pub(super) fn homes(model: &ModuleTree, layers: &[Layer]) -> Result<HashMap<String, usize>> {
    let mut homes = HashMap::new();
    let mut within: Vec<String> = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        let selection = model.select(&layer.patterns)?;
        for parameter in selection.parameters {
            homes.entry(parameter).or_insert(index);
        }
        within.extend(selection.modules);
    }
    for module in model.modules() {
        let around = if module.path.is_empty() { String::new() } else { format!("{}.", module.path) };
        if within.iter().any(|path| path.len() > around.len() && path.starts_with(&around)) {
            for parameter in &module.parameters {
                homes.entry(parameter.storage().to_owned()).or_insert(0);
            }
        }
    }
    Ok(homes)
}
