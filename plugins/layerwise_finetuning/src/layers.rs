//! Which modules are the layers of a backbone.

use thaw_plugin_api::prelude::*;

/// A backbone's layers and, between them, modules without parameters, in registration order: its children.
/// Where all blocks stand in one list below it, as a transformer's do (`encoder.layer`), the list's children
/// take the place of what holds them; several lists, such as the stages of a ResNet, stay whole.
pub(super) fn of(model: &ModuleTree, backbone: &str) -> Result<Vec<String>> {
    let mut layers = model.children(backbone)?;
    while let Some((index, list)) = only_list(model, &layers)? {
        let within = walk(model, &layers[index], &list)?;
        layers.splice(index..=index, within);
    }
    Ok(layers)
}

/// The list of blocks below these modules, with the one that holds it, if there is no other.
fn only_list(model: &ModuleTree, layers: &[String]) -> Result<Option<(usize, String)>> {
    let mut found = None;
    for (index, layer) in layers.iter().enumerate() {
        for list in lists(model, layer)? {
            if found.is_some() {
                return Ok(None);
            }
            found = Some((index, list));
        }
    }
    Ok(found)
}

/// The topmost lists of blocks of a module, itself included.
fn lists(model: &ModuleTree, path: &str) -> Result<Vec<String>> {
    let children = model.children(path)?;
    if model.get(path)?.iterable && has_blocks(model, &children)? {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for child in &children {
        found.extend(lists(model, child)?);
    }
    Ok(found)
}

/// Whether one of these, at least, is made of modules that have parameters.
fn has_blocks(model: &ModuleTree, children: &[String]) -> Result<bool> {
    for child in children {
        if model.parameters_of(child)?.count() > model.get(child)?.parameters.len() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What stands in a module's place when a list below it is taken apart.
fn walk(model: &ModuleTree, path: &str, list: &str) -> Result<Vec<String>> {
    let mut modules = Vec::new();
    for child in model.children(path)? {
        if path != list && (child == list || list.starts_with(&format!("{child}."))) {
            modules.extend(walk(model, &child, list)?);
        } else {
            modules.push(child);
        }
    }
    Ok(modules)
}
